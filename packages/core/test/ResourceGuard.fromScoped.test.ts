/** Shows `FromScoped`. */
import { describe, expect, it } from "@effect/vitest"
import { interruptionSweep } from "@patinox/vitest"
import { Cause, Context, Deferred, Duration, Effect, Exit, Fiber, Option, Scope, TestClock } from "effect"
import { CleanupReport, ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

const finalizersOf = (scope: Scope.Scope) => (scope as any).state.finalizers.size as number
const turns = (n: number) => Effect.repeatN(Effect.yieldNow(), n)

/** A scoped effect as another library would give it: so many parts, each with a finalizer. */
const library = (finalizers: Readonly<Record<string, (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown>>>) =>
  Effect.as(
    Effect.forEach(
      Object.entries(finalizers),
      ([name, finalizer]) => Effect.withSpan(Effect.addFinalizer((exit) => finalizer(exit)), name),
      { discard: true }
    ),
    "value"
  )

/** What a cleanup that failed says of each finalizer. */
const outcomes = (error: unknown): ReadonlyArray<string> => {
  const failed = error as { readonly error: Option.Option<ResourceGuard.FinalizersFailed> }
  return Option.getOrThrow(failed.error).report.records.map(({ outcome, typeName }) => `${typeName} ${outcome}`)
}

/** The result of an effect that takes time, and how long it took. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const now = Effect.clockWith((clock) => clock.currentTimeMillis)
    const started = yield* now
    const fiber = yield* Effect.fork(Effect.zip(effect, now))
    for (let i = 0; i < 600 && Option.isNone(yield* Fiber.poll(fiber)); i++) yield* TestClock.adjust("100 millis")
    const [result, ended] = yield* Fiber.join(fiber)
    return [result, ended - started] as const
  })

describe("a scoped effect as a guard", () => {
  it.effect("gives its value, and releases it with its scope: last opened first, with that scope's exit", () =>
    Effect.gen(function*() {
      const closed: Array<unknown> = []
      const exit = yield* Effect.exit(Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.fromScoped(library({
          socket: (exit) => Effect.sync(() => closed.push(["socket", exit])),
          session: (exit) => Effect.sync(() => closed.push(["session", exit]))
        }))
        expect(yield* guard.value).toBe("value")
        expect(yield* guard.use((value) => Effect.succeed(value.length))).toBe(5)
        expect(closed).toEqual([])
        return yield* Effect.fail("mine")
      })))
      expect(exit).toEqual(Exit.fail("mine"))
      expect(closed).toEqual([["session", exit], ["socket", exit]])
      expect((yield* (yield* registry).accounts).cleaned).toBe(1)
    }).pipe(provide))

  it.effect("a scoped effect as a guard is one entry in the registry and in the scope, and none of either after an early cleanup", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const scope = yield* Scope.make()
      let closed: Exit.Exit<unknown, unknown> | undefined
      const guard = yield* Scope.extend(
        ResourceGuard.fromScoped(
          library({ one: () => Effect.void, two: (exit) => Effect.sync(() => closed = exit) }),
          { typeName: "Library", priority: "High", metadata: { region: "eu" } }
        ),
        scope
      )
      expect(finalizersOf(scope)).toBe(1)
      expect(yield* r.list).toMatchObject([{ typeName: "Library", priority: "High", metadata: { region: "eu" } }])
      yield* guard.cleanup
      expect(closed).toEqual(Exit.void)
      expect(finalizersOf(scope)).toBe(0)
      expect(yield* r.activeCount).toBe(0)
      expect((yield* Effect.flip(guard.value))._tag).toBe("AlreadyCleanedUp")
    }).pipe(provide))

  it.effect("ends the fibers that it forked into its scope", () =>
    Effect.gen(function*() {
      let ended = false
      const guard = yield* ResourceGuard.fromScoped(
        Effect.forkScoped(Effect.onInterrupt(Effect.never, () => Effect.sync(() => ended = true)))
      )
      yield* turns(2)
      expect(ended).toBe(false)
      yield* guard.cleanup
      expect(ended).toBe(true)
    }).pipe(Effect.scoped, provide))

  it.effect("a scoped effect as a guard has guards of its own released with it, each under its own policy", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const inner = ResourceGuard.acquireRelease(Effect.succeed(1), () => Effect.fail("refused"), {
        typeName: "Inner",
        recovery: { fallback: () => Effect.void }
      })
      const guard = yield* ResourceGuard.fromScoped(inner)
      expect(yield* r.activeCount).toBe(2)
      yield* guard.cleanup
      expect(yield* r.accounts).toMatchObject({ live: 0, cleaned: 1, recovered: 1 })
    }).pipe(Effect.scoped, provide))

  it.effect("a scoped effect as a guard forced by the registry, is released with an interruption", () =>
    Effect.gen(function*() {
      let seen: Exit.Exit<unknown, unknown> | undefined
      yield* ResourceGuard.fromScoped(library({ socket: (exit) => Effect.sync(() => seen = exit) }))
      yield* (yield* registry).forceCleanupAll
      expect(Exit.isInterrupted(seen!)).toBe(true)
    }).pipe(Effect.scoped, provide))

  it.effect("a scoped effect as a guard is transferred whole", () =>
    Effect.gen(function*() {
      let closed = 0
      const other = yield* Scope.make()
      yield* Effect.scoped(Effect.flatMap(
        ResourceGuard.fromScoped(library({ socket: () => Effect.sync(() => closed++) })),
        (guard) => guard.transferTo(other)
      ))
      expect(closed).toBe(0)
      yield* Scope.close(other, Exit.void)
      expect(closed).toBe(1)
    }).pipe(provide))

  it.effect("a scoped effect as a guard disarmed, stays open for good: what it forked goes on and no finalizer runs", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const pings: Array<number> = []
      let closed = 0
      yield* Effect.scoped(Effect.gen(function*() {
        const guard = yield* ResourceGuard.fromScoped(Effect.gen(function*() {
          yield* Effect.addFinalizer(() => Effect.sync(() => closed++))
          yield* Effect.forkScoped(Effect.forever(Effect.delay(Effect.sync(() => pings.push(1)), "1 second")))
          return "value"
        }))
        expect(yield* guard.disarm).toBe("value")
      }))
      yield* TestClock.adjust("3 seconds")
      expect(pings.length).toBe(3)
      expect(closed).toBe(0)
      expect(yield* r.accounts).toMatchObject({ registered: 1, live: 0, disarmed: 1 })
    }).pipe(provide))
})

describe("a finalizer that goes wrong", () => {
  it.effect("fails the cleanup with a type, the report of all of them in it, and keeps no other from running", () =>
    Effect.gen(function*() {
      const closed: Array<string> = []
      const guard = yield* ResourceGuard.fromScoped(
        library({
          first: () => Effect.sync(() => closed.push("first")),
          dies: () => Effect.die("reset"),
          throws: () => {
            throw new Error("no effect")
          },
          last: () => Effect.sync(() => closed.push("last"))
        }),
        { typeName: "Library" }
      )
      const error = yield* Effect.flip(guard.cleanup)
      expect(error._tag).toBe("CleanupFailed")
      expect(outcomes(error)).toEqual(["last cleaned", "throws failed", "dies failed", "first cleaned"])
      expect(closed).toEqual(["last", "first"])
      expect(error.message).toMatch(
        /^Cleanup of Library .* failed after 1 attempt: .*2 of 4 finalizers did not succeed/
      )
      expect(error.message).toMatch(/throws .*no effect.*; .*dies .*reset/)
      expect(yield* guard.state).toBe("failed")
    }).pipe(Effect.scoped, provide))

  it.effect("a finalizer that goes wrong and hangs is stopped at attemptTimeout, so that the ones before it run", () =>
    Effect.gen(function*() {
      const closed: Array<string> = []
      const guard = yield* ResourceGuard.fromScoped(
        library({
          first: () => Effect.sync(() => closed.push("first")),
          hangs: () => Effect.interruptible(Effect.never)
        }),
        { timeout: "9 seconds" }
      )
      const [error, millis] = yield* timed(Effect.flip(guard.cleanup))
      expect(outcomes(error)).toEqual(["hangs failed", "first cleaned"])
      expect(closed).toEqual(["first"])
      expect(millis).toBe(3_000)
    }).pipe(Effect.scoped, provide))

  it.effect("a finalizer that goes wrong and ignores interruption is let go and named, inside the time limit however many there are (P3)", () =>
    Effect.gen(function*() {
      let closed = false
      const stubborn = () => Effect.uninterruptible(Effect.never)
      const guard = yield* ResourceGuard.fromScoped(
        library({
          first: () => Effect.sync(() => closed = true),
          a: stubborn,
          b: stubborn,
          c: stubborn,
          d: stubborn
        }),
        { timeout: "9 seconds" }
      )
      const [error, millis] = yield* timed(Effect.flip(guard.cleanup))
      expect(outcomes(error)).toEqual(["d abandoned", "c abandoned", "b abandoned", "a abandoned", "first cleaned"])
      expect(error._tag).toBe("CleanupFailed")
      expect(closed).toBe(true)
      expect(millis).toBeLessThanOrEqual(9_000)
    }).pipe(Effect.scoped, provide))

  it.effect("leaves a fallback its share of the time, and tells it which one it was", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const stubborn = () => Effect.uninterruptible(Effect.never)
      const guard = yield* ResourceGuard.fromScoped(library({ a: stubborn, b: stubborn, c: stubborn }), {
        timeout: "9 seconds",
        recovery: {
          fallback: (value, error) =>
            Effect.delay(Effect.sync(() => told.push(value, error._tag, ...outcomes(error))), "2 seconds")
        }
      })
      const [, millis] = yield* timed(guard.cleanup)
      expect(told).toEqual(["value", "CleanupFailed", "c abandoned", "b abandoned", "a abandoned"])
      expect(millis).toBeLessThanOrEqual(9_000)
      expect(yield* guard.state).toBe("recovered")
    }).pipe(Effect.scoped, provide))

  it.effect("a finalizer that goes wrong is not run again by a retry, which meets the same report", () =>
    Effect.gen(function*() {
      let runs = 0
      const guard = yield* ResourceGuard.fromScoped(
        library({ dies: () => Effect.suspend(() => Effect.die(`run ${++runs}`)) }),
        { recovery: { strategy: () => "Retry" } }
      )
      const [error] = yield* timed(Effect.flip(guard.cleanup))
      expect(runs).toBe(1)
      expect(error).toMatchObject({ _tag: "CleanupFailed", attempts: 4 })
      expect(outcomes(error)).toEqual(["dies failed"])
    }).pipe(Effect.scoped, provide))

  it.effect("a finalizer that goes wrong is waited for as long as it takes, where there is no time limit", () =>
    Effect.gen(function*() {
      const guard = yield* ResourceGuard.fromScoped(library({ slow: () => Effect.sleep("20 seconds") }), {
        timeout: Duration.infinity
      })
      const [, millis] = yield* timed(guard.cleanup)
      expect(millis).toBe(20_000)
    }).pipe(Effect.scoped, provide))

  it.effect("never hides what the program ends with", () =>
    Effect.gen(function*() {
      const broken = ResourceGuard.fromScoped(library({ dies: () => Effect.die("reset") }))
      expect(yield* Effect.exit(Effect.scoped(Effect.andThen(broken, Effect.fail("mine"))))).toEqual(Exit.fail("mine"))
      expect(yield* Effect.exit(Effect.scoped(Effect.as(broken, 1)))).toEqual(Exit.succeed(1))
      expect((yield* (yield* registry).accounts).failed).toBe(2)
    }).pipe(provide))

  it.effect("a finalizer that goes wrong may itself call for the cleanup that it is part of (P8)", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      let answer: string | undefined
      const self = yield* Deferred.make<ResourceGuard.ResourceGuard<string, ResourceGuard.FinalizersFailed>>()
      const guard = yield* Scope.extend(
        ResourceGuard.fromScoped(library({
          asks: () =>
            Effect.flatMap(
              Deferred.await(self),
              (guard) => Effect.flatMap(Effect.flip(guard.cleanup), (error) => Effect.sync(() => answer = error._tag))
            ).pipe(
              Effect.orDie
            )
        })),
        scope
      )
      yield* Deferred.succeed(self, guard)
      const [, millis] = yield* timed(Scope.close(scope, Exit.void))
      expect(answer).toBe("AlreadyCleanedUp")
      expect(millis).toBe(0)
      expect(yield* guard.state).toBe("cleaned")
    }).pipe(provide))
})

describe("a scoped effect that does not succeed", () => {
  const cases = {
    "fails": [Effect.fail("no route"), Exit.fail("no route")],
    "dies": [Effect.die("bug"), Exit.die("bug")]
  } as const
  for (const [name, [end, expected]] of Object.entries(cases)) {
    it.effect(`${name} only after what it had opened is closed again, and leaves nothing`, () =>
      Effect.gen(function*() {
        const r = yield* registry
        const scope = yield* Scope.make()
        let closed: Exit.Exit<unknown, unknown> | undefined
        const half = Effect.andThen(library({ socket: (exit) => Effect.sync(() => closed = exit) }), end)
        const exit = yield* Effect.exit(Scope.extend(ResourceGuard.fromScoped(half), scope))
        expect(exit).toEqual(expected)
        expect(closed).toEqual(expected)
        expect(finalizersOf(scope)).toBe(0)
        expect(yield* r.snapshot).toMatchObject({ acquiring: [], accounts: { registered: 0, live: 0 } })
      }).pipe(provide))
  }

  it.effect("keeps its own error where a finalizer dies or hangs, too", () =>
    Effect.gen(function*() {
      const half = Effect.andThen(
        library({ dies: () => Effect.die("reset"), hangs: () => Effect.uninterruptible(Effect.never) }),
        Effect.fail("no route")
      )
      const [exit, millis] = yield* timed(Effect.exit(ResourceGuard.fromScoped(half, { timeout: "9 seconds" })))
      expect(exit).toEqual(Exit.fail("no route"))
      expect(millis).toBeLessThanOrEqual(9_000)
    }).pipe(Effect.scoped, provide))

  it.effect("a scoped effect that does not succeed can be interrupted while it waits, as it could be without a guard", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const waiting = (closed: Array<string>, name: string) =>
        Effect.andThen(library({ socket: () => Effect.sync(() => closed.push(name)) }), Effect.never)
      const closed: Array<string> = []
      const plain = yield* Effect.fork(Effect.scoped(waiting(closed, "plain")))
      const guarded = yield* Effect.fork(Effect.scoped(ResourceGuard.fromScoped(waiting(closed, "guarded"))))
      yield* turns(20)
      expect((yield* r.snapshot).acquiring.length).toBe(1)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(plain))).toBe(true)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(guarded))).toBe(true)
      expect(closed).toEqual(["plain", "guarded"])
      expect(yield* r.snapshot).toMatchObject({ acquiring: [], accounts: { registered: 0 } })
    }).pipe(provide))

  it.effect("a scoped effect that does not succeed and opens what cannot be interrupted has that closed before the interruption goes on", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const effect = Effect.acquireRelease(
        Effect.andThen(Deferred.await(gate), Effect.sync(() => order.push("opened"))),
        () => Effect.sync(() => order.push("closed"))
      )
      const fiber = yield* Effect.fork(Effect.scoped(ResourceGuard.fromScoped(effect)))
      yield* turns(5)
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* turns(5)
      yield* Deferred.succeed(gate, undefined)
      expect(Exit.isInterrupted(yield* Fiber.join(interrupting))).toBe(true)
      expect(order).toEqual(["opened", "closed"])
    }).pipe(provide))
})

describe("the registry", () => {
  it.effect("a registry that drains while a scoped effect is acquired has it closed under policy, and refuses it", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      let closed = 0
      const fiber = yield* Effect.fork(Effect.flip(Effect.scoped(ResourceGuard.fromScoped(
        Effect.zipLeft(library({ socket: () => Effect.sync(() => closed++) }), Deferred.await(gate))
      ))))
      yield* turns(20)
      const shutdown = yield* Effect.fork(r.shutdown)
      yield* turns(5)
      yield* Deferred.succeed(gate, undefined)
      expect((yield* Fiber.join(fiber))._tag).toBe("RegistryShuttingDown")
      expect(closed).toBe(1)
      expect(CleanupReport.isClean(yield* Fiber.join(shutdown))).toBe(true)
    }).pipe(provide))

  it.effect("checks the options before the effect runs", () =>
    Effect.gen(function*() {
      let ran = false
      const exit = yield* Effect.exit(ResourceGuard.fromScoped(Effect.sync(() => ran = true), { timeout: -1 }))
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
        _tag: "Validation",
        message: expect.stringContaining("\"timeout\"")
      })
      expect(ran).toBe(false)
    }).pipe(Effect.scoped, provide))

  it.effect("releases it before what it depends on", () =>
    Effect.gen(function*() {
      class Base extends Context.Tag("app/Base")<Base, string>() {}
      const order: Array<string> = []
      const base = ResourceGuard.layer(Base, Effect.succeed("base"), () => Effect.sync(() => order.push("base")))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.fromScoped(library({ socket: () => Effect.sync(() => order.push("socket")) }), {
          dependsOn: [Base]
        })
        const [info] = (yield* (yield* registry).list).filter(({ typeName }) => typeName === "app/Base")
        yield* (yield* registry).cleanup(info!.id)
      })).pipe(Effect.provide(base))
      expect(order).toEqual(["socket", "base"])
    }).pipe(provide))
})

it.effect("interrupted at every point, closes what it opened, and once", () => {
  const counts = { opened: 0, closed: 0 }
  const part = Effect.acquireRelease(
    Effect.andThen(Effect.yieldNow(), Effect.sync(() => counts.opened++)),
    () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => counts.closed++))
  )
  const effect = Effect.scoped(Effect.flatMap(
    ResourceGuard.fromScoped(Effect.andThen(part, Effect.zipRight(Effect.yieldNow(), part))),
    (guard) => Effect.andThen(guard.use(() => Effect.yieldNow()), guard.cleanup)
  ))
  const balanced = Effect.gen(function*() {
    const { accounts, acquiring } = yield* (yield* registry).snapshot
    expect({ live: accounts.live, failed: accounts.failed, acquiring }).toEqual({ live: 0, failed: 0, acquiring: [] })
    expect(accounts.registered).toBe(accounts.cleaned)
    expect(counts.closed).toBe(counts.opened)
  })
  return Effect.gen(function*() {
    expect(yield* interruptionSweep(effect, balanced)).toBeGreaterThan(20)
    expect(counts.opened).toBeGreaterThan(20)
  }).pipe(provide)
})
