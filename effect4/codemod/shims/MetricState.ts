/** Which kind of metric a state is of, as `Compat.metrics` says. */
const isOf = (type: string) => (state: unknown): boolean => (state as { readonly type?: string }).type === type

export const isCounterState = isOf("Counter")

export const isGaugeState = isOf("Gauge")

export const isHistogramState = isOf("Histogram")
