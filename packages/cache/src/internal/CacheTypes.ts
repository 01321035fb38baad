/** What users see of a cache: its functions, and its readings. */
import type { ResourceId } from "@patinox/core"
import type { Effect, Option, Scope, Stream } from "effect"
import type { CacheCounts, CacheError } from "../CacheError.js"
import type { CacheEvent } from "../CacheEvent.js"
import type { AbandonedLookup } from "./AbandonedLookup.js"
import type { CacheCounters } from "./CacheMetrics.js"
import type { CallOptions } from "./CacheOptions.js"
import type { CacheReport } from "./CacheReport.js"

/** A user of a value. */
export interface User {
  readonly fiberId: string
  readonly heldMillis: number
  readonly spanName?: string
}

/** A reading of one value. */
export interface EntrySnapshot<out K> {
  readonly key: K
  readonly ageMillis: number
  readonly weight: number
  /** A failure that is kept. */
  readonly isFailure: boolean
  /** Below 0 where it is stale. Left out where it does not expire. */
  readonly expiresInMillis?: number
  /** Of its guard. */
  readonly id?: ResourceId.ResourceId
  /** The oldest use first. */
  readonly users: ReadonlyArray<User>
}

/** A reading of a cache. */
export interface CacheSnapshot<out K> extends CacheCounters {
  readonly name: string
  readonly state: "open" | "closed"
  readonly counts: CacheCounts
  readonly entries: ReadonlyArray<EntrySnapshot<K>>
  /** Values out of the cache that are still in use. */
  readonly retired: ReadonlyArray<EntrySnapshot<K>>
  readonly lookups: ReadonlyArray<{
    readonly key: K
    readonly callers: number
    readonly phase: "waiting for room" | "running"
    readonly runningMillis: number
  }>
  /** Loads that do not stop. */
  readonly abandoned: ReadonlyArray<AbandonedLookup>
}

/** What a cache has counted so far, and what it counts now. */
export interface CacheStats extends CacheCounters, CacheCounts {}

interface Common<in out K, out A, out E> {
  readonly name: string
  /**
   * Loads the key again, from now on: a load that runs already is waited for and followed by another, which all callers
   * share that refresh the key meanwhile. The value that is there stays until the new one is, and if the lookup fails,
   * of which this fails, too.
   */
  readonly refresh: (key: K, options?: CallOptions) => Effect.Effect<void, E | CacheError>
  /** Later callers get neither the current value nor that of a load under way. Tells whether there was either. */
  readonly invalidate: (key: K) => Effect.Effect<boolean>
  /**
   * The same for every value that is meant; gives how many there were. What is being looked up, and failures that are
   * kept, may be meant for all one knows: it is the same for these, which are not counted.
   */
  readonly invalidateWhere: (isMeant: (key: K, value: A) => boolean) => Effect.Effect<number>
  readonly invalidateAll: Effect.Effect<number>
  /** Of the current entries, kept failures included, in no order. */
  readonly keys: Effect.Effect<ReadonlyArray<K>>
  readonly stats: Effect.Effect<CacheStats>
  readonly snapshot: Effect.Effect<CacheSnapshot<K>>
  /** What happens from now on. A listener that is slow loses the oldest of 1,024 events. */
  readonly events: Stream.Stream<CacheEvent>
  /**
   * Ends the cache, as the closing of its scope does: unused values are released, used ones are waited for and,
   * shortly before the deadline, released all the same. The deadline is no later than that of the scope that the cache
   * ends with, or of a process that shuts down. Every caller gets the same report; a caller that uses a value
   * meanwhile is not waited for.
   */
  readonly close: Effect.Effect<CacheReport>
}

/** A cache of `A` by `K`, the lookup of which fails with `E`. Keys are compared by `Equal`. */
export interface ResourceCache<in out K, in out A, out E = never> extends Common<K, A, E> {
  /** The key's value for as long as the scope is open; looked up if it is not there. */
  readonly get: (key: K, options?: CallOptions) => Effect.Effect<A, E | CacheError, Scope.Scope>
  /**
   * The values of several keys, in their order, for as long as the scope is open. What is not there is looked up in one
   * go: by `lookupAll`, or with the requests of their lookups as one batch. Fails as the first of them in order does;
   * what is there by then stays in use until the scope closes.
   */
  readonly getAll: (keys: Iterable<K>, options?: CallOptions) => Effect.Effect<Array<A>, E | CacheError, Scope.Scope>
  /** The key's value for the callback: the fast way. */
  readonly use: <B, E2, R2>(
    key: K,
    f: (value: A) => Effect.Effect<B, E2, R2>,
    options?: CallOptions
  ) => Effect.Effect<B, E | E2 | CacheError, R2>
  /** As `get`, where the value is there. */
  readonly getIfPresent: (key: K) => Effect.Effect<Option.Option<A>, never, Scope.Scope>
  /**
   * As `getIfPresent`, but nothing follows from it: it is no use to the policy or to `timeToIdle`, neither hit nor
   * miss, and loads nothing again. While the scope is open the value is not released.
   */
  readonly peek: (key: K) => Effect.Effect<Option.Option<A>, never, Scope.Scope>
  /** All values that are there, as by `peek`. */
  readonly values: Effect.Effect<Array<A>, never, Scope.Scope>
  /**
   * Makes a value the key's, which the cache releases from now on, even if it is closed. Waits for no room. An object
   * that the cache has had before is not taken again, unless it is the key's at this moment: the cache releases it, or
   * has released it, for its earlier entry. The log says so.
   */
  readonly set: (key: K, value: A) => Effect.Effect<void, CacheError>
}

/** A cache of values that need no release. */
export interface PlainCache<in out K, in out A, out E = never> extends Common<K, A, E> {
  /** The key's value; looked up if it is not there. */
  readonly get: (key: K, options?: CallOptions) => Effect.Effect<A, E | CacheError>
  /**
   * The values of several keys, in their order. What is not there is looked up in one go: by `lookupAll`, or with the
   * requests of their lookups as one batch. Fails as the first of them in order does.
   */
  readonly getAll: (keys: Iterable<K>, options?: CallOptions) => Effect.Effect<Array<A>, E | CacheError>
  /** The key's value for the callback, as of any cache; but no use is counted, as nothing is released. */
  readonly use: <B, E2, R2>(
    key: K,
    f: (value: A) => Effect.Effect<B, E2, R2>,
    options?: CallOptions
  ) => Effect.Effect<B, E | E2 | CacheError, R2>
  readonly getIfPresent: (key: K) => Effect.Effect<Option.Option<A>>
  /** As `getIfPresent`, but nothing follows from it: no use, neither hit nor miss, nothing is loaded again. */
  readonly peek: (key: K) => Effect.Effect<Option.Option<A>>
  /** All values that are there, as by `peek`. */
  readonly values: Effect.Effect<Array<A>>
  readonly set: (key: K, value: A) => Effect.Effect<void, CacheError>
}
