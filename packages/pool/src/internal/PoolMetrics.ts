/** The metrics of a pool, by its name. All names start with `patinox_pool_`; times are in milliseconds. */
import { histogram, updateNow } from "@patinox/core/kernel"
import { Metric, MetricLabel } from "effect"

// From a twentieth of a millisecond to about a minute.
const firstBound = 0.05

const gauge = (name: string, description: string) => Metric.gauge(`patinox_pool_${name}`, { description })
const counter = (name: string, description: string) =>
  Metric.counter(`patinox_pool_${name}_total`, { description, incremental: true })

const inUse = /* @__PURE__ */ gauge("in_use", "Items in use")
const idle = /* @__PURE__ */ gauge("idle", "Idle items")
const waiting = /* @__PURE__ */ gauge("waiting", "Borrowers that wait")
const created = /* @__PURE__ */ counter("created", "Items created")
const failed = /* @__PURE__ */ counter("creations_failed", "Creations that failed")
const timeouts = /* @__PURE__ */ counter("timeouts", "Borrows that timed out")
const removed = /* @__PURE__ */ counter("removed", "Items removed, by reason")
const open = /* @__PURE__ */ gauge("circuit_open", "Pools that cannot create items and fail fast")
const createTime = /* @__PURE__ */ histogram(
  "patinox_pool_create_millis",
  firstBound,
  "From beginning to create an item until it is there"
)
const waitTime = /* @__PURE__ */ histogram(
  "patinox_pool_wait_millis",
  firstBound,
  "From asking for an item until it is there"
)
const useTime = /* @__PURE__ */ histogram(
  "patinox_pool_use_millis",
  firstBound,
  "From having an item until its return"
)

type Labels = ReadonlyArray<MetricLabel.MetricLabel>

const byName = /* @__PURE__ */ new Map<string, PoolTotals>()

/** What all pools of one name have together, as they share their metrics: keyed pools, and those without a name of their own. */
export class PoolTotals {
  /** Kept as long as the metrics themselves. */
  static of(pool: string): PoolTotals {
    let known = byName.get(pool)
    if (known === undefined) byName.set(pool, known = new PoolTotals(pool))
    return known
  }

  // One array for each set of labels: a metric finds its state by it.
  readonly labels: Labels
  private readonly byReason = new Map<string, Labels>()
  inUse = 0
  idle = 0
  waiting = 0
  open = 0

  private constructor(pool: string) {
    this.labels = [MetricLabel.make("pool", pool)]
    for (const metric of [inUse, idle, waiting, open]) updateNow(metric, 0, this.labels)
  }

  withReason(reason: string): Labels {
    let labels = this.byReason.get(reason)
    if (labels === undefined) {
      labels = [...this.labels, MetricLabel.make("reason", reason)]
      this.byReason.set(reason, labels)
    }
    return labels
  }
}

export class PoolMetrics {
  private readonly labels: Labels
  private lastInUse = 0
  private lastIdle = 0
  private lastWaiting = 0
  private isOpen = false

  constructor(private readonly totals: PoolTotals) {
    this.labels = totals.labels
  }

  updateGauges(inUseNow: number, idleNow: number, waitingNow: number): void {
    const { labels, totals } = this
    if (inUseNow !== this.lastInUse) {
      updateNow(inUse, totals.inUse += inUseNow - this.lastInUse, labels)
      this.lastInUse = inUseNow
    }
    if (idleNow !== this.lastIdle) {
      updateNow(idle, totals.idle += idleNow - this.lastIdle, labels)
      this.lastIdle = idleNow
    }
    if (waitingNow !== this.lastWaiting) {
      updateNow(waiting, totals.waiting += waitingNow - this.lastWaiting, labels)
      this.lastWaiting = waitingNow
    }
  }

  waited(millis: number): void {
    updateNow(waitTime, millis, this.labels)
  }

  used(millis: number): void {
    updateNow(useTime, millis, this.labels)
  }

  created(millis: number): void {
    updateNow(created, 1, this.labels)
    updateNow(createTime, millis, this.labels)
  }

  /** Whether nothing can be created now. */
  circuit(isOpen: boolean): void {
    if (isOpen === this.isOpen) return
    this.isOpen = isOpen
    updateNow(open, this.totals.open += isOpen ? 1 : -1, this.labels)
  }

  creationFailed(): void {
    updateNow(failed, 1, this.labels)
  }

  timedOut(): void {
    updateNow(timeouts, 1, this.labels)
  }

  removed(reason: string): void {
    updateNow(removed, 1, this.totals.withReason(reason))
  }
}
