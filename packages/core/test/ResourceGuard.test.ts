/** Guards as their users have them: operations and options of `GuardTypes`. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Scope, TestClock } from "effect"
import { CleanupPriority, ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layer)

const recorder = () => {
  const released: Array<string> = []
  const guard = (name: string, options?: Omit<ResourceGuard.GuardOptions<string, never>, "recovery">) =>
    ResourceGuard.make(
      Effect.succeed(name),
      (value) => Effect.sync(() => released.push(value)),
      { typeName: name, ...options }
    )
  return { released, guard }
}

describe("ResourceGuard", () => {
  it.effect("releases in last-in first-out order when its scope closes (P4)", () =>
    Effect.gen(function*() {
      const { guard, released } = recorder()
      yield* Effect.scoped(Effect.andThen(guard("a"), guard("b", { priority: "Low" })))
      expect(released).toEqual(["b", "a"])
      expect(yield* Effect.flatMap(registry, (r) => r.activeCount)).toBe(0)
    }).pipe(provide))

  it.effect("cleans up early exactly once; a later caller gets AlreadyCleanedUp (P1)", () =>
    Effect.gen(function*() {
      const { guard, released } = recorder()
      yield* Effect.scoped(Effect.gen(function*() {
        const a = yield* guard("a")
        yield* a.cleanup
        expect((yield* Effect.flip(a.cleanup))._tag).toBe("AlreadyCleanedUp")
        expect(yield* a.state).toBe("cleaned")
      }))
      expect(released).toEqual(["a"])
    }).pipe(provide))

  it.effect("two cleanups at once run the release once (P1)", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let releases = 0
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(
          Effect.void,
          () => Effect.andThen(Effect.sync(() => releases++), Deferred.await(gate))
        )
        const first = yield* Effect.fork(Effect.exit(guard.cleanup))
        const second = yield* Effect.fork(Effect.exit(guard.cleanup))
        yield* Effect.yieldNow()
        yield* Deferred.succeed(gate, undefined)
        expect(Exit.isSuccess(yield* Fiber.join(first))).toBe(true)
        expect(Exit.isFailure(yield* Fiber.join(second))).toBe(true)
      }))
      expect(releases).toBe(1)
    }).pipe(provide))

  it.effect("a release's typed error arrives as CleanupFailed, and never replaces the program's (P5)", () =>
    Effect.gen(function*() {
      const failing = ResourceGuard.make(Effect.void, () => Effect.fail("refused" as const), { typeName: "Failing" })
      const error = yield* Effect.scoped(Effect.flatMap(failing, (guard) => Effect.flip(guard.cleanup)))
      expect(error._tag === "CleanupFailed" && Option.getOrNull(error.error)).toBe("refused")
      const exit = yield* Effect.exit(Effect.scoped(Effect.andThen(failing, Effect.fail("mine"))))
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBe("mine")
      expect(Exit.isSuccess(yield* Effect.exit(Effect.scoped(failing)))).toBe(true)
    }).pipe(provide))

  it.effect("a hung release is abandoned at its time limit, and the others run (P2, P3)", () =>
    Effect.gen(function*() {
      const { guard, released } = recorder()
      const scope = yield* Scope.make()
      yield* Scope.extend(
        Effect.andThen(guard("a"), ResourceGuard.make(Effect.void, () => Effect.never, { timeout: "1 seconds" })),
        scope
      )
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("999 millis")
      expect(released).toEqual([])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      expect(released).toEqual(["a"])
      const { accounts } = yield* Effect.flatMap(registry, (r) => r.snapshot)
      expect(accounts.abandoned).toBe(1)
    }).pipe(provide))

  it.effect("an interruptible release that times out is retried, then falls back", () =>
    Effect.gen(function*() {
      let attempts = 0
      const error = yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(
          Effect.void,
          () => Effect.andThen(Effect.sync(() => attempts++), Effect.never),
          {
            interruptible: true,
            timeout: "10 seconds",
            attemptTimeout: "1 seconds",
            recovery: { fallback: () => Effect.void }
          }
        )
        const fiber = yield* Effect.fork(guard.cleanup)
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(fiber)
        return yield* guard.state
      }))
      expect(error).toBe("recovered")
      expect(attempts).toBe(4)
    }).pipe(provide))

  it.effect("disarm hands the value out and no cleanup runs", () =>
    Effect.gen(function*() {
      const { guard, released } = recorder()
      const value = yield* Effect.scoped(Effect.flatMap(guard("a"), (a) => a.disarm))
      expect(value).toBe("a")
      expect(released).toEqual([])
    }).pipe(provide))

  it.effect("transferTo moves it to another scope, and to a closed one cleans up at once", () =>
    Effect.gen(function*() {
      const { guard, released } = recorder()
      const other = yield* Scope.make()
      yield* Effect.scoped(Effect.flatMap(guard("a"), (a) => a.transferTo(other)))
      expect(released).toEqual([])
      yield* Scope.close(other, Exit.void)
      expect(released).toEqual(["a"])
      yield* Effect.scoped(Effect.gen(function*() {
        const b = yield* guard("b")
        yield* b.transferTo(other)
        expect(released).toEqual(["a", "b"])
      }))
      expect(released).toEqual(["a", "b"])
    }).pipe(provide))

  it.effect("a cleanup waits for a borrower", () =>
    Effect.gen(function*() {
      const { guard, released } = recorder()
      const gate = yield* Deferred.make<void>()
      yield* Effect.scoped(Effect.gen(function*() {
        const a = yield* guard("a")
        const use = yield* Effect.fork(a.use(() => Deferred.await(gate)))
        yield* Effect.yieldNow()
        const cleanup = yield* Effect.fork(a.cleanup)
        yield* Effect.yieldNow()
        expect(released).toEqual([])
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(use)
        yield* Fiber.join(cleanup)
        expect(released).toEqual(["a"])
      }))
    }).pipe(provide))

  it.effect("use: what was compiled when both functions were given in one call still acquires, uses and releases", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const write = (line: string) => Effect.sync(() => void log.push(line))
      const use: any = ResourceGuard.use
      const inOne = use(write("open"), () => write("close"), () => write("write"), { typeName: "File" })
      yield* inOne as Effect.Effect<void, unknown, ResourceRegistry.ResourceRegistry>
      yield* ResourceGuard.use(write("open"), () => write("close"))(() => write("write"))
      expect(log.join(" ")).toBe("open write close open write close")
    }).pipe(provide))

  it.effect("use: the use's own error wins; after a success the failed cleanup is the error", () =>
    Effect.gen(function*() {
      const use = <A, E>(f: Effect.Effect<A, E>) =>
        ResourceGuard.use(Effect.succeed(1), () => Effect.fail("release" as const))(() => f)
      expect(yield* Effect.flip(use(Effect.fail("use")))).toBe("use")
      const error = yield* Effect.flip(use(Effect.succeed(2)))
      expect(error._tag).toBe("CleanupFailed")
    }).pipe(provide))

  it.effect("dependents are cleaned up before what they depend on, across scopes (P4)", () =>
    Effect.gen(function*() {
      const { guard, released } = recorder()
      yield* Effect.scoped(Effect.gen(function*() {
        const base = yield* guard("base")
        const inner = yield* Scope.make()
        yield* Scope.extend(guard("dependent", { dependsOn: [base] }), inner)
        yield* base.cleanup
        expect(released).toEqual(["dependent", "base"])
        yield* Scope.close(inner, Exit.void)
      }))
      expect(released).toEqual(["dependent", "base"])
    }).pipe(provide))
})

describe("ResourceRegistry", () => {
  it.effect("a forced cleanup runs by priority, the newest first among equals (P4), and reports", () =>
    Effect.gen(function*() {
      const { guard, released } = recorder()
      yield* Effect.scoped(Effect.gen(function*() {
        for (const priority of CleanupPriority.values) {
          yield* guard(`${priority} 1`, { priority })
          yield* guard(`${priority} 2`, { priority })
        }
        const report = yield* Effect.flatMap(registry, (r) => r.forceCleanupAll)
        expect(report.totals.cleaned).toBe(8)
      }))
      expect(released).toEqual([
        "Critical 2",
        "Critical 1",
        "High 2",
        "High 1",
        "Normal 2",
        "Normal 1",
        "Low 2",
        "Low 1"
      ])
    }).pipe(provide))

  it.effect("500 hung and 1,000 healthy at shutdown: every healthy one is cleaned, by the deadline (P2, P3)", () =>
    Effect.gen(function*() {
      const { guard, released } = recorder()
      yield* Effect.scoped(Effect.gen(function*() {
        for (let i = 0; i < 1500; i++) {
          if (i % 3 === 0) yield* ResourceGuard.make(Effect.void, () => Effect.never, { typeName: "Hung" })
          else yield* guard(`healthy ${i}`)
        }
        const shutdown = yield* Effect.fork(Effect.flatMap(registry, (r) => r.shutdown))
        yield* TestClock.adjust("25 seconds")
        const report = yield* Fiber.join(shutdown)
        expect(released.length).toBe(1000)
        expect(report.totals).toMatchObject({ cleaned: 1000, abandoned: 500, total: 1500 })
        expect(report.durationMillis).toBeLessThanOrEqual(25_000)
      }))
    }).pipe(provide))

  it.effect("shutdown called from inside a cleanup does not wait for that one (P8)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(Effect.void, () => r.shutdown)
        yield* guard.cleanup
      }))
      expect((yield* r.snapshot).phase).toBe("Closed")
      expect((yield* Effect.flip(Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void))))._tag).toBe(
        "RegistryShuttingDown"
      )
    }).pipe(provide))

  it.effect("a cleanup waits for a scheduled one at concurrency 1 (P8)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      const outer = yield* r.schedule({
        typeName: "outer",
        cleanup: Effect.flatMap(
          r.schedule({ typeName: "inner", cleanup: Effect.sync(() => order.push("inner")) }),
          (inner) => Effect.andThen(inner.await, Effect.sync(() => order.push("outer")))
        )
      })
      yield* outer.await
      expect(order).toEqual(["inner", "outer"])
    }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 })))))

  it.effect("dead letters are listed, retried and dropped; the accounts stay right (P6)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let broken = true
      const failing = ResourceGuard.make(Effect.void, () => broken ? Effect.fail("broken") : Effect.void)
      yield* Effect.scoped(Effect.andThen(failing, failing))
      const letters = yield* r.deadLetters.list
      expect(letters.length).toBe(2)
      expect((yield* Effect.flip(r.deadLetters.retry(letters[0]!.id)))._tag).toBe("CleanupFailed")
      broken = false
      yield* r.deadLetters.retry(letters[0]!.id)
      expect(yield* r.deadLetters.drop(letters[1]!.id)).toBe(true)
      expect(yield* r.deadLetters.list).toEqual([])
      expect(yield* r.accounts).toMatchObject({ registered: 2, failed: 1, recovered: 1, live: 0 })
    }).pipe(provide))

  it.effect("the value of a dead letter is let go after five minutes", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.fail("broken")))
      const [letter] = yield* r.deadLetters.list
      yield* TestClock.adjust(Duration.minutes(5))
      expect(yield* Effect.flip(r.deadLetters.retry(letter!.id))).toMatchObject({
        _tag: "DeadLetterUnavailable",
        reason: "value released"
      })
    }).pipe(provide))
})
