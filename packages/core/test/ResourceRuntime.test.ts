/**
 * A ResourceRuntime runs effects as a ManagedRuntime does: each test here runs on both, but for those of its own.
 * Shows `Runtimes`.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberRef,
  FiberRefs,
  Layer,
  Logger,
  ManagedRuntime,
  Option,
  Runtime,
  Scheduler,
  Scope
} from "effect"
import { PatinoxError, ResourceRuntime, ResourceScope } from "../src/index.js"

class Database extends Context.Tag("app/Database")<Database, { readonly rows: number }>() {}
class Cache extends Context.Tag("app/Cache")<Cache, string>() {}

/** A layer that counts how often it is built and released, and waits first for what it is given. */
const counted = (before: Effect.Effect<unknown, string> = Effect.void) => {
  const counts = { built: 0, released: 0 }
  const layer = Layer.scoped(
    Database,
    Effect.acquireRelease(
      Effect.as(Effect.tap(Effect.interruptible(before), () => Effect.sync(() => counts.built++)), { rows: 42 }),
      () => Effect.sync(() => counts.released++)
    )
  )
  return { counts, layer }
}

const rows = Effect.map(Database, (database) => database.rows)
const turns = Effect.repeatN(Effect.yieldNow(), 3)
const promisedTurns = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** A gate that is opened from outside of Effect. */
const gate = () => {
  const deferred = Effect.runSync(Deferred.make<void>())
  return { wait: Deferred.await(deferred), open: () => Effect.runSync(Deferred.succeed(deferred, undefined)) }
}

type Method = "runCallback" | "runFork" | "runPromise" | "runPromiseExit" | "runSync" | "runSyncExit" | "runtime"
interface Common extends Pick<ManagedRuntime.ManagedRuntime<any, any>, Method> {
  readonly dispose: () => Promise<unknown>
}
const makers: Record<string, <R, E>(layer: Layer.Layer<R, E>) => Common> = {
  ManagedRuntime: (layer) => ManagedRuntime.make(layer),
  ResourceRuntime: (layer) => ResourceRuntime.make(layer)
}

for (const [name, make] of Object.entries(makers)) {
  describe(`${name}, the same as the other`, () => {
    it("builds the layer at the first run, in its turn, and once", async () => {
      const { counts, layer } = counted(turns)
      const runtime = make(layer)
      expect(counts.built).toBe(0)
      expect(runtime.runSync(rows)).toBe(42)
      expect(runtime.runSyncExit(rows)).toEqual(Exit.succeed(42))
      expect(await runtime.runPromise(Effect.andThen(turns, rows))).toBe(42)
      expect(await runtime.runPromiseExit(rows)).toEqual(Exit.succeed(42))
      expect(counts).toEqual({ built: 1, released: 0 })
      await runtime.dispose()
      expect(counts).toEqual({ built: 1, released: 1 })
    })

    it("shares a build that takes time between the runs that come meanwhile, of every kind", async () => {
      const { open, wait } = gate()
      const { counts, layer } = counted(wait)
      const runtime = make(layer)
      const called = new Promise((resolve) => runtime.runCallback(rows, { onExit: resolve }))
      const fiber = runtime.runFork(rows)
      const promises = [runtime.runPromise(rows), runtime.runPromiseExit(rows)]
      const built = runtime.runtime()
      await Effect.runPromise(promisedTurns)
      expect(counts.built).toBe(0)
      open()
      expect(await Promise.all(promises)).toEqual([42, Exit.succeed(42)])
      expect(await called).toEqual(Exit.succeed(42))
      expect(await Effect.runPromise(Fiber.join(fiber))).toBe(42)
      expect(Runtime.runSync(await built)(rows)).toBe(42)
      expect(counts.built).toBe(1)
      await runtime.dispose()
    })

    it(`${name}, the same as the other, cannot run in this turn what has to wait: Effect's AsyncFiberException, by the layer or by the effect`, async () => {
      const { open, wait } = gate()
      const runtime = make(counted(wait).layer)
      expect(() => runtime.runSync(rows)).toThrow("cannot be resolved synchronously")
      const exit = runtime.runSyncExit(rows)
      const isAsync = (exit: Exit.Exit<unknown, unknown>) =>
        Exit.isFailure(exit) && Option.exists(Cause.dieOption(exit.cause), Runtime.isAsyncFiberException)
      expect(isAsync(exit)).toBe(true)
      open()
      expect(await runtime.runPromise(rows)).toBe(42)
      expect(runtime.runSync(rows)).toBe(42)
      expect(isAsync(runtime.runSyncExit(Effect.andThen(promisedTurns, rows)))).toBe(true)
      await runtime.dispose()
    })

    it("gives every run the failure of the build, typed, and never builds again", async () => {
      let builds = 0
      const failing = Layer.effect(Database, Effect.suspend(() => (builds++, Effect.fail("refused"))))
      const runtime = make(failing)
      expect(runtime.runSyncExit(rows)).toEqual(Exit.fail("refused"))
      expect(await runtime.runPromiseExit(rows)).toEqual(Exit.fail("refused"))
      await expect(runtime.runPromise(rows)).rejects.toThrow("refused")
      await expect(runtime.runtime()).rejects.toThrow("refused")
      expect(builds).toBe(1)
      await runtime.dispose()
    })

    it("fails with what the effect fails with, and promises reject with a FiberFailure", async () => {
      const runtime = make(counted().layer)
      expect(runtime.runSyncExit(Effect.fail("mine"))).toEqual(Exit.fail("mine"))
      const rejected = await runtime.runPromise(Effect.fail("mine")).catch((error) => error)
      expect(Runtime.isFiberFailure(rejected)).toBe(true)
      expect(() => runtime.runSync(Effect.die("a defect"))).toThrow("a defect")
      await runtime.dispose()
    })

    it("interrupts by signal and by the callback's cancel, before and after the layer is built", async () => {
      const { open, wait } = gate()
      const runtime = make(counted(wait).layer)
      const interrupted = async (exit: Promise<Exit.Exit<unknown, unknown>>) =>
        expect(Exit.isInterrupted(await exit)).toBe(true)
      const cancelled = () => {
        let cancel = () => {}
        const exit = new Promise<Exit.Exit<unknown, unknown>>((resolve) => {
          cancel = runtime.runCallback(Effect.never, { onExit: resolve })
        })
        cancel()
        return exit
      }
      const aborted = () => {
        const controller = new AbortController()
        const exit = runtime.runPromiseExit(Effect.never, { signal: controller.signal })
        controller.abort()
        return exit
      }
      const abortedBefore = () => runtime.runPromiseExit(Effect.never, { signal: AbortSignal.abort() })
      for (const exit of [cancelled(), aborted(), abortedBefore()]) await interrupted(exit)
      open()
      await runtime.runPromise(Effect.void)
      for (const exit of [cancelled(), aborted(), abortedBefore()]) await interrupted(exit)
      await runtime.dispose()
    })

    it("runs with what layers have set: FiberRefs, loggers, a scheduler", async () => {
      const setting = Effect.runSync(Effect.scoped(FiberRef.make("outer")))
      const lines: Array<unknown> = []
      const logger = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => lines.push(message)))
      const layer = Layer.mergeAll(
        counted(turns).layer,
        Layer.scopedDiscard(Effect.locallyScoped(setting, "inner")),
        Layer.setScheduler(new Scheduler.ControlledScheduler()),
        logger
      )
      const runtime = make(layer)
      const read = Effect.all([FiberRef.get(setting), FiberRef.get(FiberRef.currentScheduler)])
      for (let i = 0; i < 2; i++) {
        expect(runtime.runSync(Effect.tap(FiberRef.get(setting), (it) => Effect.log(it)))).toBe("inner")
      }
      expect(lines).toEqual([["inner"], ["inner"]])
      const [, scheduler] = await new Promise<[string, Scheduler.Scheduler]>((resolve) =>
        runtime.runFork(Effect.map(read, resolve))
      )
      expect(scheduler).toBeInstanceOf(Scheduler.ControlledScheduler)
      await runtime.dispose()
    })

    it("takes the options of runFork and runCallback once the layer is built", () => {
      const runtime = make(counted().layer)
      runtime.runSync(rows)
      const scheduler = new Scheduler.ControlledScheduler()
      const scope = Effect.runSync(Scope.make())
      const setting = Effect.runSync(Effect.scoped(FiberRef.make("outer")))
      const read = Effect.all([FiberRef.get(setting), FiberRef.get(FiberRef.currentScheduler), rows])
      const fiber = runtime.runFork(Effect.zipLeft(read, Effect.never), {
        scheduler,
        scope,
        immediate: false,
        updateRefs: (refs, fiberId) => FiberRefs.updateAs(refs, { fiberId, fiberRef: setting, value: "updated" })
      })
      expect(fiber.unsafePoll()).toBe(null)
      scheduler.step()
      Effect.runFork(Scope.close(scope, Exit.void))
      scheduler.step()
      expect(Exit.isInterrupted(fiber.unsafePoll()!)).toBe(true)
      let seen: unknown
      runtime.runCallback(read, { scheduler, onExit: (exit) => seen = exit })
      expect(seen).toEqual(Exit.succeed(["outer", scheduler, 42]))
    })
  })
}

describe("a ResourceRuntime", () => {
  it("takes the options of a run that has to wait for the layer, too", async () => {
    const { open, wait } = gate()
    const runtime = ResourceRuntime.make(counted(wait).layer)
    const scheduler = new Scheduler.MixedScheduler(1)
    const setting = Effect.runSync(Effect.scoped(FiberRef.make("outer")))
    const fiber = runtime.runFork(Effect.all([FiberRef.get(setting), FiberRef.get(FiberRef.currentScheduler), rows]), {
      scheduler,
      updateRefs: (refs, fiberId) => FiberRefs.updateAs(refs, { fiberId, fiberRef: setting, value: "updated" })
    })
    open()
    expect(await Effect.runPromise(Fiber.join(fiber))).toEqual(["updated", scheduler, 42])
    await runtime.dispose()
  })

  it("a ResourceRuntime has let go of what a build that failed had acquired, before any run hears of it", async () => {
    const { counts, layer } = counted()
    const failing = Layer.effect(Cache, Effect.andThen(Database, Effect.fail("no cache"))).pipe(
      Layer.provideMerge(layer)
    )
    const runtime = ResourceRuntime.make(failing)
    expect(runtime.runSyncExit(Cache)).toEqual(Exit.fail("no cache"))
    expect(counts).toEqual({ built: 1, released: 1 })
    const plain = ManagedRuntime.make(failing)
    expect(plain.runSyncExit(Cache)).toEqual(Exit.fail("no cache"))
    expect(counts).toEqual({ built: 2, released: 1 })
    await Promise.all([runtime.dispose(), plain.dispose()])
    expect(counts).toEqual({ built: 2, released: 2 })
  })

  it("gives a build that dies or throws to every run, too", async () => {
    const runtime = ResourceRuntime.make(Layer.suspend((): Layer.Layer<Database> => {
      throw new Error("no layer")
    }))
    for (const exit of [runtime.runSyncExit(rows), await runtime.runPromiseExit(rows)]) {
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("no layer")
    }
    expect((await runtime.dispose()).totals.total).toBe(0)
  })

  it("goes on building when the run that it began with is interrupted", async () => {
    const { open, wait } = gate()
    const { counts, layer } = counted(wait)
    const runtime = ResourceRuntime.make(layer)
    await Effect.runPromise(Fiber.interrupt(runtime.runFork(rows)))
    const second = runtime.runPromise(rows)
    open()
    expect(await second).toBe(42)
    expect(counts.built).toBe(1)
    await runtime.dispose()
  })

  it("a ResourceRuntime can be asked for by its own layer while that is being built: who runs waits for it", async () => {
    const seen: Array<unknown> = []
    const asking = Layer.effect(
      Cache,
      Effect.sync(() => {
        runtime.runFork(Effect.flatMap(Database, ({ rows }) => Effect.sync(() => seen.push(rows))))
        seen.push(Exit.isFailure(runtime.runSyncExit(rows)))
        return "cache"
      })
    )
    const runtime: ResourceRuntime.ResourceRuntime<Database | Cache, unknown> = ResourceRuntime
      .make(Layer.merge(asking, counted(turns).layer))
    expect(runtime.runSync(Cache)).toBe("cache")
    await runtime.runPromise(turns)
    expect(seen).toEqual([true, 42])
    await runtime.dispose()
  })

  it("lends its runtime to a fiber that is not its own", async () => {
    const runtime = ResourceRuntime.make(counted().layer)
    expect(await Effect.runPromise(Effect.flatMap(runtime.runtimeEffect, (it) => Effect.provide(rows, it)))).toBe(42)
    await runtime.dispose()
  })

  it("a ResourceRuntime needs no `this`", async () => {
    const { dispose, runPromise } = ResourceRuntime.make(counted().layer)
    expect(await runPromise(rows)).toBe(42)
    expect((await dispose()).totals.cleaned).toBe(1)
  })

  it("shares layers with others through a memo map, and each lives as long as anybody holds it", async () => {
    const { counts, layer } = counted()
    const memoMap = Effect.runSync(ResourceScope.makeMemoMap())
    const first = ResourceRuntime.make(layer, { memoMap })
    const second = ResourceRuntime.make(layer, { memoMap })
    expect(first.memoMap).toBe(memoMap)
    first.runSync(rows)
    second.runSync(rows)
    expect(counts).toEqual({ built: 1, released: 0 })
    expect((await first.dispose()).totals.total).toBe(0)
    expect(second.runSync(rows)).toBe(42)
    expect((await second.dispose()).totals.cleaned).toBe(1)
    expect(counts).toEqual({ built: 1, released: 1 })
  })

  it("works with a memo map of Effect's own", async () => {
    const { counts, layer } = counted()
    const runtime = ResourceRuntime.make(layer, { memoMap: Effect.runSync(Layer.makeMemoMap) })
    expect(runtime.runSync(rows)).toBe(42)
    await runtime.dispose()
    expect(counts).toEqual({ built: 1, released: 1 })
  })

  it("a ResourceRuntime is not made with an option that is wrong, and says which", () => {
    const refuse = () => {
      throw new Error("untellable")
    }
    const untellable = new Proxy({}, { get: refuse, getPrototypeOf: refuse, has: refuse, ownKeys: refuse })
    const wrong: ReadonlyArray<readonly [object, string]> = [
      [{ timeout: 0 }, `Invalid option "timeout": got 0, expected a duration above 0, or Duration.infinity`],
      [{ finalizerTimeout: "-1 seconds" }, "finalizerTimeout"],
      [{ order: "fifo" }, "order"],
      [{ strategy: "parallel" }, "strategy"],
      [{ memoMap: new Map() }, `Invalid option "memoMap"`],
      [{ memoMap: null }, "memoMap"],
      [{ memoMap: untellable }, "memoMap"],
      [{ name: untellable }, "name"],
      [{ name: "" }, `Invalid option "name": got "", expected a text that is not empty`],
      [{ name: 1 }, "name"]
    ]
    for (const [options, message] of wrong) {
      expect(() => ResourceRuntime.make(Layer.empty, options as any)).toThrow(message)
      expect(() => ResourceRuntime.make(Layer.empty, options as any)).toThrow(PatinoxError.Validation)
    }
  })
})
