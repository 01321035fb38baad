/** The labels of metrics. A metric finds its series by the array, so there is one array for each set of labels. */
import { Array as Arr, MetricLabel } from "effect"
import type { MetricLabels } from "../effect3/Metrics.js"

export class Labels {
  readonly own: MetricLabels
  private readonly byValue = new Map<string, MetricLabels>()

  /** `extra` come last, as where an application reads a metric with labels of its own. */
  constructor(private readonly first: MetricLabels, private readonly extra: MetricLabels = []) {
    this.own = Arr.union(first, extra)
  }

  /** These and one more; always of the same key. */
  with(key: string, value: string): MetricLabels {
    let labels = this.byValue.get(value)
    if (labels === undefined) {
      labels = Arr.union([...this.first, MetricLabel.make(key, value)], this.extra)
      this.byValue.set(value, labels)
    }
    return labels
  }
}
