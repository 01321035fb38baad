/**
 * What lru-cache's own tests promise to its users, asked of lru-cache and of both our caches in the same words: the order,
 * disposal and weights. Those of times and lookups are in `lru-cache.fetch.test.ts`.
 */
import { Effect } from "effect"
import { LRUCache } from "lru-cache"
import { describe, expect, it } from "vitest"
import { ResourceCache } from "../../src/index.js"
import { inScope } from "../kit.js"
import { lru } from "./lru.js"
import { ours, oursPlain } from "./ours.js"
import { type MakeSubject, times, using } from "./subject.js"

const caches: { readonly [name: string]: MakeSubject } = {
  "lru-cache": lru,
  "ours": ours,
  "ours, plain": oursPlain
}

describe("options that make no sense", () => {
  const isRefused = (options: ResourceCache.CacheSettings) =>
    Effect.runPromise(inScope(Effect.isFailure(ResourceCache.make(Effect.succeed, options))))

  for (const max of [-123, 0, 2.5, "ten", null, NaN]) {
    it(`${JSON.stringify(max)} is no maximum, of entries or of weights`, async () => {
      expect(() => new LRUCache({ max: max as number })).toThrow()
      expect(await isRefused({ maxEntries: (max ?? "null") as number })).toBe(true)
      if (max === 2.5) return expect(await isRefused({ maxWeight: max })).toBe(false)
      expect(await isRefused({ maxWeight: (max ?? "null") as number })).toBe(true)
    })
  }

  it("options that make no sense where nothing is said there are limits in ours; lru-cache wants one", async () => {
    expect(() => new LRUCache({} as { readonly max: number })).toThrow("At least one of max")
    expect(await isRefused({})).toBe(false)
  })

  it("no limit has to be said, and can be in ours", async () => {
    expect(() => new LRUCache({ max: Infinity })).toThrow()
    expect(await isRefused({ maxEntries: Infinity })).toBe(false)
  })
})

for (const [name, make] of Object.entries(caches)) {
  const numbers = (max: number) => make<number, number>({ max, lookup: (key) => key })

  describe(`${name}: the order`, () => {
    it("the one used longest ago goes first, whether it was used by asking or came in anew", () =>
      using(numbers(3), async (cache) => {
        for (const key of [1, 2, 3, 1]) await cache.ask(key)
        await cache.set(2, 2)
        await cache.set(4, 4)
        await cache.set(5, 5)
        expect([...await cache.keys()].sort()).toEqual([2, 4, 5])
      }))

    it("there are never more than the maximum", () =>
      using(numbers(10), async (cache) => {
        for (const key of times(20)) {
          await cache.set(key, key)
          expect(cache.size()).toBe(Math.min(key + 1, 10))
        }
        for (const key of times(10)) expect(await cache.present(key)).toBeUndefined()
        for (const key of times(10, 10)) expect(await cache.present(key)).toBe(key)
      }))

    it("a look at what is there is no use of it", () =>
      using(numbers(5), async (cache) => {
        for (const key of times(5)) await cache.set(key, key)
        await cache.keys()
        await cache.set(5, 5)
        expect([...await cache.keys()].sort()).toEqual([1, 2, 3, 4, 5])
      }))

    it("a place in the middle that became free is used again", () =>
      using(numbers(5), async (cache) => {
        for (const key of times(5)) await cache.set(key, key)
        await cache.remove(2)
        await cache.set(5, 5)
        expect(cache.size()).toBe(5)
        expect(cache.removed).toEqual([[2, 2, "invalidated"]])
      }))

    it("false, 0 and the empty text are keys, and values, as any other", () =>
      using(make<boolean | number | string, boolean | number | string>({ max: 5 }), async (cache) => {
        for (const any of [false, 0, "", "0"]) await cache.set(any, any)
        expect(cache.size()).toBe(4)
        for (const any of [false, 0, "", "0"]) expect(await cache.present(any)).toBe(any)
      }))
  })

  describe(`${name}: what leaves`, () => {
    it(`${name}: what leaves is told in the order in which it leaves, as evicted`, () =>
      using(numbers(5), async (cache) => {
        for (const key of times(9)) await cache.set(key, key)
        expect(cache.removed).toEqual(times(4).map((key) => [key, key, "evicted"]))
      }))

    it(`${name}: what leaves is told as replaced where its key is given another value; the others stay`, () =>
      using(make<string, string>({ max: 5 }), async (cache) => {
        for (const key of times(5)) await cache.set(`${key}`, "old")
        await cache.set("2", "new")
        expect(cache.removed).toEqual([["2", "old", "replaced"]])
        for (const key of times(5)) expect(await cache.present(`${key}`)).toBe(key === 2 ? "new" : "old")
        expect(cache.removed).toHaveLength(1)
      }))

    it(`${name}: what leaves is told with its own value where one after another was given`, () =>
      using(make<number, string>({ max: 5 }), async (cache) => {
        for (const key of times(5)) await cache.set(key, `${key}`)
        for (const key of times(4)) await cache.set(key, `new ${key}`)
        await cache.remove(0)
        await cache.remove(4)
        expect(cache.removed).toEqual([
          ...times(4).map((key) => [key, `${key}`, "replaced"]),
          [0, "new 0", "invalidated"],
          [4, "4", "invalidated"]
        ])
      }))

    it(`${name}: what leaves is told as invalidated where it was removed; of what was not there, nothing is told`, () =>
      using(numbers(5), async (cache) => {
        await cache.set(3, 3)
        expect(await cache.remove(3)).toBe(true)
        expect(await cache.remove(3)).toBe(false)
        expect(cache.removed).toEqual([[3, 3, "invalidated"]])
      }))

    it(`${name}: what leaves is told one by one where all are removed`, () =>
      using(numbers(5), async (cache) => {
        for (const key of times(4)) await cache.set(key, key)
        await cache.clear()
        expect(cache.size()).toBe(0)
        expect([...cache.removed].sort()).toEqual(times(4).map((key) => [key, key, "invalidated"]))
      }))

    it(`${name}: what leaves is told once though it had expired when all are removed`, () =>
      using(make<number, number>({ max: 3, ttl: 10 }), async (cache) => {
        for (const key of times(4)) await cache.set(key, key)
        await cache.pass(20)
        await cache.clear()
        expect(cache.removed.map(([key]) => key).sort()).toEqual([0, 1, 2, 3])
      }))

    it(`${name}: what leaves may be put back by who is told`, () =>
      using(
        make<number, number>({
          max: 5,
          onRemoval: (key, value, self) => {
            // Refused at the end.
            if (key === 2) self.set(2, value + 1).catch(() => {})
          }
        }),
        async (cache) => {
          for (const key of times(100)) if (key !== 2) await cache.set(key, key)
          await cache.set(2, 2)
          for (const key of times(20, 100)) await cache.set(key, key)
          expect(cache.size()).toBe(5)
          // Every five that come it has to go.
          expect(await cache.present(2)).toBe(6)
        }
      ))
  })

  describe(`${name}: weights`, () => {
    const texts = (maxWeight: number) =>
      make<string | number, string>({
        max: 100,
        maxWeight,
        weigh: (text) => text.length,
        lookup: (key) => "x".repeat(Number(key))
      })

    it(`${name}: weights are counted as values come and go`, () =>
      using(texts(100), async (cache) => {
        for (const weight of [5, 10, 20]) await cache.ask(weight)
        expect(cache.weight()).toBe(35)
        await cache.remove(20)
        expect(cache.weight()).toBe(15)
        await cache.remove(99)
        expect(cache.weight()).toBe(15)
        await cache.clear()
        expect(cache.weight()).toBe(0)
        await cache.remove(5)
        expect(cache.weight()).toBe(0)
      }))

    it(`${name}: weights are counted anew where a value is replaced`, () =>
      using(texts(100), async (cache) => {
        for (const text of ["i", "jj", "i", "jjjjj", "jj"]) {
          await cache.set("repeated", text.repeat(10))
          expect([cache.size(), cache.weight()]).toEqual([1, text.length * 10])
        }
      }))

    it("let others go only when the maximum is crossed, and then as many as it takes", () =>
      using(texts(100), async (cache) => {
        for (const key of times(5)) await cache.set(key, "x".repeat(10))
        await cache.set("fits", "x".repeat(50))
        expect([cache.size(), cache.weight()]).toEqual([6, 100])
        await cache.set("big", "x".repeat(100))
        expect([cache.size(), cache.weight()]).toEqual([1, 100])
      }))

    it("a value that can never fit is given to who asks, and not kept", () =>
      using(texts(10), async (cache) => {
        expect(await cache.ask(11)).toBe("x".repeat(11))
        expect([cache.size(), cache.weight()]).toEqual([0, 0])
      }))

    it("a value that can never fit and that nobody uses pushes out no others", () =>
      using(texts(10), async (cache) => {
        await cache.ask(3)
        await cache.set("big", "x".repeat(11))
        expect(await cache.keys()).toEqual([3])
        expect(cache.weight()).toBe(3)
      }))

    it("what is no weight is refused, and nothing is kept", () =>
      using(
        make<string, string>({ max: 5, maxWeight: 5, weigh: () => "heavy" as unknown as number }),
        async (cache) => {
          await expect(cache.set("a", "a")).rejects.toBeDefined()
          expect([cache.size(), cache.weight()]).toEqual([0, 0])
        }
      ))

    it("both limits hold at once", () =>
      using(
        make<number, number>({ max: 3, maxWeight: 10, weigh: (value) => value, lookup: (key) => key }),
        async (cache) => {
          for (const key of [1, 2, 3, 4]) await cache.ask(key)
          expect([...await cache.keys()].sort()).toEqual([2, 3, 4])
          await cache.ask(6)
          expect([...await cache.keys()].sort()).toEqual([4, 6])
        }
      ))

    it("decide when values come, not when they were asked for", () => {
      const answers = new Map<number, (value: number) => void>()
      const lookup = (key: number) => new Promise<number>((answer) => answers.set(key, answer))
      return using(
        make<number, number>({ max: 100, maxWeight: 10, weigh: (value) => value, lookup }),
        async (cache) => {
          const asked = [3, 4, 5].map((key) => cache.ask(key))
          await cache.pass(0)
          for (const key of [4, 5, 3]) {
            answers.get(key)!(key)
            await cache.pass(0)
          }
          expect(await Promise.all(asked)).toEqual([3, 4, 5])
          expect([...await cache.keys()].sort()).toEqual([3, 5])
        }
      )
    })
  })
}
