import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { ResourcePool } from "../src/index.js"
import { inScope, Server, turns } from "./kit.js"

/** How far the clock has to move until the effect is over. */
const millisOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.exit(effect))
    yield* turns
    let millis = 0
    for (; (yield* Fiber.poll(fiber))._tag === "None" && millis < 60_000; millis += 1_000) {
      yield* TestClock.adjust(1_000)
      yield* turns
    }
    return [millis, yield* yield* Fiber.join(fiber)] as const
  })

const make = (server: Server, options: ResourcePool.PoolOptions<any> = {}) =>
  ResourcePool.make(server.create, { destroy: server.destroy, maxSize: 1, name: "db", ...options })

describe("a pool does not wait for itself", () => {
  it.effect("a borrow inside a borrow of the only item fails in time, with its type", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* make(new Server(), { acquireTimeout: "5 seconds" })
      const nested = pool.use(() => Effect.flip(pool.use(() => Effect.void)))
      const [millis, error] = yield* millisOf(nested)
      expect(millis).toBe(5_000)
      expect(error).toMatchObject({ _tag: "PoolTimeout", stage: "waiting" })
      expect(yield* pool.snapshot).toMatchObject({ idle: 1, inUse: 0 })
    })))

  it.effect("a drain inside a use does not wait for that use", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server)
      const [millis, report] = yield* millisOf(pool.use(() => pool.drain()))
      expect(millis).toBe(0)
      expect(report).toMatchObject({ deadlineReached: false, stillHeld: 1, reclaimed: 0, destroyed: 0 })
      yield* turns
      expect(server.alive).toBe(0)
    })))

  it.effect("a drain in a fiber that a use waits for does not wait for that use", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server)
      const bounded = pool.use(() => Effect.timeout(Effect.flatMap(Effect.fork(pool.drain()), Fiber.join), "1 minutes"))
      const [millis, report] = yield* millisOf(bounded)
      expect(millis).toBe(0)
      expect(report).toMatchObject({ stillHeld: 1, reclaimed: 0 })
      yield* turns
      expect(server.alive).toBe(0)
    })))

  const between: Record<string, (drain: Effect.Effect<ResourcePool.PoolReport>) => Effect.Effect<unknown, unknown>> = {
    "a timeout": (drain) => Effect.timeout(drain, "1 minutes"),
    "a race": (drain) => Effect.race(drain, Effect.never),
    "a disconnect with a timeout": (drain) => Effect.timeout(Effect.disconnect(drain), "1 minutes"),
    "several side by side": (drain) => Effect.all([drain, drain], { concurrency: "unbounded" }),
    "a timeout in one of several side by side": (drain) =>
      Effect.all([Effect.timeout(drain, "1 minutes"), Effect.void], { concurrency: 2 }),
    "a daemon that it waits for": (drain) => Effect.flatMap(Effect.forkDaemon(drain), Fiber.join)
  }
  it.effect.each(Object.keys(between))(
    "a drain inside a use does not wait for that use through %s",
    (name) =>
      inScope(Effect.gen(function*() {
        const server = new Server()
        const pool = yield* make(server)
        const [millis] = yield* millisOf(pool.use(() => between[name]!(pool.drain())))
        expect(millis).toBe(0)
        expect(yield* pool.drain()).toMatchObject({ deadlineReached: false, stillHeld: 1, reclaimed: 0 })
        yield* turns
        expect(server.alive).toBe(0)
      }))
  )

  it.effect("a drain waits for a use that was over when its fiber was forked, and has begun anew since", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* make(new Server())
      const gate = yield* Deferred.make<void>()
      const drains = yield* Deferred.make<void>()
      yield* pool.use(() => Effect.void)
      const draining = yield* Effect.fork(Effect.andThen(Deferred.await(drains), pool.drain()))
      const used = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
      yield* turns
      yield* Deferred.succeed(drains, undefined)
      yield* turns
      expect((yield* Fiber.poll(draining))._tag).toBe("None")
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(draining)).toMatchObject({ stillHeld: 0, destroyed: 1 })
      yield* Fiber.join(used)
    })))

  it.effect("two holders that both drain do not wait for each other", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server, { minSize: 2, maxSize: 2 })
      yield* pool.awaitReady
      const draining = Effect.andThen(Effect.yieldNow(), pool.drain())
      const both = Effect.all([pool.use(() => draining), pool.use(() => draining)], {
        concurrency: "unbounded"
      })
      const [millis, reports] = yield* millisOf(both)
      expect(millis).toBe(0)
      expect(reports[0]).toBe(reports[1])
      expect(reports[0]).toMatchObject({ stillHeld: 2 })
      yield* turns
      expect(server.alive).toBe(0)
    })))

  it.effect("a drain inside a use waits for the other holders", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* make(server, { maxSize: 2 })
      const gate = yield* Deferred.make<void>()
      const other = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
      yield* turns
      const draining = yield* Effect.fork(pool.use(() => pool.drain()))
      yield* turns
      expect((yield* Fiber.poll(draining))._tag).toBe("None")
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(draining)).toMatchObject({ stillHeld: 1, destroyed: 1, reclaimed: 0 })
      yield* Fiber.join(other)
    })))

  it.effect("a holder may close the scope that the pool lives in", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const scope = yield* Scope.make()
      const pool = yield* Scope.extend(make(server), scope)
      const [millis] = yield* millisOf(pool.use(() => Scope.close(scope, Exit.void)))
      expect(millis).toBe(0)
      yield* turns
      expect(server.alive).toBe(0)
    })))

  it.effect("an item that was got in the scope of the pool goes back before the pool drains", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const scope = yield* Scope.make()
      const pool = yield* Scope.extend(make(server), scope)
      yield* Scope.extend(pool.get, scope)
      const [millis] = yield* millisOf(Scope.close(scope, Exit.void))
      expect(millis).toBe(0)
      expect(server.alive).toBe(0)
    })))

  it.effect("a drain inside a creation ends it", () =>
    inScope(Effect.gen(function*() {
      let pool: ResourcePool.ResourcePool<string> | undefined = undefined
      const create = Effect.as(Effect.suspend(() => pool!.drain()), "item")
      pool = yield* ResourcePool.make(create)
      const [millis, error] = yield* millisOf(Effect.flip(pool.use(() => Effect.void)))
      expect(millis).toBe(0)
      expect(error._tag).toBe("PoolClosed")
      expect(yield* pool.drain()).toMatchObject({ deadlineReached: false })
    })))

  it.effect("a drain inside a destruction ends with its time limit at the latest", () =>
    inScope(Effect.gen(function*() {
      let pool: ResourcePool.ResourcePool<string> | undefined = undefined
      pool = yield* ResourcePool.make(Effect.succeed("item"), {
        destroy: () => Effect.suspend(() => pool!.drain()),
        destroyTimeout: "3 seconds"
      })
      const made = pool
      const [millis, report] = yield* millisOf(Effect.andThen(made.use(() => Effect.void), made.drain()))
      expect(millis).toBe(3_000)
      expect(report).toMatchObject({ deadlineReached: false, failed: [{ error: { _tag: "CleanupTimeout" } }] })
    })))

  it.effect("a borrow inside a creation of the only item fails both in time", () =>
    inScope(Effect.gen(function*() {
      let pool: ResourcePool.ResourcePool<string, unknown> | undefined = undefined
      const create = Effect.suspend(() => pool!.use((item) => Effect.succeed(item), { acquireTimeout: "2 seconds" }))
      pool = yield* ResourcePool.make(create, { maxSize: 1, acquireTimeout: "5 seconds", failFastAfter: 1 })
      const [millis, error] = yield* millisOf(Effect.flip(pool.use(() => Effect.void)))
      expect(millis).toBe(2_000)
      expect(error._tag).toBe("PoolCreationFailed")
    })))
})
