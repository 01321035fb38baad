/**
 * Registries for tests: ids in sequence, so that two runs read the same, and the acquire stack of every guard, so that a
 * leak can be found.
 */
import { type PatinoxError, ResourceId, ResourceRegistry } from "@patinox/core"
import { Layer } from "effect"

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
