import { describe, expect, it } from "@effect/vitest"
import { HeapProbe } from "@patinox/vitest"
import * as fc from "fast-check"
import * as CachePolicy from "../src/CachePolicy.js"
import { SimulatedCache, type SimulatedEntry } from "./simulator.js"

/** As in the documentation. */
const fifo: CachePolicy.CachePolicy = {
  name: "fifo",
  make: () => {
    const line = CachePolicy.makeList()
    return {
      added: (entry) => line.append(entry),
      used: () => {},
      victim: () => line.first,
      pinned: (entry) => line.remove(entry),
      unpinned: (entry) => line.prepend(entry),
      removed: (entry) => line.remove(entry)
    }
  }
}

const policies = [CachePolicy.lru, CachePolicy.wTinyLfu, fifo]

describe.each(policies)("the policy $name", (policy) => {
  it("keeps a cache within its bounds, beyond them only what is in use, and never names one that is pinned", () => {
    const step = fc.record({
      op: fc.constantFrom("get" as const, "get" as const, "release" as const, "invalidate" as const),
      number: fc.nat(30),
      weight: fc.integer({ min: 1, max: 12 })
    })
    const bounds = fc.record({
      maxEntries: fc.constantFrom(1, 2, 9, 16, Infinity),
      maxWeight: fc.constantFrom(1, 10, 40, Infinity)
    })
    fc.assert(fc.property(bounds, fc.boolean(), fc.array(step, { minLength: 20, maxLength: 100 }), (...drawn) => {
      const [bounds, makesRoom, steps] = drawn
      const cache = new SimulatedCache(policy, bounds, makesRoom)
      const held: Array<SimulatedEntry> = []
      for (const { number, op, weight } of steps) {
        if (op === "get") held.push(cache.get(number, weight))
        else if (op === "invalidate") cache.invalidate(number)
        else if (held.length > 0) cache.release(held.splice(number % held.length, 1)[0])
        const idle = [...cache.entries.values()].filter(({ uses }) => uses === 0)
        if (cache.isOver) expect(idle).toEqual([])
      }
      for (const entry of held) cache.release(entry)
      expect(cache.isOver).toBe(false)
    }))
  })

  it("comes across each of 100,000 entries in use once, however often somebody must go", () => {
    const count = 100_000
    const cache = new SimulatedCache(policy, { maxEntries: count, maxWeight: Infinity })
    for (let key = 0; key < count; key++) cache.get(key)
    for (let key = count; key < count + 1_000; key++) cache.release(cache.get(key))
    expect(cache.evicted.length).toBe(1_000)
    expect(cache.asked).toBeLessThanOrEqual(count + 3 * 1_000)
  })

  it("names somebody at once though all others are pinned", () => {
    const cache = new SimulatedCache(policy, { maxEntries: 1_000, maxWeight: Infinity })
    const held = Array.from({ length: 1_000 }, (_, key) => cache.get(key))
    cache.get(1_000)
    expect(cache.entries.size).toBe(1_001)
    const before = cache.asked
    cache.release(held[500])
    expect(cache.evicted).toEqual([500])
    expect(cache.asked - before).toBe(1)
  })

  it("allocates nothing on a hit", () => {
    const state = policy.make({ maxEntries: 1_000, maxWeight: Infinity })
    const entries = Array.from({ length: 1_000 }, (_, hash) => CachePolicy.makeEntry(hash))
    for (const entry of entries) state.added(entry)
    const hits = 200_000
    const allocated = () => {
      HeapProbe.collectNow()
      const before = process.memoryUsage().heapUsed
      for (let i = 0; i < hits; i++) state.used(entries[Math.imul(i, 0x9e3779b1) >>> 22 & 511])
      return process.memoryUsage().heapUsed - before
    }
    allocated()
    // The smallest object would take 12 bytes of each hit; the compiler takes some now and then.
    expect(Math.min(allocated(), allocated(), allocated())).toBeLessThan(2 * hits)
  })

  it("has a state of its own for each cache", () => {
    const [one, other] = [0, 1].map(() => policy.make({ maxEntries: 10, maxWeight: Infinity }))
    one.added(CachePolicy.makeEntry(1))
    expect(other.victim()).toBe(undefined)
    expect(one.victim()).toMatchObject({ hash: 1, weight: 1 })
  })

  it("does the same in each run", () => {
    const run = () => {
      const cache = new SimulatedCache(policy, { maxEntries: 10, maxWeight: Infinity })
      for (let i = 0; i < 20_000; i++) cache.peek(Math.imul(i * i, 0x9e3779b1) >>> (i % 7 === 0 ? 24 : 28))
      return cache.evicted
    }
    expect(run()).toEqual(run())
  })
})

it("policies are told apart by their names", () => {
  expect(policies.map(({ name }) => name)).toEqual(["lru", "w-tinylfu", "fifo"])
})

it("W-TinyLFU asks for luck from whom it was told to", () => {
  let asked = 0
  const policy = CachePolicy.makeWTinyLfu({
    random: () => {
      asked++
      return 0
    }
  })
  const cache = new SimulatedCache(policy, { maxEntries: 10, maxWeight: Infinity })
  for (let i = 0; i < 400; i++) cache.peek(i % 20)
  expect(asked).toBeGreaterThan(0)
})
