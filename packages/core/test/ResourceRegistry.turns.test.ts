/**
 * Storms of cleanups that end at once: timers, input and output have their turns meanwhile. What is done between two turns
 * is counted and not how long it took, as a machine with other things to do takes longer.
 * Shows `Turns`.
 */
import { Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { describe, expect, it } from "vitest"
import type { ResourceEvent } from "../src/index.js"
import { ResourceGuard, ResourceMonitor, ResourceRegistry, ResourceRuntime, ResourceScope } from "../src/index.js"

const many = 20_000

/** How often a timer came while an effect was running, and how much was done between two of its comings. */
const watched = (effect: Effect.Effect<unknown>, done: () => number) =>
  Effect.gen(function*() {
    let ticks = 0
    let last = done()
    let most = 0
    const look = () => {
      const now = done()
      most = Math.max(most, now - last)
      last = now
      ticks++
      timer = setTimeout(look, 0)
    }
    let timer = setTimeout(look, 0)
    yield* effect
    clearTimeout(timer)
    return { ticks, most }
  })

const storms: Record<
  string,
  (release: Effect.Effect<void>) => Effect.Effect<Effect.Effect<unknown>, unknown, ResourceRegistry.ResourceRegistry>
> = {
  "a forced cleanup": (release) =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.ResourceRegistry
      for (let i = 0; i < many; i++) yield* registry.register(() => release)
      return registry.forceCleanupAll
    }),
  "a shutdown of what yields": (release) =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.ResourceRegistry
      const yielding = Effect.andThen(Effect.yieldNow(), release)
      for (let i = 0; i < many; i++) yield* registry.register(() => yielding)
      return registry.shutdown
    }),
  "the close of a scope of finalizers": (release) =>
    Effect.gen(function*() {
      const scope = yield* ResourceScope.make()
      for (let i = 0; i < many; i++) yield* Scope.addFinalizer(scope, release)
      return Scope.close(scope, Exit.void)
    }),
  "the close of a scope of guards": (release) =>
    Effect.gen(function*() {
      const scope = yield* ResourceScope.make()
      for (let i = 0; i < many; i++) yield* Scope.extend(ResourceGuard.make(Effect.void, () => release), scope)
      return Scope.close(scope, Exit.void)
    }),
  "the close of a scope of scopes": (release) =>
    Effect.gen(function*() {
      const scope = yield* ResourceScope.make()
      for (let i = 0; i < many; i++) {
        const child = yield* Scope.fork(scope, scope.strategy)
        yield* Scope.addFinalizer(child, release)
      }
      return Scope.close(scope, Exit.void)
    })
}

describe("a storm of cleanups that end at once lets timers have turns:", () => {
  for (const [name, storm] of Object.entries(storms)) {
    it(`a storm of cleanups that end at once lets timers have turns: ${name}, by time and not by count`, {
      timeout: 60_000
    }, () =>
      Effect.runPromise(
        Effect.gen(function*() {
          let done = 0
          // A hundredth of a millisecond each: some hundreds fit into a turn.
          const release = Effect.sync(() => {
            const end = performance.now() + 0.01
            while (performance.now() < end);
            done++
          })
          const effect = yield* storm(release)
          const { most, ticks } = yield* watched(effect, () => done)
          expect(done).toBe(many)
          // Of the 200 ms that they take at least, none is longer than some: 4 ms are 400 of them.
          expect(ticks).toBeGreaterThan(20)
          expect(most).toBeLessThan(1_000)
        }).pipe(Effect.provide(ResourceRegistry.layer), Effect.provide(Logger.remove(Logger.defaultLogger)))
      ))
  }

  it(
    "a storm of cleanups that end at once lets timers have turns: also where the registry was made in one call, as that of a runtime is",
    { timeout: 60_000 },
    async () => {
      const runtime = ResourceRuntime.make(ResourceRegistry.layer)
      let done = 0
      const release = Effect.sync(() => {
        const end = performance.now() + 0.01
        while (performance.now() < end);
        done++
      })
      const { most, ticks } = await runtime.runPromise(Effect.gen(function*() {
        const registry = yield* ResourceRegistry.ResourceRegistry
        for (let i = 0; i < many; i++) yield* registry.register(() => release)
        return yield* watched(registry.forceCleanupAll, () => done)
      }))
      await runtime.dispose()
      expect(done).toBe(many)
      expect(ticks).toBeGreaterThan(20)
      expect(most).toBeLessThan(1_000)
    }
  )

  it("a storm of cleanups that end at once lets timers have turns: but not where everything has to happen in one call", () => {
    let done = 0
    const slow = Effect.sync(() => {
      const end = performance.now() + 1
      while (performance.now() < end);
      done++
    })
    Effect.runSync(
      ResourceScope.scoped(Effect.forEach(Array.from({ length: 30 }), () => Effect.addFinalizer(() => slow)))
    )
    expect(done).toBe(30)
  })

  it("a storm of cleanups that end at once lets timers have turns: other fibers have theirs, too", () =>
    Effect.runPromise(
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry.ResourceRegistry
        for (let i = 0; i < many; i++) yield* registry.register(() => Effect.void)
        let turns = 0
        const other = yield* Effect.fork(
          Effect.forever(Effect.andThen(Effect.sync(() => turns++), Effect.sleep("1 millis")))
        )
        yield* registry.forceCleanupAll
        yield* Fiber.interrupt(other)
        expect(turns).toBeGreaterThan(2)
      }).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ concurrency: 4 }))))
    ))
})

/** So many that not all of them wait before others have their first turn. */
const registerMany = Effect.gen(function*() {
  const registry = yield* ResourceRegistry.ResourceRegistry
  let done = 0
  for (let i = 0; i < many; i++) yield* registry.register(() => Effect.sync(() => done++))
  return () => done
})

/** Goes on once some of the live ones wait, and not all. */
const whileStarting = Effect.gen(function*() {
  const registry = yield* ResourceRegistry.ResourceRegistry
  for (;;) {
    const { inUse, waiting } = yield* registry.accounts
    if (waiting > 0) return expect(inUse).toBeGreaterThan(0)
    yield* Effect.yieldNow()
  }
})

describe("a close of so many that it begins in several turns", { timeout: 60_000 }, () => {
  it("reports what has ended between two of them", () =>
    Effect.runPromise(
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry.ResourceRegistry
        const cleaned = yield* registry.register(() => Effect.void, { typeName: "cleaned" })
        const disarmed = yield* registry.register(() => Effect.void, { typeName: "disarmed" })
        const done = yield* registerMany
        const closing = yield* Effect.fork(registry.shutdown)
        yield* whileStarting
        yield* registry.cleanup(cleaned)
        yield* registry.unregister(disarmed)
        const { records, totals } = yield* Fiber.join(closing)
        const early = records.filter(({ typeName }) => typeName === "cleaned" || typeName === "disarmed")
        expect(early.map(({ outcome, typeName }) => [typeName, outcome]).sort()).toEqual([
          ["cleaned", "cleaned"],
          ["disarmed", "disarmed"]
        ])
        expect(totals.total).toBe(many + 2)
        expect(done()).toBe(many)
      }).pipe(Effect.provide(ResourceRegistry.layer))
    ))

  it("reports and releases all of them where its deadline comes first", () =>
    Effect.runPromise(
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry.ResourceRegistry
        const done = yield* registerMany
        const { totals } = yield* registry.shutdown
        expect(totals.total).toBe(many)
        while ((yield* registry.activeCount) > 0) yield* Effect.sleep(0)
        expect(done()).toBe(many)
      }).pipe(
        Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ shutdownTimeout: "1 millis" }))),
        Effect.provide(Logger.remove(Logger.defaultLogger))
      )
    ))

  it("tells of none as scheduled that has started meanwhile", () => {
    const told = new Map<string, Array<string>>()
    const onEvent = (event: ResourceEvent.ResourceEvent) =>
      Effect.sync(() => {
        if ("id" in event) told.set(event.id, [...told.get(event.id) ?? [], event._tag])
      })
    return Effect.runPromise(
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry.ResourceRegistry
        yield* registerMany
        const closing = yield* Effect.fork(registry.forceCleanupAll)
        yield* whileStarting
        // Lets the queue go on.
        yield* registry.schedule({ cleanup: Effect.void })
        yield* Fiber.join(closing)
        expect(told.size).toBe(many + 1)
        for (const tags of told.values()) {
          expect(["Registered,Scheduled,Started,Cleaned", "Registered,Started,Cleaned"]).toContain(String(tags))
        }
      }).pipe(
        Effect.provide(ResourceRegistry.layer),
        Effect.provideService(ResourceMonitor.ResourceMonitor, { onEvent })
      )
    )
  })
})
