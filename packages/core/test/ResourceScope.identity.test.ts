/**
 * Whatever remembers its owner by fiber id, scope or FiberRef: in a scope of ours, and in the release of a guard, it is
 * released as in a plain scope.
 */
import {
  Deferred,
  Effect,
  ExecutionStrategy,
  Exit,
  Fiber,
  FiberHandle,
  type FiberId,
  FiberMap,
  FiberRef,
  FiberSet,
  Layer,
  Logger,
  Queue,
  Runtime,
  Schedule,
  Scope,
  STM,
  Stream,
  TReentrantLock,
  TRef
} from "effect"
import { describe, expect, it } from "vitest"
import { CleanupReport, ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"

const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Logger.remove(Logger.defaultLogger)))

/** A lock as users write them: whoever holds it is known by the fiber's id, and nobody else can give it back. */
const makeOwnedLock = Effect.map(STM.commit(TRef.make<FiberId.FiberId | undefined>(undefined)), (owner) => ({
  take: Effect.fiberIdWith((id) =>
    STM.commit(STM.flatMap(TRef.get(owner), (held) => held === undefined ? TRef.set(owner, id) : STM.retry))
  ),
  giveBack: Effect.fiberIdWith((id) =>
    STM.commit(STM.flatMap(TRef.get(owner), (held) =>
      held !== undefined && held.toString() === id.toString()
        ? TRef.set(owner, undefined)
        : STM.die(`held by ${held}, given back by ${id}`)))
  ),
  isFree: Effect.map(STM.commit(TRef.get(owner)), (held) => held === undefined)
}))

const strategies = {
  sequential: ExecutionStrategy.sequential,
  parallel: ExecutionStrategy.parallel,
  "two at a time": ExecutionStrategy.parallelN(2)
}

describe("what remembers its owner by the fiber's id", () => {
  it("a lock of the user's own on STM is given back by the finalizer that the fiber has added", () =>
    run(Effect.gen(function*() {
      const lock = yield* makeOwnedLock
      const [exit, report] = yield* ResourceScope.withReport(
        Effect.acquireRelease(lock.take, () => lock.giveBack)
      )
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(report.totals.cleaned).toBe(1)
      expect(yield* lock.isFree).toBe(true)
    })))

  it("read and write locks of a TReentrantLock are given back, by finalizers that yield, too", () =>
    run(Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      yield* ResourceScope.scoped(Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.yieldNow())
        yield* TReentrantLock.readLock(lock)
        yield* Effect.addFinalizer(() => Effect.yieldNow())
        yield* TReentrantLock.writeLock(lock)
      }))
      expect(yield* TReentrantLock.locked(lock)).toBe(false)
    })))

  it("a lock that a guard's acquire takes is given back by its release, at the scope's close and on early cleanup", () =>
    run(
      Effect.gen(function*() {
        const lock = yield* makeOwnedLock
        const make = ResourceGuard.make(lock.take, () => lock.giveBack)
        yield* Effect.scoped(make)
        expect(yield* lock.isFree).toBe(true)
        yield* Effect.scoped(Effect.flatMap(make, (guard) => guard.cleanup))
        expect(yield* lock.isFree).toBe(true)
        yield* ResourceScope.scoped(make)
        expect(yield* lock.isFree).toBe(true)
      }).pipe(Effect.provide(ResourceRegistry.layer))
    ))

  it("a lock that a guard's acquire takes is given back when the registry itself runs the release", () =>
    run(
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry.ResourceRegistry
        const lock = yield* makeOwnedLock
        const make = ResourceGuard.make(lock.take, () => lock.giveBack)
        const first = yield* make
        yield* (yield* registry.schedule({ resource: first })).await
        expect(yield* lock.isFree).toBe(true)
        yield* make
        yield* registry.forceCleanupAll
        expect(yield* lock.isFree).toBe(true)
        yield* make
        yield* registry.shutdown
        expect(yield* lock.isFree).toBe(true)
      }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer))
    ))

  it("a fallback finds itself under the id of the fiber that closes the scope, as the release does", () =>
    run(
      Effect.gen(function*() {
        const ids: Array<FiberId.FiberId> = []
        const note = Effect.fiberIdWith((id) => Effect.sync(() => ids.push(id)))
        yield* Effect.scoped(ResourceGuard.make(
          note,
          () => Effect.andThen(note, Effect.fail("no")),
          { recovery: { fallback: () => note } }
        ))
        expect(new Set(ids.map(String)).size).toBe(1)
        expect(ids.length).toBe(3)
      }).pipe(Effect.provide(ResourceRegistry.layer))
    ))

  for (const busyMillis of [0, 3]) {
    it(`finalizers that run side by side have ids of their own, as in a plain scope (busy for ${busyMillis} ms each)`, () =>
      run(Effect.gen(function*() {
        const ids: Array<string> = []
        const note = Effect.fiberIdWith((id) => {
          for (const until = performance.now() + busyMillis; performance.now() < until;);
          return Effect.andThen(Effect.yieldNow(), Effect.sync(() => ids.push(String(id))))
        })
        const scope = yield* ResourceScope.make({ strategy: ExecutionStrategy.parallel })
        for (let i = 0; i < 12; i++) yield* Scope.addFinalizer(scope, note)
        yield* Scope.close(scope, Exit.void)
        expect(ids.length).toBe(12)
        expect(new Set(ids).size).toBe(12)
      })))
  }
})

describe("a fiber that is forked into a scope of ours", () => {
  for (const [name, strategy] of Object.entries(strategies)) {
    it(`ends with its own result, and is interrupted by the close (${name})`, () =>
      run(Effect.gen(function*() {
        const scope = yield* ResourceScope.make({ strategy })
        const done = Effect.runFork(Effect.as(Effect.yieldNow(), "value"), { scope })
        expect(yield* Fiber.await(done)).toEqual(Exit.succeed("value"))
        let interrupted = 0
        const hanging = [1, 2, 3].map(() =>
          Effect.runFork(Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)), { scope })
        )
        const report = yield* ResourceScope.close(scope, Exit.void)
        expect(interrupted).toBe(3)
        expect(CleanupReport.isClean(report)).toBe(true)
        for (const fiber of hanging) expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
      })))
  }

  it("a fiber that is forked into a scope of ours may close the scope that it was forked into", () =>
    run(Effect.gen(function*() {
      const scope = yield* ResourceScope.make()
      const fiber = Effect.runFork(Effect.andThen(Effect.yieldNow(), Scope.close(scope, Exit.void)), { scope })
      yield* Fiber.await(fiber)
      expect(scope.report?.totals.abandoned).toBe(0)
    })))

  it("closes the scope on its way out while a finalizer of that scope waits for its end", () =>
    run(Effect.gen(function*() {
      for (const strategy of Object.values(strategies)) {
        const scope = yield* ResourceScope.make({ strategy })
        const started = yield* Deferred.make<void>()
        const work = Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
        const fiber = yield* Effect.forkDaemon(Effect.onExit(work, (exit) => Scope.close(scope, exit)))
        yield* Deferred.await(started)
        yield* Scope.addFinalizer(scope, Fiber.interrupt(fiber))
        const report = yield* ResourceScope.close(scope, Exit.void)
        expect(report.totals).toMatchObject({ cleaned: 1, abandoned: 0 })
      }
    })))

  it("a fiber that is forked into a scope of ours is bridged from a callback of a layer, and answers", () =>
    run(Effect.gen(function*() {
      const answers: Array<string> = []
      const bridge = Layer.scopedDiscard(Effect.gen(function*() {
        const scope = yield* Effect.scope
        const runFork = Runtime.runFork(yield* Effect.runtime())
        const answer = yield* Fiber.join(runFork(Effect.as(Effect.yieldNow(), "answer"), { scope }))
        answers.push(answer)
      }))
      yield* ResourceScope.provide(Effect.void, bridge)
      expect(answers).toEqual(["answer"])
    })))

  it("a FiberSet, a FiberMap and a FiberHandle end their fibers, those that are running and those that end meanwhile", () =>
    run(Effect.gen(function*() {
      let ended = 0
      const work = Effect.onExit(Effect.never, () => Effect.sync(() => ended++))
      const [exit, report] = yield* ResourceScope.withReport(Effect.gen(function*() {
        const set = yield* FiberSet.make<never>()
        const map = yield* FiberMap.make<string, never>()
        const handle = yield* FiberHandle.make<never>()
        yield* FiberSet.run(set, work)
        yield* FiberMap.run(map, "a", work)
        yield* FiberMap.run(map, "b", work)
        yield* FiberHandle.run(handle, work)
        yield* Effect.yieldNow()
      }))
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(ended).toBe(4)
      expect(CleanupReport.isClean(report)).toBe(true)
    })))

  it("a stream that is run into a queue in the background ends with the scope", () =>
    run(Effect.gen(function*() {
      let closed = 0
      const [, report] = yield* ResourceScope.withReport(Effect.gen(function*() {
        const queue = yield* Effect.acquireRelease(Queue.unbounded<number>(), Queue.shutdown)
        const ticks = Stream.ensuring(
          Stream.repeatEffectWithSchedule(Effect.succeed(1), Schedule.forever),
          Effect.sync(() => closed++)
        )
        yield* Effect.forkScoped(Stream.runForEach(ticks, (tick) => Queue.offer(queue, tick)))
        yield* Queue.take(queue)
      }))
      expect(closed).toBe(1)
      expect(CleanupReport.isClean(report)).toBe(true)
    })))
})

describe("a guard's release", () => {
  it("sees the FiberRefs that its acquire has set, as the release of a plain acquireRelease does", () =>
    run(
      Effect.gen(function*() {
        const seen: Array<string> = []
        const tenant = yield* FiberRef.make("none")
        const note = (of: string) =>
          Effect.flatMap(FiberRef.get(tenant), (it) => Effect.sync(() => seen.push(`${of} ${it}`)))
        const acquire = FiberRef.set(tenant, "acme")
        yield* Effect.scoped(Effect.acquireRelease(acquire, () => note("plain")))
        yield* FiberRef.set(tenant, "none")
        yield* Effect.scoped(ResourceGuard.acquireRelease(acquire, () => note("guard")))
        yield* FiberRef.set(tenant, "none")
        yield* ResourceGuard.use(acquire, () => note("use"))(() => FiberRef.set(tenant, "of the use"))
        yield* FiberRef.set(tenant, "none")
        yield* Effect.scoped(ResourceGuard.make(acquire, () => Effect.fail("no"), {
          recovery: { strategy: () => "Fallback", fallback: () => note("fallback") }
        }))
        expect(seen).toEqual(["plain acme", "guard acme", "use acme", "fallback acme"])
      }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer))
    ))
})
