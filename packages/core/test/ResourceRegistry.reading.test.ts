/** Shows `DeadLetters`. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import { ResourceGuard, ResourceId, ResourceMonitor, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

describe("snapshot (P9)", () => {
  it.effect("answers who holds what since when, what waits, what runs, what failed", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const guard = <E = never>(typeName: string, release: () => Effect.Effect<unknown, E> = () => Effect.void) =>
        Scope.extend(
          ResourceGuard.make(Effect.void, release, { typeName, sizeBytes: 100, metadata: { tier: "1" } }),
          scope
        )
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.fail("refused"), { typeName: "Failed" }))
      const held = yield* guard("Held")
      const running = yield* guard("Running", () => Deferred.await(gate))
      const waiting = yield* guard("Waiting")
      const abandoned = yield* guard("Abandoned", () => Deferred.await(gate))
      yield* Effect.fork(Effect.withSpan(held.use(() => Deferred.await(gate)), "report"))
      yield* Effect.fork(
        Effect.scoped(ResourceGuard.make(Deferred.await(gate), () => Effect.void, { typeName: "New" }))
      )
      const cleaning = yield* Effect.fork(Effect.exit(abandoned.cleanup))
      yield* TestClock.adjust(Duration.seconds(10))
      yield* Fiber.join(cleaning)
      yield* r.schedule({ resource: running })
      yield* r.schedule({ resource: waiting, priority: "High" })
      yield* TestClock.adjust("500 millis")

      const snapshot = yield* r.snapshot
      expect(snapshot.phase).toBe("Running")
      expect(snapshot.accounts).toEqual({
        registered: 5,
        live: 3,
        inUse: 1,
        waiting: 1,
        cleaning: 1,
        cleaned: 0,
        recovered: 0,
        failed: 1,
        abandoned: 1,
        disarmed: 0
      })
      expect(snapshot.live).toMatchObject([
        {
          id: held.id,
          typeName: "Held",
          state: "inUse",
          ageMillis: 10_500,
          metadata: { tier: "1" },
          holders: [{ spanName: "report", heldMillis: 10_500 }]
        },
        { typeName: "Running", state: "cleaning", stateMillis: 500 },
        { typeName: "Waiting", state: "waiting", stateMillis: 500 }
      ])
      expect(snapshot.acquiring).toMatchObject([{ typeName: "New" }])
      expect(snapshot.waiting).toEqual({ Low: 0, Normal: 0, High: 1, Critical: 0 })
      expect(snapshot.running).toMatchObject([{
        typeName: "Running",
        outcome: "running",
        trigger: "scheduled",
        runMillis: 500
      }])
      expect(snapshot.abandoned).toMatchObject([{ typeName: "Abandoned", outcome: "abandoned" }])
      expect(snapshot.deadLetters.map(({ retryable, typeName }) => [typeName, retryable])).toEqual([
        ["Failed", true],
        ["Abandoned", false]
      ])
      expect(snapshot.sizeBytes).toBe(300)
      expect(JSON.parse(JSON.stringify(snapshot))).toMatchObject({ phase: "Running" })
      expect(yield* r.health).toEqual({
        status: "degraded",
        live: 3,
        waiting: 1,
        running: 1,
        acquiring: 1,
        abandoned: 1,
        deadLetters: 2,
        droppedEvents: 0
      })
      yield* Deferred.succeed(gate, undefined)
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1, slowAfter: "1 hours" })))))

  it.effect("snapshot is immutable: what happens later does not change it (P9)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(Effect.void, () => Effect.void)
        const before = yield* r.snapshot
        yield* guard.cleanup
        expect(before.live).toMatchObject([{ state: "inUse" }])
        expect(before.accounts.live).toBe(1)
      }))
    }).pipe(provide))
})

describe("register and unregister", () => {
  it.effect("track what has no scope: read back, cleaned up by id or by the shutdown, or taken out", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      const register = (typeName: string) =>
        r.register(() => Effect.sync(() => order.push(typeName)), { typeName, metadata: { host: "a" } })
      const [a, b, c] = yield* Effect.all([register("a"), register("b"), register("c")])
      expect(yield* r.info(a)).toMatchObject({ id: a, typeName: "a", metadata: { host: "a" } })
      expect((yield* r.list).map((info) => info.typeName)).toEqual(["a", "b", "c"])
      yield* r.cleanup(a)
      yield* r.unregister(b)
      expect(yield* r.info(a)).toBeUndefined()
      expect(yield* Effect.flip(r.cleanup(a))).toMatchObject({ _tag: "AlreadyCleanedUp" })
      expect(yield* Effect.flip(r.unregister(b))).toMatchObject({ _tag: "AlreadyCleanedUp" })
      expect(yield* r.activeCount).toBe(1)
      yield* r.shutdown
      expect(order).toEqual(["a", "c"])
      expect(yield* r.info(c)).toBeUndefined()
    }).pipe(provide))

  it.effect("hand an unknown id back as a typed error", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const id = ResourceId.sequential(99).next()
      expect(yield* r.info(id)).toBeUndefined()
      for (const call of [r.cleanup(id), r.unregister(id), r.schedule({ resource: id })]) {
        expect(yield* Effect.flip(call as Effect.Effect<unknown, unknown>)).toMatchObject({
          _tag: "AlreadyCleanedUp",
          id
        })
      }
      expect(yield* Effect.flip(r.deadLetters.retry(id))).toMatchObject({
        _tag: "DeadLetterUnavailable",
        reason: "unknown",
        message: `The failed cleanup of ${id} cannot be retried: unknown`
      })
    }).pipe(provide))
})

describe("dead letters", () => {
  const failing = (typeName: string, release: () => Effect.Effect<unknown, string> = () => Effect.fail("refused")) =>
    Effect.scoped(ResourceGuard.make(Effect.void, release, { typeName }))

  it.effect("dead letters are kept up to their number, the newest", () =>
    Effect.gen(function*() {
      const r = yield* registry
      for (const name of ["a", "b", "c"]) yield* failing(name)
      expect((yield* r.deadLetters.list).map((letter) => letter.typeName)).toEqual(["b", "c"])
      expect((yield* r.accounts).failed).toBe(3)
    }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ deadLetters: 2 })))))

  it.effect("dead letters are none where none are wanted", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* failing("a")
      expect(yield* r.deadLetters.list).toEqual([])
      expect((yield* r.accounts).failed).toBe(1)
    }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ deadLetters: 0 })))))

  it.effect("dead letters are retried once at a time, under the guard's own policy; an abandoned one never", () => {
    const tags: Array<string> = []
    const monitor = ResourceMonitor.make((event) => Effect.sync(() => tags.push(event._tag)))
    return Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      let broken = true
      yield* failing("a", () => broken ? Effect.fail("refused") : Deferred.await(gate))
      broken = false
      const [letter] = yield* r.deadLetters.list
      const retrying = yield* Effect.fork(r.deadLetters.retry(letter!.id))
      yield* Effect.yieldNow()
      expect(yield* Effect.flip(r.deadLetters.retry(letter!.id))).toMatchObject({ reason: "being retried" })
      yield* TestClock.adjust("10 seconds")
      expect(yield* Effect.flip(Fiber.join(retrying))).toMatchObject({ _tag: "CleanupTimeout" })
      expect(yield* r.accounts).toMatchObject({ failed: 0, abandoned: 1, live: 0 })
      expect(tags).toEqual(["Registered", "Started", "Failed", "Started", "Slow", "Abandoned"])
      expect(yield* Effect.flip(r.deadLetters.retry(letter!.id))).toMatchObject({ reason: "abandoned" })
      yield* Deferred.succeed(gate, undefined)
    }).pipe(Effect.provide(Layer.provide(ResourceRegistry.layerTest, ResourceMonitor.layer(monitor))))
  })

  it.effect("dead letters are refused a retry once the registry shuts down", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* failing("a")
      const [letter] = yield* r.deadLetters.list
      yield* r.shutdown
      expect(yield* Effect.flip(r.deadLetters.retry(letter!.id))).toMatchObject({ _tag: "RegistryShuttingDown" })
      expect(yield* r.deadLetters.list).toHaveLength(1)
    }).pipe(provide))
})
