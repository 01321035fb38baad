/**
 * Effect's metrics in the text format of Prometheus (version 0.0.4). Pure: it renders a snapshot, and knows neither a
 * registry of metrics nor a server. Not OpenMetrics: no exemplars, no timestamps, no units.
 *
 * What a reader gets is valid whatever the metrics are called. Names and labels are brought into the allowed form, and
 * those that would then meet are kept apart by a suffix. Metrics that differ only in the order of their tags are one
 * series.
 */
import { type MetricKey, MetricKeyType, type MetricPair, MetricState, Option } from "effect"

/** The content type of the format. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

type Kind = "counter" | "gauge" | "histogram" | "summary"

interface Sample {
  /** What the family's name is followed by. */
  readonly suffix: string
  /** A label that is not a tag: that of a bucket, a quantile, a word. */
  readonly label?: readonly [name: string, value: string]
  readonly value: number | bigint
  /** Whether two of one series are added up; else the later one holds. */
  readonly adds: boolean
}

const byText = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

const numberText = (value: number | bigint): string =>
  value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value)

/** A counter that may go down counts as a gauge in Prometheus, as it does in OpenTelemetry. */
const kindOf = (keyType: unknown): Kind => {
  if (MetricKeyType.isHistogramKey(keyType)) return "histogram"
  if (MetricKeyType.isSummaryKey(keyType)) return "summary"
  if (MetricKeyType.isFrequencyKey(keyType)) return "counter"
  return MetricKeyType.isCounterKey(keyType) && keyType.incremental ? "counter" : "gauge"
}

const samplesOf = (state: unknown): ReadonlyArray<Sample> => {
  if (MetricState.isCounterState(state)) return [{ suffix: "", value: state.count, adds: true }]
  if (MetricState.isGaugeState(state)) return [{ suffix: "", value: state.value, adds: false }]
  if (MetricState.isFrequencyState(state)) {
    return [...state.occurrences]
      .sort(([a], [b]) => byText(a, b))
      .map(([word, value]) => ({ suffix: "", label: ["key", word], value, adds: true }))
  }
  if (MetricState.isHistogramState(state)) {
    const bucket = (le: string, value: number): Sample => ({ suffix: "_bucket", label: ["le", le], value, adds: true })
    return [
      ...state.buckets.filter(([le]) => le !== Infinity).map(([le, count]) => bucket(numberText(le), count)),
      bucket("+Inf", state.count),
      { suffix: "_sum", value: state.sum, adds: true },
      { suffix: "_count", value: state.count, adds: true }
    ]
  }
  if (MetricState.isSummaryState(state)) {
    return [
      ...state.quantiles.map(([quantile, value]): Sample => ({
        suffix: "",
        label: ["quantile", numberText(quantile)],
        value: Option.getOrElse(value, () => Number.NaN),
        adds: false
      })),
      { suffix: "_sum", value: state.sum, adds: true },
      { suffix: "_count", value: state.count, adds: true }
    ]
  }
  return []
}

// --- names ----------------------------------------------------------------------------------------------------------

const suffixes: Readonly<Record<Kind, ReadonlyArray<string>>> = {
  counter: [""],
  gauge: [""],
  histogram: ["", "_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"]
}

const reservedLabels: Readonly<Record<Kind, ReadonlyArray<string>>> = {
  counter: ["key"],
  gauge: [],
  histogram: ["le"],
  summary: ["quantile"]
}

const withStart = (name: string): string => /^\d/.test(name) || name === "" ? `_${name}` : name
const metricName = (name: string): string => withStart(name.replace(/[^a-zA-Z0-9_:]/g, "_"))
/** Two underscores at the start are for Prometheus itself. */
const labelName = (name: string): string => withStart(name.replace(/[^a-zA-Z0-9_]/g, "_").replace(/^_+/, "_"))

const escapeHelp = (text: string): string => text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")
const escapeLabel = (text: string): string => escapeHelp(text).replace(/"/g, "\\\"")

/** A tag that is given again keeps its name and a count, so that both values are there. */
const numbered = (tags: MetricKey.MetricKey.Untyped["tags"]): ReadonlyArray<readonly [string, string]> => {
  const seen = new Map<string, number>()
  return tags.map(({ key, value }) => {
    const times = seen.get(key) ?? 0
    seen.set(key, times + 1)
    return [times === 0 ? key : `${key}\u0000${times}`, value]
  })
}

const labelNames = (keys: Iterable<string>, reserved: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const taken = new Set(reserved)
  const names = new Map<string, string>()
  for (const key of [...new Set(keys)].sort(byText)) {
    let name = labelName(key)
    while (taken.has(name)) name += "_"
    taken.add(name)
    names.set(key, name)
  }
  return names
}

/** To Prometheus a label without a value is no label. */
const labelText = (labels: ReadonlyArray<readonly [name: string, value: string]>): string => {
  const shown = labels.filter(([, value]) => value !== "").map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return shown.length === 0 ? "" : `{${shown.join(",")}}`
}

// --- families -------------------------------------------------------------------------------------------------------

interface Family {
  readonly name: string
  readonly kind: Kind
  readonly pairs: Array<MetricPair.MetricPair.Untyped>
}

const familiesOf = (pairs: Iterable<MetricPair.MetricPair.Untyped>): ReadonlyArray<Family> => {
  const families = new Map<string, Family>()
  for (const pair of pairs) {
    const { name } = pair.metricKey
    const kind = kindOf(pair.metricKey.keyType)
    const id = `${name} ${kind}`
    const family = families.get(id)
    if (family === undefined) families.set(id, { name, kind, pairs: [pair] })
    else family.pairs.push(pair)
  }
  return [...families.values()].sort((a, b) => byText(a.name, b.name) || byText(a.kind, b.kind))
}

const linesOf = ({ kind, pairs }: Family, name: string): ReadonlyArray<string> => {
  const tagged = pairs.map((pair) => ({ pair, tags: numbered(pair.metricKey.tags) }))
  const names = labelNames(tagged.flatMap(({ tags }) => tags.map(([key]) => key)), reservedLabels[kind])
  const series = tagged
    .map(({ pair, tags }) => {
      const labels = tags.map(([key, value]) => [names.get(key)!, value] as const).sort(([a], [b]) => byText(a, b))
      return { pair, labels, text: labelText(labels) }
    })
    .sort((a, b) => byText(a.text, b.text))

  const values = new Map<string, number | bigint>()
  for (const { labels, pair } of series) {
    for (const { adds, label, suffix, value } of samplesOf(pair.metricState)) {
      const id = name + suffix + labelText(label === undefined ? labels : [...labels, label])
      const known = values.get(id)
      // Of one kind or the other each: a sum of both is not worth its precision.
      const sum = typeof known === typeof value ? (known as number) + (value as number) : Number(known) + Number(value)
      values.set(id, known === undefined || !adds ? value : sum)
    }
  }
  const help = pairs.map(({ metricKey }) => Option.getOrUndefined(metricKey.description)).find((text) => text)
  return [
    ...(help === undefined ? [] : [`# HELP ${name} ${escapeHelp(help)}`]),
    `# TYPE ${name} ${kind}`,
    ...[...values].map(([id, value]) => `${id} ${numberText(value)}`)
  ]
}

/**
 * A snapshot as text, in an order that depends on names and tags alone: one `TYPE` and at most one `HELP` a family. A
 * counter that is not `incremental` is a `gauge`, and a frequency a `counter` with the word as its label `key`.
 *
 * ```ts
 * import { PrometheusText } from "@patinox/platform"
 * import { Effect, Metric } from "effect"
 *
 * const sold = Metric.counter("shop.sold", { description: "Things sold", incremental: true })
 * const program = Effect.andThen(Metric.increment(Metric.tagged(sold, "kind", "a \"b\"")), Metric.snapshot)
 * const pairs = await Effect.runPromise(program)
 * console.log(PrometheusText.render(pairs.filter((pair) => pair.metricKey.name === "shop.sold"))) // =>
 * // # HELP shop_sold Things sold
 * // # TYPE shop_sold counter
 * // shop_sold{kind="a \"b\""} 1
 * ```
 */
export const render = (pairs: Iterable<MetricPair.MetricPair.Untyped>): string => {
  const taken = new Set<string>()
  return familiesOf(pairs).map((family) => {
    const all = (name: string) => suffixes[family.kind].map((suffix) => name + suffix)
    let name = metricName(family.name)
    while (all(name).some((used) => taken.has(used))) name += `_${family.kind}`
    for (const used of all(name)) taken.add(used)
    return linesOf(family, name).map((line) => `${line}\n`).join("")
  }).join("")
}
