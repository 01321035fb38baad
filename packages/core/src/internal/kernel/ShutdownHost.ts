/**
 * Who runs the whole process, as far as cleanups inside it have to know: how long there is, who counts what has ended, and
 * who closes later what has to outlive its own scope. `NodeRuntime` is one; without one nothing changes.
 */
import { Context, type Scope } from "effect"
import type { CleanupRecord, CleanupReport } from "../../CleanupReport.js"

/** A scope with a report of the outcome of everything in it, so far. */
export interface ClosingScope {
  readonly report: CleanupReport | undefined
}

export interface ShutdownHost {
  /** Whether the process is shutting down: from then on it wants to know what ends. */
  readonly isClosing: () => boolean
  /** Milliseconds until what closes now has to be over; `Infinity` while nothing is shutting down. */
  readonly leftMillis: () => number
  /** A cleanup of a registry has ended, or was abandoned. */
  readonly ended: (record: CleanupRecord) => void
  /** A scope begins to close that is inside of no other: its report tells the rest. */
  readonly closing: (scope: ClosingScope) => void
  /** Runs a finalizer once the program's scope has closed; `false` where `scope` is not in that. */
  readonly closeAfter: (scope: Scope.Scope, finalizer: Scope.Scope.Finalizer) => boolean
}

/** None. */
export const noHost: ShutdownHost = {
  isClosing: () => false,
  leftMillis: () => Infinity,
  ended: () => {},
  closing: () => {},
  closeAfter: () => false
}

/** That of the process, where there is one. */
export const ShutdownHost = /* @__PURE__ */ Context.Reference<ShutdownHost>()("@patinox/core/ShutdownHost", {
  defaultValue: () => noHost
})
