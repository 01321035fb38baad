/** How a pool ends with the scope that it lives in: one of Effect's own, a ResourceScope, and one of a process that shuts down. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceScope } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { type Duration, Effect, Exit, Fiber, Scope } from "effect"
import { whileShuttingDown } from "../../../scripts/testing/shutdownHost.js"
import { busy, make, registry } from "./busyPool.js"
import { inScope, openScope, quietly, Server, turns } from "./kit.js"

describe("the scope of a pool", () => {
  it.effect("drains it when it closes", () =>
    Effect.gen(function*() {
      const server = new Server()
      const { close, scope } = yield* openScope
      const pool = yield* Scope.extend(make(server, { minSize: 3 }), scope)
      yield* pool.awaitReady
      yield* close
      expect(server.alive).toBe(0)
      expect((yield* pool.snapshot).state).toBe("closed")
      expect((yield* Effect.flatMap(registry, (r) => r.accounts)).live).toBe(0)
    }).pipe(Effect.provide(quietly)))

  it.effect("takes a drain that was begun by hand for its own", () =>
    Effect.gen(function*() {
      const server = new Server()
      const { close, scope } = yield* openScope
      const pool = yield* Scope.extend(make(server, { minSize: 1 }), scope)
      yield* pool.awaitReady
      const report = yield* pool.drain()
      yield* close
      expect(yield* pool.drain()).toBe(report)
    }).pipe(Effect.provide(quietly)))
})

describe("a pool in a ResourceScope", () => {
  /** What the scope tells of its close, which begins while an item is in use for so long. */
  const closedAfter = (timeout: Duration.DurationInput, use: Duration.DurationInput) =>
    Effect.gen(function*() {
      const server = new Server()
      const scope = yield* ResourceScope.make({ timeout })
      const pool = yield* Scope.extend(make(server, { drainTimeout: "20 seconds" }), scope)
      const user = yield* Effect.fork(Effect.exit(pool.use(() => Effect.sleep(use))))
      yield* turns
      const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
      yield* turns
      yield* TestClock.adjust(timeout)
      yield* turns
      const { deadlineReached, durationMillis, records } = yield* Fiber.join(closing)
      const { reclaimed } = yield* pool.drain()
      yield* TestClock.adjust(use)
      yield* Fiber.join(user)
      const outcomes = records.map(({ outcome }) => outcome)
      return { deadlineReached, durationMillis, outcomes, reclaimed, alive: server.alive }
    })

  it.effect("a pool in a ResourceScope has the time of a drain, which is longer than that of a finalizer", () =>
    inScope(Effect.gen(function*() {
      expect(yield* closedAfter("25 seconds", "15 seconds")).toEqual({
        deadlineReached: false,
        durationMillis: 15_000,
        outcomes: ["cleaned"],
        reclaimed: 0,
        alive: 0
      })
    })))

  it.effect("takes its items back before the deadline of the scope, where that is earlier (P3)", () =>
    inScope(Effect.gen(function*() {
      expect(yield* closedAfter("10 seconds", "1 hours")).toEqual({
        deadlineReached: false,
        // A fifth of what is left goes to destroying, and the scope keeps a little for itself.
        durationMillis: 7_600,
        outcomes: ["cleaned"],
        reclaimed: 1,
        alive: 0
      })
    })))
})

describe("a pool of a process that shuts down", () => {
  it.effect("takes its items back before the process ends, in a scope of Effect's own, too (P3)", () => {
    return inScope(Effect.gen(function*() {
      const { close, scope } = yield* openScope
      const { holder, pool, server } = yield* Scope.extend(busy({ drainTimeout: "20 seconds" }), scope)
      const draining = yield* Effect.fork(Effect.andThen(close, pool.drain()))
      yield* turns
      yield* TestClock.adjust("4 seconds")
      yield* turns
      const { durationMillis, reclaimed } = yield* Fiber.join(draining)
      expect([durationMillis, reclaimed, server.alive]).toEqual([4_000, 1, 0])
      yield* Fiber.interrupt(holder)
    })).pipe(whileShuttingDown(5_000))
  })
})
