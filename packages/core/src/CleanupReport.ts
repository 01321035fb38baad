/**
 * What happened to each resource of a close of many: one record each, totals, and a table for people. Immutable data;
 * a record of a cleanup still running when the report was taken stays so, even if it ends later.
 */
import type { Schema } from "effect"
import * as CleanupError from "./CleanupError.js"
import type { CleanupPriority } from "./CleanupPriority.js"
import * as Schemas from "./internal/kernel/Schemas.js"
import * as Text from "./internal/kernel/Text.js"
import * as Vocabulary from "./internal/kernel/Vocabulary.js"
import type { ResourceId } from "./ResourceId.js"

/** Every way in which a resource can end. */
export const outcomes = Vocabulary.outcomes

/** How a resource can end; each ends in exactly one of them. */
export type Outcome = (typeof outcomes)[number]

/** Everything that can set a cleanup off. */
export const triggers = Vocabulary.triggers

/** What set a cleanup off. */
export type Trigger = (typeof triggers)[number]

/** The course of one cleanup. */
export interface CleanupRecord {
  /** In which order they were started, from 1. */
  readonly order: number
  readonly id: ResourceId
  readonly typeName: string
  readonly priority: CleanupPriority
  /** `running`: its cleanup had not ended; `acquiring`: there was nothing to clean up yet. */
  readonly outcome: Outcome | "running" | "acquiring"
  readonly attempts: number
  /** From being asked for until it was started. */
  readonly waitMillis: number
  readonly runMillis: number
  readonly trigger: Trigger
  /** Started out of its order because the deadline was near. */
  readonly forced: boolean
  readonly usedFallback: boolean
  readonly error?: CleanupError.CleanupError<unknown>
  /** Milliseconds since the epoch. */
  readonly startedAt: number
}

/** How many records have each outcome, and how many are otherwise worth knowing. */
export type Totals = { readonly [O in Outcome]: number } & {
  readonly total: number
  readonly stillRunning: number
  readonly stillAcquiring: number
  readonly forced: number
}

/** The outcome of every cleanup, with totals and the deadline. */
export interface CleanupReport {
  /** In the order they were started. */
  readonly records: ReadonlyArray<CleanupRecord>
  readonly totals: Totals
  readonly durationMillis: number
  /** How long it was allowed to take; may be `Infinity`. */
  readonly deadlineMillis: number
  readonly deadlineReached: boolean
}

/**
 * A report of records in any order: they are sorted, and counted.
 *
 * ```ts
 * import { CleanupReport, ResourceId } from "@patinox/core"
 *
 * const report = CleanupReport.make({
 *   records: [{
 *     order: 1,
 *     id: ResourceId.sequential().next(),
 *     typeName: "Database",
 *     priority: "High",
 *     outcome: "cleaned",
 *     attempts: 1,
 *     waitMillis: 0,
 *     runMillis: 12,
 *     trigger: "shutdown",
 *     forced: false,
 *     usedFallback: false,
 *     startedAt: 0
 *   }],
 *   durationMillis: 12,
 *   deadlineMillis: 25_000,
 *   deadlineReached: false
 * })
 * console.log(CleanupReport.summary(report)) // => 1 resource in 12 ms (deadline 25 s): 1 cleaned
 * console.log(CleanupReport.isClean(report)) // => true
 * ```
 */
export const make = (report: Omit<CleanupReport, "totals">): CleanupReport => {
  const records = [...report.records].sort((a, b) => a.order - b.order)
  const totals = {
    total: 0,
    cleaned: 0,
    recovered: 0,
    failed: 0,
    abandoned: 0,
    disarmed: 0,
    stillRunning: 0,
    stillAcquiring: 0,
    forced: 0
  }
  for (const { forced, outcome } of records) {
    totals.total++
    totals[outcome === "running" ? "stillRunning" : outcome === "acquiring" ? "stillAcquiring" : outcome]++
    if (forced) totals.forced++
  }
  return { ...report, records, totals }
}

/** Whether everything was released in time: nothing failed, was abandoned or is left, and the deadline was kept. */
export const isClean = ({ deadlineReached, totals }: CleanupReport): boolean =>
  !deadlineReached && totals.failed + totals.abandoned + totals.stillRunning + totals.stillAcquiring === 0

/** One line: how many, how long, and every total that is not 0. */
export const summary = ({ deadlineMillis, deadlineReached, durationMillis, totals }: CleanupReport): string => {
  const { total, ...others } = totals
  const parts = Object.entries(others).filter(([, n]) => n > 0).map(([name, n]) =>
    `${n} ${name.replace(/[A-Z]/, " $&").toLowerCase()}`
  )
  return `${Text.count(total, "resource")} in ${Text.duration(durationMillis)} (${
    deadlineMillis === Infinity ? "no deadline" : `deadline ${Text.duration(deadlineMillis)}`
  }${deadlineReached ? " reached" : ""})${parts.length > 0 ? `: ${parts.join(", ")}` : ""}`
}

// In columns of a terminal: wide scripts and emoji take two, marks that join what is before them none.
const narrowed = /[\p{M}\p{Cf}]/gu
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/gu
const width = (text: string) => [...text.replace(narrowed, "").replace(wide, "##")].length

/** How a report is shown. */
export interface RenderOptions {
  /** So many rows at most: where there are more, what did not end well comes first. Default: all. */
  readonly maxRows?: number
}

/** What did not end well before what did; of each the order in which they were started. */
const severities: { readonly [Outcome in CleanupRecord["outcome"]]: number } = {
  failed: 0,
  abandoned: 0,
  running: 0,
  acquiring: 0,
  recovered: 1,
  cleaned: 2,
  disarmed: 2
}

const shownOf = (records: ReadonlyArray<CleanupRecord>, maxRows: number): ReadonlyArray<CleanupRecord> =>
  records.length <= maxRows
    ? records
    : [0, 1, 2].flatMap((level) => records.filter((record) => severities[record.outcome] === level)).slice(0, maxRows)

/** The report as a table in plain text, one row a record, and the summary below. */
export const render = (report: CleanupReport, { maxRows = Infinity }: RenderOptions = {}): string => {
  const shown = shownOf(report.records, maxRows)
  const rows = shown.map((record) => [
    String(record.order),
    record.priority,
    Text.line(record.typeName),
    record.outcome + (record.usedFallback ? " (fallback)" : ""),
    String(record.attempts),
    Text.duration(record.waitMillis),
    Text.duration(record.runMillis),
    record.trigger + (record.forced ? " (forced)" : ""),
    // The row names the resource already.
    record.error === undefined
      ? ""
      : Text.line(record.error.message.replace(`Cleanup of ${Text.resource(record.error)} `, ""))
  ])
  const table = [["#", "priority", "type", "outcome", "attempts", "wait", "run", "trigger", "error"], ...rows]
  const widths = table[0]!.map((_, column) => table.reduce((widest, row) => Math.max(widest, width(row[column]!)), 0))
  const numeric = [0, 4, 5, 6]
  const lines = table.map((row) =>
    row.map((cell, column) => {
      const padding = " ".repeat(widths[column]! - width(cell))
      return numeric.includes(column) ? padding + cell : cell + padding
    }).join("  ").trimEnd()
  )
  const left = report.records.length - shown.length
  return [
    ...(rows.length > 0 ? lines : []),
    ...(left > 0 ? [`... and ${left} more`] : []),
    summary(report)
  ].join("\n")
}

/** The JSON form of a report. */
export type Encoded = Schemas.CleanupReportEncoded

/** A report as JSON and back; its errors as `CleanupError.schema(Schema.Defect)` keeps them, messages included. */
export const schema: Schema.Schema<CleanupReport, Encoded> = /* @__PURE__ */ Schemas.cleanupReport(
  CleanupError.schema
)
