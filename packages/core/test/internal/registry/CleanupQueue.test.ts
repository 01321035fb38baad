import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as CleanupQueue from "../../../src/internal/registry/CleanupQueue.js"

describe("CleanupQueue", () => {
  it.prop(
    "hands out by band, and within one first come first served, however offers and takes mix",
    [fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant("take" as const)), { maxLength: 200 })],
    ([steps]) => {
      const queue = CleanupQueue.make<CleanupQueue.Queued>()
      const model: Array<CleanupQueue.Queued> = []
      for (const [sequence, step] of steps.entries()) {
        if (step === "take") expect(queue.take()).toBe(model.shift())
        else {
          const request = { band: step, sequence }
          queue.offer(request)
          model.push(request)
          model.sort(CleanupQueue.order)
        }
      }
      for (const request of model) expect(queue.take()).toBe(request)
      expect(queue.take()).toBeUndefined()
    }
  )

  it("keeps its order over many thousand, with more urgent ones in between", () => {
    const queue = CleanupQueue.make<CleanupQueue.Queued>()
    for (let sequence = 0; sequence < 10_000; sequence++) queue.offer({ band: 1, sequence })
    for (let i = 0; i < 5_000; i++) expect(queue.take()).toEqual({ band: 1, sequence: i })
    queue.offer({ band: 3, sequence: 10_000 })
    queue.offer({ band: 1, sequence: 10_001 })
    queue.offer({ band: 0, sequence: 10_002 })
    expect(queue.take()?.sequence).toBe(10_000)
    for (let i = 5_000; i < 10_000; i++) expect(queue.take()?.sequence).toBe(i)
    expect(queue.take()?.sequence).toBe(10_001)
    expect(queue.take()?.sequence).toBe(10_002)
    expect(queue.take()).toBeUndefined()
  })

  it("orders by band first, then by sequence; equal only to itself", () => {
    const at = (band: number, sequence: number) => ({ band, sequence })
    expect(CleanupQueue.order(at(3, 9), at(0, 1))).toBe(-1)
    expect(CleanupQueue.order(at(0, 1), at(3, 9))).toBe(1)
    expect(CleanupQueue.order(at(1, 1), at(1, 2))).toBe(-1)
    expect(CleanupQueue.order(at(1, 2), at(1, 1))).toBe(1)
    expect(CleanupQueue.order(at(1, 1), at(1, 1))).toBe(0)
  })
})
