/** Labels that an application gives to all its metrics, beside those of a registry. */
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { ResourceGuard, ResourceMonitor, ResourceRegistry } from "../src/index.js"

it.effect("the labels of an application come last, as where it reads a metric with its own (P9)", () =>
  Effect.gen(function*() {
    const metrics = yield* ResourceMonitor.metrics
    const registry = Layer.provide(ResourceRegistry.layer, ResourceMonitor.layer(metrics))
    const guard = ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "labelled by the application" })
    yield* Effect.provide(Effect.scoped(guard), registry)
    const ended = Metric.counter("patinox_resources_ended_total", {
      description: "Resources that have ended, by type and outcome",
      incremental: true
    }).pipe(Metric.tagged("type", "labelled by the application"), Metric.tagged("outcome", "cleaned"))
    expect((yield* Metric.value(ended)).count).toBe(1)
  }).pipe(Effect.tagMetrics("app", "shop")))
