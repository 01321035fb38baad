/** Shows `LeakWatch`. */
import { describe, expect } from "@effect/vitest"
import { ResourceGuard, ResourceId, ResourceMonitor, ResourceRegistry } from "@patinox/core"
import { Context, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import { assertNoLeaks, Fault, it, LeakCheck, TestRegistry, TestResource } from "../src/index.js"

const leaked = (name: string) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const resource = yield* TestResource.make(name)
    return yield* Scope.extend(resource.guard(), scope)
  })

const abandoned = Effect.gen(function*() {
  const scope = yield* Scope.make()
  const resource = yield* TestResource.make("stuck", { fault: Fault.ignoreInterruption })
  yield* Scope.extend(resource.guard({ timeout: "1 seconds" }), scope)
  const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
  yield* TestClock.adjust("1 seconds")
  yield* Fiber.join(closing)
  return resource
})

const unnamed = ResourceGuard.make(Effect.void, () => Effect.void)

const statesOf = ({ leaks }: LeakCheck.LeaksFound) => leaks.map(({ state, typeName }) => `${typeName} ${state}`)

describe("assertNoLeaks", () => {
  it.effect("assertNoLeaks passes when all is cleaned up", () =>
    Effect.gen(function*() {
      const resource = yield* TestResource.make("r", { fault: Fault.failForGood })
      yield* Effect.scoped(resource.guard())
      yield* assertNoLeaks
    }).pipe(Effect.provide(TestRegistry.layer)))

  it.effect("assertNoLeaks names every live guard with its id, age and acquire stack", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { id } = yield* Scope.extend(
        Effect.suspend(() => ResourceGuard.make(Effect.void, () => Effect.void)),
        scope
      )
      yield* leaked("Database")
      yield* TestClock.adjust("3 seconds")
      const error = yield* Effect.flip(assertNoLeaks)
      expect(error.message).toMatch(/^2 guards leaked:/)
      expect(error.message).toContain(id)
      expect(error.message).toMatch(/Database \([\da-f-]+\) is still live, 3000 ms after it was acquired/)
      expect(error.leaks[0]!.acquireStack).toMatch(/LeakFree\.test\.ts:\d+/)
      expect(error.message).toMatch(/LeakFree\.test\.ts:\d+/)
    }).pipe(Effect.provide(TestRegistry.layer)))

  it.effect("assertNoLeaks names guards in cleanup and abandoned guards", () =>
    Effect.gen(function*() {
      const resource = yield* abandoned
      const hanging = yield* TestResource.make("hanging", { fault: Fault.hang })
      const guard = yield* Scope.extend(hanging.guard(), yield* Scope.make())
      yield* Effect.fork(guard.cleanup)
      yield* Effect.yieldNow()
      const error = yield* Effect.flip(assertNoLeaks)
      expect(statesOf(error)).toEqual(["hanging cleaning", "stuck abandoned"])
      yield* Effect.all([hanging.letGo, resource.letGo])
      yield* Effect.yieldNow()
      expect(statesOf(yield* Effect.flip(assertNoLeaks))).toEqual(["stuck abandoned"])
    }).pipe(Effect.provide(TestRegistry.layer)))
})

describe("LeakCheck.leakFree", () => {
  const check = LeakCheck.leakFree

  it.effect("leakFree returns the value, and the own error, of the effect that it watches", () =>
    Effect.gen(function*() {
      const fine = Effect.scoped(unnamed).pipe(Effect.as(1), Effect.provide(ResourceRegistry.layer))
      expect(yield* check(fine)).toBe(1)
      const failing = leaked("r").pipe(Effect.andThen(Effect.fail("mine")), Effect.provide(ResourceRegistry.layer))
      expect(yield* Effect.flip(check(failing))).toBe("mine")
    }))

  it.effect("leakFree fails for a guard that only its registry cleaned up", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(check(Effect.provide(leaked("Database"), ResourceRegistry.layer)))
      expect(statesOf(error as LeakCheck.LeaksFound)).toEqual(["Database left"])
      expect(error.message).toContain("Database (")
      expect(error.message).toContain("was left for its registry to clean up")
    }))

  it.effect("leakFree names all guards that a shutdown cleaned up, and allows an intended shutdown", () =>
    Effect.gen(function*() {
      const chain = Effect.gen(function*() {
        const base = yield* leaked("base")
        const resource = yield* TestResource.make("dependent")
        yield* Scope.extend(resource.guard({ dependsOn: [base], priority: "Low" }), yield* Scope.make())
      }).pipe(Effect.provide(ResourceRegistry.layer))
      const error = yield* Effect.flip(check(chain))
      expect(statesOf(error as LeakCheck.LeaksFound)).toEqual(["base left", "dependent left"])
      yield* check(chain, { allowShutdown: true })
    }))

  it.effect("leakFree fails for a live guard of a live registry", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const unclosed = Effect.flatMap(
        Layer.buildWithScope(ResourceRegistry.layer, scope),
        (context) => Effect.provide(leaked("Database"), context)
      )
      const error = yield* Effect.flip(check(unclosed))
      expect(statesOf(error as LeakCheck.LeaksFound)).toEqual(["Database live"])
      yield* Scope.close(scope, Exit.void)
    }))

  it.effect("leakFree fails for an abandoned guard", () =>
    Effect.gen(function*() {
      const run = abandoned.pipe(
        Effect.tap((resource) => resource.letGo),
        Effect.provide(ResourceRegistry.layer)
      )
      expect(statesOf((yield* Effect.flip(check(run))) as LeakCheck.LeaksFound)).toEqual(["stuck abandoned"])
    }))

  it.effect("leakFree sees a registry inside the layers under test, and beside their own monitor", () =>
    Effect.gen(function*() {
      class App extends Context.Tag("App")<App, string>() {}
      const seen: Array<string> = []
      const monitor = ResourceMonitor.make((event) => Effect.sync(() => seen.push(event._tag)))
      const app = Layer.effect(App, Effect.as(leaked("inner"), "app")).pipe(
        Layer.provide(ResourceRegistry.layer),
        Layer.provide(ResourceMonitor.layer(monitor))
      )
      const error = yield* Effect.flip(check(Effect.provide(App, app)))
      expect(statesOf(error as LeakCheck.LeaksFound)).toEqual(["inner left"])
      expect(seen).toContain("Registered")
    }))

  it.effect("leakFree tells guards of several registries with the same ids apart", () =>
    Effect.gen(function*() {
      const fine = Effect.provide(Effect.scoped(unnamed), Layer.fresh(TestRegistry.layer))
      const both = Effect.andThen(fine, Effect.provide(leaked("second"), Layer.fresh(TestRegistry.layer)))
      expect(statesOf((yield* Effect.flip(check(both))) as LeakCheck.LeaksFound)).toEqual(["second left"])
    }))

  it.effect("leakFree checks a registry in context before and after", () =>
    Effect.gen(function*() {
      yield* leaked("before")
      yield* check(Effect.scoped(unnamed))
      const error = yield* Effect.flip(check(leaked("during")))
      expect(statesOf(error as LeakCheck.LeaksFound)).toEqual(["during live"])
    }).pipe(Effect.provide(TestRegistry.layer)))

  it.effect("leakFree shows where a guard was acquired, if the events of the registry do", () =>
    Effect.gen(function*() {
      const registered = Effect.flatMap(ResourceMonitor.ResourceMonitor, (monitor) => {
        const id = ResourceId.sequential().next()
        const event = { _tag: "Registered", at: 0, id, typeName: "Database", priority: "Normal" } as const
        return Effect.ignore(monitor.onEvent({ ...event, acquireStack: "    at open (app.ts:12:3)" } as typeof event))
      })
      const error = yield* Effect.flip(check(registered))
      expect(error.message).toMatch(/Database \([\da-f-]+\) is still live.*\n +at open \(app\.ts:12:3\)/)
    }))

  it.effect("leakFree fails without a registry, unless that is allowed", () =>
    Effect.gen(function*() {
      expect(yield* Effect.flip(check(Effect.void))).toMatchObject({ _tag: "NoRegistrySeen" })
      yield* check(Effect.void, { allowEmpty: true })
    }))
})

describe("it.leakFree", () => {
  it.leakFree("it.leakFree passes a test that cleans up", () =>
    Effect.gen(function*() {
      const resource = yield* TestResource.make("r")
      yield* Effect.scoped(resource.guard())
      expect(resource.released()).toBe(1)
    }).pipe(Effect.provide(ResourceRegistry.layer)))

  it.leakFree.live("it.leakFree.live passes with the real services", () =>
    Effect.scoped(unnamed).pipe(Effect.provide(ResourceRegistry.layer)))

  it.leakFree.each([1, 2])(
    "passes for each value: %s",
    (value) => Effect.sync(() => expect(value).toBeGreaterThan(0)),
    { allowEmpty: true }
  )

  it.leakFree("it.leakFree takes options of vitest and its own", () => Effect.void, {
    allowEmpty: true,
    timeout: 10_000
  })

  it.leakFree.fails("it.leakFree fails a test that leaks", () =>
    leaked("r").pipe(Effect.provide(ResourceRegistry.layer)))

  it.leakFree.fails("it.leakFree fails a test that abandons a guard", () =>
    abandoned.pipe(Effect.tap((resource) => resource.letGo), Effect.provide(ResourceRegistry.layer)))

  it.leakFree.fails("it.leakFree fails a test without a registry", () => Effect.void)
})
