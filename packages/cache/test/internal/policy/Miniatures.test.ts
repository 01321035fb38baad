import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Bounds } from "../../../src/CachePolicy.js"
import { FrequencySketch } from "../../../src/internal/policy/FrequencySketch.js"
import { Miniatures } from "../../../src/internal/policy/Miniatures.js"
import { windowShares } from "../../../src/internal/policy/WindowChoice.js"
import { WTinyLfu } from "../../../src/internal/policy/WTinyLfu.js"
import { hitRate } from "../../simulator.js"
import { loop, recent, scanned, zipf } from "../../traces.js"

const weigh = (key: number) => 1 + (Math.imul(key, 0x9e3779b1) >>> 0) % 10

/** The hit rate of each miniature. */
const ratesOf = (bounds: Bounds, trace: ReadonlyArray<number>, weightOf: (key: number) => number) => {
  const sketch = new FrequencySketch()
  sketch.ensureCapacity(100)
  const miniatures = new Miniatures(windowShares, bounds, sketch)
  const hits = windowShares.map(() => 0)
  for (const key of trace) {
    sketch.increment(key)
    const bits = miniatures.access(key, weightOf(key))
    windowShares.forEach((_, i) => hits[i] += (bits >> i) & 1)
  }
  return hits.map((count) => count / trace.length)
}

/** W-TinyLFU whose window stays as it is. */
const fixed = (share: number) => ({
  make: (bounds: Bounds) => {
    const state = new WTinyLfu(bounds)
    state.resize(share)
    state.resize = () => {}
    return state
  }
})

describe("miniatures", () => {
  const length = 40_000
  const traces = [
    ["frequencies by rank", zipf(1_000, 0.9, length, 1)],
    ["a loop", loop(150, length)],
    ["a scanned hot set", scanned(zipf(100, 0.7, length, 2), length, 3)],
    ["callers who come back soon", recent(40, length, 4)]
  ] as const

  it.each(traces)("hit about as often as W-TinyLFU does with each window, on %s", (_, trace) => {
    const bounds = { maxEntries: 100, maxWeight: Infinity }
    const rates = ratesOf(bounds, trace, () => 1)
    for (const [i, share] of windowShares.entries()) {
      expect(Math.abs(rates[i] - hitRate(fixed(share), trace, { maxEntries: 100 }))).toBeLessThan(0.03)
    }
  })

  it.each(traces)("hit about as often as W-TinyLFU does where entries have weights, on %s", (_, trace) => {
    const rates = ratesOf({ maxEntries: Infinity, maxWeight: 550 }, trace, weigh)
    for (const [i, share] of windowShares.entries()) {
      expect(Math.abs(rates[i] - hitRate(fixed(share), trace, { maxWeight: 550, weigh }))).toBeLessThan(0.1)
    }
  })

  it("miniatures keep their books: no key twice or lost, no more than fits, nothing left of what is removed", () => {
    const step = fc.record({
      op: fc.constantFrom("access" as const, "access" as const, "access" as const, "remove" as const),
      key: fc.oneof(fc.nat(10), fc.nat(80)),
      weight: fc.constantFrom(0, 0.1, 1, 1, 2.5, 7, 40)
    })
    const bounds = fc.constantFrom<Bounds>(
      ...[1, 2, 3, 20].map((maxEntries) => ({ maxEntries, maxWeight: Infinity })),
      ...[0.5, 5, 30].map((maxWeight) => ({ maxEntries: Infinity, maxWeight })),
      { maxEntries: 10, maxWeight: 15 }
    )
    let evicted = 0
    fc.assert(
      fc.property(bounds, fc.array(step, { minLength: 20, maxLength: 200 }), (bounds, steps) => {
        const sketch = new FrequencySketch()
        const miniatures = new Miniatures(windowShares, bounds, sketch)
        const last = windowShares.map(() => new Map<number, number>())
        for (const { key, op, weight } of steps) {
          sketch.increment(key)
          if (op === "remove") {
            miniatures.remove(key)
            for (const known of last) known.delete(key)
          } else {
            const bits = miniatures.access(key, weight)
            for (const [i, known] of last.entries()) {
              // A hit is of a key that came before, and was not removed since.
              if (((bits >> i) & 1) === 1) expect(known.has(key)).toBe(true)
              else if (known.has(key)) evicted++
              known.set(key, weight)
            }
          }
          for (const { loads, sizes } of miniatures.caches) {
            const [, ...counts] = sizes
            const total = counts.reduce((sum, size) => sum + size, 0)
            expect(total).toBeLessThanOrEqual(Math.min(bounds.maxEntries, miniatures.size))
            for (const [i, size] of counts.entries()) if (size === 0) expect(loads[i + 1]).toBe(0)
          }
        }
        for (let key = 0; key <= 80; key++) miniatures.remove(key)
        expect(miniatures.size).toBe(0)
        expect(miniatures.caches.flatMap(({ sizes }) => sizes.slice(1)).every((size) => size === 0)).toBe(true)
      }),
      { numRuns: 300, seed: 20_242 }
    )
    expect(evicted).toBeGreaterThan(1_000)
  })

  it("know no more keys than they have places for, however many come", () => {
    const sketch = new FrequencySketch()
    const miniatures = new Miniatures(windowShares, { maxEntries: 50, maxWeight: Infinity }, sketch)
    for (let key = 0; key < 20_000; key++) {
      sketch.increment(key)
      miniatures.access(key, 1)
    }
    expect(miniatures.size).toBeLessThanOrEqual(50 * windowShares.length)
  })

  it("hit nothing with a key that fits none of them, and give it no place", () => {
    const miniatures = new Miniatures(windowShares, { maxEntries: 10, maxWeight: 10 }, new FrequencySketch())
    expect([miniatures.access(1, 11), miniatures.access(1, 11), miniatures.size]).toEqual([0, 0, 0])
  })
})
