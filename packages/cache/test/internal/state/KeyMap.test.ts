import { describe, expect, it } from "@effect/vitest"
import { Data, Equal, Hash } from "effect"
import * as fc from "fast-check"
import { hashOf, keptKey, KeyMap } from "../../../src/internal/state/KeyMap.js"

/** The map as it is meant: a list that is searched. */
class NaiveMap {
  private readonly pairs: Array<readonly [key: unknown, value: number]> = []

  private indexOf(key: unknown): number {
    // As `Equal`, but that NaN is itself.
    return this.pairs.findIndex(([other]) => Equal.equals(other, key) || (Number.isNaN(other) && Number.isNaN(key)))
  }

  get = (key: unknown): number | undefined => this.pairs[this.indexOf(key)]?.[1]

  set(key: unknown, value: number): void {
    const index = this.indexOf(key)
    if (index < 0) this.pairs.push([key, value])
    else this.pairs[index] = [key, value]
  }

  delete(key: unknown): void {
    const index = this.indexOf(key)
    if (index >= 0) this.pairs.splice(index, 1)
  }

  values = (): Array<number> => this.pairs.map(([, value]) => value)
}

class Colliding implements Equal.Equal {
  constructor(readonly id: number, readonly hash: number) {}
  [Hash.symbol](): number {
    return this.hash
  }
  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof Colliding && that.id === this.id
  }
}

const objects = [{}, {}, [], () => {}]
const symbols = [Symbol("a"), Symbol("a")]

const key = fc.oneof(
  fc.constantFrom<unknown>(0, -0, 1, Number.NaN, "", "1", "NaN", null, undefined, true, 1n, ...symbols),
  fc.constantFrom<unknown>(...objects),
  fc.nat(5).map((a) => Data.struct({ a })),
  // Two hashes for six keys.
  fc.nat(5).map((id) => new Colliding(id, id % 2))
)

const command = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), key, value: fc.nat() }),
  fc.record({ kind: fc.constant("delete" as const), key }),
  fc.record({ kind: fc.constant("get" as const), key })
)

interface Numbered {
  readonly key: unknown
  readonly hash: number
  readonly number: number
}

const numbered = (key: unknown, number: number): Numbered => ({ key, hash: hashOf(key), number })

const numbersOf = (values: Iterable<Numbered>) => [...values].map(({ number }) => number).sort(numerically)

const numerically = (one: number, other: number) => one - other

describe("a KeyMap", () => {
  it("does what a list that is searched does, whatever the keys are", () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 20, maxLength: 100 }), (commands) => {
        const map = new KeyMap<unknown, Numbered>()
        const naive = new NaiveMap()
        for (const command of commands) {
          if (command.kind === "set") {
            map.set(numbered(command.key, command.value))
            naive.set(command.key, command.value)
          } else if (command.kind === "delete") {
            const value = map.get(command.key)
            if (value !== undefined) map.delete(value)
            naive.delete(command.key)
          }
          expect(map.get(command.key)?.number).toBe(naive.get(command.key))
          expect(map.size).toBe(naive.values().length)
          expect(numbersOf(map.values())).toEqual(naive.values().sort(numerically))
          expect(numbersOf(map)).toEqual(naive.values().sort(numerically))
        }
      }),
      { numRuns: 300 }
    )
  })

  it("keeps the key that was given last, and no bucket for keys that are gone", () => {
    const map = new KeyMap<unknown, Numbered>()
    for (let id = 0; id < 1_000; id++) map.set(numbered(new Colliding(id, id), id))
    for (let id = 0; id < 1_000; id++) map.delete(map.get(new Colliding(id, id))!)
    expect([map.size, (map as any).byHash.size]).toEqual([0, 0])
  })

  it("gives values that may be taken out one by one while they are gone through", () => {
    const map = new KeyMap<unknown, Numbered>()
    for (let id = 0; id < 10; id++) map.set(numbered(id % 2 === 0 ? id : new Colliding(id, 0), id))
    const seen: Array<number> = []
    for (const value of map.values()) {
      seen.push(value.number)
      map.delete(value)
    }
    expect(seen.sort(numerically)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(map.size).toBe(0)
  })

  it("takes out the value that it is told, whatever has become of its key, and no other of that key", () => {
    const map = new KeyMap<unknown, Numbered>()
    const changeable = {
      id: 1,
      hash: 1,
      [Hash.symbol]: () => changeable.hash,
      [Equal.symbol]: (that: unknown) => that === changeable
    }
    const first = numbered(changeable, 1)
    map.set(first)
    changeable.hash = 2
    const second = numbered(changeable, 2)
    map.set(second)
    expect([map.size, map.get(changeable)?.number, map.has(first), map.has(second)]).toEqual([2, 2, true, true])
    map.delete(first)
    expect([map.size, map.has(first), map.get(changeable)?.number]).toEqual([1, false, 2])
    map.delete(first)
    map.delete(second)
    expect([map.size, (map as any).byHash.size]).toEqual([0, 0])
  })

  it("tells keys apart by their identity where their hash throws, is no number, or their comparison throws", () => {
    const thrown = () => {
      throw new Error("not to be looked at")
    }
    const keys: ReadonlyArray<any> = [
      { [Hash.symbol]: thrown, [Equal.symbol]: thrown },
      { [Hash.symbol]: () => "no number", [Equal.symbol]: () => true },
      { [Hash.symbol]: () => 7n, [Equal.symbol]: thrown },
      { [Hash.symbol]: () => 7, [Equal.symbol]: thrown },
      { [Hash.symbol]: () => 7, [Equal.symbol]: thrown },
      new Proxy({}, { get: thrown, has: thrown, getPrototypeOf: thrown, ownKeys: thrown })
    ]
    const map = new KeyMap<unknown, Numbered>()
    for (const [i, key] of keys.entries()) {
      expect(map.get(key)).toBeUndefined()
      expect(keptKey(key)).toBe(key)
      map.set(numbered(key, i))
    }
    expect(keys.map((key) => map.get(key)?.number)).toEqual([0, 1, 2, 3, 4, 5])
    for (const value of map.values()) map.delete(value)
    expect(map.size).toBe(0)
  })

  it("keeps copies of keys that are compared by contents which can be changed", () => {
    const [date, url] = [new Date(1), new URL("http://host/a")]
    const [keptDate, keptUrl] = [keptKey(date), keptKey(url)]
    date.setTime(2)
    url.pathname = "/b"
    expect([keptDate.getTime(), keptUrl.href]).toEqual([1, "http://host/a"])
    const struct = Data.struct({ a: 1 })
    expect([keptKey("a"), keptKey(null), keptKey(struct)]).toEqual(["a", null, struct])
  })
})
