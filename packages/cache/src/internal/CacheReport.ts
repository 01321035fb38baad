/** What the close of a cache ends with. */
import type { CleanupError, ResourceId } from "@patinox/core"
import type { AbandonedLookup } from "./AbandonedLookup.js"

/** What became of a cache. */
export interface CacheReport {
  readonly cache: string
  readonly durationMillis: number
  readonly deadlineMillis: number
  /** Something was left when the time was up. */
  readonly deadlineReached: boolean
  /** Callers that waited, and were told that the cache is closed. */
  readonly refused: number
  /** Values that were released though somebody used them. */
  readonly reclaimed: number
  /** Values that were released, without failure or with. */
  readonly released: number
  readonly failed: ReadonlyArray<{
    readonly id: ResourceId.ResourceId
    readonly key: unknown
    readonly error: CleanupError.CleanupError<unknown>
  }>
  /** Used, looked up or being released by who closes the cache: it ends afterwards. */
  readonly stillHeld: number
  /** Still being looked up or released when the time was up. */
  readonly stillRunning: number
  /** Lookups that had not ended when the time was up, or were given up on before and run on. */
  readonly abandoned: ReadonlyArray<AbandonedLookup>
}
