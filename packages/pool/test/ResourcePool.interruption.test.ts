import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { ResourcePool } from "../src/index.js"
import { atRest, inScope, Server, turns } from "./kit.js"

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
  it.effect("an interrupted creation that succeeds in the same moment is destroyed, and counted until then", () =>
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
