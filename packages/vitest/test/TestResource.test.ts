import { describe, expect, it } from "@effect/vitest"
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Context, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import { Fault, Journal, TestMonitor, TestResource } from "../src/index.js"

class Database extends Context.Tag("Database")<Database, TestResource.TestResource>() {}

describe("TestResource", () => {
  it.effect.each(
    [
      [Fault.none, "Cleaned"],
      [Fault.failForGood, "Failed"],
      [Fault.die, "Failed"],
      [Fault.throws, "Failed"],
      [Fault.hang, "Failed"],
      [Fault.ignoreInterruption, "Abandoned"],
      [Fault.slow("1 seconds"), "Cleaned"],
      [Fault.slow("1 minutes"), "Failed"]
    ] as ReadonlyArray<[Fault.Fault, string]>
  )("the fault %j ends as %s", ([fault, outcome]) =>
    Effect.gen(function*() {
      const monitor = yield* TestMonitor.make
      const resource = yield* TestResource.make("r", { fault })
      yield* Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Scope.extend(resource.guard(), scope)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(closing)
        const ended = yield* monitor.waitFor((event) => event._tag === outcome)
        expect(ended).toMatchObject({ _tag: outcome, typeName: "r" })
        expect(resource.maxConcurrent()).toBe(1)
        expect(resource.attempts()).toBeGreaterThanOrEqual(1)
        expect(resource.released()).toBe(outcome === "Cleaned" ? 1 : 0)
        yield* resource.letGo
        yield* Effect.repeatN(Effect.yieldNow(), 20)
      }).pipe(Effect.provide(ResourceRegistry.layer.pipe(Layer.provide(monitor.layer))))
      expect(resource.running()).toBe(0)
    }))

  it.effect("a TestResource fails as often as its fault says, then succeeds", () =>
    Effect.gen(function*() {
      const resource = yield* TestResource.make("r", { fault: Fault.fail(2) })
      expect(yield* Effect.flip(resource.release())).toMatchObject({ _tag: "ReleaseFault", resource: "r", attempt: 1 })
      expect(yield* Effect.flip(resource.release())).toMatchObject({ attempt: 2 })
      yield* resource.release()
      expect([resource.attempts(), resource.released()]).toEqual([3, 1])
    }))

  it.effect("a TestResource acquires slowly, and counts once it has", () =>
    Effect.gen(function*() {
      const resource = yield* TestResource.make("r", { fault: Fault.acquireSlowly("2 seconds") })
      const acquiring = yield* Effect.fork(resource.acquire)
      yield* TestClock.adjust("1999 millis")
      expect(resource.acquired()).toBe(0)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(acquiring)
      expect(resource.acquired()).toBe(1)
    }))

  it.effect("a TestResource fails to acquire where its fault says so", () =>
    Effect.gen(function*() {
      const resource = yield* TestResource.make("r", { fault: Fault.acquireFails })
      expect((yield* Effect.flip(resource.acquire))._tag).toBe("AcquireFault")
      expect(resource.acquired()).toBe(0)
    }))

  it.effect("a TestResource and a Journal report attempts that overlapped", () =>
    Effect.gen(function*() {
      const journal = Journal.make()
      const a = yield* TestResource.make("a", { fault: Fault.hang, journal })
      const b = yield* TestResource.make("b", { fault: Fault.ignoreInterruption, journal })
      const releasing = yield* Effect.fork(Effect.all([a.release(), a.release(), b.release()], { concurrency: 3 }))
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      expect([a.maxConcurrent(), b.maxConcurrent(), journal.maxConcurrent()]).toEqual([2, 1, 3])
      yield* Effect.all([a.letGo, b.letGo])
      yield* Fiber.join(releasing)
      expect([a.running(), b.running(), journal.running()]).toEqual([0, 0, 0])
      expect(journal.of("released").toSorted()).toEqual(["a", "a", "b"])
    }))

  it.effect("a TestResource counts a throw before an Effect as an attempt that ended", () =>
    Effect.gen(function*() {
      const resource = yield* TestResource.make("r", { fault: Fault.throws })
      expect(Exit.isFailure(yield* Effect.exit(Effect.suspend(resource.release)))).toBe(true)
      expect([resource.attempts(), resource.running()]).toEqual([1, 0])
      expect(resource.journal.of("failed")).toEqual(["r"])
    }))

  it.effect("a TestResource is a layer, and a plain acquireRelease", () =>
    Effect.gen(function*() {
      const journal = Journal.make()
      const database = yield* TestResource.make("database", { journal })
      const plain = yield* TestResource.make("plain", { journal })
      yield* Effect.scoped(Effect.andThen(Database, plain.plain)).pipe(
        Effect.provide(database.layer(Database, { priority: "High" })),
        Effect.provide(ResourceRegistry.layer)
      )
      expect(journal.entries().map(({ resource, what }) => `${what} ${resource}`)).toEqual([
        "acquired database",
        "acquired plain",
        "attempted plain",
        "released plain",
        "attempted database",
        "released database"
      ])
    }))

  it.effect("the acquire and the release of a TestResource go into any guard", () =>
    Effect.gen(function*() {
      const resource = yield* TestResource.make("r")
      yield* ResourceGuard.use(resource.acquire, resource.release)(() => Effect.void)
      expect(resource.released()).toBe(1)
    }).pipe(Effect.provide(ResourceRegistry.layer)))

  it("Fault refuses times and durations that are below 0 or no number", () => {
    for (const value of [-1, Number.NaN, "-5 seconds" as never]) {
      for (const make of [Fault.fail, Fault.slow, Fault.acquireSlowly]) {
        expect(() => make(value)).toThrow(/Invalid option "(times|duration)"/)
      }
    }
  })

  it("TestResource names every fault", () => {
    expect(Fault.all.map(Fault.name)).toEqual([
      "none",
      "fails once",
      "fails for good",
      "dies",
      "throws",
      "hangs",
      "ignores interruption",
      "slow",
      "acquires slowly",
      "acquire fails",
      "fails untellably"
    ])
  })
})
