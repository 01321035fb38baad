import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Bounds, lru } from "../../../src/CachePolicy.js"
import { WTinyLfu } from "../../../src/internal/policy/WTinyLfu.js"
import { hitRate, SimulatedCache, type SimulatedEntry } from "../../simulator.js"
import { recent, zipf } from "../../traces.js"
import { cacheOf, checkSegments, never, peekAll, range } from "./wTinyLfuCache.js"

describe("W-TinyLFU keeps its books", () => {
  const key = fc.oneof(fc.nat(8), fc.nat(60))
  const weight = fc.constantFrom(0, 0.1, 1, 1, 2.5, 7, 40)
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ op: fc.constant("get" as const), key, weight }) },
    { weight: 8, arbitrary: fc.record({ op: fc.constant("peek" as const), key, weight }) },
    { weight: 7, arbitrary: fc.record({ op: fc.constant("release" as const), which: fc.nat(100) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("invalidate" as const), key }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("replace" as const), key, weight }) },
    {
      weight: 1,
      arbitrary: fc.record({ op: fc.constant("resize" as const), share: fc.constantFrom(0.01, 0.1, 0.3, 0.6, 1) })
    }
  )
  const bounds = fc.constantFrom<Bounds>(
    ...[1, 2, 3, 7, 20].map((maxEntries) => ({ maxEntries, maxWeight: Infinity })),
    ...[0.5, 5, 30].map((maxWeight) => ({ maxEntries: Infinity, maxWeight })),
    { maxEntries: 10, maxWeight: 15 },
    { maxEntries: Infinity, maxWeight: Infinity }
  )

  it("W-TinyLFU keeps its books with each entry in one place, the sums right, nobody lost, and nobody kept who could go", () => {
    let evictions = 0
    let pinned = 0
    fc.assert(
      fc.property(bounds, fc.array(step, { minLength: 20, maxLength: 150 }), (bounds, steps) => {
        const { cache, state } = cacheOf(bounds, () => 0.5)
        const held: Array<SimulatedEntry> = []
        for (const each of steps) {
          if (each.op === "get") held.push(cache.get(each.key, each.weight))
          else if (each.op === "peek") cache.peek(each.key, each.weight)
          else if (each.op === "invalidate") cache.invalidate(each.key)
          else if (each.op === "replace") cache.replace(each.key, each.weight)
          else if (each.op === "resize") state.resize(each.share)
          else if (held.length > 0) cache.release(held.splice(each.which % held.length, 1)[0])
          checkSegments(cache, state)
          if ([...cache.entries.values()].some(({ isPinned }) => isPinned)) pinned++
        }
        for (const entry of held) cache.release(entry)
        checkSegments(cache, state)
        expect([...cache.entries.values()].filter(({ isPinned }) => isPinned)).toEqual([])
        evictions += cache.evicted.length
        for (const key of Array.from(cache.entries.keys())) cache.invalidate(key)
        const { probation, protected: main, window } = state
        expect([window, probation, main].map(({ size, weight }) => [size, weight])).toEqual([[0, 0], [0, 0], [0, 0]])
      }),
      { numRuns: 500, seed: 20_240 }
    )
    expect(evictions).toBeGreaterThan(2_000)
    expect(pinned).toBeGreaterThan(2_000)
  })

  it("W-TinyLFU keeps its books with a window of a hundredth and four fifths of the rest protected, once entries have settled", () => {
    const { cache, state } = cacheOf({ maxEntries: 1_000 })
    peekAll(cache, range(0, 1_000), 3)
    // Hits leave what is over its share where it is; new entries settle it, a few at a time.
    expect(state.protected.size).toBeGreaterThan(792)
    for (const key of range(1_000, 1_020)) cache.peek(key)
    expect([state.window.maxEntries, state.protected.maxEntries]).toEqual([10, 792])
    expect(state.window.size).toBeLessThanOrEqual(11)
    expect(state.protected.size).toBe(792)
    expect(state.probation.size).toBe(1_000 - 792 - state.window.size)
  })

  it("W-TinyLFU keeps its books with a window of one entry at least", () => {
    for (const maxEntries of [1, 2, 9]) {
      const { cache, state } = cacheOf({ maxEntries })
      peekAll(cache, range(0, 50))
      expect(state.window.maxEntries).toBe(1)
      expect(cache.entries.has(49)).toBe(true)
    }
  })
})

describe("W-TinyLFU admits", () => {
  it("W-TinyLFU admits nobody in place of one that was asked for as often: a scan leaves the main part alone", () => {
    const { cache, state } = cacheOf({ maxEntries: 100 })
    peekAll(cache, range(0, 100), 2)
    peekAll(cache, range(1_000, 1_500))
    expect([...cache.entries.keys()].filter((key) => key < 100)).toHaveLength(99)
    expect([...state.window].map(({ hash }) => hash)).toEqual([1_499])
  })

  it("W-TinyLFU admits who was asked for more often, and lets go of the one used longest ago that nobody asked for again", () => {
    const { cache } = cacheOf({ maxEntries: 100 })
    peekAll(cache, range(0, 100))
    peekAll(cache, range(50, 100))
    cache.peek(7)
    peekAll(cache, [200], 3)
    cache.peek(201)
    // 99 was the candidate when 200 came, and 200 when 201 did.
    expect(cache.evicted).toEqual([0, 1])
    expect(cache.entries.has(99) && cache.entries.has(200)).toBe(true)
  })

  it("W-TinyLFU admits who is popular once in 128 times against one as popular, so that no forged frequency keeps all out", () => {
    let luck = 0.5
    const { cache } = cacheOf({ maxEntries: 10 }, () => luck)
    peekAll(cache, range(0, 10), 20)
    const comesAndGoes = (key: number) => {
      peekAll(cache, [key], 20)
      cache.peek(key + 1)
      return !cache.entries.has(key)
    }
    expect([comesAndGoes(100), comesAndGoes(200), comesAndGoes(300)]).toEqual([true, true, true])
    luck = 1 / 129
    expect(comesAndGoes(400)).toBe(false)
  })

  it("W-TinyLFU admits nobody by luck who is not popular", () => {
    const { cache } = cacheOf({ maxEntries: 10 }, never)
    peekAll(cache, range(0, 10), 5)
    peekAll(cache, range(100, 150))
    expect([...cache.entries.keys()].filter((key) => key < 10)).toHaveLength(9)
  })

  it("W-TinyLFU admits as luck would have it in one of 128 cases, and the same ones in each run", () => {
    const chosen = () => {
      const state = new WTinyLfu({ maxEntries: 10, maxWeight: Infinity })
      return range(0, 12_800).filter(() => state["random"]() < 1 / 128)
    }
    expect(chosen().length).toBeGreaterThan(70)
    expect(chosen().length).toBeLessThan(130)
    expect(chosen()).toEqual(chosen())
  })

  it("W-TinyLFU admits into the protected part on the second use, and back on probation who was used longest ago there", () => {
    const { cache, state } = cacheOf({ maxEntries: 11 })
    peekAll(cache, range(0, 11))
    cache.peek(11)
    peekAll(cache, range(1, 10))
    expect([...state.protected].map(({ hash }) => hash)).toEqual(range(1, 10))
    cache.peek(12)
    expect([...state.protected].map(({ hash }) => hash)).toEqual(range(2, 10))
    expect([...state.probation].map(({ hash }) => hash)).toContain(1)
  })
})

describe("W-TinyLFU and entries in use", () => {
  it("asks nothing twice: who is named stays until it is pinned or removed", () => {
    const { cache, state } = cacheOf({ maxEntries: 100 })
    peekAll(cache, range(0, 100), 2)
    const first = state.victim()
    expect([state.victim(), state.victim()]).toEqual([first, first])
    expect(cache.entries.size).toBe(100)
  })

  it("loses to a scan whose entries are in use no more than are in use at a time", () => {
    const { cache } = cacheOf({ maxEntries: 100 })
    peekAll(cache, range(0, 100), 3)
    const held: Array<SimulatedEntry> = []
    for (const key of range(1_000, 1_200)) {
      held.push(cache.get(key))
      if (held.length > 8) cache.release(held.shift()!)
    }
    expect([...cache.entries.keys()].filter((key) => key < 100).length).toBeGreaterThanOrEqual(100 - 10)
  })

  it("evicts who was turned away while in use as the next one when it is not", () => {
    const { cache } = cacheOf({ maxEntries: 100 })
    peekAll(cache, range(0, 100), 3)
    const turnedAway = cache.get(1_000)
    cache.get(1_001)
    const lost = cache.evicted.length
    cache.release(turnedAway)
    expect(cache.entries.has(1_000)).toBe(true)
    peekAll(cache, [2_000], 3)
    cache.peek(2_001)
    expect(cache.evicted.slice(lost)).toContain(1_000)
    expect(cache.evicted.slice(lost).filter((key) => key < 1_000)).toEqual([])
  })

  it("keeps who was used again meanwhile, as if it had been in the order", () => {
    const { cache, state } = cacheOf({ maxEntries: 10 })
    peekAll(cache, range(0, 10))
    const oldest = cache.get(0)
    cache.release(oldest)
    const [first] = state.probation as Iterable<SimulatedEntry>
    first.uses = 1
    state.pinned(first)
    first.isPinned = true
    cache.peek(first.key)
    cache.release(first)
    expect(first.list).toBe(state.protected)
  })

  it("puts back on probation, as used last, who was in use when its turn there came", () => {
    const { cache, state } = cacheOf({ maxEntries: 10 })
    peekAll(cache, range(0, 10))
    const [first] = state.probation as Iterable<SimulatedEntry>
    first.uses = 1
    first.isPinned = true
    state.pinned(first)
    cache.release(first)
    expect(state.probation.last).toBe(first)
  })
})

describe("W-TinyLFU, asked to make room for one to come", () => {
  it("judges each that leaves the window once, as it does when the newest entry is there already", () => {
    const make = (bounds: Bounds) => new WTinyLfu(bounds, never)
    for (const makesRoom of [false, true]) {
      const cache = new SimulatedCache({ make }, { maxEntries: 10, maxWeight: Infinity }, makesRoom)
      peekAll(cache, range(0, 10), 4)
      peekAll(cache, range(100, 150))
      expect([...cache.entries.keys()].filter((key) => key < 10)).toHaveLength(9)
      expect(cache.entries.size).toBe(10)
      peekAll(cache, [200, 200, 200, 200, 200, 201, 202])
      expect(cache.entries.has(200)).toBe(true)
    }
  })
})

describe("W-TinyLFU and entries that are replaced", () => {
  it("gives the new one the old one's place in its segment, as to be refreshed is not to be used", () => {
    const { cache, state } = cacheOf({ maxEntries: 20 })
    peekAll(cache, range(0, 20))
    peekAll(cache, range(0, 10))
    const rows = () => [state.window, state.probation, state.protected].map((row) => [...row].map(({ hash }) => hash))
    const before = rows()
    const frequencies = range(0, 20).map((hash) => state.sketch.frequency(hash))
    for (const key of [0, 5, 12, 19]) cache.replace(key, 1)
    expect(rows()).toEqual(before)
    expect(range(0, 20).map((hash) => state.sketch.frequency(hash))).toEqual(frequencies)
    checkSegments(cache, state)
  })

  it("puts the new one where the old one would have come back to, had it been pinned", () => {
    const { cache, state } = cacheOf({ maxEntries: 10 })
    peekAll(cache, range(0, 10))
    cache.peek(1)
    for (const [segment, expected] of [[state.probation, "last"], [state.protected, "last"]] as const) {
      const entry = segment.first as SimulatedEntry
      entry.isPinned = true
      state.pinned(entry)
      cache.replace(entry.key, 1)
      expect(segment[expected]?.hash).toBe(entry.key)
    }
    const candidate = state.window.first as SimulatedEntry
    candidate.isPinned = true
    state.pinned(candidate)
    cache.replace(candidate.key, 1)
    expect(state.probation.first?.hash).toBe(candidate.key)
    checkSegments(cache, state)
  })
})

describe("W-TinyLFU and weights", () => {
  it("evicts what can never fit before anybody else, wherever it is and however often it is asked for", () => {
    const { cache, state } = cacheOf({ maxWeight: 1_000 })
    for (let times = 0; times < 2; times++) for (const key of range(0, 100)) cache.peek(key, 10)
    for (let times = 0; times < 20; times++) cache.peek(500, 1_001)
    expect(new Set(cache.evicted)).toEqual(new Set([500]))
    for (const segment of [state.window, state.probation, state.protected]) {
      const [entry] = [...segment].slice(-1) as Array<SimulatedEntry>
      if (entry === undefined) continue
      cache.replace(entry.key, 2_000)
      expect(cache.entries.has(entry.key)).toBe(false)
      cache.peek(entry.key, 10)
    }
    expect(cache.entries.size).toBeGreaterThan(90)
  })

  it("evicts what can never fit as soon as nobody uses it, though it was asked for often", () => {
    const { cache } = cacheOf({ maxWeight: 1_000 })
    for (let times = 0; times < 2; times++) for (const key of range(0, 90)) cache.peek(key, 10)
    const entries = range(0, 3).map(() => cache.get(500, 1_001))
    const others = cache.entries.size
    for (const entry of entries) cache.release(entry)
    expect(cache.entries.has(500)).toBe(false)
    expect(cache.entries.size).toBe(others - 1)
  })

  it("never evicts what has no weight where only weight counts, and does where entries count", () => {
    const { cache } = cacheOf({ maxWeight: 100 })
    for (const key of range(0, 1_000)) cache.peek(key, key % 2)
    expect([...cache.entries.keys()].filter((key) => key % 2 === 0)).toHaveLength(500)
    expect(cache.weight).toBe(100)
    cache.replace(0, 50)
    expect(cache.weight).toBeLessThanOrEqual(100)
    const both = cacheOf({ maxEntries: 10, maxWeight: 100 })
    for (const key of range(0, 1_000)) both.cache.peek(key, 0)
    expect(both.cache.entries.size).toBe(10)
  })

  it("does not let an entry heavier than the window push others out unless it is asked for again", () => {
    const { cache } = cacheOf({ maxWeight: 1_000 })
    for (let times = 0; times < 2; times++) for (const key of range(0, 200)) cache.peek(key, 5)
    const before = cache.entries.size
    cache.peek(1_000, 500)
    expect(cache.evicted.at(-1)).toBe(1_000)
    expect(cache.entries.size).toBe(before)
    for (let times = 0; times < 5; times++) cache.peek(1_000, 500)
    expect(cache.entries.has(1_000)).toBe(true)
    expect(cache.weight).toBeLessThanOrEqual(1_000)
  })

  it("does not protect an entry heavier than the protected part, which would push all others out of it", () => {
    const { cache, state } = cacheOf({ maxWeight: 1_000 })
    for (let times = 0; times < 2; times++) for (const key of range(0, 20)) cache.peek(key, 5)
    const size = state.protected.size
    cache.replace(0, 800)
    cache.peek(0)
    cache.peek(30)
    expect(state.protected.size).toBeGreaterThanOrEqual(size - 1)
    expect(cache.entries.get(0)!.list).toBe(state.probation)
  })
})

describe("W-TinyLFU and hashes that do not tell keys apart", () => {
  class Colliding extends SimulatedCache {
    constructor(policy: ConstructorParameters<typeof SimulatedCache>[0], size: number, readonly hashes: number) {
      const make = (bounds: Bounds) => {
        const state = policy.make(bounds)
        const added = state.added.bind(state)
        state.added = (entry) => {
          const { key } = entry as SimulatedEntry
          Object.defineProperty(entry, "hash", { value: key % hashes })
          added(entry)
        }
        return state
      }
      super({ make }, { maxEntries: size, maxWeight: Infinity })
    }
  }

  it.each([
    ["one for all", 1],
    ["16", 16],
    ["as many as there are entries", 100]
  ])("hits at most a point less than LRU where there is %s, on callers who come back soon", (_, hashes) => {
    const trace = recent(40, 60_000, 1)
    const cache = new Colliding({ make: (bounds) => new WTinyLfu(bounds) }, 100, hashes)
    for (const key of trace) cache.peek(key)
    expect(cache.hits / trace.length).toBeGreaterThan(hitRate(lru, trace, { maxEntries: 100 }) - 0.01)
  })

  it("keeps a hot set that LRU would keep, though forged keys have the hashes of popular ones", () => {
    const hot = zipf(60, 0.7, 60_000, 1)
    const trace = hot.flatMap((key, i) => i % 3 === 0 ? [key, 1_000 * (i + 1) + (key % 7)] : [key])
    const cache = new Colliding({ make: (bounds) => new WTinyLfu(bounds) }, 100, 1_000)
    const recency = new SimulatedCache(lru, { maxEntries: 100, maxWeight: Infinity })
    for (const key of trace) {
      cache.peek(key)
      recency.peek(key)
    }
    expect(cache.hits).toBeGreaterThan(recency.hits - 0.01 * trace.length)
    expect(cache.entries.size).toBe(100)
  })
})
