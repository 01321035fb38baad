/** Shows `CacheMetrics` and `CacheReporter`. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Chunk, Deferred, Effect, Fiber, Layer, Metric, MetricState, Stream } from "effect"
import { timelessClocks } from "../../../scripts/testing/clocks.js"
import { ResourceCache } from "../src/index.js"
import { after, inScope, listen, number, quietly, Source, turns } from "./kit.js"

/** The state of each metric of a cache, by its name and reason. */
const metricsOf = (cache: string) =>
  Effect.map(Metric.snapshot, (pairs) => {
    const states: Record<string, number> = {}
    for (const { metricKey, metricState } of pairs) {
      const tags = new Map([...metricKey.tags].map(({ key, value }) => [key, value]))
      if (tags.get("cache") !== cache) continue
      const name = [metricKey.name.replace("patinox_cache_", ""), tags.get("reason")].filter(Boolean).join(" ")
      const state = metricState as any
      states[name] = MetricState.isGaugeState(state) ? Number(state.value) : Number(state.count)
    }
    return states
  })

describe("events", () => {
  it.effect("tell a value's life, with its key, id, reason and the time", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(
        (key: string) =>
          key === "no"
            ? Effect.fail("none")
            : key === "slow"
            ? Effect.delay(source.lookup(key), "5 millis")
            : source.lookup(key),
        { name: "files", release: source.release, acquireTimeout: "1 seconds" }
      )
      yield* TestClock.adjust("1 seconds")
      const events = yield* listen(cache)
      const slow = yield* Effect.fork(cache.use("slow", number))
      yield* after("5 millis")
      yield* Fiber.join(slow)
      yield* cache.use("slow", number)
      const { id } = (yield* cache.snapshot).entries[0]!
      yield* Effect.flip(cache.use("no", number))
      yield* after("10 millis")
      yield* cache.invalidate("slow")
      yield* turns
      yield* cache.close
      yield* turns
      expect(events.map(({ cache }) => cache)).toEqual(events.map(() => "files"))
      expect(events).toMatchObject([
        { _tag: "Loaded", at: 1_005, key: "slow", id, loadMillis: 5 },
        { _tag: "LoadFailed", at: 1_005, key: "no", keepsOld: false, cause: { _tag: "Fail", error: "none" } },
        { _tag: "Removed", at: 1_015, key: "slow", id, reason: "invalidated", ageMillis: 10 },
        { _tag: "Released", at: 1_015, key: "slow", id },
        { _tag: "Closing" },
        { _tag: "Closed" }
      ])
      expect(events).toHaveLength(6)
      expect(events[3]).not.toHaveProperty("error")
    })))

  it.effect("tell whose time is up, with the error that the caller gets", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(() => Effect.never, { acquireTimeout: "1 seconds" })
      const events = yield* listen(cache)
      const caller = yield* Effect.fork(Effect.flip(cache.use("a", () => Effect.void)))
      yield* after("1 seconds")
      const error = yield* Fiber.join(caller)
      expect(events).toMatchObject([{ _tag: "TimedOut", at: 1_000 }])
      expect((events[0] as any).error).toBe(error)
    })))

  it.effect("tell of no failure where a lookup is ended that nobody wants", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(() => Effect.never)
      const events = yield* listen(cache)
      const caller = yield* Effect.fork(cache.use("a", () => Effect.void))
      yield* turns
      yield* Fiber.interrupt(caller)
      yield* turns
      expect(events).toEqual([])
    })))

  it.effect("events of a plain cache carry no id", () =>
    Effect.scoped(Effect.gen(function*() {
      const cache = yield* ResourceCache.plain((key: string) => Effect.succeed(key))
      const events = yield* listen(cache)
      yield* cache.get("a")
      yield* cache.invalidate("a")
      yield* turns
      expect(events.map(({ _tag }) => _tag)).toEqual(["Loaded", "Removed"])
      for (const event of events) expect(event).not.toHaveProperty("id")
    })))

  it.effect("events end with the cache, and there are none after it", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(Effect.succeed<string>)
      const all = yield* Effect.fork(Stream.runCollect(cache.events))
      yield* turns
      yield* cache.close
      expect(Chunk.toReadonlyArray(yield* Fiber.join(all)).map(({ _tag }) => _tag)).toEqual(["Closing", "Closed"])
      expect(Chunk.isEmpty(yield* Stream.runCollect(cache.events))).toBe(true)
    })))

  it.effect("reach every listener; one that is slow loses the oldest, and still sees the end", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make((key: number) => Effect.succeed(key), { maxEntries: Infinity })
      const gate = yield* Deferred.make<void>()
      const slowly = yield* Effect.fork(Stream.runCollect(Stream.tap(cache.events, () => Deferred.await(gate))))
      const quickly = yield* Effect.fork(Stream.runCollect(cache.events))
      yield* turns
      for (let key = 0; key < 3_000; key++) {
        yield* cache.use(key, Effect.succeed)
        if (key % 100 === 0) yield* turns
      }
      yield* turns
      yield* cache.close
      yield* Deferred.succeed(gate, undefined)
      const quick = Chunk.toReadonlyArray(yield* Fiber.join(quickly))
      expect(quick.filter(({ _tag }) => _tag === "Loaded").length).toBe(3_000)
      const slow = Chunk.toReadonlyArray(yield* Fiber.join(slowly))
      expect(slow.length).toBeLessThan(1_100)
      expect(slow.at(-1)).toMatchObject({ _tag: "Closed" })
    })))
})

describe("metrics and statistics", () => {
  it.effect("count by the cache's name, and agree", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const name = "metrics of files"
      const cache = yield* ResourceCache.make(
        (key: string) => key === "no" ? Effect.fail("none") : source.lookup(key),
        { name, release: source.release, maxEntries: 2, weigher: () => 5 }
      )
      yield* Effect.forEach(["a", "a", "b", "a", "c"], (key) => cache.use(key, number))
      yield* Effect.flip(cache.use("no", number))
      yield* Effect.scoped(cache.getIfPresent("b"))
      yield* cache.invalidate("c")
      yield* cache.use("d", number)
      yield* cache.refresh("d")
      yield* turns
      const stats = yield* cache.stats
      expect(stats).toMatchObject({
        hits: 2,
        misses: 6,
        loads: 5,
        loadFailures: 1,
        loadMillis: 0,
        removals: { evicted: 2, invalidated: 1, replaced: 1, expired: 0, shutdown: 0, failed: 0 },
        inUse: 0,
        loading: 0,
        waiting: 0,
        releasing: 0
      })
      expect(yield* metricsOf(name)).toEqual({
        hits_total: 2,
        misses_total: 6,
        load_failures_total: 1,
        load_millis: 6,
        entries: stats.entries,
        weight: stats.weight,
        in_use: 0,
        "removed_total evicted": 2,
        "removed_total invalidated": 1,
        "removed_total replaced": 1
      })
    })))

  it.effect("metrics and statistics are there at 0 from the start, follow what is in use, and are 0 after the end", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const name = "gauges of files"
      const cache = yield* ResourceCache.make(source.lookup, { name, release: source.release })
      expect(yield* metricsOf(name)).toEqual({ entries: 0, weight: 0, in_use: 0 })
      const during = yield* cache.use("a", () => Effect.andThen(cache.invalidate("a"), metricsOf(name)))
      expect(during).toMatchObject({ entries: 0, weight: 1, in_use: 1 })
      yield* turns
      expect(yield* metricsOf(name)).toMatchObject({ entries: 0, weight: 0, in_use: 0 })
      yield* cache.use("b", number)
      expect(yield* metricsOf(name)).toMatchObject({ entries: 1, weight: 1, in_use: 0 })
      yield* cache.close
      expect(yield* metricsOf(name)).toMatchObject({ entries: 0, weight: 0, in_use: 0, "removed_total shutdown": 1 })
    })))

  it.effect("add up the time of lookups, those that fail included", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make((key: string) =>
        Effect.delay(key === "no" ? Effect.fail("none") : Effect.succeed(key), "3 seconds")
      )
      const callers = yield* Effect.forEach(["a", "b", "no"], (key) =>
        Effect.fork(Effect.exit(cache.use(key, Effect.succeed))))
      yield* after("3 seconds")
      yield* Fiber.join(Fiber.all(callers))
      expect(yield* cache.stats).toMatchObject({ loads: 2, loadFailures: 1, loadMillis: 9_000 })
    })))

  it.effect("add up over caches of one name", () =>
    inScope(Effect.gen(function*() {
      const name = "metrics of many"
      const make = ResourceCache.make((key: string) => Effect.succeed(key), {
        name,
        release: () => Effect.void,
        weigher: () => 0.1
      })
      const [one, two] = [yield* make, yield* make]
      yield* Effect.forEach(["a", "b"], (key) => one.use(key, Effect.succeed))
      const inTwo = two.use("a", () => metricsOf(name))
      expect(yield* inTwo).toMatchObject({ entries: 3, in_use: 1, weight: 0.1 + 0.1 + 0.1 })
      const three = yield* make
      expect(yield* metricsOf(name)).toMatchObject({ entries: 3, in_use: 0 })
      yield* two.close
      expect(yield* metricsOf(name)).toMatchObject({ entries: 2 })
      for (const cache of [one, three]) yield* cache.close
      expect(yield* metricsOf(name)).toMatchObject({ entries: 0, in_use: 0, weight: 0 })
    })))
})

describe("a clock that tells no time", () => {
  for (const [name, clock] of timelessClocks) {
    it.live(`costs a cache no event, and each has an instant: ${name}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const source = new Source()
        const cache = yield* ResourceCache.make(source.lookup, { release: source.release })
        const events = yield* listen(cache)
        yield* cache.use("a", number)
        yield* cache.close
        yield* turns
        const told = events.map(({ _tag }) => _tag)
        expect(told).toEqual(["Loaded", "Closing", "Removed", "Released", "Closed"])
        expect(events.map(({ at }) => Number.isFinite(at))).not.toContain(false)
      })).pipe(Effect.provide(Layer.provideMerge(quietly, Layer.setClock(clock)))))
  }
})
