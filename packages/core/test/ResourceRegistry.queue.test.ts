/** Shows `Dispatcher`. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import * as fc from "fast-check"
import { CleanupPriority, ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const withConcurrency = (concurrency: number) =>
  Effect.provide(
    Layer.orDie(ResourceRegistry.layerWith({ concurrency, slowAfter: "1 minutes", cleanupTimeout: "1 hours" }))
  )

/** Holds every slot until it is let go. */
const blocker = Effect.gen(function*() {
  const r = yield* registry
  const gate = yield* Deferred.make<void>()
  yield* r.schedule({ typeName: "blocker", cleanup: Deferred.await(gate) })
  return Deferred.succeed(gate, undefined)
})

describe("what waits in the registry", () => {
  it.effect.prop(
    "starts by priority, then first come first served (P4)",
    [fc.array(fc.constantFrom(...CleanupPriority.values), { minLength: 1, maxLength: 40 })],
    ([priorities]) =>
      Effect.gen(function*() {
        const r = yield* registry
        const letGo = yield* blocker
        const started: Array<readonly [CleanupPriority.CleanupPriority, number]> = []
        for (const [i, priority] of priorities.entries()) {
          yield* r.schedule({
            typeName: `${priority} ${i}`,
            priority,
            cleanup: Effect.andThen(Effect.yieldNow(), Effect.sync(() => started.push([priority, i])))
          })
        }
        yield* letGo
        yield* r.awaitIdle
        const expected = priorities
          .map((priority, i) => [priority, i] as const)
          .sort(([a, i], [b, j]) => CleanupPriority.toNumber(b) - CleanupPriority.toNumber(a) || i - j)
        expect(started).toEqual(expected)
      }).pipe(withConcurrency(1))
  )

  it.effect("a more urgent one that arrives while others wait overtakes them, and not what runs", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      const letGo = yield* blocker
      const note = (name: string, then: Effect.Effect<unknown, any> = Effect.void) =>
        Effect.andThen(Effect.sync(() => order.push(name)), then)
      yield* r.schedule({
        typeName: "first",
        priority: "High",
        cleanup: note("first", r.schedule({ typeName: "urgent", priority: "Critical", cleanup: note("urgent") }))
      })
      yield* r.schedule({ typeName: "second", priority: "High", cleanup: note("second") })
      yield* r.schedule({ typeName: "third", cleanup: note("third") })
      yield* letGo
      yield* r.awaitIdle
      expect(order).toEqual(["first", "urgent", "second", "third"])
    }).pipe(withConcurrency(1)))

  it.effect("what waits in the registry is overtaken by a more urgent one even after both were taken from the queue", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      const letGo = yield* Effect.all([blocker, blocker])
      const note = (name: string, then: Effect.Effect<unknown, any> = Effect.void) =>
        Effect.andThen(Effect.sync(() => order.push(name)), then)
      yield* r.schedule({
        typeName: "first",
        cleanup: note("first", r.schedule({ typeName: "urgent", priority: "Critical", cleanup: note("urgent") }))
      })
      yield* r.schedule({ typeName: "second", cleanup: note("second") })
      yield* Effect.all(letGo)
      yield* r.awaitIdle
      expect(order).toEqual(["first", "urgent", "second"])
    }).pipe(withConcurrency(2)))

  it.effect("a priority given to the request wins over the resource's own", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      const letGo = yield* blocker
      yield* Effect.scoped(Effect.gen(function*() {
        const low = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push("low")), {
          priority: "Low"
        })
        const high = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push("high")), {
          priority: "High"
        })
        yield* r.schedule({ resource: high })
        yield* r.schedule({ resource: low.id, priority: "Critical" })
        expect((yield* r.snapshot).waiting).toEqual({ Low: 0, Normal: 0, High: 1, Critical: 1 })
        yield* letGo
        yield* r.awaitIdle
      }))
      expect(order).toEqual(["low", "high"])
    }).pipe(withConcurrency(1)))

  it.effect("what waits in the registry is taken back by cancel: the resource is in use again, a cleanup of one's own never runs", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      const letGo = yield* blocker
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push("guard")))
        const scheduled = yield* r.schedule({ resource: guard })
        const own = yield* r.schedule({ typeName: "own", cleanup: Effect.sync(() => order.push("own")) })
        expect(yield* guard.state).toBe("waiting")
        expect(yield* scheduled.cancel).toBe(true)
        expect(yield* scheduled.cancel).toBe(false)
        expect(yield* own.cancel).toBe(true)
        expect(yield* guard.state).toBe("inUse")
        expect((yield* Effect.flip(own.await))._tag).toBe("AlreadyCleanedUp")
        yield* letGo
        yield* r.awaitIdle
        expect(order).toEqual([])
      }))
      expect(order).toEqual(["guard"])
      expect(yield* r.accounts).toMatchObject({ registered: 3, cleaned: 2, disarmed: 1, live: 0 })
    }).pipe(withConcurrency(1)))

  it.effect("what waits in the registry is claimed by a closing scope, a cleanup or a disarm, and runs once at most (P1)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      const letGo = yield* blocker
      const scope = yield* Scope.make()
      const guard = (name: string) =>
        Scope.extend(ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push(name))), scope)
      const [a, b, c] = yield* Effect.all([guard("a"), guard("b"), guard("c")])
      for (const resource of [a, b, c]) yield* r.schedule({ resource })
      yield* r.schedule({ typeName: "after", cleanup: Effect.sync(() => order.push("after")) })
      yield* a.disarm
      yield* b.cleanup
      yield* Scope.close(scope, Exit.void)
      expect(order).toEqual(["b", "c"])
      yield* letGo
      yield* r.awaitIdle
      expect(order).toEqual(["b", "c", "after"])
      expect((yield* r.accounts).live).toBe(0)
    }).pipe(withConcurrency(1)))

  it.effect("fails who awaits it as its cleanup failed", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const scheduled = yield* r.schedule({ typeName: "own", cleanup: Effect.fail("refused") })
      expect(yield* Effect.flip(scheduled.await)).toMatchObject({ _tag: "CleanupFailed", typeName: "own" })
      expect((yield* Effect.flip(r.schedule({ resource: scheduled.id })))._tag).toBe("AlreadyCleanedUp")
    }).pipe(withConcurrency(1)))
})

describe("concurrency", () => {
  it.effect.prop(
    "concurrency is never exceeded by what the registry starts",
    [fc.integer({ min: 1, max: 5 })],
    ([concurrency]) =>
      Effect.gen(function*() {
        const r = yield* registry
        let running = 0
        let most = 0
        for (let i = 0; i < 20; i++) {
          yield* r.schedule({
            typeName: "one",
            cleanup: Effect.sync(() => most = Math.max(most, ++running)).pipe(
              Effect.andThen(Effect.repeatN(Effect.yieldNow(), i % 3)),
              Effect.andThen(Effect.sync(() => running--))
            )
          })
        }
        yield* r.awaitIdle
        expect(most).toBe(concurrency)
        expect(running).toBe(0)
      }).pipe(withConcurrency(concurrency))
  )

  it.effect("a slow one gives its slot back after slowAfter, is reported, and runs on", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      const gate = yield* Deferred.make<void>()
      for (let i = 0; i < 16; i++) yield* r.schedule({ typeName: "hung", cleanup: Deferred.await(gate) })
      for (let i = 0; i < 100; i++) {
        yield* r.schedule({ typeName: "healthy", cleanup: Effect.sync(() => order.push("healthy")) })
      }
      yield* TestClock.adjust("999 millis")
      expect(order).toHaveLength(0)
      yield* TestClock.adjust("1 millis")
      expect(order).toHaveLength(100)
      expect((yield* r.snapshot).running).toHaveLength(16)
      yield* Deferred.succeed(gate, undefined)
      yield* r.awaitIdle
      expect((yield* r.accounts).cleaned).toBe(116)
    }).pipe(Effect.provide(ResourceRegistry.layer)))

  it.effect("closes of scopes take no slot: hung ones hold nobody up (P2)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      yield* r.schedule({ typeName: "hung", cleanup: Deferred.await(gate) })
      let released = 0
      yield* Effect.scoped(Effect.forEach(
        Array.from({ length: 100 }),
        () => ResourceGuard.make(Effect.void, () => Effect.sync(() => released++))
      ))
      expect(released).toBe(100)
      yield* Deferred.succeed(gate, undefined)
    }).pipe(withConcurrency(1)))

  it.effect("ten thousand scheduled at once all end, in order", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<number> = []
      const letGo = yield* blocker
      for (let i = 0; i < 10_000; i++) {
        yield* r.schedule({ typeName: "one", cleanup: Effect.sync(() => order.push(i)) })
      }
      yield* letGo
      yield* r.awaitIdle
      expect(order).toHaveLength(10_000)
      expect(order.every((n, i) => n === i)).toBe(true)
    }).pipe(withConcurrency(1)))
})

describe("awaitIdle", () => {
  it.effect("returns at once when nothing waits or runs, and can be interrupted", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* r.awaitIdle
      const letGo = yield* blocker
      const waiting = yield* Effect.fork(r.awaitIdle)
      yield* Effect.yieldNow()
      expect(Exit.isInterrupted(yield* Fiber.interrupt(waiting))).toBe(true)
      yield* letGo
      yield* r.awaitIdle
    }).pipe(withConcurrency(1)))
})
