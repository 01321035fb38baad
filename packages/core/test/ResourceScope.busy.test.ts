/** A process that is too busy for its timers: what has to start before a deadline starts, though both come in one turn. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { ResourceRegistry, ResourceScope } from "../src/index.js"

const count = 25

const block = (millis: number) =>
  Effect.sync(() => {
    for (const until = performance.now() + millis; performance.now() < until;);
  })

/** Begins a close, blocks the process beyond its deadline, and gives what the close gives. */
const busyFor = <A, E>(close: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const closing = yield* Effect.fork(close)
    yield* Effect.sleep("20 millis")
    yield* block(150)
    return yield* Fiber.join(closing)
  })

/** Ends a little late, so that the next begins in another turn than the close. */
const slow = Effect.andThen(block(2), Effect.yieldNow())

describe("a process that is too busy for the deadline of a close", () => {
  it.live("starts all finalizers of a ResourceScope before the close is over (P2)", () =>
    Effect.gen(function*() {
      let ran = 0
      const scope = yield* ResourceScope.make({ timeout: "100 millis", finalizerTimeout: "1 minute" })
      const finalizer = Effect.andThen(block(0.5), Effect.sync(() => ran++))
      for (let i = 0; i < count; i++) yield* Scope.addFinalizer(scope, finalizer)
      yield* Scope.addFinalizer(scope, Effect.never)
      for (let i = 0; i < 5; i++) yield* Scope.addFinalizer(scope, slow)
      const report = yield* busyFor(ResourceScope.close(scope, Exit.void))
      expect(ran).toBe(count)
      expect(report.totals).toMatchObject({ total: count + 6, stillRunning: 0, forced: count })
    }))

  it.live("starts what is in scopes inside of it, as those of layers are (P2)", () =>
    Effect.gen(function*() {
      let released = 0
      const scope = yield* ResourceScope.make({ timeout: "100 millis", finalizerTimeout: "1 minute" })
      const layers = Array.from(
        { length: count },
        () => Layer.scopedDiscard(Effect.addFinalizer(() => Effect.sync(() => released++)))
      )
      const hung = Layer.scopedDiscard(Effect.addFinalizer(() => Effect.never))
      const slowly = Array.from({ length: 5 }, () => Layer.scopedDiscard(Effect.addFinalizer(() => slow)))
      const chain = [...layers, hung, ...slowly].reduce((all, layer) => Layer.provideMerge(layer, all), Layer.empty)
      yield* Scope.extend(ResourceScope.build(chain), scope)
      yield* busyFor(Scope.close(scope, Exit.void))
      expect(released).toBe(count)
    }))

  it.live("starts all cleanups of a registry before its shutdown is over (P2)", () =>
    Effect.gen(function*() {
      let ran = 0
      const registry = yield* ResourceRegistry.ResourceRegistry
      const register = (cleanup: Effect.Effect<unknown>) => registry.register(() => cleanup, { timeout: "1 minute" })
      for (let i = 0; i < count; i++) yield* register(Effect.andThen(block(0.3), Effect.sync(() => ran++)))
      for (let i = 0; i < 16; i++) yield* register(Effect.never)
      const report = yield* busyFor(registry.shutdown)
      expect(ran).toBe(count)
      expect(report.totals).toMatchObject({ total: count + 16, stillRunning: 0 })
    }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layerWith({ shutdownTimeout: "100 millis" }))))
})
