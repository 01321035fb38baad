import { describe, expect, it } from "@effect/vitest"
import { Data, Equal, Hash } from "effect"
import * as fc from "fast-check"
import { KeyMap } from "../../src/internal/KeyMap.js"

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

const numerically = (one: number, other: number) => one - other

describe("a KeyMap", () => {
  it("does what a list that is searched does, whatever the keys are", () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 20, maxLength: 100 }), (commands) => {
        const map = new KeyMap<unknown, number>()
        const naive = new NaiveMap()
        for (const command of commands) {
          if (command.kind === "set") {
            map.set(command.key, command.value)
            naive.set(command.key, command.value)
          } else if (command.kind === "delete") {
            map.delete(command.key)
            naive.delete(command.key)
          }
          expect(map.get(command.key)).toBe(naive.get(command.key))
          expect(map.size).toBe(naive.values().length)
          expect(map.values().sort(numerically)).toEqual(naive.values().sort(numerically))
        }
      }),
      { numRuns: 300 }
    )
  })

  it("keeps the key that was given last, and no bucket for keys that are gone", () => {
    const map = new KeyMap<unknown, number>()
    for (let id = 0; id < 1_000; id++) map.set(new Colliding(id, id), id)
    for (let id = 0; id < 1_000; id++) map.delete(new Colliding(id, id))
    expect([map.size, (map as any).byHash.size]).toEqual([0, 0])
  })

  it("gives values that may be taken out one by one while they are gone through", () => {
    const map = new KeyMap<unknown, number>()
    for (let id = 0; id < 10; id++) map.set(id % 2 === 0 ? id : new Colliding(id, 0), id)
    const seen: Array<number> = []
    for (const id of map.values()) {
      seen.push(id)
      map.delete(id % 2 === 0 ? id : new Colliding(id, 0))
    }
    expect(seen.sort(numerically)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(map.size).toBe(0)
  })
})
