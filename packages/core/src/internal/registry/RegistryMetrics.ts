/**
 * The metrics of a registry. All names start with `patinox_`; times are in milliseconds. A registry counts for them
 * itself, in the turn in which something happens: no event is made for them, and none is lost.
 */
import { Array as Arr, Effect, Metric, MetricLabel } from "effect"
import type { CleanupPriority } from "../../CleanupPriority.js"
import type { CleanupRecord } from "../../CleanupReport.js"
import type { ResourceEvent } from "../../ResourceEvent.js"
import type { ResourceId } from "../../ResourceId.js"
import * as Fibers from "../effect3/Fibers.js"
import type { MetricLabels } from "../effect3/Metrics.js"
import * as Metrics from "../effect3/Metrics.js"
import * as Refs from "../effect3/Refs.js"
import { Labels } from "../kernel/Labels.js"
import type { CountingMonitor } from "./Monitors.js"

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
const firstBound = 0.1
const waitTime = /* @__PURE__ */ Metrics.histogram(
  "patinox_cleanup_wait_millis",
  firstBound,
  "From being asked for until started"
)
const runTime = /* @__PURE__ */ Metrics.histogram(
  "patinox_cleanup_run_millis",
  firstBound,
  "From the start to the outcome"
)

/** Spans may be named by requests: each name would be a series of its own, for good. */
const unnamed = "unnamed"

/** What is counted: a resource, or an event of one. */
interface Counted {
  readonly id: ResourceId
  readonly typeName: string
  readonly isSpanName?: boolean
}

/** The outcome of a resource, as far as metrics say it. */
export interface EndedCleanup {
  readonly outcome: CleanupRecord["outcome"]
  readonly runMillis?: number
  readonly trigger?: CleanupRecord["trigger"]
}

/** The priorities of what waits, by id: with which of them it stops waiting. */
type Waiting = Map<ResourceId, CleanupPriority>

/** Counts for one registry. Each method counts one event, and hands it to Effect's metrics at once. */
export class RegistryMetrics {
  private readonly byType = new Map<string, Labels>()
  private readonly byPriority = new Map<CleanupPriority, MetricLabels>()

  /** `extra` are labels that the application gives to all its metrics. */
  constructor(private readonly extra: MetricLabels, private readonly waiting: Waiting = new Map()) {}

  registered(resource: Counted): void {
    Metrics.modifyNow(live, 1, this.labelsOf(resource).own)
  }

  scheduled({ id }: Counted, priority: CleanupPriority): void {
    this.waiting.set(id, priority)
    Metrics.modifyNow(queued, 1, this.labelsOfPriority(priority))
  }

  started(resource: Counted, waitMillis: number): void {
    this.stoppedWaiting(resource)
    Metrics.updateNow(waitTime, waitMillis, this.labelsOf(resource).own)
  }

  /** A disarmed resource had no cleanup that took time. A dead letter that was retried had left before. */
  ended(resource: Counted, { outcome, runMillis, trigger }: EndedCleanup): void {
    const labels = this.labelsOf(resource)
    this.stoppedWaiting(resource)
    Metrics.updateNow(outcomes, 1, labels.with("outcome", outcome))
    if (trigger !== "retried") Metrics.modifyNow(live, -1, labels.own)
    if (runMillis !== undefined) Metrics.updateNow(runTime, runMillis, labels.own)
  }

  onEvent(event: ResourceEvent): void {
    switch (event._tag) {
      case "Registered":
        return this.registered(event)
      case "Scheduled":
        return this.scheduled(event, event.priority)
      case "Unscheduled":
        return this.stoppedWaiting(event)
      case "Started":
        return this.started(event, event.waitMillis)
      case "Slow":
        return Metrics.updateNow(slow, 1, this.labelsOf(event).own)
      case "Retried":
        return Metrics.updateNow(retried, 1, this.labelsOf(event).own)
      case "LeakSuspected":
        return Metrics.updateNow(suspected, 1, this.labelsOf(event).own)
      case "Disarmed":
        return this.ended(event, { outcome: "disarmed" })
      case "Cleaned":
      case "Recovered":
      case "Failed":
      case "Abandoned":
        return this.ended(event, event.record)
      case "FellBack":
      case "FinishedLate":
      case "LeakResolved":
      case "Draining":
      case "Closed":
        return
      default:
        return event satisfies never
    }
  }

  private stoppedWaiting({ id }: Counted): void {
    if (this.waiting.size === 0) return
    const priority = this.waiting.get(id)
    if (priority === undefined) return
    this.waiting.delete(id)
    Metrics.modifyNow(queued, -1, this.labelsOfPriority(priority))
  }

  private labelsOf({ isSpanName, typeName }: Counted): Labels {
    const type = isSpanName === true ? unnamed : typeName
    let labels = this.byType.get(type)
    if (labels === undefined) {
      labels = new Labels([MetricLabel.make("type", type)], this.extra)
      this.byType.set(type, labels)
    }
    return labels
  }

  private labelsOfPriority(priority: CleanupPriority): MetricLabels {
    let labels = this.byPriority.get(priority)
    if (labels === undefined) {
      labels = Arr.union([MetricLabel.make("priority", priority)], this.extra)
      this.byPriority.set(priority, labels)
    }
    return labels
  }
}

/** A monitor that only counts: a registry does that itself. Whoever else calls it with an event is served, too. */
export class MetricsMonitor implements CountingMonitor {
  private readonly waiting: Waiting = new Map()
  private readonly byExtra = new WeakMap<MetricLabels, RegistryMetrics>()

  readonly countsFor = (origin: Refs.Origin): RegistryMetrics => new RegistryMetrics(Metrics.metricLabelsOf(origin))

  readonly onEvent = (event: ResourceEvent): Effect.Effect<void> =>
    Fibers.withFiber((fiber) => {
      const extra = Metrics.metricLabelsOf(Refs.originOf(fiber))
      let metrics = this.byExtra.get(extra)
      if (metrics === undefined) this.byExtra.set(extra, metrics = new RegistryMetrics(extra, this.waiting))
      metrics.onEvent(event)
      return Effect.void
    })
}
