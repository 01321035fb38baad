/** The wall clock is set to another day: spans of time are measured on a clock that never jumps. */
import { describe, expect, it } from "@effect/vitest"
import { VirtualClock } from "@patinox/vitest"
import { Effect, Fiber, Layer } from "effect"
import { timelessClocks } from "../../../scripts/testing/clocks.js"
import { ResourcePool } from "../src/index.js"
import { listen, quietly, Server, turns } from "./kit.js"

const jumping = () => {
  const clock = VirtualClock.make()
  return {
    provide: Effect.provide(Layer.provideMerge(quietly, Layer.setClock(clock.clock))),
    jump: clock.jump,
    pass: (millis: number) => clock.pass(millis, turns)
  }
}

const day = 86_400_000

describe("a clock that jumps", () => {
  for (const [direction, jump] of [["forward", day], ["back", -day]] as const) {
    const { jump: jumpBy, pass, provide } = jumping()

    it.live(`${direction} by a day neither ends a borrow early nor lets it wait longer`, () =>
      Effect.scoped(Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.void, { maxSize: 1, acquireTimeout: 500 })
        yield* pool.get
        const waiter = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
        yield* turns
        yield* pass(400)
        yield* jumpBy(jump)
        yield* pass(99)
        expect((yield* Fiber.poll(waiter))._tag).toBe("None")
        yield* pass(1)
        expect(yield* Fiber.join(waiter)).toMatchObject({ _tag: "PoolTimeout" })
      })).pipe(provide))

    it.live(`${direction} by a day neither ends idle items nor old ones early or late`, () =>
      Effect.scoped(Effect.gen(function*() {
        const server = new Server()
        const pool = yield* ResourcePool.make(server.create, {
          destroy: server.destroy,
          idleTimeout: 1_000,
          maxLifetime: 3_000,
          lifetimeJitter: 0,
          minSize: 1
        })
        yield* Effect.all([pool.use(() => Effect.yieldNow()), pool.use(() => Effect.yieldNow())], {
          concurrency: "unbounded"
        })
        yield* turns
        expect(server.opened).toBe(2)
        yield* pass(900)
        yield* jumpBy(jump)
        yield* pass(99)
        expect(server.closed).toBe(0)
        yield* pass(1)
        expect(server.closed).toBe(1)
        yield* jumpBy(jump)
        yield* pass(1_999)
        expect(server.closed).toBe(1)
        yield* pass(1)
        yield* turns
        expect([server.opened, server.closed]).toEqual([3, 2])
      })).pipe(provide))

    it.live(`${direction} by a day changes no age, no lease's time and no pause after a failure`, () =>
      Effect.scoped(Effect.gen(function*() {
        let attempts = 0
        const pool = yield* ResourcePool.make(Effect.suspend(() => ++attempts > 1 ? Effect.void : Effect.fail("no")), {
          backoffFrom: 1_000,
          leaseTimeout: 500
        })
        const events = yield* listen(pool)
        const borrower = yield* Effect.fork(pool.use(() => Effect.never))
        yield* turns
        yield* jumpBy(jump)
        yield* pass(499)
        expect(attempts).toBe(1)
        yield* pass(501)
        expect(attempts).toBe(2)
        const { holders: [holder] } = yield* pool.snapshot
        expect(holder!.heldMillis).toBeLessThanOrEqual(500)
        yield* jumpBy(jump)
        const before = events.length
        yield* pass(500)
        expect(events.slice(before).map(({ _tag }) => _tag)).toEqual(
          before === events.length ? [] : ["LeaseExpired"]
        )
        expect(events.some(({ _tag }) => _tag === "LeaseExpired")).toBe(true)
        yield* Fiber.interrupt(borrower)
      })).pipe(provide))
  }

  it.live("events carry the time that people read", () => {
    const { jump: jumpBy, provide } = jumping()
    return Effect.scoped(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void)
      const events = yield* listen(pool)
      yield* pool.suspend
      yield* jumpBy(day)
      yield* pool.resume
      yield* turns
      expect(events.map(({ at }) => at)).toEqual([1_000_000, 1_000_000 + day])
    })).pipe(provide)
  })

  it.live("an instant that is a fraction of a millisecond away is waited for, and not asked for again and again", () => {
    const { pass, provide } = jumping()
    return Effect.scoped(Effect.gen(function*() {
      let created = 0
      const pool = yield* ResourcePool.make(Effect.sync(() => ++created), {
        idleTimeout: "100300 micros",
        maxLifetime: "200400 micros",
        lifetimeJitter: 0,
        acquireTimeout: 100
      })
      // A deadline just before: the timer of both fires for the first.
      yield* pool.use(() => Effect.void)
      const held = yield* Effect.fork(Effect.exit(
        pool.use(() => Effect.zipRight(pool.suspend, pool.use(() => Effect.void)))
      ))
      yield* turns
      yield* pass(100)
      yield* Fiber.join(held)
      yield* pass(200)
      expect(yield* pool.snapshot).toMatchObject({ total: 0 })
      expect(created).toBe(1)
    })).pipe(provide)
  })
})

describe("a clock that tells no time", () => {
  for (const [name, clock] of timelessClocks) {
    it.live(`costs a pool no event, and each has an instant: ${name}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.void)
        const keyed = yield* ResourcePool.keyed(() => Effect.void)
        const events = yield* listen(pool)
        const ofAll = yield* listen(keyed)
        yield* pool.use(() => Effect.void)
        yield* keyed.use("a", () => Effect.void)
        yield* Effect.all([pool.drain(), keyed.drain()])
        yield* turns
        expect([events.at(-1), ofAll.at(-1)]).toMatchObject([{ _tag: "Closed" }, { _tag: "Closed" }])
        expect([...events, ...ofAll].map(({ at }) => Number.isFinite(at))).not.toContain(false)
        expect(events.map(({ _tag }) => _tag)).toContain("Created")
      })).pipe(Effect.provide(Layer.provideMerge(quietly, Layer.setClock(clock)))))
  }
})
