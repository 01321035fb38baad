/** Metrics without a fiber: their labels, and a value put into one at once. */
import { FiberRef, FiberRefs, Metric, MetricBoundaries, type MetricLabel } from "effect"
import { type Origin } from "./Refs.js"

export type MetricLabels = ReadonlyArray<MetricLabel.MetricLabel>

/** The labels that `Effect.labelMetrics` gives to all metrics. */
export const metricLabelsOf = (origin: Origin): MetricLabels =>
  FiberRefs.getOrDefault(origin, FiberRef.currentMetricLabels)

/** A histogram of milliseconds, whose bounds grow from the first to a hundred seconds or some minutes. */
export const histogram = (name: string, first: number, description: string): Metric.Metric.Histogram<number> =>
  Metric.histogram(name, MetricBoundaries.exponential({ start: first, factor: 2.5, count: 16 }), description)

/** Counts without a fiber. The metric finds its series by the array of labels, so keep that and use it again. */
export const updateNow = <In>(metric: Metric.Metric<any, In, any>, value: In, labels: MetricLabels): void =>
  metric.unsafeUpdate(value, labels)

/** Adds to a gauge. */
export const modifyNow = <In>(metric: Metric.Metric<any, In, any>, value: In, labels: MetricLabels): void =>
  metric.unsafeModify(value, labels)
