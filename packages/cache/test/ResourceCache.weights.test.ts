/** Shows `EntryMaker`. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { ResourceCache } from "../src/index.js"
import { atRest, hold, inScope, made, number, turns, type Value } from "./kit.js"

describe("weights", () => {
  const weighed = (options: Partial<ResourceCache.CacheOptions<string, Value>> = {}) =>
    made({ maxWeight: 10, weigher: (_, key) => Number(key.slice(1)), ...options })

  it.effect("bound what is in the cache, as the number does, both at once", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* weighed({ maxEntries: 3 })
      yield* Effect.forEach(["a4", "b4", "c4"], (key) => cache.use(key, number))
      yield* turns
      expect([...yield* cache.keys].sort()).toEqual(["b4", "c4"])
      expect((yield* cache.stats).weight).toBe(8)
      yield* Effect.forEach(["d1", "e1", "f0"], (key) => cache.use(key, number))
      yield* turns
      expect((yield* cache.stats).weight).toBeLessThanOrEqual(10)
      expect((yield* cache.keys).length).toBe(3)
    })))

  it.effect("weights of fractions that have all gone are nothing", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made({ weigher: (_, key) => Number(key) })
      yield* Effect.forEach(["0.1", "0.2", "0.3"], (key) => cache.use(key, number))
      yield* cache.invalidateAll
      yield* turns
      expect((yield* cache.stats).weight).toBe(0)
    })))

  it.effect("weights that no sum could hold are refused, and the cache goes on", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made({ weigher: (_, key) => Number(key) })
      for (const key of [String(Number.MAX_VALUE), "1e300"]) {
        expect(Exit.isFailure(yield* Effect.exit(cache.use(key, number)))).toBe(true)
      }
      yield* turns
      expect(yield* cache.use("1", number)).toBe(3)
      expect((yield* cache.stats).weight).toBe(1)
    })))

  it.effect("weights may be exceeded only by what is in use", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* weighed()
      const one = yield* hold(cache, "a6")
      const other = yield* hold(cache, "b6")
      expect((yield* cache.stats).weight).toBe(12)
      yield* one
      yield* turns
      expect((yield* cache.stats).weight).toBe(6)
      yield* other
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("weights over the bound keep further lookups waiting", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* weighed()
      const one = yield* hold(cache, "a10")
      const waiter = yield* Effect.fork(cache.use("b1", number))
      yield* turns
      expect(yield* cache.stats).toMatchObject({ waiting: 1, loading: 0 })
      yield* one
      expect(yield* Fiber.join(waiter)).toBe(2)
      yield* turns
      expect(source.log).toEqual(["open a10", "close a10", "open b1"])
    })))

  it.effect("weights of more than the whole are given to who asked, and released after that", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* weighed({ whenFull: "exceed" })
      yield* cache.use("a2", number)
      const value = yield* cache.use("b11", (value) => source.using(value, Effect.succeed(value)))
      yield* turns
      expect(value.isOpen).toBe(false)
      expect((yield* cache.keys).includes("b11")).toBe(false)
      expect((yield* cache.stats).weight).toBeLessThanOrEqual(10)
      yield* atRest(cache)
    })))

  it.effect("weights of more than the whole push out nobody else, nor keep anybody waiting, while they are in use", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* weighed()
      yield* Effect.forEach(["a2", "b2", "c2"], (key) => cache.use(key, number))
      const done = yield* hold(cache, "d11")
      yield* turns
      expect([...yield* cache.keys].sort()).toEqual(["a2", "b2", "c2"])
      expect((yield* cache.stats).weight).toBe(17)
      yield* cache.use("e3", number)
      yield* done
      yield* turns
      expect([...yield* cache.keys].sort()).toEqual(["a2", "b2", "c2", "e3"])
      expect((yield* cache.stats).weight).toBe(9)
    })))

  it.effect("weights of more than the whole push out nobody else where values are not counted as in use", () =>
    Effect.scoped(Effect.gen(function*() {
      const cache = yield* ResourceCache.plain((key: string) => Effect.succeed(key), {
        maxWeight: 10,
        weigher: (_, key) => Number(key.slice(1))
      })
      yield* Effect.forEach(["a2", "b2", "c2", "d11"], (key) => cache.get(key))
      expect([...yield* cache.keys].sort()).toEqual(["a2", "b2", "c2"])
    })))

  it.effect("weights given by hand of more than the whole are released at once", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* weighed()
      yield* cache.use("a2", number)
      const heavy = source.open("b11")
      yield* cache.set("b11", heavy)
      yield* turns
      expect(heavy.isOpen).toBe(false)
      expect(yield* cache.keys).toEqual(["a2"])
    })))

  it.effect("weights that are none stay however full it is by weight, and are counted", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* weighed({ maxEntries: Infinity })
      yield* Effect.forEach(["a0", "b0", "c9", "d9"], (key) => cache.use(key, number))
      yield* turns
      expect([...yield* cache.keys].sort()).toEqual(["a0", "b0", "d9"])
    })))

  for (const wrong of [-1, Number.NaN, Infinity, "much", undefined]) {
    it.effect(`weights that are no numbers from 0 (${String(wrong)}) are a defect for the caller, and the value is released`, () =>
      inScope(Effect.gen(function*() {
        const { cache, source } = yield* made({ maxWeight: 10, weigher: () => wrong as number })
        const exit = yield* Effect.exit(cache.use("a", number))
        expect(Exit.isFailure(exit) && exit.cause).toMatchObject({ _tag: "Die" })
        yield* turns
        expect([source.opened, source.alive]).toEqual([1, 0])
        expect(yield* atRest(cache)).toBe(0)
      })))
  }

  it.effect("weights by a weigher that throws are a defect for the caller, and the value is released", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({
        weigher: () => {
          throw new Error("no scales")
        }
      })
      expect(yield* Effect.exit(cache.use("a", number))).toEqual(Exit.die(new Error("no scales")))
      expect(yield* Effect.exit(cache.set("a", source.open("a")))).toEqual(Exit.die(new Error("no scales")))
      yield* turns
      expect(source.alive).toBe(0)
      expect(yield* cache.stats).toMatchObject({ entries: 0, weight: 0, inUse: 0 })
    })))
})
