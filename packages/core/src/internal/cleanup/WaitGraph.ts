/**
 * Which cleanup waits for which: asked before a wait begins, so that no circle ever closes (P8). Nothing is changed
 * here; each cleanup itself keeps what it waits for.
 */
import * as Fibers from "../effect3/Fibers.js"
import type { CleanupRun } from "./CleanupRun.js"
import { isBlocked } from "./Waits.js"

/** What a cleanup can wait for: the end of a run, or of many (`members`). */
export interface Blocker {
  readonly run?: CleanupRun | undefined
  /** Entries that have no run yet are cleaned up after that inside of which they were made. */
  members?(): Iterable<{ readonly run: CleanupRun | undefined; readonly within?: CleanupRun | undefined }>
  /** Of waits that are over for those whom all the rest waits for: looks who they are. */
  check?(): void
  /** Of waits that are over for those whom all of it waits for by now. */
  recheck?(): void
}

/** The cleanups that one waits for, directly; `strictly` without the waits that are over in time by themselves. */
function* blockersOf(run: CleanupRun, strictly: boolean, seen: Set<Blocker>): Iterable<CleanupRun | undefined> {
  for (const blocker of run.blockedOn?.keys() ?? []) {
    if (blocker.members === undefined) yield blocker.run
    // Many may wait for the same many.
    else if (!seen.has(blocker) && (!strictly || blocker.check === undefined)) {
      seen.add(blocker)
      for (const member of blocker.members()) yield member.run ?? member.within
    }
  }
  if (run.phase === "borrowers") {
    for (const { fiber } of run.entry.holders ?? []) {
      if (fiber !== undefined) yield Fibers.cleanupOf(fiber) as CleanupRun
    }
  }
}

const isAtWork = (run: CleanupRun): boolean => !isBlocked(run) && run.phase !== "borrowers"

/** Looks through what a cleanup waits for, over any number of steps, until something is found. */
const reaches = (run: CleanupRun, isFound: (run: CleanupRun) => boolean, strictly = false): boolean => {
  if (isAtWork(run)) return isFound(run)
  const seen = new Set<CleanupRun>([run])
  const blockers = new Set<Blocker>()
  // A set hands out what is added to it on the way.
  for (const next of seen) {
    if (isFound(next)) return true
    for (const blocker of blockersOf(next, strictly, blockers)) {
      if (blocker !== undefined && !blocker.isDone) seen.add(blocker)
    }
  }
  return false
}

/** Whether `run` waits, over any number of steps, for a cleanup or for a fiber. */
export const waitsFor = (
  run: CleanupRun,
  target: { readonly run: CleanupRun | undefined; readonly fiber: Fibers.CurrentFiber | undefined }
): boolean => reaches(run, (next) => next === target.run || (target.fiber !== undefined && next.isEnding(target.fiber)))

/**
 * Whether all runs wait for the caller, or need not be asked as they wait for the same `many`. A run at work is seen at
 * once, so all are looked at for that before any of them is followed.
 */
export const allWaitFor = (
  runs: () => Iterable<CleanupRun | undefined>,
  target: Parameters<typeof waitsFor>[1],
  many: Blocker | undefined
): boolean => {
  for (const run of runs()) if (run === undefined || (isAtWork(run) && !waitsFor(run, target))) return false
  for (const run of runs()) {
    if (!(many !== undefined && run!.blockedOn?.has(many) === true) && !waitsFor(run!, target)) return false
  }
  return true
}

/** Somebody waits for `run` from now on: those that it waits for, over any number of steps, may wait for that. */
export const lookAgain = (run: CleanupRun): void => {
  reaches(run, (next) => {
    for (const blocker of next.blockedOn?.keys() ?? []) {
      blocker.check?.()
      blocker.recheck?.()
    }
    return false
  })
}

/** Makes `run` start after `other`, unless that waits for it. */
export const startAfter = (run: CleanupRun, other: CleanupRun): void => {
  if (reaches(other, (next) => next === run, true)) return
  run.waitFor(other)
  // For those who wait for everything, that may have been the last which did not wait for them.
  lookAgain(other)
}
