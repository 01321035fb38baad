/** Guards without a Scope: cleaned up by who holds them; collected without, they are told as leaked. With the real collector. */
import { describe, expect, it } from "@effect/vitest"
import { HeapProbe, interruptionSweep, TestLog } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { runSource } from "../../../scripts/testing/runSource.js"
import {
  CleanupReport,
  PatinoxError,
  type ResourceEvent,
  ResourceGuard,
  ResourceMonitor,
  ResourceRegistry
} from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry

const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** Lets the collector have its turns, until something is so, or it has had enough of them. */
const collecting = (until: () => boolean) =>
  Effect.gen(function*() {
    for (let i = 0; i < 50 && !until(); i++) {
      yield* HeapProbe.collect
      yield* turn
    }
  })

const sentinels = new FinalizationRegistry<() => void>((heard) => heard())

/** As many turns as it takes to collect what was left at the same time, and to hear of it. */
const collectedBy = Effect.suspend(() => {
  let heard = 0
  for (let i = 0; i < 10; i++) sentinels.register({}, () => heard++)
  return collecting(() => heard === 10).pipe(
    Effect.andThen(Effect.sync(() => expect(heard).toBe(10))),
    Effect.andThen(turn)
  )
})

const watching = (options: ResourceRegistry.RegistryOptions = {}) => {
  const events: Array<ResourceEvent.ResourceEvent> = []
  const { layer: log, messages: lines } = TestLog.make()
  return {
    events,
    lines,
    leaks: () => lines.filter((line) => line.includes("leaked")),
    tags: () => events.map(({ _tag }) => _tag),
    provide: Effect.provide(
      Layer.orDie(ResourceRegistry.layerWith(options)).pipe(
        Layer.provide(ResourceMonitor.layer(ResourceMonitor.make((event) => Effect.sync(() => events.push(event))))),
        Layer.provideMerge(log)
      )
    )
  }
}

const made = (
  release: Effect.Effect<unknown, string> = Effect.void,
  options: ResourceGuard.UnscopedOptions<{ readonly bulk: ReadonlyArray<unknown> }, string> = {}
) => ResourceGuard.makeUnscoped(Effect.sync(() => ({ bulk: [] })), () => release, { typeName: "Socket", ...options })

/** Makes one that nobody holds, in a fiber of its own so that no frame of it is left. */
const forgotten = (...args: Parameters<typeof made>) =>
  Effect.flatMap(Effect.fork(Effect.map(made(...args), (guard) => guard.id)), Fiber.join)

describe("a guard without a Scope", () => {
  it.effect("a guard without a Scope is used and cleaned up by who holds it, typed and once, and needs no Scope", () => {
    const { provide, tags } = watching()
    return Effect.gen(function*() {
      const guard = yield* made(Effect.fail("refused"))
      expect(yield* guard.use(({ bulk }) => Effect.succeed(bulk.length))).toBe(0)
      expect(yield* guard.state).toBe("inUse")
      expect(guard.info).toMatchObject({ id: guard.id, typeName: "Socket" })
      expect(yield* Effect.flip(guard.cleanup)).toMatchObject({ _tag: "CleanupFailed" })
      expect(yield* Effect.flip(guard.cleanup)).toMatchObject({ _tag: "AlreadyCleanedUp" })
      expect(yield* Effect.flip(guard.use(Effect.succeed))).toMatchObject({ _tag: "AlreadyCleanedUp" })
      expect(yield* guard.state).toBe("failed")
      expect(tags()).toEqual(["Registered", "Started", "Failed"])
    }).pipe(provide)
  })

  it.effect("a guard without a Scope is cleaned up by its registry's shutdown, and in the report", () => {
    const { provide } = watching()
    let released = 0
    return Effect.gen(function*() {
      const guard = yield* made(Effect.sync(() => released++))
      const report = yield* (yield* registry).shutdown
      expect(report.records).toMatchObject([{ id: guard.id, outcome: "cleaned", trigger: "shutdown" }])
      expect(released).toBe(1)
      expect(yield* Effect.flip(made())).toMatchObject({ _tag: "RegistryShuttingDown" })
    }).pipe(provide)
  })

  it.effect("a guard without a Scope whose acquire fails leaves nothing", () => {
    const { provide } = watching()
    return Effect.gen(function*() {
      const error = yield* Effect.flip(ResourceGuard.makeUnscoped(Effect.fail("no"), () => Effect.void))
      expect(error).toBe("no")
      expect(yield* (yield* registry).activeCount).toBe(0)
    }).pipe(provide)
  })

  it.effect("a guard without a Scope is known to the registry as soon as it is open, wherever its maker is interrupted", () => {
    const { provide } = watching()
    return Effect.gen(function*() {
      const r = yield* registry
      let opened = 0
      const acquire = Effect.andThen(Effect.yieldNow(), Effect.andThen(Effect.sync(() => ++opened), Effect.yieldNow()))
      const make = Effect.andThen(ResourceGuard.makeUnscoped(acquire, () => Effect.void), Effect.yieldNow())
      const known = Effect.flatMap(
        r.accounts,
        ({ live }) => live === opened ? Effect.void : Effect.fail({ live, opened })
      )
      expect(yield* interruptionSweep(make, known)).toBeGreaterThan(5)
      expect(opened).toBeGreaterThan(5)
    }).pipe(provide)
  })

  it.effect("a guard without a Scope is not made with an option that is wrong, before anything is acquired", () => {
    const { provide } = watching()
    return Effect.gen(function*() {
      let acquired = 0
      const acquire = Effect.sync(() => ++acquired)
      const wrong = { onCollected: "ignore" } as any
      const exit = yield* Effect.exit(ResourceGuard.makeUnscoped(acquire, () => Effect.void, wrong))
      expect(exit).toEqual(Exit.die(PatinoxError.invalidOption("onCollected", "ignore", "one of report, cleanup")))
      const timeout = yield* Effect.exit(ResourceGuard.makeUnscoped(acquire, () => Effect.void, { timeout: 0 }))
      expect(Exit.isFailure(timeout)).toBe(true)
      expect(acquired).toBe(0)
    }).pipe(provide)
  })
})

describe("one that is collected without a cleanup", () => {
  it.live("a guard that is collected without a cleanup is told as leaked once, with owner and stack; the shutdown cleans it up", () => {
    const { events, lines, provide, tags } = watching({ captureStacks: "all" })
    let released = 0
    return Effect.gen(function*() {
      const r = yield* registry
      const id = yield* Effect.withSpan(forgotten(Effect.sync(() => released++)), "import-orders")
      yield* collecting(() => lines.length > 0)
      yield* collectedBy
      expect(lines.length).toBe(1)
      expect(lines[0]).toMatch(
        /^Socket was leaked: it was collected as garbage without a cleanup, \d+(\.\d)? m?s after its acquire\nacquired\n/
      )
      expect(tags()).toEqual(["Registered", "LeakSuspected"])
      expect(events[1]).toMatchObject({
        id,
        typeName: "Socket",
        owner: { spanName: "import-orders" },
        acquireStack: expect.stringContaining("ResourceGuard.unscoped.test.ts")
      })
      expect(released).toBe(0)
      expect((yield* r.snapshot).live).toMatchObject([{ leakSuspected: true, state: "inUse" }])
      const report = yield* r.shutdown
      expect(report.records).toMatchObject([{ id, outcome: "cleaned" }])
      expect(released).toBe(1)
      // It was a leak.
      expect(tags()).not.toContain("LeakResolved")
    }).pipe(provide)
  })

  it.live("a guard that is collected without a cleanup is cleaned up by the registry where that is asked for, and told all the same", () => {
    const { events, lines, provide, tags } = watching()
    return Effect.gen(function*() {
      const r = yield* registry
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const value: { ref?: WeakRef<object> } = {}
      const id = yield* Effect.flatMap(
        Effect.fork(Effect.map(
          ResourceGuard.makeUnscoped(
            Effect.sync(() => {
              const it = { bulk: [] }
              value.ref = new WeakRef(it)
              return it
            }),
            (_, exit) => Effect.sync(() => exits.push(exit)),
            { typeName: "Socket", onCollected: "cleanup" }
          ),
          (guard) => guard.id
        )),
        Fiber.join
      )
      yield* collecting(() => tags().includes("Cleaned"))
      expect(tags()).toEqual(["Registered", "LeakSuspected", "Scheduled", "Started", "Cleaned"])
      expect(events.at(-1)).toMatchObject({ id, record: { trigger: "leaked", outcome: "cleaned" } })
      expect(lines).toEqual([
        expect.stringMatching(/without a cleanup, \d+(\.\d)? m?s after its acquire; cleaning it up now$/)
      ])
      expect(exits.length).toBe(1)
      expect(Exit.isInterrupted(exits[0]!)).toBe(true)
      expect(yield* r.activeCount).toBe(0)
      yield* collecting(() => value.ref!.deref() === undefined)
      expect(value.ref!.deref()).toBe(undefined)
    }).pipe(provide)
  })

  it.live("a guard that is collected without a cleanup while somebody uses it is cleaned up when he has ended", () => {
    const { lines, provide, tags } = watching()
    return Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const log: Array<string> = []
      // Nothing after this use holds the guard.
      const using = yield* Effect.forkDaemon(Effect.flatMap(
        made(Effect.sync(() => log.push("released")), { onCollected: "cleanup" }),
        (guard) =>
          guard.use(() =>
            Deferred.succeed(started, undefined).pipe(
              Effect.andThen(Deferred.await(gate)),
              Effect.andThen(Effect.sync(() => log.push("used")))
            )
          )
      ))
      yield* Deferred.await(started)
      yield* collectedBy
      expect(log).toEqual([])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(using)
      yield* collecting(() => tags().includes("Cleaned"))
      expect(log).toEqual(["used", "released"])
      expect(lines.length).toBe(1)
    }).pipe(provide)
  })

  it.live("a guard that is collected without a cleanup and was suspected by its age already is logged, and is no second suspect", () => {
    const { lines, provide, tags } = watching({ leakThreshold: "1 millis" })
    return Effect.gen(function*() {
      const [id] = yield* Effect.all([forgotten(), Effect.sleep("20 millis")], { concurrency: 2 })
      yield* collecting(() => lines.length >= 2)
      expect(lines).toEqual([
        expect.stringContaining("Socket may be leaked"),
        expect.stringContaining("Socket was leaked")
      ])
      expect(tags().filter((tag) => tag === "LeakSuspected").length).toBe(1)
      yield* (yield* registry).cleanup(id)
    }).pipe(provide)
  })
})

describe("nothing is told of one", () => {
  it.live("nothing is told of a collected guard that has been cleaned up, waits for its cleanup, or has been taken out", () => {
    const { leaks, provide, tags } = watching({ concurrency: 1 })
    return Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      const own = (f: (guard: ResourceGuard.UnscopedGuard<any, string>) => Effect.Effect<unknown, unknown>) =>
        Effect.flatMap(Effect.fork(Effect.asVoid(Effect.flatMap(made(), f))), Fiber.join)
      yield* own((guard) => guard.cleanup)
      yield* own((guard) => r.unregister(guard.id))
      yield* r.schedule({ cleanup: Deferred.await(gate), typeName: "first" })
      yield* own((guard) => r.schedule({ resource: guard }))
      expect((yield* r.snapshot).live.map(({ state }) => state)).toEqual(["cleaning", "waiting"])
      yield* collectedBy
      expect(leaks()).toEqual([])
      expect(tags()).not.toContain("LeakSuspected")
      yield* Deferred.succeed(gate, undefined)
      yield* r.awaitIdle
      expect(yield* r.activeCount).toBe(0)
    }).pipe(provide)
  })

  it.live("nothing is told of a collected guard whose registry has shut down", () => {
    const { leaks, provide } = watching()
    return Effect.gen(function*() {
      yield* forgotten(Effect.void, { onCollected: "cleanup" })
      const report = yield* (yield* registry).shutdown
      expect(CleanupReport.isClean(report)).toBe(true)
      yield* collectedBy
      expect(leaks()).toEqual([])
    }).pipe(provide)
  })

  it.live("nothing is told of a guard as long as somebody holds it, or one of its effects", () => {
    const { leaks, provide } = watching()
    return Effect.gen(function*() {
      const guard = yield* made()
      const uses = yield* Effect.flatMap(
        Effect.fork(Effect.map(made(), (other) => other.use(() => Effect.succeed("used")))),
        Fiber.join
      )
      const cleanup = yield* Effect.flatMap(Effect.fork(Effect.map(made(), (other) => other.cleanup)), Fiber.join)
      yield* collectedBy
      expect(leaks()).toEqual([])
      expect(yield* uses).toBe("used")
      yield* cleanup
      yield* guard.cleanup
    }).pipe(provide)
  })
})

describe("guards without a Scope", () => {
  it.live("guards without a Scope that are gone leave nothing behind, nor do those that were collected", () => {
    const { events, provide } = watching()
    return Effect.gen(function*() {
      const probe = HeapProbe.make()
      const one = (onCollected: "report" | "cleanup", clean: boolean) =>
        Effect.flatMap(
          ResourceGuard.makeUnscoped(
            Effect.sync(() => probe.track({ bulk: Array.from({ length: 10 }) })),
            () => Effect.void,
            { onCollected }
          ),
          (guard) => clean ? probe.track(guard).cleanup : Effect.sync(() => void probe.track(guard))
        )
      yield* Effect.flatMap(
        Effect.fork(Effect.forEach(Array.from({ length: 1_000 }), (_, i) => one("cleanup", i % 2 === 0))),
        Fiber.join
      )
      expect([probe.tracked(), yield* probe.kept]).toEqual([2_000, 0])
      yield* collectedBy
      expect(events.filter(({ _tag }) => _tag === "LeakSuspected").length).toBe(500)
      expect(yield* (yield* registry).accounts).toMatchObject({ registered: 1_000, cleaned: 1_000, live: 0 })
    }).pipe(provide)
  })

  it.live("guards without a Scope keep no process alive, and are told of in one of its own", () =>
    Effect.gen(function*() {
      const program = `
        import { ResourceGuard, ResourceRegistry } from "@patinox/core"
        import { Effect, Layer, Scope } from "effect"
        const scope = Effect.runSync(Scope.make())
        const services = Effect.runSync(Layer.buildWithScope(ResourceRegistry.layer, scope))
        const run = (effect) => Effect.runPromise(Effect.provide(effect, services))
        globalThis.held = await run(ResourceGuard.makeUnscoped(Effect.succeed(1), () => Effect.void, { typeName: "Held" }))
        await run(Effect.asVoid(ResourceGuard.makeUnscoped(Effect.succeed(2), () => Effect.void, { typeName: "Lost" })))
        for (let i = 0; i < 20; i++) {
          await new Promise((resolve) => setImmediate(resolve))
          gc()
        }
        console.log("open", process.getActiveResourcesInfo().filter((name) => name === "Timeout").length)
      `
      const { output, ...ended } = yield* runSource(program, ["--expose-gc"])
      expect(ended).toEqual({ code: 0, signal: null })
      expect(output).toMatch(/message="Lost was leaked: it was collected as garbage without a cleanup/)
      expect(output).not.toContain("Held was leaked")
      expect(output).toMatch(/open 0\n$/)
    }))
})
