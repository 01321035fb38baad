import { describe, expect, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Exit, Fiber, Layer, Logger, Option, Scope } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry

/** A clock whose wall time can be set to anything, as an operating system's can; its monotonic time goes on. */
const jumping = () => {
  let wall = 1_000_000
  let monotonic = 0
  let sleepers: Array<{ readonly at: number; readonly wake: Deferred.Deferred<void> }> = []
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => wall,
    unsafeCurrentTimeNanos: () => BigInt(monotonic * 1_000_000),
    currentTimeMillis: Effect.sync(() => wall),
    currentTimeNanos: Effect.sync(() => BigInt(monotonic * 1_000_000)),
    sleep: (duration) =>
      Effect.flatMap(Deferred.make<void>(), (wake) => {
        sleepers.push({ at: monotonic + Duration.toMillis(duration), wake })
        return Deferred.await(wake)
      })
  }
  return {
    provide: Effect.provide(
      Layer.provideMerge(
        ResourceRegistry.layer,
        Layer.merge(Layer.setClock(clock), Logger.remove(Logger.defaultLogger))
      )
    ),
    jump: (millis: number) => Effect.sync(() => wall += millis),
    pass: (millis: number) =>
      Effect.gen(function*() {
        for (let i = 0; i < millis; i++) {
          monotonic++
          wall++
          const due = sleepers.filter((sleeper) => sleeper.at <= monotonic)
          sleepers = sleepers.filter((sleeper) => sleeper.at > monotonic)
          for (const { wake } of due) yield* Deferred.succeed(wake, undefined)
          if (due.length > 0) yield* Effect.repeatN(Effect.yieldNow(), 20)
        }
      })
  }
}

const day = 86_400_000

describe("a clock that jumps", () => {
  for (const [direction, jump] of [["forward", day], ["back", -day]] as const) {
    it.live(`${direction} by a day neither ends a cleanup early nor lets it run past its limit (P3)`, () => {
      const { jump: jumpBy, pass, provide } = jumping()
      return Effect.gen(function*() {
        const r = yield* registry
        const scope = yield* Scope.make()
        yield* Scope.extend(ResourceGuard.make(Effect.void, () => Effect.never, { timeout: 500 }), scope)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* Effect.repeatN(Effect.yieldNow(), 5)
        yield* pass(400)
        yield* jumpBy(jump)
        yield* pass(99)
        expect(Option.isNone(yield* Fiber.poll(closing))).toBe(true)
        yield* pass(2)
        yield* Effect.repeatN(Effect.yieldNow(), 20)
        yield* Fiber.join(closing)
        const [letter] = yield* r.deadLetters.list
        expect(letter!.record.outcome).toBe("abandoned")
        expect(letter!.record.runMillis).toBeGreaterThanOrEqual(499)
        expect(letter!.record.runMillis).toBeLessThanOrEqual(502)
      }).pipe(provide)
    })

    it.live(`${direction} by a day changes neither ages nor the dead letters' five minutes`, () => {
      const { jump: jumpBy, pass, provide } = jumping()
      return Effect.gen(function*() {
        const r = yield* registry
        yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.fail("refused")))
        yield* ResourceGuard.make(Effect.void, () => Effect.void)
        yield* pass(100)
        yield* jumpBy(jump)
        const { deadLetters, live } = yield* r.snapshot
        expect(live[0]!.ageMillis).toBe(100)
        expect(deadLetters[0]!.retryable).toBe(true)
      }).pipe(Effect.scoped, provide)
    })
  }
})
