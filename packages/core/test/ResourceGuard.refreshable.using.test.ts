import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"
import { make, source, turns } from "./refreshableSource.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

describe("who uses a value", () => {
  it.effect("who uses a value by use has it until the callback has ended, whatever refreshes there are", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s)
      const gate = yield* Deferred.make<void>()
      const using = yield* Effect.fork(token.use((value) => Effect.as(Deferred.await(gate), value)))
      const other = yield* Effect.fork(token.use(() => Deferred.await(gate)))
      yield* turns(3)
      expect(yield* token.snapshot).toMatchObject({ users: 2, earlier: 0 })
      yield* token.refresh
      yield* token.refresh
      expect(yield* token.use(Effect.succeed)).toBe(3)
      expect(s.log).toEqual(["acquired 1", "acquired 2", "acquired 3", "released 2"])
      expect(yield* token.snapshot).toMatchObject({ users: 0, earlier: 1 })
      yield* Fiber.interrupt(other)
      expect(s.log.length).toBe(4)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(using)).toBe(1)
      expect(s.log.slice(4)).toEqual(["released 1"])
    }).pipe(Effect.scoped, provide))

  it.effect("who uses a value by get has it until the scope closes", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s)
      const scope = yield* Scope.make()
      expect(yield* Scope.extend(token.get, scope)).toBe(1)
      expect(yield* Scope.extend(token.get, scope)).toBe(1)
      yield* token.refresh
      expect(yield* Scope.extend(token.get, scope)).toBe(2)
      expect(s.log).toEqual(["acquired 1", "acquired 2"])
      yield* Scope.close(scope, Exit.void)
      expect(s.log).toEqual(["acquired 1", "acquired 2", "released 1"])
      expect(yield* token.snapshot).toMatchObject({ users: 0, earlier: 0 })
    }).pipe(Effect.scoped, provide))

  const ends: Readonly<Record<string, Effect.Effect<string, string>>> = {
    "succeeds": Effect.succeed("done"),
    "fails": Effect.fail("mine"),
    "dies": Effect.die("bug"),
    "interrupts itself": Effect.interrupt
  }
  for (const [name, end] of Object.entries(ends)) {
    it.effect(`who uses a value by use lets go where the callback ${name}, and has its exit`, () =>
      Effect.gen(function*() {
        const token = yield* make(source())
        expect(yield* Effect.exit(token.use(() => end))).toEqual(yield* Effect.exit(end))
        expect((yield* token.snapshot).users).toBe(0)
      }).pipe(Effect.scoped, provide))
  }

  it.effect("lets go where the callback throws", () =>
    Effect.gen(function*() {
      const token = yield* make(source())
      const exit = yield* Effect.exit(token.use((): Effect.Effect<void> => {
        throw new Error("no effect")
      }))
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("no effect")
      expect((yield* token.snapshot).users).toBe(0)
    }).pipe(Effect.scoped, provide))

  it.effect("who uses a value can be interrupted", () =>
    Effect.gen(function*() {
      const token = yield* make(source())
      const fiber = yield* Effect.fork(token.use(() => Effect.never))
      yield* turns(3)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
      expect((yield* token.snapshot).users).toBe(0)
    }).pipe(Effect.scoped, provide))

  it.effect("who uses a value is named in the registry's snapshot, with the span and since when", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const token = yield* make(source())
      yield* Effect.withSpan(token.get, "handler")
      yield* TestClock.adjust("3 seconds")
      const { live } = yield* r.snapshot
      expect(live.map(({ holders }) => holders)).toMatchObject([[{ spanName: "handler", heldMillis: 3_000 }]])
    }).pipe(Effect.scoped, provide))

  it.effect("who uses a value may keep an earlier value for hours: its time limit begins when the last user is gone", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const token = yield* ResourceGuard.refreshable(
        source().acquire,
        (value) => value === 1 ? Effect.interruptible(Effect.never) : Effect.void,
        { timeout: "10 seconds" }
      )
      const scope = yield* Scope.make()
      yield* Scope.extend(token.get, scope)
      yield* token.refresh
      yield* TestClock.adjust("5 hours")
      expect(yield* r.accounts).toMatchObject({ inUse: 2, cleaning: 0, abandoned: 0, failed: 0 })
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("3 seconds")
      expect(yield* r.accounts).toMatchObject({ inUse: 1, cleaning: 1, failed: 0 })
      yield* TestClock.adjust("7 seconds")
      expect(yield* r.accounts).toMatchObject({ inUse: 1, cleaning: 0, failed: 1 })
    }).pipe(Effect.scoped, provide))

  it.effect("who uses a value is waited for by a cleanup that the registry was asked for, as far as its limit allows", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const s = source()
      const token = yield* make(s, { timeout: "9 seconds" })
      yield* token.get
      const cleaning = yield* Effect.fork(r.cleanup(token.id))
      yield* TestClock.adjust("5900 millis")
      expect(s.log).toEqual(["acquired 1"])
      expect(yield* token.state).toBe("cleaning")
      yield* TestClock.adjust("100 millis")
      expect(s.log).toEqual(["acquired 1", "released 1"])
      yield* Fiber.join(cleaning)
    }).pipe(Effect.scoped, provide))
})

describe("what is acquired on the way to a value", () => {
  /** A value with a part that its acquire binds to its Scope. */
  const composed = (log: Array<string>, end: Effect.Effect<unknown, "refused"> = Effect.void) => {
    let n = 0
    return Effect.suspend(() => {
      const value = ++n
      return Effect.acquireRelease(
        Effect.sync(() => log.push(`opened ${value}`)),
        () => Effect.sync(() => log.push(`closed ${value}`))
      ).pipe(Effect.andThen(value > 1 ? end : Effect.void), Effect.as(value))
    })
  }

  it.effect("what is acquired on the way to a value is released with the value and after it, not with the refreshable", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const token = yield* ResourceGuard.refreshable(
          composed(log),
          (value) => Effect.sync(() => log.push(`released ${value}`))
        )
        yield* token.refresh
        expect(log).toEqual(["opened 1", "opened 2", "released 1", "closed 1"])
      }))
      expect(log.slice(4)).toEqual(["released 2", "closed 2"])
    }).pipe(provide))

  it.effect("what is acquired on the way to a value is released where the acquire then fails", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const token = yield* ResourceGuard.refreshable(composed(log, Effect.fail("refused")), () => Effect.void)
      expect(yield* Effect.flip(token.refresh)).toBe("refused")
      expect(log).toEqual(["opened 1", "opened 2", "closed 2"])
      expect(yield* token.value).toBe(1)
    }).pipe(Effect.scoped, provide))

  it.effect("what is acquired on the way to a value is released though the release hangs or the registry forces it (P2)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const log: Array<string> = []
      const token = yield* ResourceGuard.refreshable(
        composed(log),
        () => Effect.uninterruptible(Effect.never),
        { timeout: "6 seconds" }
      )
      yield* token.refresh
      expect(log).toEqual(["opened 1", "opened 2"])
      yield* TestClock.adjust("6 seconds")
      expect(log).toEqual(["opened 1", "opened 2", "closed 1"])
      const forcing = yield* Effect.fork(r.forceCleanupAll)
      yield* TestClock.adjust("6 seconds")
      expect(log.slice(3)).toEqual(["closed 2"])
      expect((yield* Fiber.join(forcing)).totals.abandoned).toBe(1)
    }).pipe(Effect.scoped, provide))
})

describe("a guard that depends on a refreshable", () => {
  it.effect("stays when that is refreshed, and depends on the value that came", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const s = source()
      const token = yield* make(s)
      const dependent = yield* ResourceGuard.make(
        Effect.succeed("client"),
        () => Effect.sync(() => s.log.push("released client")),
        { dependsOn: [token] }
      )
      yield* token.refresh
      expect(yield* dependent.state).toBe("inUse")
      expect(dependent.info.dependencies).toEqual([token.id])
      expect(s.log).toEqual(["acquired 1", "acquired 2", "released 1"])
      yield* r.cleanup(token.id)
      expect(s.log.slice(3)).toEqual(["released client", "released 2"])
    }).pipe(Effect.scoped, provide))

  it.effect("a guard that is being acquired while a refreshable is refreshed depends on the value that came", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const s = source()
      const token = yield* make(s)
      const gate = yield* Deferred.make<void>()
      const scope = yield* Effect.scope
      const acquiring = yield* Effect.fork(Scope.extend(
        ResourceGuard.make(Deferred.await(gate), () => Effect.void, { dependsOn: [token] }),
        scope
      ))
      yield* turns(3)
      yield* token.refresh
      expect(s.log.slice(1)).toEqual(["acquired 2", "released 1"])
      yield* Deferred.succeed(gate, undefined)
      const dependent = yield* Fiber.join(acquiring)
      expect(dependent.info.dependencies).toEqual([token.id])
      expect((yield* r.snapshot).live.map(({ holders }) => holders)).toEqual([[], []])
    }).pipe(Effect.scoped, provide))

  it.effect("fails the refresh where what the refreshable itself depends on is gone", () =>
    Effect.gen(function*() {
      const base = yield* ResourceGuard.make(Effect.void, () => Effect.void)
      const token = yield* ResourceGuard.refreshable(Effect.succeed(1), () => Effect.void, { dependsOn: [base] })
      yield* token.refresh
      yield* base.cleanup
      expect(yield* token.state).toBe("cleaned")
      expect(yield* Effect.flip(token.refresh)).toMatchObject({ _tag: "UnknownDependency", reason: "cleaned up" })
    }).pipe(Effect.scoped, provide))
})
