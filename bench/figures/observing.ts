/** What being watched costs, and a reading of many. */
import { ResourceGuard, ResourceMonitor, ResourceRegistry } from "@patinox/core"
import { Effect, Layer } from "effect"
import type { Family } from "../figure.js"
import { interleave, times } from "../paired.js"

const acquire = Effect.succeed("connection")
const release = () => Effect.void
const options = { typeName: "Connection" }
const guard = () => ResourceGuard.acquireRelease(acquire, release, options)

const live = 10_000

export const family: Family = {
  ids: ["metrics", "snapshot"],
  measure: ({ quick }) =>
    Effect.runPromise(
      Effect.scoped(Effect.gen(function*() {
        const off = yield* Layer.build(ResourceRegistry.layer)
        const on = yield* Layer.build(Layer.provide(ResourceRegistry.layer, ResourceMonitor.layerMetrics))
        const guards = times(2_000, () => Effect.scoped(guard()))
        const watched = yield* interleave(quick ? 9 : 25, {
          off: Effect.provide(guards, off),
          on: Effect.provide(guards, on)
        })
        const readings = yield* Effect.scoped(Effect.gen(function*() {
          const registry = yield* ResourceRegistry.ResourceRegistry
          yield* times(live, guard)
          return yield* interleave(quick ? 9 : 25, { snapshot: registry.snapshot })
        })).pipe(Effect.provide(off))
        return {
          "metrics": watched.map((round) => round.on / round.off),
          "snapshot": readings.map((round) => round.snapshot)
        }
      }))
    )
}
