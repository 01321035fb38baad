/** Where `effect/Resource` and `ScopedRef` go wrong, each fault beside what a refreshable does there. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Resource, Schedule, Scope, ScopedRef, TestClock } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"

const provide = Effect.provide(ResourceRegistry.layerTest)
const turns = (n: number) => Effect.repeatN(Effect.yieldNow(), n)

/** Values 1, 2, 3 ..; each acquire but the first does what is in `next` before it opens. */
const source = () => {
  const log: Array<string> = []
  const state = { acquires: 0, next: Effect.void as Effect.Effect<unknown, "refused"> }
  const acquire: Effect.Effect<number, "refused"> = Effect.suspend(() => {
    const value = ++state.acquires
    return Effect.map(value === 1 ? Effect.void : state.next, () => {
      log.push(`acquired ${value}`)
      return value
    })
  })
  const release = (value: number) => Effect.sync(() => log.push(`released ${value}`))
  return { log, state, acquire, release, plain: Effect.acquireRelease(acquire, release) }
}

const minute = Schedule.spaced("1 minute")

describe("the first refresh that fails", () => {
  const steps = (state: ReturnType<typeof source>["state"], end: Effect.Effect<never, "refused">) =>
    Effect.gen(function*() {
      yield* TestClock.adjust("1 minute")
      state.next = end
      yield* TestClock.adjust("1 minute")
      state.next = Effect.void
      yield* TestClock.adjust("3 minutes")
    })

  for (
    const [name, end] of [["a typed error", Effect.fail("refused" as const)], ["a defect", Effect.die("bug")]] as const
  ) {
    it.effect(`Resource.auto: ends the refreshing, without a word (${name})`, () =>
      Effect.gen(function*() {
        const s = source()
        yield* Resource.auto(s.plain, minute)
        yield* steps(s.state, end)
        expect(s.state.acquires).toBe(3)
      }).pipe(Effect.scoped))

    it.effect(`refreshable: it goes on (${name})`, () =>
      Effect.gen(function*() {
        const s = source()
        const token = yield* ResourceGuard.refreshable(s.acquire, s.release, { schedule: minute })
        yield* steps(s.state, end)
        expect(s.state.acquires).toBe(6)
        expect(yield* token.value).toBe(6)
      }).pipe(Effect.scoped, provide))
  }
})

describe("after a refresh that failed", () => {
  it.effect("Resource and ScopedRef: give a value that has been released", () =>
    Effect.gen(function*() {
      const s = source()
      const resource = yield* Resource.manual(s.plain)
      s.state.next = Effect.fail("refused")
      expect(yield* Effect.flip(Resource.refresh(resource))).toBe("refused")
      expect(yield* Resource.get(resource)).toBe(1)
      expect(s.log).toEqual(["acquired 1", "released 1"])

      const t = source()
      const ref = yield* ScopedRef.fromAcquire(t.plain)
      t.state.next = Effect.fail("refused")
      yield* Effect.flip(ScopedRef.set(ref, t.plain))
      expect(yield* ScopedRef.get(ref)).toBe(1)
      expect(t.log).toEqual(["acquired 1", "released 1"])
    }).pipe(Effect.scoped))

  it.effect("refreshable: the old value is open", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* ResourceGuard.refreshable(s.acquire, s.release)
      s.state.next = Effect.fail("refused")
      expect(yield* Effect.flip(token.refresh)).toBe("refused")
      expect(yield* token.value).toBe(1)
      expect(s.log).toEqual(["acquired 1"])
    }).pipe(Effect.scoped, provide))
})

describe("the order of a refresh", () => {
  it.effect("Resource: releases the old value first, so that there is none while it acquires", () =>
    Effect.gen(function*() {
      const s = source()
      const resource = yield* Resource.manual(s.plain)
      yield* Resource.refresh(resource)
      expect(s.log).toEqual(["acquired 1", "released 1", "acquired 2"])
    }).pipe(Effect.scoped))

  it.effect("refreshable: new before old", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* ResourceGuard.refreshable(s.acquire, s.release)
      yield* token.refresh
      expect(s.log).toEqual(["acquired 1", "acquired 2", "released 1"])
    }).pipe(Effect.scoped, provide))
})

describe("values that were replaced", () => {
  it.effect("Resource: stay open until its scope closes, from the second on", () =>
    Effect.gen(function*() {
      const s = source()
      yield* Effect.scoped(Effect.gen(function*() {
        const resource = yield* Resource.manual(s.plain)
        for (let i = 0; i < 3; i++) yield* Resource.refresh(resource)
        expect(s.log).toEqual(["acquired 1", "released 1", "acquired 2", "acquired 3", "acquired 4"])
      }))
      expect(s.log.slice(5)).toEqual(["released 4", "released 3", "released 2"])
    }))

  it.effect("refreshable: are released at once, an acquire's own Scope included", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* ResourceGuard.refreshable(s.plain, () => Effect.void)
      for (let i = 0; i < 3; i++) yield* token.refresh
      expect(s.log.slice(1)).toEqual([1, 2, 3].flatMap((n) => [`acquired ${n + 1}`, `released ${n}`]))
    }).pipe(Effect.scoped, provide))
})

describe("who uses the value", () => {
  it.effect("Resource: has it released under it", () =>
    Effect.gen(function*() {
      const s = source()
      const resource = yield* Resource.manual(s.plain)
      yield* Effect.flatMap(Resource.get(resource), (value) =>
        Effect.gen(function*() {
          yield* Resource.refresh(resource)
          expect(s.log).toContain(`released ${value}`)
        }))
    }).pipe(Effect.scoped))

  it.effect("refreshable: finishes first", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* ResourceGuard.refreshable(s.acquire, s.release)
      yield* token.use((value) =>
        Effect.gen(function*() {
          yield* token.refresh
          expect(s.log).not.toContain(`released ${value}`)
        })
      )
      expect(s.log).toContain("released 1")
    }).pipe(Effect.scoped, provide))
})

describe("two refreshes at once", () => {
  const twice = <E, R>(refresh: Effect.Effect<unknown, E, R>, gate: Deferred.Deferred<void>) =>
    Effect.gen(function*() {
      const both = yield* Effect.all([Effect.fork(refresh), Effect.fork(refresh)])
      yield* turns(5)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(both))
    })

  it.effect("Resource: acquires twice, one after the other", () =>
    Effect.gen(function*() {
      const s = source()
      const resource = yield* Resource.manual(s.plain)
      const gate = yield* Deferred.make<void>()
      s.state.next = Deferred.await(gate)
      yield* twice(Resource.refresh(resource), gate)
      expect(s.state.acquires).toBe(3)
    }).pipe(Effect.scoped))

  it.effect("refreshable: are one", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* ResourceGuard.refreshable(s.acquire, s.release)
      const gate = yield* Deferred.make<void>()
      s.state.next = Deferred.await(gate)
      yield* twice(token.refresh, gate)
      expect(s.state.acquires).toBe(2)
    }).pipe(Effect.scoped, provide))
})

describe("a refresh while the scope closes, and one after it", () => {
  it.effect("ScopedRef: each opens a value that nobody releases", () =>
    Effect.gen(function*() {
      const s = source()
      const scope = yield* Scope.make()
      const ref = yield* Scope.extend(ScopedRef.fromAcquire(s.plain), scope)
      const gate = yield* Deferred.make<void>()
      s.state.next = Deferred.await(gate)
      const during = yield* Effect.fork(ScopedRef.set(ref, s.plain))
      yield* turns(5)
      yield* Scope.close(scope, Exit.void)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(during)
      expect(s.log).toEqual(["acquired 1", "released 1", "acquired 2"])
      yield* ScopedRef.set(ref, s.plain)
      expect(s.log.slice(3)).toEqual(["released 2", "acquired 3"])
    }))

  it.effect("refreshable: both fail with a type, and nothing is left", () =>
    Effect.gen(function*() {
      const s = source()
      const scope = yield* Scope.make()
      const token = yield* Scope.extend(ResourceGuard.refreshable(s.acquire, s.release), scope)
      const gate = yield* Deferred.make<void>()
      s.state.next = Deferred.await(gate)
      const during = yield* Effect.fork(Effect.flip(token.refresh))
      yield* turns(5)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* turns(5)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      expect(yield* Fiber.join(during)).toMatchObject({ _tag: "AlreadyCleanedUp" })
      expect(yield* Effect.flip(token.refresh)).toMatchObject({ _tag: "AlreadyCleanedUp" })
      expect([...s.log].sort()).toEqual(["acquired 1", "acquired 2", "released 1", "released 2"])
    }).pipe(provide))
})

describe("a release that fails", () => {
  it.effect("Resource: has no type, and its defect fails the refresh before anything is acquired", () =>
    Effect.gen(function*() {
      const s = source()
      const scope = yield* Scope.make()
      const plain = Effect.acquireRelease(s.acquire, () => Effect.die("reset"))
      const resource = yield* Scope.extend(Resource.manual(plain), scope)
      expect(yield* Effect.exit(Resource.refresh(resource))).toEqual(Exit.die("reset"))
      expect(s.state.acquires).toBe(1)
      yield* Effect.exit(Scope.close(scope, Exit.void))
    }))

  it.effect("refreshable: is the registry's affair; the refresh succeeds", () =>
    Effect.gen(function*() {
      const s = source()
      const r = yield* ResourceRegistry.ResourceRegistry
      const token = yield* ResourceGuard.refreshable(s.acquire, () => Effect.fail("reset"))
      yield* token.refresh
      expect(yield* token.value).toBe(2)
      expect((yield* r.deadLetters.list).length).toBe(1)
    }).pipe(Effect.scoped, provide))
})
