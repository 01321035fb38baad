/** What the process says while it shuts down, as text. Pure. */
import * as CleanupReport from "@patinox/core/CleanupReport"
import { Text, UserFunction } from "@patinox/core/kernel"
import type { Reason } from "@patinox/platform/Shutdown"
import { Cause, Chunk } from "effect"

/** As everywhere. */
export const duration = Text.duration

/** A cause with its stacks; where an error in it throws on being looked at, what can be said of each. Never throws. */
export const cause = (self: Cause.Cause<unknown>): string =>
  UserFunction.call(() => Cause.pretty(self), () => {
    const errors = [...Chunk.toReadonlyArray(Cause.failures(self)), ...Chunk.toReadonlyArray(Cause.defects(self))]
    return errors.length === 0 ? "interrupted" : errors.map(Text.unknown).join("\n")
  })

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
export const abandoned = (fibers: ReadonlyArray<FiberLine>, millis: number): string =>
  `Abandoned ${Text.count(fibers.length, "fiber")} that ignored interruption for ${duration(millis)}: ${
    list(fibers.map(fiber))
  }`

/** What set it off, as in "Shut down in 2 s after SIGTERM". */
export const why = (reason: Reason): string => {
  switch (reason._tag) {
    case "Signal":
      return reason.signal
    case "Request":
      return reason.message === undefined ? "a request" : `a request (${reason.message})`
    case "Uncaught":
      return "an uncaught error"
    case "StartTimeout":
      return "a start that took too long"
    case "Ended":
      return "the end of the program"
    default:
      return reason satisfies never
  }
}

/** A layer that is being built. */
export interface BuildLine {
  readonly name: string
  readonly millis: number
}

const build = ({ millis, name }: BuildLine): string => `${name} for ${duration(millis)}`

export const starting = (builds: ReadonlyArray<BuildLine>, millis: number): string =>
  `Still starting after ${duration(millis)}, waiting for ${list(builds.map(build))}`

export const startTimedOut = (builds: ReadonlyArray<BuildLine>, startTimeout: number): string =>
  `Not started within ${duration(startTimeout)}: still building ${list(builds.map(build))}`

export const layersWithoutLimits =
  "Layers that the program builds with Layer.launch or Effect.provide have no limits for their finalizers, as this version " +
  "of effect makes them in another way: build them with NodeRuntime.launch or ResourceScope.provide"

/** Rows of a report that go into a log line, the worst first; all of them where there are few. */
const maxRows = 50

const table = (report: CleanupReport.CleanupReport): string => CleanupReport.render(report, { maxRows })

/** The report of a whole shutdown: a line, and the table where something is amiss. */
export const ended = (report: CleanupReport.CleanupReport, isClean: boolean, after: string, millis: number): string =>
  isClean
    ? `Shut down in ${duration(millis)} after ${after}: ${CleanupReport.summary(report)}`
    : `Shut down in ${duration(millis)} after ${after}, not cleanly:\n${table(report)}`

export const loggerEnded = (report: CleanupReport.CleanupReport): string =>
  `The logger did not close cleanly:\n${table(report)}`

/** The text at an end that nobody waits for: at the deadline, or at a second signal. */
const unfinished = (what: string, left: Left): string => {
  const still = running(left)
  return [
    what,
    ...(still === undefined ? [] : [`Still running: ${still}`]),
    left.report === undefined ? "No cleanup has begun." : table(left.report)
  ].join("\n")
}

export const secondSignal = (signal: string, first: string, code: number, left: Left): string =>
  unfinished(`${signal} after ${first}: exits at once with ${code}.`, left)

/** Somebody else ends the process: `caller` is the line of the stack that has called `process.exit`, as far as known. */
export const foreignExit = (caller: string | undefined, code: number, left: Left): string =>
  unfinished(
    `process.exit was called ${
      caller === undefined ? "" : `${caller} `
    }in the middle of the shutdown: exits with ${code}.`,
    left
  )

export const deadlinePassed = (shutdownTimeout: number, left: Left): string =>
  unfinished(`The deadline of ${duration(shutdownTimeout)} has passed: exits with 1.`, left)

export const watchdogMissing = (error: unknown): string =>
  `No watchdog thread, so a finalizer that blocks the main thread would not be ended: ${Text.unknown(error)}`

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
