/** What the tests of Effect's `RcRef` promise to its users, asked of it and of a ResourceCache with one key. */
import { TestClock } from "@patinox/vitest"
import { Effect, Exit, RcRef, Scope } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourceCache } from "../../src/index.js"
import { inScope, openScope, turns } from "../kit.js"

/** Gives the value for as long as a scope is open; idle for so many milliseconds it is released. */
type Part = (
  acquire: Effect.Effect<number, string, Scope.Scope>,
  idle: number
) => Effect.Effect<Effect.Effect<number, unknown, Scope.Scope>, unknown, any>

const { differs, same } = beside<Part>({
  effects: (acquire, idleTimeToLive) => Effect.map(RcRef.make({ acquire, idleTimeToLive }), RcRef.get),
  ours: (acquire, timeToIdle) =>
    Effect.map(ResourceCache.make((_: "value") => acquire, { timeToIdle }), (cache) => cache.get("value"))
}, (effect) => inScope(effect as Effect.Effect<unknown, unknown, Scope.Scope>))

const counter = () => {
  const counts = { acquired: 0, released: 0 }
  const acquire = Effect.acquireRelease(
    Effect.sync(() => ++counts.acquired),
    () => Effect.sync(() => counts.released++)
  )
  return { acquire, counts, now: () => [counts.acquired, counts.released] }
}

const pass = (millis: number) => Effect.andThen(TestClock.adjust(millis), turns)

same(
  "nothing is acquired before the first use",
  (make) =>
    Effect.gen(function*() {
      const { acquire, now } = counter()
      yield* make(acquire, 1_000)
      yield* turns
      return now()
    }),
  [0, 0]
)

same(
  "an idle value is released after its idle time, and acquired anew for the next use",
  (make) =>
    Effect.gen(function*() {
      const { acquire, now } = counter()
      const get = yield* make(acquire, 1_000)
      const seen: Array<unknown> = [yield* Effect.scoped(get), now()]
      yield* pass(1_000)
      seen.push(now(), yield* Effect.scoped(get), now())
      return seen
    }),
  [1, [1, 0], [1, 1], 2, [2, 1]]
)

same(
  "a use starts the idle time anew",
  (make) =>
    Effect.gen(function*() {
      const { acquire, now } = counter()
      const get = yield* make(acquire, 1_000)
      yield* Effect.scoped(get)
      yield* pass(500)
      yield* Effect.scoped(get)
      yield* pass(999)
      const before = now()
      yield* pass(1)
      return [before, now()]
    }),
  [[1, 0], [1, 1]]
)

same(
  "concurrent users share a value, which stays open until the last of them has ended",
  (make) =>
    Effect.gen(function*() {
      const { acquire, now } = counter()
      const get = yield* make(acquire, 100)
      const [first, second] = [yield* openScope, yield* openScope]
      const values = [yield* Scope.extend(get, first.scope), yield* Scope.extend(get, second.scope)]
      yield* second.close
      yield* pass(1_000)
      const before = now()
      yield* first.close
      yield* pass(1_000)
      return [values, before, now()]
    }),
  [[1, 1], [1, 0], [1, 1]]
)

same(
  "closing releases the value, and a later use fails",
  (make) =>
    Effect.gen(function*() {
      const { acquire, now } = counter()
      const { close, scope } = yield* openScope
      const get = yield* Scope.extend(make(acquire, 1_000), scope)
      yield* Effect.scoped(get)
      yield* close
      const exit = yield* Effect.exit(Effect.scoped(get))
      return [Exit.isFailure(exit), now()]
    }),
  [true, [1, 1]]
)

same(
  "users may end in any order: the value stays until the last one",
  (make) =>
    Effect.gen(function*() {
      const { acquire, now } = counter()
      const get = yield* make(acquire, 100)
      const scopes = yield* Effect.replicateEffect(openScope, 5)
      yield* Effect.forEach(scopes, ({ scope }) => Scope.extend(get, scope), { concurrency: "unbounded" })
      for (const place of [3, 0, 4, 1]) yield* scopes[place]!.close
      yield* pass(1_000)
      const before = now()
      yield* scopes[2]!.close
      yield* pass(1_000)
      return [before, now()]
    }),
  [[1, 0], [1, 1]]
)

differs(
  "a failed acquire releases what it had opened: there that stays open",
  (make) =>
    Effect.gen(function*() {
      const { acquire, now } = counter()
      const get = yield* make(Effect.andThen(acquire, Effect.fail("refused")), 1_000)
      yield* Effect.exit(Effect.scoped(get))
      yield* pass(10_000)
      return now()
    }),
  { effects: [1, 0], ours: [1, 1] }
)
