/**
 * Hit rates on seeded traces, beside LRU's and that of a cache which knows what comes (Belady's MIN). What W-TinyLFU
 * may lose to the latter is stated per trace, in points of a hundred.
 */
import { afterAll, describe, expect, it } from "@effect/vitest"
import { type CachePolicy, lru, wTinyLfu } from "../src/CachePolicy.js"
import { hitRate } from "./simulator.js"
import { loop, optimum, recent, scanned, zipf } from "./traces.js"

const length = 100_000

interface Trace {
  readonly name: string
  readonly of: (size: number) => ReadonlyArray<number>
  /** The most that W-TinyLFU loses to the optimum. */
  readonly within: number
  /** The least that it wins over LRU; less than 0 where LRU is better. */
  readonly ahead: number
}

const traces: ReadonlyArray<Trace> = [
  { name: "zipf 0.9", of: (size) => zipf(20 * size, 0.9, length, 1), within: 12, ahead: 8 },
  { name: "loop", of: (size) => loop(Math.ceil(1.1 * size), length), within: 11, ahead: 80 },
  { name: "scan", of: (size) => scanned(zipf(size, 0.7, length, 2), length, 3), within: 4, ahead: 15 },
  {
    name: "phases",
    of: (size) => [...zipf(20 * size, 0.9, length / 2, 4), ...zipf(20 * size, 0.9, length / 2, 5, 1_000_000)],
    within: 14,
    ahead: 5
  },
  { name: "recent", of: (size) => recent(size / 3, length, 6), within: 30, ahead: -24 }
]

const percent = (rate: number) => (100 * rate).toFixed(1).padStart(5)
const table: Array<string> = []

describe.each(traces)("on $name", ({ ahead, name, of, within }) => {
  it.each([10, 100, 1_000])("with %d entries, W-TinyLFU is as far from LRU and the optimum as stated", (size) => {
    const trace = of(size)
    const best = optimum(trace, size)
    const [recency, frequency] = [lru, wTinyLfu].map((policy) => hitRate(policy, trace, { maxEntries: size }))
    table.push(`${name.padEnd(9)} ${String(size).padStart(5)}  ${[best, recency, frequency].map(percent).join("  ")}`)
    expect(recency).toBeLessThanOrEqual(best)
    expect(frequency).toBeLessThanOrEqual(best)
    expect(100 * (best - frequency)).toBeLessThanOrEqual(within)
    expect(100 * (frequency - recency)).toBeGreaterThanOrEqual(ahead)
  })
})

describe.each(traces.filter(({ ahead }) => ahead > 0))("on $name, with entries in use", ({ name, of }) => {
  it.each([[100, 8], [1_000, 50]])("of %d entries, %d at a time, W-TinyLFU hits as often as LRU", (size, held) => {
    const trace = of(size)
    const rateOf = (policy: CachePolicy) => hitRate(policy, trace, { maxEntries: size, held })
    const [recency, frequency] = [rateOf(lru), rateOf(wTinyLfu)]
    table.push(
      `${name.padEnd(9)} ${String(size).padStart(5)}         ${percent(recency)}  ${percent(frequency)}  ${held} in use`
    )
    expect(frequency).toBeGreaterThanOrEqual(recency)
  })
})

describe.each(traces)("on $name, with room made before each lookup", ({ name, of, within }) => {
  it.each([10, 1_000])("in a cache of %d entries, W-TinyLFU is as far from the optimum as stated", (size) => {
    const trace = of(size)
    const rate = hitRate(wTinyLfu, trace, { maxEntries: size, makesRoom: true })
    table.push(`${name.padEnd(9)} ${String(size).padStart(5)}                ${percent(rate)}  room made before`)
    expect(100 * (optimum(trace, size) - rate)).toBeLessThanOrEqual(within)
  })
})

describe.each(traces.filter(({ ahead }) => ahead > 0))("on $name, with weights", ({ name, of }) => {
  it("from 1 to 10, W-TinyLFU hits as often as LRU", () => {
    const trace = of(100)
    const weigh = (key: number) => 1 + (Math.imul(key, 0x9e3779b1) >>> 0) % 10
    const rateOf = (policy: CachePolicy) => hitRate(policy, trace, { maxWeight: 550, weigh })
    const [recency, frequency] = [rateOf(lru), rateOf(wTinyLfu)]
    table.push(`${name.padEnd(9)}   550         ${percent(recency)}  ${percent(frequency)}  by weight`)
    expect(frequency).toBeGreaterThanOrEqual(recency)
  })
})

afterAll(() => console.log(["trace      size    MIN    LRU  W-TinyLFU  hits in a hundred", ...table].join("\n")))
