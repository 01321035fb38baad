import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { FrequencySketch, highest } from "../../../src/internal/policy/FrequencySketch.js"
import { random, zipf } from "../../traces.js"

/** What a sketch of infinite size would hold. */
class Counts {
  readonly counts = new Map<number, number>()
  private agings = 0

  increment(sketch: FrequencySketch, hash: number): void {
    sketch.increment(hash)
    this.counts.set(hash, Math.min(highest, this.of(hash) + 1))
    if (sketch.agings > this.agings) { for (const [key, count] of this.counts) this.counts.set(key, count >> 1) }
    this.agings = sketch.agings
  }

  of(hash: number): number {
    return this.counts.get(hash) ?? 0
  }
}

describe("a frequency sketch", () => {
  it("never says less than was counted, up to 15, whatever it ages and grows", () => {
    const grow = fc.record({ _tag: fc.constant("grow" as const), keys: fc.integer({ min: 1, max: 200 }) })
    const count = fc.record({
      _tag: fc.constant("count" as const),
      hash: fc.oneof(fc.nat(20), fc.integer()),
      times: fc.integer({ min: 1, max: 600 }),
      stride: fc.constantFrom(0, 1, 65_536)
    })
    let agings = 0
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 1, arbitrary: grow }, { weight: 9, arbitrary: count }), { maxLength: 60 }),
        (steps) => {
          const sketch = new FrequencySketch()
          const counts = new Counts()
          for (const each of steps) {
            if (each._tag === "grow") sketch.ensureCapacity(each.keys)
            else for (let i = 0; i < each.times; i++) counts.increment(sketch, (each.hash + i * each.stride) | 0)
          }
          for (const [hash, count] of counts.counts) expect(sketch.frequency(hash)).toBeGreaterThanOrEqual(count)
          agings += sketch.agings
        }
      ),
      { seed: 20_240 }
    )
    expect(agings).toBeGreaterThan(100)
  })

  it("counts exactly while keys are few", () => {
    const sketch = new FrequencySketch()
    for (const hash of [7, -1, 0]) {
      for (let count = 1; count <= highest; count++) {
        sketch.increment(hash)
        expect(sketch.frequency(hash)).toBe(count)
      }
    }
    expect(sketch.frequency(8)).toBe(0)
  })

  it("stops at 15, where counting ages nothing any more", () => {
    const sketch = new FrequencySketch()
    for (let i = 0; i < 100 * sketch.sampleSize; i++) sketch.increment(1)
    expect(sketch.frequency(1)).toBe(highest)
    expect(sketch.agings).toBe(0)
  })

  it("halves all counts after ten times as many as it has keys, so that what was popular once is forgotten", () => {
    const sketch = new FrequencySketch()
    const other = random(1)
    for (let i = 0; i < highest; i++) sketch.increment(1)
    const frequencies = [sketch.frequency(1)]
    let counted = highest
    while (sketch.agings < 4) {
      const before = sketch.agings
      sketch.increment((other() * 2 ** 32) | 0)
      counted++
      if (sketch.agings > before) frequencies.push(sketch.frequency(1))
      if (sketch.agings === 1 && before === 0) expect(counted).toBe(sketch.sampleSize)
    }
    // Each other key that met one of its counters may have raised it.
    expect(frequencies[1]).toBeGreaterThanOrEqual(7)
    expect(frequencies[4]).toBeLessThanOrEqual(frequencies[1])
    expect(frequencies[4]).toBeLessThan(highest / 2)
  })

  it("ages as often after the first time: half of what was counted is behind it", () => {
    const sketch = new FrequencySketch()
    sketch.ensureCapacity(1_000)
    const counted: Array<number> = []
    let total = 0
    const keys = zipf(20_000, 0.5, 200_000, 3)
    for (const key of keys) {
      const before = sketch.agings
      sketch.increment(key)
      total++
      if (sketch.agings > before) {
        counted.push(total)
        total = 0
      }
    }
    expect(counted[0]).toBeGreaterThanOrEqual(sketch.sampleSize)
    for (const each of counted.slice(1)) {
      expect(each / sketch.sampleSize).toBeGreaterThan(0.45)
      expect(each / sketch.sampleSize).toBeLessThan(0.75)
    }
  })

  it("keeps its counts when it grows", () => {
    const sketch = new FrequencySketch()
    const keys = [3, 77, -12_345, 2 ** 30]
    for (const [i, key] of keys.entries()) for (let times = 0; times <= i; times++) sketch.increment(key)
    for (const capacity of [65, 1_000, 100_000]) {
      sketch.ensureCapacity(capacity)
      expect(keys.map((key) => sketch.frequency(key))).toEqual([1, 2, 3, 4])
      expect(sketch.capacity).toBe(capacity)
    }
    sketch.ensureCapacity(10)
    expect(sketch.capacity).toBe(100_000)
  })

  it.each([
    ["count up", (i: number) => i],
    ["differ in their upper half only", (i: number) => i << 16],
    ["are even", (i: number) => 2 * i],
    ["are random", (i: number) => (random(i)() * 2 ** 32) | 0]
  ])("seldom takes one key for another, though hashes %s", (_, hashOf) => {
    const sketch = new FrequencySketch()
    const keys = 2_000
    sketch.ensureCapacity(keys)
    for (let i = 0; i < keys; i++) sketch.increment(hashOf(i))
    let wrong = 0
    for (let i = keys; i < 3 * keys; i++) if (sketch.frequency(hashOf(i)) > 0) wrong++
    expect(wrong / (2 * keys)).toBeLessThan(0.08)
  })
})
