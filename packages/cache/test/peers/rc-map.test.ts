/** What the tests of Effect's `RcMap` promise to its users, asked of it and of ours in the same words. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Data, Effect, Exit, RcMap, Scope } from "effect"
import { ResourceCache } from "../../src/index.js"
import { inScope, openScope, turns } from "../kit.js"
import { resources } from "./resources.js"

interface Subject<K> {
  readonly get: (key: K) => Effect.Effect<unknown, { readonly _tag: string }, Scope.Scope>
  readonly touch: (key: K) => Effect.Effect<unknown>
  readonly invalidate: (key: K) => Effect.Effect<unknown>
  readonly keys: Effect.Effect<ReadonlyArray<K>>
}

type Make = <K>(
  lookup: (key: K) => Effect.Effect<unknown, never, Scope.Scope>,
  settings: { readonly idle: number; readonly capacity?: number }
) => Effect.Effect<Subject<K>, unknown, any>

const effects: Make = (lookup, { capacity = 100, idle }) =>
  Effect.map(RcMap.make({ lookup, capacity, idleTimeToLive: idle }), (map) => ({
    get: (key) => RcMap.get(map, key),
    touch: (key) => RcMap.touch(map, key),
    invalidate: (key) => RcMap.invalidate(map, key),
    keys: RcMap.keys(map)
  }))

const ours: Make = (lookup, { capacity = 100, idle }) =>
  Effect.map(
    ResourceCache.make(lookup, { maxEntries: capacity, timeToIdle: idle, whenFull: "fail" }),
    (cache) => ({ ...cache, touch: (key) => Effect.scoped(cache.getIfPresent(key)) })
  )

for (const [name, make] of Object.entries({ "Effect's RcMap": effects, ours })) {
  describe(name, () => {
    const test = (title: string, body: Effect.Effect<unknown, unknown, any>) =>
      it.effect(title, () => inScope(body as Effect.Effect<unknown, unknown, Scope.Scope>))
    const pass = (millis: number) => Effect.andThen(TestClock.adjust(millis), turns)

    test(
      "a value is shared while it is used, and released when its last use is over and it was idle for long enough",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup, { idle: 1_000 })
        const [first, second] = [yield* openScope, yield* openScope]
        for (const { scope } of [first, second]) yield* Scope.extend(cache.get("a"), scope)
        yield* first.close
        yield* pass(10_000)
        expect(log).toEqual(["+a"])
        yield* second.close
        yield* pass(999)
        expect(log).toEqual(["+a"])
        yield* pass(1)
        expect(log).toEqual(["+a", "-a"])
      })
    )

    test(
      "a use starts the idle time anew",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup, { idle: 1_000 })
        yield* Effect.scoped(cache.get("a"))
        yield* pass(500)
        yield* Effect.scoped(cache.get("a"))
        yield* pass(999)
        expect(log).toEqual(["+a"])
        yield* pass(1)
        expect(log).toEqual(["+a", "-a"])
      })
    )

    test(
      "a touch starts the idle time anew, too, and looks nothing up",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup, { idle: 1_000 })
        yield* cache.touch("b")
        yield* Effect.scoped(cache.get("a"))
        yield* pass(500)
        yield* cache.touch("a")
        yield* pass(999)
        expect(log).toEqual(["+a"])
        yield* pass(1)
        expect(log).toEqual(["+a", "-a"])
      })
    )

    test(
      "an invalidation releases what is idle at once",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const cache = yield* make(lookup, { idle: 1_000 })
        yield* Effect.scoped(cache.get("a"))
        yield* cache.invalidate("a")
        yield* turns
        expect(log).toEqual(["+a", "-a"])
        yield* pass(10_000)
        expect(log).toEqual(["+a", "-a"])
      })
    )

    test(
      "where all that may be is in use, one more fails, and room is there again when it was idle for long enough",
      Effect.gen(function*() {
        const cache = yield* make(Effect.succeed<string>, { idle: 1_000, capacity: 2 })
        const holding = yield* openScope
        for (const key of ["a", "b"]) yield* Scope.extend(cache.get(key), holding.scope)
        yield* Scope.extend(cache.get("a"), holding.scope)
        expect((yield* Effect.flip(Effect.scoped(cache.get("c"))))._tag).toMatch(/ExceededCapacity|CacheFull/)
        yield* holding.close
        yield* pass(1_000)
        expect(yield* Effect.scoped(cache.get("c"))).toBe("c")
      })
    )

    test(
      "keys that say that they are equal are one key",
      Effect.gen(function*() {
        class Key extends Data.Class<{ readonly id: number }> {}
        const cache = yield* make((key: Key) => Effect.succeed(key.id), { idle: 1_000, capacity: 1 })
        const get = Effect.suspend(() => cache.get(new Key({ id: 1 })))
        expect([yield* get, yield* get]).toEqual([1, 1])
      })
    )

    test(
      "the keys of what is there can be asked for",
      Effect.gen(function*() {
        const cache = yield* make(Effect.succeed<string>, { idle: 1_000 })
        for (const key of ["a", "b", "c"]) yield* cache.get(key)
        expect([...yield* cache.keys].sort()).toEqual(["a", "b", "c"])
      })
    )

    test(
      "the end releases what is idle, and gives nobody a value any more",
      Effect.gen(function*() {
        const { log, lookup } = resources()
        const { close, scope } = yield* openScope
        const cache = yield* Scope.extend(make(lookup, { idle: 1_000 }), scope)
        yield* Effect.scoped(cache.get("a"))
        yield* close
        expect(log).toEqual(["+a", "-a"])
        expect(Exit.isFailure(yield* Effect.exit(Effect.scoped(cache.get("a"))))).toBe(true)
        expect(log).toHaveLength(2)
      })
    )
  })
}
