/** What the process says while it shuts down, as text. Pure. */
import * as CleanupReport from "@patinox/core/CleanupReport"

/** `12 ms`, `1.5 s`, `25 s`. */
export const duration = (millis: number): string =>
  Math.round(millis) < 1_000 ? `${Math.round(millis)} ms` : `${Number((millis / 1_000).toFixed(1))} s`

/** A fiber that runs. */
export interface FiberLine {
  readonly id: number
  readonly span: string | undefined
  readonly ageMillis: number
}

/** What has not ended yet. */
export interface Left {
  /** The program's fiber and those it has forked. */
  readonly fibers: ReadonlyArray<FiberLine>
  /** So far; nothing while the scope has not begun to close. */
  readonly report: CleanupReport.CleanupReport | undefined
}

const shown = 10

const list = (items: ReadonlyArray<string>): string =>
  [...items.slice(0, shown), ...(items.length > shown ? [`${items.length - shown} more`] : [])].join(", ")

const fiber = ({ ageMillis, id, span }: FiberLine): string =>
  `fiber #${id}${span === undefined ? "" : ` in span "${span}"`} (${duration(ageMillis)} old)`

/** What still runs, each with how long it has, or `undefined` where nothing does. */
export const running = ({ fibers, report }: Left): string | undefined => {
  const records = report?.records.filter(({ outcome }) => outcome === "running") ?? []
  const items = [
    ...records.map(({ runMillis, typeName }) => `${typeName} for ${duration(runMillis)}`),
    ...fibers.map(fiber)
  ]
  return items.length === 0 ? undefined : list(items)
}

export const begun = (signal: string, shutdownTimeout: number, readinessDelay: number): string =>
  `${signal}: shutting down${shutdownTimeout === Infinity ? "" : `, within ${duration(shutdownTimeout)}`}${
    readinessDelay === 0 ? "" : `; not ready from now on, intake stops in ${duration(readinessDelay)}`
  }`

export const progress = (left: Left, millis: number, shutdownTimeout: number): string | undefined => {
  const what = running(left)
  return what === undefined
    ? undefined
    : `Still shutting down after ${duration(millis)}${
      shutdownTimeout === Infinity ? "" : ` of ${duration(shutdownTimeout)}`
    }: ${what}`
}

/** Of fibers that have not ended by the time that the scope has to close. */
export const letGo = (fibers: ReadonlyArray<FiberLine>, millis: number): string =>
  `Let go of what ignores interruption for ${duration(millis)}: ${list(fibers.map(fiber))}`

/** The report of a whole shutdown: a line, and the table where something is amiss. */
export const ended = (report: CleanupReport.CleanupReport, isClean: boolean, why: string, millis: number): string =>
  isClean
    ? `Shut down in ${duration(millis)} after ${why}: ${CleanupReport.summary(report)}`
    : `Shut down in ${duration(millis)} after ${why}, not cleanly:\n${CleanupReport.render(report)}`

export const loggerEnded = (report: CleanupReport.CleanupReport): string =>
  `The logger did not close cleanly:\n${CleanupReport.render(report)}`

/** What there is to say at an end that nobody waits for: at the deadline, or at a second signal. */
const unfinished = (what: string, left: Left): string => {
  const still = running(left)
  return [
    what,
    ...(still === undefined ? [] : [`Still running: ${still}`]),
    left.report === undefined ? "No cleanup has begun." : CleanupReport.render(left.report)
  ].join("\n")
}

export const secondSignal = (signal: string, first: string, code: number, left: Left): string =>
  unfinished(`${signal} after ${first}: exits at once with ${code}.`, left)

export const deadlinePassed = (shutdownTimeout: number, left: Left): string =>
  unfinished(`The deadline of ${duration(shutdownTimeout)} has passed: exits with 1.`, left)

export const watchdogMissing = (error: unknown): string =>
  `No watchdog thread, so a finalizer that blocks the main thread would not be ended: ${error}`

/** Of the types that `process.getActiveResourcesInfo` gives. */
export const leftOpen = (types: ReadonlyArray<string>, shutdownTimeout: number): string => {
  const counts = new Map<string, number>()
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1)
  const each = [...counts].map(([type, count]) => count === 1 ? type : `${count} x ${type}`)
  return `The program ended ${duration(shutdownTimeout)} ago and the process is kept alive by ${
    each.length === 0 ? "something unknown" : each.join(", ")
  }: exits.`
}

export const unread = (bytes: number): string => `${bytes} bytes of output were not read in time.`
