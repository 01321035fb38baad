/** A dispose that is asked for from inside, and one that is interrupted at every point. */
import { describe, expect, it } from "@effect/vitest"
import { interruptionSweep } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { type CleanupReport, ResourceRuntime } from "../src/index.js"
import { Cache, type Database, database, outcomes, turns, whenInterrupted } from "./disposing.js"

/** No clock moves, and nothing is let go of: nobody waits for himself until a limit ends it. */
describe("a dispose asked for from inside (P8)", () => {
  const log: Array<string> = []
  type Made = ResourceRuntime.ResourceRuntime<Database, ResourceRuntime.RuntimeDisposed>
  const forms: Record<
    string,
    (runtime: ResourceRuntime.ResourceRuntime<never, unknown>) => Effect.Effect<CleanupReport.CleanupReport>
  > = {
    disposeEffect: (runtime) => runtime.disposeEffect,
    dispose: (runtime) => Effect.promise(() => runtime.dispose())
  }
  const callers: Record<string, (dispose: Effect.Effect<CleanupReport.CleanupReport>) => Effect.Effect<unknown>> = {
    "a run": (dispose) => dispose,
    "an uninterruptible run": (dispose) => Effect.uninterruptible(dispose),
    "a child that its run waits for": (dispose) => Effect.flatMap(Effect.fork(dispose), Fiber.join),
    "a child of a child, uninterruptible": (dispose) =>
      Effect.uninterruptible(Effect.flatMap(Effect.fork(Effect.flatMap(Effect.fork(dispose), Fiber.join)), Fiber.join)),
    "a run with a timeout": (dispose) => Effect.orDie(Effect.timeout(dispose, "1 minute"))
  }
  // Of these Effect does not say whose children they are.
  const others: typeof callers = {
    "fibers side by side": (dispose) => Effect.all([dispose, Effect.never, dispose], { concurrency: "unbounded" }),
    "a daemon": (dispose) => Effect.andThen(Effect.forkDaemon(Effect.andThen(turns, dispose)), Effect.never)
  }
  const uninterruptible = (dispose: Effect.Effect<CleanupReport.CleanupReport>) =>
    Effect.forEach([0, 1], () => Effect.uninterruptible(dispose), { concurrency: 2 })

  for (const [form, dispose] of Object.entries(forms)) {
    for (const [name, call] of Object.entries(callers)) {
      it(`${form} in ${name} ends the others, and gives it the report`, async () => {
        log.length = 0
        const runtime = ResourceRuntime.make(database(log))
        runtime.runFork(whenInterrupted(() => log.push("other ended")))
        const exit = await runtime.runPromiseExit(call(dispose(runtime)))
        expect(log).toEqual(["other ended", "released"])
        expect(Exit.isSuccess(exit)).toBe(true)
        expect((await runtime.dispose()).totals).toMatchObject({ total: 1, cleaned: 1 })
      })
    }

    // A fiber that cannot be interrupted while it waits for a promise is waited for until the limit.
    const moreOthers = form === "dispose"
      ? others
      : { ...others, "fibers side by side, uninterruptible": uninterruptible }
    for (const [name, call] of Object.entries(moreOthers)) {
      it(`${form} in ${name} ends the run that it is part of, too, and that does not hold it up`, async () => {
        log.length = 0
        const runtime = ResourceRuntime.make(database(log))
        runtime.runFork(whenInterrupted(() => log.push("other ended")))
        const exit = await runtime.runPromiseExit(
          Effect.onInterrupt(call(dispose(runtime)), () => Effect.sync(() => log.push("run interrupted")))
        )
        expect(Exit.isInterrupted(exit)).toBe(true)
        expect((await runtime.dispose()).totals).toMatchObject({ total: 1, cleaned: 1 })
        expect(log).toContain("run interrupted")
        expect(log).toContain("other ended")
      })
    }

    it(`${form} in a run that is being ended does not hold up the one that goes on`, async () => {
      log.length = 0
      const runtime = ResourceRuntime.make(database(log))
      const begun = Effect.runSync(Deferred.make<void>())
      const late: Array<CleanupReport.CleanupReport> = []
      runtime.runFork(Effect.uninterruptible(
        Deferred.await(begun).pipe(
          Effect.andThen(dispose(runtime)),
          Effect.tap((report) => late.push(report)),
          Effect.andThen(Effect.sync(() => log.push("ended")))
        )
      ))
      runtime.runFork(Effect.onInterrupt(Effect.never, () => dispose(runtime)))
      runtime.runFork(Effect.andThen(
        Effect.fork(Effect.onInterrupt(Effect.never, () => Deferred.succeed(begun, undefined))),
        Effect.never
      ))
      await Effect.runPromise(turns)
      expect(outcomes(await runtime.dispose())).toEqual(["app/Database cleaned"])
      expect(log).toEqual(["ended", "released"])
      expect(late.map(({ totals }) => totals.total)).toEqual([0])
    })

    it(`${form} in a finalizer of its scope does not wait for that close`, async () => {
      log.length = 0
      const runtime: Made = ResourceRuntime.make(database(log, Effect.suspend(() => dispose(runtime))))
      runtime.runSync(Scope.extend(Effect.addFinalizer(() => dispose(runtime)), runtime.scope))
      expect((await runtime.dispose()).totals).toMatchObject({ total: 2, cleaned: 2 })
      expect(log).toEqual(["released"])
    })

    it(`${form} in a fiber that was forked in its scope`, async () => {
      log.length = 0
      const runtime = ResourceRuntime.make(database(log))
      const forked = runtime.runSync(
        Effect.forkIn(Effect.andThen(turns, Effect.uninterruptible(dispose(runtime))), runtime.scope)
      )
      await Effect.runPromise(Fiber.await(forked))
      expect((await runtime.dispose()).totals.abandoned).toBe(0)
      expect(log).toEqual(["released"])
    })

    it(`${form} in the build of its layer`, async () => {
      const runtime: ResourceRuntime.ResourceRuntime<Cache, ResourceRuntime.RuntimeDisposed> = ResourceRuntime
        .make(Layer.scoped(
          Cache,
          Effect.acquireRelease(
            Effect.suspend(() => Effect.as(dispose(runtime), "cache")),
            () => Effect.sync(() => log.push("cache released"))
          )
        ))
      log.length = 0
      const exit = await runtime.runPromiseExit(Cache)
      expect(Exit.isFailure(exit)).toBe(true)
      await Effect.runPromise(turns)
      expect(log).toEqual(["cache released"])
    })
  }
})

describe("interrupted at every point, nothing is left open", () => {
  const ledger = () => {
    const counts = { opened: 0, released: 0, begun: 0, ended: 0 }
    const layer = Layer.scoped(
      Cache,
      Effect.acquireRelease(
        Effect.andThen(Effect.yieldNow(), Effect.sync(() => String(++counts.opened))),
        () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => ++counts.released))
      )
    )
    const use = Effect.acquireUseRelease(
      Effect.sync(() => ++counts.begun),
      () => Effect.andThen(Cache, Effect.andThen(turns, Effect.never)),
      () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => ++counts.ended))
    )
    return { counts, layer, use }
  }
  type Ledger = ReturnType<typeof ledger>
  const operations: Record<string, (books: Ledger) => Effect.Effect<unknown, unknown>> = {
    "make, run, dispose": ({ layer, use }) =>
      Effect.acquireUseRelease(
        Effect.sync(() => ResourceRuntime.make(layer)),
        (runtime) => Effect.andThen(Effect.sync(() => runtime.runFork(use)), Effect.repeatN(Effect.yieldNow(), 20)),
        (runtime) => runtime.disposeEffect
      ),
    "make, run, dispose by two": ({ layer, use }) =>
      Effect.acquireUseRelease(
        Effect.sync(() => ResourceRuntime.make(layer)),
        (runtime) =>
          Effect.andThen(
            Effect.sync(() => runtime.runFork(use)),
            Effect.andThen(Effect.fork(runtime.disposeEffect), Effect.andThen(turns, runtime.disposeEffect))
          ),
        (runtime) => runtime.disposeEffect
      ),
    "the runtime lent": ({ layer }) =>
      Effect.acquireUseRelease(
        Effect.sync(() => ResourceRuntime.make(layer)),
        (runtime) => Effect.flatMap(runtime.runtimeEffect, (it) => Effect.provide(Cache, it)),
        (runtime) => runtime.disposeEffect
      )
  }
  for (const [name, operation] of Object.entries(operations)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const books = ledger()
        const { counts } = books
        const balanced = Effect.suspend(() =>
          counts.opened === counts.released && counts.begun === counts.ended ? Effect.void : Effect.fail({ ...counts })
        )
        expect(yield* interruptionSweep(operation(books), balanced)).toBeGreaterThan(10)
        expect(counts.opened).toBeGreaterThan(5)
      }))
  }
})
