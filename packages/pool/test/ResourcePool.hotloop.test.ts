/**
 * A manager that always fails must not keep a processor busy: its calls are counted over simulated minutes.
 * Shows `CreationFailures`.
 */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { ResourcePool } from "../src/index.js"
import { inScope, Server, turns } from "./kit.js"

const minutes = (n: number) =>
  Effect.forEach(Array.from({ length: n * 12 }), () => Effect.andThen(TestClock.adjust("5 seconds"), turns), {
    discard: true
  })

describe("a manager that always fails", () => {
  it.effect(
    "a manager that always fails to create is asked less and less often, while nobody waits and minSize is missing",
    () =>
      inScope(Effect.gen(function*() {
        let calls = 0
        yield* ResourcePool.make(Effect.andThen(Effect.sync(() => calls++), Effect.fail("down")), { minSize: 5 })
        yield* minutes(1)
        const first = calls
        expect(first).toBeGreaterThan(10)
        expect(first).toBeLessThan(45)
        yield* minutes(4)
        // Every 2.5 to 5 seconds, one at a time.
        expect(calls - first).toBeGreaterThanOrEqual(40)
        expect(calls - first).toBeLessThan(100)
      })),
    60_000
  )

  it.effect(
    "a manager that always fails to create is not asked at all while nobody wants an item",
    () =>
      inScope(Effect.gen(function*() {
        let calls = 0
        const pool = yield* ResourcePool.make(Effect.andThen(Effect.sync(() => calls++), Effect.fail("down")))
        yield* Effect.flip(pool.use(() => Effect.void, { acquireTimeout: "1 millis" })).pipe(
          Effect.fork,
          Effect.tap(() => turns),
          Effect.tap(() => TestClock.adjust("1 millis")),
          Effect.flatMap(Fiber.join)
        )
        yield* minutes(2)
        expect(calls).toBe(1)
      })),
    60_000
  )

  it.effect(
    "a manager that always fails to create is asked once a pause, however many borrowers ask",
    () =>
      inScope(Effect.gen(function*() {
        let calls = 0
        const pool = yield* ResourcePool.make(Effect.andThen(Effect.sync(() => calls++), Effect.fail("down")))
        const asking = yield* Effect.fork(
          Effect.forEach(
            Array.from({ length: 20 }),
            () => Effect.forever(Effect.andThen(Effect.ignore(pool.use(() => Effect.void)), Effect.sleep("1 seconds"))),
            { concurrency: "unbounded", discard: true }
          )
        )
        yield* turns
        yield* minutes(2)
        expect(calls).toBeGreaterThan(20)
        expect(calls).toBeLessThan(75)
        yield* Fiber.interrupt(asking)
      })),
    60_000
  )

  it.effect(
    "a manager that always fails to create in time holds no more places than there are",
    () =>
      inScope(Effect.gen(function*() {
        let calls = 0
        const gate = yield* Deferred.make<void>()
        const create = Effect.andThen(Effect.sync(() => calls++), Effect.uninterruptible(Deferred.await(gate)))
        const pool = yield* ResourcePool.make(create, { minSize: 3, maxSize: 3, createTimeout: "1 seconds" })
        yield* minutes(5)
        expect(calls).toBe(3)
        expect(yield* pool.snapshot).toMatchObject({ creating: 3, total: 3 })
        yield* Deferred.succeed(gate, undefined)
      })),
    60_000
  )

  it.effect(
    "a manager that always fails to validate is asked once a borrow, and makes one item more",
    () =>
      inScope(Effect.gen(function*() {
        const server = new Server()
        let checks = 0
        const pool = yield* ResourcePool.make(server.create, {
          destroy: server.destroy,
          validate: () => Effect.sync(() => ++checks < 0),
          validateAfter: "1 millis"
        })
        for (let i = 0; i < 20; i++) {
          yield* pool.use(() => Effect.void)
          yield* TestClock.adjust("1 seconds")
        }
        expect([checks, server.opened]).toEqual([19, 20])
        yield* minutes(1)
        expect([checks, server.opened]).toEqual([19, 20])
      })),
    60_000
  )

  it.effect("a manager that always fails to recycle is asked once a return", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      let calls = 0
      const pool = yield* ResourcePool.make(server.create, {
        destroy: server.destroy,
        recycle: () => Effect.andThen(Effect.sync(() => calls++), Effect.fail("broken")),
        minSize: 1
      })
      for (let i = 0; i < 10; i++) yield* pool.use(() => Effect.void)
      yield* minutes(2)
      expect(calls).toBe(10)
      expect(server.opened).toBe(11)
    })), 60_000)

  it.effect(
    "a manager that always fails to keep alive is asked once an interval",
    () =>
      inScope(Effect.gen(function*() {
        const server = new Server()
        let calls = 0
        yield* ResourcePool.make(server.create, {
          destroy: server.destroy,
          keepAlive: () => Effect.andThen(Effect.sync(() => calls++), Effect.fail("broken")),
          keepAliveInterval: "30 seconds",
          minSize: 2
        })
        yield* turns
        yield* minutes(5)
        expect(calls).toBe(20)
        expect(server.opened).toBe(22)
      })),
    60_000
  )

  it.effect(
    "a manager that always fails to destroy does not keep the pool from going on",
    () =>
      inScope(Effect.gen(function*() {
        let opened = 0
        let calls = 0
        const pool = yield* ResourcePool.make(Effect.sync(() => ++opened), {
          destroy: () => Effect.andThen(Effect.sync(() => calls++), Effect.die("broken")),
          maxUses: 1,
          maxSize: 1
        })
        for (let i = 0; i < 10; i++) yield* pool.use(() => Effect.void)
        yield* minutes(1)
        expect([opened, calls]).toEqual([10, 10])
      })),
    60_000
  )
})
