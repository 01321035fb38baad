/**
 * Closed lists of words, each written once: their types, tables and tests come from here. Each place that decides by one
 * matches it whole, so that a longer list does not compile until the place has decided.
 */

/** From the start of a pool to its end, which comes by `serving` or `draining` those that wait. */
export const phases = ["open", "serving", "draining", "closed"] as const
export type Phase = typeof phases[number]

/** Which of the borrowers in line are still served; `validated`: those for whom an item is being validated. */
const lines = ["all", "validated", "none"] as const
export type Line = typeof lines[number]

const itemStatuses = ["idle", "inUse", "destroying", "gone"] as const
export type ItemStatus = typeof itemStatuses[number]

/** What idle items are due for. */
const dueWorks = ["expired", "idle", "keepAlive"] as const
export type DueWork = typeof dueWorks[number]

/** Why an item is removed from the pool. */
const removalReasons = [
  "expired",
  "idle",
  "maxUses",
  "unfit",
  "invalidated",
  "failedUse",
  "recycleFailed",
  "keepAliveFailed",
  "reclaimed",
  "resized",
  "evicted",
  "late",
  "drained",
  "released",
  "doubtful"
] as const
export type RemovalReason = typeof removalReasons[number]

/** Why a borrower gets no item: the pool is closing, too many wait already, or nothing can be created. */
const refusals = ["closed", "exhausted", "creation"] as const
export type Refusal = typeof refusals[number]

/** What a borrower waits for. */
const stages = ["waiting", "creating", "validating"] as const
export type PoolStage = typeof stages[number]

/** The functions that check an item. */
const itemOperations = ["validate", "recycle", "keepAlive"] as const
export type ItemOperation = typeof itemOperations[number]

/** What a drain does with the borrowers that wait. */
export const drainWaiters = ["fail", "serve"] as const
export type DrainWaiters = typeof drainWaiters[number]

/** What happens at the end of a lease that is too long. */
export const leaseTimeoutActions = ["report", "reclaim"] as const
export type LeaseTimeoutAction = typeof leaseTimeoutActions[number]

/** Of which calls the stack is kept. */
export const captures = ["off", "sampled", "all"] as const
export type Capture = typeof captures[number]
