import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import * as CleanupQueue from "../../src/internal/CleanupQueue.js"

const bands = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 60 })

describe("CleanupQueue", () => {
  it.effect.prop(
    "hands out by band, and within one first come first served, however offers and takes mix",
    [bands, fc.array(fc.nat(5), { minLength: 1, maxLength: 20 })],
    ([offered, takes]) =>
      Effect.gen(function*() {
        const queue = CleanupQueue.make<CleanupQueue.Queued>()
        const requests = offered.map((band, sequence) => ({ band, sequence }))
        const model: Array<CleanupQueue.Queued> = []
        const half = requests.length >> 1
        queue.offerAll(requests.slice(0, half))
        model.push(...requests.slice(0, half))
        let next = half
        for (const take of takes) {
          if (next < requests.length) {
            queue.offer(requests[next]!)
            model.push(requests[next]!)
            next++
          }
          model.sort((a, b) => b.band - a.band || a.sequence - b.sequence)
          expect([...yield* queue.takeUpTo(() => take)]).toEqual(model.splice(0, take))
        }
      })
  )

  it("orders by band first, then by sequence; equal only to itself", () => {
    const at = (band: number, sequence: number) => ({ band, sequence })
    expect(CleanupQueue.order(at(3, 9), at(0, 1))).toBe(-1)
    expect(CleanupQueue.order(at(0, 1), at(3, 9))).toBe(1)
    expect(CleanupQueue.order(at(1, 1), at(1, 2))).toBe(-1)
    expect(CleanupQueue.order(at(1, 2), at(1, 1))).toBe(1)
    expect(CleanupQueue.order(at(1, 1), at(1, 1))).toBe(0)
  })

  it.effect("takes without waiting: nothing from an empty one", () =>
    Effect.gen(function*() {
      expect([...yield* CleanupQueue.make().takeUpTo(() => 10)]).toEqual([])
    }))
})
