import { describe, expect, it } from "@effect/vitest"
import { ProcessTimers } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Metric, Scope } from "effect"
import { runSource } from "../../../scripts/testing/runSource.js"
import { ResourceGuard, ResourceMonitor, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry

const activeFibers = Effect.map(Metric.snapshot, (pairs) => {
  const active = pairs.find((pair) => pair.metricKey.name === "effect_fiber_active")
  return Number((active?.metricState as unknown as { readonly count: number } | undefined)?.count ?? 0)
})

/** How many fibers more there are after `effect`. */
const fibersOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function*() {
    const before = yield* activeFibers
    yield* effect
    yield* nextTurn
    return (yield* activeFibers) - before
  })

const nextTurn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

const guard = ResourceGuard.make(Effect.void, () => Effect.void, { timeout: "10 seconds" })

describe("an idle registry (P7)", () => {
  it.live("holds no timer: not before its first resource, with a thousand live, nor after them", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      expect(
        yield* ProcessTimers.leftBy(
          Scope.extend(Effect.forEach(Array.from({ length: 1000 }), () => guard, { discard: true }), scope)
        )
      ).toBe(0)
      expect(yield* ProcessTimers.leftBy(Scope.close(scope, Exit.void))).toBe(0)
    }).pipe(Effect.provide(ResourceRegistry.layer)))

  it.live("holds no fiber: not with guards live, nor after cleanups that were scheduled, slow, failed or forced", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const scope = yield* Scope.make()
      expect(yield* fibersOf(Scope.extend(Effect.all([guard, guard, guard]), scope))).toBe(0)
      const gate = yield* Deferred.make<void>()
      const idle = yield* activeFibers
      expect(
        yield* fibersOf(Effect.gen(function*() {
          for (let i = 0; i < 100; i++) {
            yield* r.schedule({ typeName: "waiting", cleanup: i === 0 ? Deferred.await(gate) : nextTurn })
          }
          // The release that runs, and the queue's while something waits.
          expect((yield* activeFibers) - idle).toBe(2)
          yield* Deferred.succeed(gate, undefined)
          yield* r.awaitIdle
          yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.fail("refused")))
          yield* r.forceCleanupAll
        }))
      ).toBe(0)
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(
      Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 })).pipe(
        Layer.provideMerge(Logger.remove(Logger.defaultLogger))
      )
    )))

  it.live("holds none after cleanups that took time, failed, were scheduled, slow or forced", () => {
    const slow = Effect.runSync(Deferred.make<void>())
    return Effect.gen(function*() {
      const r = yield* registry
      const left = yield* ProcessTimers.leftBy(Effect.gen(function*() {
        const scheduled = yield* r.schedule({ typeName: "slow", cleanup: Deferred.await(slow) })
        const failing = Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.fail("refused")))
        const asynchronous = Effect.scoped(ResourceGuard.make(Effect.void, () => nextTurn))
        yield* Effect.all([failing, asynchronous, asynchronous], { concurrency: "unbounded" })
        yield* scheduled.await
        yield* Effect.scoped(Effect.andThen(guard, r.forceCleanupAll))
        yield* r.awaitIdle
      }))
      expect(left).toBe(0)
    }).pipe(Effect.provide(
      Layer.orDie(ResourceRegistry.layerWith({ slowAfter: "10 millis" })).pipe(
        Layer.provide(
          ResourceMonitor.layer(
            ResourceMonitor.make((event) => event._tag === "Slow" ? Deferred.succeed(slow, undefined) : Effect.void)
          )
        ),
        Layer.provideMerge(Logger.remove(Logger.defaultLogger))
      )
    ))
  })

  it.live("an idle registry with a leak threshold holds one timer while something is live, and none when nothing is (P7)", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const live = Scope.extend(Effect.forEach([1, 2, 3], () => guard), scope)
      expect(
        yield* ProcessTimers.leftBy(Effect.gen(function*() {
          expect(yield* ProcessTimers.leftBy(live)).toBe(1)
          yield* Scope.close(scope, Exit.void)
        }))
      ).toBe(0)
    }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ leakThreshold: "1 minutes" })))))

  it.live("shares one timer between ten thousand cleanups that run", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const scopes = yield* Effect.forEach(Array.from({ length: 10_000 }), () => Scope.make())
      const fibers: Array<Fiber.RuntimeFiber<void>> = []
      const timers = yield* ProcessTimers.leftBy(Effect.gen(function*() {
        for (const scope of scopes) {
          yield* Scope.extend(ResourceGuard.make(Effect.void, () => Deferred.await(gate)), scope)
          fibers.push(yield* Effect.forkDaemon(Scope.close(scope, Exit.void)))
        }
        yield* Effect.yieldNow()
      }))
      expect(timers).toBe(1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.awaitAll(fibers)
    }).pipe(Effect.provide(ResourceRegistry.layer)))

  it.live("keeps no process alive: one with an open registry and a live guard ends by itself", () =>
    Effect.gen(function*() {
      const program = `
        import { ResourceGuard, ResourceRegistry } from "@patinox/core"
        import { Effect, Layer, Scope } from "effect"
        const scope = Effect.runSync(Scope.make())
        const service = Effect.runSync(Layer.buildWithScope(ResourceRegistry.layer, scope))
        Effect.runSync(Effect.provide(Scope.extend(ResourceGuard.make(Effect.void, () => Effect.void), scope), service))
        console.log("open", process.getActiveResourcesInfo().filter((name) => name === "Timeout").length)
      `
      expect(yield* runSource(program)).toEqual({ code: 0, output: "open 0\n", signal: null })
    }))
})
