/** Shows `ScopeOptions`. */
import { describe, expect, it } from "@effect/vitest"
import {
  Deferred,
  Duration,
  Effect,
  ExecutionStrategy,
  Exit,
  Fiber,
  FiberRef,
  Layer,
  Logger,
  Scope,
  TestClock
} from "effect"
import {
  CleanupReport,
  PatinoxError,
  ResourceGuard,
  ResourceId,
  ResourceRegistry,
  ResourceScope
} from "../src/index.js"

const silent = Effect.provide(Logger.remove(Logger.defaultLogger))

const named = (name: string, order: Array<string>) =>
  Effect.withSpan(Effect.addFinalizer(() => Effect.sync(() => order.push(name))), name)

const guard = (order: Array<string>, typeName: string, options: ResourceGuard.GuardOptions<void, never>) =>
  ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push(typeName)), { ...options, typeName })

describe("a ResourceScope", () => {
  it.effect("names each finalizer: by its span, its guard, or its number", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.void)
        yield* named("spanned", [])
        yield* guard([], "Guard", {})
        yield* Effect.forkScoped(Effect.never)
        yield* Effect.addFinalizer(() => Effect.void)
      })
      const [, report] = yield* ResourceScope.withReport(program)
      expect(report.records.map(({ order, typeName }) => `${order} ${typeName}`)).toEqual([
        "1 finalizer #3",
        "2 forked fiber",
        "3 Guard",
        "4 spanned",
        "5 finalizer #1"
      ])
      expect(CleanupReport.isClean(report)).toBe(true)
      expect(report.records.every(({ trigger }) => trigger === "scope")).toBe(true)
    }).pipe(Effect.provide(ResourceRegistry.layer)))

  it.effect("takes its records' ids from the generator in context", () =>
    Effect.gen(function*() {
      const [, report] = yield* ResourceScope.withReport(Effect.addFinalizer(() => Effect.void))
      expect(report.records[0]?.id).toBe("00000000-0000-4000-8000-000000000001")
    }).pipe(Effect.provideService(ResourceId.Generator, ResourceId.sequential())))

  it.effect("leaves out of its report a guard that its scope handed to the registry, or that moved away", () =>
    Effect.gen(function*() {
      const other = yield* Scope.make()
      const program = Effect.gen(function*() {
        yield* ResourceGuard.make(Effect.void, () => Effect.never, { close: "background" })
        const moved = yield* ResourceGuard.make(Effect.void, () => Effect.sleep("1 second"), { typeName: "Moved" })
        yield* Effect.addFinalizer(() => Effect.orDie(moved.transferTo(other)))
        const disarmed = yield* guard([], "Disarmed", {})
        yield* Effect.addFinalizer(() => Effect.orDie(disarmed.disarm))
      })
      const [, report] = yield* ResourceScope.withReport(program)
      expect(report.records.map(({ outcome, typeName }) => `${typeName} ${outcome}`)).toEqual([
        "finalizer #2 cleaned",
        "Disarmed disarmed",
        "finalizer #1 cleaned"
      ])
      // Nor does the deadline of the scope that it left hold for it.
      yield* Effect.sleep("30 seconds")
      yield* Scope.close(other, Exit.void)
      const { cleaned } = yield* Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.accounts)
      expect(cleaned).toBe(1)
    }).pipe(
      Effect.provide(ResourceRegistry.layer),
      silent,
      (effect) =>
        Effect.flatMap(Effect.fork(effect), (fiber) => Effect.andThen(TestClock.adjust("2 minutes"), Fiber.join(fiber)))
    ))

  it.effect("runs at most as many at once as its strategy says, by the same deadline", () =>
    Effect.gen(function*() {
      let running = 0
      let most = 0
      const gate = yield* Deferred.make<void>()
      const three = yield* Deferred.make<void>()
      const finalizer = Effect.gen(function*() {
        most = Math.max(most, ++running)
        if (running === 3) yield* Deferred.succeed(three, undefined)
        yield* Deferred.await(gate)
        running--
      })
      const scope = yield* ResourceScope.make({ strategy: ExecutionStrategy.parallelN(3) })
      for (let i = 0; i < 10; i++) yield* Scope.addFinalizer(scope, finalizer)
      const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
      yield* Deferred.await(three)
      yield* Effect.yieldNow()
      expect(running).toBe(3)
      yield* Deferred.succeed(gate, undefined)
      expect((yield* Fiber.join(closing)).totals.cleaned).toBe(10)
      expect(most).toBe(3)
    }))

  it.effect("a ResourceScope with order \"priority\" sorts neighbouring guards, and nothing passes a plain finalizer (P4)", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const program = Effect.gen(function*() {
        yield* guard(order, "critical at first", { priority: "Critical" })
        yield* named("barrier", order)
        const base = yield* guard(order, "high, with a dependent", { priority: "High" })
        yield* guard(order, "normal", {})
        yield* guard(order, "low, depends on high", { priority: "Low", dependsOn: [base] }).pipe(Effect.orDie)
        yield* guard(order, "normal, newer", {})
        yield* guard(order, "critical", { priority: "Critical" })
      })
      yield* ResourceScope.scoped(program, { order: "priority" })
      const lifo = [...order].reverse()
      expect(order).toEqual([
        "critical",
        "low, depends on high",
        "high, with a dependent",
        "normal, newer",
        "normal",
        "barrier",
        "critical at first"
      ])
      order.length = 0
      yield* ResourceScope.scoped(program)
      expect(order).not.toEqual([...lifo].reverse())
      expect(order[0]).toBe("critical")
      expect(order[1]).toBe("normal, newer")
    }).pipe(Effect.provide(ResourceRegistry.layer)))

  it.effect("fails where a guard that is to fail its close does, but never a program that has failed (P5)", () =>
    Effect.gen(function*() {
      const failing = ResourceGuard.make(Effect.void, () => Effect.fail("refused"), {
        onFailure: "die",
        recovery: { strategy: () => "Fail" }
      })
      expect(Exit.isFailure(yield* Effect.exit(ResourceScope.scoped(failing)))).toBe(true)
      expect(yield* Effect.exit(ResourceScope.scoped(Effect.andThen(failing, Effect.fail("mine"))))).toEqual(
        Exit.fail("mine")
      )
      const [exit, report] = yield* ResourceScope.withReport(failing)
      expect([Exit.isFailure(exit), report.totals.failed]).toEqual([true, 1])
    }).pipe(Effect.provide(ResourceRegistry.layer), silent))

  it.effect("leaves to its closer what finalizers set, also when a later one hangs", () =>
    Effect.gen(function*() {
      const setting = yield* FiberRef.make("outer")
      const program = Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.never)
        yield* Effect.locallyScoped(setting, "inner")
      })
      const fiber = yield* Effect.fork(Effect.andThen(
        ResourceScope.scoped(program, { finalizerTimeout: "1 second" }),
        FiberRef.get(setting)
      ))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toBe("outer")
    }).pipe(Effect.scoped, silent))

  it.effect("gives those after one that was interrupted at its limit a fiber that is not", () =>
    Effect.gen(function*() {
      let released = false
      const program = Effect.gen(function*() {
        yield* Effect.addFinalizer(() =>
          Effect.interruptible(Effect.andThen(Effect.yieldNow(), Effect.sync(() => released = true)))
        )
        yield* Effect.addFinalizer(() => Effect.interruptible(Effect.never))
      })
      const fiber = yield* Effect.fork(ResourceScope.withReport(program, { finalizerTimeout: "1 second" }))
      yield* TestClock.adjust("1 second")
      const [, report] = yield* Fiber.join(fiber)
      expect(released).toBe(true)
      expect(report.records.map(({ error, outcome }) => [outcome, error?._tag])).toEqual([
        ["failed", "CleanupTimeout"],
        ["cleaned", undefined]
      ])
    }).pipe(silent))

  it.effect("says of an option that is wrong which one, what it was given, and what is allowed", () =>
    Effect.gen(function*() {
      const messages: Array<string> = []
      const wrong: ReadonlyArray<any> = [
        { timeout: 0 },
        { finalizerTimeout: "soon" },
        { order: "fifo" },
        { strategy: "side by side" },
        { strategy: ExecutionStrategy.parallelN(0) }
      ]
      for (const options of wrong) {
        for (
          const use of [
            ResourceScope.make(options),
            ResourceScope.scoped(Effect.void, options),
            ResourceScope.withReport(Effect.void, options),
            ResourceScope.provide(Effect.void, Layer.empty, options)
          ]
        ) {
          const error = yield* Effect.flip(Effect.catchAllDefect(use, Effect.fail))
          expect(error).toBeInstanceOf(PatinoxError.Validation)
          messages.push((error as PatinoxError.Validation).message)
        }
      }
      expect([...new Set(messages)]).toEqual([
        "Invalid option \"timeout\": got 0, expected a duration above 0, or Duration.infinity",
        "Invalid option \"finalizerTimeout\": got \"soon\", expected a duration above 0, or Duration.infinity",
        "Invalid option \"order\": got \"fifo\", expected one of lifo, priority",
        "Invalid option \"strategy\": got \"side by side\", expected an ExecutionStrategy",
        "Invalid option \"strategy\": got 0, expected an integer from 1 to 9007199254740991"
      ])
    }))

  it.effect("a ResourceScope can be closed with other options than it was made with", () =>
    Effect.gen(function*() {
      const scope = yield* ResourceScope.make({ timeout: Duration.infinity, finalizerTimeout: Duration.infinity })
      yield* Scope.addFinalizer(scope, Effect.never)
      const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void, { finalizerTimeout: "2 seconds" }))
      yield* TestClock.adjust("2 seconds")
      const report = yield* Fiber.join(closing)
      expect([report.deadlineMillis, report.totals.abandoned]).toEqual([Infinity, 1])
    }).pipe(silent))
})

describe("a ResourceScope keeps (P7)", () => {
  const timers = () => process.getActiveResourcesInfo().filter((info) => info === "Timeout").length
  const collect = Effect.andThen(
    Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
    Effect.sync(() => globalThis.gc!())
  )
  /** Adds a finalizer that holds on to something, which it gives a weak reference to. */
  const holding = (scope: Scope.Scope, finalizer: Effect.Effect<unknown>) =>
    Effect.suspend(() => {
      const value = { big: "value".repeat(1_000) }
      const held = new WeakRef(value)
      const added = Scope.addFinalizer(scope, Effect.andThen(finalizer, Effect.sync(() => value.big)))
      return Effect.as(added, held)
    })

  it.live("no timer while it is open, and neither a timer nor what was in it once it is closed", () =>
    Effect.gen(function*() {
      const before = timers()
      const scope = yield* ResourceScope.make()
      const held = yield* holding(scope, Effect.promise(() => Promise.resolve()))
      expect(timers()).toBe(before)
      yield* Scope.close(scope, Exit.void)
      expect(timers()).toBe(before)
      yield* collect
      expect(held.deref()).toBe(undefined)
      expect(scope.report?.totals.cleaned).toBe(1)
    }))

  it.live("nothing of a finalizer that has run, while others still do", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const scope = yield* ResourceScope.make()
      yield* Scope.addFinalizer(scope, Deferred.await(gate))
      const held = yield* holding(scope, Effect.void)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.yieldNow()
      yield* collect
      expect(held.deref()).toBe(undefined)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
    }))
})
