import { describe, expect, it } from "@effect/vitest"
import type { ResourceRegistry } from "@patinox/core"
import { ProcessTimers, VirtualClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { runSource } from "../../../scripts/testing/runSource.js"
import { ResourceCache } from "../src/index.js"
import { quietly, turns } from "./kit.js"

const within = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | ResourceRegistry.ResourceRegistry>) =>
  Effect.provide(Effect.scoped(effect), quietly)

const keys = Array.from({ length: 100 }, (_, i) => i)

describe("a cache", () => {
  it.live("holds no timer before it is used, nor with values that do not expire", () =>
    within(Effect.gen(function*() {
      expect(
        yield* ProcessTimers.leftBy(Effect.gen(function*() {
          const cache = yield* ResourceCache.make((key: number) => Effect.succeed(key), {
            maxEntries: 50,
            release: () => Effect.void,
            refreshAfter: "1 minutes"
          })
          yield* Effect.forEach(keys, (key) => cache.use(key, () => Effect.yieldNow()), { concurrency: "unbounded" })
          yield* turns
        }))
      ).toBe(0)
    })))

  it.live("holds one timer for all its values and all who wait", () =>
    within(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const fibers: Array<Fiber.RuntimeFiber<void, unknown>> = []
      expect(
        yield* ProcessTimers.leftBy(Effect.gen(function*() {
          const cache = yield* Scope.extend(
            ResourceCache.make((key: number) => key < 10 ? Effect.succeed(key) : Deferred.await(gate), {
              maxEntries: 20,
              timeToLive: "1 minutes",
              timeToIdle: "30 seconds"
            }),
            scope
          )
          yield* Effect.forEach(keys.slice(0, 10), (key) => cache.use(key, () => Effect.void))
          for (const key of keys) fibers.push(yield* Effect.fork(cache.use(key, () => Deferred.await(gate))))
          yield* turns
          expect(yield* cache.stats).toMatchObject({ loading: 10, waiting: 80, inUse: 10 })
        }))
      ).toBe(1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(fibers))
      yield* Scope.close(scope, Exit.void)
    })))

  it.live("holds none after its end, whatever it has done", () =>
    within(Effect.gen(function*() {
      expect(
        yield* ProcessTimers.leftBy(Effect.gen(function*() {
          const cache = yield* ResourceCache.make(
            (key: number) => key === 99 ? Effect.never : key === 98 ? Effect.fail("none") : Effect.succeed(key),
            {
              timeToLive: () => "1 minutes",
              timeToIdle: "1 minutes",
              onRemoval: () => Effect.void,
              staleOnError: "1 minutes"
            }
          )
          const waiter = yield* Effect.fork(Effect.flip(cache.use(99, () => Effect.void)))
          yield* Effect.forEach(keys.slice(0, 99), (key) => Effect.ignore(cache.use(key, () => Effect.void)))
          yield* cache.refresh(1)
          yield* cache.close
          yield* Fiber.join(waiter)
          yield* turns
        }))
      ).toBe(0)
    })))

  it.live("holds none for who gave up, nor for a lookup behind that is over", () => {
    const { clock, pass, sleepers } = VirtualClock.make()
    return within(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(
        (key: number) => key === 99 ? Effect.never : Effect.succeed(key),
        { refreshAfter: 1_000 }
      )
      const caller = yield* Effect.fork(cache.use(99, () => Effect.void))
      yield* pass(0, turns)
      expect(sleepers()).toBe(1)
      yield* Fiber.interrupt(caller)
      yield* pass(0, turns)
      expect(sleepers()).toBe(0)
      yield* cache.use(1, () => Effect.void)
      yield* pass(1_000, turns)
      yield* cache.use(1, () => Effect.void)
      yield* pass(0, turns)
      expect(yield* cache.stats).toMatchObject({ loads: 2, loading: 0 })
      expect(sleepers()).toBe(0)
    })).pipe(Effect.provide(Layer.setClock(clock)))
  })

  it.live("a cache leaves no fiber behind", () =>
    Effect.gen(function*() {
      const before = new Set(yield* Fiber.roots)
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(quietly, scope)
      const others = Effect.map(Fiber.roots, (roots) => [...roots].filter((fiber) => !before.has(fiber)).length)
      const program = Effect.gen(function*() {
        const cache = yield* ResourceCache.make((key: number) => Effect.succeed(key), {
          maxEntries: 10,
          release: () => Effect.yieldNow(),
          onRemoval: () => Effect.void
        })
        yield* Effect.forEach(keys, (key) => cache.use(key, () => Effect.yieldNow()), { concurrency: "unbounded" })
        yield* turns
        expect(yield* others).toBe(0)
        yield* cache.close
      })
      yield* Effect.provide(Scope.extend(program, scope), context)
      yield* Scope.close(scope, Exit.void)
      yield* turns
      expect(yield* others).toBe(0)
    }))

  it.live("keeps no process alive: one with an open cache of values that do not expire ends by itself", () =>
    Effect.gen(function*() {
      const program = `
        import { ResourceRegistry } from "@patinox/core"
        import { ResourceCache } from "@patinox/cache"
        import { Effect, Layer, Scope } from "effect"
        const program = Effect.gen(function*() {
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(ResourceRegistry.layer, scope)
          const make = ResourceCache.make((key) => Effect.succeed(key), { release: () => Effect.void, maxEntries: 2 })
          const open = yield* Effect.provide(Scope.extend(make, scope), context)
          const ended = yield* Effect.provide(
            Scope.extend(ResourceCache.make((key) => Effect.succeed(key), { timeToLive: "1 hours" }), scope),
            context
          )
          for (const key of [1, 2, 3]) {
            yield* open.use(key, () => Effect.void)
            yield* ended.use(key, () => Effect.void)
          }
          const { released } = yield* ended.close
          console.log("released", released)
        })
        Effect.runFork(program)
      `
      expect(yield* runSource(program)).toEqual({ code: 0, output: "released 3\n", signal: null })
    }))
})
