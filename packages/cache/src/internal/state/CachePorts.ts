/** What a cache decides within, and who does what it has decided. */
import type { CachePolicy } from "../../CachePolicy.js"
import type { CacheEntry } from "./CacheEntry.js"
import type { AgeLimits } from "./Expiry.js"
import type { Load } from "./Load.js"
import type { RemovalReason, WhenFull } from "./Vocabulary.js"

export interface CacheLimits extends AgeLimits {
  /** In milliseconds: of values that have none of their own. */
  readonly timeToIdle: number
  readonly maxEntries: number
  readonly maxWeight: number
  /** What a lookup does that finds no room because everything is in use. */
  readonly whenFull: WhenFull
  readonly policy: CachePolicy
}

export interface CachePorts<K, A, E> {
  /** Begins a load. */
  load(load: Load<K, A, E>): void
  /** Ends a load that is no longer wanted. */
  abort(load: Load<K, A, E>): void
  /** The value is out of the cache. It may be in use, and a listener may use it. */
  removed(entry: CacheEntry<K, A, E>, reason: RemovalReason): void
  /** Releases a value, after its last use. */
  release(entry: CacheEntry<K, A, E>): void
  /** Calls `due` at that instant; never where it is `Infinity`. */
  dueAt(entry: CacheEntry<K, A, E>, at: number): void
  now(): number
  /** What the gauges show has changed. */
  updateGauges(): void
  /** Something was counted down: those that wait for an end look again. */
  notifyWaiters(): void
}
