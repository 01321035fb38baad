import { describe, expect, it } from "@effect/vitest"
import type * as Effect from "effect"
import { Data, Equal, Hash, Option } from "effect"
import * as fc from "fast-check"
import { createRequire } from "node:module"
import { keyHash } from "../../../src/internal/policy/KeyHash.js"

const required: typeof Effect = createRequire(import.meta.url)("effect")

class Point extends Data.Class<{ readonly x: number; readonly y: number }> {}
class Tagged extends Data.TaggedClass("Tagged")<{ readonly x: number; readonly y: number }> {}

/** Compares in its own way: two of them are equal though their fields differ. */
class Insensitive extends Data.Class<{ readonly text: string }> {
  [Hash.symbol](): number {
    return Hash.string(this.text.toLowerCase())
  }
  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof Insensitive && that.text.toLowerCase() === this.text.toLowerCase()
  }
}

/** A key, and another that should be equal to it. */
interface Pair {
  readonly one: unknown
  readonly other: unknown
}

const same = (value: unknown): Pair => ({ one: value, other: value })

const leaf: fc.Arbitrary<Pair> = fc.oneof(
  fc.constantFrom(same(null), same(undefined), same(true), same("a"), { one: 0, other: -0 }, same(Infinity), same(-1)),
  fc.integer().map(same),
  fc.double({ noNaN: true }).map(same),
  fc.string().map(same),
  fc.bigInt().map(same),
  fc.date({ noInvalidDate: true }).map((date) => ({ one: date, other: new Date(date) })),
  fc.string({ maxLength: 3 }).map((text) => ({
    one: new Insensitive({ text }),
    other: new Insensitive({ text: text.toUpperCase() })
  })),
  fc.integer().map((n) => ({ one: Option.some(n), other: Option.some(n) }))
)

const { key } = fc.letrec<{ key: Pair }>((tie) => ({
  key: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.dictionary(fc.constantFrom("a", "b", "c", "long name"), tie("key")).map((fields) => {
      const entries = Object.entries(fields)
      const from = (of: "one" | "other") => entries.map(([name, pair]) => [name, pair[of]] as const)
      return {
        one: Data.struct(Object.fromEntries(from("one"))),
        other: Data.struct(Object.fromEntries(from("other").reverse()))
      }
    }),
    fc.array(tie("key"), { maxLength: 4 }).map((pairs) => ({
      one: Data.array(pairs.map(({ one }) => one)),
      other: Data.array(pairs.map(({ other }) => other))
    }))
  )
}))

/** How many of 10,000 keys have a hash of their own. */
const distinct = (keyOf: (i: number) => unknown): number =>
  new Set(Array.from({ length: 10_000 }, (_, i) => keyHash(keyOf(i)))).size

const column = (i: number) => i % 100
const row = (i: number) => Math.floor(i / 100)

describe("the hash of a key", () => {
  it("the hash of a key is the same for equal keys, in whatever order their fields are and however deep they are nested", () => {
    let nested = 0
    fc.assert(
      fc.property(key, ({ one, other }) => {
        expect(Equal.equals(one, other)).toBe(true)
        expect(keyHash(one)).toBe(keyHash(other))
        if (typeof one === "object" && one !== null && Object.values(one).some((part) => typeof part === "object")) {
          nested++
        }
      }),
      { numRuns: 3_000, seed: 20_241 }
    )
    expect(nested).toBeGreaterThan(300)
  })

  it("the hash of a key is the same for a class and a plain structure that are equal", () => {
    expect(Equal.equals(new Point({ x: 1, y: 2 }), Data.struct({ y: 2, x: 1 }))).toBe(true)
    expect(keyHash(new Point({ x: 1, y: 2 }))).toBe(keyHash(Data.struct({ y: 2, x: 1 })))
  })

  it("the hash of a key is the same for equal keys of two copies of Effect in a process", () => {
    expect(required.Data).not.toBe(Data)
    const pairs = [
      [Data.struct({ x: 1, y: 2 }), required.Data.struct({ x: 1, y: 2 })],
      [Data.tuple(1, "a"), required.Data.tuple(1, "a")]
    ]
    for (const [one, other] of pairs) {
      expect(Equal.equals(one, other)).toBe(true)
      expect(keyHash(one)).toBe(keyHash(other))
    }
  })

  it("the hash of a key is the key's own where its class compares in its own way", () => {
    expect(keyHash(new Insensitive({ text: "A" }))).toBe(keyHash(new Insensitive({ text: "a" })))
    expect(keyHash(new Insensitive({ text: "A" }))).toBe(Hash.string("a"))
  })

  it("the hash of a key is that of the identity of a plain object, whatever it holds", () => {
    const one = { x: 1 }
    expect(keyHash(one)).toBe(keyHash(one))
    expect(keyHash(one)).not.toBe(keyHash({ x: 1 }))
  })

  it.each<readonly [string, (i: number) => unknown]>([
    ["integers", (i) => i],
    ["integers beyond 32 bits", (i) => 1.7e12 + 1_000 * i],
    ["integers near 2^53", (i) => 2 ** 53 - 4_194_304 * i],
    ["fractions", (i) => i / 100],
    ["numbers below 0", (i) => -i / 7],
    ["texts that end alike", (i) => `${i}-of-the-same-kind`],
    ["texts that begin alike", (i) => `/api/v1/items/${i}`],
    ["structures of two small numbers", (i) => Data.struct({ x: column(i), y: row(i) })],
    [
      "structures of four digits",
      (i) =>
        Data.struct({
          a: i % 10,
          b: row(i) % 10,
          c: column(i) > 9 ? Math.floor(column(i) / 10) : 0,
          d: Math.floor(i / 1_000)
        })
    ],
    ["structures whose fields are the same for some", (i) => Data.struct({ x: row(i), y: row(i), z: column(i) })],
    ["nested structures", (i) => Data.struct({ at: Data.struct({ x: column(i), y: row(i) }), of: Data.tuple(1, 2) })],
    ["classes", (i) => new Point({ x: column(i), y: row(i) })],
    ["tagged classes", (i) => new Tagged({ x: column(i), y: row(i) })],
    ["pairs", (i) => Data.tuple(column(i), row(i))],
    ["triples", (i) => Data.tuple(i % 20, Math.floor(i / 20) % 20, Math.floor(i / 400))],
    ["pairs of texts", (i) => Data.tuple(`tenant ${column(i)}`, `user ${row(i)}`)]
  ])("the hash of a key of %s tells at least 9,990 of 10,000 apart", (_, keyOf) => {
    const keys = new Set(Array.from({ length: 10_000 }, (_, i) => JSON.stringify(keyOf(i))))
    expect(keys.size).toBe(10_000)
    expect(distinct(keyOf)).toBeGreaterThanOrEqual(9_990)
  })

  it("tells keys apart by the order of elements, and by which field has what", () => {
    expect(keyHash(Data.tuple(1, 2))).not.toBe(keyHash(Data.tuple(2, 1)))
    expect(keyHash(Data.struct({ x: 1, y: 2 }))).not.toBe(keyHash(Data.struct({ x: 2, y: 1 })))
    expect(keyHash(Data.tuple())).not.toBe(keyHash(Data.tuple(0)))
  })
})
