/** Shows `BorrowErrors`. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, FiberId, Option, Random, Scope } from "effect"
import { PoolError, ResourcePool } from "../src/index.js"
import { atRest, type Connection, inScope, listen, logging, Server, turns } from "./kit.js"

/** The error of an effect that is over when the clock has moved so far, and was not a moment before. */
const failsAt = <A, E>(effect: Effect.Effect<A, E>, millis: number) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.flip(effect))
    yield* turns
    yield* TestClock.adjust(millis - 1)
    yield* turns
    expect(Option.isNone(yield* Fiber.poll(fiber))).toBe(true)
    yield* TestClock.adjust(1)
    return yield* Fiber.join(fiber)
  })

describe("a borrow that takes too long", () => {
  it.effect("says that it waited for an item to be returned", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { name: "db", maxSize: 1, acquireTimeout: "3 seconds" })
      yield* pool.get
      const error = yield* failsAt(pool.use(() => Effect.void), 3_000)
      expect(error).toBeInstanceOf(PoolError.PoolTimeout)
      expect(error).toMatchObject({ pool: "db", stage: "waiting", limitMillis: 3_000 })
      expect(error.message).toBe(
        "Pool db: timed out after 3 s waiting for an item to be returned (total 1, idle 0, in use 1, waiting 1)"
      )
      expect(yield* pool.snapshot).toMatchObject({ waiting: 0, inUse: 1 })
    })))

  it.effect("says that it waited for an item to be created", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.never, { name: "db", acquireTimeout: "3 seconds" })
      const error = yield* failsAt(pool.use(() => Effect.void), 3_000)
      expect(error.message).toBe(
        "Pool db: timed out after 3 s waiting for an item to be created (total 1, idle 0, in use 0, creating 1, waiting 1)"
      )
    })))

  it.effect("carries why the last creation failed", () =>
    inScope(Effect.gen(function*() {
      // With pauses that are known, as a creation that is tried again at the very deadline is counted.
      const pool = yield* Effect.withRandom(
        ResourcePool.make(Effect.fail(new Error("connection refused")), {
          name: "db",
          acquireTimeout: "500 millis",
          failFastAfter: Infinity
        }),
        Random.fixed([0.5])
      )
      const error = yield* failsAt(pool.use(() => Effect.void), 500)
      expect(error.message).toBe(
        "Pool db: timed out after 500 ms waiting for an item to be created (total 0, idle 0, in use 0, waiting 1); " +
          "the last creation failed with Error: connection refused"
      )
      const cause = Option.getOrThrow((error as PoolError.PoolTimeout<Error>).lastCreationFailure)
      expect(Option.getOrThrow(Cause.failureOption(cause))).toEqual(new Error("connection refused"))
    })))

  it.effect("keeps its deadline where it waits again, after it was logged as slow (P3)", () =>
    inScope(Effect.gen(function*() {
      const handles: Array<ResourcePool.ItemHandle> = []
      const create = (handle: ResourcePool.ItemHandle) => handles.push(handle) === 1 ? Effect.void : Effect.never
      const pool = yield* ResourcePool.make(create, {
        maxSize: 1,
        acquireTimeout: "5 seconds",
        slowBorrowAfter: "1 seconds"
      })
      const scope = yield* Scope.make()
      yield* Scope.extend(pool.get, scope)
      const borrower = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
      yield* turns
      yield* TestClock.adjust("2 seconds")
      yield* turns
      // Returned to the borrower, and dead before it goes on: it waits for another one from here on.
      yield* Effect.zipRight(Scope.close(scope, Exit.void), Effect.sync(() => handles[0]!.invalidate()))
      yield* turns
      expect(handles.length).toBe(2)
      yield* TestClock.adjust(2_999)
      yield* turns
      expect(Option.isNone(yield* Fiber.poll(borrower))).toBe(true)
      yield* TestClock.adjust(1)
      yield* turns
      expect(Option.isSome(yield* Fiber.poll(borrower))).toBe(true)
      expect(yield* Fiber.join(borrower)).toMatchObject({ _tag: "PoolTimeout", limitMillis: 5_000 })
    })))

  it.effect("says that it was validating an item, which is destroyed", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, {
        name: "db",
        maxSize: 1,
        destroy: server.destroy,
        validate: () => Effect.never
      })
      yield* pool.use(() => Effect.void)
      yield* TestClock.adjust("1 seconds")
      const error = yield* failsAt(pool.use(() => Effect.void, { acquireTimeout: "2 seconds" }), 2_000)
      expect(error.message).toBe(
        "Pool db: timed out after 2 s validating an item (total 1, idle 0, in use 0, destroying 1, waiting 0)"
      )
      yield* turns
      expect(server.closed).toBe(1)
    })))

  it.effect("a borrow that takes too long has one deadline for waiting, validating and waiting again", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, {
        destroy: server.destroy,
        maxSize: 1,
        acquireTimeout: "10 seconds",
        validateTimeout: "4 seconds",
        validate: () => Effect.never,
        validateAfter: "1 millis"
      })
      yield* pool.use(() => Effect.void)
      yield* pool.suspend
      const borrower = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
      yield* turns
      yield* TestClock.adjust("5 seconds")
      yield* pool.resume
      yield* turns
      // Validated until 9 s; nothing is lent from then on.
      yield* pool.suspend
      yield* TestClock.adjust("4999 millis")
      yield* turns
      expect(Option.isNone(yield* Fiber.poll(borrower))).toBe(true)
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(borrower)).toMatchObject({ _tag: "PoolTimeout", limitMillis: 10_000 })
    })))

  it.effect("gives an item that it was served at its deadline back unharmed", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const gate = yield* Deferred.make<void>()
      const pool = yield* ResourcePool.make(server.create, {
        destroy: server.destroy,
        maxSize: 1,
        acquireTimeout: "10 seconds",
        validate: () => Effect.never
      })
      const holder = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
      yield* turns
      const borrower = yield* Effect.fork(Effect.exit(pool.use(() => Effect.void)))
      yield* turns
      yield* TestClock.adjust("9999 millis")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(holder)
      // It has just been used: nothing to validate.
      expect(Exit.isSuccess(yield* Fiber.join(borrower))).toBe(true)
      expect(yield* atRest(pool)).toBe(1)
    })))

  it.effect("waits without end where it may", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { maxSize: 1 })
      const gate = yield* Deferred.make<void>()
      const holder = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
      yield* turns
      const waiter = yield* Effect.fork(pool.use(() => Effect.succeed("served"), { acquireTimeout: Infinity }))
      yield* turns
      yield* TestClock.adjust("100 days")
      expect(Option.isNone(yield* Fiber.poll(waiter))).toBe(true)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(waiter)).toBe("served")
      yield* Fiber.join(holder)
    })))

  it.effect("a borrow that takes too long is reported once as slow, whether it waits or validates", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const slow = Effect.sleep("3 seconds")
        const pool = yield* ResourcePool.make(Effect.void, { name: "db", maxSize: 1, validate: () => slow })
        const events = yield* listen(pool)
        const gate = yield* Deferred.make<void>()
        const holder = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
        yield* turns
        const waiter = yield* Effect.fork(pool.use(() => Effect.void))
        yield* turns
        yield* TestClock.adjust("1999 millis")
        expect(lines).toEqual([])
        yield* TestClock.adjust("20 seconds")
        expect(lines).toEqual([
          "WARN Pool db: a borrower has waited for 2 s (total 1, idle 0, in use 1, waiting 1)"
        ])
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(waiter)
        yield* Fiber.join(holder)
        yield* TestClock.adjust("1 seconds")
        const validating = yield* Effect.fork(pool.use(() => Effect.void))
        yield* turns
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.join(validating)
        yield* turns
        expect(lines[1]).toBe("WARN Pool db: a borrower has waited for 2 s (total 1, idle 0, in use 1, waiting 1)")
        expect(events.filter(({ _tag }) => _tag === "SlowBorrow")).toMatchObject([
          { waitedMillis: 2_000 },
          { waitedMillis: 2_000 }
        ])
      })
    ))

  it.effect("a borrow that takes too long is not told alone where a crowd waits: one line in 5 s speaks for all of them", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.void, { name: "db", maxSize: 1 })
        const gate = yield* Deferred.make<void>()
        const holder = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
        yield* turns
        const borrow = Effect.fork(pool.use(() => Effect.void))
        const crowd = yield* Effect.replicateEffect(borrow, 1_000)
        yield* turns
        yield* TestClock.adjust("2 seconds")
        expect(lines).toEqual([
          "WARN Pool db: a borrower has waited for 2 s (total 1, idle 0, in use 1, waiting 1000)"
        ])
        yield* TestClock.adjust("4 seconds")
        const late = yield* borrow
        yield* turns
        yield* TestClock.adjust("2 seconds")
        expect(lines.slice(1)).toEqual([
          "WARN Pool db: a borrower has waited for 2 s, as have 999 others since the last such line " +
          "(total 1, idle 0, in use 1, waiting 1001)"
        ])
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.joinAll([holder, late, ...crowd])
      })
    ))
})

describe("an operation that takes too long", () => {
  it.effect("creating: it is a failure, and what comes too late is destroyed", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const create = Effect.uninterruptible(Effect.zipRight(Effect.sleep("40 seconds"), server.create))
      const pool = yield* ResourcePool.make(create, {
        name: "db",
        destroy: server.destroy,
        createTimeout: "5 seconds",
        failFastAfter: 1
      })
      const error = yield* failsAt(pool.use(() => Effect.void), 5_000)
      expect(error.message).toBe(
        "Pool db cannot create items (1 failure in a row): PoolCreateTimeout: Pool db: creating an item took longer than 5 s"
      )
      expect(yield* pool.snapshot).toMatchObject({ creating: 1, total: 1, isFailingFast: true })
      yield* TestClock.adjust("35 seconds")
      yield* turns
      expect([server.opened, server.closed]).toEqual([1, 1])
      expect(yield* atRest(pool)).toBe(0)
    })))

  it.effect("creating: with a destroy it has as long as that to come to its end, then it is interrupted", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      let calls = 0
      let interrupted = 0
      const hang = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const pool = yield* ResourcePool.make(Effect.suspend(() => calls++ === 0 ? hang : server.create), {
        destroy: server.destroy,
        maxSize: 1,
        createTimeout: "5 seconds",
        destroyTimeout: "2 seconds"
      })
      const borrower = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
      yield* turns
      yield* TestClock.adjust("6 seconds")
      yield* turns
      expect([interrupted, (yield* pool.snapshot).creating]).toEqual([0, 1])
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect(interrupted).toBe(1)
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.join(borrower)).toBe(1)
      expect(yield* atRest(pool)).toBe(1)
    })))

  it.effect("creating: an item that is there when the interruption comes is not lost", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      let creating: Fiber.RuntimeFiber<unknown> | undefined = undefined
      // The step that opens it is the one in which its fiber is interrupted.
      const create = Effect.withFiberRuntime<Connection>((fiber) => {
        creating = fiber
        return Effect.andThen(
          Effect.yieldNow(),
          Effect.sync(() => {
            creating!.unsafeInterruptAsFork(FiberId.none)
            return server.open()
          })
        )
      })
      const pool = yield* ResourcePool.make(create, { destroy: server.destroy, minSize: 1, maxSize: 1 })
      yield* turns
      expect([server.opened, server.alive, yield* atRest(pool)]).toEqual([1, 1, 1])
    })))

  it.effect("creating: without a destroy it is interrupted, and its place is free again", () =>
    inScope(Effect.gen(function*() {
      let interrupted = 0
      const create = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const pool = yield* ResourcePool.make(create, { createTimeout: "5 seconds", failFastAfter: 1 })
      yield* failsAt(pool.use(() => Effect.void), 5_000)
      yield* turns
      expect(interrupted).toBe(1)
      expect(yield* atRest(pool)).toBe(0)
    })))

  it.effect("validating: the borrower gets another item", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, validate: () => Effect.never })
      const events = yield* listen(pool)
      yield* pool.use(() => Effect.void)
      yield* TestClock.adjust("1 seconds")
      const borrower = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
      yield* turns
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(borrower)).toBe(2)
      yield* turns
      const failed = events.find((event) => event._tag === "ItemFailed")
      expect(Cause.squash(failed!.cause)).toMatchObject({
        _tag: "PoolOperationTimeout",
        message: "Pool pool: validate took longer than 5 s"
      })
    })))

  it.effect("recycling: the borrower goes on without its result, and the item is destroyed", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, {
        destroy: server.destroy,
        recycle: () => Effect.uninterruptible(Effect.never),
        recycleTimeout: "2 seconds"
      })
      const borrower = yield* Effect.fork(pool.use(() => Effect.succeed("done")))
      yield* turns
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(borrower)).toBe("done")
      yield* turns
      expect(server.closed).toBe(1)
      expect(yield* atRest(pool)).toBe(0)
    })))

  it.effect("keeping alive: the item is destroyed", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, {
        destroy: server.destroy,
        keepAlive: () => Effect.uninterruptible(Effect.never),
        keepAliveInterval: "1 minutes",
        keepAliveTimeout: "2 seconds"
      })
      yield* pool.use(() => Effect.void)
      yield* TestClock.adjust("61 seconds")
      expect(server.closed).toBe(0)
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect(server.closed).toBe(1)
      expect(yield* atRest(pool)).toBe(0)
    })))

  it.effect("destroying: it is abandoned, and its place is free again", () =>
    inScope(Effect.gen(function*() {
      let opened = 0
      const pool = yield* ResourcePool.make(Effect.sync(() => ++opened), {
        destroy: () => Effect.never,
        destroyTimeout: "3 seconds",
        maxSize: 1
      })
      yield* pool.use((_, lease) => lease.invalidate)
      const next = yield* Effect.fork(pool.use((number) => Effect.succeed(number)))
      yield* turns
      expect(yield* pool.snapshot).toMatchObject({ destroying: 1, waiting: 1, creating: 0 })
      yield* TestClock.adjust("3 seconds")
      expect(yield* Fiber.join(next)).toBe(2)
      const drained = yield* Effect.fork(pool.drain())
      yield* turns
      yield* TestClock.adjust("3 seconds")
      expect(yield* Fiber.join(drained)).toMatchObject({
        failed: [{ error: { _tag: "CleanupTimeout" } }],
        destroyed: 0
      })
    })))
})
