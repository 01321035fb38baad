/** How W-TinyLFU chooses the size of its window, by miniature caches. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Bounds, lru } from "../../../src/CachePolicy.js"
import { WTinyLfu } from "../../../src/internal/policy/WTinyLfu.js"
import { hitRate, SimulatedCache } from "../../simulator.js"
import { loop, recent, scanned, zipf } from "../../traces.js"
import { cacheOf, never, peekAll, range } from "./wTinyLfuCache.js"

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

  it("the window of W-TinyLFU, where it is the whole cache, has back as used last who was in use when its turn came", () => {
    const { cache, state } = cacheOf({ maxEntries: 10 })
    state.resize(1)
    const held = cache.get(0)
    peekAll(cache, range(1, 11))
    expect(held.isPinned).toBe(true)
    cache.release(held)
    expect(state.window.last).toBe(held)
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

  it("the miniatures of W-TinyLFU are made once somebody has to go where weight counts, and anew where entries are many more", () => {
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
