/** What is given to a registry and comes out of it: options, a monitor that hangs, the result of a wait. */
import { expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { ResourceGuard, ResourceMonitor, ResourceRegistry } from "../src/index.js"

it.effect("a monitor that hangs is given nothing after the registry has closed, and no timer is left (P7)", () =>
  Effect.gen(function*() {
    let seen = 0
    const monitor = ResourceMonitor.make(() => Effect.andThen(Effect.sync(() => seen++), Effect.never))
    const scope = yield* Scope.make()
    const registry = Layer.provide(ResourceRegistry.layer, ResourceMonitor.layer(monitor))
    const context = yield* Layer.buildWithScope(registry, scope)
    yield* Effect.provide(Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void)), context)
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust("2 seconds")
    yield* Fiber.join(closing)
    const seenAtClose = seen
    expect(seenAtClose).toBeGreaterThan(0)
    yield* TestClock.adjust("10 seconds")
    expect(seen).toBe(seenAtClose)
  }))

it.effect("a guard whose recovery is null has that of the registry", () =>
  Effect.gen(function*() {
    const make = ResourceGuard.make(Effect.void, () => Effect.void, { recovery: null as never })
    expect(Exit.isSuccess(yield* Effect.exit(make))).toBe(true)
  }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))

it.effect("options of a registry that are null are those by default", () =>
  Effect.gen(function*() {
    const none = { concurrency: null, cleanupTimeout: null, deadLetters: null, recovery: null } as never
    const made = Effect.provide(Effect.void, ResourceRegistry.layerWith(none))
    expect(Exit.isSuccess(yield* Effect.exit(made))).toBe(true)
  }))

it.effect("awaitIdle gives nothing", () =>
  Effect.gen(function*() {
    const registry = yield* ResourceRegistry.ResourceRegistry
    expect(yield* registry.awaitIdle).toBeUndefined()
  }).pipe(Effect.provide(ResourceRegistry.layer)))

it.effect("metadata is read once, and what was checked is kept", () =>
  Effect.gen(function*() {
    let reads = 0
    const metadata = {
      get team() {
        return (reads++ === 0 ? "a" : 42) as string
      }
    }
    const guard = yield* ResourceGuard.make(Effect.void, () => Effect.void, { metadata })
    expect(guard.info.metadata).toEqual({ team: "a" })
  }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))
