/**
 * What a dispose promises: fibers end before what they use, no run comes after, bounded, once, and with a report.
 * Shows `RunningFibers` and `RuntimeDisposal`.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  Cause,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  ManagedRuntime,
  Option,
  Scope,
  TestClock
} from "effect"
import { CleanupReport, ResourceGuard, ResourceRegistry, ResourceRuntime, ResourceScope } from "../src/index.js"
import { Cache, Database, database, isDone, outcomes, silent, stubborn, turns, whenInterrupted } from "./disposing.js"

describe("disposing a ResourceRuntime", () => {
  it("ends its fibers before what they use is released, where a ManagedRuntime leaves them on dead resources", async () => {
    const states: Array<string> = []
    const program = Effect.flatMap(
      Database,
      ({ isOpen }) =>
        Effect.onInterrupt(
          Effect.never,
          () => Effect.andThen(turns, Effect.sync(() => states.push(isOpen() ? "ended, open" : "ended, closed")))
        )
    )
    const plain = ManagedRuntime.make(database(states))
    const left = plain.runFork(program)
    await plain.dispose()
    expect(states).toEqual(["released"])
    expect(left.unsafePoll()).toBe(null)
    await Effect.runPromise(Fiber.interrupt(left))
    expect(states).toEqual(["released", "ended, closed"])

    states.length = 0
    const runtime = ResourceRuntime.make(database(states))
    const ended = runtime.runFork(program)
    const report = await runtime.dispose()
    expect(states).toEqual(["ended, open", "released"])
    expect(Exit.isInterrupted(ended.unsafePoll()!)).toBe(true)
    expect(outcomes(report)).toEqual(["app/Database cleaned"])
    expect(CleanupReport.isClean(report)).toBe(true)
  })

  it("ends what was run in every way, and what a runSync could not run to its end", async () => {
    const runtime = ResourceRuntime.make(database())
    const log: Array<string> = []
    const ending = (name: string) => whenInterrupted(() => log.push(name))
    runtime.runFork(ending("runFork"))
    const exits = [
      runtime.runPromiseExit(ending("runPromiseExit")),
      runtime.runPromise(ending("runPromise")).then(Exit.succeed, (error) => Exit.fail(error)),
      new Promise((resolve) => runtime.runCallback(ending("runCallback"), { onExit: resolve }))
    ]
    expect(Exit.isFailure(runtime.runSyncExit(ending("runSyncExit")))).toBe(true)
    await runtime.dispose()
    expect(log.sort()).toEqual(["runCallback", "runFork", "runPromise", "runPromiseExit", "runSyncExit"])
    for (const exit of await Promise.all(exits)) expect(Exit.isFailure(exit as any)).toBe(true)
  })

  it("ends ten thousand of them at once", async () => {
    const runtime = ResourceRuntime.make(database())
    let ended = 0
    for (let i = 0; i < 10_000; i++) runtime.runFork(whenInterrupted(() => ended++))
    const report = await runtime.dispose()
    expect(ended).toBe(10_000)
    expect(outcomes(report)).toEqual(["app/Database cleaned"])
  })

  it("ends what a run forked in its scope before the layer, and the children of runs; not a daemon", async () => {
    const log: Array<string> = []
    const runtime = ResourceRuntime.make(database(log))
    const daemon = runtime.runSync(Effect.forkDaemon(Effect.never))
    runtime.runSync(Effect.forkIn(whenInterrupted(() => log.push("forked in")), runtime.scope))
    runtime.runFork(Effect.andThen(Effect.fork(whenInterrupted(() => log.push("child"))), Effect.never))
    await Effect.runPromise(turns)
    await runtime.dispose()
    expect(log).toEqual(["child", "forked in", "released"])
    expect(daemon.unsafePoll()).toBe(null)
    await Effect.runPromise(Fiber.interrupt(daemon))
  })

  it("lets no run begin from its start on, nor builds anything: each fails with an error that names the runtime", async () => {
    let builds = 0
    const counted = Layer.effect(Cache, Effect.sync(() => String(++builds)))
    const closing = Effect.runSync(Deferred.make<void>())
    const releasing = Effect.runSync(Deferred.make<void>())
    const reached = Effect.runSync(Deferred.make<void>())
    const runtime = ResourceRuntime.make(
      Layer.merge(
        counted,
        database([], Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(releasing)))
      ),
      { name: "orders" }
    )
    runtime.runFork(Effect.onInterrupt(Effect.never, () => Deferred.await(closing)))
    const deferred = runtime.runFork(Cache, { immediate: false })
    const built = runtime.runSync(runtime.runtimeEffect)
    expect(built.context.unsafeMap.has(Cache.key)).toBe(true)
    const refused = async (of: ResourceRuntime.ResourceRuntime<Cache, ResourceRuntime.RuntimeDisposed> = runtime) => {
      const message = "The runtime orders has been disposed and runs nothing any more; make a new one"
      const isRefusal = (exit: Exit.Exit<unknown, unknown>) =>
        expect(Exit.isFailure(exit) && Option.getOrNull(Cause.failureOption(exit.cause))).toMatchObject({
          _tag: "RuntimeDisposed",
          runtime: "orders",
          message
        })
      isRefusal(of.runSyncExit(Cache))
      isRefusal(await of.runPromiseExit(Cache))
      isRefusal(await Effect.runPromise(Fiber.await(of.runFork(Cache))))
      isRefusal(await new Promise((resolve) => of.runCallback(Cache, { onExit: resolve })))
      isRefusal(await Effect.runPromiseExit(of.runtimeEffect))
      await expect(of.runPromise(Cache)).rejects.toThrow(message)
      await expect(of.runtime()).rejects.toThrow(message)
      expect(() => of.runSync(Cache)).toThrow(message)
    }
    const disposed = runtime.dispose()
    await refused()
    expect(Exit.isFailure(await Effect.runPromise(Fiber.await(deferred)))).toBe(true)
    await Effect.runPromise(Deferred.succeed(closing, undefined))
    await Effect.runPromise(Deferred.await(reached))
    await refused()
    await Effect.runPromise(Deferred.succeed(releasing, undefined))
    await disposed
    await refused()
    expect(builds).toBe(1)
    const unused = ResourceRuntime.make(counted, { name: "orders" })
    await unused.dispose()
    await refused(unused)
    expect(builds).toBe(1)
  })

  it("disposing a ResourceRuntime that was never used is over in the same turn, and builds and reports nothing", () => {
    let builds = 0
    const runtime = ResourceRuntime.make(Layer.effect(Cache, Effect.sync(() => String(++builds))))
    const report = Effect.runSync(runtime.disposeEffect)
    expect(CleanupReport.summary(report)).toMatch(/^0 resources in \d+ ms \(deadline 25 s\)$/)
    expect(builds).toBe(0)
  })

  it("disposing a ResourceRuntime by several at once and again later closes once, and all get the same report", async () => {
    const log: Array<string> = []
    const runtime = ResourceRuntime.make(database(log, turns))
    runtime.runFork(Effect.onInterrupt(Effect.never, () => turns))
    const reports = await Promise.all([
      runtime.dispose(),
      Effect.runPromise(runtime.disposeEffect),
      runtime.dispose(),
      Effect.runPromise(Effect.andThen(turns, runtime.disposeEffect))
    ])
    reports.push(await runtime.dispose(), Effect.runSync(runtime.disposeEffect))
    for (const report of reports) expect(report).toBe(reports[0])
    expect(log).toEqual(["released"])
  })

  it("disposing a ResourceRuntime is what `await using` does at the end of the block", async () => {
    const log: Array<string> = []
    {
      await using runtime = ResourceRuntime.make(database(log))
      runtime.runFork(Effect.andThen(Database, whenInterrupted(() => log.push("ended"))))
      log.push("end of the block")
    }
    expect(log).toEqual(["end of the block", "ended", "released"])
  })

  it("reports every finalizer of composed layers and of runs, and logs with the loggers of the layer", async () => {
    const lines: Array<string> = []
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => lines.push(String(Array.isArray(message) ? message[0] : message)))
    )
    const dying = Layer.scoped(Cache, Effect.acquireRelease(Effect.as(Database, "cache"), () => Effect.die("refused")))
    const runtime = ResourceRuntime.make(dying.pipe(Layer.provide(database()), Layer.provideMerge(logger)))
    runtime.runSync(Scope.extend(Effect.withSpan(Effect.addFinalizer(() => Effect.void), "added"), runtime.scope))
    const report = await runtime.dispose()
    expect(outcomes(report)).toEqual([
      "added cleaned",
      "app/Cache failed",
      "app/Database cleaned",
      // Those of the logger.
      "layer cleaned",
      "layer cleaned"
    ])
    expect(lines).toEqual([expect.stringContaining("Cleanup of app/Cache")])
  })

  it.effect("disposing a ResourceRuntime is over to the end when who asked is interrupted, who waits for that", () =>
    Effect.gen(function*() {
      const { letGo, wait } = stubborn()
      const log: Array<string> = []
      const runtime = ResourceRuntime.make(database(log, wait))
      runtime.runSync(Effect.void)
      const disposing = yield* Effect.fork(runtime.disposeEffect)
      yield* turns
      const interrupting = yield* Effect.fork(Fiber.interrupt(disposing))
      yield* turns
      expect(yield* isDone(interrupting)).toBe(false)
      yield* letGo
      yield* Fiber.join(interrupting)
      expect(log).toEqual(["released"])
    }))
})

describe("a dispose is bounded", () => {
  const cases: ReadonlyArray<readonly [string, ResourceRuntime.RuntimeOptions, Duration.DurationInput]> = [
    ["as long as one finalizer, 10 seconds", {}, "10 seconds"],
    ["as long as one finalizer", { finalizerTimeout: "3 seconds" }, "3 seconds"],
    ["half of the time", { timeout: "4 seconds" }, "2 seconds"],
    ["half of the time, where finalizers have no limit", {
      timeout: "8 seconds",
      finalizerTimeout: Duration.infinity
    }, "4 seconds"],
    ["as long as one finalizer, without a deadline", { timeout: Duration.infinity }, "10 seconds"]
  ]
  for (const [name, options, limit] of cases) {
    it.effect(`gives fibers ${name}: one that ignores its interruption is let go, named in the log and the report`, () => {
      const lines: Array<unknown> = []
      return Effect.gen(function*() {
        const log: Array<string> = []
        const { letGo, wait } = stubborn()
        const runtime = ResourceRuntime.make(database(log), options)
        const fiber = runtime.runFork(wait)
        const disposing = yield* Effect.fork(runtime.disposeEffect)
        yield* TestClock.adjust(Duration.subtract(limit, "1 millis"))
        expect(log).toEqual([])
        yield* TestClock.adjust("1 millis")
        const report = yield* Fiber.join(disposing)
        expect(log).toEqual(["released"])
        const id = `#${fiber.id().id}`
        expect(report.records).toMatchObject([
          {
            order: 1,
            typeName: `fiber ${id} (GET /orders)`,
            outcome: "abandoned",
            runMillis: Duration.toMillis(limit),
            error: { _tag: "CleanupTimeout", limitMillis: Duration.toMillis(limit), stopped: false }
          },
          { order: 2, typeName: "app/Database", outcome: "cleaned" }
        ])
        expect(report).toMatchObject({
          durationMillis: Duration.toMillis(limit),
          deadlineMillis: Duration.toMillis(options.timeout ?? "25 seconds"),
          deadlineReached: false
        })
        expect(yield* runtime.disposeEffect).toBe(report)
        expect(lines).toEqual([[
          `Abandoned 1 fiber that ignored interruption for ${Duration.toSeconds(limit)} s; what they use is ` +
          `released under them: fiber ${id} (GET /orders)`
        ]])
        yield* letGo
        yield* Fiber.await(fiber)
        expect(yield* runtime.disposeEffect).toBe(report)
      }).pipe(Effect.provide(Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => {
          lines.push(message)
        })
      )))
    })
  }

  it.effect("waits no longer than the fibers take", () =>
    Effect.gen(function*() {
      const { letGo, wait } = stubborn()
      const log: Array<string> = []
      const runtime = ResourceRuntime.make(database(log))
      runtime.runFork(wait)
      runtime.runFork(Effect.never)
      const disposing = yield* Effect.fork(runtime.disposeEffect)
      yield* TestClock.adjust("3 seconds")
      expect(log).toEqual([])
      yield* letGo
      const report = yield* Fiber.join(disposing)
      expect(report).toMatchObject({ durationMillis: 3_000, deadlineMillis: 25_000 })
      expect(outcomes(report)).toEqual(["app/Database cleaned"])
    }))

  it.effect("a dispose is bounded by its timeout, whatever hangs: fibers, finalizers, and those behind them are still started", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const hanging = Layer.scopedDiscard(Effect.zipRight(Database, Effect.addFinalizer(() => Effect.never)))
      const runtime = ResourceRuntime.make(hanging.pipe(Layer.provide(database(log))), { timeout: "10 seconds" })
      runtime.runFork(stubborn().wait)
      const disposing = yield* Effect.fork(runtime.disposeEffect)
      yield* TestClock.adjust("7999 millis")
      expect(log).toEqual([])
      yield* TestClock.adjust("1 millis")
      expect(log).toEqual(["released"])
      yield* TestClock.adjust("2 seconds")
      const report = yield* Fiber.join(disposing)
      expect(report.totals).toMatchObject({ abandoned: 2, cleaned: 1 })
      expect(report.durationMillis).toBe(10_000)
    }).pipe(silent))

  it.effect("a dispose is bounded by the limit of the cleanup that it is part of (P3)", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.ResourceRegistry
      const log: Array<string> = []
      const hanging = Layer.scopedDiscard(Effect.zipRight(Database, Effect.addFinalizer(() => Effect.never)))
      const scope = yield* ResourceScope.make()
      yield* Scope.extend(
        ResourceGuard.acquireRelease(
          Effect.sync(() => ResourceRuntime.make(Layer.provide(hanging, database(log)))),
          (runtime) => runtime.disposeEffect,
          { timeout: "4 seconds", attemptTimeout: "4 seconds", typeName: "runtime" }
        ).pipe(Effect.tap((runtime) => Effect.sync(() => runtime.runFork(stubborn().wait)))),
        scope
      )
      const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
      yield* TestClock.adjust("4 seconds")
      expect(outcomes(yield* Fiber.join(closing))).toEqual(["runtime cleaned"])
      expect(log).toEqual(["released"])
      expect((yield* registry.accounts).abandoned).toBe(0)
    }).pipe(Effect.provide(ResourceRegistry.layer), silent))

  it.effect("a dispose is bounded where somebody has begun to close its scope past it, with more time", () =>
    Effect.gen(function*() {
      const runtime = ResourceRuntime.make(database([], Effect.never), { timeout: "2 seconds" })
      runtime.runSync(Effect.void)
      if (!ResourceScope.isResourceScope(runtime.scope)) return yield* Effect.dieMessage("not a scope of ours")
      yield* Effect.fork(ResourceScope.close(runtime.scope, Exit.void, { timeout: "1 hour" }))
      yield* turns
      const disposing = yield* Effect.fork(runtime.disposeEffect)
      yield* TestClock.adjust("2 seconds")
      expect(outcomes(yield* Fiber.join(disposing))).toEqual(["app/Database abandoned"])
    }).pipe(silent))
})

describe("a dispose while the layer is being built", () => {
  it("ends the build, releases what it had acquired, and interrupts the runs that wait for it", async () => {
    const log: Array<string> = []
    const waiting = Layer.scoped(Cache, Effect.andThen(Database, whenInterrupted(() => log.push("build ended"))))
    const runtime = ResourceRuntime.make(Layer.provide(waiting, database(log)), { name: "orders" })
    const fiber = runtime.runFork(Cache)
    const promise = runtime.runtime().catch((error) => error.message)
    const foreign = Effect.runFork(runtime.runtimeEffect)
    const report = await runtime.dispose()
    expect(log).toEqual(["build ended", "released"])
    expect(Exit.isInterrupted(fiber.unsafePoll()!)).toBe(true)
    expect(await promise).toContain("The runtime orders has been disposed")
    expect(await Effect.runPromise(Effect.flip(Fiber.join(foreign)))).toMatchObject({ _tag: "RuntimeDisposed" })
    // It was never part of the runtime: released by the build that ended.
    expect(outcomes(report)).toEqual([])
  })

  it.effect("waits for an acquire that cannot be interrupted, and releases what it gave", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { letGo, wait } = stubborn()
      const slow = Layer.scoped(
        Cache,
        Effect.acquireRelease(Effect.as(wait, "cache"), () => Effect.sync(() => log.push("cache released")))
      )
      const runtime = ResourceRuntime.make(slow)
      const fiber = runtime.runFork(Cache)
      const disposing = yield* Effect.fork(runtime.disposeEffect)
      yield* TestClock.adjust("5 seconds")
      expect(yield* isDone(disposing)).toBe(false)
      yield* letGo
      yield* Fiber.join(disposing)
      expect(log).toEqual(["cache released"])
      expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
    }))

  it.effect("lets an acquire go that does not end in time, and releases what is built; what it gives later is released at once", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { letGo, wait } = stubborn()
      const slow = Layer.scoped(
        Cache,
        Effect.acquireRelease(
          Effect.as(Effect.andThen(Database, wait), "cache"),
          () => Effect.sync(() => log.push("cache released"))
        )
      )
      const runtime = ResourceRuntime.make(Layer.provide(slow, database(log)))
      runtime.runFork(Cache)
      const disposing = yield* Effect.fork(runtime.disposeEffect)
      yield* TestClock.adjust("10 seconds")
      const report = yield* Fiber.join(disposing)
      expect(outcomes(report)).toEqual([
        "the build of the layer in fiber #n (GET /orders) abandoned",
        "app/Database cleaned"
      ])
      expect(log).toEqual(["released"])
      yield* letGo
      yield* turns
      expect(log).toEqual(["released", "cache released"])
      expect(yield* Effect.flip(runtime.runtimeEffect)).toMatchObject({ _tag: "RuntimeDisposed" })
    }).pipe(silent))
})
