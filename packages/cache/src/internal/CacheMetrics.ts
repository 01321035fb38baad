/** The metrics of a cache, by its name. All names start with `patinox_cache_`; times are in milliseconds. */
import { histogram, updateNow } from "@patinox/core/kernel"
import { Metric, MetricLabel } from "effect"
import type { RemovalReason } from "./state/Vocabulary.js"

// From a twentieth of a millisecond to about a minute.
const firstBound = 0.05

const gauge = (name: string, description: string) => Metric.gauge(`patinox_cache_${name}`, { description })
const counter = (name: string, description: string) =>
  Metric.counter(`patinox_cache_${name}_total`, { description, incremental: true })

const entries = /* @__PURE__ */ gauge("entries", "Values in the cache")
const weight = /* @__PURE__ */ gauge("weight", "What all values weigh that are not released yet")
const inUse = /* @__PURE__ */ gauge("in_use", "Values in use")
const hits = /* @__PURE__ */ counter("hits", "Callers that found a value")
const misses = /* @__PURE__ */ counter("misses", "Callers that found none")
const failures = /* @__PURE__ */ counter("load_failures", "Loads that failed")
const removed = /* @__PURE__ */ counter("removed", "Values removed from the cache, by reason")
const loadTime = /* @__PURE__ */ histogram("patinox_cache_load_millis", firstBound, "How long loads take")

type Labels = ReadonlyArray<MetricLabel.MetricLabel>

/** What a cache counts. */
export interface CacheCounters {
  readonly hits: number
  readonly misses: number
  /** Loads that have ended with a value, and those that have not. */
  readonly loads: number
  readonly loadFailures: number
  /** What all of them took together. */
  readonly loadMillis: number
  readonly removals: { readonly [Reason in RemovalReason]: number }
}

/** The sums over all caches of a name: they share a gauge. */
interface Totals {
  entries: number
  weight: number
  inUse: number
  /** How many of them have values that weigh something. */
  weighing: number
}

const totalsByName = new Map<string, Totals>()

const totalsOf = (cache: string): Totals => {
  let totals = totalsByName.get(cache)
  if (totals === undefined) {
    totals = { entries: 0, weight: 0, inUse: 0, weighing: 0 }
    totalsByName.set(cache, totals)
  }
  return totals
}

/** What of a cache its gauges show. */
interface Taken {
  readonly cached: number
  readonly inUse: number
  readonly weight: number
}

export class CacheMetrics {
  private readonly totals: Totals
  // One array for each set of labels: a metric finds its state by it.
  private readonly labels: Labels
  private readonly byReason = new Map<RemovalReason, Labels>()
  private lastEntries = 0
  private lastWeight = 0
  private lastInUse = 0
  hits = 0
  misses = 0
  loads = 0
  loadFailures = 0
  loadMillis = 0
  readonly removals: { [Reason in RemovalReason]: number } = {
    evicted: 0,
    expired: 0,
    invalidated: 0,
    replaced: 0,
    shutdown: 0,
    failed: 0
  }

  constructor(cache: string) {
    this.labels = [MetricLabel.make("cache", cache)]
    this.totals = totalsOf(cache)
    // That the gauges are there says that the cache is.
    updateNow(entries, this.totals.entries, this.labels)
    updateNow(weight, this.totals.weight, this.labels)
    updateNow(inUse, this.totals.inUse, this.labels)
  }

  /** What the state counts now. */
  updateGauges({ cached: entriesNow, inUse: inUseNow, weight: weightNow }: Taken): void {
    const { labels, totals } = this
    if (entriesNow !== this.lastEntries) {
      updateNow(entries, totals.entries += entriesNow - this.lastEntries, labels)
      this.lastEntries = entriesNow
    }
    if (weightNow !== this.lastWeight) this.weighs(weightNow)
    if (inUseNow !== this.lastInUse) {
      updateNow(inUse, totals.inUse += inUseNow - this.lastInUse, labels)
      this.lastInUse = inUseNow
    }
  }

  private weighs(weightNow: number): void {
    const { lastWeight, totals } = this
    totals.weight += weightNow - lastWeight
    totals.weighing += (weightNow > 0 ? 1 : 0) - (lastWeight > 0 ? 1 : 0)
    // Fractions leave something behind.
    if (totals.weighing === 0) totals.weight = 0
    updateNow(weight, totals.weight, this.labels)
    this.lastWeight = weightNow
  }

  hit(): void {
    this.hits++
    updateNow(hits, 1, this.labels)
  }

  missed(): void {
    this.misses++
    updateNow(misses, 1, this.labels)
  }

  loaded(millis: number, hasFailed: boolean): void {
    if (hasFailed) {
      this.loadFailures++
      updateNow(failures, 1, this.labels)
    } else this.loads++
    this.loadMillis += millis
    updateNow(loadTime, millis, this.labels)
  }

  removed(reason: RemovalReason): void {
    this.removals[reason]++
    let labels = this.byReason.get(reason)
    if (labels === undefined) {
      labels = [...this.labels, MetricLabel.make("reason", reason)]
      this.byReason.set(reason, labels)
    }
    updateNow(removed, 1, labels)
  }

  get counters(): CacheCounters {
    const { hits, loadFailures, loadMillis, loads, misses, removals } = this
    return { hits, misses, loads, loadFailures, loadMillis, removals: { ...removals } }
  }
}
