/** Shows `LeaseTracker`. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { ResourcePool } from "../src/index.js"
import { atRest, inScope, listen, logging, Server, turns } from "./kit.js"

describe("who holds an item", () => {
  it.effect("who holds an item is in the snapshot: with fiber, span and age, the oldest first", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void)
      const gate = yield* Deferred.make<void>()
      const first = yield* Effect.fork(pool.use(() => Deferred.await(gate)).pipe(Effect.withSpan("nightly report")))
      yield* turns
      yield* TestClock.adjust("5 seconds")
      const second = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      const { holders } = yield* pool.snapshot
      const number = (fiber: Fiber.RuntimeFiber<any, any>) => `#${fiber.id().id}`
      expect(holders).toMatchObject([
        { fiberId: number(first), spanName: "nightly report", heldMillis: 6_000 },
        { fiberId: number(second), heldMillis: 1_000 }
      ])
      expect(holders[1]).not.toHaveProperty("spanName")
      expect(holders[0]).not.toHaveProperty("stack")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      expect((yield* pool.snapshot).holders).toEqual([])
    })))

  for (const way of ["use", "get", "lease", "tryUse", "tryGet"] as const) {
    it.effect(`comes with the place in the user's code that called ${way}, where stacks are kept`, () =>
      inScope(Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.void, { captureStacks: "all", minSize: 1 })
        yield* pool.awaitReady
        const borrow = {
          use: () => pool.use(() => Effect.never),
          get: () => Effect.scoped(Effect.andThen(pool.get, Effect.never)),
          lease: () => Effect.scoped(Effect.andThen(pool.lease(), Effect.never)),
          tryUse: () => pool.tryUse(() => Effect.never),
          tryGet: () => Effect.scoped(Effect.andThen(pool.tryGet, Effect.never))
        }
        const fiber = yield* Effect.fork(borrow[way]())
        yield* turns
        const { holders: [holder] } = yield* pool.snapshot
        const [frame] = holder!.stack!.split("\n")
        expect(frame).toContain("ResourcePool.leak.test.ts")
        yield* Fiber.interrupt(fiber)
      })))
  }

  it.effect("comes with the place for the first of 128 calls, where they are sampled", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { captureStacks: "sampled", maxSize: 200 })
      const fibers = yield* Effect.forEach(Array.from({ length: 129 }), () => Effect.fork(pool.use(() => Effect.never)))
      yield* turns
      yield* turns
      const { holders } = yield* pool.snapshot
      expect(holders.length).toBe(129)
      expect(holders.flatMap(({ stack }, i) => stack === undefined ? [] : [i])).toEqual([0, 128])
      yield* Fiber.interruptAll(fibers)
    })))
})

describe("a lease that is held for long", () => {
  it.effect("a lease that is held for long is suspected to be a leak, once, and the suspicion is lifted when it ends", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.void, { name: "db", leakThreshold: "2 seconds" })
        const events = yield* listen(pool)
        const gate = yield* Deferred.make<void>()
        const held = pool.use(() => Deferred.await(gate)).pipe(Effect.withSpan("report"))
        const holder = yield* Effect.fork(held)
        yield* turns
        yield* TestClock.adjust("1999 millis")
        expect(lines).toEqual([])
        yield* TestClock.adjust("10 seconds")
        yield* turns
        const fiberId = `#${holder.id().id}`
        expect(lines).toEqual([
          `WARN Pool db: fiber ${fiberId} in span report has held an item for 2 s, which may have leaked`
        ])
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(holder)
        yield* turns
        expect(lines[1]).toBe(
          `INFO Pool db: fiber ${fiberId} in span report returned its item after 12 s; it had not leaked`
        )
        expect(events.filter(({ _tag }) => _tag.startsWith("Leak"))).toMatchObject([
          { _tag: "LeakSuspected", heldMillis: 2_000, fiberId, spanName: "report" },
          { _tag: "LeakResolved", heldMillis: 11_999, fiberId }
        ])
        expect(yield* atRest(pool)).toBe(1)
      })
    ))

  it.effect("a lease that is held for long is suspected in time, whatever else is watched for later", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { leakThreshold: "1 seconds", leaseTimeout: "10 seconds" })
      const events = yield* listen(pool)
      const start = Effect.zipLeft(Effect.fork(pool.use(() => Effect.never)), turns)
      const fibers = [yield* start]
      yield* TestClock.adjust("5 seconds")
      fibers.push(yield* start)
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect(events.filter(({ _tag }) => _tag === "LeakSuspected").length).toBe(2)
      yield* TestClock.adjust("4 seconds")
      yield* turns
      expect(events.filter(({ _tag }) => _tag === "LeaseExpired").length).toBe(1)
      yield* TestClock.adjust("5 seconds")
      yield* turns
      expect(events.filter(({ _tag }) => _tag === "LeaseExpired").length).toBe(2)
      yield* Fiber.interruptAll(fibers)
    })))

  it.effect("a lease that is held for long is not suspected where it has ended in time, though others go on", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { leakThreshold: "2 seconds" })
      const events = yield* listen(pool)
      const brief = yield* Effect.fork(pool.use(() => Effect.sleep("1 seconds")))
      yield* turns
      yield* TestClock.adjust("500 millis")
      const long = yield* Effect.fork(pool.use(() => Effect.never))
      yield* turns
      yield* TestClock.adjust("10 seconds")
      yield* turns
      expect(events.filter(({ _tag }) => _tag === "LeakSuspected")).toMatchObject([
        { fiberId: `#${long.id().id}`, heldMillis: 2_000 }
      ])
      yield* Fiber.join(brief)
      yield* Fiber.interrupt(long)
    })))

  it.effect("a lease that is held for long is reported when its time is over, and goes on", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const server = new Server()
        const pool = yield* ResourcePool.make(server.create, {
          name: "db",
          destroy: server.destroy,
          leaseTimeout: "3 seconds"
        })
        const holder = yield* Effect.fork(pool.use((item) => server.holding(item, Effect.sleep("10 seconds"))))
        yield* turns
        yield* TestClock.adjust("9 seconds")
        yield* turns
        const fiberId = `#${holder.id().id}`
        expect(lines).toEqual([
          `WARN Pool db: the lease of fiber ${fiberId} expired after 3 s; its holder keeps the item`
        ])
        yield* TestClock.adjust("1 seconds")
        yield* Fiber.join(holder)
        expect(yield* atRest(pool)).toBe(1)
        expect(server.closed).toBe(0)
      })
    ))

  it.effect("a lease that is held for long is ended when its time is over, where that is wanted, and its item destroyed", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const server = new Server()
        const pool = yield* ResourcePool.make(server.create, {
          name: "db",
          destroy: server.destroy,
          leaseTimeout: "3 seconds",
          leakThreshold: "1 seconds",
          onLeaseTimeout: "reclaim",
          maxSize: 1
        })
        const events = yield* listen(pool)
        const gate = yield* Deferred.make<void>()
        const holder = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
        yield* turns
        const waiter = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
        yield* turns
        yield* TestClock.adjust("3 seconds")
        expect(yield* Fiber.join(waiter)).toBe(2)
        expect(server.mostAlive).toBe(1)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(holder)
        expect(yield* atRest(pool)).toBe(1)
        yield* TestClock.adjust("1 minutes")
        expect(lines[2]).toBe(
          `WARN Pool db: the lease of fiber #${holder.id().id} expired after 3 s; destroying the item`
        )
        const tags = events.map((event) => event._tag === "Removed" ? event.reason : event._tag)
        // Nothing tells that it was back: it was not.
        expect(tags.filter((tag) => tag === "reclaimed" || tag.startsWith("Lea"))).toEqual([
          "LeakSuspected",
          "LeaseExpired",
          "reclaimed"
        ])
        expect(events.find(({ _tag }) => _tag === "LeaseExpired")).toMatchObject({ isReclaimed: true })
      })
    ))
})

describe("a lease", () => {
  it.effect("a lease can condemn its item, which is destroyed at its return", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy })
      const scope = yield* Scope.make()
      const lease = yield* Scope.extend(pool.lease(), scope)
      expect(lease.value.number).toBe(1)
      yield* lease.invalidate
      yield* turns
      expect(server.closed).toBe(0)
      yield* Scope.close(scope, Exit.void)
      yield* turns
      expect(server.closed).toBe(1)
      // It is nobody's any more.
      yield* pool.use(() => lease.invalidate)
      yield* turns
      expect(server.closed).toBe(1)
    })))

  it.effect("does not show its value where it is printed", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.succeed({ password: "secret" }), { name: "db" })
      yield* pool.use((_, lease) =>
        Effect.sync(() => {
          expect(JSON.parse(JSON.stringify(lease))).toEqual({
            _id: "PoolLease",
            pool: "db",
            id: lease.id,
            isOver: false
          })
          expect(String(lease)).not.toContain("secret")
        })
      )
    })))
})
