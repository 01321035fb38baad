/** Shows `CleanupRun`. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Schedule, Scope, TestClock } from "effect"
import { type CleanupError, type RecoveryPolicy, ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

interface Trial {
  readonly attempts: number
  readonly state: ResourceGuard.GuardState
  readonly error: CleanupError.CleanupError<string> | undefined
  /** Virtual milliseconds from the call to its end. */
  readonly millis: number
}

/** Cleans up one guard and plays time until that has ended. */
const trial = (
  release: (attempt: number) => Effect.Effect<unknown, string>,
  options: ResourceGuard.GuardOptions<string, string> = {}
): Effect.Effect<
  Trial,
  CleanupError.RegistryShuttingDown | CleanupError.UnknownDependency,
  ResourceRegistry.ResourceRegistry
> =>
  Effect.scoped(Effect.gen(function*() {
    let attempts = 0
    const guard = yield* ResourceGuard.make(Effect.succeed("value"), () => release(++attempts), options)
    const started = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    const fiber = yield* Effect.fork(Effect.zip(
      Effect.either(guard.cleanup),
      Effect.clockWith((clock) => clock.currentTimeMillis)
    ))
    for (let second = 0; second < 120 && Option.isNone(yield* Fiber.poll(fiber)); second++) {
      for (let i = 0; i < 10; i++) yield* TestClock.adjust("100 millis")
    }
    const [result, ended] = yield* Fiber.join(fiber)
    return {
      attempts,
      state: yield* guard.state,
      error: result._tag === "Left" ? result.left : undefined,
      millis: ended - started
    }
  }))

const failTimes = (times: number) => (attempt: number) =>
  attempt <= times ? Effect.fail(`attempt ${attempt}`) : Effect.void

const retrying = (retry: Schedule.Schedule<unknown, unknown>): RecoveryPolicy.RecoveryPolicy<unknown, unknown> => ({
  strategy: () => "Retry",
  retry
})

describe("Retry", () => {
  it.effect("runs the release again until it succeeds, and that is recovered", () =>
    Effect.gen(function*() {
      const result = yield* trial(failTimes(2), { recovery: retrying(Schedule.recurs(5)) })
      expect(result).toMatchObject({ attempts: 3, state: "recovered", error: undefined })
    }).pipe(provide))

  it.effect("waits for what the schedule says between attempts", () =>
    Effect.gen(function*() {
      const result = yield* trial(failTimes(3), { recovery: retrying(Schedule.spaced("1 seconds")) })
      expect(result).toMatchObject({ attempts: 4, millis: 3000 })
    }).pipe(provide))

  it.effect("gives the schedule the typed error of each attempt", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      yield* trial(failTimes(2), {
        recovery: {
          strategy: () => "Retry",
          retry: Schedule.recurs(5).pipe(Schedule.tapInput((error: CleanupError.ReleaseError<string>) =>
            Effect.sync(() => {
              if (error._tag === "CleanupFailed") seen.push(Option.getOrElse(error.error, () => "none"))
            })
          ))
        }
      })
      expect(seen).toEqual(["attempt 1", "attempt 2"])
    }).pipe(provide))

  it.effect("Retry tries three times by default, from 100 ms on", () =>
    Effect.gen(function*() {
      const result = yield* trial(failTimes(Infinity), { recovery: { strategy: () => "Retry" } })
      expect(result).toMatchObject({ attempts: 4, state: "failed" })
      expect(result.millis).toBeGreaterThanOrEqual(500)
      expect(result.millis).toBeLessThan(2000)
    }).pipe(provide))

  it.effect("Retry that runs out goes on to the fallback", () =>
    Effect.gen(function*() {
      let fellBack = ""
      const result = yield* trial(failTimes(Infinity), {
        recovery: {
          ...retrying(Schedule.recurs(1)),
          fallback: (value) => Effect.sync(() => fellBack = value)
        }
      })
      expect(result).toMatchObject({ attempts: 2, state: "recovered", error: undefined })
      expect(fellBack).toBe("value")
    }).pipe(provide))

  it.effect("Retry that would pass the limit is not begun (P3)", () =>
    Effect.gen(function*() {
      const result = yield* trial(failTimes(Infinity), {
        timeout: "5 seconds",
        recovery: retrying(Schedule.spaced("2 seconds"))
      })
      // At 0, 2 and 4 s; a pause to 6 s would pass the limit, so it ends at 4 s and does not wait for 5.
      expect(result).toMatchObject({ attempts: 3, state: "failed", millis: 4000 })
    }).pipe(provide))

  it.effect("Retry without a pause ends, and lets others run meanwhile", () =>
    Effect.gen(function*() {
      let turns = 0
      const other = yield* Effect.fork(Effect.forever(Effect.andThen(Effect.sync(() => turns++), Effect.yieldNow())))
      const result = yield* trial(failTimes(1000), { recovery: retrying(Schedule.forever) })
      yield* Fiber.interrupt(other)
      expect(result).toMatchObject({ attempts: 1001, state: "recovered" })
      expect(turns).toBeGreaterThan(50)
    }).pipe(provide))

  it.effect("Retry whose schedule dies or hangs goes on as if it had run out (P2)", () =>
    Effect.gen(function*() {
      const dying = Schedule.recurs(5).pipe(Schedule.tapInput(() => Effect.die("broken schedule")))
      expect(yield* trial(failTimes(Infinity), { recovery: retrying(dying) })).toMatchObject({
        attempts: 1,
        state: "failed"
      })
      const hanging = Schedule.recurs(5).pipe(Schedule.tapInput(() => Effect.never))
      expect(yield* trial(failTimes(Infinity), { timeout: "2 seconds", recovery: retrying(hanging) })).toMatchObject({
        attempts: 1,
        state: "failed",
        millis: 2000
      })
    }).pipe(provide))
})

describe("Fallback", () => {
  it.effect("gets the resource and the error, and its success is recovered", () =>
    Effect.gen(function*() {
      let seen: unknown
      const result = yield* trial(failTimes(Infinity), {
        recovery: { fallback: (value, error) => Effect.sync(() => seen = [value, error._tag]) }
      })
      expect(result).toMatchObject({ attempts: 1, state: "recovered", error: undefined })
      expect(seen).toEqual(["value", "CleanupFailed"])
    }).pipe(provide))

  it.effect("Fallback that fails, dies or throws keeps the release's own error (P5)", () =>
    Effect.gen(function*() {
      const fallbacks: ReadonlyArray<() => Effect.Effect<unknown, unknown>> = [
        () => Effect.fail("fallback"),
        () => Effect.die("fallback"),
        () => {
          throw new Error("fallback")
        },
        () => Effect.interrupt
      ]
      for (const fallback of fallbacks) {
        const { error, state } = yield* trial(() => Effect.fail("release"), { recovery: { fallback } })
        expect(state).toBe("failed")
        expect(error?._tag === "CleanupFailed" && Option.getOrNull(error.error)).toBe("release")
      }
    }).pipe(provide))

  it.effect("Fallback that hangs is let go at the limit, and the release's own error is kept (P3)", () =>
    Effect.gen(function*() {
      const { error, millis, state } = yield* trial(() => Effect.fail("release"), {
        timeout: "3 seconds",
        recovery: { fallback: () => Effect.uninterruptible(Effect.never) }
      })
      expect({ millis, state }).toEqual({ millis: 3000, state: "abandoned" })
      expect(error?._tag).toBe("CleanupFailed")
    }).pipe(provide))

  it.effect("Fallback that hangs but can be interrupted is failed, not abandoned", () =>
    Effect.gen(function*() {
      const { state } = yield* trial(() => Effect.fail("release"), {
        timeout: "3 seconds",
        recovery: { fallback: () => Effect.interruptible(Effect.never) }
      })
      expect(state).toBe("failed")
    }).pipe(provide))

  it.effect("Fallback has its share of the time: one attempt's, kept back from the attempts", () =>
    Effect.gen(function*() {
      let fellBackAt = -1
      let message = ""
      const started = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const { millis, state } = yield* trial(() => Effect.never, {
        timeout: "9 seconds",
        recovery: {
          fallback: (_, error) =>
            Effect.andThen(
              Effect.clockWith((clock) =>
                Effect.map(clock.currentTimeMillis, (now) => {
                  fellBackAt = now - started
                  message = error.message
                })
              ),
              Effect.sleep("1 seconds")
            )
        }
      })
      expect({ fellBackAt, millis, state }).toEqual({ fellBackAt: 6000, millis: 7000, state: "recovered" })
      expect(message).toContain("timed out after 6 s")
    }).pipe(provide))
})

describe("strategy", () => {
  it.effect("Fail is final: neither retry nor fallback runs", () =>
    Effect.gen(function*() {
      let fellBack = false
      const { attempts, state } = yield* trial(failTimes(Infinity), {
        recovery: {
          strategy: () => "Fail",
          retry: Schedule.recurs(3),
          fallback: () => Effect.sync(() => fellBack = true)
        }
      })
      expect({ attempts, fellBack, state }).toEqual({ attempts: 1, fellBack: false, state: "failed" })
    }).pipe(provide))

  it.effect("a strategy that throws is Fail, and the release's error stands", () =>
    Effect.gen(function*() {
      const { error, state } = yield* trial(failTimes(Infinity), {
        recovery: {
          strategy: () => {
            throw new Error("broken strategy")
          }
        }
      })
      expect(state).toBe("failed")
      expect(error?._tag === "CleanupFailed" && Option.getOrNull(error.error)).toBe("attempt 1")
    }).pipe(provide))

  it.effect("a strategy is asked about each error anew", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const { attempts } = yield* trial(
        (attempt) => attempt === 1 ? Effect.interruptible(Effect.never) : Effect.fail("now it fails"),
        {
          timeout: "9 seconds",
          recovery: {
            retry: Schedule.recurs(5),
            strategy: (error) => {
              asked.push(error._tag)
              return error._tag === "CleanupTimeout" ? "Retry" : "Fail"
            }
          }
        }
      )
      expect(attempts).toBe(2)
      expect(asked).toEqual(["CleanupTimeout", "CleanupFailed"])
    }).pipe(provide))

  it.effect("the strategy of the registry holds for guards that have no policy, a guard's own wins", () =>
    Effect.gen(function*() {
      expect(yield* trial(failTimes(2))).toMatchObject({ attempts: 3, state: "recovered" })
      expect(yield* trial(failTimes(2), { recovery: { strategy: () => "Fail" } })).toMatchObject({
        attempts: 1,
        state: "failed"
      })
    }).pipe(
      Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ recovery: retrying(Schedule.recurs(5)) })))
    ))
})

describe("an attempt that times out", () => {
  it.effect("an attempt that times out while its promise still runs has no second one started beside it (P1)", () =>
    Effect.gen(function*() {
      let running = 0
      let most = 0
      const gate = yield* Deferred.make<void>()
      const result = yield* trial(() =>
        Effect.promise(() => {
          most = Math.max(most, ++running)
          return Effect.runPromise(Deferred.await(gate)).finally(() => running--)
        }), { timeout: "9 seconds", attemptTimeout: "1 seconds", recovery: { retry: Schedule.forever } })
      expect(result).toMatchObject({ attempts: 1, state: "abandoned", millis: 9000 })
      expect(most).toBe(1)
      yield* Deferred.succeed(gate, undefined)
    }).pipe(provide))

  it.effect("an attempt that times out and succeeds before the limit all the same is cleaned", () =>
    Effect.gen(function*() {
      const result = yield* trial(() => Effect.sleep("4 seconds"), {
        timeout: "9 seconds",
        attemptTimeout: "1 seconds"
      })
      expect(result).toMatchObject({ attempts: 1, state: "cleaned", error: undefined, millis: 4000 })
    }).pipe(provide))

  it.effect("an attempt that times out is retried where it could be stopped, each attempt within its own limit", () =>
    Effect.gen(function*() {
      const result = yield* trial(
        (attempt) => attempt < 3 ? Effect.interruptible(Effect.never) : Effect.void,
        { timeout: "9 seconds", attemptTimeout: "2 seconds", recovery: { retry: Schedule.recurs(5) } }
      )
      expect(result).toMatchObject({ attempts: 3, state: "recovered", millis: 4000 })
    }).pipe(provide))

  it.effect("an attempt that times out and was abandoned may be what the fallback kills: then it is recovered", () =>
    Effect.gen(function*() {
      const killed = yield* Deferred.make<void>()
      const result = yield* trial(() => Deferred.await(killed), {
        timeout: "9 seconds",
        recovery: { fallback: () => Deferred.succeed(killed, undefined) }
      })
      expect(result).toMatchObject({ attempts: 1, state: "recovered" })
    }).pipe(provide))

  it.effect("an attempt that times out is abandoned, returns after that, and stays abandoned, marked finishedLate (P6)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      yield* Scope.extend(
        ResourceGuard.make(Effect.void, () => Deferred.await(gate), { timeout: "1 seconds", typeName: "Late" }),
        scope
      )
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(Duration.seconds(1))
      yield* Fiber.join(closing)
      expect((yield* r.health).abandoned).toBe(1)
      expect((yield* r.health).status).toBe("degraded")
      expect((yield* r.deadLetters.list)[0]).toMatchObject({ finishedLate: false, retryable: false })
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.repeatN(Effect.yieldNow(), 5)
      expect((yield* r.health).status).toBe("healthy")
      expect((yield* r.deadLetters.list)[0]).toMatchObject({ finishedLate: true, retryable: false })
      expect((yield* r.accounts).abandoned).toBe(1)
    }).pipe(provide))
})
