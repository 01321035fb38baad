/** The labels of metrics. A metric finds its series by the array, so there is one array for each set of labels. */
import { Array as Arr, MetricLabel } from "effect"
import type { MetricLabels } from "../effect3/Metrics.js"

export class Labels {
  private readonly byValue = new Map<string, MetricLabels>()

  constructor(readonly own: MetricLabels) {}

  /** These and one more; always of the same key. */
  with(key: string, value: string): MetricLabels {
    let labels = this.byValue.get(value)
    if (labels === undefined) {
      labels = Arr.union(this.own, [MetricLabel.make(key, value)])
      this.byValue.set(value, labels)
    }
    return labels
  }
}
