/**
 * What goes wrong in one finalizer stays there: every other runs, the program's error is the program's, all is told.
 * Shows `FinalizerRun`.
 */
import { describe, expect, it } from "@effect/vitest"
import { TestLog } from "@patinox/vitest"
import {
  Cause,
  Deferred,
  Duration,
  Effect,
  ExecutionStrategy,
  Exit,
  Fiber,
  Logger,
  Scope,
  TestClock,
  TestContext
} from "effect"
import * as fc from "fast-check"
import { CleanupReport, ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"

const seed = Number(process.env["PATINOX_SEED"] ?? 20_240)
const numRuns = process.env["PATINOX_DEEP"] === "1" ? 400 : 40

const faults = [
  "none",
  "yields",
  "slow",
  "throws",
  "dies",
  "hangs",
  "stops",
  "guard",
  "failing guard",
  "hung guard"
] as const
type Fault = typeof faults[number]

const outcomeOf: Record<Fault, CleanupReport.CleanupRecord["outcome"]> = {
  "none": "cleaned",
  "yields": "cleaned",
  "slow": "cleaned",
  "throws": "failed",
  "dies": "failed",
  "hangs": "abandoned",
  "stops": "failed",
  "guard": "cleaned",
  "failing guard": "failed",
  "hung guard": "abandoned"
}

const guard = (name: string, release: Effect.Effect<unknown, string>) =>
  ResourceGuard.make(Effect.void, () => release, {
    typeName: name,
    timeout: "4 seconds",
    attemptTimeout: "4 seconds",
    recovery: { strategy: () => "Fail" }
  })

/** Puts a finalizer with that fault into the scope, under that name; notes when it was run. */
const add = (scope: Scope.Scope, fault: Fault, name: string, note: () => void) => {
  const ran = Effect.sync(note)
  const named = (finalizer: Effect.Effect<unknown>) =>
    Scope.extend(Effect.withSpan(Effect.addFinalizer(() => Effect.andThen(ran, finalizer)), name), scope)
  const guarded = (release: Effect.Effect<unknown, string>) =>
    Effect.orDie(Scope.extend(guard(name, Effect.andThen(ran, release)), scope))
  switch (fault) {
    case "none":
      return named(Effect.void)
    case "yields":
      return named(Effect.yieldNow())
    case "slow":
      return named(Effect.sleep("1500 millis"))
    case "throws":
      return Effect.withSpan(
        Scope.addFinalizerExit(scope, () => {
          note()
          throw new Error("before an effect")
        }),
        name
      )
    case "dies":
      return named(Effect.die("a defect"))
    case "hangs":
      return named(Effect.never)
    case "stops":
      return named(Effect.interruptible(Effect.never))
    case "guard":
      return guarded(Effect.void)
    case "failing guard":
      return guarded(Effect.fail("refused"))
    case "hung guard":
      return guarded(Effect.never)
  }
}

/** Moves the clock until it has ended, and says how long that took. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    for (let millis = 0; millis <= 60_000; millis += 1_000) {
      yield* TestClock.adjust(millis === 0 ? 0 : 1_000)
      const exit = fiber.unsafePoll()
      if (exit !== null) return [yield* exit, millis] as const
    }
    return yield* Effect.die("It does not end")
  })

interface Nest {
  readonly faults: ReadonlyArray<Fault>
  readonly inner: ReadonlyArray<Nest>
  readonly strategy: "sequential" | "parallel" | "parallelN"
}
const { nest } = fc.letrec<{ nest: Nest }>((tie) => ({
  nest: fc.record({
    faults: fc.array(fc.constantFrom(...faults), { maxLength: 5 }),
    inner: fc.oneof({ maxDepth: 2 }, fc.constant([]), fc.array(tie("nest"), { maxLength: 2 })),
    strategy: fc.constantFrom("sequential" as const, "parallel" as const, "parallelN" as const)
  })
}))

const strategies = {
  sequential: ExecutionStrategy.sequential,
  parallel: ExecutionStrategy.parallel,
  parallelN: ExecutionStrategy.parallelN(2)
}

const strategyOf = (strategy: Nest["strategy"]) => strategies[strategy]

const silent = Effect.provide(Logger.remove(Logger.defaultLogger))

interface Program {
  readonly nest: Nest
  readonly order: "lifo" | "priority"
  readonly seconds: number
}

const program: fc.Arbitrary<Program> = fc.record({
  nest,
  order: fc.constantFrom("lifo" as const, "priority" as const),
  seconds: fc.integer({ min: 6, max: 40 })
})

const check = ({ nest, order, seconds }: Program) =>
  Effect.gen(function*() {
    const expected = new Map<string, Fault>()
    const runs = new Map<string, number>()
    const fill = (
      { faults, inner }: Nest,
      scope: Scope.Scope
    ): Effect.Effect<void, never, ResourceRegistry.ResourceRegistry> =>
      Effect.gen(function*() {
        for (const fault of faults) {
          const name = `${fault} ${expected.size}`
          expected.set(name, fault)
          yield* add(scope, fault, name, () => runs.set(name, (runs.get(name) ?? 0) + 1))
        }
        for (const each of inner) yield* fill(each, yield* Scope.fork(scope, strategyOf(each.strategy)))
      })
    const typed = Effect.flatMap(
      Scope.Scope,
      (scope) => Effect.andThen(fill(nest, scope), Effect.fail("typed" as const))
    )
    const [[exit, report], millis] = yield* timed(ResourceScope.withReport(typed, {
      timeout: Duration.seconds(seconds),
      finalizerTimeout: "3 seconds",
      order,
      strategy: strategyOf(nest.strategy)
    }))

    expect(exit).toEqual(Exit.fail("typed"))
    for (const name of expected.keys()) expect([name, runs.get(name)]).toEqual([name, 1])
    expect(millis).toBeLessThanOrEqual(seconds * 1000)
    expect(report.records.map((record) => record.typeName).sort()).toEqual([...expected.keys()].sort())
    for (const { outcome, typeName } of report.records) {
      const fault = expected.get(typeName)!
      // Near the deadline less is left than it needs.
      const allowed = fault === "slow" && seconds < 8 ? ["cleaned", "abandoned"] : [outcomeOf[fault]]
      expect(allowed.map((each) => `${typeName} ${each}`)).toContain(`${typeName} ${outcome}`)
    }
    expect(report.records.map((record) => record.order)).toEqual(report.records.map((_, index) => index + 1))
  }).pipe(Effect.provide(ResourceRegistry.layer), silent, Effect.provide(TestContext.TestContext))

describe("whatever its finalizers do, a ResourceScope", () => {
  it(`runs every one, keeps the deadline, and reports each (P1, P2, P3, P6), ${numRuns} times up to 16 programs`, {
    timeout: 240_000
  }, () =>
    fc.assert(
      fc.asyncProperty(fc.array(program, { minLength: 1, maxLength: 16 }), (programs) =>
        // Side by side, as most of their time is spent on the turns of the event loop.
        Effect.runPromise(Effect.forEach(programs, check, { concurrency: "unbounded", discard: true }))),
      { seed, numRuns }
    ))

  it.effect("keeps the program's result, and logs what went wrong with its name (P5)", () =>
    Effect.gen(function*() {
      const { layer: logger, lines } = TestLog.make()
      const defect = Effect.withSpan(Effect.addFinalizer(() => Effect.die("a defect")), "connection")
      const succeeds = ResourceScope.scoped(Effect.as(defect, 1))
      const fails = ResourceScope.scoped(Effect.andThen(defect, Effect.fail("typed" as const)))
      expect(yield* Effect.provide(succeeds, logger)).toBe(1)
      expect(yield* Effect.provide(Effect.catchAll(fails, (error) => Effect.succeed(`caught ${error}`)), logger)).toBe(
        "caught typed"
      )
      const interrupted = yield* Effect.exit(ResourceScope.scoped(Effect.andThen(defect, Effect.interrupt)))
      expect(Exit.isFailure(interrupted) && Cause.isInterruptedOnly(interrupted.cause)).toBe(true)
      expect(lines.length).toBe(2)
      expect(lines[0]).toContain("connection")
    }))

  it.effect("starts everything shortly before the deadline, whatever its order, and says so (P2)", () =>
    Effect.gen(function*() {
      const ran: Array<string> = []
      const scope = yield* ResourceScope.make({ timeout: "10 seconds", finalizerTimeout: "1 minute" })
      const child = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      yield* Scope.addFinalizer(child, Effect.sync(() => ran.push("inner")))
      yield* Scope.addFinalizer(scope, Effect.sync(() => ran.push("first")))
      yield* Scope.extend(Effect.withSpan(Effect.addFinalizer(() => Effect.never), "hung"), scope)
      const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
      yield* TestClock.adjust(7_999)
      expect(ran).toEqual([])
      yield* TestClock.adjust(1)
      expect(ran).toEqual(["first", "inner"])
      yield* TestClock.adjust(2_000)
      const report = yield* Fiber.join(closing)
      expect(report.records.map(({ forced, outcome, typeName }) => [typeName, outcome, forced])).toEqual([
        ["hung", "abandoned", false],
        ["finalizer #1", "cleaned", true],
        ["finalizer #1", "cleaned", true]
      ])
      expect(report.durationMillis).toBeGreaterThanOrEqual(10_000)
    }).pipe(silent))

  it.effect("hands its deadline to guards, which have a limit of their own otherwise (P3)", () =>
    Effect.gen(function*() {
      const scope = yield* ResourceScope.make({ timeout: "2 seconds" })
      yield* Scope.extend(
        ResourceGuard.make(Effect.void, () => Effect.never, { typeName: "Patient", timeout: Duration.infinity }),
        scope
      )
      const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      const report = yield* Fiber.join(closing)
      expect(report.records.map(({ outcome, typeName }) => [typeName, outcome])).toEqual([["Patient", "abandoned"]])
    }).pipe(Effect.provide(ResourceRegistry.layer), silent))

  it.effect("a ResourceScope inside a cleanup is over before that one's limit, so that the culprit is named", () =>
    Effect.gen(function*() {
      const outer = yield* ResourceScope.make({ finalizerTimeout: "5 seconds" })
      const inner = yield* ResourceScope.make({ timeout: "1 hour", finalizerTimeout: "1 hour" })
      yield* Scope.addFinalizer(inner, Effect.never)
      yield* Scope.addFinalizer(outer, Scope.close(inner, Exit.void))
      const closing = yield* Effect.fork(ResourceScope.close(outer, Exit.void))
      yield* TestClock.adjust("5 seconds")
      const report = yield* Fiber.join(closing)
      expect(CleanupReport.isClean(report)).toBe(true)
      expect((yield* ResourceScope.close(inner, Exit.void)).totals.abandoned).toBe(1)
    }).pipe(silent))

  it.effect("a ResourceScope inside a cleanup that had to wait for a borrower is over before that one's limit", () =>
    Effect.gen(function*() {
      const inner = yield* ResourceScope.make()
      for (let i = 0; i < 3; i++) yield* Scope.addFinalizer(inner, Effect.never)
      const guard = yield* ResourceGuard.make(Effect.void, () => Scope.close(inner, Exit.void), {
        timeout: "9 seconds"
      })
      const user = yield* Effect.fork(guard.use(() => Effect.never))
      yield* Effect.yieldNow()
      const cleanup = yield* Effect.fork(guard.cleanup)
      yield* TestClock.adjust("9 seconds")
      yield* Fiber.join(cleanup)
      const report = yield* ResourceScope.close(inner, Exit.void)
      expect(report.totals).toMatchObject({ total: 3, abandoned: 3 })
      yield* Fiber.interrupt(user)
    }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer), silent))

  it.effect("runs a finalizer that the program's interruption would cut short in a plain scope", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      let released = false
      const fiber = yield* Effect.fork(ResourceScope.scoped(Effect.andThen(
        Effect.addFinalizer(() =>
          Effect.interruptible(Effect.andThen(Effect.yieldNow(), Effect.sync(() => released = true)))
        ),
        Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
      )))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      expect(released).toBe(true)
    }))
})
