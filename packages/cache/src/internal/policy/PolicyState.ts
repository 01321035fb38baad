/** What a cache asks of a policy. */
import type { PolicyEntry } from "./EntryList.js"

/** The limits of a cache: either may be `Infinity`. */
export interface Bounds {
  /** At least 1. */
  readonly maxEntries: number
  /** In the weigher's unit, more than 0. */
  readonly maxWeight: number
}

/**
 * The order of one cache's entries. Of each entry a policy hears `added` first and `removed` last, once each, or that
 * it replaces another, or was replaced. None of the functions may fail or take longer the more entries there are: a
 * policy that throws, or names an entry that is pinned or gone, is reported in the log, and the cache goes on with
 * `lru`.
 */
export interface PolicyState {
  /** A new entry came in. It may be in use, and the cache over its bounds until a victim is gone. */
  added(entry: PolicyEntry): void
  /** The entry was asked for again. Also of an entry that is pinned. */
  used(entry: PolicyEntry): void
  /**
   * Who should go next, in use or not; nobody if all are pinned. It is a question: who is named stays until `pinned` or
   * `removed`. Asked again and again until there is room: while the cache is over its bounds, or so that an entry which
   * is still to come will fit. An entry that is in use is pinned, and the next one asked for.
   */
  victim(): PolicyEntry | undefined
  /** The entry was named but is in use: it is not to be named again until it is unpinned. */
  pinned(entry: PolicyEntry): void
  /** The last use of the pinned entry has ended: it is back in the order, where the policy thinks right. */
  unpinned(entry: PolicyEntry): void
  /** The entry is gone for whatever reason, pinned or not. */
  removed(entry: PolicyEntry): void
  /**
   * The old entry is gone, pinned or not, and a new one of the same key takes its place, which is no use: where
   * somebody asked for it, or gave it, `used` follows. It may weigh more or less. A policy without this hears `removed`
   * and `added` instead.
   */
  replaced?(old: PolicyEntry, entry: PolicyEntry): void
}
