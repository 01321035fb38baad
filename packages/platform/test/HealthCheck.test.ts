/** Shows `CheckRun`. */
import { describe, expect, it } from "@effect/vitest"
import { HealthCheck } from "@patinox/platform"
import { TestClock } from "@patinox/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"

const results = Effect.flatMap(HealthCheck.HealthChecks, (checks) => checks.results)
const statuses = Effect.map(results, (all) => Object.fromEntries(all.map(({ name, status }) => [name, status])))
const add = <E, R>(name: string, check: Effect.Effect<unknown, E, R>, options?: HealthCheck.CheckOptions) =>
  Effect.flatMap(HealthCheck.HealthChecks, (checks) => checks.add(name, check, options))
const withChecks = Effect.provide(HealthCheck.layerChecks)

describe("a check", () => {
  it.effect("passes where it succeeds, and fails where it fails, dies or is interrupted", () =>
    Effect.gen(function*() {
      yield* add("succeeds", Effect.succeed(false))
      yield* add("fails", Effect.fail("refused\nwith details"))
      yield* add("dies", Effect.die(new TypeError("not a function")))
      yield* add(
        "throws",
        Effect.sync(() => {
          throw new Error("thrown")
        })
      )
      yield* add("interrupts itself", Effect.interrupt)
      expect(yield* results).toEqual([
        { name: "dies", status: "failing", durationMillis: 0, error: "not a function" },
        { name: "fails", status: "failing", durationMillis: 0, error: "refused" },
        {
          name: "interrupts itself",
          status: "failing",
          durationMillis: 0,
          error: expect.stringContaining("Interrupted")
        },
        { name: "succeeds", status: "passing", durationMillis: 0 },
        { name: "throws", status: "failing", durationMillis: 0, error: "thrown" }
      ])
    }).pipe(Effect.scoped, withChecks))

  it.effect("a check that takes longer than 500 ms has timed out, and is interrupted", () =>
    Effect.gen(function*() {
      const interrupted = yield* Deferred.make<void>()
      yield* add("slow", Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)))
      yield* add("just in time", Effect.sleep("499 millis"))
      const asking = yield* Effect.fork(results)
      yield* TestClock.adjust("499 millis")
      expect(asking.unsafePoll()).toBeNull()
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(asking)).toEqual([
        { name: "just in time", status: "passing", durationMillis: 499 },
        { name: "slow", status: "timed out", durationMillis: 500 }
      ])
      yield* Deferred.await(interrupted)
    }).pipe(Effect.scoped, withChecks))

  it.effect("runs once for all who ask while it runs, and for a second after", () =>
    Effect.gen(function*() {
      let runs = 0
      yield* add("counted", Effect.andThen(Effect.sync(() => runs++), Effect.sleep("100 millis")))
      const asking = yield* Effect.forkAll(Array.from({ length: 1_000 }, () => statuses))
      yield* TestClock.adjust("100 millis")
      expect(new Set((yield* Fiber.join(asking)).map(({ counted }) => counted))).toEqual(new Set(["passing"]))
      yield* TestClock.adjust("999 millis")
      yield* statuses
      expect(runs).toBe(1)
      yield* TestClock.adjust("1 millis")
      const again = yield* Effect.fork(statuses)
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(again)
      expect(runs).toBe(2)
    }).pipe(Effect.scoped, withChecks))

  it.effect("goes on for the others when one who asked is interrupted", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      yield* add("gated", Deferred.await(gate))
      const first = yield* Effect.fork(statuses)
      yield* Effect.yieldNow()
      const second = yield* Effect.fork(statuses)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(second)).toEqual({ gated: "passing" })
    }).pipe(Effect.scoped, withChecks))

  it.effect("a check that ignores its interruption holds nobody up, is not run beside itself, and comes back", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let runs = 0
      yield* add("stubborn", Effect.uninterruptible(Effect.andThen(Effect.sync(() => runs++), Deferred.await(gate))))
      const asking = yield* Effect.fork(statuses)
      yield* TestClock.adjust("500 millis")
      expect(yield* Fiber.join(asking)).toEqual({ stubborn: "timed out" })
      yield* TestClock.adjust("1 minutes")
      expect([yield* statuses, runs]).toEqual([{ stubborn: "timed out" }, 1])
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.yieldNow()
      expect([yield* statuses, runs]).toEqual([{ stubborn: "passing" }, 2])
    }).pipe(Effect.scoped, withChecks))

  it.effect("a check has limits of its own where it is given some", () =>
    Effect.gen(function*() {
      let runs = 0
      yield* add("fresh", Effect.sync(() => runs++), { cacheFor: 0 })
      yield* add("patient", Effect.sleep("2 seconds"), { timeout: "3 seconds" })
      const asking = yield* Effect.fork(statuses)
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(asking)).toEqual({ fresh: "passing", patient: "passing" })
      yield* statuses
      expect(runs).toBe(2)
    }).pipe(Effect.scoped, withChecks))

  it.effect("acquires in a scope of its own, closed when it ends", () =>
    Effect.gen(function*() {
      let open = 0
      yield* add(
        "scoped",
        Effect.acquireRelease(Effect.sync(() => open++), () => Effect.sync(() => open--)),
        { cacheFor: 0 }
      )
      yield* statuses
      yield* statuses
      expect(open).toBe(0)
    }).pipe(Effect.scoped, withChecks))
})

it.effect("a layer adds its check with the services it was built with, and takes it away", () =>
  Effect.gen(function*() {
    class Database extends Context.Tag("Database")<Database, { readonly ping: Effect.Effect<string> }>() {}
    const live = HealthCheck.layer("database", Effect.flatMap(Database, (database) => database.ping)).pipe(
      Layer.provide(Layer.succeed(Database, { ping: Effect.succeed("pong") }))
    )
    const scope = yield* Scope.make()
    yield* Layer.buildWithScope(live, scope)
    expect(yield* statuses).toEqual({ database: "passing" })
    yield* Scope.close(scope, Exit.void)
    expect(yield* statuses).toEqual({})
  }).pipe(withChecks))

it.effect("a check that runs when it is taken away is interrupted before what it uses is released", () =>
  Effect.gen(function*() {
    const started = yield* Deferred.make<void>()
    const order: Array<string> = []
    const scope = yield* Scope.make()
    yield* Scope.addFinalizer(scope, Effect.sync(() => order.push("released")))
    const check = Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
    yield* Scope.extend(
      add("database", Effect.onInterrupt(check, () => Effect.sync(() => order.push("interrupted")))),
      scope
    )
    const asking = yield* Effect.fork(statuses)
    yield* Deferred.await(started)
    yield* Scope.close(scope, Exit.void)
    expect(order).toEqual(["interrupted", "released"])
    expect(yield* Fiber.join(asking)).toEqual({ database: "failing" })
  }).pipe(withChecks))

it.effect("one that ignores its interruption holds the release up no longer than its limit", () =>
  Effect.gen(function*() {
    const started = yield* Deferred.make<void>()
    const gate = yield* Deferred.make<void>()
    const scope = yield* Scope.make()
    const check = Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(gate))
    yield* Scope.extend(add("database", Effect.uninterruptible(check), { timeout: "5 seconds" }), scope)
    yield* Effect.fork(statuses)
    yield* Deferred.await(started)
    // An interrupted closer, as in a program that was interrupted.
    const closing = yield* Effect.fork(Effect.ensuring(Effect.never, Scope.close(scope, Exit.void)))
    yield* Effect.yieldNow()
    yield* Fiber.interruptFork(closing)
    yield* TestClock.adjust("4999 millis")
    expect(closing.unsafePoll()).toBeNull()
    yield* TestClock.adjust("1 millis")
    yield* Fiber.await(closing)
    yield* Deferred.succeed(gate, undefined)
  }).pipe(withChecks))

it.effect("a name that is taken or empty, and a bad limit, are refused", () =>
  Effect.gen(function*() {
    const refusal = (name: unknown, options?: HealthCheck.CheckOptions) =>
      Effect.map(Effect.flip(add(name as string, Effect.void, options)), ({ message }) => message)
    yield* add("database", Effect.void)
    const expected = "expected a text that is not empty and that no other check has"
    expect(yield* refusal("database")).toBe(`Invalid option "name": got "database", ${expected}`)
    expect(yield* refusal("")).toBe(`Invalid option "name": got "", ${expected}`)
    expect(yield* refusal(1)).toBe(`Invalid option "name": got 1, ${expected}`)
    expect(yield* refusal("other", { timeout: 0 })).toBe(
      "Invalid option \"timeout\": got 0, expected a duration above 0, or Duration.infinity"
    )
    expect(yield* refusal("other", { cacheFor: "x" as never })).toBe(
      "Invalid option \"cacheFor\": got \"x\", expected a duration from 0, or Duration.infinity"
    )
    expect(yield* statuses).toEqual({ database: "passing" })
  }).pipe(Effect.scoped, withChecks))

it.effect("what changes is logged once, with its cause", () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ cause, logLevel, message }) => {
    lines.push([logLevel.label, message, Cause.isEmpty(cause) ? "" : Cause.squash(cause)].flat().join(" ").trim())
  })
  return Effect.gen(function*() {
    let isUp = true
    yield* add("database", Effect.suspend(() => isUp ? Effect.void : Effect.fail("refused")), { cacheFor: 0 })
    for (const up of [true, false, false, true, true]) {
      isUp = up
      yield* statuses
    }
    expect(lines).toEqual([
      "WARN Health check database is failing refused",
      "INFO Health check database is passing again"
    ])
  }).pipe(Effect.scoped, withChecks, Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
})
