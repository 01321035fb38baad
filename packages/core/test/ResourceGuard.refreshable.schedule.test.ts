import { describe, expect, it } from "@effect/vitest"
import { Cause, Chunk, Context, Deferred, Duration, Effect, Exit, Fiber, Logger, Schedule, TestClock } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"
import { make, source, turns } from "./refreshableSource.js"

const provide = Effect.provide(ResourceRegistry.layerTest)

describe("a schedule", () => {
  const logged = () => {
    const lines: Array<string> = []
    const layer = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ annotations, cause, message }) => {
        lines.push(`${[message].flat().join(" ")} ${Cause.pretty(cause)} ${[...annotations].join(" ")}`)
      })
    )
    return { lines, layer }
  }

  it.effect("refreshes as it says, and ends with it: the value stays", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s, {
        schedule: Schedule.intersect(Schedule.spaced("1 minute"), Schedule.recurs(2))
      })
      yield* TestClock.adjust("59 seconds")
      expect(yield* token.value).toBe(1)
      yield* TestClock.adjust("1 second")
      expect(yield* token.value).toBe(2)
      yield* TestClock.adjust("10 minutes")
      expect(yield* token.value).toBe(3)
      expect(yield* token.snapshot).toMatchObject({ acquiredAt: 120_000, refreshes: 2 })
    }).pipe(Effect.scoped, provide))

  it.effect("goes on after a refresh that fails or dies, which is logged with the resource's id", () => {
    const { layer, lines } = logged()
    return Effect.gen(function*() {
      const s = source()
      const token = yield* make(s, { schedule: Schedule.spaced("1 minute") })
      s.plan.push(Effect.fail("refused"), Effect.die("bug"), Effect.interrupt)
      yield* TestClock.adjust("3 minutes")
      expect(yield* token.use(Effect.succeed)).toBe(1)
      expect(yield* token.snapshot).toMatchObject({ failures: 3, refreshes: 0 })
      expect(lines.map((line) => line.replaceAll(token.id, "ID"))).toEqual([
        expect.stringMatching(
          /^The refresh of Token \(ID\) failed; its value of 1 min ago stays .*refused.*resource.id,ID/s
        ),
        expect.stringMatching(/failed, 2 times in a row; its value of 2 min ago stays .*bug/s),
        expect.stringMatching(/failed, 3 times in a row/)
      ])
      yield* TestClock.adjust("1 minute")
      expect(yield* token.value).toBe(2)
      expect(yield* token.snapshot).toMatchObject({ failures: 0, refreshes: 1, lastFailure: { at: 180_000 } })
      expect(lines.length).toBe(3)
    }).pipe(Effect.scoped, provide, Effect.provide(layer))
  })

  it.effect("a schedule is given what each refresh ended with: it may look at the value, or retry sooner", () =>
    Effect.gen(function*() {
      const s = source()
      // A value n is good for n minutes; a refresh that failed is tried again after 10 seconds.
      const token = yield* make(s, {
        schedule: Schedule.identity<Exit.Exit<number, unknown>>().pipe(
          Schedule.addDelay(
            Exit.match({ onSuccess: (n) => Duration.minutes(n), onFailure: () => Duration.seconds(10) })
          )
        )
      })
      yield* TestClock.adjust("1 minute")
      expect(yield* token.value).toBe(2)
      s.plan.push(Effect.fail("refused"))
      yield* TestClock.adjust("2 minutes")
      expect(yield* token.value).toBe(2)
      yield* TestClock.adjust("10 seconds")
      expect(yield* token.value).toBe(3)
    }).pipe(Effect.scoped, provide))

  it.effect("waits for a refresh in flight instead of beginning another", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s, { schedule: Schedule.spaced("1 minute") })
      const gate = yield* Deferred.make<void>()
      s.plan.push(Deferred.await(gate))
      yield* TestClock.adjust("5 minutes")
      const byHand = yield* Effect.fork(token.refresh)
      yield* turns(3)
      yield* Fiber.interrupt(byHand)
      expect(s.counts.acquires).toBe(2)
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("0 millis")
      expect(yield* token.value).toBe(2)
      yield* TestClock.adjust("1 minute")
      expect(yield* token.value).toBe(3)
    }).pipe(Effect.scoped, provide))

  it.effect("a schedule that dies is logged, and the value stays", () => {
    const { layer, lines } = logged()
    return Effect.gen(function*() {
      const token = yield* make(source(), {
        schedule: Schedule.spaced("1 minute").pipe(Schedule.tapOutput(() => Effect.die("broken")))
      })
      yield* TestClock.adjust("5 minutes")
      expect(yield* token.value).toBe(1)
      expect(lines).toEqual([expect.stringMatching(/^The refresh of Token .* stopped, as its schedule died.*broken/s)])
    }).pipe(Effect.scoped, provide, Effect.provide(layer))
  })

  it.effect("goes on though the logger throws", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s, { schedule: Schedule.spaced("1 minute") })
      s.plan.push(Effect.fail("refused"))
      yield* TestClock.adjust("2 minutes")
      expect(yield* token.value).toBe(2)
    }).pipe(
      Effect.scoped,
      provide,
      Effect.provide(Logger.replace(
        Logger.defaultLogger,
        Logger.make(() => {
          throw new Error("disk full")
        })
      ))
    ))

  it.effect("a schedule is needed for a timer: without one there is none", () =>
    Effect.gen(function*() {
      const token = yield* make(source())
      yield* token.refresh
      expect(Chunk.size(yield* TestClock.sleeps())).toBe(0)
    }).pipe(Effect.scoped, provide))

  it.effect("a schedule may need services, as acquire and release may", () =>
    Effect.gen(function*() {
      class Every extends Context.Tag("app/Every")<Every, Duration.Duration>() {}
      const s = source()
      const token = yield* ResourceGuard.refreshable(s.acquire, s.release, {
        schedule: Schedule.forever.pipe(Schedule.addDelayEffect(() => Every))
      }).pipe(Effect.provideService(Every, Duration.minutes(1)))
      yield* TestClock.adjust("1 minute")
      expect(yield* token.value).toBe(2)
    }).pipe(Effect.scoped, provide))
})
