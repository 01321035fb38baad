/**
 * What a cleanup waits for and what waits for its end, as each wait begins and ends. `WaitGraph` reads it, to see a circle
 * before it closes.
 */
import type { CleanupRun } from "./CleanupRun.js"
import type { Blocker } from "./WaitGraph.js"

/** The cleanup waits for this from now on, until that is taken back as often. Of no cleanup nothing is noted. */
export const block = (run: CleanupRun | undefined, on: Blocker): void => {
  if (run === undefined) return
  const { blockedOn = run.blockedOn = new Map() } = run
  blockedOn.set(on, (blockedOn.get(on) ?? 0) + 1)
}

export const unblock = (run: CleanupRun | undefined, on: Blocker): void => {
  const times = run?.blockedOn?.get(on) ?? 1
  if (times > 1) run!.blockedOn!.set(on, times - 1)
  else run?.blockedOn?.delete(on)
}

export const isBlocked = ({ blockedOn }: CleanupRun): boolean => (blockedOn?.size ?? 0) > 0

/** A cleanup that waits needs no slot meanwhile, and neither do those that cannot start before it has ended. */
export const giveWay = (run: CleanupRun | undefined): void => {
  const runs = new Set(run && [run])
  // A set hands out what is added to it on the way.
  for (const next of runs) {
    next.host.giveBackSlot(next)
    for (const follower of next.followers ?? []) runs.add(follower)
  }
}

/** `run` cannot start before `other` has ended. */
export const follow = (run: CleanupRun, other: CleanupRun): void => {
  ;(other.followers ??= []).push(run)
  if (isBlocked(other)) giveWay(run)
}
