import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, ExecutionStrategy, Exit, Fiber, Option, Scope } from "effect"
import { type CleanupReport, ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

const finalizersOf = (scope: Scope.Scope): number =>
  (scope as unknown as { readonly state: { readonly finalizers: { readonly size: number } } }).state.finalizers.size

/** A guard whose release says when it started, and ends when it is let go. */
const gated = Effect.gen(function*() {
  const started = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<void>()
  let releases = 0
  const guard = ResourceGuard.make(
    Effect.succeed("value"),
    () =>
      Effect.gen(function*() {
        releases++
        yield* Deferred.succeed(started, undefined)
        yield* Deferred.await(gate)
      }),
    { typeName: "Gated" }
  )
  return {
    guard,
    started: Deferred.await(started),
    letGo: Deferred.succeed(gate, undefined),
    releases: () => releases
  }
})

describe("a scope that closes", () => {
  it.effect("a scope that closes while a cleanup already runs waits for it, and the release runs once (P1)", () =>
    Effect.gen(function*() {
      const { guard, letGo, releases, started } = yield* gated
      const scope = yield* Scope.make()
      const { cleanup } = yield* Scope.extend(guard, scope)
      const cleaning = yield* Effect.fork(cleanup)
      yield* started
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.yieldNow()
      expect(Option.isNone(yield* Fiber.poll(closing))).toBe(true)
      yield* letGo
      yield* Fiber.join(closing)
      yield* Fiber.join(cleaning)
      expect(releases()).toBe(1)
    }).pipe(provide))

  it.effect("waits for a cleanup whose caller was interrupted meanwhile", () =>
    Effect.gen(function*() {
      const { guard, letGo, releases, started } = yield* gated
      const scope = yield* Scope.make()
      const { cleanup, state } = yield* Scope.extend(guard, scope)
      const cleaning = yield* Effect.fork(cleanup)
      yield* started
      yield* Fiber.interrupt(cleaning)
      expect(yield* state).toBe("cleaning")
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* letGo
      yield* Fiber.join(closing)
      expect(yield* state).toBe("cleaned")
      expect(releases()).toBe(1)
    }).pipe(provide))

  it.effect("hands its exit to the release; an early cleanup a success, a forced one an interruption", () =>
    Effect.gen(function*() {
      const exits: Record<string, Exit.Exit<unknown, unknown>> = {}
      const guard = (name: string) =>
        ResourceGuard.make(Effect.void, (_, exit) => Effect.sync(() => exits[name] = exit))
      yield* Effect.exit(Effect.scoped(Effect.andThen(guard("scope"), Effect.fail("mine"))))
      yield* Effect.scoped(Effect.flatMap(guard("early"), (early) => early.cleanup))
      yield* Effect.scoped(Effect.andThen(guard("forced"), Effect.flatMap(registry, (r) => r.forceCleanupAll)))
      expect(exits["scope"]).toEqual(Exit.fail("mine"))
      expect(exits["early"]).toEqual(Exit.void)
      expect(Exit.isInterrupted(exits["forced"]!)).toBe(true)
    }).pipe(provide))

  it.effect("keeps nothing of a guard that was cleaned up early, disarmed or transferred", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const other = yield* Scope.make()
      const guard = Scope.extend(ResourceGuard.make(Effect.void, () => Effect.void), scope)
      const [cleaned, disarmed, transferred] = yield* Effect.all([guard, guard, guard])
      expect(finalizersOf(scope)).toBe(3)
      yield* cleaned.cleanup
      yield* disarmed.disarm
      yield* transferred.transferTo(other)
      expect(finalizersOf(scope)).toBe(0)
      expect(finalizersOf(other)).toBe(1)
    }).pipe(provide))

  it.effect("a scope that closes with a parallel strategy runs the releases side by side", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make(ExecutionStrategy.parallel)
      const both = yield* Deferred.make<void>()
      let running = 0
      const meeting = ResourceGuard.make(
        Effect.void,
        () => Effect.suspend(() => ++running === 2 ? Deferred.succeed(both, undefined) : Deferred.await(both))
      )
      yield* Scope.extend(Effect.andThen(meeting, meeting), scope)
      yield* Scope.close(scope, Exit.void)
      expect(
        (yield* Effect.flatMap(registry, (r) => r.accounts)).cleaned
      ).toBe(2)
    }).pipe(provide))

  it.effect("a scope that closes is not failed by a failed cleanup, unless onFailure is die and the program succeeded (P5)", () =>
    Effect.gen(function*() {
      const failing = (onFailure: "log" | "die") =>
        ResourceGuard.make(Effect.void, () => Effect.fail("refused"), { onFailure })
      expect(yield* Effect.exit(Effect.scoped(Effect.as(failing("log"), 1)))).toEqual(Exit.succeed(1))
      const died = yield* Effect.exit(Effect.scoped(Effect.as(failing("die"), 1)))
      expect(Exit.isFailure(died) && Cause.squash(died.cause)).toMatchObject({ _tag: "CleanupFailed" })
      expect(yield* Effect.exit(Effect.scoped(Effect.andThen(failing("die"), Effect.fail("mine"))))).toEqual(
        Exit.fail("mine")
      )
      const interrupted = yield* Effect.exit(Effect.scoped(Effect.andThen(failing("die"), Effect.interrupt)))
      expect(Exit.isFailure(interrupted) && Cause.isInterruptedOnly(interrupted.cause)).toBe(true)
    }).pipe(provide))

  it.effect("a scope that closes is not failed by a cleanup that was called for early: its caller has the typed error already", () =>
    Effect.gen(function*() {
      const failing = ResourceGuard.make(Effect.void, () => Effect.fail("refused"), { onFailure: "die" })
      const error = yield* Effect.scoped(Effect.flatMap(failing, (guard) => Effect.flip(guard.cleanup)))
      expect(error._tag).toBe("CleanupFailed")
      const gate = yield* Deferred.make<void>()
      const running = yield* Effect.scoped(Effect.flatMap(
        ResourceGuard.make(Effect.void, () => Effect.andThen(Deferred.await(gate), Effect.fail("refused")), {
          onFailure: "die"
        }),
        (guard) =>
          Effect.fork(Effect.flip(guard.cleanup)).pipe(
            Effect.zipLeft(Effect.yieldNow()),
            Effect.zipLeft(Deferred.succeed(gate, undefined))
          )
      ))
      expect((yield* Fiber.join(running))._tag).toBe("CleanupFailed")
    }).pipe(provide))

  it.effect("a scope that closes with close background does not wait; the registry runs it with the scope's exit", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      let seen: Exit.Exit<unknown, unknown> | undefined
      yield* Effect.exit(Effect.scoped(Effect.andThen(
        ResourceGuard.make(
          Effect.void,
          (_, exit) => Effect.andThen(Deferred.await(gate), Effect.sync(() => seen = exit)),
          { close: "background" }
        ),
        Effect.fail("mine")
      )))
      expect(seen).toBeUndefined()
      expect((yield* r.accounts).cleaning).toBe(1)
      yield* Deferred.succeed(gate, undefined)
      yield* r.awaitIdle
      expect(seen).toEqual(Exit.fail("mine"))
    }).pipe(provide))
})

describe("disarm and transfer against a close", () => {
  // Every interleaving: the close starts after n turns, the other after m.
  const turns = (n: number) => Effect.repeatN(Effect.yieldNow(), n)

  it.effect("either the disarm gets the value and no release runs, or it fails and the release runs (P1)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const seen = new Set<string>()
      for (let n = 0; n < 6; n++) {
        for (let m = 0; m < 6; m++) {
          let releases = 0
          const scope = yield* Scope.make()
          const guard = yield* Scope.extend(
            ResourceGuard.make(
              Effect.succeed("value"),
              () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => releases++))
            ),
            scope
          )
          const closing = yield* Effect.fork(Effect.andThen(turns(n), Scope.close(scope, Exit.void)))
          const disarming = yield* Effect.fork(Effect.andThen(turns(m), Effect.either(guard.disarm)))
          yield* Fiber.join(closing)
          const result = yield* Fiber.join(disarming)
          if (result._tag === "Right") expect(result.right).toBe("value")
          else expect(result.left._tag).toBe("AlreadyCleanedUp")
          expect(releases).toBe(result._tag === "Right" ? 0 : 1)
          seen.add(result._tag)
        }
      }
      expect(seen.size).toBe(2)
      expect(yield* r.activeCount).toBe(0)
    }).pipe(provide))

  it.effect("a transfer moves it whole or finds it gone; it is released once, by one scope (P1)", () =>
    Effect.gen(function*() {
      const seen = new Set<string>()
      for (let n = 0; n < 6; n++) {
        for (let m = 0; m < 6; m++) {
          let releases = 0
          const scope = yield* Scope.make()
          const other = yield* Scope.make()
          const guard = yield* Scope.extend(
            ResourceGuard.make(Effect.void, () => Effect.sync(() => releases++)),
            scope
          )
          const closing = yield* Effect.fork(Effect.andThen(turns(n), Scope.close(scope, Exit.void)))
          const moved = yield* Effect.fork(Effect.andThen(turns(m), Effect.either(guard.transferTo(other))))
          yield* Fiber.join(closing)
          const result = yield* Fiber.join(moved)
          expect(releases).toBe(result._tag === "Right" ? 0 : 1)
          yield* Scope.close(other, Exit.void)
          expect(releases).toBe(1)
          seen.add(result._tag)
        }
      }
      expect(seen.size).toBe(2)
    }).pipe(provide))

  it.effect("transferTo a closed scope cleans up at once with that scope's exit, and waits for it", () =>
    Effect.gen(function*() {
      const closed = yield* Scope.make()
      yield* Scope.close(closed, Exit.fail("why"))
      let seen: Exit.Exit<unknown, unknown> | undefined
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(
          Effect.void,
          (_, exit) => Effect.andThen(Effect.yieldNow(), Effect.sync(() => seen = exit))
        )
        yield* guard.transferTo(closed)
        expect(seen).toEqual(Exit.fail("why"))
        expect(yield* guard.state).toBe("cleaned")
        expect((yield* Effect.flip(guard.transferTo(closed)))._tag).toBe("AlreadyCleanedUp")
      }))
    }).pipe(provide))
})

describe("a failed cleanup", () => {
  it.effect("a failed cleanup is in the log, the events, the dead letters and the report, and nowhere in the program's result", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const exit = yield* Effect.exit(Effect.scoped(Effect.as(
        ResourceGuard.make(Effect.void, () => Effect.fail("refused"), { typeName: "Early" }),
        "result"
      )))
      expect(exit).toEqual(Exit.succeed("result"))
      expect((yield* r.deadLetters.list).map(({ record, typeName }) => [typeName, record.outcome])).toEqual([
        ["Early", "failed"]
      ])
      const report: CleanupReport.CleanupReport = yield* Effect.scoped(Effect.andThen(
        ResourceGuard.make(Effect.void, () => Effect.fail("refused"), { typeName: "Late" }),
        r.forceCleanupAll
      ))
      expect(report.records.map(({ error, outcome, typeName }) => [typeName, outcome, error?._tag])).toEqual([
        ["Late", "failed", "CleanupFailed"]
      ])
    }).pipe(provide))
})
