/** An interruption at any point of a borrow loses nothing. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { interruptionSweep, TestClock } from "@patinox/vitest"
import { Effect, Fiber } from "effect"
import { onAdjustableClock } from "../../../scripts/testing/adjustableClock.js"
import { ResourcePool } from "../src/index.js"
import { atRest, type Connection, inScope, Server } from "./kit.js"

const registry = ResourceRegistry.ResourceRegistry

/** Another borrower gets an item at once, and the pool is at rest after it. */
const usable = (server: Server, pool: ResourcePool.ResourcePool<Connection>) =>
  Effect.gen(function*() {
    yield* atRest(pool)
    yield* pool.use((connection) => server.holding(connection, Effect.void))
    yield* atRest(pool)
    expect(server.mostAlive).toBeLessThanOrEqual(1)
  })

describe("interrupted at any point", () => {
  const sweeps: Record<
    string,
    (pool: ResourcePool.ResourcePool<Connection>, server: Server) => Effect.Effect<unknown, unknown>
  > = {
    use: (pool, server) => pool.use((connection) => server.holding(connection, Effect.yieldNow())),
    get: (pool, server) =>
      Effect.scoped(Effect.flatMap(pool.get, (connection) => server.holding(connection, Effect.yieldNow()))),
    lease: (pool, server) =>
      Effect.scoped(
        Effect.flatMap(pool.lease(), ({ value }) => server.holding(value, Effect.yieldNow()))
      ),
    tryUse: (pool, server) => pool.tryUse((connection) => server.holding(connection, Effect.yieldNow())),
    tryGet: (pool, server) =>
      Effect.scoped(Effect.flatMap(pool.tryGet, (connection) => server.holding(connection, Effect.yieldNow())))
  }

  for (const [name, sweep] of Object.entries(sweeps)) {
    it.effect(`${name} returns what it has borrowed`, () =>
      inScope(Effect.gen(function*() {
        const server = new Server()
        const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, maxSize: 1, minSize: 1 })
        yield* pool.awaitReady
        const points = yield* interruptionSweep(sweep(pool, server), usable(server, pool))
        expect(points).toBeGreaterThan(3)
        expect(server.opened).toBe(1)
      })))

    // The clock is moved between any two points.
    if (name !== "use" && name !== "get") continue
    it.effect(
      `${name} of an item that is validated before and recycled after leaves nothing in use`,
      () =>
        onAdjustableClock(inScope(Effect.gen(function*() {
          const server = new Server()
          const pool = yield* ResourcePool.make(server.create, {
            destroy: server.destroy,
            maxSize: 1,
            minSize: 1,
            validateAfter: "1 millis",
            validate: () => Effect.yieldNow(),
            recycle: () => Effect.yieldNow()
          })
          yield* pool.awaitReady
          yield* TestClock.adjust("1 seconds")
          // By the next run the item is stale again.
          const after = Effect.andThen(usable(server, pool), TestClock.adjust("1 seconds"))
          const points = yield* interruptionSweep(sweep(pool, server), after)
          expect(points).toBeGreaterThan(10)
          expect(server.alive).toBe(1)
        }))),
      120_000
    )
  }

  it.effect("a borrower that waits leaves its place to the next", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, maxSize: 1 })
      const contended = Effect.gen(function*() {
        const holder = yield* Effect.fork(
          pool.use((item) => server.holding(item, Effect.repeatN(Effect.yieldNow(), 5)))
        )
        yield* Effect.yieldNow()
        const waiter = yield* Effect.fork(pool.use((item) => server.holding(item, Effect.yieldNow())))
        yield* Effect.yieldNow()
        yield* pool.use((item) => server.holding(item, Effect.yieldNow()))
        yield* Fiber.join(waiter)
        yield* Fiber.join(holder)
      })
      const points = yield* interruptionSweep(contended, usable(server, pool))
      expect(points).toBeGreaterThan(30)
    })))

  it.effect("the making of a pool, its first borrow and its end leave nothing open", () =>
    Effect.gen(function*() {
      const server = new Server()
      const life = inScope(Effect.gen(function*() {
        const create = Effect.zipLeft(
          Effect.acquireRelease(Effect.succeed(server), () => Effect.yieldNow()),
          Effect.yieldNow()
        ).pipe(Effect.andThen(server.create))
        const pool = yield* ResourcePool.make(create, { destroy: server.destroy, minSize: 1, maxSize: 2 })
        yield* pool.use(() => Effect.yieldNow())
        yield* Effect.scoped(Effect.andThen(pool.get, Effect.yieldNow()))
        yield* pool.drain()
        expect((yield* Effect.flatMap(registry, (r) => r.accounts)).live).toBe(0)
      }))
      const points = yield* interruptionSweep(
        life,
        Effect.suspend(() => server.alive === 0 ? Effect.void : Effect.fail(`${server.alive} are left`))
      )
      expect(points).toBeGreaterThan(50)
      expect(server.opened).toBeGreaterThan(20)
    }), 60_000)

  it.effect("a drain goes on, and whoever asks again gets its report", () =>
    Effect.gen(function*() {
      const server = new Server()
      const drained = inScope(Effect.gen(function*() {
        const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, minSize: 2 })
        yield* pool.awaitReady
        const holder = yield* Effect.fork(pool.use(() => Effect.repeatN(Effect.yieldNow(), 20)))
        yield* Effect.yieldNow()
        yield* pool.drain()
        yield* Fiber.join(holder)
      }))
      yield* interruptionSweep(
        drained,
        Effect.suspend(() => server.alive === 0 ? Effect.void : Effect.fail(`${server.alive} are left`))
      )
    }), 60_000)
})
