/**
 * The seam through which a registry is watched. A registry takes the monitor that is there when its layer is built, and
 * calls it with every event, in order. A monitor that fails, throws or hangs never affects a cleanup: it has a second for
 * an event, and events that it is too slow for are dropped. With none, watching costs a field read.
 */
import { Context, Effect, Layer, PubSub } from "effect"
import { Monitors } from "./internal/registry/Monitors.js"
import { MetricsMonitor } from "./internal/registry/RegistryMetrics.js"
import * as ResourceEvent from "./ResourceEvent.js"

/** What watches a registry. */
export interface ResourceMonitor {
  /** Called for one event at a time. What it fails with is ignored. */
  readonly onEvent: (event: ResourceEvent.ResourceEvent) => Effect.Effect<unknown, unknown>
}

/** Watches nothing. */
export const noop: ResourceMonitor = { onEvent: () => Effect.void }

/** The monitor of the registries built here; none by default. */
export const ResourceMonitor = /* @__PURE__ */ Context.Reference<ResourceMonitor>()("@patinox/core/ResourceMonitor", {
  defaultValue: () => noop
})

/**
 * A monitor that runs a function for each event.
 *
 * ```ts
 * import { ResourceGuard, ResourceMonitor, ResourceRegistry } from "@patinox/core"
 * import { Effect, Layer } from "effect"
 *
 * const seen: Array<string> = []
 * const monitor = ResourceMonitor.make((event) => Effect.sync(() => seen.push(event._tag)))
 *
 * await Effect.runPromise(
 *   Effect.scoped(ResourceGuard.make(Effect.succeed("connection"), () => Effect.void)).pipe(
 *     Effect.provide(ResourceRegistry.layer.pipe(Layer.provide(ResourceMonitor.layer(monitor))))
 *   )
 * )
 * console.log(seen.join(" ")) // => Registered Started Cleaned Draining Closed
 * ```
 */
export const make = (
  onEvent: (event: ResourceEvent.ResourceEvent) => Effect.Effect<unknown, unknown>
): ResourceMonitor => ({ onEvent })

/** Several as one: each sees every event, whatever the others do with it. */
export const all = (monitors: ReadonlyArray<ResourceMonitor>): ResourceMonitor => {
  const watching = monitors
    .flatMap((monitor) => monitor instanceof Monitors ? monitor.parts : [monitor])
    .filter((monitor) => monitor !== noop)
  return watching.length === 0 ? noop : watching.length === 1 ? watching[0]! : new Monitors(watching)
}

/**
 * Keeps `patinox_*` metrics: live by type, waiting by priority, wait and run times, outcomes, slow ones, retries, leaks.
 *
 * A registry counts each of them in the turn in which it happens, and keeps nothing back: `Metric.snapshot` shows
 * everything up to that moment. It makes no events for them; with nothing else that watches it makes none at all.
 * So they are right even where another monitor is too slow and loses events, and count once however often they are added.
 */
export const metrics: Effect.Effect<ResourceMonitor> = /* @__PURE__ */ Effect.sync(() => new MetricsMonitor())

/** Logs every event as one line at debug level; failures, slow cleanups and suspected leaks are logged by the registry. */
export const logs: ResourceMonitor = /* @__PURE__ */ make((event) =>
  "id" in event
    ? Effect.annotateLogs(Effect.logDebug(ResourceEvent.format(event)), "patinox.resource.id", event.id)
    : Effect.logDebug(ResourceEvent.format(event))
)

/** Publishes every event; what a bounded hub does when it is full is up to the hub, for a second at most. */
export const events = (hub: PubSub.PubSub<ResourceEvent.ResourceEvent>): ResourceMonitor =>
  make((event) => PubSub.publish(hub, event))

/** Adds a monitor to those that are there already. Provide it to `ResourceRegistry.layer`. */
export const layer = (monitor: ResourceMonitor): Layer.Layer<never> => layerEffect(Effect.succeed(monitor))

const layerEffect = (monitor: Effect.Effect<ResourceMonitor>): Layer.Layer<never> =>
  Layer.effect(ResourceMonitor, Effect.zipWith(ResourceMonitor, monitor, (there, added) => all([there, added])))

/** Adds `metrics`. */
export const layerMetrics: Layer.Layer<never> = /* @__PURE__ */ layerEffect(metrics)

/** Adds `logs`. */
export const layerLogs: Layer.Layer<never> = /* @__PURE__ */ layer(logs)

/** Adds `events`. */
export const layerEvents = (hub: PubSub.PubSub<ResourceEvent.ResourceEvent>): Layer.Layer<never> => layer(events(hub))
