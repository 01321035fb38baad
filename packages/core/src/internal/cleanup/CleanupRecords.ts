/** The course of a cleanup as a record: running, ended or not begun. */
import type { CleanupRecord, Trigger } from "../../CleanupReport.js"
import type { CleanupRun } from "./CleanupRun.js"
import type { CleanupTarget } from "./CleanupTarget.js"

/** The record of a target that has no run yet, or no longer has one. */
export const idleRecord = (
  entry: Pick<CleanupTarget, "id" | "typeName" | "priority" | "createdAt">,
  outcome: CleanupRecord["outcome"],
  trigger: Trigger
): CleanupRecord => ({
  order: -1,
  id: entry.id,
  typeName: entry.typeName,
  priority: entry.priority,
  outcome,
  attempts: 0,
  waitMillis: 0,
  runMillis: 0,
  trigger,
  forced: false,
  usedFallback: false,
  startedAt: entry.createdAt
})

/** The record of a run as it is now. */
export const recordOf = (run: CleanupRun): CleanupRecord => {
  const { attempts, entry, error, forced, hasStarted, host, order, outcome = "running", trigger, usedFallback } = run
  const now = host.timers.now()
  const end = run.isDone ? run.endedAt : now
  const started = hasStarted ? run.startedAt : end
  return {
    ...idleRecord(entry, outcome, trigger),
    order,
    attempts,
    waitMillis: Math.max(0, started - run.requestedAt),
    runMillis: Math.max(0, end - started),
    forced,
    usedFallback,
    startedAt: hasStarted ? Math.round(host.wallMillis() - (now - started)) : entry.createdAt,
    ...(error === undefined || outcome === "cleaned" ? undefined : { error })
  }
}
