import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Scope } from "effect"
import { ResourcePool } from "../src/index.js"
import { atRest, inScope, listen, openScope, quietly, Server, turns } from "./kit.js"

const registry = ResourceRegistry.ResourceRegistry

const make = (server: Server, options: ResourcePool.PoolOptions<any> = {}) =>
  ResourcePool.make(server.create, { destroy: server.destroy, name: "db", ...options })

describe("a registry that releases a pool's items by itself", () => {
  it.effect("takes idle items out, which are made up for", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server, { minSize: 2 })
      yield* pool.awaitReady
      const events = yield* listen(pool)
      const r = yield* registry
      const report = yield* r.forceCleanupAll
      expect(report.totals.cleaned).toBe(2)
      yield* turns
      expect([server.opened, server.closed]).toEqual([4, 2])
      expect(yield* atRest(pool)).toBe(2)
      expect(events.map((event) => event._tag === "Removed" ? event.reason : event._tag).sort()).toEqual([
        "Created",
        "Created",
        "Destroyed",
        "Destroyed",
        "released",
        "released"
      ])
    })))

  it.effect("takes an item from its holder, whose return is nothing then", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server, { maxSize: 1 })
      const gate = yield* Deferred.make<void>()
      const holder = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
      yield* turns
      const waiter = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
      yield* turns
      yield* Effect.flatMap(registry, (r) => r.forceCleanupAll)
      expect(yield* Fiber.join(waiter)).toBe(2)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(holder)
      expect(yield* atRest(pool)).toBe(1)
      expect(server.mostAlive).toBe(1)
    })))

  it.effect("does not lend an item that is released between its return and its next borrower's turn", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server, { maxSize: 1 })
      const held = yield* openScope
      yield* Scope.extend(pool.get, held.scope)
      const waiter = yield* Effect.fork(pool.use((item) => server.holding(item, Effect.succeed(item.number))))
      yield* turns
      const r = yield* registry
      const forced = yield* Effect.fork(Effect.andThen(held.close, r.forceCleanupAll))
      yield* Fiber.join(forced)
      expect(yield* Fiber.join(waiter)).toBe(2)
      expect(yield* atRest(pool)).toBe(1)
    })))

  for (const during of ["validate", "recycle", "keepAlive"] as const) {
    it.effect(`does not lend an item that is released during ${during}`, () =>
      inScope(Effect.gen(function*() {
        const server = new Server()
        const gate = yield* Deferred.make<void>()
        const pool = yield* make(server, { maxSize: 1, [during]: () => Deferred.await(gate) })
        const first = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
        yield* turns
        yield* TestClock.adjust(during === "recycle" ? "1 seconds" : "2 minutes")
        const second = yield* Effect.fork(pool.use((item) => server.holding(item, Effect.succeed(item.number))))
        yield* turns
        expect((yield* pool.snapshot).inUse).toBe(1)
        yield* Effect.flatMap(registry, (r) => r.forceCleanupAll)
        expect(server.closed).toBe(1)
        yield* Deferred.succeed(gate, undefined)
        expect(yield* Fiber.join(first)).toBe(1)
        expect(yield* Fiber.join(second)).toBe(2)
        expect(yield* atRest(pool)).toBe(1)
      })))
  }

  it.effect("does not lend an item that is released before it has got into the pool", () =>
    Effect.gen(function*() {
      let hits = 0
      for (let steps = 0; steps < 45; steps++) {
        yield* inScope(Effect.gen(function*() {
          const server = new Server()
          // What the pool runs pauses after every few steps.
          const pool = yield* Effect.withMaxOpsBeforeYield(make(server, { maxSize: 1 }), 10)
          const borrower = yield* Effect.fork(
            pool.use((item) => server.holding(item, Effect.succeed(item.number)))
          )
          yield* Effect.repeatN(Effect.yieldNow(), steps)
          yield* Effect.flatMap(registry, (r) => r.forceCleanupAll)
          yield* turns
          if ((yield* pool.snapshot).creationFailures > 0) hits++
          yield* TestClock.adjust("10 millis")
          yield* turns
          expect(Option.isSome(yield* Fiber.poll(borrower))).toBe(true)
          expect(yield* Fiber.join(borrower)).toBe(server.opened)
          expect(yield* atRest(pool)).toBe(server.alive)
          expect(server.mostAlive).toBe(1)
        }))
      }
      expect(hits).toBeGreaterThan(0)
    }), 30_000)

  it.effect("a registry that releases a pool's items by itself and then closes: the pool closes, too, and does not go on trying", () =>
    Effect.gen(function*() {
      const server = new Server()
      const registryScope = yield* openScope
      const poolScope = yield* openScope
      const context = yield* Layer.buildWithScope(quietly, registryScope.scope)
      const pool = yield* Effect.provide(
        Scope.extend(make(server, { minSize: 1, maxSize: 2 }), poolScope.scope),
        context
      )
      yield* pool.awaitReady
      const holder = yield* Effect.fork(Effect.exit(pool.use(() => Effect.sleep("3 seconds"))))
      yield* turns
      yield* registryScope.close
      yield* turns
      expect(server.alive).toBe(0)
      expect(yield* Effect.flip(pool.use(() => Effect.void))).toMatchObject({ _tag: "PoolClosed" })
      yield* turns
      expect(yield* pool.snapshot).toMatchObject({ state: "closed", total: 0 })
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(holder)
      yield* poolScope.close
      expect(server.opened).toBe(1)
    }))

  it.effect("fails a borrower that waits for what can no longer be created", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server)
      yield* Effect.flatMap(registry, (r) => r.shutdown)
      expect(yield* Effect.flip(pool.use(() => Effect.void))).toMatchObject({ _tag: "PoolClosed" })
      expect(server.opened).toBe(0)
    })))

  it.effect("destroys what was being created when it began to close", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const gate = yield* Deferred.make<void>()
      const pool = yield* ResourcePool.make(Effect.andThen(Deferred.await(gate), server.create), {
        destroy: server.destroy
      })
      const borrower = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
      yield* turns
      const shutdown = yield* Effect.fork(Effect.flatMap(registry, (r) => r.shutdown))
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(shutdown)
      expect(yield* Fiber.join(borrower)).toMatchObject({ _tag: "PoolClosed" })
      expect([server.opened, server.closed]).toEqual([1, 1])
    })))

  it.effect("tells how the release ended that it had begun", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { destroy: () => Effect.fail("refused"), minSize: 1 })
      yield* pool.awaitReady
      yield* pool.resize({ minSize: 0 })
      const events = yield* listen(pool)
      yield* Effect.flatMap(registry, (r) => r.forceCleanupAll)
      yield* turns
      expect(events.find((event) => event._tag === "Destroyed")).toMatchObject({ error: { _tag: "CleanupFailed" } })
    })))
})
