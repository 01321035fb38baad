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
  /** Begins a lookup. */
  load(load: Load<K, A, E>): void
  /** Ends a lookup that nobody wants any more. */
  abort(load: Load<K, A, E>): void
  /** The value is out of the cache. It may be in use, and whoever hears of it may use it. */
  removed(entry: CacheEntry<K, A, E>, reason: RemovalReason): void
  /** Nobody uses the value any more: it is to be released. */
  release(entry: CacheEntry<K, A, E>): void
  /** `due` is to be called then; `Infinity` where not. */
  dueAt(entry: CacheEntry<K, A, E>, at: number): void
  now(): number
  /** What is there, in use or weighs has changed. */
  updateGauges(): void
  /** Something was counted down: whoever waits for an end looks again. */
  notifyWaiters(): void
}
