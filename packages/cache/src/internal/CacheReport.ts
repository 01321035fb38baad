/** What the close of a cache ends with. */
import type { CleanupError, ResourceId } from "@patinox/core"
import type { AbandonedLookup } from "./AbandonedLookup.js"

/** The outcome of a close. */
export interface CacheReport {
  readonly cache: string
  readonly durationMillis: number
  readonly deadlineMillis: number
  /** Something was left when the time was up. */
  readonly deadlineReached: boolean
  /** Callers that waited, and failed with `CacheClosed`. */
  readonly refused: number
  /** Values that were released though they were in use. */
  readonly reclaimed: number
  /** Values that were released, without failure or with. */
  readonly released: number
  readonly failed: ReadonlyArray<{
    readonly id: ResourceId.ResourceId
    readonly key: unknown
    readonly error: CleanupError.CleanupError<unknown>
  }>
  /** Used, loaded or being released by the fibers that close the cache: that ends afterwards. */
  readonly stillHeld: number
  /** Still being loaded or released when the time was up. */
  readonly stillRunning: number
  /** Loads that had not ended when the time was up, or were abandoned before and run on. */
  readonly abandoned: ReadonlyArray<AbandonedLookup>
}
