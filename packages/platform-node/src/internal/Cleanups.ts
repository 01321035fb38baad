/**
 * The outcome of everything in the process while it shuts down, in one report. That is whatever belongs to the scope of
 * the program, to layers that the program has built for itself, or to registries inside.
 */
import * as CleanupReport from "@patinox/core/CleanupReport"
import type { ClosingScope, ShutdownHost } from "@patinox/core/kernel"
import * as ResourceScope from "@patinox/core/ResourceScope"
import { Effect, Scope } from "effect"

/** The part of a shutdown that goes on: from when, and until when everything in it has to be over. In milliseconds. */
export interface Phase {
  readonly elapsed: number
  readonly until: number
}

export class Cleanups implements ShutdownHost {
  private readonly records = new Map<string, CleanupReport.CleanupRecord>()
  private readonly scopes = new Set<ClosingScope>()

  constructor(
    /** That of the program. */
    private readonly scope: ResourceScope.ResourceScope,
    /** Closes after it. */
    readonly after: ResourceScope.ResourceScope,
    /** Nothing while the process does not shut down. */
    private readonly phase: () => Phase | undefined
  ) {
    this.scopes.add(scope)
  }

  // --- as the host of what cleans up inside --------------------------------------------------------------------------

  readonly isClosing = (): boolean => this.phase() !== undefined

  readonly leftMillis = (): number => {
    const phase = this.phase()
    return phase === undefined ? Infinity : phase.until - phase.elapsed
  }

  readonly ended = (record: CleanupReport.CleanupRecord): void => {
    this.records.set(record.id, record)
  }

  readonly closing = (scope: ClosingScope): void => {
    if (scope !== this.after) this.scopes.add(scope)
  }

  readonly closeAfter = (scope: Scope.Scope, finalizer: Scope.Scope.Finalizer): boolean => {
    const isOpen = this.after.report === undefined && ResourceScope.isWithin(scope, this.scope)
    if (isOpen) Effect.runSync(Scope.addFinalizerExit(this.after, finalizer))
    return isOpen
  }

  // --- the report ----------------------------------------------------------------------------------------------------

  /** Nothing while no cleanup has begun. */
  report(startedAt: number): CleanupReport.CleanupReport | undefined {
    const reports = [...this.scopes].flatMap(({ report }) => report ?? [])
    if (reports.length === 0 && this.records.size === 0) return undefined
    const own = this.scope.report
    const all = new Map(this.records)
    for (const { records } of reports) {
      for (const record of records) {
        // What a registry has reported is final.
        if (!all.has(record.id)) all.set(record.id, record)
      }
    }
    const isAlone = own !== undefined && all.size === own.records.length
    if (isAlone) return own
    const phase = this.phase()
    const records = [...all.values()].sort((a, b) => a.startedAt - b.startedAt || a.order - b.order)
    return CleanupReport.make({
      records: records.map((record, index) => ({ ...record, order: index + 1 })),
      durationMillis: phase === undefined ? 0 : Math.max(0, phase.elapsed - startedAt),
      deadlineMillis: phase === undefined ? Infinity : Math.max(0, phase.until - startedAt),
      deadlineReached: reports.some(({ deadlineReached }) => deadlineReached)
    })
  }
}
