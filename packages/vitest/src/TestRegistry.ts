/**
 * Registries for tests: ids in sequence, so that two runs read the same, and the acquire stack of every guard, so that a
 * leak can be found.
 */
import { type PatinoxError, ResourceId, ResourceRegistry } from "@patinox/core"
import { Effect, Layer, type Scope, TestClock } from "effect"
import * as TestLog from "./TestLog.js"

/** With every default. A constant: layers that provide it share one. */
export const layer: Layer.Layer<ResourceRegistry.ResourceRegistry> = ResourceRegistry.layerTest

/**
 * With options, such as a shorter deadline or less concurrency.
 *
 * ```ts
 * import { ResourceGuard } from "@patinox/core"
 * import { TestRegistry } from "@patinox/vitest"
 * import { Effect } from "effect"
 *
 * const program = Effect.scoped(Effect.map(
 *   ResourceGuard.make(Effect.void, () => Effect.void),
 *   (guard) => guard.id
 * ))
 * const registry = TestRegistry.layerWith({ concurrency: 1 })
 * console.log(await Effect.runPromise(Effect.provide(program, registry))) // => 00000000-0000-4000-8000-000000000001
 * ```
 */
export const layerWith = (
  options: ResourceRegistry.RegistryOptions
): Layer.Layer<ResourceRegistry.ResourceRegistry, PatinoxError.Validation> =>
  ResourceRegistry.layerWith({ captureStacks: "all", ...options }).pipe(
    Layer.provide(Layer.sync(ResourceId.Generator, () => ResourceId.sequential()))
  )

/** A registry whose log goes nowhere. */
export const quiet: Layer.Layer<ResourceRegistry.ResourceRegistry> = Layer.provideMerge(
  ResourceRegistry.layer,
  TestLog.silent
)

type Scoped = Scope.Scope | ResourceRegistry.ResourceRegistry

const yields = Effect.repeatN(Effect.yieldNow(), 50)

/** A failed test would wait, with a clock that stands still, for the end of what it has left open. */
const moveClockOnFailure = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.tapErrorCause(
    effect,
    () => Effect.forkDaemon(Effect.repeatN(Effect.andThen(TestClock.adjust("1 hours"), yields), 5))
  )

/**
 * Runs the effect in a scope and a quiet registry, as an application has them. Where it fails, the test's clock moves by
 * itself until what is left open has ended, so that the test ends, too. For tests with a `TestClock`, as `it.effect`'s.
 */
export const scoped = <A, E>(effect: Effect.Effect<A, E, Scoped>): Effect.Effect<A, E> =>
  Effect.provide(Effect.scoped(moveClockOnFailure(effect)), quiet)

/** As `scoped`, with the lines of the log so far, each as its level and its message. */
export const scopedWithLog = <A, E>(
  f: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, Scoped>
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const { layer: log, lines } = TestLog.make()
    const inside = Effect.scoped(moveClockOnFailure(Effect.suspend(() => f(lines))))
    return Effect.provide(inside, Layer.provideMerge(ResourceRegistry.layer, log))
  })
