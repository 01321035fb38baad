import { describe, expect, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Exit, Fiber, Option, Schedule, Scope, TestClock } from "effect"
import { CleanupReport, ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"
import { make, source, turns } from "./refreshableSource.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

/** Closes a scope and says how long that took. */
const closing = (scope: Scope.CloseableScope) =>
  Effect.gen(function*() {
    const now = Effect.clockWith((clock) => clock.currentTimeMillis)
    const started = yield* now
    const fiber = yield* Effect.fork(Effect.zipRight(Scope.close(scope, Exit.void), now))
    for (let i = 0; i < 600 && Option.isNone(yield* Fiber.poll(fiber)); i++) yield* TestClock.adjust("100 millis")
    return (yield* Fiber.join(fiber)) - started
  })

const scopes = { "an Effect scope": Scope.make(), "a ResourceScope": ResourceScope.make() }

for (const [kind, makeScope] of Object.entries(scopes)) {
  describe(`${kind} that closes`, () => {
    it.effect("releases the value it finds, with its exit, and after that nothing can be had", () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        let seen: unknown
        const token = yield* Scope.extend(
          ResourceGuard.refreshable(Effect.succeed(1), (_, exit) => Effect.sync(() => seen = exit)),
          scope
        )
        yield* token.refresh
        yield* Scope.close(scope, Exit.fail("mine"))
        expect(seen).toEqual(Exit.fail("mine"))
        for (const effect of [token.refresh, token.value, token.use(Effect.succeed), Effect.scoped(token.get)]) {
          expect(yield* Effect.flip(effect)).toMatchObject({ _tag: "AlreadyCleanedUp", id: token.id })
        }
        expect(yield* (yield* registry).accounts).toMatchObject({ registered: 2, live: 0, cleaned: 2 })
      }).pipe(provide))

    it.effect("releases each value at the place of the refreshable, however late it was acquired (P4)", () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        const s = source()
        const guard = (name: string) =>
          ResourceGuard.make(Effect.void, () => Effect.sync(() => s.log.push(`released ${name}`)))
        yield* Scope.extend(
          Effect.gen(function*() {
            yield* guard("before")
            const token = yield* make(s)
            yield* guard("after")
            yield* token.refresh
          }),
          scope
        )
        yield* Scope.close(scope, Exit.void)
        expect(s.log.slice(-3)).toEqual(["released after", "released 2", "released before"])
      }).pipe(provide))

    it.effect("ends the refreshing before it releases the value", () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        const s = source()
        yield* Scope.extend(make(s, { schedule: Schedule.spaced("1 second"), interruptibleAcquire: true }), scope)
        yield* TestClock.adjust("1 second")
        s.otherwise = Effect.onInterrupt(Effect.never, () =>
          Effect.delay(Effect.sync(() => s.log.push("stopped")), "1 second"))
        yield* TestClock.adjust("1 second")
        expect(yield* closing(scope)).toBe(1_000)
        expect(s.log).toEqual(["acquired 1", "acquired 2", "released 1", "stopped", "released 2"])
        yield* TestClock.adjust("1 minute")
        expect(s.log.length).toBe(5)
        expect(Chunk.size(yield* TestClock.sleeps())).toBe(0)
      }).pipe(provide))

    it.effect("ends the schedule while that waits", () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        let isEnded = false
        const waiting = Effect.onInterrupt(Effect.never, () => Effect.sync(() => isEnded = true))
        yield* Scope.extend(
          make(source(), { schedule: Schedule.addDelayEffect(Schedule.forever, () => waiting) }),
          scope
        )
        yield* turns(5)
        expect(isEnded).toBe(false)
        yield* Scope.close(scope, Exit.void)
        expect(isEnded).toBe(true)
      }).pipe(provide))

    it.effect("interrupts a refresh whose acquire can be, and tells its callers at once", () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        const s = source()
        const token = yield* Scope.extend(make(s, { interruptibleAcquire: true }), scope)
        s.otherwise = Effect.never
        const caller = yield* Effect.fork(Effect.flip(token.refresh))
        yield* turns(5)
        expect(yield* closing(scope)).toBe(0)
        expect(yield* Fiber.join(caller)).toMatchObject({ _tag: "AlreadyCleanedUp" })
        expect(s.log).toEqual(["acquired 1", "released 1"])
        expect((yield* (yield* registry).snapshot).acquiring).toEqual([])
      }).pipe(provide))

    it.effect("waits for a refresh that cannot be interrupted, whose callers are told at once, and releases its value", () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        const s = source()
        const token = yield* Scope.extend(make(s), scope)
        s.otherwise = Effect.sleep("5 seconds")
        const caller = yield* Effect.fork(Effect.flip(token.refresh))
        yield* turns(5)
        const closed = yield* Effect.fork(closing(scope))
        yield* turns(10)
        expect(yield* Fiber.join(caller)).toMatchObject({ _tag: "AlreadyCleanedUp" })
        // What refreshes has ended; what is there can be used until it is released.
        expect(yield* Effect.flip(token.refresh)).toMatchObject({ _tag: "AlreadyCleanedUp" })
        expect(yield* token.use(Effect.succeed)).toBe(1)
        expect(yield* Fiber.join(closed)).toBe(5_000)
        expect(s.log.slice(0, 2)).toEqual(["acquired 1", "acquired 2"])
        expect(s.log.slice(2).sort()).toEqual(["released 1", "released 2"])
        expect((yield* token.snapshot).refreshes).toBe(0)
      }).pipe(provide))

    it.effect(`${kind} that closes is bounded by the time limit where a refresh hangs; its value is released when it comes after all (P3)`, () =>
      Effect.gen(function*() {
        const r = yield* registry
        const scope = yield* makeScope
        const s = source()
        const gate = yield* Deferred.make<void>()
        const token = yield* Scope.extend(make(s), scope)
        s.otherwise = Deferred.await(gate)
        yield* Effect.fork(token.refresh)
        yield* turns(5)
        expect(yield* closing(scope)).toBe(10_000)
        expect(s.log).toEqual(["acquired 1", "released 1"])
        yield* Deferred.succeed(gate, undefined)
        yield* turns(20)
        expect(s.log.slice(2)).toEqual(["acquired 2", "released 2"])
        expect(yield* r.snapshot).toMatchObject({ acquiring: [], accounts: { registered: 2, live: 0, cleaned: 2 } })
      }).pipe(provide))

    it.effect("waits for who uses any of the values, all within one time limit, and then for none (P3)", () =>
      Effect.gen(function*() {
        const r = yield* registry
        const scope = yield* makeScope
        const s = source()
        const users = yield* Scope.make()
        const token = yield* Scope.extend(make(s, { timeout: "9 seconds" }), scope)
        for (let i = 0; i < 4; i++) {
          yield* Scope.extend(token.get, users)
          yield* token.refresh
        }
        expect(yield* token.snapshot).toMatchObject({ earlier: 4 })
        expect(yield* closing(scope)).toBe(6_000)
        expect(s.log[5]).toBe("released 5")
        expect(s.log.slice(6).sort()).toEqual([1, 2, 3, 4].map((value) => `released ${value}`))
        yield* Scope.close(users, Exit.void)
        expect(yield* r.accounts).toMatchObject({ registered: 5, live: 0, cleaned: 5 })
      }).pipe(provide))

    it.effect("ends as soon as the last user does", () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        const s = source()
        const token = yield* Scope.extend(make(s), scope)
        yield* Effect.fork(token.use(() => Effect.sleep("2 seconds")))
        yield* turns(5)
        yield* token.refresh
        expect(yield* closing(scope)).toBe(2_000)
        expect(s.log.slice(2)).toEqual(["released 2", "released 1"])
      }).pipe(provide))

    it.effect(`${kind} that closes from inside a use, does not wait for that one (P8)`, () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        const s = source()
        const token = yield* Scope.extend(make(s), scope)
        yield* token.use(() => Effect.andThen(token.refresh, Scope.close(scope, Exit.void)))
        expect(s.log.slice(2).sort()).toEqual(["released 1", "released 2"])
      }).pipe(provide))

    it.effect("waits for the cleanup of an earlier value that runs", () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        const log: Array<string> = []
        const { acquire } = source()
        const token = yield* Scope.extend(
          ResourceGuard.refreshable(acquire, (value) =>
            Effect.delay(
              Effect.sync(() => log.push(`released ${value}`)),
              value === 1 ? "3 seconds" : "1 second"
            )),
          scope
        )
        yield* token.refresh
        expect(yield* closing(scope)).toBe(3_000)
        expect(log).toEqual(["released 2", "released 1"])
      }).pipe(provide))

    it.effect(`${kind} that closes and was closed before, has the value released at once and no refreshing`, () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        const s = source()
        yield* Scope.close(scope, Exit.void)
        const token = yield* Scope.extend(make(s, { schedule: Schedule.spaced("1 second") }), scope)
        expect(s.log).toEqual(["acquired 1", "released 1"])
        expect(yield* Effect.flip(token.refresh)).toMatchObject({ _tag: "AlreadyCleanedUp" })
        yield* TestClock.adjust("1 minute")
        expect(s.log.length).toBe(2)
      }).pipe(provide))

    it.effect("keeps nothing of earlier values, nor of refreshes that failed", () =>
      Effect.gen(function*() {
        const scope = yield* makeScope
        const seen: Array<WeakRef<object>> = []
        const acquire = Effect.map(Effect.scope, (own) => {
          const value = { own }
          seen.push(new WeakRef(value), new WeakRef(own))
          return value
        })
        const token = yield* Scope.extend(
          ResourceGuard.refreshable(
            Effect.suspend(() => seen.length % 4 === 2 ? Effect.andThen(acquire, Effect.fail("refused")) : acquire),
            () => Effect.void
          ),
          scope
        )
        for (let i = 0; i < 20; i++) yield* Effect.ignore(token.refresh)
        expect(seen.length).toBe(42)
        for (let i = 0; i < 10; i++) {
          yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
          globalThis.gc!()
        }
        // The last value, and the last failure.
        expect(seen.filter((ref) => ref.deref() !== undefined).length).toBeLessThanOrEqual(4)
        yield* Scope.close(scope, Exit.void)
      }).pipe(provide))
  })
}

describe("a ResourceScope", () => {
  it.effect("reports the value, and names a refresh that hangs", () =>
    Effect.gen(function*() {
      const scope = yield* ResourceScope.make({ timeout: "20 seconds", finalizerTimeout: "3 seconds" })
      const s = source()
      const token = yield* Scope.extend(make(s), scope)
      const gate = yield* Deferred.make<void>()
      s.otherwise = Deferred.await(gate)
      yield* Effect.fork(token.refresh)
      yield* turns(5)
      expect(yield* closing(scope)).toBe(3_000)
      expect(scope.report!.records.map(({ outcome, typeName }) => `${typeName} ${outcome}`)).toEqual([
        "refresh of Token abandoned",
        "Token cleaned"
      ])
      yield* Deferred.succeed(gate, undefined)
    }).pipe(provide))

  it.effect("keeps its deadline over users and a refresh together", () =>
    Effect.gen(function*() {
      const scope = yield* ResourceScope.make({ timeout: "4 seconds" })
      const s = source()
      const token = yield* Scope.extend(make(s), scope)
      const gate = yield* Deferred.make<void>()
      s.otherwise = Deferred.await(gate)
      yield* Effect.fork(token.refresh)
      yield* Effect.fork(token.use(() => Effect.never))
      yield* turns(5)
      expect(yield* closing(scope)).toBeLessThanOrEqual(4_000)
      expect(s.log).toEqual(["acquired 1", "released 1"])
      yield* Deferred.succeed(gate, undefined)
    }).pipe(provide))
})

describe("options of the guards hold at the close", () => {
  it.effect("a time limit of a minute is not cut short", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      let released = false
      yield* Scope.extend(
        ResourceGuard.refreshable(Effect.void, () => Effect.delay(Effect.sync(() => released = true), "50 seconds"), {
          timeout: "1 minute",
          attemptTimeout: "1 minute"
        }),
        scope
      )
      expect(yield* closing(scope)).toBe(50_000)
      expect(released).toBe(true)
    }).pipe(provide))

  it.effect("a refreshable with close background does not wait at the close", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const scope = yield* Scope.make()
      yield* Scope.extend(
        ResourceGuard.refreshable(Effect.void, () => Effect.sleep("3 seconds"), { close: "background" }),
        scope
      )
      expect(yield* closing(scope)).toBe(0)
      expect(yield* r.accounts).toMatchObject({ cleaning: 1 })
      yield* TestClock.adjust("3 seconds")
      expect(yield* r.accounts).toMatchObject({ live: 0, cleaned: 1 })
    }).pipe(provide))

  it.effect("a refreshable with onFailure die fails the close, where the program succeeded", () =>
    Effect.gen(function*() {
      const failing = ResourceGuard.refreshable(Effect.void, () => Effect.fail("refused"), { onFailure: "die" })
      expect(Exit.isFailure(yield* Effect.exit(Effect.scoped(failing)))).toBe(true)
      expect(yield* Effect.exit(Effect.scoped(Effect.andThen(failing, Effect.fail("mine"))))).toEqual(Exit.fail("mine"))
    }).pipe(provide))
})

describe("a registry that shuts down", () => {
  it.effect("takes in no other value, and ends the schedule; the refresh fails with a type", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const s = source()
      const token = yield* make(s, { schedule: Schedule.spaced("1 second") })
      yield* r.shutdown
      expect(s.log).toEqual(["acquired 1", "released 1"])
      expect(yield* Effect.flip(token.refresh)).toMatchObject({ _tag: "RegistryShuttingDown" })
      yield* TestClock.adjust("1 minute")
      expect(yield* token.snapshot).toMatchObject({ failures: 2 })
      expect(Chunk.size(yield* TestClock.sleeps())).toBe(0)
    }).pipe(Effect.scoped, provide))

  it.effect("a registry that shuts down has what a refresh brings meanwhile released, with all that was opened for it", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const s = source()
      const gate = yield* Deferred.make<void>()
      const token = yield* ResourceGuard.refreshable(
        Effect.tap(s.acquire, (value) => Effect.addFinalizer(() => Effect.sync(() => s.log.push(`closed ${value}`)))),
        s.release
      )
      s.otherwise = Deferred.await(gate)
      const caller = yield* Effect.fork(Effect.flip(token.refresh))
      yield* turns(5)
      const shutdown = yield* Effect.fork(r.shutdown)
      yield* turns(5)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(caller)).toMatchObject({ _tag: "RegistryShuttingDown" })
      expect(CleanupReport.isClean(yield* Fiber.join(shutdown))).toBe(true)
      expect(s.log).toEqual(["acquired 1", "released 1", "closed 1", "acquired 2", "released 2", "closed 2"])
    }).pipe(Effect.scoped, provide))

  it.effect("waits for users, as far as its limits allow", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const s = source()
      const token = yield* make(s)
      yield* Effect.fork(token.use(() => Effect.sleep("2 seconds")))
      yield* Effect.fork(token.use(() => Effect.never))
      yield* turns(5)
      const shutdown = yield* Effect.fork(r.shutdown)
      yield* TestClock.adjust("6600 millis")
      expect(s.log).toEqual(["acquired 1"])
      yield* TestClock.adjust("100 millis")
      expect(s.log).toEqual(["acquired 1", "released 1"])
      expect(CleanupReport.isClean(yield* Fiber.join(shutdown))).toBe(true)
    }).pipe(Effect.scoped, provide))
})
