/**
 * Values looked up once by key and shared by many, which have to be released in the end: connections to tenants, open
 * files, prepared statements, tokens. A value is never released while it is in use, and always afterwards, through
 * the registry. `plain` is for values that need no release. Not for handing one item to one user at a time
 * (`@patinox/pool`).
 *
 * The ideas are Caffeine's (policies, expiry, refreshing, statistics) and those of Effect's `ScopedCache` and `RcMap`.
 */
import type { PatinoxError, ResourceRegistry } from "@patinox/core"
import { type Context, type Effect, Layer, type Scope } from "effect"
import type { CacheOptions, PlainOptions } from "./internal/CacheOptions.js"
import type { PlainCache, ResourceCache } from "./internal/CacheTypes.js"
import { makeCache, makePlain } from "./internal/makeCache.js"

export type { AbandonedLookup } from "./internal/AbandonedLookup.js"
export type { CacheCounters } from "./internal/CacheMetrics.js"
export type {
  CacheOptions,
  CacheSettings,
  CallOptions,
  PlainOptions,
  ReleaseSettings,
  Removal
} from "./internal/CacheOptions.js"
export type { CacheReport } from "./internal/CacheReport.js"
export type {
  CacheSnapshot,
  CacheStats,
  EntrySnapshot,
  PlainCache,
  ResourceCache,
  User
} from "./internal/CacheTypes.js"
export type { RemovalReason } from "./internal/state/Vocabulary.js"

type Made<K, A, E, R> = Effect.Effect<ResourceCache<K, A, E>, PatinoxError.Validation, R>
type Env<R> = Exclude<R, Scope.Scope> | Scope.Scope | ResourceRegistry.ResourceRegistry

/**
 * A cache that lives as long as the scope at hand, and is closed when that closes. `lookup` may be a scoped effect:
 * what it adds to its scope is released with the value. At any time there is one load of a key, which all its callers
 * share; a caller that gives up leaves it to the others, and the last one ends it: by interruption, at once or, with a
 * `release`, if it has not ended by itself in the time of one. A bad option fails with a `Validation` that names the
 * option, the value and the range.
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
 * A cache of values that need no release, without a count of their users: a value that is there costs next to nothing.
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
