/** What the tests of Effect's `ScopedCache` promise to its users, asked of it and of ours in the same words. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope, ScopedCache } from "effect"
import { ResourceCache } from "../../src/index.js"
import { inScope, turns } from "../kit.js"

interface Settings {
  readonly capacity?: number
  readonly timeToLive?: number
  readonly keepsFailures?: boolean
}

interface Subject<E> {
  readonly get: (key: string) => Effect.Effect<string, unknown, Scope.Scope>
  /** What is there, without waiting for a lookup. */
  readonly present: (key: string) => Effect.Effect<Option.Option<string>, never, Scope.Scope>
  readonly refresh: (key: string) => Effect.Effect<void, E>
  readonly invalidate: (key: string) => Effect.Effect<unknown>
  readonly invalidateAll: Effect.Effect<unknown>
  readonly counts: Effect.Effect<{ readonly hits: number; readonly misses: number; readonly size: number }>
}

type Lookup = (key: string) => Effect.Effect<string, string, Scope.Scope>
type Make = (lookup: Lookup, settings?: Settings) => Effect.Effect<Subject<unknown>, unknown, any>

const ttl = <A>({ keepsFailures = false, timeToLive = Infinity }: Settings) => (exit: Exit.Exit<A, string>) =>
  Exit.isSuccess(exit) || keepsFailures ? timeToLive : 0

const effects: Make = (lookup, settings = {}) =>
  Effect.map(
    ScopedCache.makeWith({ lookup, capacity: settings.capacity ?? 100, timeToLive: ttl(settings) }),
    (cache) => ({
      get: (key) => cache.get(key),
      present: (key) => cache.getOptionComplete(key),
      refresh: (key) => cache.refresh(key),
      invalidate: (key) => cache.invalidate(key),
      // It looks for its keys when it is asked for, not when it is run.
      invalidateAll: Effect.suspend(() => cache.invalidateAll),
      counts: cache.cacheStats
    })
  )

const ours: Make = (lookup, settings = {}) =>
  Effect.map(
    ResourceCache.make(lookup, {
      maxEntries: settings.capacity ?? 100,
      timeToLive: (_: string, exit: Exit.Exit<string, string>) => ttl(settings)(exit)
    }),
    (cache) => ({
      get: cache.get,
      present: cache.getIfPresent,
      // It is released in a fiber of its own.
      refresh: (key) => Effect.zipLeft(cache.refresh(key), turns),
      invalidate: (key) => Effect.andThen(cache.invalidate(key), turns),
      invalidateAll: Effect.andThen(cache.invalidateAll, turns),
      counts: Effect.map(cache.stats, ({ entries, hits, misses }) => ({ hits, misses, size: entries }))
    })
  )

/** Lookups and releases as they happen. */
const resources = () => {
  const log: Array<string> = []
  const lookup = (key: string) =>
    Effect.acquireRelease(
      Effect.sync(() => `${key}${log.push(`+${key}`)}`),
      () => Effect.sync(() => log.push(`-${key}`))
    )
  const count = (what: string) => log.filter((line) => line === what).length
  return { log, lookup, count }
}

const keys = ["a", "b", "c", "d", "e"]

for (const [name, make] of Object.entries({ "Effect's ScopedCache": effects, ours })) {
  describe(name, () => {
    const test = (title: string, body: Effect.Effect<unknown, unknown, any>) =>
      it.effect(title, () => inScope(body as Effect.Effect<unknown, unknown, Scope.Scope>))
    const use = (cache: Subject<unknown>, key: string) => Effect.zipLeft(Effect.scoped(cache.get(key)), turns)

    test(
      "counts hits, misses and what is there",
      Effect.gen(function*() {
        const cache = yield* make(Effect.succeed)
        yield* Effect.forEach(["a", "b", "b", "c", "c", "d"], (key) => Effect.scoped(cache.get(key)))
        expect(yield* cache.counts).toEqual({ hits: 2, misses: 4, size: 4 })
      })
    )

    test(
      "an Effect that asks does nothing before it is run, and each run asks",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup)
        const get = cache.get("a")
        const invalidate = cache.invalidate("a")
        expect(log).toEqual([])
        const first = yield* Effect.scoped(get)
        expect(yield* Effect.scoped(get)).toBe(first)
        expect(log).toEqual(["+a"])
        yield* invalidate
        expect(log).toEqual(["+a", "-a"])
      })
    )

    test(
      "gives each key its own value, asked one by one and at once",
      Effect.gen(function*() {
        const cache = yield* make((key) => Effect.succeed(`value of ${key}`))
        for (const concurrency of [1, "unbounded"] as const) {
          const values = yield* Effect.forEach(keys, (key) => Effect.scoped(cache.get(key)), { concurrency })
          expect(values).toEqual(keys.map((key) => `value of ${key}`))
        }
      })
    )

    test(
      "an invalidation releases what nobody uses, and nothing else",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup)
        yield* Effect.forEach(keys, (key) => use(cache, key))
        yield* cache.invalidate("c")
        expect(log.slice(5)).toEqual(["-c"])
        expect((yield* cache.counts).size).toBe(4)
        expect(Option.isNone(yield* Effect.scoped(cache.present("c")))).toBe(true)
      })
    )

    test(
      "an invalidation of all releases all",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup)
        yield* Effect.forEach(keys, (key) => use(cache, key))
        yield* cache.invalidateAll
        expect(log.slice(5).sort()).toEqual(keys.map((key) => `-${key}`))
        expect((yield* cache.counts).size).toBe(0)
      })
    )

    test(
      "holds no more than its capacity: the oldest are released, the newest stay",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup, { capacity: 3 })
        yield* Effect.forEach(keys, (key) => use(cache, key))
        expect((yield* cache.counts).size).toBe(3)
        expect(log.filter((line) => line.startsWith("-"))).toEqual(["-a", "-b"])
      })
    )

    test(
      "one resource for all who ask at once, released after the last of them",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup)
        const [first, second] = [yield* Scope.make(), yield* Scope.make()]
        yield* Effect.all([first, second].map((scope) => Scope.extend(cache.get("a"), scope)), {
          concurrency: "unbounded"
        })
        yield* cache.invalidate("a")
        yield* Scope.close(second, Exit.void)
        yield* turns
        expect(log).toEqual(["+a"])
        yield* Scope.close(first, Exit.void)
        yield* turns
        expect(log).toEqual(["+a", "-a"])
      })
    )

    test(
      "a failure releases what the lookup had, at once, and is kept where it is to be",
      Effect.gen(function*() {
        for (const keepsFailures of [false, true]) {
          const { count, lookup } = resources()
          const cache = yield* make((key) => Effect.andThen(lookup(key), Effect.fail("refused")), {
            keepsFailures,
            timeToLive: 60_000
          })
          for (const calls of keepsFailures ? [1, 1] : [1, 2]) {
            expect(yield* Effect.flip(Effect.scoped(cache.get("a")))).toBe("refused")
            yield* TestClock.adjust(1)
            expect([count("+a"), count("-a")]).toEqual([calls, calls])
          }
        }
      })
    )

    test(
      "a failure is given to all who ask at once",
      Effect.gen(function*() {
        const { count, lookup } = resources()
        const cache = yield* make((key) => Effect.andThen(lookup(key), Effect.fail("refused")), {
          keepsFailures: true,
          timeToLive: 60_000
        })
        const asked = [1, 2].map(() => Effect.flip(Effect.scoped(cache.get("a"))))
        expect(yield* Effect.all(asked, { concurrency: "unbounded" })).toEqual(["refused", "refused"])
        expect([count("+a"), count("-a")]).toEqual([1, 1])
      })
    )

    test(
      "a value that is too old is looked up again, and the old one released",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup, { timeToLive: 10_000 })
        for (const seconds of [5, 4]) {
          yield* use(cache, "a")
          yield* TestClock.adjust(seconds * 1_000)
        }
        expect(log).toEqual(["+a"])
        yield* TestClock.adjust(2_000)
        yield* use(cache, "a")
        expect([...log].sort()).toEqual(["+a", "+a", "-a"])
      })
    )

    test(
      "a value that is too old and in use is released after its last use",
      Effect.gen(function*() {
        const { count, lookup } = resources()
        const cache = yield* make(lookup, { timeToLive: 10_000 })
        const holding = yield* Scope.make()
        yield* Scope.extend(cache.get("a"), holding)
        yield* TestClock.adjust(11_000)
        yield* use(cache, "a")
        expect([count("+a"), count("-a")]).toEqual([2, 0])
        yield* Scope.close(holding, Exit.void)
        yield* turns
        expect([count("+a"), count("-a")]).toEqual([2, 1])
      })
    )

    test(
      "says what is there without looking it up: nothing while that goes on, then the value",
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const cache = yield* make((key) => Effect.as(Deferred.await(gate), key))
        const present = Effect.map(Effect.scoped(cache.present("a")), Option.getOrUndefined)
        expect(yield* present).toBeUndefined()
        const asking = yield* Effect.fork(Effect.scoped(cache.get("a")))
        yield* turns
        expect(yield* present).toBeUndefined()
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(asking)
        expect(yield* present).toBe("a")
      })
    )

    test(
      "a refresh puts a new value in the place of the old one, which is released",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup)
        expect(yield* use(cache, "a")).toBe("a1")
        yield* cache.refresh("a")
        expect(yield* use(cache, "a")).toBe("a2")
        expect(log).toEqual(["+a", "+a", "-a"])
      })
    )

    test(
      "a refresh looks up what was not there",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup)
        yield* cache.refresh("a")
        expect(yield* use(cache, "a")).toBe("a1")
        expect(log).toEqual(["+a"])
      })
    )

    test(
      "a refresh after failures gives the value, and its own failure to who asked for it",
      Effect.gen(function*() {
        let calls = 0
        const lookup = () =>
          Effect.suspend(() => ++calls % 3 === 1 ? Effect.fail("refused") : Effect.succeed(`${calls}`))
        const cache = yield* make(lookup)
        expect(yield* Effect.flip(Effect.scoped(cache.get("a")))).toBe("refused")
        yield* TestClock.adjust(1)
        yield* cache.refresh("a")
        expect(yield* use(cache, "a")).toBe("2")
        yield* cache.refresh("a")
        expect(yield* Effect.flip(cache.refresh("a"))).toBe("refused")
        yield* cache.refresh("a")
        expect(yield* use(cache, "a")).toBe("5")
      })
    )
  })
}
