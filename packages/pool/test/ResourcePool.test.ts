import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { ResourcePool } from "../src/index.js"

const scoped = <A, E>(effect: Effect.Effect<A, E, any>) =>
  Effect.provide(Effect.scoped(effect), ResourceRegistry.layer) as Effect.Effect<A, E>

const numbered = () => {
  let opened = 0
  let closed = 0
  return {
    create: Effect.sync(() => ({ n: ++opened, open: true })),
    destroy: (item: { open: boolean }) =>
      Effect.sync(() => {
        item.open = false
        closed++
      }),
    opened: () => opened,
    closed: () => closed
  }
}

describe("a pool", () => {
  it.effect("lends, takes back and lends again", () =>
    scoped(Effect.gen(function*() {
      const items = numbered()
      const pool = yield* ResourcePool.make(items.create, { destroy: items.destroy })
      expect(yield* pool.use((item) => Effect.succeed(item.n))).toBe(1)
      expect(yield* pool.use((item) => Effect.succeed(item.n))).toBe(1)
      const snapshot = yield* pool.snapshot
      expect(snapshot).toMatchObject({ total: 1, idle: 1, inUse: 0, waiting: 0 })
      const report = yield* pool.drain()
      expect(report).toMatchObject({ destroyed: 1, failed: [], deadlineReached: false })
      expect(items.closed()).toBe(1)
    })))

  it.effect("serves who waits in order, and never has more than maxSize", () =>
    scoped(Effect.gen(function*() {
      const items = numbered()
      const pool = yield* ResourcePool.make(items.create, { destroy: items.destroy, maxSize: 3 })
      const order: Array<number> = []
      yield* Effect.forEach(
        Array.from({ length: 50 }, (_, i) => i),
        (i) => pool.use(() => Effect.andThen(Effect.yieldNow(), Effect.sync(() => order.push(i)))),
        { concurrency: "unbounded", discard: true }
      )
      expect(items.opened()).toBeLessThanOrEqual(3)
      expect(order).toEqual([...order].sort((a, b) => a - b))
    })))

  it.effect("fails in time", () =>
    scoped(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { maxSize: 1, name: "db" })
      const gate = yield* Deferred.make<void>()
      const holder = yield* Effect.fork(pool.use(() => Deferred.await(gate)))
      yield* Effect.yieldNow()
      const waiter = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
      yield* TestClock.adjust("30 seconds")
      const error = yield* Fiber.join(waiter)
      expect(error.message).toBe(
        "No item of pool db within 30 s, waiting for an item to be returned (total 1, idle 0, in use 1, waiting 1)"
      )
      yield* Deferred.succeed(gate, undefined)
      expect(Exit.isSuccess(yield* Fiber.await(holder))).toBe(true)
    })))
})
