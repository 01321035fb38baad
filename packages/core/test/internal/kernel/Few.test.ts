import { describe, expect, it } from "vitest"
import { Few } from "../../../src/internal/kernel/Few.js"

const [a, b, c] = [{ name: "a" }, { name: "b" }, { name: "c" }]

describe("Few", () => {
  it("has each member once, in the order of adding", () => {
    const few = new Few<object>()
    for (const member of [a!, b!, a!, b!, c!]) few.add(member)
    expect([...few]).toEqual([a, b, c])
    expect(few.size).toBe(3)
  })

  it("keeps the order where the first has left and another comes", () => {
    const few = new Few<object>()
    for (const member of [a!, b!]) few.add(member)
    expect([few.delete(a!), few.delete(a!)]).toEqual([true, false])
    few.add(c!)
    expect([...few]).toEqual([b, c])
    for (const member of [b!, c!]) few.delete(member)
    expect(few.size).toBe(0)
  })

  it("hands out what is added on the way", () => {
    const few = new Few<object>()
    few.add(a!)
    const seen: Array<object> = []
    for (const member of few) {
      seen.push(member)
      if (member === a) few.add(b!)
    }
    expect(seen).toEqual([a, b])
  })
})
