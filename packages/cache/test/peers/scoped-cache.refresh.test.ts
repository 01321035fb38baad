/**
 * What else the tests of Effect's `ScopedCache` promise to its users, of refreshes, of its end and of looking: asked of it
 * and of ours. The rest is in `scoped-cache.test.ts`.
 */
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Fiber, Option, Scope, ScopedCache } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourceCache } from "../../src/index.js"
import { inScope, openScope, turns } from "../kit.js"

interface Subject {
  readonly get: (key: string) => Effect.Effect<number, unknown, Scope.Scope>
  /** What is there, or is being looked up. */
  readonly find: (key: string) => Effect.Effect<Option.Option<number>, unknown, Scope.Scope>
  readonly refresh: (key: string) => Effect.Effect<void, unknown>
}

type Part = (
  lookup: (key: string) => Effect.Effect<number, never, Scope.Scope>,
  settings?: { readonly capacity?: number; readonly timeToLive?: number }
) => Effect.Effect<Subject, unknown, any>

const { differs, same } = beside<Part>({
  effects: (lookup, { capacity = 100, timeToLive = Infinity } = {}) =>
    Effect.map(ScopedCache.make({ lookup, capacity, timeToLive }), (cache) => ({
      get: (key) => cache.get(key),
      find: (key) => cache.getOption(key),
      refresh: (key) => cache.refresh(key)
    })),
  ours: (lookup, { capacity = 100, timeToLive = Infinity } = {}) =>
    Effect.map(
      ResourceCache.make(lookup, { maxEntries: capacity, timeToLive, whenFull: "exceed" }),
      (cache) => ({ get: cache.get, find: cache.getIfPresent, refresh: cache.refresh })
    )
}, (effect) => inScope(effect as Effect.Effect<unknown, unknown, Scope.Scope>))

/** Values 1, 2, 3 .., the lookups of which wait for what is in `gates`. */
const resources = () => {
  const gates: Array<Effect.Effect<void>> = []
  const open: Array<number> = []
  let opened = 0
  const lookup = () =>
    Effect.acquireRelease(
      Effect.andThen(
        Effect.suspend(() => gates.shift() ?? Effect.void),
        Effect.sync(() => {
          open.push(++opened)
          return opened
        })
      ),
      (value) => Effect.sync(() => open.splice(open.indexOf(value), 1))
    )
  return { gates, lookup, open: () => [...open] }
}

const use = (cache: Subject, key: string) => Effect.zipLeft(Effect.scoped(cache.get(key)), turns)

same(
  "during a refresh the old value stays open and is given to callers, until the new value is there",
  (make) =>
    Effect.gen(function*() {
      const { gates, lookup, open } = resources()
      const cache = yield* make(lookup, { timeToLive: 10_000 })
      yield* use(cache, "a")
      yield* TestClock.adjust(9_000)
      const gate = yield* Deferred.make<void>()
      gates.push(Deferred.await(gate))
      const refreshing = yield* Effect.fork(cache.refresh("a"))
      yield* turns
      const during = [yield* use(cache, "a"), open()]
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(refreshing)
      yield* turns
      return [during, yield* use(cache, "a"), open()]
    }),
  [[1, [1]], 2, [2]]
)

same(
  "a refresh releases an expired, unused value before the new value is there",
  (make) =>
    Effect.gen(function*() {
      const { gates, lookup, open } = resources()
      const cache = yield* make(lookup, { timeToLive: 10_000 })
      yield* use(cache, "a")
      yield* TestClock.adjust(11_000)
      const gate = yield* Deferred.make<void>()
      gates.push(Deferred.await(gate))
      const refreshing = yield* Effect.fork(cache.refresh("a"))
      yield* turns
      const during = open()
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(refreshing)
      return [during, open()]
    }),
  [[], [2]]
)

for (const expired of [false, true]) {
  same(
    `a refresh leaves a value that is in use to its users${expired ? ", though it has expired" : ""}`,
    (make) =>
      Effect.gen(function*() {
        const { lookup, open } = resources()
        const cache = yield* make(lookup, { timeToLive: 10_000 })
        const user = yield* openScope
        yield* Scope.extend(cache.get("a"), user.scope)
        yield* TestClock.adjust(expired ? 11_000 : 9_000)
        yield* cache.refresh("a")
        yield* turns
        const during = open()
        yield* user.close
        yield* turns
        return [during, open()]
      }),
    [[1, 2], [2]]
  )
}

same(
  "refreshing more keys than the capacity leaves the last keys",
  (make) =>
    Effect.gen(function*() {
      const left: Array<ReadonlyArray<number>> = []
      for (const capacity of [1, 3, 5]) {
        const { lookup, open } = resources()
        const cache = yield* make(lookup, { capacity })
        for (let key = 1; key <= capacity + 3; key++) yield* Effect.andThen(cache.refresh(String(key)), turns)
        left.push(open())
      }
      return left
    }),
  [[4], [4, 5, 6], [4, 5, 6, 7, 8]]
)

same(
  "asking for a value if present looks nothing up",
  (make) =>
    Effect.gen(function*() {
      const { lookup, open } = resources()
      const cache = yield* make(lookup)
      return [Option.isNone(yield* Effect.scoped(cache.find("a"))), open()]
    }),
  [true, []]
)

differs(
  "`getIfPresent` does not wait for a lookup under way: there `getOption` waits, and `getOptionComplete` does not",
  (make) =>
    Effect.gen(function*() {
      const { gates, lookup } = resources()
      const gate = yield* Deferred.make<void>()
      gates.push(Deferred.await(gate))
      const cache = yield* make(lookup)
      const asking = yield* Effect.fork(use(cache, "a"))
      yield* turns
      const finding = yield* Effect.fork(Effect.scoped(cache.find("a")))
      yield* turns
      const waits = Option.isNone(yield* Fiber.poll(finding))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(asking)
      return [waits, Option.getOrElse(yield* Fiber.join(finding), () => "nothing")]
    }),
  { effects: [true, 1], ours: [false, "nothing"] }
)

differs(
  "closing a cache waits for users of its values, by a deadline: there it returns at once, and the last user releases the value",
  (make) =>
    Effect.gen(function*() {
      const { lookup, open } = resources()
      const { close, scope } = yield* openScope
      const cache = yield* Scope.extend(make(lookup), scope)
      const users = [yield* openScope, yield* openScope]
      for (const user of users) yield* Fiber.join(yield* Effect.fork(Scope.extend(cache.get("a"), user.scope)))
      const closing = yield* Effect.fork(close)
      yield* turns
      const seen: Array<unknown> = [Option.isSome(yield* Fiber.poll(closing)), open()]
      for (const user of users) {
        yield* Effect.andThen(user.close, turns)
        seen.push(open())
      }
      yield* Fiber.join(closing)
      return seen
    }),
  { effects: [true, [1], [1], []], ours: [false, [1], [1], []] }
)
