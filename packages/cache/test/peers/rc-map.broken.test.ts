/** Promises that ours keeps and Effect's `RcMap` does not: each asked of both, so that the difference is seen. */
import { expect } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Effect, Exit, Fiber, RcMap, Scope } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourceCache } from "../../src/index.js"
import { inScope, openScope, turns } from "../kit.js"

interface Subject {
  readonly get: (key: string) => Effect.Effect<number, unknown, Scope.Scope>
  readonly invalidate: (key: string) => Effect.Effect<unknown>
}

type Make = (
  lookup: (key: string) => Effect.Effect<number, string, Scope.Scope>,
  capacity?: number
) => Effect.Effect<Subject, unknown, any>

const effects: Make = (lookup, capacity = 100) =>
  Effect.map(RcMap.make({ lookup, capacity, idleTimeToLive: 1_000 }), (map) => ({
    get: (key) => RcMap.get(map, key),
    invalidate: (key) => RcMap.invalidate(map, key)
  }))

const ours: Make = (lookup, capacity = 100) =>
  ResourceCache.make(lookup, { maxEntries: capacity, timeToIdle: 1_000, whenFull: "fail" })

const resources = () => {
  const log: Array<string> = []
  let opened = 0
  const open = (key: string) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        log.push(`+${key}`)
        return ++opened
      }),
      () => Effect.sync(() => log.push(`-${key}`))
    )
  return { log, open }
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

compare(
  "what is idle makes room: there it fails at its capacity, though nobody uses anything",
  (make, { open }) =>
    Effect.gen(function*() {
      const cache = yield* make(open, 1)
      yield* Effect.scoped(cache.get("a"))
      return Exit.isSuccess(yield* Effect.exit(Effect.scoped(cache.get("b"))))
    }),
  { effects: false, ours: true }
)

compare(
  "a failure is for those who wait for it: there all who come until it was idle for long enough get it",
  (make, { log, open }) =>
    Effect.gen(function*() {
      const cache = yield* make((key) => Effect.andThen(open(key), Effect.fail("refused")))
      yield* Effect.repeatN(Effect.flip(Effect.scoped(cache.get("a"))), 1)
      yield* turns
      return log.join(" ")
    }),
  { effects: "+a", ours: "+a -a +a -a" }
)

compare(
  "after an invalidation all share the new value: there the end of the old one's use drops it",
  (make, { open }) =>
    Effect.gen(function*() {
      const cache = yield* make(open)
      const old = yield* openScope
      yield* Scope.extend(cache.get("a"), old.scope)
      yield* cache.invalidate("a")
      const holding = yield* openScope
      const replacement = yield* Scope.extend(cache.get("a"), holding.scope)
      yield* old.close
      yield* TestClock.adjust("1 minutes")
      yield* turns
      const seen = yield* Effect.scoped(cache.get("a"))
      yield* holding.close
      yield* TestClock.adjust("1 minutes")
      return seen === replacement
    }),
  { effects: false, ours: true }
)

compare(
  "a finalizer that dies at the end keeps no other from running: there the rest is skipped",
  (make, { log, open }) =>
    Effect.gen(function*() {
      const { close, scope } = yield* openScope
      const dying = Effect.acquireRelease(Effect.succeed(0), () => Effect.die("the socket is gone"))
      const cache = yield* Scope.extend(make((key) => key === "a" ? dying : open(key)), scope)
      for (const key of ["a", "b"]) yield* Effect.scoped(cache.get(key))
      yield* Effect.exit(close)
      yield* turns
      return log.join(" ")
    }),
  { effects: "+b", ours: "+b -b" }
)

compare(
  "the end waits for who uses a value: there it is released under its user's hands",
  (make, { log, open }) =>
    Effect.gen(function*() {
      const { close, scope } = yield* openScope
      const cache = yield* Scope.extend(make(open), scope)
      const holding = yield* openScope
      // In a fiber that the closing one is no part of: nobody waits for uses of their own.
      yield* Fiber.join(yield* Effect.fork(Scope.extend(cache.get("a"), holding.scope)))
      const closing = yield* Effect.fork(close)
      yield* turns
      const meanwhile = log.join(" ")
      yield* holding.close
      yield* Fiber.join(closing)
      expect(log).toEqual(["+a", "-a"])
      return meanwhile
    }),
  { effects: "+a -a", ours: "+a" }
)

compare(
  "who comes after the end fails with a type: there it is interrupted",
  (make, { open }) =>
    Effect.gen(function*() {
      const { close, scope } = yield* openScope
      const cache = yield* Scope.extend(make(open), scope)
      yield* close
      const exit = yield* Fiber.await(yield* Effect.fork(Effect.scoped(cache.get("a"))))
      return Exit.isInterrupted(exit) ? "interrupted" : Exit.isFailure(exit) && (exit.cause as any).error?._tag
    }),
  { effects: "interrupted", ours: "CacheClosed" }
)

compare(
  "who asks has a deadline: there it waits for an hour",
  (make) =>
    Effect.gen(function*() {
      const cache = yield* make(() => Effect.never)
      const asking = yield* Effect.fork(Effect.exit(Effect.scoped(cache.get("a"))))
      yield* turns
      yield* TestClock.adjust("1 hours")
      yield* turns
      const seen = (yield* Fiber.poll(asking))._tag
      yield* Fiber.interrupt(asking)
      return seen
    }),
  { effects: "None", ours: "Some" }
)
