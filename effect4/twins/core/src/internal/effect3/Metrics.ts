/** Metrics without a fiber: their labels, and a value put into one at once. */
import { Context, Metric } from "effect"
import { type Origin } from "./Refs.js"

export type MetricLabels = ReadonlyArray<readonly [name: string, value: string]>

const noLabels: MetricLabels = []

/** One array for each set of labels, as the application gives it: what is kept by it is found again. */
const labelsBySet = /* @__PURE__ */ new WeakMap<object, MetricLabels>()

/** The labels that the application gives to all its metrics. */
export const metricLabelsOf = (origin: Origin): MetricLabels => {
  const attributes = Context.get(origin, Metric.CurrentMetricAttributes)
  let labels = labelsBySet.get(attributes)
  if (labels === undefined) {
    const entries = Object.entries(attributes)
    labelsBySet.set(attributes, labels = entries.length === 0 ? noLabels : entries)
  }
  return labels
}

const contexts = /* @__PURE__ */ new WeakMap<MetricLabels, Context.Context<never>>()

/** Where a metric finds its series. */
const contextOf = (labels: MetricLabels): Context.Context<never> => {
  let context = contexts.get(labels)
  if (context === undefined) {
    context = Context.make(Metric.CurrentMetricAttributes, Object.fromEntries(labels))
    contexts.set(labels, context)
  }
  return context
}

/** A histogram of milliseconds, whose bounds grow from the first to a hundred seconds or some minutes. */
export const histogram = (name: string, first: number, description: string): Metric.Histogram<number> =>
  Metric.histogram(name, {
    boundaries: Metric.exponentialBoundaries({ start: first, factor: 2.5, count: 16 }),
    description
  })

/** Counts without a fiber. The series is found by the array of labels, so keep that and use it again. */
export const updateNow = <In>(metric: Metric.Metric<In, any>, value: In, labels: MetricLabels): void =>
  metric.updateUnsafe(value, contextOf(labels))

/** Adds to a gauge. */
export const modifyNow = <In>(metric: Metric.Metric<In, any>, value: In, labels: MetricLabels): void =>
  metric.modifyUnsafe(value, contextOf(labels))
