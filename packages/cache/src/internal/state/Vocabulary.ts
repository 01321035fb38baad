/**
 * Closed lists of words, each written once: their types, tables and tests come from here. Each place that decides by
 * one matches it whole, so that a longer list does not compile until the place has decided.
 */

/** Why a value left the cache. */
export const removalReasons = ["evicted", "expired", "invalidated", "replaced", "shutdown", "failed"] as const
export type RemovalReason = typeof removalReasons[number]

/**
 * `cached`: the next caller gets it. `retired`: out of the cache, and still used. `releasing`, then `gone`: it cannot
 * be used any longer.
 */
const entryStatuses = ["cached", "retired", "releasing", "gone"] as const
export type EntryStatus = typeof entryStatuses[number]

/**
 * `behind` another of its key; `queued` for room; `aborted` when it is not wanted any longer or its time is up, and it
 * has not ended yet.
 */
const loadPhases = ["behind", "queued", "running", "aborted", "over"] as const
export type LoadPhase = typeof loadPhases[number]

/** What an old value is good for: given only to be `refreshed` behind, given where that fails, or nothing. */
const verdicts = ["refreshed", "stale", "useless"] as const
export type Verdict = typeof verdicts[number]

/** What a load does that finds no room because everything is in use. */
export const whenFulls = ["wait", "exceed", "fail"] as const
export type WhenFull = typeof whenFulls[number]

/** Why a caller joins no load. */
const refusals = ["closed", "full"] as const
export type Refusal = typeof refusals[number]

/** What a caller was waiting for when its time ran out. */
const cacheStages = ["room", "lookup"] as const
export type CacheStage = typeof cacheStages[number]

/** Why a cache is closed. */
const closeReasons = ["closed", "registry shutting down"] as const
export type CloseReason = typeof closeReasons[number]
