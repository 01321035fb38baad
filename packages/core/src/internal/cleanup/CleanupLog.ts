/**
 * What the registry logs, with the log settings of whoever acquired the resource. Written in the caller's turn, so that a
 * failure inside a finalizer is in the log before the scope goes on: nothing above it would tell.
 */
import { Cause, Effect } from "effect"
import * as CleanupReport from "../../CleanupReport.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Refs from "../effect3/Refs.js"
import * as Text from "../kernel/Text.js"
import { call } from "../kernel/UserFunction.js"
import type { CleanupRun } from "./CleanupRun.js"
import { attributesOf, type CleanupTarget } from "./CleanupTarget.js"

/** In a fiber of its own: a logger that throws reaches nobody. */
export const write = (entry: CleanupTarget, line: Effect.Effect<void>): void => {
  Fibers.forkNow(Effect.exit(Effect.annotateLogs(line, attributesOf(entry))), entry.origin)
}

const quietly = (line: Effect.Effect<void>): Effect.Effect<void> =>
  Fibers.withFiber((fiber) => {
    Fibers.forkNow(Effect.exit(line), Refs.originOf(fiber))
    return Effect.void
  })

/** A cause as loggers can show it: nothing where they would throw on the way, which would cost the line. */
export const showable = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> =>
  call(() => (Cause.pretty(cause, { renderErrorCause: true }), cause), () => Cause.empty)

export const failed = (run: CleanupRun): void => {
  const { entry, error } = run
  if (error === undefined) return
  const line = error._tag === "CleanupTimeout"
    ? Effect.logError(error.message)
    : Effect.logError(
      run.outcome === "abandoned" ? `${error.message}; its fallback was abandoned` : error.message,
      showable(error.cause)
    )
  write(entry, line)
}

export const slow = (run: CleanupRun, slowAfter: number): void =>
  write(
    run.entry,
    Effect.logWarning(`Cleanup of ${run.entry.typeName} is slow: it has not ended after ${Text.duration(slowAfter)}`)
  )

export const leakSuspected = (entry: CleanupTarget, ageMillis: number, stack: string | undefined): void =>
  write(
    entry,
    Effect.logWarning(
      `${entry.typeName} may be leaked: it has been live for ${Text.duration(ageMillis)}${
        stack === undefined ? "" : `\nacquired\n${stack}`
      }`
    )
  )

export const leakResolved = (entry: CleanupTarget, ageMillis: number): void =>
  write(
    entry,
    Effect.logInfo(`${entry.typeName} was not leaked: it ended after ${Text.duration(ageMillis)} (${entry.state})`)
  )

/** The registry's layer closes while guards of open scopes are live. */
export const closedUnderGuards = (entries: ReadonlyArray<CleanupTarget>): Effect.Effect<void> => {
  const shown = entries.slice(0, 10).map(Text.resource)
  return quietly(Effect.logWarning(
    `The resource registry closes under ${Text.count(entries.length, "guard")} whose scope is still open: ${
      shown.join(", ")
    }. Provide the registry once, at the top, so that it closes last.`
  ))
}

export const secondRegistry: Effect.Effect<void> = /* @__PURE__ */ quietly(
  /* @__PURE__ */ Effect.logWarning(
    "A second resource registry inside another: each knows only its own. Provide the registry once, at the top, so that " +
      "it closes last."
  )
)

/** One line at the end, where there is something to tell. */
export const shutDown = (report: CleanupReport.CleanupReport): Effect.Effect<void> =>
  report.totals.total === 0 || CleanupReport.isClean(report)
    ? Effect.void
    : quietly(Effect.logWarning(`Resource registry shut down: ${CleanupReport.summary(report)}`))
