/** Shows `Lru`. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Bounds, lru } from "../../../src/CachePolicy.js"
import { SimulatedCache, type SimulatedEntry } from "../../simulator.js"

interface Kept {
  readonly key: number
  readonly weight: number
  uses: number
}

/** LRU as one would explain it: a row of keys, searched from the front for somebody who may go. */
class NaiveLru {
  row: Array<Kept> = []
  /** In use when their turn came. */
  aside: Array<Kept> = []
  readonly evicted: Array<number> = []
  constructor(readonly bounds: Bounds) {}

  find(key: number): Kept | undefined {
    return [...this.row, ...this.aside].find((kept) => kept.key === key)
  }

  get(key: number, weight: number): void {
    const kept = this.find(key) ?? { key, weight, uses: 0 }
    kept.uses++
    if (!this.aside.includes(kept)) this.place(kept, !this.row.includes(kept))
    this.fit()
  }

  release(key: number): void {
    const kept = this.find(key)!
    kept.uses--
    if (kept.uses > 0) return
    if (this.aside.includes(kept)) {
      this.aside = this.aside.filter((other) => other !== kept)
      this.place(kept, true)
    }
    this.fit()
  }

  invalidate(key: number): void {
    this.row = this.row.filter((kept) => kept.key !== key)
    this.aside = this.aside.filter((kept) => kept.key !== key)
  }

  replace(key: number, weight: number): void {
    const old = this.find(key)
    if (old === undefined) return
    const entry = { key, weight, uses: 0 }
    const isOrdinary = (kept: Kept) => this.canGo(kept) && kept.weight <= this.bounds.maxWeight
    if (this.row.includes(old) && isOrdinary(old) && isOrdinary(entry)) {
      this.row = this.row.map((kept) => kept === old ? entry : kept)
    } else {
      this.invalidate(key)
      this.place(entry, true)
    }
    this.fit()
  }

  private canGo(kept: Kept): boolean {
    return kept.weight > 0 || this.bounds.maxEntries < Infinity
  }

  /** The one used last is last; one that can never fit is first, and stays there when it is used. */
  private place(kept: Kept, isNew: boolean): void {
    const fits = kept.weight <= this.bounds.maxWeight
    if (!fits && !isNew) return
    this.row = this.row.filter((other) => other !== kept)
    this.row = fits ? [...this.row, kept] : [kept, ...this.row]
  }

  private isOver(): boolean {
    const all = [...this.row, ...this.aside]
    const weight = all.reduce((sum, kept) => sum + kept.weight, 0)
    return all.length > this.bounds.maxEntries || weight > this.bounds.maxWeight
  }

  private fit(): void {
    for (const kept of Array.from(this.row)) {
      if (!this.isOver()) return
      if (!this.canGo(kept)) continue
      this.row = this.row.filter((other) => other !== kept)
      if (kept.uses > 0) this.aside.push(kept)
      else this.evicted.push(kept.key)
    }
  }
}

const key = fc.nat(15)
const weight = fc.constantFrom(0, 1, 1, 2, 3, 5, 30)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant("get" as const), key, weight }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("release" as const), which: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("invalidate" as const), key }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("replace" as const), key, weight }) }
)
const bounds = fc.constantFrom(
  { maxEntries: 1, maxWeight: Infinity },
  { maxEntries: 3, maxWeight: Infinity },
  { maxEntries: 8, maxWeight: Infinity },
  { maxEntries: Infinity, maxWeight: 1 },
  { maxEntries: Infinity, maxWeight: 10 },
  { maxEntries: 5, maxWeight: 10 },
  { maxEntries: Infinity, maxWeight: Infinity }
)

describe("LRU", () => {
  it("evicts whom a naive model evicts, in the same order, whatever is in use, weighs or is invalidated", () => {
    let evictions = 0
    let pinned = 0
    fc.assert(
      fc.property(bounds, fc.array(step, { minLength: 20, maxLength: 120 }), (bounds, steps) => {
        const cache = new SimulatedCache(lru, bounds)
        const model = new NaiveLru(bounds)
        let held: Array<SimulatedEntry> = []
        for (const each of steps) {
          if (each.op === "get") {
            held.push(cache.get(each.key, each.weight))
            model.get(each.key, each.weight)
          } else if (each.op === "release") {
            const [entry] = held.splice(each.which % Math.max(1, held.length), 1)
            if (entry === undefined) continue
            const isCached = cache.entries.get(entry.key) === entry
            cache.release(entry)
            if (isCached) model.release(entry.key)
          } else if (each.op === "invalidate") {
            cache.invalidate(each.key)
            model.invalidate(each.key)
            held = held.filter((entry) => entry.key !== each.key)
          } else {
            cache.replace(each.key, each.weight)
            model.replace(each.key, each.weight)
            held = held.filter((entry) => cache.entries.get(entry.key) === entry)
          }
          expect(cache.evicted).toEqual(model.evicted)
          const keys = [...model.row, ...model.aside].map(({ key }) => key)
          expect([...cache.entries.keys()].sort()).toEqual(keys.sort())
          const isPinned = [...cache.entries.values()].filter(({ isPinned }) => isPinned).map(({ key }) => key)
          expect(isPinned.sort()).toEqual(model.aside.map(({ key }) => key).sort())
          pinned += isPinned.length
        }
        evictions += cache.evicted.length
      }),
      { numRuns: 300, seed: 20_240 }
    )
    expect(evictions).toBeGreaterThan(1_000)
    expect(pinned).toBeGreaterThan(1_000)
  })

  it("evicts what was used longest ago", () => {
    const cache = new SimulatedCache(lru, { maxEntries: 3, maxWeight: Infinity })
    for (const key of [1, 2, 3, 1, 4, 2, 5]) cache.peek(key)
    expect(cache.evicted).toEqual([2, 3, 1])
  })

  it("takes what was in use when its turn came for used just now", () => {
    const cache = new SimulatedCache(lru, { maxEntries: 2, maxWeight: Infinity })
    const oldest = cache.get(1)
    for (const key of [2, 3]) cache.peek(key)
    cache.release(oldest)
    cache.peek(4)
    expect(cache.evicted).toEqual([2, 3])
  })

  it("gives what replaces an entry that entry's place: to be refreshed is not to be used", () => {
    const cache = new SimulatedCache(lru, { maxEntries: 3, maxWeight: Infinity })
    for (const key of [1, 2, 3]) cache.peek(key)
    cache.replace(1, 1)
    cache.peek(4)
    expect(cache.evicted).toEqual([1])
  })

  it("evicts what can never fit before anybody else, though it is used", () => {
    const cache = new SimulatedCache(lru, { maxEntries: Infinity, maxWeight: 10 })
    for (const key of [1, 2, 3]) cache.peek(key, 3)
    cache.peek(4, 11)
    expect(cache.evicted).toEqual([4])
    cache.replace(2, 12)
    expect(cache.evicted).toEqual([4, 2])
  })

  it("never evicts what has no weight where only weight counts", () => {
    const cache = new SimulatedCache(lru, { maxEntries: Infinity, maxWeight: 10 })
    for (let key = 0; key < 100; key++) cache.peek(key, key % 2)
    expect([...cache.entries.keys()].filter((key) => key % 2 === 0)).toHaveLength(50)
    expect(cache.weight).toBe(10)
  })
})
