/** What Effect's `Cache` promises to its users, asked of it and of our plain cache in the same words. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Cache, Deferred, Effect, Exit, Fiber, Option, type Scope } from "effect"
import { ResourceCache } from "../../src/index.js"
import { inScope, turns } from "../kit.js"

interface Subject {
  readonly get: (key: string) => Effect.Effect<number, unknown>
  readonly present: (key: string) => Effect.Effect<Option.Option<number>>
  readonly set: (key: string, value: number) => Effect.Effect<void, unknown>
  readonly refresh: (key: string) => Effect.Effect<void, unknown>
  readonly invalidate: (key: string) => Effect.Effect<unknown>
  readonly counts: Effect.Effect<{ readonly hits: number; readonly misses: number; readonly size: number }>
}

type Make = (
  lookup: (key: string) => Effect.Effect<number, string>,
  settings?: { readonly capacity?: number; readonly timeToLive?: number }
) => Effect.Effect<Subject, unknown, Scope.Scope>

const effects: Make = (lookup, { capacity = 100, timeToLive = Infinity } = {}) =>
  Effect.map(
    Cache.makeWith({ lookup, capacity, timeToLive: (exit) => Exit.isSuccess(exit) ? timeToLive : 0 }),
    (cache) => ({
      get: (key) => cache.get(key),
      present: (key) => cache.getOptionComplete(key),
      set: (key, value) => cache.set(key, value),
      refresh: (key) => cache.refresh(key),
      invalidate: (key) => cache.invalidate(key),
      counts: cache.cacheStats
    })
  )

const ours: Make = (lookup, { capacity = 100, timeToLive = Infinity } = {}) =>
  Effect.map(ResourceCache.plain(lookup, { maxEntries: capacity, timeToLive }), (cache) => ({
    ...cache,
    present: cache.getIfPresent,
    counts: Effect.map(cache.stats, ({ entries, hits, misses }) => ({ hits, misses, size: entries }))
  }))

const counting = () => {
  let calls = 0
  return { calls: () => calls, lookup: () => Effect.sync(() => ++calls) }
}

const thereOf = (cache: Subject, keys: ReadonlyArray<string>) =>
  Effect.filter(keys, (key) => Effect.map(cache.present(key), Option.isSome))

it.effect("the one used longest ago goes first: in Effect's the one looked up longest ago, though it was just used", () =>
  inScope(Effect.gen(function*() {
    const ask = (make: Make) =>
      Effect.gen(function*() {
        const cache = yield* make(counting().lookup, { capacity: 2 })
        for (const key of ["a", "b", "a", "c"]) yield* cache.get(key)
        return yield* thereOf(cache, ["a", "b", "c"])
      })
    const seen = { effects: yield* ask(effects), ours: yield* ask(ours) }
    expect(seen).toEqual({ effects: ["b", "c"], ours: ["a", "c"] })
  })))

for (const [name, make] of Object.entries({ "Effect's Cache": effects, "ours, plain": ours })) {
  describe(name, () => {
    const test = (title: string, body: Effect.Effect<unknown, unknown, Scope.Scope>) =>
      it.effect(title, () => inScope(body))

    test(
      "who finds an expired value has missed",
      Effect.gen(function*() {
        const { lookup } = counting()
        const cache = yield* make(lookup, { timeToLive: 10_000 })
        yield* cache.get("a")
        yield* cache.get("a")
        yield* TestClock.adjust("11 seconds")
        expect(yield* cache.get("a")).toBe(2)
        expect(yield* cache.counts).toEqual({ hits: 1, misses: 2, size: 1 })
      })
    )

    test(
      "one lookup for all who ask at once",
      Effect.gen(function*() {
        const { calls, lookup } = counting()
        const gate = yield* Deferred.make<void>()
        const cache = yield* make(() => Effect.andThen(Deferred.await(gate), lookup()))
        const asking = yield* Effect.fork(
          Effect.forEach(Array.from({ length: 100 }), () => cache.get("a"), { concurrency: "unbounded" })
        )
        yield* turns
        expect(Option.isNone(yield* cache.present("a"))).toBe(true)
        yield* Deferred.succeed(gate, undefined)
        expect(new Set(yield* Fiber.join(asking))).toEqual(new Set([1]))
        expect(calls()).toBe(1)
      })
    )

    test(
      "holds no more than its capacity",
      Effect.gen(function*() {
        const { lookup } = counting()
        const cache = yield* make(lookup, { capacity: 2 })
        for (const key of ["a", "b", "c", "d"]) yield* cache.get(key)
        expect((yield* cache.counts).size).toBe(2)
        expect(yield* thereOf(cache, ["a", "b", "c", "d"])).toEqual(["c", "d"])
      })
    )

    test(
      "what was set is found, until it is invalidated",
      Effect.gen(function*() {
        const { calls, lookup } = counting()
        const cache = yield* make(lookup)
        yield* cache.set("a", 42)
        expect(yield* cache.get("a")).toBe(42)
        expect(calls()).toBe(0)
        yield* cache.invalidate("a")
        expect(yield* cache.get("a")).toBe(1)
      })
    )

    test(
      "a refresh puts a new value in the place of the old one",
      Effect.gen(function*() {
        const { lookup } = counting()
        const cache = yield* make(lookup)
        expect(yield* cache.get("a")).toBe(1)
        yield* cache.refresh("a")
        expect(yield* cache.get("a")).toBe(2)
      })
    )
  })
}
