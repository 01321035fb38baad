import { expect, it } from "@effect/vitest"
import { Creations } from "../../../src/internal/state/Creations.js"
import { noLimits } from "../poolWorld.js"

const running = (
  count: number,
  limits: { readonly createConcurrency?: number; readonly failFastAfter?: number } = {}
) => {
  const creations = new Creations({ ...noLimits, createConcurrency: 3, ...limits })
  for (let i = 0; i < count; i++) creations.start()
  return creations
}

it("runs as many at once as may, those not counted that are slow or stuck", () => {
  const creations = running(3)
  expect(creations.isFull).toBe(true)
  creations.becameSlow()
  expect(creations.isFull).toBe(false)
  creations.slowEnded()
  creations.becameUnwanted()
  expect([creations.isFull, creations.active, creations.running]).toEqual([false, 2, 3])
})

it("runs two at once after a failure, and one where no more may", () => {
  const creations = running(3)
  creations.failed(0, 0)
  expect([creations.running, creations.isFull]).toEqual([2, true])
  const single = running(1, { createConcurrency: 1 })
  single.becameStuck(0, 0)
  expect([single.isFull, single.running, single.circuit.failures]).toEqual([false, 1, 1])
})

it("allows one at a time where the circuit is open, beside those that are stuck", () => {
  const creations = running(2, { failFastAfter: 1 })
  creations.becameStuck(0, 0)
  expect([creations.allows(9), creations.allows(10)]).toEqual([false, false])
  creations.failed(10, 0)
  expect([creations.active, creations.allows(29), creations.allows(30)]).toEqual([0, false, true])
})

it("counts a stuck creation until it has ended, with an item or without", () => {
  const creations = running(3)
  creations.becameUnwanted()
  creations.becameUnwanted()
  creations.stuckEnded()
  creations.succeeded(true)
  creations.succeeded(false)
  expect([creations.running, creations.stuck, creations.circuit.failures]).toEqual([0, 0, 0])
})
