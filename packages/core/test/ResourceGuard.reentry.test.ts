/**
 * What a cleanup calls, tells or interrupts may go on within that very call, as every fiber of another major of Effect
 * does, and here one with a scheduler that runs each task at once. Nothing of what was read before the call counts then.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schedule, Scope, TestClock } from "effect"
import type { Scheduler } from "effect"
import { type ResourceEvent, ResourceGuard, ResourceMonitor, ResourceRegistry } from "../src/index.js"

const atOnce: Scheduler.Scheduler = { shouldYield: () => false, scheduleTask: (task) => task() }

const inTheCall = Effect.withScheduler(atOnce)

const watchedBy = (onEvent: (event: ResourceEvent.ResourceEvent) => Effect.Effect<unknown>) =>
  Effect.provide(
    Layer.provide(ResourceRegistry.layerTest, ResourceMonitor.layer(ResourceMonitor.make(onEvent)))
  )

describe("a cleanup that goes on within the call", () => {
  it.effect("tries a fallback once where a retry schedule that hangs ends as it is interrupted", () =>
    Effect.gen(function*() {
      let fallbacks = 0
      const hangs = Schedule.makeWithState(0, () => Effect.never)
      const scope = yield* Scope.make()
      const guard = ResourceGuard.make(Effect.void, () => Effect.fail("refused"), {
        timeout: "10 seconds",
        attemptTimeout: "2 seconds",
        recovery: { strategy: () => "Retry", retry: hangs, fallback: () => Effect.sync(() => fallbacks++) }
      })
      yield* inTheCall(Scope.extend(guard, scope))
      const closed = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(closed)
      expect(fallbacks).toBe(1)
      const { accounts } = yield* ResourceRegistry.ResourceRegistry
      expect(yield* accounts).toMatchObject({ registered: 1, recovered: 1, failed: 0, abandoned: 0 })
    }).pipe(Effect.provide(ResourceRegistry.layer)))

  it.effect("does not abandon the fallback of an attempt that ends as it is interrupted", () =>
    Effect.gen(function*() {
      let fallbacks = 0
      const gate = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const guard = ResourceGuard.make(Effect.void, () => Effect.never, {
        timeout: "4 seconds",
        attemptTimeout: "2 seconds",
        interruptible: true,
        recovery: {
          strategy: () => "Fallback",
          fallback: () => Effect.andThen(Effect.sync(() => fallbacks++), Deferred.await(gate))
        }
      })
      yield* inTheCall(Scope.extend(guard, scope))
      const closed = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closed)
      expect(fallbacks).toBe(1)
      const { accounts } = yield* ResourceRegistry.ResourceRegistry
      expect(yield* accounts).toMatchObject({ registered: 1, recovered: 1, failed: 0, abandoned: 0 })
    }).pipe(Effect.provide(ResourceRegistry.layer)))

  it.effect("releases once where a borrower leaves as it is told of the start", () =>
    Effect.gen(function*() {
      let releases = 0
      const leaves = yield* Deferred.make<void>()
      yield* Effect.gen(function*() {
        const scope = yield* Scope.make()
        const guard = yield* Scope.extend(
          ResourceGuard.make(Effect.void, () => Effect.sync(() => releases++), { timeout: "4 seconds" }),
          scope
        )
        const user = yield* inTheCall(Effect.fork(guard.use(() => Deferred.await(leaves))))
        yield* Effect.yieldNow()
        const closed = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("4 seconds")
        yield* Fiber.join(closed)
        yield* Fiber.join(user)
      }).pipe(watchedBy(({ _tag }) => _tag === "Started" ? Deferred.succeed(leaves, undefined) : Effect.void))
      expect(releases).toBe(1)
    }))

  it.effect("tells a monitor one event at a time where one that hangs ends as it is interrupted", () =>
    Effect.gen(function*() {
      let atWork = 0
      const seen: Array<string> = []
      const monitor = ResourceMonitor.make(({ _tag }) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            seen.push(`${_tag} ${++atWork}`)
          }),
          () => Effect.never,
          () => Effect.sync(() => atWork--)
        )
      )
      const layer = Layer.provide(ResourceRegistry.layerTest, ResourceMonitor.layer(monitor))
      const context = yield* inTheCall(Layer.buildWithScope(layer, yield* Scope.make()))
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void)).pipe(Effect.provide(context))
      yield* TestClock.adjust("4 seconds")
      expect(seen.slice(0, 3)).toEqual(["Registered 1", "Started 1", "Cleaned 1"])
    }))
})
