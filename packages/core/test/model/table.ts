/** How often each fault met each state. */
import { Fault } from "@patinox/vitest"

/** What was going on when the release was first called. */
const states = [
  "scope",
  "cleanup",
  "cascade",
  "scheduled",
  "background",
  "forced",
  "shutdown",
  "deadline",
  "acquire",
  "retried"
] as const

export type MetState = typeof states[number]

const faults = [
  Fault.none,
  Fault.failOnce,
  Fault.failForGood,
  Fault.die,
  Fault.throws,
  Fault.hang,
  Fault.ignoreInterruption,
  Fault.slow(1),
  Fault.acquireSlowly(1)
].map(Fault.name).concat("untellable")

/** The row of a fault: untellable ones share theirs, however they end. */
export const rowOf = (fault: Fault.Fault): string => fault._tag === "Untellable" ? "untellable" : Fault.name(fault)

/** What was going on when an acquire ended that was slow or failed. */
const acquireStates = ["scope open", "scope closed", "interrupted", "draining", "dependency gone"] as const

export type AcquireState = typeof acquireStates[number]

const neverDeadLetters = [Fault.none, Fault.acquireSlowly(1), Fault.ignoreInterruption].map(Fault.name)

const isPossible = (row: string, column: string): boolean => {
  // What never fails is no dead letter; what ignores interruption is abandoned, and those are not retried.
  if (column === "retried") return !neverDeadLetters.includes(row)
  if (row === "acquire fails") return column !== "interrupted" && column !== "dependency gone"
  return true
}

export class Table {
  private readonly cells = new Map<string, number>()

  met(row: string, column: MetState | AcquireState): void {
    const key = `${row}|${column}`
    this.cells.set(key, (this.cells.get(key) ?? 0) + 1)
  }

  add(other: Table): void {
    for (const [key, n] of other.cells) this.cells.set(key, (this.cells.get(key) ?? 0) + n)
  }

  private at(row: string, column: string): number {
    return this.cells.get(`${row}|${column}`) ?? 0
  }

  private readonly parts = [
    { columns: states as ReadonlyArray<string>, rows: faults },
    { columns: acquireStates as ReadonlyArray<string>, rows: ["slow acquire", "acquire fails"] }
  ]

  /** The possible cells with fewer than `least`. */
  missing(least: number): ReadonlyArray<string> {
    return this.parts.flatMap(({ columns, rows }) =>
      rows.flatMap((row) =>
        columns.filter((column) => isPossible(row, column) && this.at(row, column) < least)
          .map((column) => `${row} x ${column}: ${this.at(row, column)}`)
      )
    )
  }

  render(): string {
    return this.parts.map(({ columns, rows }) => {
      const width = Math.max(...rows.map((row) => row.length))
      const line = (name: string, cells: ReadonlyArray<string>) =>
        [name.padEnd(width), ...cells.map((cell, i) => cell.padStart(Math.max(6, columns[i]!.length)))].join("  ")
      return [
        line("", columns),
        ...rows.map((row) =>
          line(row, columns.map((column) => isPossible(row, column) ? String(this.at(row, column)) : "-"))
        )
      ].join("\n")
    }).join("\n\n")
  }
}
