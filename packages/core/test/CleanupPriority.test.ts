import { assert, describe, it } from "@effect/vitest"
import { Arbitraries as arbitraries } from "@patinox/vitest"
import { Option, Schema } from "effect"
import * as fc from "fast-check"
import * as CleanupPriority from "../src/CleanupPriority.js"

describe("CleanupPriority", () => {
  it("priorities are ordered Low, Normal, High, Critical", () => {
    assert.deepStrictEqual([...CleanupPriority.values], ["Low", "Normal", "High", "Critical"])
    assert.deepStrictEqual(CleanupPriority.values.map(CleanupPriority.toNumber), [0, 1, 2, 3])
    assert.deepStrictEqual(
      ["Critical", "Low", "High", "Normal"].map((name) => name as CleanupPriority.CleanupPriority)
        .sort(CleanupPriority.Order),
      [...CleanupPriority.values]
    )
  })

  it("the default is Normal", () => {
    assert.strictEqual(CleanupPriority.defaultPriority, "Normal")
  })

  it("Order is total and agrees with the numbers", () => {
    fc.assert(fc.property(arbitraries.priority, arbitraries.priority, arbitraries.priority, (a, b, c) => {
      const { Order, toNumber } = CleanupPriority
      assert.strictEqual(Order(a, b), Math.sign(toNumber(a) - toNumber(b)))
      assert.strictEqual(Order(a, b) === 0, a === b)
      assert.strictEqual(Order(a, b) + Order(b, a), 0)
      if (Order(a, b) <= 0 && Order(b, c) <= 0) assert.isAtMost(Order(a, c), 0)
    }))
  })

  it("numbers go there and back, and no other number is one", () => {
    for (const priority of CleanupPriority.values) {
      assert.deepStrictEqual(CleanupPriority.fromNumber(CleanupPriority.toNumber(priority)), Option.some(priority))
    }
    for (const n of [-1, 4, 1.5, NaN, Infinity]) {
      assert.deepStrictEqual(CleanupPriority.fromNumber(n), Option.none())
    }
  })

  it("CleanupPriority.is and the schema take the four names and nothing else", () => {
    for (const priority of CleanupPriority.values) {
      assert.isTrue(CleanupPriority.is(priority))
      assert.strictEqual(Schema.decodeSync(CleanupPriority.schema)(priority), priority)
    }
    fc.assert(fc.property(fc.anything(), (value) => {
      fc.pre(!CleanupPriority.values.includes(value as never))
      assert.isFalse(CleanupPriority.is(value))
      assert.isFalse(Schema.is(CleanupPriority.schema)(value))
    }))
  })
})
