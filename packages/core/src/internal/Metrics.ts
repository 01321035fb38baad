/** The metrics of the registry's events. All names start with `patinox_`; times are in milliseconds. */
import { Effect, Metric, MetricBoundaries } from "effect"
import type { ResourceEvent } from "../ResourceEvent.js"

const live = /* @__PURE__ */ Metric.gauge("patinox_resources_live", { description: "Resources that are live, by type" })
const queued = /* @__PURE__ */ Metric.gauge("patinox_cleanups_waiting", {
  description: "Cleanups that wait, by priority"
})
const outcomes = /* @__PURE__ */ Metric.counter("patinox_resources_ended_total", {
  description: "Resources that have ended, by type and outcome",
  incremental: true
})
const slow = /* @__PURE__ */ Metric.counter("patinox_cleanups_slow_total", {
  description: "Slow cleanups, by type",
  incremental: true
})
const retried = /* @__PURE__ */ Metric.counter("patinox_cleanups_retried_total", {
  description: "Attempts after the first, by type",
  incremental: true
})
const suspected = /* @__PURE__ */ Metric.counter("patinox_leaks_suspected_total", {
  description: "Suspected leaks, by type",
  incremental: true
})

// From a tenth of a millisecond to about a minute and a half.
const boundaries = /* @__PURE__ */ MetricBoundaries.exponential({ start: 0.1, factor: 2.5, count: 16 })
const waitTime = /* @__PURE__ */ Metric.histogram(
  "patinox_cleanup_wait_millis",
  boundaries,
  "From being asked for until started"
)
const runTime = /* @__PURE__ */ Metric.histogram(
  "patinox_cleanup_run_millis",
  boundaries,
  "From the start to the outcome"
)

/** Spans may be named by requests: each name would be a series of its own, for good. */
const unnamed = "unnamed"

const typed =
  (event: { readonly typeName: string; readonly isSpanName?: true }) =>
  <Type, In, Out>(metric: Metric.Metric<Type, In, Out>): Metric.Metric<Type, In, Out> =>
    Metric.tagged(metric, "type", event.isSpanName === true ? unnamed : event.typeName)

/** Keeps the metrics; one for each registry, as it remembers what waits there. */
export const make = (): (event: ResourceEvent) => Effect.Effect<void> => {
  const waiting = new Map<string, string>()

  const stoppedWaiting = (id: string): Effect.Effect<void> => {
    const priority = waiting.get(id)
    if (priority === undefined) return Effect.void
    waiting.delete(id)
    return Metric.incrementBy(Metric.tagged(queued, "priority", priority), -1)
  }

  return (event) => {
    switch (event._tag) {
      case "Registered":
        return Metric.increment(typed(event)(live))
      case "Scheduled":
        waiting.set(event.id, event.priority)
        return Metric.increment(Metric.tagged(queued, "priority", event.priority))
      case "Unscheduled":
        return stoppedWaiting(event.id)
      case "Started":
        return Effect.andThen(stoppedWaiting(event.id), Metric.update(typed(event)(waitTime), event.waitMillis))
      case "Slow":
        return Metric.increment(typed(event)(slow))
      case "Retried":
        return Metric.increment(typed(event)(retried))
      case "LeakSuspected":
        return Metric.increment(typed(event)(suspected))
      case "Disarmed":
      case "Cleaned":
      case "Recovered":
      case "Failed":
      case "Abandoned": {
        const count = Metric.increment(Metric.tagged(typed(event)(outcomes), "outcome", event._tag.toLowerCase()))
        // A dead letter that was retried had left before.
        const again = "record" in event && event.record.trigger === "retried"
        const left = again ? count : Effect.andThen(count, Metric.incrementBy(typed(event)(live), -1))
        return Effect.andThen(
          stoppedWaiting(event.id),
          event._tag === "Disarmed"
            ? left
            : Effect.andThen(left, Metric.update(typed(event)(runTime), event.record.runMillis))
        )
      }
      default:
        return Effect.void
    }
  }
}
