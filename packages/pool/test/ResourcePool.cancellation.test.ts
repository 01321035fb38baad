import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { interruptionSweep, TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { ResourcePool } from "../src/index.js"
import { atRest, type Connection, inScope, Server, turns } from "./kit.js"

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

    // The clock is moved between any two points, which takes its time.
    if (name !== "use" && name !== "get") continue
    it.effect(`${name} of an item that is validated before and recycled after leaves nothing in use`, () =>
      inScope(Effect.gen(function*() {
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
      })))
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

describe("an interrupted borrower", () => {
  it.effect("does not wait for the creation that it asked for, which serves the next", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const gate = yield* Deferred.make<void>()
      const pool = yield* ResourcePool.make(Effect.andThen(Deferred.await(gate), server.create), {
        destroy: server.destroy,
        maxSize: 1
      })
      const first = yield* Effect.fork(pool.use(() => Effect.void))
      yield* turns
      const second = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
      yield* turns
      yield* Fiber.interrupt(first)
      expect(yield* pool.snapshot).toMatchObject({ creating: 1, waiting: 1 })
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(second)).toBe(1)
    })))

  it.effect("gives back at once what it was served in the same moment", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, maxSize: 1 })
      const scope = yield* Scope.make()
      yield* Scope.extend(pool.get, scope)
      const waiter = yield* Effect.fork(pool.use(() => Effect.die("must not run")))
      const next = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
      yield* turns
      // Served, and interrupted before its turn comes.
      yield* Scope.close(scope, Exit.void)
      const exit = yield* Fiber.interrupt(waiter)
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(yield* Fiber.join(next)).toBe(1)
      expect(yield* atRest(pool)).toBe(1)
    })))

  it.effect("condemns the item that was being validated for it", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, {
        destroy: server.destroy,
        maxSize: 1,
        validate: () => Effect.never
      })
      yield* pool.use(() => Effect.void)
      yield* TestClock.adjust("1 seconds")
      const borrower = yield* Effect.fork(pool.use(() => Effect.void))
      yield* turns
      expect(yield* pool.snapshot).toMatchObject({ inUse: 1, idle: 0, holders: [] })
      yield* Fiber.interrupt(borrower)
      expect(yield* atRest(pool)).toBe(0)
      expect(server.closed).toBe(1)
    })))

  it.effect("returns its item recycled, though the scope's close is interrupted meanwhile", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const gate = yield* Deferred.make<void>()
      const pool = yield* ResourcePool.make(server.create, {
        destroy: server.destroy,
        maxSize: 1,
        recycle: () => Deferred.await(gate)
      })
      const scope = yield* Scope.make()
      yield* Scope.extend(pool.get, scope)
      const closing = yield* Effect.fork(Effect.interruptible(Scope.close(scope, Exit.void)))
      yield* turns
      const interrupting = yield* Effect.fork(Fiber.interrupt(closing))
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interrupting)
      expect(yield* atRest(pool)).toBe(1)
    })))
})

describe("an interrupted creation", () => {
  it.effect("that succeeds in the same moment is destroyed, and counted until then", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const started = yield* Deferred.make<void>()
      const create = Effect.andThen(
        Deferred.succeed(started, undefined),
        Effect.andThen(Effect.sleep("2 seconds"), server.create)
      )
      const pool = yield* ResourcePool.make(create, {
        destroy: server.destroy,
        createTimeout: "1 seconds",
        acquireTimeout: "1 seconds"
      })
      const borrower = yield* Effect.fork(Effect.exit(pool.use(() => Effect.void)))
      yield* Deferred.await(started)
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(borrower)
      expect(yield* pool.snapshot).toMatchObject({ creating: 1, total: 1 })
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect([server.opened, server.closed]).toEqual([1, 1])
      expect(yield* atRest(pool)).toBe(0)
    })))

  it.effect("closes the scope that it has filled so far", () =>
    inScope(Effect.gen(function*() {
      const released: Array<string> = []
      const half = Effect.andThen(
        Effect.acquireRelease(Effect.void, () => Effect.sync(() => released.push("socket"))),
        Effect.never
      )
      const pool = yield* ResourcePool.make(half, { createTimeout: "1 seconds" })
      const borrower = yield* Effect.fork(Effect.exit(pool.use(() => Effect.void)))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      expect(released).toEqual(["socket"])
      yield* Fiber.interrupt(borrower)
      expect(yield* atRest(pool)).toBe(0)
    })))
})
