import { describe, expect, it } from "@effect/vitest"
import { TestResource } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import { type CleanupPriority, ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry

const oneSlot = Effect.provide(
  Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1, slowAfter: "1 minutes", cleanupTimeout: "1 hours" }))
)

/** Holds the only slot until it is let go. */
const blocker = Effect.gen(function*() {
  const r = yield* registry
  const gate = yield* Deferred.make<void>()
  yield* r.schedule({ typeName: "blocker", cleanup: Deferred.await(gate) })
  return Deferred.succeed(gate, undefined)
})

const guardIn = (scope: Scope.Scope, close: "wait" | "background" = "wait") =>
  Effect.gen(function*() {
    const resource = yield* TestResource.make("resource")
    const guard = yield* Scope.extend(ResourceGuard.make(resource.acquire, resource.release, { close }), scope)
    return { resource, guard }
  })

describe("a handle of schedule takes back only what it has asked for", () => {
  type Guard = ResourceGuard.ResourceGuard<any, any>
  /** Who asks for the cleanup after the handle, and does not take that back. */
  const others: Readonly<
    Record<
      string,
      (r: ResourceRegistry.Shape, scope: Scope.CloseableScope, guard: Guard) => Effect.Effect<unknown, any>
    >
  > = {
    "a scope that closed in the background": (_, scope) => Scope.close(scope, Exit.void),
    "another schedule by id": (r, _, guard) => r.schedule(guard.id),
    "another schedule of the guard": (r, _, guard) => r.schedule(guard),
    "another schedule with a priority": (r, _, guard) => r.schedule({ resource: guard, priority: "Critical" }),
    "a shutdown": (r) => r.shutdown,
    "a forced cleanup": (r) => r.forceCleanupAll,
    "a cleanup of what matches": (r) => r.cleanupWhere(({ typeName }) => typeName !== "blocker"),
    "a cleanup": (_, __, guard) => guard.cleanup,
    "a cleanup by id": (r, _, guard) => r.cleanup(guard.id)
  }
  for (const [name, ask] of Object.entries(others)) {
    it.effect(`a handle of schedule takes back only what it has asked for, and not what ${name} has`, () =>
      Effect.gen(function*() {
        const r = yield* registry
        const letGo = yield* blocker
        const scope = yield* Scope.make()
        const { guard, resource } = yield* guardIn(scope, "background")
        const handle = yield* r.schedule({ resource: guard })
        const asking = yield* Effect.fork(ask(r, scope, guard))
        yield* Effect.yieldNow()
        expect(yield* handle.cancel).toBe(false)
        expect(yield* handle.cancel).toBe(false)
        yield* letGo
        yield* Fiber.await(asking)
        yield* r.awaitIdle
        expect([yield* guard.state, resource.released()]).toEqual(["cleaned", 1])
      }).pipe(oneSlot))
  }

  it.effect("a shutdown with a handle of schedule ends as soon as what it waits for has", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const letGo = yield* blocker
      const { guard } = yield* guardIn(yield* Scope.make())
      const handle = yield* r.schedule(guard)
      const own = yield* r.schedule({ typeName: "own", cleanup: Effect.void })
      const closing = yield* Effect.fork(r.shutdown)
      yield* Effect.yieldNow()
      expect([yield* handle.cancel, yield* own.cancel]).toEqual([false, false])
      yield* letGo
      const report = yield* Fiber.join(closing)
      expect(report.records.map(({ outcome }) => outcome)).toEqual(["cleaned", "cleaned", "cleaned"])
      expect(report.totals.forced).toBe(0)
    }).pipe(oneSlot))

  it.effect("a handle of schedule takes back only what it has asked for, also where that was asked for anew", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const letGo = yield* blocker
      const { guard, resource } = yield* guardIn(yield* Scope.make())
      const older = yield* r.schedule(guard)
      expect(yield* older.cancel).toBe(true)
      expect(yield* guard.state).toBe("inUse")
      yield* r.schedule(guard)
      expect(yield* older.cancel).toBe(false)
      yield* letGo
      yield* r.awaitIdle
      expect(resource.released()).toBe(1)
    }).pipe(oneSlot))

  it.effect("a handle of schedule does not take back the retry of what has failed since", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let attempts = 0
      const id = yield* r.register(() => attempts++ === 0 ? Effect.fail("down") : Effect.void)
      const first = yield* blocker
      const handle = yield* r.schedule(id)
      yield* first
      yield* Effect.exit(handle.await)
      const letGo = yield* blocker
      const retrying = yield* Effect.fork(r.deadLetters.retry(id))
      yield* Effect.yieldNow()
      expect(yield* handle.cancel).toBe(false)
      yield* letGo
      yield* Fiber.join(retrying)
      expect(attempts).toBe(2)
    }).pipe(oneSlot))

  it.effect("the last of several handles of schedule takes back what they asked for, for good", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const letGo = yield* blocker
      const { guard, resource } = yield* guardIn(yield* Scope.make())
      const [first, second, third] = yield* Effect.all([r.schedule(guard), r.schedule(guard), r.schedule(guard)])
      expect([yield* second.cancel, yield* second.cancel, yield* first.cancel]).toEqual([false, false, false])
      expect(yield* guard.state).toBe("waiting")
      expect(yield* third.cancel).toBe(true)
      yield* letGo
      yield* r.awaitIdle
      expect([yield* guard.state, resource.released()]).toEqual(["inUse", 0])
    }).pipe(oneSlot))

  it.effect("a cleanup of one's own does not run once it is taken back by its handle, and is gone", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const letGo = yield* blocker
      let ran = 0
      const own = yield* r.schedule({ cleanup: Effect.sync(() => ran++) })
      expect(yield* own.cancel).toBe(true)
      expect(yield* Effect.flip(own.await)).toMatchObject({ _tag: "AlreadyCleanedUp" })
      yield* letGo
      yield* r.awaitIdle
      expect([ran, (yield* r.accounts).disarmed]).toEqual([0, 1])
    }).pipe(oneSlot))
})

describe("what schedule is given", () => {
  it.effect("what schedule is given may be the guard itself, its id, or either as the resource: it is that guard, in its own priority", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const letGo = yield* blocker
      const order: Array<string> = []
      const make = (typeName: string, priority: CleanupPriority.CleanupPriority) =>
        ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push(typeName)), { typeName, priority })
      const low = yield* make("low", "Low")
      const normal = yield* make("normal", "Normal")
      const high = yield* make("high", "High")
      const critical = yield* make("critical", "Critical")
      const unscoped = yield* ResourceGuard.makeUnscoped(
        Effect.void,
        () => Effect.sync(() => order.push("unscoped")),
        { typeName: "unscoped", priority: "Critical" }
      )
      const handles = [
        yield* r.schedule(low),
        yield* r.schedule(normal.id),
        yield* r.schedule({ resource: high.id }),
        yield* r.schedule({ resource: critical }),
        yield* r.schedule(unscoped)
      ]
      expect(handles.map(({ id }) => id)).toEqual([low.id, normal.id, high.id, critical.id, unscoped.id])
      expect((yield* r.accounts).registered).toBe(6)
      yield* letGo
      yield* r.awaitIdle
      expect(order).toEqual(["critical", "unscoped", "high", "normal", "low"])
    }).pipe(Effect.scoped, oneSlot))

  it.effect("what schedule is given may be a refreshable: it is the guard of its current value", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const token = yield* ResourceGuard.refreshable(Effect.succeed("token"), () => Effect.void)
      const handle = yield* r.schedule(token)
      yield* handle.await
      expect([handle.id, yield* token.state]).toEqual([token.id, "cleaned"])
    }).pipe(Effect.scoped, oneSlot))

  it.effect("what schedule is given that has ended by then fails", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const guard = yield* ResourceGuard.make(Effect.void, () => Effect.void)
      yield* guard.cleanup
      for (const request of [guard, guard.id, { resource: guard }, { resource: guard.id }]) {
        expect(yield* Effect.flip(r.schedule(request))).toMatchObject({ _tag: "AlreadyCleanedUp", id: guard.id })
      }
    }).pipe(Effect.scoped, oneSlot))
})

describe("a dead letter that is being retried", () => {
  /** Fails once, and then waits for the gate. */
  const failed = Effect.gen(function*() {
    const r = yield* registry
    const gate = yield* Deferred.make<void, "refused">()
    let attempts = 0
    const id = yield* r.register(
      () => Effect.suspend(() => attempts++ === 0 ? Effect.fail("down") : Deferred.await(gate)),
      { typeName: "letter", timeout: "1 hours", attemptTimeout: "50 minutes" }
    )
    yield* Effect.exit(r.cleanup(id))
    return { r, gate, id }
  })

  for (const name of ["shutdown", "forceCleanupAll"] as const) {
    it.effect(`a dead letter that is being retried is waited for by ${name}, and is in its report`, () =>
      Effect.gen(function*() {
        const { gate, id, r } = yield* failed
        const retrying = yield* Effect.fork(r.deadLetters.retry(id))
        yield* Effect.yieldNow()
        const closing = yield* Effect.fork(r[name])
        yield* TestClock.adjust("1 seconds")
        expect(yield* Fiber.poll(closing)).toMatchObject({ _tag: "None" })
        yield* Deferred.succeed(gate, undefined)
        const report = yield* Fiber.join(closing)
        expect(report.records).toMatchObject([{ id, typeName: "letter", outcome: "recovered", trigger: "retried" }])
        yield* Fiber.join(retrying)
      }).pipe(oneSlot))

    it.effect(`a dead letter that is being retried is over by the deadline of ${name}, and is named`, () =>
      Effect.gen(function*() {
        const { id, r } = yield* failed
        const retrying = yield* Effect.fork(Effect.flip(r.deadLetters.retry(id)))
        yield* Effect.yieldNow()
        const closing = yield* Effect.fork(r[name])
        yield* TestClock.adjust("25 seconds")
        const report = yield* Fiber.join(closing)
        expect(report.records).toMatchObject([{ id, outcome: "abandoned" }])
        expect(yield* Fiber.join(retrying)).toMatchObject({ _tag: "CleanupTimeout" })
      }).pipe(oneSlot))

    it.effect(`a dead letter that is being retried that still waits in the queue is started before the deadline of ${name}`, () =>
      Effect.gen(function*() {
        const { gate, id, r } = yield* failed
        yield* Deferred.succeed(gate, undefined)
        const busy = yield* Deferred.make<void>()
        yield* r.schedule({ typeName: "busy", attemptTimeout: "50 minutes", cleanup: Deferred.await(busy) })
        const retrying = yield* Effect.fork(r.deadLetters.retry(id))
        yield* Effect.yieldNow()
        const closing = yield* Effect.fork(r[name])
        yield* TestClock.adjust("20 seconds")
        yield* Fiber.join(retrying)
        yield* Deferred.succeed(busy, undefined)
        const report = yield* Fiber.join(closing)
        expect(report.records.find((record) => record.id === id)).toMatchObject({ outcome: "recovered", forced: true })
        expect(report.totals.total).toBe(2)
      }).pipe(oneSlot))
  }

  it.effect("a dead letter that is being retried is waited for by awaitIdle, also while it waits in the queue", () =>
    Effect.gen(function*() {
      const { gate, id, r } = yield* failed
      const letGo = yield* blocker
      yield* Effect.fork(r.deadLetters.retry(id))
      const idle = yield* Effect.fork(r.awaitIdle)
      yield* TestClock.adjust("1 seconds")
      yield* letGo
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.poll(idle)).toMatchObject({ _tag: "None" })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(idle)
    }).pipe(oneSlot))

  it.effect("keeps its own limit, and not what was left of an earlier deadline", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let attempts = 0
      const id = yield* r.register(
        () => Effect.suspend(() => attempts++ === 0 ? Effect.fail("down") : Effect.sleep("10 seconds"))
      )
      const forced = yield* Effect.fork(r.forceCleanupAll)
      yield* TestClock.adjust("1 minutes")
      expect((yield* Fiber.join(forced)).totals.failed).toBe(1)
      const retrying = yield* Effect.fork(r.deadLetters.retry(id))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(retrying)
    }).pipe(oneSlot))
})

describe("who was interrupted while waiting for a cleanup", () => {
  it.effect("leaves nothing behind with it", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      const guard = yield* ResourceGuard.make(Effect.void, () => Deferred.await(gate), { timeout: "1 hours" })
      const handle = yield* r.schedule(guard)
      yield* Effect.yieldNow()
      const waits = [guard.cleanup, handle.await, r.cleanup(guard.id)]
      const entry = (r.internal as { readonly entries: Map<string, { readonly watchers?: Set<unknown> }> }).entries.get(
        guard.id
      )!
      const before = entry.watchers?.size ?? 0
      for (let i = 0; i < 300; i++) {
        const waiting = yield* Effect.fork(Effect.exit(waits[i % 3]!))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(waiting)
      }
      expect(entry.watchers?.size ?? 0).toBe(before)
      yield* Deferred.succeed(gate, undefined)
      yield* r.awaitIdle
    }).pipe(Effect.scoped, oneSlot))
})
