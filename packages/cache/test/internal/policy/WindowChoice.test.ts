import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { WindowChoice, windowShares } from "../../../src/internal/policy/WindowChoice.js"
import { random } from "../../traces.js"

/** Lookups that each window hits as often as its rate says: of two, the better one hits whatever the other does. */
const lookups = (rates: ReadonlyArray<number>, seed = 1) => {
  const next = random(seed)
  return () => {
    const luck = next()
    return rates.reduce((bits, rate, i) => luck < rate ? bits | (1 << i) : bits, 0)
  }
}

/** As `lookups`, but what one window hits says nothing of the others. */
const independent = (rates: ReadonlyArray<number>, seed = 1) => {
  const next = random(seed)
  return () => rates.reduce((bits, rate, i) => next() < rate ? bits | (1 << i) : bits, 0)
}

/** The real cache hits what the window in use does. Gives the shares that were in use, and after how many lookups. */
const follow = (choice: WindowChoice, next: () => number, count: number) => {
  const changes: Array<readonly [at: number, share: number]> = []
  for (let i = 0; i < count; i++) {
    const hits = next()
    const own = windowShares.indexOf(choice.share)
    if (choice.saw(hits, ((hits >> own) & 1) === 1)) changes.push([i, choice.share])
  }
  return changes
}

describe("the choice of a window", () => {
  it("begins with the smallest, and is always one of those in question", () => {
    fc.assert(fc.property(
      fc.nat(300),
      fc.array(fc.record({ hits: fc.nat(31), isHit: fc.boolean(), times: fc.nat(200) }), { maxLength: 40 }),
      (places, steps) => {
        const choice = new WindowChoice(places)
        expect(choice.share).toBe(windowShares[0])
        for (const { hits, isHit, times } of steps) {
          for (let i = 0; i < times; i++) {
            const before = choice.share
            const isChanged = choice.saw(hits, isHit)
            if (isChanged || choice.share !== before) {
              expect([isChanged, before === choice.share]).toEqual([true, false])
            }
          }
          expect(windowShares).toContain(choice.share)
        }
      }
    ))
  })

  it.each(windowShares.map((share, i) => [share, i] as const))("comes to the best, %d of the cache", (share, best) => {
    const rates = windowShares.map((_, i) => 0.5 - 0.06 * Math.abs(i - best))
    for (const places of [10, 100, 256]) {
      const choice = new WindowChoice(places)
      follow(choice, lookups(rates), 100 * places + 2_000)
      expect(choice.share).toBe(share)
    }
  })

  it("takes a lead of less than the places of the cache where it is clear", () => {
    const choice = new WindowChoice(256)
    const [[at, share]] = follow(choice, lookups([0.1, 0.1, 0.1, 0.1, 0.9]), 5_000)
    expect(share).toBe(1)
    expect(at).toBeLessThan(256)
  })

  it("changes less than once in 20,000 lookups where all windows are as good, whatever they hit by chance", () => {
    let changes = 0
    for (let seed = 0; seed < 20; seed++) {
      changes += follow(new WindowChoice(100), independent([0.5, 0.5, 0.5, 0.5, 0.5], seed), 20_000).length
    }
    expect(changes).toBeLessThan(20)
  })

  it("changes nothing for a lead that comes and goes, as in a zigzag, and is smaller than what a change costs", () => {
    const choice = new WindowChoice(256)
    let at = 0
    const next = () => (at++ % 100 < 50) ? 0b00001 : 0b10000
    expect(follow(choice, next, 50_000)).toEqual([])
  })

  it("changes again when what is asked for has changed, however long it was something else", () => {
    const choice = new WindowChoice(100)
    follow(choice, lookups([0.2, 0.2, 0.2, 0.2, 0.6]), 200_000)
    expect(choice.share).toBe(1)
    const changes = follow(choice, lookups([0.6, 0.2, 0.2, 0.2, 0.2]), 4_000)
    expect(changes.map(([, share]) => share)).toEqual([windowShares[0]])
  })

  it("retreats to LRU where the real cache stays behind its miniature, and LRU would not", () => {
    const choice = new WindowChoice(100)
    for (let i = 0; i < 2_000; i++) choice.saw(0b11111, i % 2 === 0)
    expect(choice.share).toBe(1)
  })

  it("leaves LRU for a window that it has retreated from once that is ahead by more than the cache stayed behind", () => {
    const choice = new WindowChoice(100)
    for (let i = 0; i < 2_000; i++) choice.saw(0b11111, i % 2 === 0)
    const next = lookups([0.55, 0.5, 0.5, 0.5, 0.5])
    follow(choice, next, 10_000)
    expect(choice.share).toBe(1)
    follow(choice, lookups([0.9, 0, 0, 0, 0]), 10_000)
    expect(choice.share).toBe(windowShares[0])
  })

  it("believes the miniatures of a real cache that lacks its entries once, as after a change", () => {
    const choice = new WindowChoice(100)
    for (let i = 0; i < 2_000; i++) choice.saw(0b11111, i >= 60)
    expect(choice.share).toBe(windowShares[0])
  })
})
