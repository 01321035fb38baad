import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Recovery from "../../../src/internal/cleanup/Recovery.js"

const limits: fc.Arbitrary<Recovery.Limits> = fc.record({
  timeout: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.constant(Infinity)),
  attemptTimeout: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.constant(Infinity)),
  hasFallback: fc.boolean()
}).map((all) => ({ ...all, attemptTimeout: Math.min(all.attemptTimeout, all.timeout) }))
const instant = fc.integer({ min: 0, max: 10_000 })
const deadline = fc.oneof(instant, fc.constant(Infinity))

describe("window", () => {
  it.prop(
    "lies inside the limit and the deadline, attempts inside it (P3)",
    [instant, limits, deadline],
    ([now, of, by]) => {
      const { attemptsEnd, end } = Recovery.window(now, of, by)
      expect(end).toBeLessThanOrEqual(Math.max(now, by))
      expect(end).toBeLessThanOrEqual(now + of.timeout)
      expect(end).toBeGreaterThanOrEqual(now)
      expect(attemptsEnd).toBeLessThanOrEqual(end)
      expect(attemptsEnd).toBeGreaterThanOrEqual(now)
      if (!of.hasFallback) expect(attemptsEnd).toBe(end)
      // The release itself never has less than half.
      else if (end !== Infinity) expect(attemptsEnd - now).toBeGreaterThanOrEqual((end - now) / 2)
    }
  )

  it("keeps back one attempt's share for a fallback, half where that is more", () => {
    expect(Recovery.window(0, { timeout: 9, attemptTimeout: 3, hasFallback: true }, Infinity)).toEqual({
      attemptsEnd: 6,
      end: 9
    })
    expect(Recovery.window(0, { timeout: 9, attemptTimeout: 9, hasFallback: true }, Infinity)).toEqual({
      attemptsEnd: 4.5,
      end: 9
    })
    expect(Recovery.window(0, { timeout: Infinity, attemptTimeout: 3, hasFallback: true }, Infinity)).toEqual({
      attemptsEnd: Infinity,
      end: Infinity
    })
  })

  it.prop(
    "window only ever shrinks under a nearer deadline",
    [instant, limits, deadline, deadline, fc.nat(100)],
    ([now, of, by, nearer, later]) => {
      const first = Recovery.window(now, of, by)
      const clipped = Recovery.clip(now + later, first, of, nearer)
      expect(clipped.end).toBeLessThanOrEqual(Math.max(first.end, now + later))
      expect(clipped.attemptsEnd).toBeLessThanOrEqual(clipped.end)
      if (nearer >= first.end) expect(clipped).toBe(first)
    }
  )
})

describe("afterError", () => {
  it("never tries again beside an attempt that has not stopped (P1)", () => {
    expect(Recovery.afterError("Retry", false, false)).toBe("GiveUp")
    expect(Recovery.afterError("Retry", false, true)).toBe("Fallback")
    expect(Recovery.afterError("Retry", true, true)).toBe("Step")
    expect(Recovery.afterError("Retry", true, false)).toBe("Step")
  })
  it("goes to a fallback where there is one, and nowhere on Fail", () => {
    expect(Recovery.afterError("Fallback", true, true)).toBe("Fallback")
    expect(Recovery.afterError("Fallback", true, false)).toBe("GiveUp")
    expect(Recovery.afterError("Fail", true, true)).toBe("GiveUp")
  })
})

describe("afterStep", () => {
  it.prop("begins no pause that leaves no time for the next attempt (P3)", [
    fc.nat(1000),
    instant,
    limits,
    fc.boolean()
  ], ([delay, now, of, fallback]) => {
    const window = Recovery.window(0, of, Infinity)
    const next = Recovery.afterStep(delay, now, window, fallback)
    if (next._tag === "Pause") {
      expect(next.until).toBe(now + delay)
      expect(next.until).toBeLessThan(window.attemptsEnd)
    } else {
      expect(now + delay).toBeGreaterThanOrEqual(window.attemptsEnd)
      expect(next._tag).toBe(fallback ? "Fallback" : "GiveUp")
    }
  })
  it("afterStep of a schedule that is done goes on to the fallback, if any", () => {
    const window = { attemptsEnd: 10, end: 10 }
    expect(Recovery.afterStep(undefined, 0, window, true)._tag).toBe("Fallback")
    expect(Recovery.afterStep(undefined, 0, window, false)._tag).toBe("GiveUp")
  })
})

describe("the end", () => {
  it("the end after a fallback that failed is what the attempt has become meanwhile", () => {
    expect(Recovery.afterFallbackFailed("failed", false)).toBe("failed")
    expect(Recovery.afterFallbackFailed("failed", true)).toBe("abandoned")
    expect(Recovery.afterFallbackFailed("running", false)).toBe("abandoned")
    expect(Recovery.afterFallbackFailed("succeeded", true)).toBe("recovered")
  })
  it("the end is forced 5 s, at most a fifth, before a deadline", () => {
    expect(Recovery.forceMargin(25_000)).toBe(5_000)
    expect(Recovery.forceMargin(100_000)).toBe(5_000)
    expect(Recovery.forceMargin(10_000)).toBe(2_000)
  })
})
