/**
 * Values looked up once by key and shared by many, which have to be released in the end: connections to tenants, open
 * files, prepared statements, tokens. A value is never released while somebody uses it, and always afterwards, through
 * the registry. `plain` is for values that need no release. Not for handing one item to one user at a time
 * (`@patinox/pool`).
 *
 * The ideas are Caffeine's (policies, expiry, refreshing, statistics) and those of Effect's `ScopedCache` and `RcMap`.
 */
import type { PatinoxError, RecoveryPolicy, ResourceGuard, ResourceId, ResourceRegistry } from "@patinox/core"
import {
  type Context,
  type Duration,
  type Effect,
  type Exit,
  Layer,
  type Option,
  type Scope,
  type Stream
} from "effect"
import type { CacheCounts, CacheError } from "./CacheError.js"
import type { CacheEvent } from "./CacheEvent.js"
import type { AbandonedLookup } from "./internal/AbandonedLookup.js"
import type { CallOptions } from "./internal/Cache.js"
import type { CacheReport } from "./internal/CacheClose.js"
import type { Removal } from "./internal/CacheManager.js"
import type { CacheCounters } from "./internal/CacheMetrics.js"
import type { CacheSettings, ReleaseSettings } from "./internal/CacheOptions.js"
import { makeCache, makePlain } from "./internal/makeCache.js"

export type { AbandonedLookup } from "./internal/AbandonedLookup.js"
export type { CallOptions } from "./internal/Cache.js"
export type { CacheReport } from "./internal/CacheClose.js"
export type { Removal } from "./internal/CacheManager.js"
export type { CacheCounters } from "./internal/CacheMetrics.js"
export type { CacheSettings, ReleaseSettings } from "./internal/CacheOptions.js"
export type { RemovalReason } from "./internal/state/CacheEntry.js"

/** Options of a plain cache: what its functions are told of are keys and values. */
export interface PlainOptions<in K, in out A, in out E = never, out RL = never, out RA = never>
  extends Omit<CacheSettings, "timeToIdle">
{
  /**
   * Looks several keys up in one go, for `getAll`: gives their values in the order of the keys, or fails for all of them.
   * What it adds to its scope is released with the last of its values. Default: one `lookup` for each, side by side.
   */
  readonly lookupAll?: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<A>, E, RA>
  /**
   * A value that nobody has asked for in so long expires: for all values, or for each when it is looked up; above 0.
   * Default: never.
   */
  readonly timeToIdle?: Duration.DurationInput | ((key: K, exit: Exit.Exit<A, E>) => Duration.DurationInput)
  /**
   * How long a value is kept: for all values, above 0; or for each when it is looked up, and then also for failures, where
   * 0 is only for those who wait for it. Default: values for ever, failures not at all.
   */
  readonly timeToLive?: Duration.DurationInput | ((key: K, exit: Exit.Exit<A, E>) => Duration.DurationInput)
  /** What a value weighs, as a number from 0, for `maxWeight`; the registry has it as `sizeBytes`. Default 1. */
  readonly weigher?: (value: A, key: K) => number
  /** Is told of each value that leaves the cache, before its release. What it fails with is logged, and its time limited. */
  readonly onRemoval?: (removal: Removal<K, A>) => Effect.Effect<unknown, unknown, RL>
}

/** Options of a cache. */
export interface CacheOptions<
  in K,
  in out A,
  in out E = never,
  out RR = never,
  out RF = never,
  out RL = never,
  in out ER = unknown,
  out RA = never
> extends PlainOptions<K, A, E, RL, RA>, ReleaseSettings {
  /** Releases a value, after which the scope that it was looked up in closes. It may fail; then the policy is `recovery`. */
  readonly release?: (value: A, key: K) => Effect.Effect<unknown, ER, RR>
  /**
   * What to do when a release fails, the closing of the scope included, or takes too long; put after the release, it knows
   * its error. Default: the registry's.
   */
  readonly recovery?: RecoveryPolicy.RecoveryPolicy<A, NoInfer<ER> | ResourceGuard.FinalizersFailed, RF, RF>
}

/** Somebody who uses a value. */
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
  /** Values out of the cache that somebody still uses. */
  readonly retired: ReadonlyArray<EntrySnapshot<K>>
  readonly lookups: ReadonlyArray<{
    readonly key: K
    readonly callers: number
    readonly phase: "waiting for room" | "running"
    readonly runningMillis: number
  }>
  /** Lookups that were to stop and run on. */
  readonly abandoned: ReadonlyArray<AbandonedLookup>
}

/** What a cache has counted so far, and what there is now. */
export interface CacheStats extends CacheCounters, CacheCounts {}

interface Common<in out K, out A, out E> {
  readonly name: string
  /**
   * Looks the key up anew, from now on: a lookup that runs already is waited for and followed by another, which all share
   * who ask for that meanwhile. The value that is there stays until the new one is, and if the lookup fails, of which
   * this fails, too.
   */
  readonly refresh: (key: K, options?: CallOptions) => Effect.Effect<void, E | CacheError>
  /** Whoever asks from now on does not get what is there or being looked up. Tells whether anything was. */
  readonly invalidate: (key: K) => Effect.Effect<boolean>
  /**
   * The same for every value that is meant; gives how many there were. What is being looked up, and failures that are
   * kept, may be meant for all one knows: it is the same for these, which are not counted.
   */
  readonly invalidateWhere: (isMeant: (key: K, value: A) => boolean) => Effect.Effect<number>
  readonly invalidateAll: Effect.Effect<number>
  /** Of what is there now, kept failures included, in no order. */
  readonly keys: Effect.Effect<ReadonlyArray<K>>
  readonly stats: Effect.Effect<CacheStats>
  readonly snapshot: Effect.Effect<CacheSnapshot<K>>
  /** What happens from now on. A listener that is slow loses the oldest of 1,024 events. */
  readonly events: Stream.Stream<CacheEvent>
  /**
   * Ends the cache, as the closing of its scope does: what nobody uses is released, what is in use is waited for and,
   * shortly before the deadline, released all the same. The deadline is no later than that of the scope that the cache
   * ends with, or of a process that shuts down. Every caller gets the same report; who closes it while using a
   * value is not waited for.
   */
  readonly close: Effect.Effect<CacheReport>
}

/** A cache of `A` by `K`, the lookup of which fails with `E`. Keys are compared by `Equal`. */
export interface ResourceCache<in out K, in out A, out E = never> extends Common<K, A, E> {
  /** The key's value for as long as the scope is open; looked up if it is not there. */
  readonly get: (key: K, options?: CallOptions) => Effect.Effect<A, E | CacheError, Scope.Scope>
  /**
   * The values of several keys, in their order, for as long as the scope is open. What is not there is looked up in one go:
   * by `lookupAll`, or with the requests of their lookups as one batch. Fails as the first of them in order does; what is
   * there by then stays in use until the scope closes.
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
   * As `getIfPresent`, but nothing follows from it: it is no use to the policy or to `timeToIdle`, neither hit nor miss, and
   * looks nothing up anew. While the scope is open the value is not released.
   */
  readonly peek: (key: K) => Effect.Effect<Option.Option<A>, never, Scope.Scope>
  /** All values that are there, as by `peek`. */
  readonly values: Effect.Effect<Array<A>, never, Scope.Scope>
  /**
   * Makes a value the key's, which the cache releases from now on, even if it is closed. Waits for no room. An object that
   * the cache has had before is not taken again, unless it is the key's at this moment: the cache releases it, or has
   * released it, for what it was before. That is told in the log.
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
  /** As `getIfPresent`, but nothing follows from it: no use, neither hit nor miss, nothing is looked up anew. */
  readonly peek: (key: K) => Effect.Effect<Option.Option<A>>
  /** All values that are there, as by `peek`. */
  readonly values: Effect.Effect<Array<A>>
  readonly set: (key: K, value: A) => Effect.Effect<void, CacheError>
}

type Made<K, A, E, R> = Effect.Effect<ResourceCache<K, A, E>, PatinoxError.Validation, R>
type Env<R> = Exclude<R, Scope.Scope> | Scope.Scope | ResourceRegistry.ResourceRegistry

/**
 * A cache that lives as long as the scope at hand, and is closed when that closes. `lookup` may be a scoped effect: what
 * it adds to its scope is released with the value. At any time there is one lookup for a key, which all share who ask for
 * it; who gives up leaves it to the others, and the last one ends it: by interruption, at once or, with a `release`, if it
 * has not ended by itself in the time of one. A bad option fails with a `Validation` that names the option, the value and
 * the range.
 *
 * ```ts
 * import { ResourceRegistry } from "@patinox/core"
 * import { ResourceCache } from "@patinox/cache"
 * import { Effect } from "effect"
 *
 * const log: Array<string> = []
 * const open = (path: string) => Effect.sync(() => {
 *   log.push(`open ${path}`)
 *   return { path, size: path.length }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const files = yield* ResourceCache.make(open, {
 *     maxEntries: 2,
 *     release: (file) => Effect.sync(() => log.push(`close ${file.path}`))
 *   })
 *   const size = (path: string) => files.use(path, (file) => Effect.succeed(file.size))
 *   return yield* Effect.forEach(["a", "bb", "a", "ccc", "a"], size)
 * })
 * const sizes = await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(ResourceRegistry.layer)))
 * console.log(sizes) // => [ 1, 2, 1, 3, 1 ]
 * console.log(log.slice(0, 4)) // => [ 'open a', 'open bb', 'close bb', 'open ccc' ]
 * ```
 */
export const make = <K, A, E, R, RR = never, RF = never, RL = never, ER = unknown, RA = never>(
  lookup: (key: K) => Effect.Effect<A, E, R>,
  options: CacheOptions<K, A, E, RR, RF, RL, ER, RA> = {}
): Made<K, A, E, Env<R | RR | RF | RL | RA>> => makeCache(lookup, options, "cache")

/** As `make`, as a layer; its name is the Tag's key, unless given. */
export const layer = <I, K, A, E, R, RR = never, RF = never, RL = never, ER = unknown, RA = never>(
  tag: Context.Tag<I, ResourceCache<K, A, E>>,
  lookup: (key: K) => Effect.Effect<A, E, R>,
  options: CacheOptions<K, A, E, RR, RF, RL, ER, RA> = {}
): Layer.Layer<
  I,
  PatinoxError.Validation,
  Exclude<R | RR | RF | RL | RA, Scope.Scope> | ResourceRegistry.ResourceRegistry
> => Layer.scoped(tag, makeCache(lookup, options, tag.key)) as Layer.Layer<I, PatinoxError.Validation, any>

/**
 * A cache of values that need no release, without counting who uses them: a value that is there costs next to nothing.
 * Everything else is as in `make`. It needs no registry; what a scoped lookup adds to its scope stays until the cache's
 * scope closes.
 *
 * ```ts
 * import { ResourceCache } from "@patinox/cache"
 * import { Effect } from "effect"
 *
 * let asked = 0
 * const program = Effect.gen(function*() {
 *   const users = yield* ResourceCache.plain((id: number) => Effect.sync(() => ({ id, asked: ++asked })), {
 *     timeToLive: "1 minute"
 *   })
 *   return yield* Effect.forEach([1, 2, 1, 1], (id) => users.get(id), { concurrency: "unbounded" })
 * })
 * const users = await Effect.runPromise(Effect.scoped(program))
 * console.log(users.map(({ id }) => id), asked) // => [ 1, 2, 1, 1 ] 2
 * ```
 */
export const plain = <K, A, E, R, RL = never, RA = never>(
  lookup: (key: K) => Effect.Effect<A, E, R>,
  options: PlainOptions<K, A, E, RL, RA> = {}
): Effect.Effect<PlainCache<K, A, E>, PatinoxError.Validation, Exclude<R | RL | RA, Scope.Scope> | Scope.Scope> =>
  makePlain(lookup, options, "cache")

/** As `plain`, as a layer; its name is the Tag's key, unless given. */
export const layerPlain = <I, K, A, E, R, RL = never, RA = never>(
  tag: Context.Tag<I, PlainCache<K, A, E>>,
  lookup: (key: K) => Effect.Effect<A, E, R>,
  options: PlainOptions<K, A, E, RL, RA> = {}
): Layer.Layer<I, PatinoxError.Validation, Exclude<R | RL | RA, Scope.Scope>> =>
  Layer.scoped(tag, makePlain(lookup, options, tag.key)) as Layer.Layer<I, PatinoxError.Validation, any>
