import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry, ResourceScope } from "@patinox/core"
import { it as leakFree, TestClock } from "@patinox/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { PoolError, ResourcePool } from "../src/index.js"
import { atRest, type Connection, inScope, quietly, Server, turns } from "./kit.js"

class Database extends Context.Tag("test/Database")<Database, ResourcePool.ResourcePool<Connection>>() {}

describe("a pool", () => {
  it.effect("lends, takes back and lends again", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy })
      expect(yield* pool.use((item) => server.holding(item, Effect.succeed(item.number)))).toBe(1)
      expect(yield* pool.use((item) => server.holding(item, Effect.succeed(item.number)))).toBe(1)
      expect(yield* pool.snapshot).toEqual({
        name: "pool",
        minSize: 0,
        maxSize: 10,
        state: "open",
        total: 1,
        idle: 1,
        inUse: 0,
        creating: 0,
        destroying: 0,
        waiting: 0,
        checking: 0,
        creationFailures: 0,
        lastCreationFailure: undefined,
        isFailingFast: false,
        holders: []
      })
      expect(yield* pool.drain()).toMatchObject({ destroyed: 1, failed: [], deadlineReached: false })
      expect(server.closed).toBe(1)
    })))

  it.effect("keeps an item for as long as the scope is open", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, maxSize: 1 })
      const scope = yield* Scope.make()
      const item = yield* Scope.extend(pool.get, scope)
      const waiter = yield* Effect.fork(pool.use((other) => Effect.succeed(other)))
      yield* turns
      expect((yield* Fiber.poll(waiter))._tag).toBe("None")
      yield* Scope.close(scope, Exit.void)
      expect(yield* Fiber.join(waiter)).toBe(item)
    })))

  it.effect("gives an item back at once whose scope is closed already", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.succeed("item"))
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      yield* Scope.extend(pool.get, scope)
      expect(yield* pool.snapshot).toMatchObject({ inUse: 0, idle: 1, holders: [] })
    })))

  for (
    const [name, open] of [["a scope of Effect's", Scope.make()], ["a ResourceScope", ResourceScope.make()]] as const
  ) {
    it.effect(`interrupts who waits for an item with ${name} that closes meanwhile, and gives the item to the next`, () =>
      inScope(Effect.gen(function*() {
        const server = new Server()
        const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, maxSize: 1 })
        const held = yield* Scope.make()
        yield* Scope.extend(pool.get, held)
        const scope: Scope.CloseableScope = yield* open
        const waiter = yield* Effect.fork(Scope.extend(pool.get, scope))
        yield* turns
        const next = yield* Effect.fork(pool.use((item) => server.holding(item, Effect.succeed("next"))))
        yield* turns
        yield* Scope.close(scope, Exit.void)
        expect(yield* pool.snapshot).toMatchObject({ inUse: 1, waiting: 2 })
        yield* Scope.close(held, Exit.void)
        const exit = yield* Fiber.await(waiter)
        expect(Exit.isInterrupted(exit)).toBe(true)
        expect(yield* Fiber.join(next)).toBe("next")
        expect(yield* atRest(pool)).toBe(1)
      })))
  }

  it.effect("serves who waits in order", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, maxSize: 3 })
      const order: Array<number> = []
      yield* Effect.forEach(
        Array.from({ length: 50 }, (_, i) => i),
        (i) => pool.use(() => Effect.andThen(Effect.yieldNow(), Effect.sync(() => order.push(i)))),
        { concurrency: "unbounded", discard: true }
      )
      expect(server.opened).toBeLessThanOrEqual(3)
      expect(order).toEqual([...order].sort((a, b) => a - b))
    })))

  it.effect("keeps the use's own error, defect and interruption, and takes the item back", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void)
      expect(yield* Effect.flip(pool.use(() => Effect.fail("own" as const)))).toBe("own")
      expect(yield* Effect.exit(pool.use(() => Effect.die("bug")))).toEqual(Exit.die("bug"))
      const thrown = yield* Effect.exit(pool.use((): Effect.Effect<void> => {
        throw new Error("thrown")
      }))
      expect(Exit.isFailure(thrown)).toBe(true)
      const fiber = yield* Effect.fork(pool.use(() => Effect.never))
      yield* turns
      yield* Fiber.interrupt(fiber)
      expect(yield* pool.snapshot).toMatchObject({ total: 1, idle: 1 })
    })))

  it.effect("creates in the context that it was made in, with a scope for each item", () =>
    inScope(Effect.gen(function*() {
      class Host extends Context.Tag("test/Host")<Host, string>() {}
      const closed: Array<string> = []
      const create = Effect.gen(function*() {
        const host = yield* Host
        yield* Effect.addFinalizer(() => Effect.sync(() => closed.push(host)))
        return host
      })
      const pool = yield* Effect.provideService(
        ResourcePool.make(create, {
          maxSize: 1,
          validate: (item) => Effect.map(Host, (host) => host === item),
          recycle: () => Host,
          keepAlive: () => Host,
          destroy: () => Host
        }),
        Host,
        "maker's"
      )
      const used = Effect.provideService(pool.use((host) => Effect.map(Host, (own) => [host, own])), Host, "user's")
      expect(yield* used).toEqual(["maker's", "user's"])
      yield* TestClock.adjust("1 seconds")
      expect(yield* used).toEqual(["maker's", "user's"])
      expect(closed).toEqual([])
      yield* pool.evictIdle
      yield* turns
      expect(closed).toEqual(["maker's"])
    })))

  leakFree.leakFree("in a layer is named by its Tag and drained when the layer closes", () => {
    const server = new Server()
    const layer = ResourcePool.layer(Database, server.create, { destroy: server.destroy, minSize: 2 })
    return Effect.gen(function*() {
      const names = yield* Effect.gen(function*() {
        const pool = yield* Database
        yield* pool.awaitReady
        const infos = yield* Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.list)
        return [pool.name, ...infos.map(({ typeName }) => typeName)]
      }).pipe(Effect.provide(layer))
      expect(names).toEqual(["test/Database", "test/Database", "test/Database"])
      expect([server.opened, server.alive]).toEqual([2, 0])
    }).pipe(Effect.provide(quietly))
  })

  it.effect("a pool in a layer fails to build with a bad option", () =>
    Effect.gen(function*() {
      const layer = ResourcePool.layer(Database, new Server().create, { maxSize: 0 })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      expect(error.message).toBe("Invalid option \"maxSize\": got 0, expected an integer from 1 to 100000")
    }).pipe(Effect.provide(quietly)))

  it.effect("a pool is interrupted with its borrower, wherever it waits", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.never, { createTimeout: "1 hours" })
      const fiber = yield* Effect.fork(pool.use(() => Effect.void))
      yield* turns
      expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
      const ready = yield* Effect.fork(Effect.andThen(pool.resize({ minSize: 1 }), pool.awaitReady))
      yield* turns
      expect(Exit.isInterrupted(yield* Fiber.interrupt(ready))).toBe(true)
      expect(yield* pool.snapshot).toMatchObject({ waiting: 0 })
    })))

  it.effect("lends one item to two borrowers in turn, never at once", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, maxSize: 1 })
      const gate = yield* Deferred.make<void>()
      const fibers = yield* Effect.forEach([1, 2, 3], () =>
        Effect.fork(pool.use((item) => server.holding(item, Deferred.await(gate)))))
      yield* turns
      expect((yield* pool.snapshot).holders.length).toBe(1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(fibers))
      expect(PoolError.is(
        yield* Effect.flip(Effect.andThen(
          pool.drain(),
          pool.use(() =>
            Effect.void
          )
        ))
      )).toBe(true)
    })))
})
