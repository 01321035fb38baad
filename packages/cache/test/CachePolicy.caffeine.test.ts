/**
 * W-TinyLFU beside LRU and Caffeine's adaptive policy, on generated traces of many kinds: never more than a point of a
 * hundred behind the better of both. The table of `docs/hit-rates.md` is made here: `WRITE_HIT_RATES=1` writes it.
 */
import { afterEach, describe, expect, it } from "@effect/vitest"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { lru, wTinyLfu } from "../src/CachePolicy.js"
import { caffeineHitRate } from "./caffeine.js"
import { hitRate } from "./simulator.js"
import { bursts, drifting, inTurns, loop, mixed, recent, scanned, zigzag, zipf } from "./traces.js"

const sizes = [50, 200, 1_000]
const seeds = [1, 2]

/** A cache learns in a few thousand lookups, or some ten of each entry, what is asked of it. */
const lengthFor = (size: number) => Math.max(30_000, 200 * size)

type Trace = (size: number, length: number, seed: number) => ReadonlyArray<number>

const traces: Readonly<Record<string, Trace>> = {
  "loop over 1.1 x": (size, length) => loop(Math.ceil(1.1 * size), length),
  "loop over 2 x": (size, length) => loop(2 * size, length),
  "loop over 4 x": (size, length) => loop(4 * size, length),
  "zigzag over 1.5 x": (size, length) => zigzag(Math.ceil(1.5 * size), length),
  "zigzag over 2 x": (size, length) => zigzag(2 * size, length),
  "zigzag over 5 x": (size, length) => zigzag(5 * size, length),
  "scans through a hot set": (size, length, seed) => scanned(zipf(size, 0.7, length, seed), length, seed + 10),
  "zipf 0.7": (size, length, seed) => zipf(20 * size, 0.7, length, seed),
  "zipf 0.9": (size, length, seed) => zipf(20 * size, 0.9, length, seed),
  "zipf 1.1": (size, length, seed) => zipf(20 * size, 1.1, length, seed),
  "zipf, slow drift": (size, length, seed) => drifting(20 * size, 0.9, length, { seed, steady: 20 }),
  "zipf, fast drift": (size, length, seed) => drifting(10 * size, 0.9, length, { seed, steady: 3 }),
  "zipf that moves on": (size, length, seed) =>
    zipf(10 * size, 0.9, length, seed).map((rank, i) => rank + Math.floor(i / 25)),
  "recent, 0.3 x": (size, length, seed) => recent(size / 3, length, seed),
  "recent, 1 x": (size, length, seed) => recent(size, length, seed),
  "recent, 3 x": (size, length, seed) => recent(3 * size, length, seed),
  "bursts of 3 in 0.2 x": (size, length, seed) => bursts(Math.ceil(0.2 * size), 3, length, seed),
  "bursts of 3 in 0.8 x": (size, length, seed) => bursts(Math.ceil(0.8 * size), 3, length, seed),
  "bursts of 2 in 2 x": (size, length, seed) => bursts(2 * size, 2, length, seed),
  "zipf among recent": (size, length, seed) =>
    mixed(zipf(10 * size, 0.9, length, seed), recent(size / 4, length, seed), { seed, share: 0.5 }),
  "zipf among a loop": (size, length, seed) =>
    mixed(zipf(10 * size, 1, length, seed), loop(2 * size, length), { seed, share: 0.5 }),
  "recent among a loop": (size, length, seed) =>
    mixed(recent(size / 4, length, seed), loop(2 * size, length), { seed, share: 0.5 }),
  "bursts, loop, zipf in turns": (size, length, seed) =>
    inTurns(
      [bursts(Math.ceil(size / 2), 3, length, seed), loop(2 * size, length), zipf(10 * size, 0.9, length, seed)],
      Math.ceil(length / 6),
      length
    ),
  "recent and a loop in turns": (size, length, seed) =>
    inTurns([recent(size / 2, length, seed), loop(2 * size, length)], Math.ceil(length / 8), length)
}

const file = fileURLToPath(new URL("../../../docs/hit-rates.md", import.meta.url))
const points = (rate: number) => (100 * rate).toFixed(1)
const row = (name: string, size: number, rates: ReadonlyArray<number>) =>
  `| ${name} | ${size} | ${rates.map(points).join(" | ")} |`

/** By name and size: the hit rates of LRU, Caffeine and W-TinyLFU, in points, as documented. */
const documented = () =>
  new Map(
    [...readFileSync(file, "utf8").matchAll(/^\| ([^|]+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$/gm)]
      .map(([, name, size, ...rates]) => [`${name}, ${size}`, rates.map(Number)])
  )

const isWriting = process.env["WRITE_HIT_RATES"] !== undefined
const measured: Array<string> = []

/** Each computes for a second or more; in between, the runner has to hear of it. */
afterEach(() => new Promise<void>((resolve) => void setImmediate(resolve)))

describe.each(Object.entries(traces))("on the trace %s", (name, of) => {
  it.each(sizes)("a W-TinyLFU of %d is at most a point behind the better of LRU and Caffeine", (size) => {
    const length = lengthFor(size)
    const isSeeded = of.length > 2
    const runs = (isSeeded ? seeds : [0]).map((seed) => {
      const trace = of(size, length, seed)
      return [
        hitRate(lru, trace, { maxEntries: size }),
        caffeineHitRate(trace, size),
        hitRate(wTinyLfu, trace, { maxEntries: size })
      ] as const
    })
    const [shown] = runs
    measured.push(row(name, size, shown))
    for (const [recency, caffeine, ours] of runs) {
      expect(100 * (ours - Math.max(recency, caffeine))).toBeGreaterThanOrEqual(-1)
    }
    if (isWriting) return
    const stated = documented().get(`${name}, ${size}`)
    expect(stated).toHaveLength(3)
    for (const [i, rate] of shown.entries()) expect(Math.abs(100 * rate - stated![i])).toBeLessThan(0.3)
  })
})

it("the table of hit rates has a row for each trace and size, and no other", () => {
  if (isWriting) {
    const [before] = readFileSync(file, "utf8").split("\n| trace |")
    const head = "| trace | entries | LRU | Caffeine | W-TinyLFU |\n|---|---|---|---|---|"
    writeFileSync(file, `${before}\n${head}\n${measured.join("\n")}\n`)
  }
  const expected = Object.keys(traces).flatMap((name) => sizes.map((size) => `${name}, ${size}`))
  expect([...documented().keys()]).toEqual(expected)
})
