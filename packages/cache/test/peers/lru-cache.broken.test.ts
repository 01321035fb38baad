/** Promises that ours keeps and lru-cache does not: each asked of both, so that the difference is seen. */
import { Data } from "effect"
import { LRUCache } from "lru-cache"
import { afterEach, describe, expect, it, vi } from "vitest"
import { Source, type Value } from "../kit.js"
import { lru } from "./lru.js"
import { ours } from "./ours.js"
import { type MakeSubject, repeat, type Settings, type Subject, times, turn, using, watch } from "./subject.js"

const compare = async <B>(ask: (make: MakeSubject) => Promise<B>) => ({ lru: await ask(lru), ours: await ask(ours) })

/** Lookups that end when told. */
const gated = () => {
  const answers: Array<() => void> = []
  const lookup = (key: string, { signal }: { readonly signal: AbortSignal }) =>
    new Promise<string>((answer, fail) => {
      answers.push(() => answer(`looked up ${key}`))
      signal.addEventListener("abort", () => fail(signal.reason))
    })
  return { lookup, answer: () => answers.forEach((answer) => answer()) }
}

/** A source whose values are closed as soon as they are let go of. */
const closing = (source: Source): Settings<string, Value> => ({
  lookup: (key) => source.open(key),
  release: (value) => {
    value.isOpen = false
    source.closed++
  }
})

describe("a value that is in use", () => {
  const happenings: ReadonlyArray<
    readonly [string, Settings<string, Value>, (cache: Subject<string, Value>, source: Source) => Promise<unknown>]
  > = [
    ["pushed out", { max: 2 }, async (cache, source) => {
      for (const key of ["a", "b", "c"]) await cache.set(key, source.open(key))
    }],
    ["expired", { ttl: 10 }, async (cache) => {
      await cache.pass(20)
      await cache.present("used")
    }],
    ["invalidated", {}, (cache) => cache.remove("used")],
    ["replaced", {}, (cache, source) => cache.set("used", source.open("used"))],
    ["replaced by a lookup", { ttl: 10, staleWhileLooking: 1_000 }, async (cache) => {
      await cache.pass(20)
      await cache.ask("used")
      await cache.pass(0)
    }]
  ]

  for (const [what, settings, happens] of happenings) {
    it(`a value that is in use and ${what} is closed after its last use: there under its user's hands`, async () => {
      const seen = await compare(async (make) => {
        const source = new Source()
        return using(make<string, Value>({ ...closing(source), ...settings }), async (cache) => {
          let end = () => {}
          const ended = new Promise<void>((resolve) => (end = resolve))
          let used: Value | undefined
          const use = cache.use("used", async (value) => {
            used = value
            await ended
            return value.isOpen
          })
          await cache.pass(0)
          await happens(cache, source)
          end()
          const wasOpen = await use
          // A value that is only pushed away by what is in use stays, as it was used last.
          if (what !== "pushed out") expect(used!.isOpen).toBe(false)
          return wasOpen
        })
      })
      expect(seen).toEqual({ lru: false, ours: true })
    })
  }
})

describe("a release", () => {
  it("a release that takes a while keeps its place: there 2 are open of 1", async () => {
    const seen = await compare(async (make) => {
      const source = new Source()
      const release = async (value: Value) => {
        await turn()
        value.isOpen = false
        source.closed++
      }
      const settings = { max: 1, lookup: (key: string) => source.open(key), release }
      await using(make<string, Value>(settings), async (cache) => {
        await cache.ask("a")
        const asked = cache.ask("b")
        await cache.pass(0)
        await asked
      })
      return source.mostAlive
    })
    expect(seen).toEqual({ lru: 2, ours: 1 })
  })

  it("a release that throws concerns nobody who asks: there it hits who gave the next value", async () => {
    const seen = await compare((make) => {
      const release = () => {
        throw new Error("the socket is gone")
      }
      return using(make<string, string>({ max: 1, release }), async (cache) => {
        await cache.set("a", "a")
        const outcome = watch(cache.set("b", "b"))
        await cache.pass(0)
        return outcome().state
      })
    })
    expect(seen).toEqual({ lru: "rejected", ours: "fulfilled" })
  })

  it("follows when the time of a value has come: there when somebody asks", async () => {
    const seen = await compare((make) => {
      const source = new Source()
      return using(make<string, Value>({ ...closing(source), ttl: 1_000 }), async (cache) => {
        await cache.ask("a")
        await cache.pass(3_600_000)
        return source.alive
      })
    })
    expect(seen).toEqual({ lru: 1, ours: 0 })
  })

  it("follows at the end: there is no end", async () => {
    const seen = await compare(async (make) => {
      const source = new Source()
      await using(make<string, Value>(closing(source)), (cache) => cache.ask("a"))
      return source.alive
    })
    expect(seen).toEqual({ lru: 1, ours: 0 })
  })
})

describe("timers", () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it("all values share one: there, where they go in time, each has its own", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const cache = new LRUCache<number, number>({ ttl: 1_000, ttlAutopurge: true })
    for (const key of times(100)) cache.set(key, key)
    const theirs = vi.getTimerCount()
    vi.useRealTimers()
    const own = await using(ours<number, number>({ ttl: 1_000 }), async (cache) => {
      for (const key of times(100)) await cache.set(key, key)
      return cache.timers()
    })
    // One of theirs may be for the clock.
    expect(theirs).toBeGreaterThanOrEqual(100)
    expect(own).toBe(1)
  })
})

describe("a lookup", () => {
  it("goes on for the others when who asked first gives up: there all are rejected", async () => {
    const seen = await compare((make) => {
      const { answer, lookup } = gated()
      return using(make<string, string>({ lookup }), async (cache) => {
        const controller = new AbortController()
        const first = watch(cache.ask("key", controller.signal))
        const second = watch(cache.ask("key"))
        await cache.pass(0)
        controller.abort(new Error("no longer wanted"))
        await cache.pass(0)
        answer()
        await cache.pass(0)
        return [first().state, second().state]
      })
    })
    expect(seen).toEqual({ lru: ["rejected", "rejected"], ours: ["rejected", "fulfilled"] })
  })

  const during: ReadonlyArray<
    readonly [string, (cache: Subject<string, string>) => Promise<unknown>, expected: string | undefined]
  > = [
    ["is invalidated", (cache) => cache.remove("key"), undefined],
    ["is given another value", (cache) => cache.set("key", "other"), "other"]
  ]
  for (const [what, happens, expected] of during) {
    it(`a lookup whose key ${what} meanwhile answers those who had asked, and nobody else: there they are rejected`, async () => {
      const seen = await compare((make) => {
        const { answer, lookup } = gated()
        return using(make<string, string>({ lookup }), async (cache) => {
          const outcome = watch(cache.ask("key"))
          await cache.pass(0)
          await happens(cache)
          answer()
          await cache.pass(0)
          expect(await cache.present("key")).toBe(expected)
          return outcome().state
        })
      })
      expect(seen).toEqual({ lru: "rejected", ours: "fulfilled" })
    })
  }

  it("a lookup is not pushed out by values that come meanwhile: there its callers are rejected", async () => {
    const seen = await compare((make) => {
      const { answer, lookup } = gated()
      return using(make<string, string>({ max: 3, lookup }), async (cache) => {
        const outcome = watch(cache.ask("key"))
        await cache.pass(0)
        for (const key of ["a", "b", "c"]) await cache.set(key, key)
        answer()
        await cache.pass(0)
        return outcome().state
      })
    })
    expect(seen).toEqual({ lru: "rejected", ours: "fulfilled" })
  })

  it("a lookup that fails is a failure where old values would do, but there is none: there it is a success without a value", async () => {
    const seen = await compare((make) => {
      const lookup = async (): Promise<string> => {
        throw new Error("down")
      }
      return using(make<string, string>({ ttl: 10, staleOnError: 1_000, lookup }), async (cache) => {
        const outcome = watch(cache.ask("key"))
        await cache.pass(0)
        return outcome()
      })
    })
    expect(seen).toMatchObject({ lru: { state: "fulfilled", value: undefined }, ours: { state: "rejected" } })
  })

  it("a lookup that keeps failing behind an old value is made once a pause: there for every caller", async () => {
    const seen = await compare((make) => {
      let calls = 0
      const lookup = async () => {
        if (++calls > 1) throw new Error("down")
        return "value"
      }
      const stale = { staleWhileLooking: 3_600_000, staleOnError: 3_600_000 }
      return using(make<string, string>({ ttl: 10, ...stale, lookup }), async (cache) => {
        await cache.ask("key")
        await cache.pass(20)
        await repeat(100, async () => {
          expect(await cache.ask("key")).toBe("value")
          await cache.pass(10)
        })
        return calls
      })
    })
    // The first pause is a second.
    expect(seen).toEqual({ lru: 101, ours: 2 })
  })

  it("gives an old value for as long as it is said to: there for ever", async () => {
    const seen = await compare((make) => {
      const { lookup } = gated()
      return using(make<string, string>({ ttl: 10, staleWhileLooking: 100, lookup }), async (cache) => {
        await cache.set("key", "old")
        await cache.pass(3_600_000)
        const outcome = watch(cache.ask("key"))
        await cache.pass(0)
        return outcome().state
      })
    })
    expect(seen).toEqual({ lru: "fulfilled", ours: "pending" })
  })

  it("a lookup may give undefined, which is a value: there none, looked up again and again", async () => {
    const seen = await compare((make) => {
      let calls = 0
      const lookup = () => {
        calls++
        return undefined as unknown as string
      }
      return using(make<string, string>({ lookup }), async (cache) => {
        await repeat(3, () => cache.ask("key"))
        return calls
      })
    })
    expect(seen).toEqual({ lru: 3, ours: 1 })
  })
})

describe("keys", () => {
  it("keys are equal where they say so: there only the same object is", async () => {
    const seen = await compare((make) => {
      let calls = 0
      const lookup = () => ++calls
      return using(make<object, number>({ lookup }), async (cache) => {
        await repeat(3, () => cache.ask(Data.struct({ tenant: 7 })))
        return calls
      })
    })
    expect(seen).toEqual({ lru: 3, ours: 1 })
  })
})
