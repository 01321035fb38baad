/** Shows `PoolDrain`. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock, VirtualClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import { ResourcePool } from "../src/index.js"
import { busy, make } from "./busyPool.js"
import { atRest, inScope, logging, quietly, Server, turns } from "./kit.js"

describe("a drain", () => {
  it.effect("fails who waits and who comes, waits for who holds, and reports", () =>
    inScope(Effect.gen(function*() {
      const { gate, holder, pool, server, waiter } = yield* busy()
      const draining = yield* Effect.fork(pool.drain())
      yield* turns
      expect(yield* Fiber.join(waiter)).toMatchObject({ cause: { error: { _tag: "PoolClosed", pool: "db" } } })
      const refused = yield* Effect.flip(pool.use(() => Effect.void))
      expect(refused.message).toBe("Pool db is closed")
      expect(yield* Effect.flip(pool.tryUse(() => Effect.void))).toMatchObject({ _tag: "PoolClosed" })
      expect(yield* Effect.flip(pool.awaitReady)).toMatchObject({ _tag: "PoolClosed" })
      expect((yield* pool.snapshot).state).toBe("draining")
      yield* TestClock.adjust("10 seconds")
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(holder)).toEqual(Exit.succeed("held"))
      expect(yield* Fiber.join(draining)).toEqual({
        pool: "db",
        durationMillis: 10_000,
        deadlineMillis: 20_000,
        deadlineReached: false,
        refused: 1,
        reclaimed: 0,
        destroyed: 1,
        failed: [],
        stillHeld: 0,
        stillRunning: 0
      })
      expect((yield* pool.snapshot).state).toBe("closed")
      expect(server.alive).toBe(0)
    })))

  it.effect("refuses newcomers from the call on, before anything else has had a turn", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server, { minSize: 1 })
      yield* pool.awaitReady
      const [, error] = yield* Effect.all([pool.drain(), Effect.flip(pool.use(() => Effect.void))], {
        concurrency: "unbounded"
      })
      expect(error._tag).toBe("PoolClosed")
    })))

  it.effect("serves who waits first, where that is wanted", () =>
    inScope(Effect.gen(function*() {
      const { gate, pool, server, waiter } = yield* busy()
      const draining = yield* Effect.fork(pool.drain({ waiters: "serve" }))
      yield* turns
      expect((yield* pool.snapshot).state).toBe("draining")
      expect(yield* Effect.flip(pool.use(() => Effect.void))).toMatchObject({ _tag: "PoolClosed" })
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(waiter)).toEqual(Exit.succeed("waited"))
      expect(yield* Fiber.join(draining)).toMatchObject({ refused: 0, destroyed: 1 })
      expect(server.alive).toBe(0)
    })))

  it.effect("serves from what has to be created still, and interrupts what nobody wants any more", () =>
    inScope(Effect.gen(function*() {
      let interrupted = 0
      let created = 0
      const gate = yield* Deferred.make<void>()
      const create = Effect.suspend(() =>
        ++created === 1 ?
          Effect.as(Deferred.await(gate), "first") :
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      )
      const pool = yield* ResourcePool.make(create, { drainWaiters: "serve" })
      const borrowers = yield* Effect.forEach([1, 2], () => Effect.fork(pool.use((item) => Effect.succeed(item))))
      yield* turns
      const draining = yield* Effect.fork(pool.drain())
      yield* turns
      expect(created).toBe(2)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(Fiber.all(borrowers))).toEqual(["first", "first"])
      expect(yield* Fiber.join(draining)).toMatchObject({ deadlineReached: false, stillRunning: 0 })
      expect(interrupted).toBe(1)
    })))

  it.effect("serves who was in line before with another item, where the first was unfit", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const asked = yield* Deferred.make<void>()
      const pool = yield* make(server, {
        maxSize: 1,
        drainWaiters: "serve",
        validateAfter: 0,
        validate: ({ number }) => number === 1 ? Effect.as(Deferred.await(asked), false) : Effect.void
      })
      const borrower = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
      yield* turns
      const draining = yield* Effect.fork(pool.drain())
      yield* turns
      yield* Deferred.succeed(asked, undefined)
      yield* turns
      // A new item that is unfit is a failed creation, after which there is a pause.
      yield* TestClock.adjust("10 millis")
      expect(yield* Fiber.join(borrower)).toBe(2)
      expect(yield* Fiber.join(draining)).toMatchObject({ destroyed: 2, deadlineReached: false })
    })))

  it.effect("takes items from their holders shortly before its deadline", () =>
    inScope(Effect.gen(function*() {
      const { gate, holder, pool, server } = yield* busy({ drainWaiters: "serve" })
      const draining = yield* Effect.fork(pool.drain({ timeout: "10 seconds" }))
      yield* turns
      yield* TestClock.adjust("7999 millis")
      yield* turns
      expect([server.closed, (yield* pool.snapshot).waiting]).toEqual([0, 1])
      yield* TestClock.adjust("1 millis")
      const report = yield* Fiber.join(draining)
      expect(report).toMatchObject({
        durationMillis: 8_000,
        deadlineReached: false,
        refused: 1,
        reclaimed: 1,
        destroyed: 1
      })
      expect(server.closed).toBe(1)
      // Its return is nothing then.
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(holder)
      expect(yield* atRest(pool)).toBe(0)
      expect(server.closed).toBe(1)
    })))

  it.effect("forces 5 seconds before its deadline at the earliest", () =>
    inScope(Effect.gen(function*() {
      const { pool } = yield* busy()
      const draining = yield* Effect.fork(pool.drain({ timeout: "1 minutes" }))
      yield* turns
      yield* TestClock.adjust("55 seconds")
      expect(yield* Fiber.join(draining)).toMatchObject({ durationMillis: 55_000, reclaimed: 1 })
    })))

  it.effect("ends at its deadline with a destruction that hangs, and says so", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, {
        destroy: () => Effect.never,
        destroyTimeout: "1 minutes",
        minSize: 2
      })
      yield* pool.awaitReady
      const draining = yield* Effect.fork(pool.drain({ timeout: "3 seconds" }))
      yield* turns
      yield* TestClock.adjust("3 seconds")
      expect(yield* Fiber.join(draining)).toMatchObject({
        durationMillis: 3_000,
        deadlineReached: true,
        stillRunning: 2,
        destroyed: 0
      })
      // The registry still lets go of them in time.
      yield* TestClock.adjust("1 minutes")
      expect(yield* atRest(pool)).toBe(0)
    })))

  it.effect("ends at its deadline with a creation that does not stop, and destroys what it gives then", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const gate = yield* Deferred.make<void>()
      const create = Effect.andThen(Effect.uninterruptible(Deferred.await(gate)), server.create)
      const pool = yield* ResourcePool.make(Effect.uninterruptible(create), { destroy: server.destroy, minSize: 1 })
      yield* turns
      const draining = yield* Effect.fork(pool.drain({ timeout: "3 seconds" }))
      yield* turns
      yield* TestClock.adjust("3 seconds")
      expect(yield* Fiber.join(draining)).toMatchObject({ deadlineReached: true, stillRunning: 1 })
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      expect([server.opened, server.closed]).toEqual([1, 1])
      expect(yield* atRest(pool)).toBe(0)
    })))

  it.effect("a drain is not held up by a check that hangs beyond its deadline", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const stuck = () => Effect.uninterruptible(Effect.never)
      const pool = yield* make(server, {
        minSize: 1,
        maxSize: 3,
        keepAlive: stuck,
        keepAliveTimeout: "1 minutes",
        recycle: stuck,
        recycleTimeout: "1 minutes",
        validate: stuck,
        validateTimeout: "1 minutes",
        acquireTimeout: "1 minutes"
      })
      yield* pool.awaitReady
      yield* TestClock.adjust("2 minutes")
      // One is kept alive, one recycled.
      const recycling = yield* Effect.fork(Effect.exit(pool.use(() => Effect.void)))
      yield* turns
      expect(yield* pool.snapshot).toMatchObject({ inUse: 2, holders: [] })
      const draining = yield* Effect.fork(pool.drain({ timeout: "5 seconds" }))
      yield* turns
      yield* TestClock.adjust("4 seconds")
      expect(yield* Fiber.join(draining)).toMatchObject({ durationMillis: 4_000, deadlineReached: false, destroyed: 2 })
      expect(server.alive).toBe(0)
      yield* TestClock.adjust("1 minutes")
      expect(yield* Fiber.join(recycling)).toEqual(Exit.void)
      expect(yield* atRest(pool)).toBe(0)
    })))

  it.effect("does not lend an item that was found fit after it was taken back", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const gate = yield* Deferred.make<void>()
      const pool = yield* make(server, {
        minSize: 1,
        validate: () => Deferred.await(gate),
        validateTimeout: "1 minutes"
      })
      yield* pool.awaitReady
      yield* TestClock.adjust("1 seconds")
      const borrower = yield* Effect.fork(Effect.flip(pool.use(() => Effect.die("lent"))))
      yield* turns
      const draining = yield* Effect.fork(pool.drain({ timeout: "5 seconds" }))
      yield* turns
      yield* TestClock.adjust("4 seconds")
      yield* Fiber.join(draining)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(borrower)).toMatchObject({ _tag: "PoolClosed" })
      expect(server.alive).toBe(0)
    })))

  it.live("does not lend an item that comes back in the moment in which it takes back all others", () => {
    const { clock, pass } = VirtualClock.make()
    return Effect.scoped(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server, { maxSize: 1, acquireTimeout: Infinity, slowBorrowAfter: Infinity })
      const gate = yield* Deferred.make<void>()
      const held = Effect.andThen(Deferred.await(gate), Effect.sleep("20 seconds"))
      const holder = yield* Effect.fork(pool.use(() => held))
      yield* turns
      const waiter = yield* Effect.fork(Effect.flip(pool.use(() => Effect.never)))
      yield* turns
      const drained = yield* Effect.fork(pool.drain({ timeout: "25 seconds", waiters: "serve" }))
      yield* turns
      // Its holder wakes with the drain's own timer, and just after it.
      yield* Deferred.succeed(gate, undefined)
      yield* pass(20_000, turns)
      expect(Option.isSome(yield* Fiber.poll(waiter))).toBe(true)
      expect(yield* Fiber.join(waiter)).toMatchObject({ _tag: "PoolClosed" })
      expect(yield* Fiber.join(drained)).toMatchObject({ destroyed: 1, refused: 0, reclaimed: 0 })
      yield* Fiber.join(holder)
    })).pipe(Effect.provide(Layer.provideMerge(quietly, Layer.setClock(clock))))
  })

  it.effect("lends an item that is being validated, unless it serves nobody any more", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const gate = yield* Deferred.make<boolean>()
      const pool = yield* make(server, { minSize: 1, validate: () => Deferred.await(gate) })
      yield* pool.awaitReady
      yield* TestClock.adjust("1 seconds")
      const borrower = yield* Effect.fork(pool.use((item) => server.holding(item, Effect.succeed("lent"))))
      yield* turns
      const draining = yield* Effect.fork(pool.drain())
      yield* turns
      yield* Deferred.succeed(gate, true)
      expect(yield* Fiber.join(borrower)).toBe("lent")
      expect(yield* Fiber.join(draining)).toMatchObject({ destroyed: 1, reclaimed: 0 })
    })))

  it.effect("a drain is one, however often and concurrently it is asked for", () =>
    inScope(Effect.gen(function*() {
      const { gate, pool, server } = yield* busy()
      const drains = yield* Effect.forEach(
        [pool.drain(), pool.drain({ timeout: "1 minutes" }), pool.drain({ timeout: "2 minutes" })],
        Effect.fork
      )
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      const [first, second, third] = yield* Fiber.join(Fiber.all(drains))
      expect(second).toBe(first)
      expect(third).toBe(first)
      expect(first!.deadlineMillis).toBe(20_000)
      expect(yield* pool.drain()).toBe(first)
      expect(server.closed).toBe(1)
    })))

  it.effect("ends by the earliest deadline that somebody gave it, the closing of its scope among them", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const scope = yield* Scope.make()
      const pool = yield* Scope.extend(make(server, { drainTimeout: "10 seconds" }), scope)
      yield* Effect.fork(pool.use(() => Effect.never))
      yield* turns
      const draining = yield* Effect.fork(pool.drain({ timeout: "1 hours" }))
      yield* turns
      yield* TestClock.adjust("30 seconds")
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* turns
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(closing)
      expect(yield* Fiber.join(draining)).toMatchObject({
        reclaimed: 1,
        deadlineMillis: 40_000,
        durationMillis: 38_000
      })
      expect(server.alive).toBe(0)
    })))

  it.effect("does not begin later to take items back because it has to end earlier", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server, {
        destroy: (connection) => Effect.andThen(Effect.sleep("3 seconds"), server.destroy(connection))
      })
      yield* Effect.fork(pool.use(() => Effect.never))
      yield* turns
      const draining = yield* Effect.fork(pool.drain({ timeout: "30 seconds" }))
      yield* turns
      yield* TestClock.adjust("24900 millis")
      yield* Effect.fork(pool.drain({ timeout: "4 seconds" }))
      yield* turns
      yield* TestClock.adjust("4 seconds")
      expect(yield* Fiber.join(draining)).toMatchObject({
        destroyed: 1,
        deadlineReached: false,
        durationMillis: 28_000
      })
    })))

  it.effect("interrupts a creation at the end of its uninterruptible region, though its time is up by then", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const open = Effect.zipRight(Effect.sleep("1 seconds"), server.create)
      const create = Effect.andThen(Effect.acquireRelease(open, server.destroy), Effect.never)
      const pool = yield* ResourcePool.make(create, { destroy: () => Effect.void, minSize: 1 })
      yield* turns
      const draining = yield* Effect.fork(pool.drain({ timeout: "500 millis" }))
      yield* turns
      for (let i = 0; i < 6; i++) {
        yield* TestClock.adjust("500 millis")
        yield* turns
      }
      expect(yield* Fiber.join(draining)).toMatchObject({ stillRunning: 1, durationMillis: 500 })
      expect([server.opened, server.closed]).toEqual([1, 1])
    })))

  it.effect("waits for what was got for a scope, and then takes it back, whoever has begun the drain", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server)
      const outer = yield* Scope.make()
      yield* Scope.extend(pool.get, outer)
      const draining = yield* Effect.fork(pool.drain({ timeout: "10 seconds" }))
      yield* turns
      yield* TestClock.adjust("7 seconds")
      expect([(yield* Fiber.poll(draining))._tag, server.alive]).toEqual(["None", 1])
      yield* TestClock.adjust("3 seconds")
      expect(yield* Fiber.join(draining)).toMatchObject({ reclaimed: 1, stillHeld: 0, durationMillis: 8_000 })
      expect(server.alive).toBe(0)
      yield* Scope.close(outer, Exit.void)
    })))

  it.effect("gives a creation with a destroy of its own the time of a destruction, and destroys what it comes to", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const create = Effect.flatMap(server.create, (connection) => Effect.as(Effect.sleep("4 seconds"), connection))
      const pool = yield* ResourcePool.make(create, { destroy: server.destroy, minSize: 1 })
      yield* turns
      const draining = yield* Effect.fork(pool.drain())
      yield* turns
      yield* TestClock.adjust("4 seconds")
      expect(yield* Fiber.join(draining)).toMatchObject({ destroyed: 1, durationMillis: 4_000, deadlineReached: false })
      expect([server.opened, server.closed]).toEqual([1, 1])
    })))

  it.effect("cuts such a creation off that does not end by then", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.never, { destroy: () => Effect.void, minSize: 1 })
      yield* turns
      const draining = yield* Effect.fork(pool.drain())
      yield* turns
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(draining)).toMatchObject({
        durationMillis: 5_000,
        deadlineReached: false,
        stillRunning: 0
      })
    })))

  it.effect("goes on where its caller is interrupted", () =>
    inScope(Effect.gen(function*() {
      const { gate, pool, server } = yield* busy()
      const draining = yield* Effect.fork(pool.drain())
      yield* turns
      yield* Fiber.interrupt(draining)
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      expect(server.alive).toBe(0)
      expect((yield* pool.snapshot).state).toBe("closed")
    })))

  it.effect("tells holders that it wants its items back", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server)
      const holder = yield* Effect.fork(pool.use((_, lease) => Effect.as(lease.awaitDraining, "returned early")))
      yield* turns
      expect(yield* pool.drain()).toMatchObject({ reclaimed: 0, destroyed: 1 })
      expect(yield* Fiber.join(holder)).toBe("returned early")
    })))

  it.effect("serves a suspended pool's waiters, or fails them", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const drainSuspended = (waiters: "serve" | "fail") =>
        Effect.gen(function*() {
          const pool = yield* make(server, { minSize: 1 })
          yield* pool.awaitReady
          yield* pool.suspend
          const waiter = yield* Effect.fork(Effect.exit(pool.use(() => Effect.void)))
          yield* turns
          yield* pool.drain({ waiters })
          return yield* Fiber.join(waiter)
        })
      expect(Exit.isSuccess(yield* drainSuspended("serve"))).toBe(true)
      expect(server.opened).toBe(1)
      expect(Exit.isFailure(yield* drainSuspended("fail"))).toBe(true)
      expect(server.alive).toBe(0)
    })))

  it.effect("ends suspending, resizing and evicting", () =>
    inScope(Effect.gen(function*() {
      const { gate, pool, server } = yield* busy({ drainWaiters: "serve" })
      const draining = yield* Effect.fork(pool.drain())
      yield* turns
      yield* pool.suspend
      yield* pool.resize({ minSize: 5, maxSize: 10 })
      expect(yield* pool.evictIdle).toBe(0)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(draining)).toMatchObject({ refused: 0, deadlineReached: false })
      yield* pool.resume
      yield* turns
      expect(server.alive).toBe(0)
    })))

  it.effect("does not take creations that it interrupts for failures", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.never, { minSize: 3 })
        yield* turns
        yield* pool.drain()
        const { creationFailures, lastCreationFailure } = yield* pool.snapshot
        expect([creationFailures, lastCreationFailure, lines]).toEqual([0, undefined, []])
      })
    ))
})
