/**
 * One close, however many ask for it, from wherever they do, and whatever interrupts them.
 * Shows `CloseReport`, `CloseWaiters`, `FinalizerQueue` and `ScopeClose`.
 */
import { describe, expect, it } from "@effect/vitest"
import { interruptionSweep } from "@patinox/vitest"
import {
  Clock,
  Context,
  Deferred,
  Effect,
  ExecutionStrategy,
  Exit,
  Fiber,
  FiberSet,
  Layer,
  Logger,
  Option,
  Scope,
  Stream,
  TestClock
} from "effect"
import { CleanupReport, ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"

const silent = Effect.provide(Logger.remove(Logger.defaultLogger))

/** A scope whose only finalizer says when it started, and ends when it is let go. */
const gated = Effect.gen(function*() {
  const started = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<void>()
  let runs = 0
  const scope = yield* ResourceScope.make()
  yield* Scope.addFinalizer(
    scope,
    Effect.suspend(() => {
      runs++
      return Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(gate))
    })
  )
  return {
    scope,
    started: Deferred.await(started),
    letGo: Deferred.succeed(gate, undefined),
    runs: () => runs
  }
})

const isDone = (fiber: Fiber.Fiber<unknown, unknown>) => Effect.map(Fiber.poll(fiber), Option.isSome)

describe("a ResourceScope that is closed", () => {
  it.effect("a ResourceScope that is closed by several at once closes once, all wait for that, and get the same report", () =>
    Effect.gen(function*() {
      const { letGo, runs, scope, started } = yield* gated
      const first = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
      yield* started
      const second = yield* Effect.fork(ResourceScope.close(scope, Exit.fail("other")))
      const third = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.repeatN(Effect.yieldNow(), 9)
      for (const fiber of [first, second, third]) expect(yield* isDone(fiber)).toBe(false)
      yield* letGo
      const report = yield* Fiber.join(first)
      expect(yield* Fiber.join(second)).toBe(report)
      yield* Fiber.join(third)
      expect(yield* ResourceScope.close(scope, Exit.void)).toBe(report)
      expect(runs()).toBe(1)
      expect(report.totals.cleaned).toBe(1)
    }))

  it.effect("tells meanwhile what is at work, since when, and what has become of the rest", () =>
    Effect.gen(function*() {
      const { letGo, scope, started } = yield* gated
      yield* Scope.addFinalizer(scope, Effect.void)
      expect(scope.report).toBe(undefined)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* started
      yield* TestClock.adjust("300 millis")
      expect(scope.report?.records).toMatchObject([
        { typeName: "finalizer #2", outcome: "cleaned" },
        { typeName: "finalizer #1", outcome: "running", runMillis: 300 }
      ])
      yield* letGo
      yield* Fiber.join(closing)
      expect(scope.report?.totals).toMatchObject({ total: 2, cleaned: 2, stillRunning: 0 })
    }))

  it.effect("a ResourceScope that is closed is closed to the end when its closer is interrupted, who waits for that", () =>
    Effect.gen(function*() {
      const { letGo, runs, scope, started } = yield* gated
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* started
      const interrupting = yield* Effect.fork(Fiber.interrupt(closing))
      yield* Effect.repeatN(Effect.yieldNow(), 9)
      expect(yield* isDone(interrupting)).toBe(false)
      yield* letGo
      yield* Fiber.join(interrupting)
      expect(scope.report?.totals.cleaned).toBe(1)
      expect(runs()).toBe(1)
    }))

  it.effect("a ResourceScope that is closed while a scope forked from it is being closed by somebody else waits for that one, too", () =>
    Effect.gen(function*() {
      const parent = yield* ResourceScope.make()
      const child = yield* Scope.fork(parent, ExecutionStrategy.sequential)
      const started = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      yield* Scope.addFinalizer(child, Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(gate)))
      const inner = yield* Effect.fork(Scope.close(child, Exit.void))
      yield* Deferred.await(started)
      const outer = yield* Effect.fork(ResourceScope.close(parent, Exit.void))
      yield* Effect.yieldNow()
      expect(yield* isDone(outer)).toBe(false)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(inner)
      expect((yield* Fiber.join(outer)).totals.cleaned).toBe(1)
    }))

  it.effect("hands its deadline to the close of a forked scope that somebody else has begun (P3)", () =>
    Effect.gen(function*() {
      const parent = yield* ResourceScope.make({ timeout: "2 seconds" })
      const child = yield* Scope.fork(parent, ExecutionStrategy.sequential)
      yield* Scope.addFinalizer(child, Effect.never)
      const inner = yield* Effect.fork(ResourceScope.close(child as ResourceScope.ResourceScope, Exit.void, {
        timeout: "1 hour"
      }))
      yield* Effect.yieldNow()
      const outer = yield* Effect.fork(ResourceScope.close(parent, Exit.void))
      yield* TestClock.adjust("2 seconds")
      expect((yield* Fiber.join(outer)).totals.abandoned).toBe(1)
      expect((yield* Fiber.join(inner)).totals.abandoned).toBe(1)
    }).pipe(silent))

  it.effect("forces the close of a forked scope that somebody else has begun, when its own deadline is near (P2)", () =>
    Effect.gen(function*() {
      let released = false
      const parent = yield* ResourceScope.make({ timeout: "10 seconds", finalizerTimeout: "1 hour" })
      const child = yield* Scope.fork(parent, ExecutionStrategy.sequential)
      yield* Scope.addFinalizer(child, Effect.sync(() => released = true))
      yield* Scope.addFinalizer(child, Effect.never)
      yield* Scope.addFinalizer(parent, Effect.never)
      const outer = yield* Effect.fork(ResourceScope.close(parent, Exit.void))
      yield* TestClock.adjust("7 seconds")
      const inner = yield* Effect.fork(Scope.close(child, Exit.void))
      yield* TestClock.adjust("999 millis")
      expect(released).toBe(false)
      yield* TestClock.adjust("1 millis")
      expect(released).toBe(true)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(inner)
      expect((yield* Fiber.join(outer)).totals).toMatchObject({ abandoned: 2, cleaned: 1 })
    }).pipe(silent))

  it.effect("a ResourceScope that is closed is over at its deadline, whatever clock the registry of a guard in it goes by (P3)", () =>
    Effect.gen(function*() {
      const stands = { unsafeCurrentTimeNanos: () => 0n, sleep: () => Effect.never }
      const standing: Clock.Clock = Object.assign(Object.create(Clock.make()), stands)
      const registry = yield* Effect.withClock(Layer.build(ResourceRegistry.layer), standing)
      const scope = yield* ResourceScope.make({ timeout: "5 seconds" })
      const hung = yield* Deferred.make<void>()
      const guard = ResourceGuard.make(Effect.void, () => Deferred.await(hung), { typeName: "socket" })
      yield* Scope.extend(Effect.provide(guard, registry), scope)
      const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
      yield* TestClock.adjust("5 seconds")
      const report = yield* Fiber.join(closing)
      expect(report).toMatchObject({ deadlineReached: true, totals: { total: 1, stillRunning: 1 } })
      expect(report.records[0]).toMatchObject({ typeName: "socket", outcome: "running" })
      yield* Deferred.succeed(hung, undefined)
    }).pipe(Effect.scoped))

  it.effect("runs what is added during the close at once, with the exit it was closed with", () =>
    Effect.gen(function*() {
      const { letGo, scope, started } = yield* gated
      const closing = yield* Effect.fork(Scope.close(scope, Exit.fail("mine")))
      yield* started
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      yield* Scope.extend(Effect.addFinalizer((exit) => Effect.sync(() => exits.push(exit))), scope)
      expect(exits).toEqual([Exit.fail("mine")])
      const late = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      yield* Scope.addFinalizerExit(late, (exit) => Effect.sync(() => exits.push(exit)))
      expect(exits.length).toBe(2)
      const fiber = yield* Effect.forkIn(Effect.never, scope)
      expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
      yield* letGo
      yield* Fiber.join(closing)
    }))

  it.effect("keeps nothing of a scope forked from it that is closed, and closes an empty one at once", () =>
    Effect.gen(function*() {
      const size = (scope: Scope.Scope) => (scope as any).state.finalizers.size
      const parent = yield* ResourceScope.make()
      const [empty, full] = yield* Effect.all([
        Scope.fork(parent, ExecutionStrategy.sequential),
        Scope.fork(parent, ExecutionStrategy.parallel)
      ])
      yield* Scope.addFinalizer(full, Effect.void)
      expect(size(parent)).toBe(2)
      yield* Scope.close(empty, Exit.void)
      yield* Scope.close(full, Exit.void)
      expect(size(parent)).toBe(0)
      const report = yield* ResourceScope.close(parent, Exit.void)
      expect(CleanupReport.summary(report)).toBe("0 resources in 0 ms (deadline 25 s)")
    }))

  it("a ResourceScope that is closed can be closed without any fiber, where its finalizers need none", () => {
    const ran: Array<number> = []
    Effect.runSync(ResourceScope.scoped(Effect.forEach(
      Array.from({ length: 5_000 }, (_, n) => n),
      (n) => Effect.addFinalizer(() => Effect.sync(() => ran.push(n)))
    )))
    expect(ran.length).toBe(5_000)
    expect(ran[0]).toBe(4_999)
  })

  it.effect("closing a ResourceScope with twenty thousand scopes inside each other, or ten thousand side by side, needs no deep stack", () =>
    Effect.gen(function*() {
      let ran = 0
      const deep = yield* ResourceScope.make()
      let innermost: Scope.Scope = deep
      for (let i = 0; i < 20_000; i++) innermost = yield* Scope.fork(innermost, ExecutionStrategy.sequential)
      yield* Scope.addFinalizer(innermost, Effect.sync(() => ran++))
      yield* Scope.close(deep, Exit.void)
      const wide = yield* ResourceScope.make()
      for (let i = 0; i < 10_000; i++) {
        const child = yield* Scope.fork(wide, ExecutionStrategy.sequential)
        yield* Scope.addFinalizer(child, Effect.sync(() => ran++))
      }
      yield* Scope.close(wide, Exit.void)
      expect(ran).toBe(10_001)
    }))
})

/** Each ends although no clock moves: no limit has to end it. */
/** What forks a fiber into a scope; each has a finalizer of its own kind, which ends the fiber. */
const forks: Record<
  string,
  (effect: Effect.Effect<unknown>, scope: Scope.Scope) => Effect.Effect<Fiber.Fiber<unknown>>
> = {
  "Effect.forkIn": (effect, scope) => Effect.forkIn(effect, scope),
  "Effect.runFork": (effect, scope) => Effect.sync(() => Effect.runFork(effect, { scope })),
  "FiberSet.run": (effect, scope) =>
    Effect.flatMap(Scope.extend(FiberSet.make(), scope), (fibers) => FiberSet.run(fibers, effect)),
  "Stream.runForEach in Effect.forkScoped": (effect, scope) =>
    Scope.extend(Effect.forkScoped(Stream.runForEach(Stream.make(1), () => effect)), scope)
}

describe("from inside a close, nobody waits for that close (P8)", () => {
  const closers: Record<string, (scope: ResourceScope.ResourceScope) => Effect.Effect<unknown>> = {
    "Scope.close": (scope) => Scope.close(scope, Exit.void),
    "ResourceScope.close": (scope) => ResourceScope.close(scope, Exit.void)
  }
  for (const [name, close] of Object.entries(closers)) {
    it.effect(`${name} in a finalizer of the same scope`, () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        const scope = yield* ResourceScope.make()
        yield* Scope.addFinalizer(scope, Effect.sync(() => order.push("first")))
        yield* Scope.extend(Effect.addFinalizer(() => Effect.andThen(Effect.yieldNow(), close(scope))), scope)
        yield* Scope.addFinalizer(scope, Effect.andThen(Effect.yieldNow(), close(scope)))
        expect((yield* ResourceScope.close(scope, Exit.void)).totals.cleaned).toBe(3)
        expect(order).toEqual(["first"])
      }))

    it.effect(`${name} in a finalizer of a scope that a finalizer closes`, () =>
      Effect.gen(function*() {
        const outer = yield* ResourceScope.make()
        const inner = yield* ResourceScope.make()
        yield* Scope.addFinalizer(inner, Effect.andThen(Effect.yieldNow(), close(outer)))
        yield* Scope.addFinalizer(outer, Effect.andThen(Effect.yieldNow(), close(inner)))
        expect((yield* ResourceScope.close(outer, Exit.void)).totals.cleaned).toBe(1)
      }))

    it.effect(`${name} of its parent in a finalizer of a forked scope that is closed by itself`, () =>
      Effect.gen(function*() {
        const parent = yield* ResourceScope.make()
        const child = yield* Scope.fork(parent, ExecutionStrategy.sequential)
        let released = false
        yield* Scope.addFinalizer(parent, Effect.sync(() => released = true))
        yield* Scope.addFinalizer(child, Effect.andThen(Effect.yieldNow(), close(parent)))
        yield* Scope.close(child, Exit.void)
        yield* close(parent)
        expect(released).toBe(true)
      }))

    it.effect(`${name} in the release of a guard in the scope`, () =>
      Effect.gen(function*() {
        const scope = yield* ResourceScope.make()
        yield* Scope.extend(
          ResourceGuard.make(Effect.void, () => Effect.andThen(Effect.yieldNow(), close(scope))),
          scope
        )
        expect((yield* ResourceScope.close(scope, Exit.void)).totals.cleaned).toBe(1)
      }).pipe(Effect.provide(ResourceRegistry.layer)))

    for (const strategy of [ExecutionStrategy.sequential, ExecutionStrategy.parallel, ExecutionStrategy.parallelN(2)]) {
      it.effect(`${name} by a fiber that was forked in the scope (${strategy._tag})`, () =>
        Effect.gen(function*() {
          const scope = yield* ResourceScope.make({ strategy })
          let released = false
          yield* Scope.addFinalizer(scope, Effect.andThen(Effect.yieldNow(), Effect.sync(() => released = true)))
          const fiber = yield* Effect.forkIn(Effect.andThen(Effect.yieldNow(), close(scope)), scope)
          yield* Fiber.await(fiber)
          expect(released).toBe(true)
        }))
    }

    for (const [way, fork] of Object.entries(forks)) {
      it.effect(`${name} by a fiber that is being ended by that close (${way})`, () =>
        Effect.gen(function*() {
          const scope = yield* ResourceScope.make()
          const gate = yield* Deferred.make<void>()
          const forked = yield* fork(
            Effect.uninterruptible(Effect.andThen(Deferred.await(gate), close(scope))),
            scope
          )
          yield* Effect.yieldNow()
          const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
          yield* Effect.yieldNow()
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.await(forked)
          yield* Fiber.join(closing)
        }))
    }

    it.effect(`${name} by a fiber that was forked in the scope, when somebody else has begun`, () =>
      Effect.gen(function*() {
        const { letGo, scope, started } = yield* gated
        const begun = yield* Deferred.make<void>()
        const waiting = yield* Effect.forkIn(
          Effect.uninterruptible(Effect.andThen(Deferred.await(begun), close(scope))),
          scope
        )
        yield* Scope.addFinalizer(scope, Effect.andThen(Deferred.succeed(begun, undefined), Effect.yieldNow()))
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* started
        yield* Fiber.await(waiting)
        yield* letGo
        yield* Fiber.join(closing)
      }))
  }

  for (const [when, step] of [["at once", Effect.void], ["later", Effect.yieldNow()]] as const) {
    it.effect(`a guard's release waits for a scope whose finalizer cleans up that guard, ${when}`, () =>
      Effect.gen(function*() {
        const scope = yield* ResourceScope.make()
        let waited = false
        yield* ResourceScope.scoped(Effect.gen(function*() {
          const guard = yield* ResourceGuard.make(Effect.void, () =>
            step.pipe(
              Effect.andThen(Scope.close(scope, Exit.void)),
              Effect.andThen(Effect.sync(() => waited = scope.report?.totals.stillRunning === 0))
            ))
          yield* Scope.addFinalizer(scope, Effect.andThen(step, Effect.exit(guard.cleanup)))
        }))
        expect(waited).toBe(true)
        expect(scope.report?.totals.cleaned).toBe(1)
      }).pipe(Effect.provide(ResourceRegistry.layer)))
  }

  it.effect("a finalizer waits for a scheduled cleanup at concurrency 1, inside a scheduled cleanup", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.ResourceRegistry
      let inner = false
      const finalizer = Effect.gen(function*() {
        const scheduled = yield* registry.schedule({ cleanup: Effect.sync(() => inner = true) })
        yield* Effect.orDie(scheduled.await)
      })
      const outer = yield* registry.schedule({
        cleanup: ResourceScope.scoped(Effect.addFinalizer(() => Effect.orDie(finalizer)))
      })
      yield* outer.await
      expect(inner).toBe(true)
    }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 })))))
})

class Service extends Context.Tag("app/Service")<Service, number>() {}

/** What was opened and released, of every sweep's runs together. */
const ledger = () => {
  const counts = { opened: 0, released: 0 }
  const resource = Effect.acquireRelease(
    Effect.andThen(Effect.yieldNow(), Effect.sync(() => ++counts.opened)),
    () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => ++counts.released))
  )
  return { counts, resource, layer: Layer.scoped(Service, resource) }
}

describe("interrupted at every point, nothing is left open", () => {
  type Ledger = ReturnType<typeof ledger>
  const operations: Record<string, (books: Ledger) => Effect.Effect<unknown>> = {
    "scoped": ({ resource }) => ResourceScope.scoped(Effect.andThen(resource, Effect.yieldNow())),
    "scoped, parallel": ({ resource }) =>
      ResourceScope.scoped(Effect.andThen(resource, resource), { strategy: ExecutionStrategy.parallel }),
    "withReport": ({ resource }) => ResourceScope.withReport(Effect.andThen(resource, Effect.yieldNow())),
    "provide": ({ layer }) => ResourceScope.provide(Effect.andThen(Service, Effect.yieldNow()), layer),
    "build": ({ layer }) => ResourceScope.scoped(Effect.andThen(ResourceScope.build(layer), Effect.yieldNow())),
    "build of a shared layer": ({ layer }) => {
      const dependent = Layer.scopedDiscard(Effect.acquireRelease(Service, () => Effect.yieldNow())).pipe(
        Layer.provide(layer)
      )
      return ResourceScope.scoped(ResourceScope.build(Layer.provideMerge(dependent, layer)))
    },
    "make, extend, close": ({ resource }) =>
      Effect.acquireUseRelease(
        ResourceScope.make(),
        (scope) => Scope.extend(resource, scope),
        (scope, exit) => ResourceScope.close(scope, exit)
      ),
    "close by two": ({ resource }) =>
      Effect.acquireUseRelease(
        ResourceScope.make(),
        (scope) => Effect.andThen(Scope.extend(resource, scope), Effect.fork(Scope.close(scope, Exit.void))),
        (scope, exit) => Scope.close(scope, exit)
      ),
    "fork": ({ resource }) =>
      ResourceScope.scoped(
        Effect.flatMap(Scope.Scope, (scope) =>
          Effect.flatMap(Scope.fork(scope, ExecutionStrategy.parallel), (child) =>
            Scope.extend(resource, child)))
      )
  }
  for (const [name, operation] of Object.entries(operations)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const books = ledger()
        const balanced = Effect.suspend(() =>
          books.counts.opened === books.counts.released ? Effect.void : Effect.fail(books.counts)
        )
        const points = yield* interruptionSweep(operation(books), balanced)
        expect(points).toBeGreaterThan(10)
        expect(books.counts.opened).toBeGreaterThan(5)
      }))
  }
})
