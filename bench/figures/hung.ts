/** How much later 1,000 closes end because 16 releases hang: the difference of the 99th percentiles. */
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Effect, Layer, Logger, ManagedRuntime } from "effect"
import type { Family } from "../figure.js"
import { percentile } from "../figure.js"
import { times } from "../paired.js"

const closes = 1_000
const acquire = Effect.succeed("connection")
/** A release that takes a few turns of the event loop, as a socket's does. */
const release = () => Effect.sleep("1 millis")

const latencies = (hung: number, close: "wait" | "background") =>
  Effect.gen(function*() {
    const registry = yield* ResourceRegistry.ResourceRegistry
    yield* times(hung, () => registry.schedule({ cleanup: Effect.never, typeName: "Hung" }))
    const millis: Array<number> = []
    // All closed at the worst moment: just after every slot was taken.
    yield* Effect.forEach(
      Array.from({ length: closes }),
      () =>
        Effect.suspend(() => {
          let closed = 0
          const ended = (_: string) =>
            Effect.andThen(release(), Effect.sync(() => millis.push(performance.now() - closed)))
          return Effect.scoped(Effect.andThen(
            ResourceGuard.acquireRelease(acquire, ended, { typeName: "Connection", close }),
            Effect.sync(() => {
              closed = performance.now()
            })
          ))
        }),
      { concurrency: "unbounded", discard: true }
    )
    while (millis.length < closes) yield* Effect.sleep("20 millis")
    return percentile(millis, 0.99)
  })

// What hangs is reported as slow.
const silent = Logger.remove(Logger.defaultLogger)

/** A registry of its own each time, and not closed: what hangs would hold that up. */
const p99 = (hung: number, close: "wait" | "background") =>
  ManagedRuntime.make(Layer.merge(ResourceRegistry.layer, silent)).runPromise(latencies(hung, close))

const added = async (rounds: number, close: "wait" | "background"): Promise<ReadonlyArray<number>> => {
  const results: Array<number> = []
  await p99(0, close)
  for (let i = 0; i < rounds; i++) {
    const without = await p99(0, close)
    results.push((await p99(16, close) - without) / 1_000)
  }
  return results
}

export const family: Family = {
  ids: ["hung", "hung-background"],
  measure: async ({ quick }) => ({
    "hung": await added(quick ? 2 : 5, "wait"),
    "hung-background": await added(quick ? 2 : 5, "background")
  })
}
