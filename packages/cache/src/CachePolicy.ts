/**
 * Who has to go when a cache is full: a small record of functions over plain data. `lru` and `wTinyLfu` are here; one
 * of your own takes a few lines.
 *
 * A policy decides on the order alone. The cache holds the entries, counts them and their weights, knows its bounds and
 * which entries are in use; a policy hears what happens and names which should go next. It needs no map: an entry
 * brings slots for what a policy keeps of it. Nothing here is an effect, waits or reads a clock.
 *
 * Entries in use cannot be evicted, and the policy need not know them: it may name one, and the cache then takes it out
 * of the policy's hands with `pinned`, until its last user is done. A hit so tells the policy nothing but `used`, and
 * however many entries are in use, each is come across at most once per use: to find a victim costs the same, on
 * average, as if nothing was in use.
 */
import { EntryList, type PolicyEntry } from "./internal/policy/EntryList.js"
import { Lru } from "./internal/policy/Lru.js"
import type { Bounds, PolicyState } from "./internal/policy/PolicyState.js"
import { WTinyLfu } from "./internal/policy/WTinyLfu.js"

export type { PolicyEntry } from "./internal/policy/EntryList.js"
export type { Bounds, PolicyState } from "./internal/policy/PolicyState.js"

/**
 * How a cache chooses its victims.
 *
 * @example
 * ```ts
 * import { CachePolicy } from "@patinox/cache"
 *
 * // First in, first out: a use changes nothing.
 * const fifo: CachePolicy.CachePolicy = {
 *   name: "fifo",
 *   make: () => {
 *     const line = CachePolicy.makeList()
 *     return {
 *       added: (entry) => line.append(entry),
 *       used: () => {},
 *       victim: () => line.first,
 *       pinned: (entry) => line.remove(entry),
 *       unpinned: (entry) => line.prepend(entry), // its turn has been
 *       removed: (entry) => line.remove(entry)
 *     }
 *   }
 * }
 *
 * const state = fifo.make({ maxEntries: 2, maxWeight: Infinity })
 * const [first, second] = [CachePolicy.makeEntry(1), CachePolicy.makeEntry(2)]
 * state.added(first)
 * state.added(second)
 * state.used(first)
 * console.log(state.victim() === first) // => true
 *
 * state.pinned(first)
 * console.log(state.victim() === second) // => true
 * state.unpinned(first)
 * console.log(state.victim() === first) // => true
 * ```
 */
export interface CachePolicy {
  /** Short and stable: it names the policy in statistics. */
  readonly name: string
  /** A state of its own for each cache. */
  readonly make: (bounds: Bounds) => PolicyState
}

/**
 * A row of entries from `first` to `last`, with `append`, `prepend`, `moveToEnd`, `remove` and `size`. Each costs a few
 * writes however long the row is. An entry is in one list at a time; to remove or move an entry that is elsewhere is
 * nothing.
 */
export type { EntryList }

/** An empty list. */
export const makeList = (): EntryList => new EntryList()

/** An entry as a cache would hand it over: for tests of a policy. */
export const makeEntry = (hash: number, weight = 1): PolicyEntry => ({
  hash,
  weight,
  list: undefined,
  place: 0,
  mark: 0
})

/**
 * The entry that was used longest ago goes first. An entry that was in use when its turn came counts as used until it
 * was not in use any more.
 *
 * An entry heavier than `maxWeight` is always the next to go, as it would push out all others and still not fit. One of
 * weight 0 is never named where only weight is bounded.
 */
export const lru: CachePolicy = { name: "lru", make: (bounds) => new Lru(bounds) }

/** Options of `makeWTinyLfu`. */
export interface WTinyLfuOptions {
  /**
   * Evenly spread numbers from 0 to below 1, asked for only when a popular entry loses against one at least as popular:
   * it stays by luck once in 128 times, so that nobody can keep others out with keys whose hashes collide. By default
   * a small generator, the same for each cache, so that what is evicted can be repeated.
   */
  readonly random?: () => number
}

/**
 * `wTinyLfu` with options.
 *
 * @example
 * ```ts
 * import { CachePolicy } from "@patinox/cache"
 *
 * const policy = CachePolicy.makeWTinyLfu({ random: Math.random })
 * console.log(policy.name) // => w-tinylfu
 * ```
 */
export const makeWTinyLfu = (options: WTinyLfuOptions = {}): CachePolicy => ({
  name: "w-tinylfu",
  make: (bounds) => new WTinyLfu(bounds, options.random)
})

/**
 * W-TinyLFU, as in Caffeine: what was asked for often lately stays, though a loop or a scan over more than fits passes
 * through. New entries pass through a window, 1 % of the cache at first. Which window is best, up to the whole cache,
 * which is then an LRU, is told by small caches without values that see a sample of the same lookups. On generated
 * traces of many kinds it is never more than a point of a hundred behind the better of `lru` and Caffeine's adaptive
 * policy, given some hundred gets per entry to learn what suits them (`docs/hit-rates.md`).
 *
 * It needs 16 to 32 bytes more per entry than `lru`, some 70 to 100 KiB for each cache of 256 entries or more, and
 * several times as long for a hit, which is still little. Take it where keys differ much in how often they are asked
 * for, or where you do not know.
 *
 * An entry that is turned away while it is in use goes as soon as it is not, should there still be need. Weights limit
 * the window, too: an entry heavier than it has to be asked for again before it displaces others. An entry heavier than
 * `maxWeight` and one of weight 0 are treated as by `lru`.
 */
export const wTinyLfu: CachePolicy = /* @__PURE__ */ makeWTinyLfu()
