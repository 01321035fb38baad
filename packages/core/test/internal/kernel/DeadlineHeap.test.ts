import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as DeadlineHeap from "../../../src/internal/kernel/DeadlineHeap.js"

type Step =
  | { readonly op: "set"; readonly who: number; readonly at: number }
  | { readonly op: "remove"; readonly who: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constant("set" as const), who: fc.nat(9), at: fc.nat(20) }),
  fc.record({ op: fc.constant("remove" as const), who: fc.nat(9) })
)

describe("Deadlines", () => {
  it.prop(
    "always knows the earliest, whatever is set, moved and removed",
    [fc.array(step, { maxLength: 200 })],
    ([steps]) => {
      const deadlines = new DeadlineHeap.DeadlineHeap()
      const all = Array.from({ length: 10 }, () => DeadlineHeap.make(() => {}))
      const model = new Map<number, number>()
      for (const { op, who, ...rest } of steps) {
        if (op === "set") {
          const { at } = rest as { readonly at: number }
          deadlines.set(all[who]!, at)
          model.set(who, at)
        } else {
          deadlines.remove(all[who]!)
          model.delete(who)
        }
        expect(deadlines.size).toBe(model.size)
        expect(deadlines.earliest?.at).toBe(model.size === 0 ? undefined : Math.min(...model.values()))
        for (const [i, deadline] of all.entries()) expect(deadline.index === -1).toBe(!model.has(i))
      }
    }
  )

  it.prop(
    "gives out everything in order, and keeps nothing of it",
    [fc.array(fc.nat(1000), { maxLength: 300 })],
    ([instants]) => {
      const deadlines = new DeadlineHeap.DeadlineHeap()
      for (const at of instants) deadlines.set(DeadlineHeap.make(() => {}), at)
      const taken: Array<number> = []
      for (let next = deadlines.earliest; next !== undefined; next = deadlines.earliest) {
        taken.push(next.at)
        deadlines.remove(next)
      }
      expect(taken).toEqual([...instants].sort((a, b) => a - b))
      expect(deadlines.size).toBe(0)
    }
  )
})
