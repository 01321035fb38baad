/** Promises that ours keeps and Effect's `ScopedCache` does not: each asked of both, so that the difference is seen. */
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope, ScopedCache } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourceCache } from "../../src/index.js"
import { inScope, openScope, turns } from "../kit.js"

interface Subject {
  readonly get: (key: string) => Effect.Effect<number, unknown, Scope.Scope>
  readonly refresh: (key: string) => Effect.Effect<void, unknown>
  readonly invalidate: (key: string) => Effect.Effect<unknown>
  readonly invalidateAll: Effect.Effect<unknown>
  readonly hits: Effect.Effect<number>
}

interface Settings {
  readonly capacity?: number
  readonly timeToLive?: number
}

type Make = (
  lookup: (key: string) => Effect.Effect<number, string, Scope.Scope>,
  settings?: Settings
) => Effect.Effect<Subject, unknown, any>

const effects: Make = (lookup, { capacity = 100, timeToLive = Infinity } = {}) =>
  Effect.map(ScopedCache.make({ lookup, capacity, timeToLive }), (cache) => ({
    get: (key) => cache.get(key),
    refresh: (key) => cache.refresh(key),
    invalidate: (key) => cache.invalidate(key),
    invalidateAll: cache.invalidateAll,
    hits: Effect.map(cache.cacheStats, ({ hits }) => hits)
  }))

const ours: Make = (lookup, { capacity = 100, timeToLive = Infinity } = {}) =>
  Effect.map(ResourceCache.make(lookup, { maxEntries: capacity, timeToLive }), (cache) => ({
    ...cache,
    hits: Effect.map(cache.stats, ({ hits }) => hits)
  }))

/** What is open, and how much of it there has been at once. */
const resources = () => {
  const counts = { opened: 0, alive: 0, mostAlive: 0 }
  const open = Effect.acquireRelease(
    Effect.sync(() => {
      counts.mostAlive = Math.max(counts.mostAlive, ++counts.alive)
      return ++counts.opened
    }),
    () => Effect.sync(() => counts.alive--)
  )
  return { counts, open }
}

const { differs } = beside<Make>(
  { effects, ours },
  (effect) => inScope(effect as Effect.Effect<unknown, unknown, Scope.Scope>)
)

const compare = (
  title: string,
  ask: (make: Make, resource: ReturnType<typeof resources>) => Effect.Effect<unknown, unknown, any>,
  expected: { readonly effects: unknown; readonly ours: unknown }
) => differs(title, (make) => ask(make, resources()), expected)

const outcome = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.map(
    Effect.andThen(turns, Fiber.poll(fiber)),
    (exit) =>
      Option.isNone(exit)
        ? "waits"
        : Exit.isSuccess(exit.value)
        ? "value"
        : Exit.isInterrupted(exit.value)
        ? "interrupted"
        : "failure"
  )

compare(
  "a lookup that is interrupted releases what it had: there that stays open",
  (make, { counts, open }) =>
    Effect.gen(function*() {
      const cache = yield* make(() => Effect.zipLeft(open, Effect.never))
      const asking = yield* Effect.fork(Effect.scoped(cache.get("a")))
      yield* turns
      yield* Fiber.interrupt(asking)
      yield* turns
      return [counts.opened, counts.alive]
    }),
  { effects: [1, 1], ours: [1, 0] }
)

compare(
  "who asked first and gives up leaves the lookup to the others: there they are interrupted, too",
  (make) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const cache = yield* make(() => Effect.as(Deferred.await(gate), 1))
      const first = yield* Effect.fork(Effect.scoped(cache.get("a")))
      yield* turns
      const second = yield* Effect.fork(Effect.scoped(cache.get("a")))
      yield* turns
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(gate, undefined)
      const seen = yield* outcome(second)
      yield* Fiber.interruptFork(second)
      return seen
    }),
  { effects: "interrupted", ours: "value" }
)

compare(
  "an expired value is released when its time has come: there when somebody asks for it",
  (make, { counts, open }) =>
    Effect.gen(function*() {
      const cache = yield* make(() => open, { timeToLive: 10_000 })
      yield* Effect.scoped(cache.get("a"))
      yield* TestClock.adjust("1 hours")
      yield* turns
      return counts.alive
    }),
  { effects: 1, ours: 0 }
)

compare(
  "who asks after an invalidation never gets what was being looked up before: there it comes back",
  (make) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let calls = 0
      const cache = yield* make(() => Effect.suspend(() => Effect.as(Deferred.await(gate), ++calls)))
      const early = yield* Effect.fork(Effect.scoped(cache.get("a")))
      yield* turns
      yield* cache.invalidate("a")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(early)
      return yield* Effect.scoped(cache.get("a"))
    }),
  { effects: 1, ours: 2 }
)

compare(
  "a refresh that fails keeps the old value: there that is gone, and the failure kept",
  (make, { counts, open }) =>
    Effect.gen(function*() {
      const cache = yield* make(() => Effect.suspend(() => counts.opened === 0 ? open : Effect.fail("refused")))
      yield* Effect.scoped(cache.get("a"))
      yield* Effect.flip(cache.refresh("a"))
      yield* turns
      const again = yield* Effect.exit(Effect.scoped(cache.get("a")))
      return [Exit.isSuccess(again), counts.alive]
    }),
  { effects: [false, 0], ours: [true, 1] }
)

compare(
  "no more are open than the capacity, those in use included: there all that are in use, and more",
  (make, { counts, open }) =>
    Effect.gen(function*() {
      const cache = yield* make(() => open, { capacity: 1 })
      const gate = yield* Deferred.make<void>()
      const use = (key: string) => Effect.scoped(Effect.zipRight(cache.get(key), Deferred.await(gate)))
      const users = yield* Effect.forEach(["a", "b", "c"], (key) => Effect.fork(use(key)))
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.joinAll(users)
      return counts.mostAlive
    }),
  { effects: 3, ours: 1 }
)

compare(
  "who asks has a deadline: there it waits for an hour",
  (make) =>
    Effect.gen(function*() {
      const cache = yield* make(() => Effect.never)
      const asking = yield* Effect.fork(Effect.scoped(cache.get("a")))
      yield* turns
      yield* TestClock.adjust("1 hours")
      const seen = yield* outcome(asking)
      yield* Fiber.interrupt(asking)
      return seen
    }),
  { effects: "waits", ours: "failure" }
)

compare(
  "who comes after the end opens nothing: there what it opens is never released",
  (make, { counts, open }) =>
    Effect.gen(function*() {
      const { close, scope } = yield* openScope
      const cache = yield* Scope.extend(make(() => open), scope)
      yield* close
      yield* Effect.exit(Effect.scoped(cache.get("a")))
      yield* turns
      return counts.alive
    }),
  { effects: 1, ours: 0 }
)

compare(
  "an invalidation of all is of what is there when it is run: there of what was there when it was asked for",
  (make, { counts, open }) =>
    Effect.gen(function*() {
      const { get, invalidateAll } = yield* make(() => open)
      yield* Effect.scoped(get("a"))
      yield* invalidateAll
      yield* turns
      return counts.alive
    }),
  { effects: 1, ours: 0 }
)

compare(
  "who finds an expired value has missed: there it counts as a hit",
  (make, { open }) =>
    Effect.gen(function*() {
      const cache = yield* make(() => open, { timeToLive: 10_000 })
      yield* Effect.scoped(cache.get("a"))
      yield* TestClock.adjust("11 seconds")
      yield* Effect.scoped(cache.get("a"))
      return yield* cache.hits
    }),
  { effects: 1, ours: 0 }
)

compare(
  "the one used longest ago goes first: there the one looked up longest ago, though it was just used",
  (make, { counts, open }) =>
    Effect.gen(function*() {
      const cache = yield* make(() => open, { capacity: 2 })
      for (const key of ["a", "b", "a", "c", "a"]) yield* Effect.scoped(cache.get(key))
      // Where it was evicted, it had to be looked up again.
      return counts.opened
    }),
  { effects: 4, ours: 3 }
)
