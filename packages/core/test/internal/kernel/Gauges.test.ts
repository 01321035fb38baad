import { expect, it } from "@effect/vitest"
import { Effect, Metric, MetricLabel } from "effect"
import { Gauges } from "../../../src/internal/kernel/Gauges.js"
import { Labels } from "../../../src/internal/kernel/Labels.js"

const reading = (metric: Metric.Metric.Gauge<number>, name: string) =>
  Effect.map(Metric.value(Metric.tagged(metric, "owner", name)), ({ value }) => value)

it.effect("owners of one name share a gauge, which shows what all of them have", () =>
  Effect.gen(function*() {
    const items = Metric.gauge("test_gauges_items")
    const gauges = new Gauges("owner", { items })
    const [one, two, other] = [gauges.of("a"), gauges.of("a"), gauges.of("b")]
    one.shares.items.set(3)
    two.shares.items.set(4)
    one.shares.items.set(1)
    expect(yield* reading(items, "a")).toBe(5)
    expect(yield* reading(items, "b")).toBe(0)
    other.shares.items.set(2)
    expect(yield* reading(items, "b")).toBe(2)
    expect(one.labels).toBe(two.labels)
  }))

it.effect("when no owner has anything the gauge is 0, whatever sums of fractions leave behind", () =>
  Effect.gen(function*() {
    const weight = Metric.gauge("test_gauges_weight")
    const gauges = new Gauges("owner", { weight })
    const owners = [0.1, 0.2, 0.3].map((value) => {
      const { shares } = gauges.of("a")
      shares.weight.set(value)
      return shares
    })
    for (const shares of owners) shares.weight.set(0)
    expect(yield* reading(weight, "a")).toBe(0)
  }))

it("there is one array for each set of labels", () => {
  const labels = new Labels([MetricLabel.make("owner", "a")])
  const evicted = labels.with("reason", "evicted")
  expect(evicted.map(({ key, value }) => `${key}=${value}`)).toEqual(["owner=a", "reason=evicted"])
  expect(labels.with("reason", "evicted")).toBe(evicted)
  expect(labels.with("reason", "expired")).not.toBe(evicted)
})
