/**
 * Gauges that all owners of one name share: each owner sets what it has, and the gauge shows what all of them have
 * together. A name stays for as long as its metrics do, which is for good. Not for gauges that have one owner each.
 */
import { type Metric, MetricLabel } from "effect"
import * as Metrics from "../effect3/Metrics.js"
import { Labels } from "./Labels.js"

class SharedGauge {
  private total = 0
  /** How many owners have something. */
  private owners = 0

  constructor(private readonly metric: Metric.Metric.Gauge<number>, private readonly labels: Metrics.MetricLabels) {
    // That the gauge is there says that its owner is.
    Metrics.updateNow(metric, 0, labels)
  }

  change(before: number, now: number): void {
    this.owners += (now === 0 ? 0 : 1) - (before === 0 ? 0 : 1)
    // Sums of fractions leave something behind.
    this.total = this.owners === 0 ? 0 : this.total + now - before
    Metrics.updateNow(this.metric, this.total, this.labels)
  }
}

/** What one owner has of a gauge. */
export class GaugeShare {
  private value = 0

  constructor(private readonly gauge: SharedGauge) {}

  set(now: number): void {
    if (now === this.value) return
    const before = this.value
    this.value = now
    this.gauge.change(before, now)
  }
}

interface Named<Name extends string> {
  readonly labels: Labels
  readonly gauges: { readonly [N in Name]: SharedGauge }
}

/** One owner's shares of all gauges, and the labels of its other metrics. */
export interface OwnGauges<Name extends string> {
  readonly labels: Labels
  readonly shares: { readonly [N in Name]: GaugeShare }
}

const mapValues = <K extends string, A, B>(record: { readonly [P in K]: A }, f: (value: A) => B) =>
  Object.fromEntries(Object.entries<A>(record).map(([key, value]) => [key, f(value)])) as { readonly [P in K]: B }

export class Gauges<Name extends string> {
  private readonly byName = new Map<string, Named<Name>>()

  /** `label` is the label that has the name. */
  constructor(
    private readonly label: string,
    private readonly metrics: { readonly [N in Name]: Metric.Metric.Gauge<number> }
  ) {}

  /** For a new owner of that name, which has nothing yet. */
  of(name: string): OwnGauges<Name> {
    const { gauges, labels } = this.named(name)
    return { labels, shares: mapValues(gauges, (gauge) => new GaugeShare(gauge)) }
  }

  private named(name: string): Named<Name> {
    let known = this.byName.get(name)
    if (known === undefined) {
      const labels = new Labels([MetricLabel.make(this.label, name)])
      known = { labels, gauges: mapValues(this.metrics, (metric) => new SharedGauge(metric, labels.own)) }
      this.byName.set(name, known)
    }
    return known
  }
}
