import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Bounds, lru } from "../../src/CachePolicy.js"
import { WTinyLfu } from "../../src/internal/WTinyLfu.js"
import { hitRate, SimulatedCache, type SimulatedEntry } from "../simulator.js"
import { loop, recent, scanned, zipf } from "../traces.js"

const never = () => {
  throw new Error("no luck was asked for")
}

/** A cache and the state of its policy; luck is out of the question unless given. */
const cacheOf = (bounds: Partial<Bounds>, random: () => number = never) => {
  let state!: WTinyLfu
  const make = (bounds: Bounds) => (state = new WTinyLfu(bounds, random))
  const cache = new SimulatedCache({ make }, { maxEntries: Infinity, maxWeight: Infinity, ...bounds })
  return { cache, state }
}

const peekAll = (cache: SimulatedCache, keys: Iterable<number>, times = 1) => {
  for (let i = 0; i < times; i++) for (const key of keys) cache.peek(key)
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

/** Each entry is in one segment, or pinned, or has no weight where only weight counts; and the segments know it. */
const checkSegments = (cache: SimulatedCache, state: WTinyLfu): void => {
  const { maxEntries, maxWeight } = cache.bounds
  const { probation, protected: main, window } = state
  const placed = new Set<SimulatedEntry>()
  const problems: Array<string> = []
  const check = (holds: boolean, problem: string) => holds || problems.push(problem)
  for (const segment of [window, probation, main]) {
    let size = 0
    let weight = 0
    for (const entry of segment as Iterable<SimulatedEntry>) {
      check(entry.list === segment && !placed.has(entry), `${entry.key} is in two segments`)
      check(cache.entries.get(entry.key) === entry && !entry.isPinned, `${entry.key} should be in no segment`)
      placed.add(entry)
      size++
      weight += entry.weight
    }
    check(segment.size === size && Math.abs(segment.weight - weight) < 1e-6, "the sums of a segment are wrong")
  }
  for (const entry of cache.entries.values()) {
    const canGo = entry.weight > 0 || maxEntries < Infinity
    check(placed.has(entry) === (canGo && !entry.isPinned), `${entry.key} is lost`)
    check(!cache.isOver || entry.uses > 0 || !canGo, `${entry.key} could have gone`)
  }
  check(window.maxEntries >= 1, "the window has no room")
  check(maxEntries === Infinity || window.maxEntries + main.maxEntries <= maxEntries, "the segments are too large")
  check(maxWeight === Infinity || window.maxWeight + main.maxWeight <= maxWeight, "the segments are too heavy")
  expect(problems).toEqual([])
}

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

  it("with each entry in one place, the sums right, nobody lost, and nobody kept who could go", () => {
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

  it("with a window of a hundredth and four fifths of the rest protected, once entries have settled", () => {
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

  it("with a window of one entry at least", () => {
    for (const maxEntries of [1, 2, 9]) {
      const { cache, state } = cacheOf({ maxEntries })
      peekAll(cache, range(0, 50))
      expect(state.window.maxEntries).toBe(1)
      expect(cache.entries.has(49)).toBe(true)
    }
  })
})

describe("W-TinyLFU admits", () => {
  it("nobody in place of one that was asked for as often: a scan leaves the main part alone", () => {
    const { cache, state } = cacheOf({ maxEntries: 100 })
    peekAll(cache, range(0, 100), 2)
    peekAll(cache, range(1_000, 1_500))
    expect([...cache.entries.keys()].filter((key) => key < 100)).toHaveLength(99)
    expect([...state.window].map(({ hash }) => hash)).toEqual([1_499])
  })

  it("who was asked for more often, and lets go of the one used longest ago that nobody asked for again", () => {
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

  it("who is popular once in 128 times against one as popular, so that no forged frequency keeps all out", () => {
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

  it("nobody by luck who is not popular", () => {
    const { cache } = cacheOf({ maxEntries: 10 }, never)
    peekAll(cache, range(0, 10), 5)
    peekAll(cache, range(100, 150))
    expect([...cache.entries.keys()].filter((key) => key < 10)).toHaveLength(9)
  })

  it("as luck would have it in one of 128 cases, and the same ones in each run", () => {
    const chosen = () => {
      const state = new WTinyLfu({ maxEntries: 10, maxWeight: Infinity })
      return range(0, 12_800).filter(() => state["random"]() < 1 / 128)
    }
    expect(chosen().length).toBeGreaterThan(70)
    expect(chosen().length).toBeLessThan(130)
    expect(chosen()).toEqual(chosen())
  })

  it("into the protected part on the second use, and back on probation who was used longest ago there", () => {
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

describe("the window of W-TinyLFU", () => {
  const shareAfter = (trace: ReadonlyArray<number>, size: number) => {
    let state!: WTinyLfu
    const make = (bounds: Bounds) => (state = new WTinyLfu(bounds))
    const rate = hitRate({ make }, trace, { maxEntries: size })
    return { rate, share: state.share, window: state.window, size: state.window.maxEntries }
  }

  const withFixedWindow = {
    make: (bounds: Bounds) => {
      const state = new WTinyLfu(bounds)
      state.resize = () => {}
      return state
    }
  }

  it("grows for callers who come back soon, which makes several times as many hits of them", () => {
    const trace = recent(30, 100_000, 1)
    const adaptive = shareAfter(trace, 100)
    const fixed = hitRate(withFixedWindow, trace, { maxEntries: 100 })
    console.log(`recent: ${(100 * adaptive.rate).toFixed(1)} %, with a fixed window ${(100 * fixed).toFixed(1)} %`)
    expect(adaptive.share).toBeGreaterThan(0.4)
    expect(adaptive.window.size).toBeGreaterThan(40)
    expect(adaptive.rate).toBeGreaterThan(3 * fixed)
  })

  it.each([
    ["a loop", loop(110, 100_000)],
    ["a scanned hot set", scanned(zipf(100, 0.7, 50_000, 2), 100_000, 3)],
    ["frequencies by rank", zipf(2_000, 0.9, 100_000, 4)]
  ])("stays small for %s, and what it tries costs less than three in a hundred", (name, trace) => {
    const adaptive = shareAfter(trace, 100)
    const fixed = hitRate(withFixedWindow, trace, { maxEntries: 100 })
    console.log(`${name}: ${(100 * adaptive.rate).toFixed(1)} %, with a fixed window ${(100 * fixed).toFixed(1)} %`)
    expect(adaptive.share).toBeLessThan(0.35)
    expect(adaptive.rate).toBeGreaterThan(fixed - 0.03)
  })
})

describe("the window of W-TinyLFU, where it is the whole cache", () => {
  /** An LRU from the beginning. */
  const recency = {
    make: (bounds: Bounds) => {
      const state = new WTinyLfu(bounds, never)
      state.resize(1)
      state.resize = () => {}
      return state
    }
  }

  it("evicts whom LRU evicts, in the same order", () => {
    const step = fc.record({ key: fc.oneof(fc.nat(8), fc.nat(40)), isInvalidated: fc.nat(9).map((n) => n === 0) })
    fc.assert(fc.property(fc.constantFrom(1, 2, 7, 20), fc.array(step, { maxLength: 200 }), (maxEntries, steps) => {
      const caches = [recency, lru].map((policy) => new SimulatedCache(policy, { maxEntries, maxWeight: Infinity }))
      for (const { isInvalidated, key } of steps) {
        for (const cache of caches) {
          if (isInvalidated) cache.invalidate(key)
          else cache.peek(key)
        }
      }
      expect(caches[0].evicted).toEqual(caches[1].evicted)
    }))
  })

  it("takes entries of the main part as they are used, so that nobody is lost who comes back", () => {
    const { cache, state } = cacheOf({ maxEntries: 100 })
    peekAll(cache, range(0, 100), 3)
    state.resize(1)
    peekAll(cache, range(0, 60))
    peekAll(cache, range(1_000, 1_040))
    expect([...cache.entries.keys()].filter((key) => key < 60)).toHaveLength(60)
    expect(state.window.size).toBe(100)
  })

  it("has back as used last who was in use when its turn came", () => {
    const { cache, state } = cacheOf({ maxEntries: 10 })
    state.resize(1)
    const held = cache.get(0)
    peekAll(cache, range(1, 11))
    expect(held.isPinned).toBe(true)
    cache.release(held)
    expect(state.window.last).toBe(held)
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

describe("the miniatures of W-TinyLFU", () => {
  it("forget what is gone for another reason than room, and keep what had to go", () => {
    const { cache, state } = cacheOf({ maxEntries: 10 })
    peekAll(cache, range(0, 10), 3)
    const known = state.miniatures!.size
    cache.invalidate(3)
    expect(state.miniatures!.size).toBe(known - 1)
    peekAll(cache, [200, 201])
    expect(cache.evicted).toHaveLength(1)
    expect(state.miniatures!.size).toBe(known + 1)
  })

  it("are made once somebody has to go where weight counts, and anew where entries are many more", () => {
    const { cache, state } = cacheOf({ maxWeight: 10_000 }, () => 1)
    for (let key = 0; key < 100; key++) cache.peek(key, 100)
    expect(state.miniatures).toBe(undefined)
    cache.peek(100, 100)
    const few = state.miniatures
    expect(few).not.toBe(undefined)
    for (let key = 1_000; key < 11_000; key++) cache.peek(key, 1)
    expect(cache.entries.size).toBeGreaterThan(1_000)
    expect(state.miniatures).not.toBe(few)
    expect(state.miniatures!.size).toBeLessThan(5 * 1.5 * 256 * 2)
  })

  it("see a sample of a large cache, which is of about the same size however large that is", () => {
    for (const maxEntries of [1_000, 10_000, 100_000]) {
      const { cache, state } = cacheOf({ maxEntries }, () => 1)
      for (let key = 0; key < 1.5 * maxEntries; key++) cache.peek(key)
      expect(state.miniatures!.size).toBeGreaterThan(150)
      expect(state.miniatures!.size).toBeLessThan(800)
    }
  })
})
