/**
 * The tests of the Rust original, one here for each there, by behaviour: 18 of the guard, 7 of the registry, 7 across both.
 * The 6 beside its sources are value-level; the last group names where each stands.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Option, Scope, TestClock } from "effect"
import {
  CleanupError,
  CleanupPriority,
  PatinoxError,
  ResourceGuard,
  ResourceId,
  ResourceMonitor,
  ResourceRegistry
} from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layer)

describe("guard", () => {
  it.effect("creation and access", () =>
    Effect.scoped(Effect.gen(function*() {
      const guard = yield* ResourceGuard.make(Effect.succeed("data"), () => Effect.void)
      expect(yield* guard.value).toBe("data")
      expect(ResourceId.is(guard.id)).toBe(true)
    })).pipe(provide))

  it.effect("immutable access", () =>
    Effect.scoped(Effect.gen(function*() {
      const guard = yield* ResourceGuard.make(Effect.succeed([1, 2, 3]), () => Effect.void)
      expect(yield* guard.use((numbers) => Effect.succeed(numbers.length))).toBe(3)
      expect(yield* guard.value).toEqual([1, 2, 3])
    })).pipe(provide))

  it.effect("mutable access", () =>
    Effect.gen(function*() {
      let released: ReadonlyArray<number> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(
          Effect.succeed<ReadonlyArray<number>>([1, 2, 3]),
          (numbers) => Effect.sync(() => released = numbers)
        )
        expect(yield* guard.update((numbers) => [...numbers, 4])).toEqual([1, 2, 3, 4])
      }))
      expect(released).toEqual([1, 2, 3, 4])
    }).pipe(provide))

  it.effect("into_inner consumes and no cleanup runs", () =>
    Effect.gen(function*() {
      let released = false
      const value = yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(Effect.succeed("data"), () => Effect.sync(() => released = true))
        const inner = yield* guard.disarm
        expect((yield* Effect.flip(guard.value))._tag).toBe("AlreadyCleanedUp")
        return inner
      }))
      expect(value).toBe("data")
      expect(released).toBe(false)
    }).pipe(provide))

  it.effect("manual cleanup succeeds", () =>
    Effect.gen(function*() {
      let releases = 0
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => releases++))
        yield* guard.cleanup
        expect(releases).toBe(1)
      }))
      expect(releases).toBe(1)
    }).pipe(provide))

  it.effect("manual cleanup fails with the typed error", () =>
    Effect.scoped(Effect.gen(function*() {
      const guard = yield* ResourceGuard.make(Effect.void, () => Effect.fail("cleanup failed" as const))
      const error = yield* Effect.flip(guard.cleanup)
      expect(error._tag === "CleanupFailed" && Option.getOrNull(error.error)).toBe("cleanup failed")
    })).pipe(provide))

  it.effect("drop triggers cleanup", () =>
    Effect.gen(function*() {
      let released = false
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.sync(() => released = true)))
      expect(released).toBe(true)
    }).pipe(provide))

  it.effect("drop with a failing cleanup does not crash", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.fail("cleanup failed")))
      )
      expect(Exit.isSuccess(exit)).toBe(true)
    }).pipe(provide))

  it.effect("100 guards created and dropped concurrently all clean up", () =>
    Effect.gen(function*() {
      let released = 0
      yield* Effect.forEach(
        Array.from({ length: 100 }),
        () => Effect.scoped(ResourceGuard.make(Effect.yieldNow(), () => Effect.sync(() => released++))),
        { concurrency: "unbounded", discard: true }
      )
      expect(released).toBe(100)
    }).pipe(provide))

  it.effect("cleanup slower than a time limit times out", () =>
    Effect.scoped(Effect.gen(function*() {
      const guard = yield* ResourceGuard.make(Effect.void, () => Effect.sleep("1 minutes"), { timeout: "50 millis" })
      const cleaning = yield* Effect.fork(Effect.flip(guard.cleanup))
      yield* TestClock.adjust("50 millis")
      expect((yield* Fiber.join(cleaning))._tag).toBe("CleanupTimeout")
    })).pipe(provide))

  it.effect("a guard moves to another task", () =>
    Effect.gen(function*() {
      let released = false
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(Effect.succeed("data"), () => Effect.sync(() => released = true))
        const fiber = yield* Effect.fork(Effect.zipLeft(guard.value, guard.cleanup))
        expect(yield* Fiber.join(fiber)).toBe("data")
        expect(released).toBe(true)
      }))
    }).pipe(provide))

  it.effect("a panic in cleanup is contained", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(ResourceGuard.make(Effect.void, (): Effect.Effect<void> => {
        throw new Error("panic")
      })))
      expect(Exit.isSuccess(exit)).toBe(true)
      expect((yield* Effect.flatMap(registry, (r) => r.accounts)).failed).toBe(1)
    }).pipe(provide))

  const id = ResourceId.sequential().next()
  const timeout = new CleanupError.CleanupTimeout({
    id,
    typeName: "Resource",
    limitMillis: 50,
    stopped: true,
    attempts: 1
  })

  it("recovery strategy of each error", () => {
    const { recoveryStrategy } = CleanupError
    expect(recoveryStrategy(timeout)).toBe("Retry")
    expect(recoveryStrategy(new CleanupError.AlreadyCleanedUp({ id, typeName: "Resource" }))).toBe("Fail")
    expect(
      recoveryStrategy(
        new CleanupError.CleanupFailed({ id, typeName: "Resource", cause: Cause.fail("x"), attempts: 1 })
      )
    ).toBe("Fallback")
    expect(recoveryStrategy(new CleanupError.RegistryShuttingDown({ typeName: "Resource" }))).toBe("Fail")
  })

  it("the timeout's message says \"timed out\"", () => {
    expect(timeout.message).toContain("timed out")
  })

  it("conversion keeps the message", () => {
    const converted = CleanupError.toPatinoxError(timeout)
    expect(converted._tag).toBe("Execution")
    expect(converted.error._tag).toBe("ResourceExhausted")
    expect(converted.message).toBe(timeout.message)
  })

  it.effect("guard with monitoring records events", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void)).pipe(Effect.provide(
        Layer.provide(
          ResourceRegistry.layer,
          ResourceMonitor.layer(ResourceMonitor.make((event) => Effect.sync(() => seen.push(event._tag))))
        )
      ))
      expect(seen.slice(0, 3)).toEqual(["Registered", "Started", "Cleaned"])
    }))

  it.effect("two identifiers of equal resources differ", () =>
    Effect.scoped(Effect.gen(function*() {
      const guard = ResourceGuard.make(Effect.succeed("same"), () => Effect.void)
      expect((yield* guard).id).not.toBe((yield* guard).id)
    })).pipe(provide))

  it.effect("a new resource is not cleaned up", () =>
    Effect.scoped(Effect.gen(function*() {
      const guard = yield* ResourceGuard.make(Effect.void, () => Effect.void)
      expect(yield* guard.state).toBe("inUse")
    })).pipe(provide))
})

describe("registry", () => {
  it.effect("new one is healthy and empty", () =>
    Effect.gen(function*() {
      const r = yield* registry
      expect(yield* r.isHealthy).toBe(true)
      expect(yield* r.activeCount).toBe(0)
    }).pipe(provide))

  it.effect("register, read back with metadata, unregister, gone", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const id = yield* r.register(() => Effect.void, {
        typeName: "Connection",
        sizeBytes: 1024,
        metadata: { host: "localhost" }
      })
      expect(yield* r.info(id)).toMatchObject({
        typeName: "Connection",
        sizeBytes: 1024,
        metadata: { host: "localhost" }
      })
      yield* r.unregister(id)
      expect(yield* r.info(id)).toBeUndefined()
    }).pipe(provide))

  it.effect("ten registered and removed", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const ids = yield* Effect.forEach(Array.from({ length: 10 }), () => r.register(() => Effect.void))
      expect(yield* r.activeCount).toBe(10)
      yield* Effect.forEach(ids, r.unregister)
      expect(yield* r.activeCount).toBe(0)
    }).pipe(provide))

  it.effect("shutdown empties it and makes it unhealthy", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let released = 0
      yield* Effect.forEach([1, 2, 3], () => r.register(() => Effect.sync(() => released++)))
      yield* r.shutdown
      expect(yield* r.activeCount).toBe(0)
      expect(yield* r.isHealthy).toBe(false)
      expect(released).toBe(3)
    }).pipe(provide))

  it.effect("force cleanup returns the count (5) and they are cleaned", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let released = 0
      yield* Effect.forEach(Array.from({ length: 5 }), () => r.register(() => Effect.sync(() => released++)))
      expect((yield* r.forceCleanupAll).totals).toMatchObject({ total: 5, cleaned: 5 })
      expect(released).toBe(5)
      expect(yield* r.activeCount).toBe(0)
    }).pipe(provide))

  it.effect("1,000 ids are unique", () =>
    Effect.gen(function*() {
      const ids = yield* Effect.forEach(Array.from({ length: 1000 }), () => ResourceId.generate)
      expect(new Set(ids).size).toBe(1000)
    }))

  it.effect("after shutdown register and force cleanup are refused", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* r.shutdown
      expect((yield* Effect.flip(r.register(() => Effect.void)))._tag).toBe("RegistryShuttingDown")
      // Nothing can be live any more: the report of a forced cleanup is empty instead of an error.
      expect((yield* r.forceCleanupAll).totals.total).toBe(0)
    }).pipe(provide))
})

describe("across both", () => {
  it.effect("guard basics", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(Effect.succeed("data"), () => Effect.void, { typeName: "Basic" })
        expect(yield* r.info(guard.id)).toMatchObject({ typeName: "Basic" })
      }))
      expect(yield* r.activeCount).toBe(0)
    }).pipe(provide))

  it.effect("guard cleans up when dropped", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let released = false
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.sync(() => released = true)))
      expect(released).toBe(true)
      expect(yield* r.accounts).toMatchObject({ registered: 1, cleaned: 1, live: 0 })
    }).pipe(provide))

  it.effect("registry lifecycle with metadata", () => {
    class Connection extends Context.Tag("Connection")<Connection, string>() {}
    return Effect.gen(function*() {
      const r = yield* registry
      const layer = ResourceGuard.layer(Connection, Effect.succeed("open"), () => Effect.void, {
        metadata: { pool: "main" }
      })
      const listed = yield* Effect.provide(r.list, layer)
      expect(listed).toMatchObject([{ typeName: "Connection", metadata: { pool: "main" } }])
      expect(yield* r.list).toEqual([])
    }).pipe(provide)
  })

  it.effect("10 tasks each register, guard, drop and unregister concurrently, all cleaned, registry empty", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let released = 0
      yield* Effect.forEach(Array.from({ length: 10 }), (_, i) =>
        Effect.gen(function*() {
          const id = yield* r.register(() => Effect.void, { typeName: `task ${i}` })
          yield* Effect.scoped(ResourceGuard.make(Effect.yieldNow(), () => Effect.sync(() => released++)))
          yield* r.unregister(id)
        }), { concurrency: "unbounded", discard: true })
      expect(released).toBe(10)
      expect(yield* r.accounts).toMatchObject({ registered: 20, cleaned: 10, disarmed: 10, live: 0 })
    }).pipe(provide))

  it.effect("a failing cleanup is returned", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const id = yield* r.register(() => Effect.fail("cleanup failed"))
      expect(yield* Effect.flip(r.cleanup(id))).toMatchObject({ _tag: "CleanupFailed", id })
    }).pipe(provide))

  it.effect("ids unique", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const ids = yield* Effect.forEach(Array.from({ length: 100 }), () => r.register(() => Effect.void))
      expect(new Set(ids).size).toBe(100)
    }).pipe(provide))

  it.effect("shutdown empties a registry of three", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const scope = yield* Scope.make()
      yield* Scope.extend(Effect.forEach([1, 2, 3], () => ResourceGuard.make(Effect.void, () => Effect.void)), scope)
      expect((yield* r.shutdown).totals).toMatchObject({ total: 3, cleaned: 3 })
      expect(yield* r.activeCount).toBe(0)
    }).pipe(provide))
})

describe("beside the sources", () => {
  it.effect("basic use", () =>
    Effect.gen(function*() {
      const result = yield* ResourceGuard.use(Effect.succeed(21), () => Effect.void)((n) => Effect.succeed(n * 2))
      expect(result).toBe(42)
    }).pipe(provide))

  it.effect("id generation and its textual form", () =>
    Effect.gen(function*() {
      const id = yield* ResourceId.generate
      expect(String(id)).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
    }))

  it("priorities are ordered and default to Normal", () => {
    expect(CleanupPriority.defaultPriority).toBe("Normal")
    expect(["Critical", "Low", "High", "Normal"].sort((a, b) => CleanupPriority.Order(a as never, b as never))).toEqual(
      [
        "Low",
        "Normal",
        "High",
        "Critical"
      ]
    )
  })

  it("recovery strategies", () => {
    expect(PatinoxError.recoveryStrategy(PatinoxError.invalidOption("a", 1, "b"))).toBe("Fail")
    expect(
      PatinoxError.recoveryStrategy(
        new PatinoxError.Network({ error: new PatinoxError.NetworkTimeout({ endpoint: "a", limitMillis: 1 }) })
      )
    ).toBe("Retry")
  })

  it("conversion", () => {
    const error = new CleanupError.RegistryShuttingDown({ typeName: "Resource" })
    expect(CleanupError.toPatinoxError(error).cause).toBe(error)
  })

  it.effect("registry basics", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const id = yield* r.register(() => Effect.void)
      expect(yield* r.activeCount).toBe(1)
      yield* r.cleanup(id)
      expect(yield* r.activeCount).toBe(0)
    }).pipe(provide))
})
