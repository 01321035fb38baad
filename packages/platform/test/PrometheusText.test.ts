import { describe, expect, it } from "@effect/vitest"
import { PrometheusText } from "@patinox/platform"
import {
  Effect,
  Metric,
  MetricBoundaries,
  MetricKey,
  MetricLabel,
  MetricPair,
  MetricState,
  Option,
  Order,
  Schema
} from "effect"
import { type Family, parse } from "./prometheus.js"

type Tags = ReadonlyArray<readonly [key: string, value: string]>

/** A key and its state, whose types do not fit as Effect has them. */
const pair = (key: MetricKey.MetricKey.Untyped, state: unknown) => MetricPair.make(key, state as never)

const tagged = <Key extends MetricKey.MetricKey.Untyped>(key: Key, tags: Tags): MetricKey.MetricKey.Untyped =>
  MetricKey.taggedWithLabels(key, tags.map(([key, value]) => MetricLabel.make(key, value)))

const counter = (name: string, count: number, tags: Tags = [], description?: string) =>
  pair(
    tagged(MetricKey.counter(name, { description, incremental: true }), tags),
    MetricState.counter(count)
  )

const gauge = (name: string, value: number | bigint, tags: Tags = []) =>
  pair(
    tagged(MetricKey.gauge(name), tags),
    MetricState.gauge(value as number)
  )

const histogram = (name: string, buckets: ReadonlyArray<readonly [number, number]>, count: number, tags: Tags = []) =>
  pair(
    tagged(MetricKey.histogram(name, MetricBoundaries.fromIterable(buckets.map(([le]) => le))), tags),
    MetricState.histogram({ buckets, count, sum: count * 2, min: 0, max: 9 })
  )

const lines = (...pairs: ReadonlyArray<MetricPair.MetricPair.Untyped>) => PrometheusText.render(pairs).split("\n")

describe("of each kind the text says", () => {
  it("a counter, its help and its labels", () => {
    expect(lines(counter("sold_total", 3, [["kind", "a"], ["at", "b"]], "Things sold"))).toEqual([
      "# HELP sold_total Things sold",
      "# TYPE sold_total counter",
      "sold_total{at=\"b\",kind=\"a\"} 3",
      ""
    ])
  })

  it("a counter that may go down as a gauge", () => {
    const open = pair(MetricKey.counter("open"), MetricState.counter(-2))
    expect(lines(open)).toEqual(["# TYPE open gauge", "open -2", ""])
  })

  it("a gauge, whatever its number", () => {
    const shown = (value: number | bigint) => lines(gauge("g", value))[1]
    expect([1.5, -0, 1e21, Number.NaN, Infinity, -Infinity, 12345678901234567890n].map(shown)).toEqual([
      "g 1.5",
      "g 0",
      "g 1e+21",
      "g NaN",
      "g +Inf",
      "g -Inf",
      "g 12345678901234567890"
    ])
  })

  it("a frequency as a counter of each word, in order", () => {
    const state = MetricState.frequency(new Map([["b", 2], ["a", 1]]))
    expect(lines(pair(tagged(MetricKey.frequency("words"), [["key", "mine"]]), state))).toEqual([
      "# TYPE words counter",
      "words{key_=\"mine\",key=\"a\"} 1",
      "words{key_=\"mine\",key=\"b\"} 2",
      ""
    ])
  })

  it("a histogram with cumulative buckets up to infinity", () => {
    expect(lines(histogram("time", [[0.5, 1], [10, 4], [Infinity, 4]], 6, [["le", "mine"]]))).toEqual([
      "# TYPE time histogram",
      "time_bucket{le_=\"mine\",le=\"0.5\"} 1",
      "time_bucket{le_=\"mine\",le=\"10\"} 4",
      "time_bucket{le_=\"mine\",le=\"+Inf\"} 6",
      "time_sum{le_=\"mine\"} 12",
      "time_count{le_=\"mine\"} 6",
      ""
    ])
  })

  it("a summary with its quantiles, known or not", () => {
    const key = MetricKey.summary({ name: "s", maxAge: "1 hours", maxSize: 9, error: 0.1, quantiles: [0.5, 0.9] })
    const state = MetricState.summary({
      error: 0.1,
      quantiles: [[0.5, Option.some(7)], [0.9, Option.none()]],
      count: 2,
      min: 1,
      max: 8,
      sum: 9
    })
    expect(lines(pair(key, state))).toEqual([
      "# TYPE s summary",
      "s{quantile=\"0.5\"} 7",
      "s{quantile=\"0.9\"} NaN",
      "s_sum 9",
      "s_count 2",
      ""
    ])
  })
})

it("of no metrics there is no text", () => {
  expect(PrometheusText.render([])).toBe("")
})

it("names are brought into the allowed form, and texts are escaped", () => {
  expect(lines(counter("1 a.b-ö", 1, [["http.path", "a\\b\"c\nd"], ["2x", "y"], ["__name__", "z"]], "a\\b\nc \"d\"")))
    .toEqual([
      "# HELP _1_a_b__ a\\\\b\\nc \"d\"",
      "# TYPE _1_a_b__ counter",
      "_1_a_b__{_2x=\"y\",_name__=\"z\",http_path=\"a\\\\b\\\"c\\nd\"} 1",
      ""
    ])
})

it("a family has one type and one help, and its series stand together", () => {
  const pairs = [
    counter("b", 1),
    counter("a", 1, [["x", "2"]]),
    counter("b", 2, [["x", "1"]], "B"),
    counter("a", 3, [["x", "1"]])
  ]
  expect(lines(...pairs)).toEqual([
    "# TYPE a counter",
    "a{x=\"1\"} 3",
    "a{x=\"2\"} 1",
    "# HELP b B",
    "# TYPE b counter",
    "b 1",
    "b{x=\"1\"} 2",
    ""
  ])
})

it("the order does not depend on that of the snapshot", () => {
  const pairs = [counter("b", 1), counter("a", 1, [["x", "2"]]), gauge("a", 2), counter("a", 3, [["x", "1"]])]
  expect(PrometheusText.render([...pairs].reverse())).toBe(PrometheusText.render(pairs))
})

it("names that would meet are kept apart", () => {
  expect(lines(counter("a.b", 1), counter("a_b", 2), gauge("a_b", 3), histogram("h", [], 1), gauge("h_count", 4)))
    .toEqual([
      "# TYPE a_b counter",
      "a_b 1",
      "# TYPE a_b_counter counter",
      "a_b_counter 2",
      "# TYPE a_b_gauge gauge",
      "a_b_gauge 3",
      "# TYPE h histogram",
      "h_bucket{le=\"+Inf\"} 1",
      "h_sum 2",
      "h_count 1",
      "# TYPE h_count_gauge gauge",
      "h_count_gauge 4",
      ""
    ])
  expect(lines(counter("c", 1, [["a.b", "1"], ["a_b", "2"], ["a.b", "3"]]))[1]).toBe(
    "c{a_b=\"1\",a_b_=\"2\",a_b_1=\"3\"} 1"
  )
})

it("series that differ in nothing that Prometheus sees are one", () => {
  const one = [["x", "1"], ["y", "2"]] as const
  const other = [["y", "2"], ["empty", ""], ["x", "1"]] as const
  expect(lines(counter("c", 1, one), counter("c", 2, other))).toEqual(["# TYPE c counter", "c{x=\"1\",y=\"2\"} 3", ""])
  expect(lines(gauge("g", 1n, one), gauge("g", 2, other))[1]).toBe("g{x=\"1\",y=\"2\"} 2")
  expect(lines(histogram("h", [[1, 1]], 2, one), histogram("h", [[1, 3]], 4, other)).slice(1, -1)).toEqual([
    "h_bucket{x=\"1\",y=\"2\",le=\"1\"} 4",
    "h_bucket{x=\"1\",y=\"2\",le=\"+Inf\"} 6",
    "h_sum{x=\"1\",y=\"2\"} 12",
    "h_count{x=\"1\",y=\"2\"} 6"
  ])
})

it.effect("what Effect keeps is rendered", () =>
  Effect.gen(function*() {
    const times = Metric.histogram(
      "prometheus_text_test_times",
      MetricBoundaries.linear({ start: 1, width: 1, count: 3 })
    )
    for (const value of [0.5, 1.5, 99]) yield* Metric.update(times, value)
    const pairs = (yield* Metric.snapshot).filter(({ metricKey }) => metricKey.name === "prometheus_text_test_times")
    expect(PrometheusText.render(pairs)).toBe(
      [
        "# TYPE prometheus_text_test_times histogram",
        "prometheus_text_test_times_bucket{le=\"1\"} 1",
        "prometheus_text_test_times_bucket{le=\"2\"} 2",
        "prometheus_text_test_times_bucket{le=\"+Inf\"} 3",
        "prometheus_text_test_times_sum 101",
        "prometheus_text_test_times_count 3",
        ""
      ].join("\n")
    )
  }))

// --- properties -----------------------------------------------------------------------------------------------------

/** Few letters, so that names meet, and some of those that are not allowed or are to be escaped. */
const Text = Schema.String.pipe(Schema.pattern(/^[ab_.\-"\\\n0é]{0,3}$/))
const Described = Schema.Struct({
  kind: Schema.Literal("counter", "gauge", "histogram", "frequency"),
  name: Text,
  tags: Schema.Array(Schema.Tuple(Text, Text)).pipe(Schema.maxItems(3)),
  value: Schema.Int.pipe(Schema.between(0, 1_000))
})

const pairOf = ({ kind, name, tags, value }: typeof Described.Type): MetricPair.MetricPair.Untyped => {
  switch (kind) {
    case "counter":
      return counter(name, value, tags, name)
    case "gauge":
      return gauge(name, value, tags)
    case "histogram":
      return histogram(name, [[1, value], [Infinity, value]], value, tags)
    case "frequency":
      return pair(
        tagged(MetricKey.frequency(name), tags),
        MetricState.frequency(new Map([["a", value], ["\"", value]]))
      )
  }
}

const sumOf = (family: Family) =>
  family.samples.filter(({ name }) => !/_(bucket|sum)$/.test(name)).reduce((sum, { value }) => sum + value, 0)

it.prop(
  "whatever the metrics are called, the text is valid, and no count is lost",
  [Schema.Array(Described)],
  ([all]) => {
    const families = parse(PrometheusText.render(all.map(pairOf)))
    expect(new Set(families.map(({ name }) => name)).size).toBe(families.length)
    for (const { kind, name, samples } of families) {
      const series = samples.map((sample) => JSON.stringify([sample.name, [...sample.labels].sort()]))
      expect(new Set(series).size).toBe(series.length)
      for (const sample of samples) {
        expect(new Set(sample.labels.map(([label]) => label)).size).toBe(sample.labels.length)
        expect(kind === "histogram" ? /^(_bucket|_sum|_count)$/ : /^$/).toSatisfy((suffix: RegExp) =>
          suffix.test(sample.name.slice(name.length))
        )
      }
    }
    // By kind, as names may have changed: what was counted is there.
    const counted = all.filter(({ kind }) => kind === "counter" || kind === "frequency")
    const shown = families.filter(({ kind }) => kind === "counter").map(sumOf)
    expect(shown.reduce((a, b) => a + b, 0)).toBe(
      counted.reduce((sum, { kind, value }) => sum + value * (kind === "frequency" ? 2 : 1), 0)
    )
    const observed = all.filter(({ kind }) => kind === "histogram").reduce((sum, { value }) => sum + value, 0)
    const counts = families.filter(({ kind }) => kind === "histogram").map(sumOf)
    expect(counts.reduce((a, b) => a + b, 0)).toBe(observed)
  },
  { fastCheck: { numRuns: 500 } }
)

it.prop("a label's value comes back as it was", [Schema.String.pipe(Schema.minLength(1))], ([value]) => {
  const [family] = parse(PrometheusText.render([counter("c", 1, [["label", value]])]))
  expect(family!.samples[0]!.labels).toEqual([["label", value]])
})

it.prop("a histogram's buckets never decrease", [Schema.Array(Schema.Int.pipe(Schema.between(-5, 5)))], ([values]) => {
  const boundaries = MetricBoundaries.fromIterable([-2, 0, 2])
  const key = MetricKey.histogram("h", boundaries)
  const buckets = boundaries.values.map((le) => [le, values.filter((value) => value <= le).length] as const)
  const state = MetricState.histogram({ buckets, count: values.length, sum: 0, min: 0, max: 0 })
  const [family] = parse(PrometheusText.render([pair(key, state)]))
  const counts = family!.samples.filter(({ name }) => name === "h_bucket").map(({ value }) => value)
  expect(counts).toEqual([...counts].sort(Order.number))
  expect(counts.at(-1)).toBe(values.length)
})
