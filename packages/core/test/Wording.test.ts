import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Wording from "../src/internal/kernel/Text.js"

describe("internal/Wording", () => {
  it("durations are read at a glance", () => {
    assert.deepStrictEqual(
      [0, 0.4, 12, 999, 999.7, 1000, 1500, 25_000, 59_960, 90_000, 3_600_000, 5_400_000, Infinity, NaN].map(
        Wording.duration
      ),
      [
        "0 ms",
        "0 ms",
        "12 ms",
        "999 ms",
        "1 s",
        "1 s",
        "1.5 s",
        "25 s",
        "60 s",
        "1.5 min",
        "1 h",
        "1.5 h",
        "no limit",
        "an unknown time"
      ]
    )
  })

  it("any value has a text, errors their name and message", () => {
    assert.deepStrictEqual(
      [new TypeError("no"), "text", { a: 1 }, undefined, null, 1n, Symbol("s"), NaN].map(Wording.unknown),
      ["TypeError: no", "text", "{\"a\":1}", "undefined", "null", "1", "Symbol(s)", "NaN"]
    )
    fc.assert(fc.property(fc.anything(), (value) => {
      assert.isString(Wording.unknown(value))
    }))
  })

  it("a value that throws wherever it is looked at has a text that names its class where that can be had", () => {
    class Broken extends Error {
      override get message(): string {
        throw new Error("no message")
      }
    }
    const refuses = () => {
      throw new Error("no trap")
    }
    const proxy = new Proxy({}, new Proxy({}, { get: () => refuses }))
    const noPrimitive = { toString: refuses, toJSON: refuses, [Symbol.toPrimitive]: refuses }
    const revocable = Proxy.revocable({}, {})
    revocable.revoke()
    assert.deepStrictEqual(
      [new Broken(), proxy, noPrimitive, revocable.proxy, Object.assign(refuses, { toString: refuses })].map(
        Wording.unknown
      ),
      [
        "Broken that cannot be shown as text",
        "a value (object) that cannot be shown as text",
        "Object that cannot be shown as text",
        "a value (object) that cannot be shown as text",
        "Function that cannot be shown as text"
      ]
    )
    assert.strictEqual(
      Wording.unknown({ toJSON: () => ({ toString: () => 1 }), [Symbol.toPrimitive]: () => ({}) }),
      "{}"
    )
    assert.isString(Wording.unknown(Object.assign(new Error("x"), { name: Symbol("name") })))
    assert.isString(Wording.unknown(Object.create(null)))
  })

  it("a text is cut to what a message can hold", () => {
    assert.strictEqual(Wording.unknown("x".repeat(1_000_000)).length, 2_001)
  })

  it("a line is one line without control characters", () => {
    assert.strictEqual(Wording.line("\n  first\tpart\u001b[31m\r\nsecond"), "first part [31m")
    fc.assert(fc.property(fc.fullUnicodeString(), (text) => {
      assert.notMatch(Wording.line(text), /\p{Cc}/u)
    }))
  })
})
