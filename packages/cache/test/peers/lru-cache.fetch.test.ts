/**
 * What lru-cache's own tests promise of times and of lookups, asked of lru-cache and of both our caches in the same words.
 * What is asked a moment after its time is asked a millisecond late: there a value is good at the instant of its end, too.
 */
import { describe, expect, it } from "vitest"
import { lru } from "./lru.js"
import { ours, oursPlain } from "./ours.js"
import { type MakeSubject, repeat, type Settings, times, using, watch } from "./subject.js"

const caches: { readonly [name: string]: MakeSubject } = {
  "lru-cache": lru,
  "ours": ours,
  "ours, plain": oursPlain
}

/** Each lookup gives one more, after 10 ms. */
const counting = (settings: Settings<string, number> = {}) => {
  const calls: Array<string> = []
  return {
    calls,
    settings: {
      ...settings,
      lookup: async (key, { sleep }) => {
        const number = calls.push(key)
        await sleep(10)
        return number
      }
    } satisfies Settings<string, number>
  }
}

for (const [name, make] of Object.entries(caches)) {
  describe(`${name}: times`, () => {
    it("a value is there until its time is over, and told as expired", () =>
      using(make<number, number>({ max: 5, ttl: 10 }), async (cache) => {
        await cache.set(1, 1)
        await cache.pass(5)
        expect(await cache.present(1)).toBe(1)
        await cache.pass(4)
        expect(await cache.present(1)).toBe(1)
        await cache.pass(2)
        expect(await cache.present(1)).toBeUndefined()
        expect(cache.size()).toBe(0)
        expect(cache.removed).toEqual([[1, 1, "expired"]])
      }))

    it("each value has a time of its own, or none", () => {
      const ttl = (key: string) => key === "immortal" ? Infinity : Number(key)
      return using(make<string, boolean>({ max: 5, ttl }), async (cache) => {
        for (const key of ["10", "100", "immortal"]) await cache.set(key, true)
        await cache.pass(50)
        expect(await Promise.all(["10", "100", "immortal"].map(cache.present))).toEqual([undefined, true, true])
        await cache.pass(51)
        expect(await Promise.all(["100", "immortal"].map(cache.present))).toEqual([undefined, true])
        await cache.pass(1_000_000)
        expect(await cache.present("immortal")).toBe(true)
      })
    })

    it("a value given anew has its whole time before it", () =>
      using(make<number, number>({ max: 5, ttl: 10 }), async (cache) => {
        for (const key of [1, 2]) await cache.set(key, key)
        await cache.pass(9)
        await cache.set(1, 1)
        await cache.pass(9)
        expect([await cache.present(1), await cache.present(2)]).toEqual([1, undefined])
        await cache.pass(2)
        expect(await cache.present(1)).toBeUndefined()
      }))

    it(`${name}: times where its time counts from its last use, it stays for as long as it is used`, () =>
      using(make<number, number>({ max: 5, idle: 100 }), async (cache) => {
        await cache.set(2, 2)
        await repeat(10, async () => {
          await cache.pass(50)
          expect(await cache.present(2)).toBe(2)
        })
        await cache.pass(101)
        expect(await cache.present(2)).toBeUndefined()
      }))

    it("a value that has left before its time is not told again when that comes", () =>
      using(make<number, number>({ max: 2, ttl: 100 }), async (cache) => {
        for (const key of times(3)) await cache.set(key, key)
        await cache.remove(2)
        await cache.pass(1_000)
        await cache.present(1)
        expect([...cache.removed].sort()).toEqual([[0, 0, "evicted"], [1, 1, "expired"], [2, 2, "invalidated"]])
      }))
  })

  describe(`${name}: lookups`, () => {
    it("a key is looked up once, however many ask, and each gets the same", () => {
      let calls = 0
      const lookup = async (_: number, { sleep }: { readonly sleep: (millis: number) => Promise<void> }) => {
        calls++
        await sleep(10)
        return {}
      }
      return using(make<number, object>({ max: 5, lookup }), async (cache) => {
        const asked = times(5).map(() => cache.ask(1))
        expect(await cache.present(1)).toBeUndefined()
        await cache.pass(10)
        const values = await Promise.all(asked)
        expect(new Set(values).size).toBe(1)
        expect(calls).toBe(1)
        expect(await cache.ask(1)).toBe(values[0])
      })
    })

    it("a value that has expired is looked up again, and who asks waits", () => {
      const { calls, settings } = counting({ ttl: 20 })
      return using(make(settings), async (cache) => {
        await Promise.all([cache.ask("key"), cache.pass(10)])
        await cache.pass(21)
        const asked = cache.ask("key")
        await cache.pass(10)
        expect(await asked).toBe(2)
        expect(calls).toHaveLength(2)
      })
    })

    it(`${name}: lookups where an old value will do it is given at once while one lookup goes on, and then the new one`, () => {
      const { calls, settings } = counting({ ttl: 100, staleWhileLooking: 1_000 })
      return using(make(settings), async (cache) => {
        await Promise.all([cache.ask("key"), cache.pass(10)])
        await cache.pass(101)
        expect(await Promise.all(times(3).map(() => cache.ask("key")))).toEqual([1, 1, 1])
        await cache.pass(10)
        expect(await cache.ask("key")).toBe(2)
        expect(calls).toHaveLength(2)
        expect(cache.removed).toEqual([["key", 1, "replaced"]])
      })
    })

    it(`${name}: lookups where there is no old value, who asks waits, though one would do`, () => {
      const { settings } = counting({ ttl: 100, staleWhileLooking: 1_000 })
      return using(make(settings), async (cache) => {
        const outcome = watch(cache.ask("key"))
        await cache.pass(9)
        expect(outcome().state).toBe("pending")
        await cache.pass(1)
        expect(outcome()).toEqual({ state: "fulfilled", value: 1 })
      })
    })

    it("the lookup says for how long its value is good", () => {
      const ttl = (key: number) => key === 2 ? 25 : 1_000
      return using(make<number, number>({ ttl, lookup: (key) => key }), async (cache) => {
        for (const key of [2, 6]) await cache.ask(key)
        await cache.pass(26)
        expect(await Promise.all([2, 6].map(cache.present))).toEqual([undefined, 6])
      })
    })

    it("a failure is given to all who wait, and not kept", () => {
      let calls = 0
      const failure = new Error("lookup failed")
      const lookup = async () => {
        if (++calls === 1) throw failure
        return calls
      }
      return using(make<string, number>({ max: 10, lookup }), async (cache) => {
        const outcomes = times(3).map(() => watch(cache.ask("a")))
        await cache.pass(0)
        for (const outcome of outcomes) expect(outcome()).toEqual({ state: "rejected", reason: failure })
        expect(await cache.present("a")).toBeUndefined()
        expect(await cache.ask("a")).toBe(2)
        expect(cache.removed).toEqual([])
      })
    })

    it("a failure behind an old value reaches nobody, and the old one stays where it will do on errors, too", () => {
      let isDown = false
      const lookup = async (key: string) => {
        if (isDown) throw new Error("down")
        return key.length
      }
      const settings = { ttl: 10, staleWhileLooking: 1_000, staleOnError: 1_000, lookup }
      return using(make<string, number>(settings), async (cache) => {
        expect(await cache.ask("abc")).toBe(3)
        isDown = true
        await cache.pass(20)
        expect(await Promise.all(times(3).map(() => cache.ask("abc")))).toEqual([3, 3, 3])
        await cache.pass(20)
        expect(await cache.ask("abc")).toBe(3)
        expect(cache.removed).toEqual([])
      })
    })

    it("an old value is given where looking it up anew fails, if it is to be", () => {
      let isDown = false
      const lookup = async (key: number) => {
        if (isDown) throw new Error("down")
        return key
      }
      return using(make<number, number>({ ttl: 10, staleOnError: 1_000, lookup }), async (cache) => {
        expect(await cache.ask(1)).toBe(1)
        await cache.pass(11)
        expect(await cache.present(1)).toBeUndefined()
        await cache.set(1, 1)
        isDown = true
        await cache.pass(11)
        const old = cache.ask(1)
        await cache.pass(0)
        expect(await old).toBe(1)
      })
    })

    it("a value that was looked up anew for somebody is the one used last", () => {
      const ttl = (key: string) => key === "a" ? 10 : Infinity
      const settings = { max: 2, ttl, staleOnError: 1_000, lookup: (key: string) => key }
      return using(make<string, string>(settings), async (cache) => {
        for (const key of ["a", "b"]) await cache.ask(key)
        await cache.pass(11)
        await cache.ask("a")
        await cache.ask("c")
        expect([...await cache.keys()].sort()).toEqual(["a", "c"])
      })
    })

    it("a refresh looks up what is good as well, and others have the old value meanwhile", () => {
      const { calls, settings } = counting({ ttl: 1_000, staleWhileLooking: 1_000 })
      return using(make(settings), async (cache) => {
        await cache.set("key", 100)
        expect(await cache.ask("key")).toBe(100)
        const refreshed = cache.refresh("key")
        expect(await cache.ask("key")).toBe(100)
        expect(await cache.present("key")).toBe(100)
        await cache.pass(10)
        await refreshed
        expect(await cache.ask("key")).toBe(1)
        expect(calls).toHaveLength(1)
      })
    })

    it("a lookup that the only one who asked gives up is aborted, and nothing is kept", () => {
      let isAborted = false
      let isOver = false
      const lookup = (
        key: number,
        { signal, sleep }: Parameters<NonNullable<Settings<number, number>["lookup"]>>[1]
      ) => {
        signal.addEventListener("abort", () => isAborted = true)
        return Promise.race([
          sleep(100).then(() => isOver = true),
          new Promise<void>((end) => signal.addEventListener("abort", () => end()))
        ]).then(() => key)
      }
      return using(make<number, number>({ max: 10, lookup }), async (cache) => {
        const controller = new AbortController()
        const outcome = watch(cache.ask(1, controller.signal))
        await cache.pass(10)
        controller.abort(new Error("no longer wanted"))
        await cache.pass(0)
        expect(outcome().state).toBe("rejected")
        expect([isAborted, isOver]).toEqual([true, false])
        await cache.pass(100)
        expect(await cache.present(1)).toBeUndefined()
      })
    })

    it("what a lookup replaces is told once", () => {
      let number = 0
      const lookup = async () => number++
      return using(make<string, number>({ max: 3, ttl: 10, lookup }), async (cache) => {
        expect(await cache.ask("key")).toBe(0)
        await cache.pass(20)
        expect(await cache.ask("key")).toBe(1)
        expect(cache.removed.map(([key, value]) => [key, value])).toEqual([["key", 0]])
      })
    })
  })
}
