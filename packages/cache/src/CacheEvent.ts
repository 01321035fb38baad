/**
 * What a cache reports as it happens, but for single hits, which its metrics count: plain records, discriminated by
 * `_tag`, each with the cache's name and the time (`at`, in milliseconds since the epoch).
 */
import type { CleanupError, ResourceId } from "@patinox/core"
import type { Cause } from "effect"
import type { CacheTimeout } from "./CacheError.js"
import type { RemovalReason } from "./internal/state/Vocabulary.js"

interface Event<Tag extends string> {
  readonly _tag: Tag
  readonly at: number
  readonly cache: string
}

interface OfKey<Tag extends string> extends Event<Tag> {
  readonly key: unknown
  /** Of the value's guard; a plain cache has none, nor has a failure. */
  readonly id?: ResourceId.ResourceId
}

export interface Loaded extends OfKey<"Loaded"> {
  readonly loadMillis: number
}
export interface LoadFailed extends OfKey<"LoadFailed"> {
  readonly cause: Cause.Cause<unknown>
  /** There is a value, which this load was meant to replace. */
  readonly keepsOld: boolean
}
/** A load does not stop: its key and its place are free, and its value will be released. */
export interface LoadAbandoned extends OfKey<"LoadAbandoned"> {
  readonly runningMillis: number
  readonly fiberId: string
}
/** A value is out of the cache; its release follows its last use. */
export interface Removed extends OfKey<"Removed"> {
  readonly reason: RemovalReason
  readonly ageMillis: number
}
/** The outcome of a release. */
export interface Released extends OfKey<"Released"> {
  readonly error?: CleanupError.CleanupError<unknown>
}
/** The removal listener failed, or took too long; nothing follows from that. */
export interface ListenerFailed extends OfKey<"ListenerFailed"> {
  readonly cause: Cause.Cause<unknown>
}
export interface TimedOut extends Event<"TimedOut"> {
  readonly error: CacheTimeout
}
export interface Closing extends Event<"Closing"> {}
/** The last event. */
export interface Closed extends Event<"Closed"> {}

export type CacheEvent =
  | Loaded
  | LoadFailed
  | LoadAbandoned
  | Removed
  | Released
  | ListenerFailed
  | TimedOut
  | Closing
  | Closed
