/** What the tests of Effect's `RcMap` promise of idle times that differ by key, asked of it and of a ResourceCache. */
import { TestClock } from "@patinox/vitest"
import { Effect, RcMap, Scope } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourceCache } from "../../src/index.js"
import { inScope, openScope, turns } from "../kit.js"
import { resources } from "./resources.js"

interface Subject {
  readonly get: (key: string) => Effect.Effect<string, unknown, Scope.Scope>
  readonly touch: (key: string) => Effect.Effect<unknown>
  readonly invalidate: (key: string) => Effect.Effect<unknown>
}

type Part = (
  lookup: (key: string) => Effect.Effect<string, never, Scope.Scope>,
  idle: (key: string) => number
) => Effect.Effect<Subject, unknown, any>

const { same } = beside<Part>({
  effects: (lookup, idleTimeToLive) =>
    Effect.map(RcMap.make({ lookup, idleTimeToLive }), (map) => ({
      get: (key) => RcMap.get(map, key),
      touch: (key) => RcMap.touch(map, key),
      invalidate: (key) => RcMap.invalidate(map, key)
    })),
  ours: (lookup, timeToIdle) =>
    Effect.map(ResourceCache.make(lookup, { timeToIdle, whenFull: "fail" }), (cache) => ({
      get: cache.get,
      touch: (key) => Effect.scoped(cache.getIfPresent(key)),
      invalidate: cache.invalidate
    }))
}, (effect) => inScope(effect as Effect.Effect<unknown, unknown, Scope.Scope>))

const idle = (key: string) => key.startsWith("short") ? 500 : 2_000
const pass = (millis: number) => Effect.andThen(TestClock.adjust(millis), turns)

same(
  "each key has its own idle time",
  (make) =>
    Effect.gen(function*() {
      const { lookup, log } = resources()
      const { get } = yield* make(lookup, idle)
      for (const key of ["long", "short"]) yield* Effect.scoped(get(key))
      yield* pass(499)
      const seen = [[...log]]
      yield* pass(1)
      seen.push([...log])
      yield* pass(1_499)
      seen.push([...log])
      yield* pass(1)
      return [...seen, [...log]]
    }),
  [
    ["+long", "+short"],
    ["+long", "+short", "-short"],
    ["+long", "+short", "-short"],
    ["+long", "+short", "-short", "-long"]
  ]
)

same(
  "a touch starts the key's own idle time anew",
  (make) =>
    Effect.gen(function*() {
      const { lookup, log } = resources()
      const { get, touch } = yield* make(lookup, idle)
      yield* Effect.scoped(get("short"))
      yield* pass(250)
      yield* touch("short")
      yield* pass(499)
      const before = [...log]
      yield* pass(1)
      return [before, [...log]]
    }),
  [["+short"], ["+short", "-short"]]
)

same(
  "the idle time of a key begins with the end of its last use",
  (make) =>
    Effect.gen(function*() {
      const { lookup, log } = resources()
      const { get } = yield* make(lookup, idle)
      const { close, scope } = yield* openScope
      yield* Scope.extend(get("short"), scope)
      yield* pass(10_000)
      const during = [...log]
      yield* close
      yield* pass(499)
      const before = [...log]
      yield* pass(1)
      return [during, before, [...log]]
    }),
  [["+short"], ["+short"], ["+short", "-short"]]
)

same(
  "an invalidated key is released at once, whatever its idle time",
  (make) =>
    Effect.gen(function*() {
      const { lookup, log } = resources()
      const { get, invalidate } = yield* make(lookup, idle)
      yield* Effect.scoped(get("long"))
      yield* invalidate("long")
      yield* turns
      return [...log]
    }),
  ["+long", "-long"]
)
