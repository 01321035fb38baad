/** What a cache does with its keys and values: its user's functions, with everything that they need provided. */
import type { RecoveryPolicy } from "@patinox/core"
import { type AppRuntime, provideAround, servicesOf, UserFunction } from "@patinox/core/kernel"
import { type Duration, Effect, type Exit, type Scope } from "effect"
import type { CacheOptions, PlainOptions, Removal } from "./CacheOptions.js"

export interface CacheManager<K, A, E> {
  /** What it gives is `found` in the very step in which it comes, before anything can be interrupted. */
  readonly lookup: (key: K, found: (value: A) => void) => Effect.Effect<A, E, Scope.Scope>
  /** The values of several keys, in their order. */
  readonly lookupAll?: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<A>, E, Scope.Scope>
  readonly release?: (value: A, key: K) => Effect.Effect<unknown, unknown>
  readonly recovery?: RecoveryPolicy.RecoveryPolicy<A, unknown>
  readonly onRemoval?: (removal: Removal<K, A>) => Effect.Effect<unknown, unknown>
  readonly weigher?: (value: A, key: K) => number
  readonly timeToLive?: Duration.DurationInput | ((key: K, exit: Exit.Exit<A, E>) => Duration.DurationInput)
  readonly timeToIdle?: Duration.DurationInput | ((key: K, exit: Exit.Exit<A, E>) => Duration.DurationInput)
}

export type Given<K, A, E> = CacheOptions<K, A, E, any, any, any, any, any> | PlainOptions<K, A, E, any, any>

/** Where the functions run, and whether their values need no release. */
export interface ManagerPlace {
  readonly runtime: AppRuntime<any>
  readonly isPlain: boolean
}

export const makeManager = <K, A, E>(
  lookup: (key: K) => Effect.Effect<A, E, any>,
  given: Given<K, A, E>,
  { isPlain, runtime }: ManagerPlace
): CacheManager<K, A, E> => {
  const { lookupAll } = given
  const { recovery, release } = given as CacheOptions<K, A, E, any, any, any, any, any>
  const scoped = <Args extends ReadonlyArray<unknown>>(
    f: ((...args: Args) => Effect.Effect<unknown, unknown, any>) | undefined
  ) =>
    // What it opens for its own sake is closed at its end, and not with the scope that the cache was made in.
    f && ((...args: Args) =>
      Effect.provide(Effect.scoped(UserFunction.effect(() => f(...args))), servicesOf(runtime)) as Effect.Effect<
        unknown,
        unknown
      >)
  return {
    lookup: (key: K, found: (value: A) => void) => {
      // Not `map`, which takes one step more.
      const noted = Effect.flatMap(lookup(key), (value) => {
        found(value)
        return Effect.succeed(value)
      })
      // A value has a scope of its own, whatever scope there is where the cache is made.
      return isPlain ? noted : provideAround(noted, runtime)
    },
    lookupAll: lookupAll && ((keys: ReadonlyArray<K>) => {
      const values = UserFunction.effect(() => lookupAll(keys))
      return isPlain ? values : provideAround(values, runtime)
    }),
    release: scoped(release),
    recovery: recovery?.fallback === undefined ? recovery : { ...recovery, fallback: scoped(recovery.fallback) },
    onRemoval: scoped(given.onRemoval),
    weigher: given.weigher,
    timeToLive: given.timeToLive,
    timeToIdle: given.timeToIdle
  } as CacheManager<K, A, E>
}
