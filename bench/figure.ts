/** What a file of `figures` gives: figures that are measured together, in a process of their own. */

export interface Settings {
  /** Fewer rounds and smaller amounts: for a look, not for a verdict. */
  readonly quick: boolean
  /** Which figures are asked for: a family may leave out what takes long and is not. */
  readonly wanted: ReadonlyArray<string>
}

/** Several measurements of each figure, by its id in `budgets.json`; the median counts. */
export type Measured = Readonly<Record<string, ReadonlyArray<number>>>

export interface Family {
  readonly ids: ReadonlyArray<string>
  /** In how many processes to measure, one after the other: what the compiler makes of the code differs between them. */
  readonly processes?: number
  /** It takes its time and does next to nothing: it is measured beside the others. */
  readonly isAside?: boolean
  readonly measure: (settings: Settings) => Promise<Measured>
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
}
