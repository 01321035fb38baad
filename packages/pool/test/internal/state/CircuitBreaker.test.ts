import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { CircuitBreaker, pauseAfter } from "../../../src/internal/state/CircuitBreaker.js"

const limits = { failFastAfter: 3, backoffFrom: 10, backoffTo: 5_000 }

describe("the pause after failed creations", () => {
  it("doubles from the first to the longest", () => {
    const pauses = Array.from({ length: 12 }, (_, i) => pauseAfter(i + 1, 0, limits))
    expect(pauses).toEqual([10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_000, 5_000, 5_000])
  })

  it("the pause after failed creations is shortened by up to half, at random, and never longer than allowed", () => {
    expect(pauseAfter(1, 0.5, limits)).toBe(7.5)
    expect(pauseAfter(100, 1, limits)).toBe(2_500)
    fc.assert(fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, random) => {
        const pause = pauseAfter(failures, random, limits)
        expect(pause).toBeGreaterThanOrEqual(5)
        expect(pause).toBeLessThanOrEqual(5_000)
      }
    ))
  })

  it("the pause after failed creations is a number after any number of failures, and may be endless", () => {
    expect(pauseAfter(1_000_000, 0, limits)).toBe(5_000)
    expect(pauseAfter(1_000_000, 0, { ...limits, backoffTo: Infinity })).toBeLessThan(Infinity)
    expect(pauseAfter(1, 0.3, { ...limits, backoffFrom: Infinity, backoffTo: Infinity })).toBe(Infinity)
  })
})

describe("the circuit", () => {
  it("allows creations until one fails, then none before the pause is over", () => {
    const circuit = new CircuitBreaker(limits)
    expect(circuit.allows(0, 5)).toBe(true)
    circuit.failed(100, 0)
    expect(circuit.nextAt).toBe(110)
    expect(circuit.allows(109, 0)).toBe(false)
    expect(circuit.allows(110, 0)).toBe(true)
    expect(circuit.allows(110, 5)).toBe(true)
  })

  it("opens after so many failures in a row, and then allows one attempt at a time", () => {
    const circuit = new CircuitBreaker(limits)
    circuit.failed(0, 0)
    circuit.failed(0, 0)
    expect(circuit.isOpen).toBe(false)
    circuit.failed(0, 0)
    expect(circuit.isOpen).toBe(true)
    expect(circuit.allows(39, 0)).toBe(false)
    expect(circuit.allows(40, 0)).toBe(true)
    expect(circuit.allows(40, 1)).toBe(false)
  })

  it("closes with a success, and begins again at the first pause", () => {
    const circuit = new CircuitBreaker(limits)
    for (let i = 0; i < 5; i++) circuit.failed(0, 0)
    circuit.succeeded(0)
    expect(circuit.isOpen).toBe(false)
    expect(circuit.allows(0, 5)).toBe(true)
    circuit.failed(0, 0)
    expect(circuit.nextAt).toBe(10)
    expect(circuit.failures).toBe(1)
  })

  it("takes back a success that was refuted soon, with the failures before it", () => {
    const circuit = new CircuitBreaker(limits)
    for (let i = 0; i < 3; i++) circuit.failed(0, 0)
    circuit.succeeded(100)
    circuit.refuted(100 + limits.backoffTo - 1, 0)
    expect(circuit.failures).toBe(4)
    circuit.succeeded(200)
    circuit.refuted(200 + limits.backoffTo, 0)
    expect(circuit.failures).toBe(1)
  })

  it("never opens where that is not wanted", () => {
    const circuit = new CircuitBreaker({ ...limits, failFastAfter: Infinity })
    for (let i = 0; i < 1_000; i++) circuit.failed(0, 0)
    expect(circuit.isOpen).toBe(false)
  })
})
