import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { VirtualClock } from "../src/index.js"

const turns = Effect.repeatN(Effect.yieldNow(), 20)

describe("VirtualClock", () => {
  it.effect("VirtualClock wakes sleepers in the order of their instants, each at its own", () =>
    Effect.gen(function*() {
      const { clock, now, pass } = VirtualClock.make()
      const woken: Array<readonly [number, number]> = []
      const sleeper = (millis: number) =>
        Effect.fork(
          Effect.andThen(clock.sleep(Duration.millis(millis)), Effect.sync(() => woken.push([millis, now()])))
        )
      yield* Effect.forEach([30, 10, 20, 99], sleeper)
      yield* pass(50, turns)
      expect(woken).toEqual([[10, 10], [20, 20], [30, 30]])
      expect(now()).toBe(50)
    }))

  it.effect("VirtualClock wakes in one pass a fiber that sleeps again on the way", () =>
    Effect.gen(function*() {
      const { clock, now, pass } = VirtualClock.make()
      const sleeping = yield* Effect.fork(Effect.repeatN(clock.sleep(Duration.seconds(1)), 9))
      yield* pass(10_000, turns)
      expect([yield* Fiber.join(sleeping), now()]).toEqual([undefined, 10_000])
    }))

  it.effect("VirtualClock forgets a fiber that is interrupted in its sleep", () =>
    Effect.gen(function*() {
      const { clock, sleepers } = VirtualClock.make()
      const sleeping = yield* Effect.fork(clock.sleep(Duration.hours(1)))
      yield* turns
      expect(sleepers()).toBe(1)
      yield* Fiber.interrupt(sleeping)
      expect(sleepers()).toBe(0)
    }))

  it.effect("VirtualClock jumps in wall time alone, without a wake", () =>
    Effect.gen(function*() {
      const { clock, jump, now, sleepers } = VirtualClock.make()
      yield* Effect.fork(clock.sleep(Duration.hours(1)))
      yield* turns
      const before = clock.unsafeCurrentTimeMillis()
      yield* jump(-86_400_000)
      yield* turns
      expect(clock.unsafeCurrentTimeMillis() - before).toBe(-86_400_000)
      expect([now(), Number(clock.unsafeCurrentTimeNanos()), sleepers()]).toEqual([0, 0, 1])
    }))

  it.effect("a sleep of no time does not wait for the clock to be moved", () =>
    Effect.gen(function*() {
      const { clock, sleepers } = VirtualClock.make()
      yield* clock.sleep(Duration.zero)
      expect(sleepers()).toBe(0)
    }))
})
