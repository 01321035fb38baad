/** Shows `CleanupLog`. */
import { describe, expect, it } from "@effect/vitest"
import { TestLog } from "@patinox/vitest"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberRef,
  HashMap,
  Logger,
  LogLevel,
  Scope,
  TestClock
} from "effect"
import { type CleanupError, ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

const refusing = (): Effect.Effect<void> => {
  throw new Error("thrown")
}

const faults: ReadonlyArray<{
  readonly name: string
  readonly release: () => Effect.Effect<unknown, string>
  readonly state: ResourceGuard.GuardState
  readonly tag: CleanupError.CleanupError<string>["_tag"]
  readonly message: RegExp
}> = [
  {
    name: "fails",
    release: () => Effect.fail("refused"),
    state: "failed",
    tag: "CleanupFailed",
    message: /failed after 1 attempt: refused$/
  },
  {
    name: "throws before it returns an effect",
    release: refusing,
    state: "failed",
    tag: "CleanupFailed",
    message: /failed after 1 attempt: Error: thrown$/
  },
  {
    name: "dies",
    release: () => Effect.die(new Error("broken")),
    state: "failed",
    tag: "CleanupFailed",
    message: /failed after 1 attempt: Error: broken$/
  },
  {
    name: "is interrupted from inside",
    release: () => Effect.interrupt,
    state: "failed",
    tag: "CleanupFailed",
    message: /failed after 1 attempt/
  },
  {
    name: "returns what is no effect",
    release: () => undefined as never,
    state: "failed",
    tag: "CleanupFailed",
    message: /failed after 1 attempt/
  },
  {
    name: "never returns",
    release: () => Effect.never,
    state: "abandoned",
    tag: "CleanupTimeout",
    message: /timed out after 10 s and 1 attempt; it did not stop, was abandoned and may still be running$/
  },
  {
    name: "ignores interruption",
    release: () => Effect.uninterruptible(Effect.never),
    state: "abandoned",
    tag: "CleanupTimeout",
    message: /timed out after 10 s/
  },
  {
    name: "waits in a region that it marks interruptible, for ever",
    release: () => Effect.interruptible(Effect.never),
    state: "failed",
    tag: "CleanupTimeout",
    message: /it was stopped$/
  }
]

describe("a release that", () => {
  for (const { message, name, release, state, tag } of faults) {
    it.effect(`${name} ends ${state} with a ${tag}, keeps nothing else from running, and changes no result (P2, P5)`, () =>
      Effect.gen(function*() {
        const r = yield* registry
        const others: Array<string> = []
        const other = (name: string) =>
          ResourceGuard.acquireRelease(Effect.void, () => Effect.sync(() => others.push(name)))
        const scope = yield* Scope.make()
        const guard = yield* Scope.extend(
          Effect.zipLeft(Effect.andThen(other("before"), ResourceGuard.make(Effect.void, release)), other("after")),
          scope
        )
        const closing = yield* Effect.fork(Effect.exit(Scope.close(scope, Exit.void)))
        yield* TestClock.adjust("10 seconds")
        expect(yield* Fiber.join(closing)).toEqual(Exit.void)
        expect(others).toEqual(["after", "before"])
        expect(yield* guard.state).toBe(state)
        const [letter] = yield* r.deadLetters.list
        expect(letter?.record.error?._tag).toBe(tag)
        expect(letter?.record.error?.message).toMatch(message)
        const { cleaned, live, registered } = yield* r.accounts
        expect({ cleaned, live, registered }).toEqual({ cleaned: 2, live: 0, registered: 3 })
      }).pipe(provide))
  }

  it.effect("ends at once however it is written ends in the caller's turn: no other fiber gets one between", () =>
    Effect.gen(function*() {
      let turns = 0
      const other = yield* Effect.fork(Effect.forever(Effect.andThen(Effect.sync(() => turns++), Effect.yieldNow())))
      yield* Effect.yieldNow()
      const before = turns
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void))
      expect(turns).toBe(before)
      yield* Fiber.interrupt(other)
    }).pipe(provide))
})

describe("a release runs", () => {
  class Locale extends Context.Tag("app/Locale")<Locale, string>() {}

  it.effect("a release runs with the context and FiberRefs of the acquire, not those of whoever closes", () =>
    Effect.gen(function*() {
      const ref = yield* FiberRef.make("default")
      const seen: Array<unknown> = []
      const scope = yield* Scope.make()
      yield* Scope.extend(
        ResourceGuard.make(Effect.void, () =>
          Effect.gen(function*() {
            seen.push(
              yield* Locale,
              yield* FiberRef.get(ref),
              HashMap.size(yield* FiberRef.get(FiberRef.currentLogAnnotations))
            )
          })),
        scope
      ).pipe(
        Effect.locally(ref, "acquire"),
        Effect.annotateLogs("request", "1"),
        Effect.provideService(Locale, "acquire")
      )
      yield* Scope.close(scope, Exit.void).pipe(Effect.locally(ref, "closer"), Effect.provideService(Locale, "closer"))
      expect(seen).toEqual(["acquire", "acquire", 1])
    }).pipe(Effect.scoped, provide))

  it.effect("a release runs uninterruptibly: who waits for it may be interrupted, the release goes on", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let released = false
      const guard = yield* ResourceGuard.make(
        Effect.void,
        () => Effect.andThen(Deferred.await(gate), Effect.sync(() => released = true))
      )
      const waiting = yield* Effect.fork(guard.cleanup)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(waiting)
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.flatMap(registry, (r) => r.awaitIdle)
      expect(released).toBe(true)
      expect(yield* guard.state).toBe("cleaned")
    }).pipe(Effect.scoped, provide))

  it.effect("a release's failure is logged inside the close, with the acquire's log settings and the resource's id", () =>
    Effect.gen(function*() {
      const { entries, layer } = TestLog.make()
      const guard = yield* Effect.scoped(
        ResourceGuard.make(Effect.void, () => Effect.fail("refused"), { typeName: "Database" })
      ).pipe(Effect.annotateLogs("request", "1"), Effect.provide(layer))
      expect(entries).toHaveLength(1)
      expect(entries[0]).toMatchObject({
        level: "ERROR",
        annotations: { request: "1", "patinox.resource.id": guard.id, "patinox.resource.type": "Database" }
      })
      expect(entries[0]!.message).toContain("Cleanup of Database")
      expect(Cause.pretty(entries[0]!.cause)).toContain("refused")
    }).pipe(provide))

  it.effect("a logger that throws reaches neither the cleanup nor the program", () =>
    Effect.gen(function*() {
      const throwing = Logger.make(() => {
        throw new Error("broken logger")
      })
      const exit = yield* Effect.exit(
        Effect.scoped(Effect.as(ResourceGuard.make(Effect.void, () => Effect.fail("refused")), "fine")).pipe(
          Effect.provide(Logger.replace(Logger.defaultLogger, throwing)),
          Logger.withMinimumLogLevel(LogLevel.All)
        )
      )
      expect(exit).toEqual(Exit.succeed("fine"))
    }).pipe(provide))
})

describe("borrowing", () => {
  it.effect("holds the cleanup back until the limit leaves one attempt; then the release runs beside it, forced", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let releasedAt = -1
      const guard = yield* ResourceGuard.make(
        Effect.succeed("value"),
        () => Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (now) => releasedAt = now)),
        { timeout: "9 seconds" }
      )
      const borrowing = yield* Effect.fork(guard.use(() => Effect.never))
      yield* Effect.yieldNow()
      expect((yield* r.snapshot).live[0]?.holders).toHaveLength(1)
      const cleaning = yield* Effect.fork(guard.cleanup)
      yield* TestClock.adjust("5999 millis")
      expect(releasedAt).toBe(-1)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(cleaning)
      expect(releasedAt).toBe(6000)
      yield* Fiber.interrupt(borrowing)
    }).pipe(Effect.scoped, provide))

  it.effect("borrowing of a guard that is being cleaned up, or gone, fails with AlreadyCleanedUp", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const guard = yield* ResourceGuard.make(Effect.succeed(1), () => Deferred.await(gate))
      expect(yield* guard.use((n) => Effect.succeed(n + 1))).toBe(2)
      expect(yield* guard.update((n) => n + 41)).toBe(42)
      expect(yield* guard.value).toBe(42)
      const cleaning = yield* Effect.fork(guard.cleanup)
      yield* Effect.yieldNow()
      for (const use of [guard.value, guard.update((n) => n), guard.use(Effect.succeed), guard.disarm]) {
        expect((yield* Effect.flip(use))._tag).toBe("AlreadyCleanedUp")
      }
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(cleaning)
      expect((yield* Effect.flip(guard.value))._tag).toBe("AlreadyCleanedUp")
    }).pipe(Effect.scoped, provide))

  it.effect("borrowing by the fiber that cleans up is not waited for: it would wait for itself (P8)", () =>
    Effect.gen(function*() {
      const guard = yield* ResourceGuard.make(Effect.void, () => Effect.void)
      yield* guard.use(() => guard.cleanup)
      expect(yield* guard.state).toBe("cleaned")
    }).pipe(Effect.scoped, provide))

  it.effect("an interrupted borrower lets go", () =>
    Effect.gen(function*() {
      const guard = yield* ResourceGuard.make(Effect.void, () => Effect.void)
      const borrowing = yield* Effect.fork(guard.use(() => Effect.never))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(borrowing)
      yield* guard.cleanup
      expect(yield* guard.state).toBe("cleaned")
    }).pipe(Effect.scoped, provide))

  it.effect("what release gets is what update put there, and it never shows in inspection or JSON", () =>
    Effect.gen(function*() {
      let released = ""
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(
          Effect.succeed("secret"),
          (value) => Effect.sync(() => released = value),
          { typeName: "Token" }
        )
        yield* guard.update(() => "rotated secret")
        expect(JSON.stringify(guard)).toBe(JSON.stringify({
          _id: "ResourceGuard",
          id: guard.id,
          typeName: "Token",
          state: "inUse"
        }))
        expect(String(guard)).not.toContain("secret")
        const inspected = (guard as unknown as Record<symbol, () => unknown>)[Symbol.for("nodejs.util.inspect.custom")]
        expect(JSON.stringify(inspected?.call(guard))).not.toContain("secret")
      }))
      expect(released).toBe("rotated secret")
    }).pipe(provide))
})
