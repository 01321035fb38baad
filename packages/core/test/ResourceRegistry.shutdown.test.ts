/** Shows `ShutdownHost` and `BulkCleanup`. */
import { describe, expect, it } from "@effect/vitest"
import { TestLog } from "@patinox/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import { CleanupReport, ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

describe("shutdown", () => {
  it.effect("shutdown is idempotent: every caller waits for the same report", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.make(Effect.void, () => Deferred.await(gate))
        const callers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(r.shutdown))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(callers[0]!)
        yield* Deferred.succeed(gate, undefined)
        const [second, third] = yield* Fiber.join(Fiber.zip(callers[1]!, callers[2]!))
        expect(second).toBe(third)
        expect(yield* r.shutdown).toBe(second)
        expect(second.totals).toMatchObject({ total: 1, cleaned: 1 })
      }))
    }).pipe(provide))

  it.effect("ends when everything has ended, not at the deadline", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.make(Effect.void, () => Effect.sleep("2 seconds"))
        const shutdown = yield* Effect.fork(r.shutdown)
        yield* TestClock.adjust("2 seconds")
        const report = yield* Fiber.join(shutdown)
        expect(report.durationMillis).toBe(2000)
        expect(report.deadlineReached).toBe(false)
      }))
    }).pipe(provide))

  it.effect("cleans up by priority, the newest first among equals, dependents before all (P4)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = (name: string, options?: ResourceGuard.GuardOptions<void, never>) =>
          ResourceGuard.make(
            Effect.void,
            () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => order.push(name))),
            options
          )
        const pool = yield* guard("pool", { priority: "Critical" })
        yield* guard("a")
        yield* guard("b")
        yield* guard("worker of pool", { priority: "Low", dependsOn: [pool] })
        yield* r.shutdown
      }))
      expect(order).toEqual(["worker of pool", "pool", "b", "a"])
    }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 })))))

  it.effect("starts what has not started 5 s before the deadline, out of order, and reports it as forced (P2)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const startedAt: Record<string, number> = {}
      const began = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const note = (name: string) =>
        Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (now) => startedAt[name] = now - began))
      const scope = yield* Scope.make()
      const report = yield* Scope.extend(
        Effect.gen(function*() {
          const held = yield* ResourceGuard.make(Effect.void, () => note("base"), {
            typeName: "base",
            timeout: "1 hours"
          })
          yield* ResourceGuard.make(
            Effect.void,
            () => Effect.andThen(note("hung dependent"), Effect.never),
            { typeName: "hung dependent", timeout: "1 hours", dependsOn: [held] }
          )
          const shutdown = yield* Effect.fork(r.shutdown)
          yield* TestClock.adjust("25 seconds")
          return yield* Fiber.join(shutdown)
        }),
        scope
      )
      expect(startedAt).toEqual({ "hung dependent": 0, base: 20_000 })
      expect(report.records.map(({ forced, outcome, typeName }) => [typeName, outcome, forced])).toEqual([
        ["hung dependent", "abandoned", false],
        ["base", "cleaned", true]
      ])
      expect(report.durationMillis).toBe(25_000)
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1, slowAfter: "1 hours" })))))

  it.effect("starts what still waits in the queue then, too, and reports it as forced (P2)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "waiting", timeout: "1 hours" })
        yield* ResourceGuard.make(Effect.void, () => Effect.never, { typeName: "hung", timeout: "1 hours" })
        const shutdown = yield* Effect.fork(r.shutdown)
        yield* TestClock.adjust("25 seconds")
        const report = yield* Fiber.join(shutdown)
        expect(
          report.records.map(({ forced, outcome, typeName, waitMillis }) => [typeName, outcome, forced, waitMillis])
        )
          .toEqual([
            ["hung", "abandoned", false, 0],
            ["waiting", "cleaned", true, 20_000]
          ])
        expect(report.totals.forced).toBe(1)
      }))
    }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1, slowAfter: "1 hours" })))))

  it.effect("shutdown of less than 25 s keeps a fifth of it for what has not started", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let startedAt = -1
      const began = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      yield* Effect.scoped(Effect.gen(function*() {
        const base = yield* ResourceGuard.make(
          Effect.void,
          () => Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (now) => startedAt = now - began))
        )
        yield* ResourceGuard.make(Effect.void, () => Effect.never, { dependsOn: [base], timeout: Infinity })
        const shutdown = yield* Effect.fork(r.shutdown)
        yield* TestClock.adjust("10 seconds")
        const report = yield* Fiber.join(shutdown)
        expect(CleanupReport.isClean(report)).toBe(false)
      }))
      expect(startedAt).toBe(8000)
    }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ shutdownTimeout: "10 seconds" })))))

  it.effect("cuts the limit of a cleanup that already runs to what is left (P3)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(Effect.void, () => Effect.never, { timeout: "1 hours" })
        const cleaning = yield* Effect.fork(Effect.exit(guard.cleanup))
        yield* Effect.yieldNow()
        const shutdown = yield* Effect.fork(r.shutdown)
        yield* TestClock.adjust("25 seconds")
        const report = yield* Fiber.join(shutdown)
        expect(report.totals).toMatchObject({ total: 1, abandoned: 1 })
        expect(Exit.isFailure(yield* Fiber.join(cleaning))).toBe(true)
      }))
    }).pipe(provide))

  it.effect("refuses everything new, with an error that says so", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* r.shutdown
      const refusals = yield* Effect.all([
        Effect.flip(r.register(() => Effect.void, { typeName: "New" })),
        Effect.flip(r.schedule({ typeName: "New", cleanup: Effect.void })),
        Effect.flip(Effect.scoped(ResourceGuard.acquireRelease(Effect.void, () => Effect.void, { typeName: "New" })))
      ])
      for (const error of refusals) {
        expect(error).toMatchObject({
          _tag: "RegistryShuttingDown",
          message: "The resource registry is shutting down and no longer accepts New"
        })
      }
      expect(yield* r.isHealthy).toBe(false)
      expect((yield* r.health).status).toBe("closed")
    }).pipe(provide))

  it.effect("meets a scope that closes meanwhile: each resource is released once (P1)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      for (let n = 0; n < 8; n++) {
        let released = 0
        const service = yield* Layer.build(ResourceRegistry.layer)
        const scope = yield* Scope.make()
        yield* Scope.extend(
          Effect.forEach([1, 2, 3], () =>
            ResourceGuard.make(Effect.void, () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => released++)))),
          scope
        ).pipe(Effect.provide(service))
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* Effect.repeatN(Effect.yieldNow(), n)
        const report = yield* Effect.provide(
          Effect.flatMap(registry, (inner) =>
            inner.shutdown),
          service
        )
        yield* Fiber.join(closing)
        expect(released).toBe(3)
        expect(report.totals.failed + report.totals.abandoned).toBe(0)
      }
      expect(yield* r.activeCount).toBe(0)
    }).pipe(Effect.scoped, provide))
})

describe("the registry's layer", () => {
  it.effect("shuts down when it closes, and warns by name of guards whose scope is still open", () =>
    Effect.gen(function*() {
      const { layer, messages } = TestLog.make()
      let released = 0
      const lasting = yield* Scope.make()
      const guard = yield* ResourceGuard.make(
        Effect.void,
        () => Effect.sync(() => released++),
        { typeName: "Database" }
      ).pipe(Scope.extend(lasting), Effect.provide(ResourceRegistry.layer), Effect.provide(layer))
      expect(released).toBe(1)
      expect(messages).toHaveLength(1)
      expect(messages[0]).toContain(`closes under 1 guard whose scope is still open: Database (${guard.id})`)
      yield* Scope.close(lasting, Exit.void)
      expect(released).toBe(1)
      expect((yield* Effect.flip(guard.cleanup))._tag).toBe("AlreadyCleanedUp")
    }))

  it.effect("says in one line at its end what went wrong, and nothing when nothing did", () =>
    Effect.gen(function*() {
      const { layer, messages } = TestLog.make()
      const app = (release: () => Effect.Effect<void, string>) =>
        Effect.flatMap(registry, (r) => r.register(release, { typeName: "Socket" })).pipe(
          Effect.provide(ResourceRegistry.layer),
          Effect.provide(layer)
        )
      yield* app(() => Effect.void)
      expect(messages).toEqual([])
      yield* app(() => Effect.fail("refused"))
      expect(messages).toHaveLength(2)
      expect(messages[1]).toContain("Resource registry shut down: 1 resource")
      expect(messages[1]).toContain("1 failed")
    }))

  it.effect("the registry's layer inside another registry is warned of; each knows only its own, and they shut down apart", () =>
    Effect.gen(function*() {
      const { layer, messages } = TestLog.make()
      const outer = yield* registry
      const order: Array<string> = []
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push("outer")))
        yield* Effect.scoped(Effect.gen(function*() {
          const inner = yield* registry
          yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push("inner")))
          expect(yield* inner.activeCount).toBe(1)
          expect(yield* outer.activeCount).toBe(1)
        })).pipe(Effect.provide(Layer.fresh(ResourceRegistry.layerTest)), Effect.provide(layer))
        expect(order).toEqual(["inner"])
        expect(yield* outer.isHealthy).toBe(true)
      }))
      expect(order).toEqual(["inner", "outer"])
      expect(messages.filter((line) => line.startsWith("A second resource registry"))).toHaveLength(1)
    }).pipe(provide))
})

describe("cleanupWhere and forceCleanupAll", () => {
  it.effect("cleanupWhere and forceCleanupAll clean up what matches, and report it, dependents too", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = (name: string, options: ResourceGuard.GuardOptions<void, never>) =>
          ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push(name)), { typeName: name, ...options })
        const a = yield* guard("tenant 1", { metadata: { tenant: "1" } })
        yield* guard("tenant 2", { metadata: { tenant: "2" } })
        yield* guard("on tenant 1", { dependsOn: [a] })
        const report = yield* r.cleanupWhere((info) => info.metadata["tenant"] === "1")
        expect(report.records.map((record) => record.typeName)).toEqual(["on tenant 1", "tenant 1"])
        expect(order).toEqual(["on tenant 1", "tenant 1"])
      }))
      expect(order).toEqual(["on tenant 1", "tenant 1", "tenant 2"])
    }).pipe(provide))

  it.effect("cleanupWhere and forceCleanupAll of nothing end at once with an empty report", () =>
    Effect.gen(function*() {
      const r = yield* registry
      expect((yield* r.forceCleanupAll).totals.total).toBe(0)
      expect((yield* r.cleanupWhere(() => true)).totals.total).toBe(0)
    }).pipe(provide))

  it.effect("cleanupWhere and forceCleanupAll end by the shutdown's time limit, and the registry works on after it (P3)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.make(Effect.void, () => Effect.never, { timeout: Infinity })
        const forced = yield* Effect.fork(r.forceCleanupAll)
        yield* TestClock.adjust(Duration.seconds(25))
        expect((yield* Fiber.join(forced)).totals).toMatchObject({ total: 1, abandoned: 1 })
        yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void))
      }))
      expect(yield* r.accounts).toMatchObject({ registered: 2, abandoned: 1, cleaned: 1, live: 0 })
    }).pipe(provide))
})
