import { describe, expect, it } from "@effect/vitest"
import { ProcessTimers } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { runSource } from "../../../scripts/testing/runSource.js"
import { ResourcePool } from "../src/index.js"
import { quietly, turns } from "./kit.js"

const endless = { idleTimeout: Infinity, maxLifetime: Infinity } as const

const within = <A, E>(effect: Effect.Effect<A, E, any>) =>
  Effect.provide(Effect.scoped(effect), quietly) as Effect.Effect<A, E>

describe("a pool", () => {
  it.live("holds no timer before it is used, nor with idle items that may stay", () =>
    within(Effect.gen(function*() {
      expect(
        yield* ProcessTimers.leftBy(Effect.gen(function*() {
          const pool = yield* ResourcePool.make(Effect.void, { ...endless, minSize: 2, maxSize: 100 })
          yield* pool.awaitReady
          yield* Effect.all(Array.from({ length: 100 }, () => pool.use(() => Effect.yieldNow())), {
            concurrency: "unbounded"
          })
        }))
      ).toBe(0)
    })))

  it.live("holds no timer after its end, though a failed creation still closed what it had opened", () =>
    within(Effect.gen(function*() {
      expect(
        yield* ProcessTimers.leftBy(Effect.gen(function*() {
          const closing = yield* Deferred.make<void>()
          const create = Effect.andThen(Effect.addFinalizer(() => Deferred.await(closing)), Effect.fail("refused"))
          const pool = yield* ResourcePool.make(create, { maxSize: 1, destroy: () => Effect.void })
          yield* Effect.fork(Effect.exit(pool.use(() => Effect.void)))
          yield* turns
          const draining = yield* Effect.fork(pool.drain({ timeout: "50 millis" }))
          yield* Effect.sleep("45 millis")
          yield* Deferred.succeed(closing, undefined)
          yield* Fiber.join(draining)
        }))
      ).toBe(0)
    })))

  it.live("holds one timer for all its idle items, and for all that waits", () =>
    within(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const fibers: Array<Fiber.RuntimeFiber<void, unknown>> = []
      expect(
        yield* ProcessTimers.leftBy(Effect.gen(function*() {
          const pool = yield* Scope.extend(
            ResourcePool.make(Effect.void, { leakThreshold: "1 minutes", keepAlive: () => Effect.void }),
            scope
          )
          yield* Effect.all(Array.from({ length: 10 }, () => pool.use(() => Effect.yieldNow())), {
            concurrency: "unbounded"
          })
          for (let i = 0; i < 1_000; i++) fibers.push(yield* Effect.fork(pool.use(() => Deferred.await(gate))))
          yield* turns
          expect(yield* pool.snapshot).toMatchObject({ inUse: 10, waiting: 990 })
        }))
      ).toBe(1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(fibers))
      yield* Scope.close(scope, Exit.void)
    })))

  it.live("holds none for a borrower that was interrupted", () =>
    within(Effect.gen(function*() {
      expect(
        yield* ProcessTimers.leftBy(Effect.gen(function*() {
          const pool = yield* ResourcePool.make(Effect.void, { ...endless, maxSize: 1 })
          yield* pool.get
          const waiter = yield* Effect.fork(pool.use(() => Effect.void))
          yield* turns
          expect((yield* pool.snapshot).waiting).toBe(1)
          yield* Fiber.interrupt(waiter)
        }))
      ).toBe(0)
    })))

  it.live("holds none after its drain, whatever it has done", () =>
    within(Effect.gen(function*() {
      expect(
        yield* ProcessTimers.leftBy(Effect.gen(function*() {
          let isDown = true
          const pool = yield* ResourcePool.make(Effect.suspend(() => isDown ? Effect.fail("down") : Effect.void), {
            minSize: 2,
            backoffFrom: "1 minutes",
            backoffTo: "1 minutes",
            leakThreshold: "1 minutes",
            leaseTimeout: "2 minutes",
            keepAlive: () => Effect.void,
            recycle: () => Effect.void
          })
          yield* Effect.flip(pool.awaitReady)
          isDown = false
          const other = yield* ResourcePool.make(Effect.void, { leakThreshold: "1 minutes" })
          const waiter = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
          yield* other.use(() => Effect.andThen(Effect.yieldNow(), other.drain()))
          yield* turns
          yield* pool.drain()
          yield* Fiber.join(waiter)
        }))
      ).toBe(0)
    })))

  it.live("a pool leaves no fiber behind", () =>
    Effect.gen(function*() {
      const before = new Set(yield* Fiber.roots)
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(quietly, scope)
      const program = Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.void, { ...endless, minSize: 2, recycle: () => Effect.void })
        yield* pool.awaitReady
        yield* Effect.all(Array.from({ length: 50 }, () => pool.use(() => Effect.yieldNow())), {
          concurrency: "unbounded"
        })
        yield* turns
        const idle = [...yield* Fiber.roots].filter((fiber) => !before.has(fiber))
        expect(idle).toEqual([])
        yield* pool.drain()
      })
      yield* Effect.provide(Scope.extend(program, scope), context)
      yield* Scope.close(scope, Exit.void)
      yield* turns
      expect([...yield* Fiber.roots].filter((fiber) => !before.has(fiber))).toEqual([])
    }))

  it.live("keeps no process alive after its drain: one with an open registry ends by itself", () =>
    Effect.gen(function*() {
      const program = `
        import { ResourceRegistry } from "@patinox/core"
        import { ResourcePool } from "@patinox/pool"
        import { Effect, Layer, Scope } from "effect"
        const program = Effect.gen(function*() {
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(ResourceRegistry.layer, scope)
          const make = ResourcePool.make(Effect.succeed("item"), { minSize: 3, leakThreshold: "1 hours" })
          const pool = yield* Effect.provide(Scope.extend(make, scope), context)
          yield* pool.awaitReady
          yield* pool.use(() => Effect.void)
          const { destroyed } = yield* pool.drain()
          console.log("drained", destroyed)
        })
        Effect.runFork(program)
      `
      expect(yield* runSource(program)).toEqual({ code: 0, output: "drained 3\n", signal: null })
    }))
})
