/**
 * Several keys at once, a look that is no use, an idle time of each key, a deadline of each call, and the end of many.
 * Shows `SharedScope`.
 */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope } from "effect"
import { ResourceCache } from "../src/index.js"
import { atRest, inScope, quietly, Source, turns, type Value } from "./kit.js"

/** A cache that looks several keys up in one go, and what was asked of it. */
const several = (options: ResourceCache.CacheOptions<string, Value, string> = {}) =>
  Effect.gen(function*() {
    const source = new Source()
    const asked: Array<ReadonlyArray<string>> = []
    let scopes = 0
    const gate = yield* Deferred.make<void>()
    yield* Deferred.succeed(gate, undefined)
    const world = { gate, answer: (values: ReadonlyArray<Value>): ReadonlyArray<Value> => values }
    const cache = yield* ResourceCache.make((key: string) => source.lookup(key), {
      lookupAll: (keys) =>
        Effect.acquireRelease(Effect.sync(() => scopes++), () => Effect.sync(() => scopes--)).pipe(
          Effect.andThen(Effect.sync(() => asked.push(keys))),
          Effect.andThen(Effect.suspend(() => Deferred.await(world.gate))),
          Effect.andThen(
            Effect.suspend((): Effect.Effect<ReadonlyArray<Value>, string> =>
              keys.includes("bad")
                ? Effect.fail("bad")
                : Effect.succeed(world.answer(keys.map((key) => source.open(key))))
            )
          )
        ),
      release: source.release,
      ...options
    })
    const all = (...keys: ReadonlyArray<string>) =>
      Effect.scoped(Effect.map(cache.getAll(keys), (values) => values.map(({ key, number }) => `${key}${number}`)))
    return { all, asked, cache, source, world, scopes: () => scopes }
  })

describe("getAll", () => {
  it.effect("looks up what is not there in one call of lookupAll, and gives values in the order of the keys", () =>
    inScope(Effect.gen(function*() {
      const { all, asked, cache, scopes, source } = yield* several()
      yield* cache.use("b", () => Effect.void)
      expect(yield* all("a", "b", "c", "a")).toEqual(["a2", "b1", "c3", "a2"])
      expect(asked).toEqual([["a", "c"]])
      expect(yield* all("c", "b")).toEqual(["c3", "b1"])
      expect(yield* all()).toEqual([])
      expect(asked).toHaveLength(1)
      expect(yield* cache.stats).toMatchObject({ misses: 3, hits: 4, loads: 3 })
      // What they have opened together goes with the last of them.
      yield* cache.invalidate("a")
      yield* turns
      expect([source.alive, scopes()]).toEqual([2, 1])
      yield* cache.invalidate("c")
      yield* turns
      expect([source.alive, scopes()]).toEqual([1, 0])
    })))

  it.effect("fails for all where lookupAll does, dies where that gives too few, and keeps nothing", () =>
    inScope(Effect.gen(function*() {
      const { all, cache, scopes, source, world } = yield* several()
      expect(yield* Effect.flip(all("a", "bad"))).toBe("bad")
      world.answer = (values) => values.slice(1)
      const exit = yield* Effect.exit(all("a", "b"))
      expect(String(exit)).toContain("an array of 2 values, in the order of the keys")
      expect([yield* atRest(cache), scopes()]).toEqual([0, 0])
      expect(source.opened).toBe(2)
    })))

  it.effect("shares what others look up, and leaves it to them where it is interrupted", () =>
    inScope(Effect.gen(function*() {
      const { all, asked, cache, world } = yield* several()
      world.gate = yield* Deferred.make<void>()
      const first = yield* Effect.fork(all("a", "b"))
      yield* turns
      const second = yield* Effect.fork(all("b", "c"))
      const third = yield* Effect.fork(cache.use("a", ({ key }) => Effect.succeed(key)))
      yield* turns
      yield* Fiber.interrupt(first)
      expect(asked).toEqual([["a", "b"], ["c"]])
      yield* Deferred.succeed(world.gate, undefined)
      expect([yield* Fiber.join(second), yield* Fiber.join(third)]).toEqual([["b2", "c3"], "a"])
      expect(yield* atRest(cache)).toBe(3)
    })))

  it.effect("keeps the bounds, and waits for room for each", () =>
    inScope(Effect.gen(function*() {
      const { all, cache, source } = yield* several({ maxEntries: 2, acquireTimeout: "1 seconds" })
      expect(yield* all("a", "b")).toEqual(["a1", "b2"])
      expect(yield* all("c", "d")).toHaveLength(2)
      expect([yield* atRest(cache), source.mostAlive]).toEqual([2, 2])
      const tooMany = yield* Effect.fork(Effect.flip(all("e", "f", "g")))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.join(tooMany)).toMatchObject({ _tag: "CacheTimeout", stage: "room" })
      expect([yield* atRest(cache), source.mostAlive]).toEqual([2, 2])
    })))

  it.effect("getAll of a plain cache gives what single lookups give, where there is no lookupAll", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.plain((key: number) => key < 0 ? Effect.fail(key) : Effect.succeed(key * 2))
      expect(yield* cache.getAll([1, 2, 1])).toEqual([2, 4, 2])
      expect(yield* Effect.flip(cache.getAll([3, -1, -2]))).toBe(-1)
      expect(yield* cache.getAll(new Set([3]))).toEqual([6])
      expect(yield* Effect.exit(cache.getAll([1], { acquireTimeout: -1 }))).toMatchObject({ cause: { _tag: "Die" } })
    })))
})

describe("peek and values", () => {
  it.effect("peek and values are no use: neither to the policy nor to timeToIdle, neither hit nor miss", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, {
        maxEntries: 2,
        timeToIdle: "10 seconds",
        release: source.release
      })
      const open = (key: string) => cache.use(key, () => Effect.void)
      yield* open("a")
      yield* open("b")
      const { hits, misses } = yield* cache.stats
      const peeked = yield* Effect.scoped(cache.peek("a"))
      expect(Option.map(peeked, ({ key }) => key)).toEqual(Option.some("a"))
      expect(Option.isNone(yield* Effect.scoped(cache.peek("z")))).toBe(true)
      expect((yield* Effect.scoped(cache.values)).map(({ key }) => key)).toEqual(["a", "b"])
      expect(yield* cache.stats).toMatchObject({ hits, misses })
      yield* open("c")
      expect(yield* cache.keys).toEqual(["b", "c"])
      yield* TestClock.adjust("9 seconds")
      expect(yield* Effect.scoped(cache.values)).toHaveLength(2)
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect([yield* cache.keys, source.alive]).toEqual([[], 0])
    })))

  it.effect("peek and values keep what they give from being released until their scope closes", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, { release: source.release })
      yield* cache.use("a", () => Effect.void)
      const scope = yield* Scope.make()
      const [value] = yield* Scope.extend(cache.values, scope)
      yield* cache.invalidateAll
      yield* turns
      expect([value.isOpen, source.alive]).toEqual([true, 1])
      yield* Scope.close(scope, Exit.void)
      yield* turns
      expect([value.isOpen, source.alive]).toEqual([false, 0])
    })))

  it.effect("give what is stale only while it is given to callers, no failures, and look nothing up", () =>
    inScope(Effect.gen(function*() {
      let asked = 0
      const cache = yield* ResourceCache.plain(
        (key: string) => key === "bad" ? Effect.fail(key) : Effect.sync(() => ++asked),
        {
          timeToLive: () => "10 seconds",
          staleWhileRevalidate: "5 seconds",
          staleOnError: "1 minute"
        }
      )
      yield* Effect.exit(cache.get("bad"))
      yield* cache.get("a")
      expect([yield* cache.values, yield* cache.peek("bad")]).toEqual([[1], Option.none()])
      yield* TestClock.adjust("12 seconds")
      expect([yield* cache.peek("a"), asked]).toEqual([Option.some(1), 1])
      yield* TestClock.adjust("4 seconds")
      expect([yield* cache.peek("a"), yield* cache.values, asked]).toEqual([Option.none(), [], 1])
    })))
})

describe("an idle time of each key", () => {
  it.effect("releases each in its time", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, {
        timeToIdle: (key) => key === "long" ? "1 hour" : key === "ever" ? Infinity : "1 minute",
        release: source.release
      })
      for (const key of ["short", "long", "ever"]) yield* cache.use(key, () => Effect.void)
      yield* TestClock.adjust("59 seconds")
      yield* cache.use("short", () => Effect.void)
      yield* TestClock.adjust("59 seconds")
      expect(yield* cache.keys).toEqual(["short", "long", "ever"])
      yield* TestClock.adjust("1 seconds")
      expect(yield* cache.keys).toEqual(["long", "ever"])
      yield* TestClock.adjust("2 hours")
      yield* turns
      expect([yield* cache.keys, source.alive]).toEqual([["ever"], 1])
    })))

  for (const [name, answer] of [["0", 0], ["below 0", -1], ["no number", NaN], ["no duration", "soon"]] as const) {
    it.effect(`an idle time of each key that is ${name} is what the lookup fails with, and what it has opened is released`, () =>
      inScope(Effect.gen(function*() {
        const source = new Source()
        const cache = yield* ResourceCache.make(source.lookup, {
          timeToIdle: () => answer as number,
          release: source.release
        })
        const exit = yield* Effect.exit(cache.use("a", () => Effect.void))
        expect(String(exit)).toContain("\"timeToIdle\"")
        yield* turns
        expect([source.opened, source.alive, yield* atRest(cache)]).toEqual([1, 0, 0])
      })))
  }
})

describe("a deadline of a call", () => {
  it.effect("a deadline of a call is its own, in every way to ask, and leaves the lookup to the others", () =>
    inScope(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const cache = yield* ResourceCache.make((key: string) => Effect.as(Deferred.await(gate), key))
      const limit = { acquireTimeout: "100 millis" } as const
      const patient = yield* Effect.fork(cache.use("a", Effect.succeed))
      yield* turns
      const hasty = yield* Effect.fork(Effect.all([
        Effect.flip(cache.use("a", Effect.succeed, limit)),
        Effect.flip(Effect.scoped(cache.get("a", limit))),
        Effect.flip(Effect.scoped(cache.getAll(["a", "b"], limit))),
        Effect.flip(cache.refresh("a", limit))
      ], { concurrency: "unbounded" }))
      yield* turns
      yield* TestClock.adjust("100 millis")
      const errors = yield* Fiber.join(hasty)
      expect(errors).toMatchObject(errors.map(() => ({ _tag: "CacheTimeout", limitMillis: 100, stage: "lookup" })))
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(patient)).toBe("a")
    })))

  it.effect("a deadline of a call that is bad ends the caller with a Validation, before anything is looked up", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup)
      for (const acquireTimeout of [0, -1, NaN, "soon" as "1 second"]) {
        const exit = yield* Effect.exit(cache.use("a", Effect.succeed, { acquireTimeout }))
        expect(String(exit)).toContain("\"acquireTimeout\"")
      }
      expect([source.opened, yield* atRest(cache)]).toEqual([0, 0])
    })))
})

describe("the end of a large cache", () => {
  const large = (options: ResourceCache.CacheOptions<number, number>) =>
    Effect.gen(function*() {
      const cache = yield* ResourceCache.make((key: number) => Effect.succeed(key), {
        maxEntries: Infinity,
        ...options
      })
      for (let n = 0; n < 2_000; n++) yield* cache.use(n, () => Effect.void)
      return cache
    })

  it.effect("gives others their turns, and nobody a value", () =>
    inScope(Effect.gen(function*() {
      let [released, longest, last] = [0, 0, 0]
      const cache = yield* large({
        release: () =>
          Effect.sync(() => {
            released++
          })
      })
      let isOver = false
      const watch = () => {
        longest = Math.max(longest, released - last)
        last = released
        if (!isOver) setImmediate(watch)
      }
      watch()
      const closing = yield* Effect.fork(cache.close)
      yield* Effect.yieldNow()
      expect(yield* Effect.flip(cache.use(1_999, Effect.succeed))).toMatchObject({ _tag: "CacheClosed" })
      expect((yield* cache.snapshot).entries).toHaveLength((yield* cache.stats).entries)
      const report = yield* Fiber.join(closing)
      isOver = true
      expect(report).toMatchObject({ released: 2_000, deadlineReached: false, stillRunning: 0 })
      expect(longest).toBeLessThan(200)
    })))

  it.effect("comes by its deadline though there is more to release, which goes on", () =>
    Effect.provide(
      Effect.gen(function*() {
        let released = 0
        const scope = yield* Scope.make()
        const release = () =>
          Effect.sync(() => {
            released++
          })
        const cache = yield* Scope.extend(large({ release, closeTimeout: "1 seconds" }), scope)
        const closing = yield* Effect.fork(cache.close)
        yield* Effect.yieldNow()
        yield* TestClock.adjust("1 seconds")
        const report = yield* Fiber.join(closing)
        expect(report.deadlineReached).toBe(true)
        expect(report.released + report.stillRunning).toBe(2_000)
        expect(report.stillRunning).toBeGreaterThan(0)
        yield* Effect.iterate(0, {
          while: () => released < 2_000,
          body: (n) => Effect.as(Effect.promise(() => new Promise((resume) => setImmediate(resume))), n + 1)
        })
        expect(released).toBe(2_000)
        yield* Scope.close(scope, Exit.void)
      }),
      quietly
    ))
})
