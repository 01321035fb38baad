import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { HillClimber } from "../../src/internal/HillClimber.js"

/** The shares it tries while the hit rate is highest at `best` and falls off by `slope` for each 1 of share. */
const climbed = (climber: HillClimber, best: number, steps: number, slope = 0.3) =>
  Array.from({ length: steps }, () => {
    climber.climb(0.6 - slope * Math.abs(climber.share - best))
    return climber.share
  })

describe("a hill climber", () => {
  it("stays between a hundredth and four fifths, whatever the hit rates", () => {
    fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 200 }), (rates) => {
      const climber = new HillClimber()
      expect(climber.share).toBe(0.01)
      for (const rate of rates) {
        climber.climb(rate)
        expect(climber.share).toBeGreaterThanOrEqual(0.01)
        expect(climber.share).toBeLessThanOrEqual(0.8)
      }
    }))
  })

  it.each([0.01, 0.2, 0.5, 0.8])("comes to the best share, %d, and stays about there", (best) => {
    const shares = climbed(new HillClimber(), best, 120)
    for (const share of shares.slice(-40)) expect(Math.abs(share - best)).toBeLessThan(0.05)
  })

  it("takes ever smaller steps while the hit rate changes little", () => {
    const shares = climbed(new HillClimber(), 0.4, 150)
    const steps = shares.map((share, i) => Math.abs(share - (shares[i - 1] ?? 0.01)))
    expect(Math.max(...steps.slice(-20))).toBeLessThan(Math.max(...steps.slice(0, 20)) / 4)
  })

  it("starts again with a large step when the hit rate jumps, and finds the new best share", () => {
    const climber = new HillClimber()
    climbed(climber, 0.1, 150)
    const settled = climber.share
    climber.climb(0.2)
    climber.climb(0.2)
    expect(Math.abs(climber.share - settled)).toBeGreaterThan(0.05)
    const shares = climbed(climber, 0.7, 120)
    for (const share of shares.slice(-40)) expect(Math.abs(share - 0.7)).toBeLessThan(0.05)
  })
})
