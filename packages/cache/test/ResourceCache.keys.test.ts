import { describe, expect, it } from "@effect/vitest"
import { Data, Effect, Equal, Hash } from "effect"
import { CachePolicy, ResourceCache } from "../src/index.js"
import { atRest, inScope, Source, turns } from "./kit.js"

class Tenant extends Data.Class<{ readonly name: string; readonly region: string }> {}

/** Keys that differ, though their hashes do not. */
class Colliding implements Equal.Equal {
  constructor(readonly id: number) {}
  [Hash.symbol](): number {
    return 7
  }
  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof Colliding && that.id === this.id
  }
}

const values = Effect.gen(function*() {
  const source = new Source<any>()
  // A key need not have a text.
  const lookup = (key: unknown) => Effect.sync(() => source.open({ toString: () => typeof key }))
  const cache = yield* ResourceCache.make(lookup, { release: source.release })
  const ask = (key: unknown) => cache.use(key, ({ number }) => Effect.succeed(number))
  return { source, cache, ask }
})

const symbol = Symbol("key")
const object = { name: "a" }
const function_ = () => {}

const same: ReadonlyArray<readonly [what: string, one: unknown, other: unknown]> = [
  ["texts", "a", ["a"].join()],
  ["numbers", 1, 1],
  ["NaN", Number.NaN, 0 / 0],
  ["0 and -0", 0, -0],
  ["big integers", 10n, BigInt("10")],
  ["one symbol", symbol, symbol],
  ["null", null, null],
  ["undefined", undefined, undefined],
  ["Data", Data.struct({ a: 1 }), Data.struct({ a: 1 })],
  ["Data in Data", Data.tuple("a", Data.struct({ b: 1 })), Data.tuple("a", Data.struct({ b: 1 }))],
  ["Data classes", new Tenant({ name: "a", region: "eu" }), new Tenant({ name: "a", region: "eu" })],
  ["dates of one instant", new Date(5), new Date(5)],
  ["one object", object, object],
  ["one function", function_, function_]
]

const different: ReadonlyArray<readonly [what: string, one: unknown, other: unknown]> = [
  ["a number and its text", 1, "1"],
  ["a number and a big integer", 1, 1n],
  ["null and undefined", null, undefined],
  ["null and its text", null, "null"],
  ["false and 0", false, 0],
  ["symbols of one description", Symbol("a"), Symbol("a")],
  ["objects of one content", { a: 1 }, { a: 1 }],
  ["arrays of one content", [1], [1]],
  ["Data of other content", Data.struct({ a: 1 }), Data.struct({ a: 2 })],
  ["dates of two instants", new Date(5), new Date(6)],
  ["keys with one hash", new Colliding(1), new Colliding(2)]
]

describe("keys", () => {
  for (const [what, one, other] of same) {
    it.effect(`keys are the same: ${what}`, () =>
      inScope(Effect.gen(function*() {
        const { ask, cache, source } = yield* values
        expect([yield* ask(one), yield* ask(other)]).toEqual([1, 1])
        expect((yield* cache.keys).length).toBe(1)
        expect(yield* cache.invalidate(other)).toBe(true)
        yield* turns
        expect([source.alive, yield* atRest(cache)]).toEqual([0, 0])
      })))
  }

  for (const [what, one, other] of different) {
    it.effect(`keys are not the same: ${what}`, () =>
      inScope(Effect.gen(function*() {
        const { ask, cache, source } = yield* values
        expect([yield* ask(one), yield* ask(other), yield* ask(one)]).toEqual([1, 2, 1])
        expect((yield* cache.keys).length).toBe(2)
        expect(yield* cache.invalidate(one)).toBe(true)
        expect(yield* ask(other)).toBe(2)
        yield* turns
        expect([source.alive, yield* atRest(cache)]).toEqual([1, 1])
      })))
  }

  it.effect("keys that are equal share one lookup", () =>
    inScope(Effect.gen(function*() {
      const { ask, source } = yield* values
      const keys = Array.from({ length: 100 }, () => new Tenant({ name: "a", region: "eu" }))
      yield* Effect.forEach(keys, ask, { concurrency: "unbounded" })
      expect(source.opened).toBe(1)
    })))

  for (const policy of [CachePolicy.lru, CachePolicy.wTinyLfu]) {
    it.effect(`keys of one hash are kept apart, evicted and released one by one (${policy.name})`, () =>
      inScope(Effect.gen(function*() {
        const source = new Source<Colliding>()
        const cache = yield* ResourceCache.make(source.lookup, { release: source.release, maxEntries: 5, policy })
        const ask = (id: number) => cache.use(new Colliding(id), (value) => Effect.succeed(value.key.id))
        for (let round = 0; round < 3; round++) {
          for (let id = 0; id < 20; id++) expect(yield* ask(id)).toBe(id)
        }
        expect(yield* atRest(cache)).toBe(5)
        expect([source.alive, source.mostAlive]).toEqual([5, 5])
        expect(yield* cache.invalidateAll).toBe(5)
        yield* turns
        expect([source.alive, yield* atRest(cache)]).toEqual([0, 0])
      })))
  }

  it.effect("keys whose hash throws are told by their identity", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache } = yield* values
      const bad = {
        [Hash.symbol](): number {
          throw new Error("no hash")
        },
        [Equal.symbol]: () => false
      }
      expect([yield* ask(bad), yield* ask("good"), yield* ask(bad)]).toEqual([1, 2, 1])
      expect(yield* atRest(cache)).toBe(2)
    })))
})
