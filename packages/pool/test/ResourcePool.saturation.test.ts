import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { PoolError, ResourcePool } from "../src/index.js"
import { atRest, inScope, Server, turns } from "./kit.js"

const times = (n: number) => Array.from({ length: n }, (_, i) => i)

describe("more borrowers than items", () => {
  it.effect("a spike of 50 on 10 creates no more than it needs", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const slowly = Effect.zipRight(Effect.sleep("100 millis"), server.create)
      const pool = yield* ResourcePool.make(slowly, { destroy: server.destroy, createConcurrency: 1 })
      const quick = (item: any) => server.holding(item, Effect.sleep("1 millis"))
      const spike = yield* Effect.fork(
        Effect.forEach(times(50), () => pool.use(quick), { concurrency: "unbounded", discard: true })
      )
      yield* turns
      for (let i = 0; i < 60; i++) {
        yield* TestClock.adjust("5 millis")
        yield* turns
      }
      yield* Fiber.join(spike)
      // The first did most of the work while the second and third were being created.
      expect(server.opened).toBeLessThanOrEqual(3)
      expect(yield* atRest(pool)).toBe(server.opened)
    })))

  it.effect("50 that hold on to what they get, get all 10 and no more", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy })
      const gate = yield* Deferred.make<void>()
      const served: Array<number> = []
      const fibers = yield* Effect.forEach(times(50), (i) =>
        Effect.fork(pool.use((item) =>
          server.holding(
            item,
            Effect.andThen(Effect.sync(() => served.push(i)), Deferred.await(gate))
          )
        )))
      yield* turns
      expect(yield* pool.snapshot).toMatchObject({ total: 10, inUse: 10, waiting: 40 })
      expect(served).toEqual(times(10))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(fibers))
      expect(served).toEqual(times(50))
      expect([server.opened, server.mostAlive]).toEqual([10, 10])
      expect(yield* atRest(pool)).toBe(10)
    })))

  it.effect("creates so many at once and no more", () =>
    inScope(Effect.gen(function*() {
      let running = 0
      let most = 0
      const create = Effect.gen(function*() {
        most = Math.max(most, ++running)
        yield* Effect.sleep("1 seconds")
        running--
      })
      const pool = yield* ResourcePool.make(create, { createConcurrency: 3 })
      const fibers = yield* Effect.forEach(times(10), () => Effect.fork(pool.use(() => Effect.never)))
      yield* turns
      for (let i = 0; i < 4; i++) {
        yield* TestClock.adjust("1 seconds")
        yield* turns
      }
      expect([most, (yield* pool.snapshot).inUse]).toEqual([3, 10])
      yield* Fiber.interruptAll(fibers)
    })))

  it.effect("turns away who would wait beyond the limit, at once and with its type", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { name: "db", maxSize: 2, maxWaiters: 3 })
      const gate = yield* Deferred.make<void>()
      const fibers = yield* Effect.forEach(times(5), () => Effect.fork(pool.use(() => Deferred.await(gate))))
      yield* turns
      const error = yield* Effect.flip(pool.use(() => Effect.void))
      expect(error).toBeInstanceOf(PoolError.PoolExhausted)
      expect(error.message).toBe(
        "Pool db is exhausted: no more than 3 borrowers may wait (total 2, idle 0, in use 2, waiting 3)"
      )
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(fibers))
      expect(yield* pool.use(() => Effect.succeed("lent"))).toBe("lent")
    })))

  it.effect("lets nobody wait where none may, and still fills itself", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { maxSize: 3, maxWaiters: 0 })
      const attempts = times(5).map(() =>
        Effect.match(pool.use(() => Effect.yieldNow()), {
          onFailure: ({ _tag }) => _tag,
          onSuccess: () => "lent"
        })
      )
      const results = yield* Effect.all(attempts, { concurrency: "unbounded" })
      expect(results).toEqual(["lent", "lent", "lent", "PoolExhausted", "PoolExhausted"])
    })))

  it.effect("gives another to who was served an unfit item, though nobody may wait", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, {
        destroy: server.destroy,
        validate: ({ number }) => Effect.succeed(number > 1),
        maxSize: 1,
        maxWaiters: 0
      })
      yield* pool.use(() => Effect.void)
      yield* TestClock.adjust("1 seconds")
      expect(yield* pool.use(({ number }) => Effect.succeed(number))).toBe(2)
    })))

  it.effect("makes room for who asks while the last item is on its way out, though nobody may wait", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, {
        destroy: (connection) => Effect.andThen(Effect.sleep("1 seconds"), server.destroy(connection)),
        maxSize: 1,
        maxUses: 1,
        maxWaiters: 0
      })
      const number = pool.use(({ number }) => Effect.succeed(number))
      const both = yield* Effect.fork(Effect.all([number, number]))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.join(both)).toEqual([1, 2])
      expect(server.mostAlive).toBe(1)
      yield* TestClock.adjust("1 seconds")
    })))

  it.effect("tryUse and tryGet take what is idle now, or fail", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.succeed("item"), { name: "db", maxSize: 1 })
      const error = yield* Effect.flip(pool.tryUse(() => Effect.void))
      expect(error.message).toBe("Pool db is exhausted: no item is idle (total 0, idle 0, in use 0, waiting 0)")
      yield* turns
      expect(yield* pool.tryUse((item) => Effect.succeed(item))).toBe("item")
      expect(yield* Effect.scoped(pool.tryGet)).toBe("item")
      expect(yield* Effect.flip(pool.use(() => pool.tryUse(() => Effect.void)))).toMatchObject({
        _tag: "PoolExhausted"
      })
      yield* pool.suspend
      expect((yield* Effect.flip(pool.tryUse(() => Effect.void))).message).toBe(
        "Pool db is exhausted: it is suspended (total 1, idle 1, in use 0, waiting 0)"
      )
    })))

  it.effect("serves the more urgent first, and equals in order", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { maxSize: 1 })
      const gate = yield* Deferred.make<void>()
      const order: Array<string> = []
      const holder = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
      yield* turns
      const waiting = [["low", "Low"], ["a", undefined], ["b", "Normal"], ["critical", "Critical"], [
        "high",
        "High"
      ]] as const
      const fibers = yield* Effect.forEach(waiting, ([name, priority]) =>
        Effect.fork(
          pool.use(() => Effect.sync(() => order.push(name)), priority === undefined ? undefined : { priority })
        ))
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(fibers))
      yield* Fiber.join(holder)
      expect(order).toEqual(["critical", "high", "a", "b", "low"])
    })))
})

describe("the size of a pool", () => {
  it.effect("grows at once, and shrinks as items come back", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, maxSize: 1 })
      const gates = yield* Effect.forEach(times(3), () => Deferred.make<void>())
      const fibers = yield* Effect.forEach(gates, (gate) =>
        Effect.fork(pool.use((item) => server.holding(item, Deferred.await(gate)))))
      yield* turns
      expect(yield* pool.snapshot).toMatchObject({ inUse: 1, waiting: 2 })
      yield* pool.resize({ maxSize: 3 })
      yield* turns
      expect(yield* pool.snapshot).toMatchObject({ inUse: 3, waiting: 0, maxSize: 3 })
      yield* pool.resize({ maxSize: 1 })
      yield* Deferred.succeed(gates[0]!, undefined)
      yield* Deferred.succeed(gates[1]!, undefined)
      yield* turns
      expect(server.closed).toBe(2)
      yield* Deferred.succeed(gates[2]!, undefined)
      yield* Fiber.join(Fiber.all(fibers))
      expect(yield* atRest(pool)).toBe(1)
    })))

  it.effect("fills up to minSize by itself, and says when it is ready", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const slowly = Effect.zipRight(Effect.sleep("1 seconds"), server.create)
      const pool = yield* ResourcePool.make(slowly, { destroy: server.destroy, minSize: 3, createConcurrency: 1 })
      const ready = yield* Effect.fork(pool.awaitReady)
      yield* turns
      for (let i = 0; i < 2; i++) {
        yield* TestClock.adjust("1 seconds")
        yield* turns
      }
      expect((yield* Fiber.poll(ready))._tag).toBe("None")
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(ready)
      expect(yield* atRest(pool)).toBe(3)
    })))

  it.effect("says at once that it cannot be ready, and goes on trying", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      let isDown = true
      const create = Effect.suspend(() => isDown ? Effect.fail("down") : server.create)
      const pool = yield* ResourcePool.make(create, { destroy: server.destroy, minSize: 1 })
      const error = yield* Effect.flip(pool.awaitReady)
      expect(error).toMatchObject({ _tag: "PoolCreationFailed", failures: 1 })
      isDown = false
      yield* TestClock.adjust("10 millis")
      yield* turns
      yield* pool.awaitReady
      expect(yield* atRest(pool)).toBe(1)
    })))

  it.effect("shrinks to minSize after the idle timeout, and no further", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, minSize: 2 })
      yield* Effect.all(times(5).map(() => pool.use(() => Effect.yieldNow())), { concurrency: "unbounded" })
      yield* turns
      const before = server.opened
      expect(before).toBeGreaterThan(2)
      yield* TestClock.adjust("10 minutes")
      yield* turns
      expect(yield* atRest(pool)).toBe(2)
      yield* TestClock.adjust("20 minutes")
      expect(server.opened - server.closed).toBe(2)
    })))

  it.effect("replaces items by their age, each at an instant of its own", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const ages: Array<number> = []
      const pool = yield* ResourcePool.make(server.create, {
        destroy: (item, { ageMillis }) => Effect.andThen(Effect.sync(() => ages.push(ageMillis)), server.destroy(item)),
        minSize: 8,
        maxLifetime: "1 hours"
      })
      yield* pool.awaitReady
      yield* TestClock.adjust("44 minutes")
      expect(ages).toEqual([])
      yield* TestClock.adjust("16 minutes")
      yield* turns
      expect(ages.length).toBe(8)
      for (const age of ages) {
        expect(age).toBeGreaterThan(45 * 60_000 - 1)
        expect(age).toBeLessThanOrEqual(60 * 60_000)
      }
      expect(new Set(ages).size).toBeGreaterThan(1)
      expect(yield* atRest(pool)).toBe(8)
    })))

  it.effect("never takes an item that is too old from its holder", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, {
        destroy: server.destroy,
        maxLifetime: "1 minutes",
        lifetimeJitter: 0
      })
      const holder = yield* Effect.fork(pool.use((item) => server.holding(item, Effect.sleep("5 minutes"))))
      yield* turns
      yield* TestClock.adjust("299 seconds")
      expect(server.closed).toBe(0)
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(holder)
      yield* turns
      expect(server.closed).toBe(1)
    })))

  it.effect("replaces items by their uses", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, maxUses: 3, maxSize: 1 })
      const used: Array<number> = []
      for (let i = 0; i < 7; i++) used.push(yield* pool.use(({ number }) => Effect.succeed(number)))
      expect(used).toEqual([1, 1, 1, 2, 2, 2, 3])
    })))

  it.effect("evicts what is idle, and tells how many", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, minSize: 2 })
      yield* pool.awaitReady
      expect(yield* pool.evictIdle).toBe(2)
      yield* turns
      expect([server.opened, server.closed]).toEqual([4, 2])
      expect(yield* atRest(pool)).toBe(2)
    })))
})

describe("a suspended pool", () => {
  it.effect("lends nothing until it is resumed, within its borrowers' deadlines", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, maxSize: 2 })
      yield* pool.use(() => Effect.void)
      yield* pool.suspend
      expect((yield* pool.snapshot).state).toBe("suspended")
      const hasty = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void, { acquireTimeout: "1 seconds" })))
      const patient = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.join(hasty)).toMatchObject({ _tag: "PoolTimeout", stage: "waiting" })
      expect(server.opened).toBe(1)
      yield* pool.resume
      expect(yield* Fiber.join(patient)).toBe(1)
      expect((yield* pool.snapshot).state).toBe("open")
    })))
})
