/** Shows `PoolMetrics`. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Chunk, Deferred, Effect, Fiber, Metric, MetricState, Stream } from "effect"
import { ResourcePool } from "../src/index.js"
import { inScope, listen, logging, Server, turns } from "./kit.js"

/** The state of each metric of a pool, by its name and reason. */
const metricsOf = (pool: string) =>
  Effect.map(Metric.snapshot, (pairs) => {
    const states: Record<string, number> = {}
    for (const { metricKey, metricState } of pairs) {
      const tags = new Map([...metricKey.tags].map(({ key, value }) => [key, value]))
      if (tags.get("pool") !== pool) continue
      const name = [metricKey.name.replace("patinox_pool_", ""), tags.get("reason")].filter(Boolean).join(" ")
      const state = metricState as any
      states[name] = MetricState.isGaugeState(state)
        ? Number(state.value)
        : Number(state.count)
    }
    return states
  })

describe("events", () => {
  it.effect("tell a pool's life, with the item, the reason and the time", () =>
    inScope(Effect.gen(function*() {
      let isDown = true
      const server = new Server()
      const pool = yield* ResourcePool.make(Effect.suspend(() => isDown ? Effect.fail("down") : server.create), {
        name: "db",
        destroy: server.destroy,
        failFastAfter: 1
      })
      const events = yield* listen(pool)
      yield* TestClock.adjust("1 seconds")
      yield* Effect.flip(pool.use(() => Effect.void))
      isDown = false
      yield* TestClock.adjust("10 millis")
      const id = yield* pool.use((_, lease) => Effect.as(lease.invalidate, lease.id))
      yield* turns
      yield* pool.resize({ maxSize: 3 })
      yield* pool.suspend
      yield* pool.resume
      yield* pool.drain()
      yield* turns
      expect(events.map(({ pool }) => pool)).toEqual(events.map(() => "db"))
      expect(events).toMatchObject([
        { _tag: "CreationFailed", at: 1_000, failures: 1, isOpen: true },
        { _tag: "Created", at: 1_010, id, createMillis: 0 },
        { _tag: "CircuitClosed", failures: 1, openMillis: 10 },
        { _tag: "Removed", id, reason: "invalidated", uses: 1, ageMillis: 0 },
        { _tag: "Destroyed", id },
        { _tag: "Resized", minSize: 0, maxSize: 3 },
        { _tag: "Suspended" },
        { _tag: "Resumed" },
        { _tag: "Draining" },
        { _tag: "Closed" }
      ])
      expect(events[4]).not.toHaveProperty("error")
    })))

  it.effect("events end with the pool, and there are none after it", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void)
      const all = yield* Effect.fork(Stream.runCollect(pool.events))
      yield* turns
      yield* pool.drain()
      expect(Chunk.toReadonlyArray(yield* Fiber.join(all)).map(({ _tag }) => _tag)).toEqual(["Draining", "Closed"])
      expect(Chunk.isEmpty(yield* Stream.runCollect(pool.events))).toBe(true)
    })))

  it.effect(
    "reach every listener; one that is slow loses the oldest, and still sees the end",
    () =>
      inScope(Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.void)
        const gate = yield* Deferred.make<void>()
        const slowly = yield* Effect.fork(
          Stream.runCollect(Stream.tap(pool.events, () => Deferred.await(gate)))
        )
        const quickly = yield* Effect.fork(Stream.runCollect(pool.events))
        yield* turns
        for (let maxSize = 1; maxSize <= 3_000; maxSize++) {
          yield* pool.resize({ maxSize })
          if (maxSize % 100 === 0) yield* turns
        }
        yield* pool.drain()
        yield* Deferred.succeed(gate, undefined)
        const sizes = (events: Chunk.Chunk<any>) => Chunk.toReadonlyArray(events).map((event) => event.maxSize)
        const quick = sizes(yield* Fiber.join(quickly))
        expect(quick.length).toBe(3_002)
        const slow = sizes(yield* Fiber.join(slowly))
        expect(slow.length).toBeLessThan(2_200)
        expect(slow.slice(-4)).toEqual([2_999, 3_000, undefined, undefined])
      })),
    60_000
  )

  it.effect("events are no longer made when nobody listens any more", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void)
      const first = yield* Effect.fork(Stream.runHead(pool.events))
      yield* turns
      yield* pool.suspend
      yield* Fiber.join(first)
      const events = yield* listen(pool)
      yield* pool.resume
      yield* turns
      expect(events.map(({ _tag }) => _tag)).toEqual(["Resumed"])
    })))
})

describe("the log", () => {
  it.effect("the log has the first failed creation, and the one that opens the circuit, and none between", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.fail("down"), { name: "db", failFastAfter: 4 })
        const borrower = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
        yield* turns
        for (let i = 0; i < 5; i++) {
          yield* TestClock.adjust("1 seconds")
          yield* turns
        }
        yield* Fiber.join(borrower)
        yield* turns
        expect(lines.filter((line) => line.includes("creating"))).toEqual([
          "WARN Pool db: creating an item failed (down); trying again",
          "WARN Pool db: creating an item failed (down); borrowers fail at once from now on, unless an item is in use"
        ])
      })
    ))

  it.effect("the log has each item that is destroyed for a failed check", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.void, {
          name: "db",
          recycle: () => Effect.fail(new Error("first line\nsecond line"))
        })
        yield* pool.use(() => Effect.void)
        yield* turns
        expect(lines).toEqual(["WARN Pool db: recycle failed (Error: first line); destroying the item"])
      })
    ))
})

describe("metrics", () => {
  it.effect("count what there is, what happened and how long it took, by the pool's name", () =>
    inScope(Effect.gen(function*() {
      let isDown = false
      const create = Effect.suspend(() => isDown ? Effect.fail("down") : Effect.void)
      const pool = yield* ResourcePool.make(create, {
        name: "metered",
        maxSize: 2,
        maxUses: 3,
        acquireTimeout: "1 seconds"
      })
      expect(yield* metricsOf("metered")).toEqual({ in_use: 0, idle: 0, waiting: 0, circuit_open: 0 })
      const gate = yield* Deferred.make<void>()
      const holders = yield* Effect.forEach([1, 2], () => Effect.fork(pool.use(() => Deferred.await(gate))))
      yield* turns
      const late = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
      yield* turns
      expect(yield* metricsOf("metered")).toMatchObject({ in_use: 2, idle: 0, waiting: 1, created_total: 2 })
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(late)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(holders))
      expect(yield* metricsOf("metered")).toMatchObject({ in_use: 0, idle: 2, waiting: 0, timeouts_total: 1 })
      for (let i = 0; i < 2; i++) yield* pool.use(() => Effect.void)
      isDown = true
      yield* pool.evictIdle
      yield* turns
      yield* Effect.flip(pool.use(() => Effect.void)).pipe(
        Effect.fork,
        Effect.tap(() => turns),
        Effect.tap(() => TestClock.adjust("1 seconds")),
        Effect.flatMap(Fiber.join)
      )
      const { creations_failed_total, ...rest } = yield* metricsOf("metered")
      expect(creations_failed_total).toBeGreaterThan(2)
      expect(rest).toEqual({
        in_use: 0,
        idle: 0,
        waiting: 0,
        circuit_open: 0,
        create_millis: 2,
        created_total: 2,
        timeouts_total: 2,
        "removed_total maxUses": 1,
        "removed_total evicted": 1,
        wait_millis: 4,
        use_millis: 4
      })
    })))

  it.effect("metrics of pools with one name are those of them together", () =>
    inScope(Effect.gen(function*() {
      const [first, second] = [
        yield* ResourcePool.make(Effect.void, { name: "twins" }),
        yield* ResourcePool.make(Effect.void, { name: "twins" })
      ]
      yield* Effect.scoped(Effect.gen(function*() {
        yield* first.get
        yield* first.get
        yield* second.get
        expect(yield* metricsOf("twins")).toMatchObject({ in_use: 3, idle: 0 })
      }))
      expect(yield* metricsOf("twins")).toMatchObject({ in_use: 0, idle: 3 })
      yield* first.drain()
      yield* second.drain()
      expect(yield* metricsOf("twins")).toMatchObject({ in_use: 0, idle: 0 })
    })))

  it.effect("metrics of keyed pools are those of all keys together, however many keys there are", () =>
    inScope(Effect.gen(function*() {
      const pools = yield* ResourcePool.keyed((key: number) => Effect.succeed(key), { name: "metered tenants" })
      const gate = yield* Deferred.make<void>()
      const holders = yield* Effect.forEach([1, 2, 3], (key) => Effect.fork(pools.use(key, () => Deferred.await(gate))))
      yield* turns
      expect(yield* metricsOf("metered tenants")).toMatchObject({ in_use: 3, idle: 0, created_total: 3 })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(holders))
      expect(yield* metricsOf("metered tenants")).toMatchObject({ in_use: 0, idle: 3 })
      yield* pools.drain()
      expect(yield* metricsOf("metered tenants")).toMatchObject({ in_use: 0, idle: 0, "removed_total drained": 3 })
      expect(yield* metricsOf("metered tenants/1")).toEqual({})
    })))
})
