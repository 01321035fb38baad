/** A cache by W-TinyLFU, and what holds of its segments. */
import { expect } from "@effect/vitest"
import { type Bounds } from "../../../src/CachePolicy.js"
import { WTinyLfu } from "../../../src/internal/policy/WTinyLfu.js"
import { SimulatedCache, type SimulatedEntry } from "../../simulator.js"

export const never = () => {
  throw new Error("no luck was asked for")
}

/** A cache and the state of its policy; luck is out of the question unless given. */
export const cacheOf = (bounds: Partial<Bounds>, random: () => number = never) => {
  let state!: WTinyLfu
  const make = (bounds: Bounds) => (state = new WTinyLfu(bounds, random))
  const cache = new SimulatedCache({ make }, { maxEntries: Infinity, maxWeight: Infinity, ...bounds })
  return { cache, state }
}

export const peekAll = (cache: SimulatedCache, keys: Iterable<number>, times = 1) => {
  for (let i = 0; i < times; i++) for (const key of keys) cache.peek(key)
}

export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

/** Each entry is in one segment, or pinned, or has no weight where only weight counts; and the segments know it. */
export const checkSegments = (cache: SimulatedCache, state: WTinyLfu): void => {
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
