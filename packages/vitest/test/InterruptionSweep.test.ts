/** Shows `Seam`. */
import { describe, expect, it } from "@effect/vitest"
import { PatinoxError, ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Deferred, Effect, Scope, TestClock } from "effect"
import { assertNoLeaks, interruptionSweep, TestResource } from "../src/index.js"
import type { SweepOptions } from "../src/InterruptionSweep.js"

const resource = TestResource.make("r")

/** What was acquired was released, and once. */
const balanced = ({ acquired, maxConcurrent, released }: TestResource.TestResource) =>
  Effect.suspend(() =>
    acquired() === released() && maxConcurrent() <= 1
      ? Effect.void
      : Effect.fail(`acquired ${acquired()} times, released ${released()} times` as const)
  )

describe("interruptionSweep", () => {
  it.effect("interruptionSweep finds an acquire whose release is registered one step later", () =>
    Effect.gen(function*() {
      const r = yield* resource
      const planted = Effect.scoped(
        Effect.flatMap(r.acquire, (value) => Effect.as(Effect.addFinalizer(() => Effect.orDie(value.release())), value))
      )
      const error = yield* Effect.flip(interruptionSweep(planted, balanced(r)))
      expect(error._tag).toBe("InvariantBroken")
      expect(error.message).toMatch(/when interrupted after \d+ operations: .*acquired 1 times, released 0 times/s)
    }))

  it.effect("interruptionSweep names a point that can be run alone", () =>
    Effect.gen(function*() {
      const first = yield* resource
      const planted = (r: TestResource.TestResource) =>
        Effect.scoped(
          Effect.flatMap(r.acquire, (value) => Effect.addFinalizer(() => Effect.orDie(value.release())))
        )
      const error = yield* Effect.flip(interruptionSweep(planted(first), balanced(first)))
      const { point } = error as { readonly point: number }
      const again = yield* resource
      yield* interruptionSweep(planted(again), balanced(again), { only: point - 1 })
      const same = yield* Effect.flip(interruptionSweep(planted(again), balanced(again), { only: point }))
      expect(same).toMatchObject({ _tag: "InvariantBroken", point })
    }))

  it.effect("interruptionSweep sweeps acquireRelease, and a guard, without a finding", () =>
    Effect.gen(function*() {
      const r = yield* resource
      const plain = yield* interruptionSweep(Effect.scoped(Effect.andThen(r.plain, Effect.yieldNow())), balanced(r))
      expect(plain).toBeGreaterThan(10)
      const guarded = Effect.scoped(Effect.andThen(r.guard(), Effect.yieldNow()))
      const points = yield* interruptionSweep(guarded, Effect.andThen(balanced(r), assertNoLeaks))
      expect(points).toBeGreaterThan(10)
    }).pipe(Effect.provide(ResourceRegistry.layer)))

  it.effect("interruptionSweep interrupts while a forked fiber is at work", () =>
    Effect.gen(function*() {
      const r = yield* resource
      // Sound in itself, but for the fiber that it leaves to itself.
      const planted = Effect.scoped(Effect.gen(function*() {
        const done = yield* Deferred.make<void>()
        yield* Effect.forkDaemon(Effect.interruptible(Effect.gen(function*() {
          yield* r.acquire
          yield* Effect.yieldNow()
          yield* Deferred.await(done)
          yield* Effect.orDie(r.release())
        })))
        yield* Effect.yieldNow()
        yield* Effect.yieldNow()
        yield* Deferred.succeed(done, undefined)
        yield* Effect.repeatN(Effect.yieldNow(), 10)
      }))
      const error = yield* Effect.flip(interruptionSweep(planted, balanced(r)))
      expect(error._tag).toBe("InvariantBroken")
    }))

  it.effect("interruptionSweep moves the clock for effects that sleep", () =>
    Effect.gen(function*() {
      const r = yield* resource
      const slow = Effect.scoped(Effect.andThen(r.plain, Effect.sleep("1 seconds")))
      expect(yield* interruptionSweep(slow, balanced(r), { advance: "1 seconds" })).toBeGreaterThan(10)
      expect(yield* TestClock.currentTimeMillis).toBeGreaterThan(10_000)
    }))

  it.effect("interruptionSweep leaves the test's clock to the effect", () =>
    Effect.gen(function*() {
      const moving = Effect.andThen(TestClock.adjust("1 seconds"), TestClock.currentTimeMillis)
      yield* interruptionSweep(moving, Effect.void, { only: 3 })
      yield* TestClock.adjust("1 seconds")
    }))

  it.effect("interruptionSweep fails without a point, and where the effect fails by itself", () =>
    Effect.gen(function*() {
      const none = yield* Effect.flip(interruptionSweep(Effect.void, Effect.void, { only: 1000 }))
      expect(none).toMatchObject({ _tag: "SweepFailed", reason: "nothing to interrupt" })
      const failing = yield* Effect.flip(
        interruptionSweep(Effect.andThen(Effect.yieldNow(), Effect.fail("x")), Effect.void)
      )
      expect(failing).toMatchObject({ _tag: "SweepFailed", reason: "did not succeed" })
      expect(failing.message).toContain("x")
      const endless = yield* Effect.flip(
        interruptionSweep(Effect.forever(Effect.yieldNow()), Effect.void, { maxPoints: 20 })
      )
      expect(endless).toMatchObject({ _tag: "SweepFailed", reason: "too many points", points: 20 })
    }))

  it.effect("interruptionSweep names the point where an interrupted run does not end", () =>
    Effect.gen(function*() {
      const stuck = Effect.onInterrupt(Effect.repeatN(Effect.yieldNow(), 20), () => Effect.never)
      const error = yield* Effect.flip(interruptionSweep(stuck, Effect.void, { patience: 50 }))
      expect(error).toMatchObject({ _tag: "SweepFailed", reason: "did not end" })
      expect(error.message).toMatch(/has not ended, interrupted or not, at point \d+/)
    }))

  it.effect("interruptionSweep counts only a part of the time in which the process is blocked", () =>
    Effect.gen(function*() {
      const stall = Effect.sync(() => {
        for (const end = performance.now() + 80; performance.now() < end;);
      })
      // After the stall every timer that is due comes first.
      const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(() => resolve())))
      const points = yield* interruptionSweep(Effect.andThen(stall, turn), Effect.void, { patience: 50 })
      expect(points).toBeGreaterThan(0)
    }))

  it.effect.each<SweepOptions>([
    ...[-1, "-5 seconds", Number.NaN].map((advance) => ({ advance: advance as number })),
    ...[0, -1, Number.NaN, Infinity, 1.5].map((only) => ({ only })),
    ...[0, -1, Number.NaN, Infinity, "25 days"].map((patience) => ({ patience: patience as number })),
    ...[0, -1, Number.NaN, 1.5].map((maxPoints) => ({ maxPoints }))
  ])("refuses a bad option with an error that names it, before the first run: %s", (options) =>
    Effect.gen(function*() {
      let runs = 0
      const counted = Effect.sync(() => runs++)
      const error = yield* Effect.flip(interruptionSweep(counted, Effect.void, options))
      expect(error).toBeInstanceOf(PatinoxError.Validation)
      expect(error.message).toContain(`Invalid option "${Object.keys(options)[0]}"`)
      expect(runs).toBe(0)
    }))

  it.effect("interruptionSweep checks the run that is not interrupted, too", () =>
    Effect.gen(function*() {
      const r = yield* resource
      const scope = yield* Scope.make()
      const kept = Scope.extend(ResourceGuard.make(r.acquire, r.release), scope)
      const error = yield* Effect.flip(interruptionSweep(kept, balanced(r)))
      expect(error._tag).toBe("InvariantBroken")
    }).pipe(Effect.provide(ResourceRegistry.layer)))
})
