/** Makes caches: options checked, everything that their functions need provided, and what their users see of them. */
import { PatinoxError } from "@patinox/core"
import { leftMillis, limitsItself, makeTimers, readOptions, UserFunction } from "@patinox/core/kernel"
import { Array as Arr, type Context, Deferred, Effect, Exit, Option, Scope } from "effect"
import type { CacheOptions, CacheSnapshot, PlainCache, PlainOptions, ResourceCache } from "../ResourceCache.js"
import { abandonedOf } from "./AbandonedLookup.js"
import { Cache, type CallOptions, type Manager } from "./Cache.js"
import { CacheClose } from "./CacheClose.js"
import { type CacheSettings, checkFunctions, makePolicy, type ReleaseSettings, resolve } from "./CacheOptions.js"
import * as Seam from "./Seam.js"
import type { CacheEntry } from "./state/CacheEntry.js"

type Given<K, A, E> = CacheOptions<K, A, E, any, any, any, any, any> | PlainOptions<K, A, E, any, any>

const prepare = <K, A, E>(
  lookup: (key: K) => Effect.Effect<A, E, any>,
  options: Given<K, A, E>,
  name: string,
  isPlain: boolean
): Effect.Effect<Cache<K, A, E>, PatinoxError.Validation, any> =>
  Effect.gen(function*() {
    // Read once, as a getter may throw, or answer otherwise the next time.
    const given = readOptions(() => ({ ...options }))
    if (given instanceof PatinoxError.Validation) return yield* Effect.fail(given)
    const wrong = checkFunctions({ ...given, lookup })
    if (wrong !== undefined) return yield* Effect.fail(wrong)
    const timeToIdle = typeof given.timeToIdle === "function" ? undefined : given.timeToIdle
    const resolved = resolve({ ...given, timeToIdle } as CacheSettings & ReleaseSettings, name)
    if (resolved instanceof PatinoxError.Validation) return yield* Effect.fail(resolved)
    const policy = makePolicy(resolved)
    if (policy instanceof PatinoxError.Validation) return yield* Effect.fail(policy)
    const runtime = Seam.runtimeOf(yield* Effect.runtime<any>())
    const random = yield* Effect.randomWith(Effect.succeed)
    const { lookupAll } = given
    const { recovery, release } = given as CacheOptions<K, A, E, any, any, any, any, any>
    const own = <Args extends ReadonlyArray<unknown>>(
      f: ((...args: Args) => Effect.Effect<unknown, unknown, any>) | undefined
    ) =>
      // What it opens for its own sake is closed at its end, and not with the scope that the cache was made in.
      f && ((...args: Args) =>
        Effect.provide(Effect.scoped(UserFunction.effect(() => f(...args))), runtime.context) as Effect.Effect<
          unknown,
          unknown
        >)
    const manager = {
      lookup: (key: K, found: (value: A) => void) => {
        // Not `map`, which takes one step more.
        const noted = Effect.flatMap(lookup(key), (value) => {
          found(value)
          return Effect.succeed(value)
        })
        // A value has a scope of its own, whatever scope there is where the cache is made.
        return isPlain ? noted : Seam.provideAround(noted, runtime)
      },
      lookupAll: lookupAll && ((keys: ReadonlyArray<K>) => {
        const values = UserFunction.effect(() => lookupAll(keys))
        return isPlain ? values : Seam.provideAround(values, runtime)
      }),
      release: own(release),
      recovery: recovery?.fallback === undefined ? recovery : { ...recovery, fallback: own(recovery.fallback) },
      onRemoval: own(given.onRemoval),
      weigher: given.weigher,
      timeToLive: given.timeToLive,
      timeToIdle: given.timeToIdle
    } as Manager<K, A, E>
    // Values that need no release need no room, either, until they are there.
    return new Cache(isPlain ? { ...resolved, whenFull: "exceed" } : resolved, manager, {
      policy,
      timers: yield* makeTimers,
      // Guards leave nothing in their scope when they go.
      runtime: isPlain ? runtime : Seam.withScope(runtime, yield* Scope.make()),
      random: () => UserFunction.call(() => Effect.runSync(random.next), () => 0),
      isPlain
    })
  })

/** It ends when the scope at hand closes. */
const closing = <K, A, E>(cache: Cache<K, A, E>) => {
  let started: CacheClose | undefined
  const start = (): CacheClose => {
    if (started !== undefined) return started
    started = new CacheClose(cache)
    started.start()
    return started
  }
  cache.onRegistryClosed = start
  /** With its scope it has no more time than that, or than the process that shuts down. */
  return (isWithScope: boolean) =>
    Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) => {
        const closing = start()
        if (isWithScope) closing.hasten(leftMillis(fiber, cache.runtime.context as Context.Context<never>))
        closing.join(fiber)
        return restore(Deferred.await(closing.report))
      })
    )
}

/** With what the closer's fiber has, as it may be one of the cache's own; in its own time limit and that of the scope. */
const endingWith = (close: Effect.Effect<unknown>) =>
  Effect.flatMap(
    Effect.scope,
    (scope) => Scope.addFinalizerExit(scope, limitsItself(() => Effect.uninterruptible(close)))
  )

const entryOf = <K, A, E>(
  cache: Cache<K, A, E>,
  entry: CacheEntry<K, A, E>,
  now: number
): CacheSnapshot<K>["entries"][number] => ({
  key: entry.key,
  ageMillis: now - entry.writtenAt,
  weight: entry.weight,
  isFailure: Exit.isFailure(entry.exit),
  ...(entry.expiresAt === Infinity ? undefined : { expiresInMillis: entry.expiresAt - now }),
  ...(entry.held?.guard === undefined ? undefined : { id: entry.held.guard.id }),
  users: (entry.held?.holds() ?? []).map(({ fiber, since }) => {
    const span = Seam.spanOf(fiber)
    return {
      fiberId: `#${Seam.fiberNumber(fiber)}`,
      heldMillis: now - since,
      ...(span?._tag === "Span" ? { spanName: span.name } : undefined)
    }
  })
})

/** What both kinds of caches have. */
const commonOf = <K, A, E>(cache: Cache<K, A, E>, end: ReturnType<typeof closing>) => {
  const { metrics, options, state, reporter, timers } = cache
  return {
    name: options.name,
    refresh: (key: K, options?: CallOptions) => cache.refresh(key, options),
    invalidate: (key: K) => Effect.sync(() => cache.invalidate(key)),
    invalidateWhere: (isMeant: (key: K, value: A) => boolean) =>
      UserFunction.effect(() => Effect.succeed(cache.invalidateWhere(isMeant))),
    invalidateAll: Effect.sync(() => cache.invalidateAll()),
    keys: Effect.sync(() => state.entries.all().map(({ key }) => key)),
    stats: Effect.sync(() => ({ ...metrics.counters, ...cache.counts() })),
    snapshot: Effect.sync(() => {
      const now = timers.now()
      const lookups = [...state.loads.running, ...state.loads.queued]
      return {
        name: options.name,
        state: state.isOpen ? "open" as const : "closed" as const,
        ...metrics.counters,
        counts: cache.counts(),
        entries: state.entries.all().map((entry) => entryOf(cache, entry, now)),
        retired: [...state.entries.retired].map((entry) => entryOf(cache, entry, now)),
        lookups: lookups.map(({ callers, key, phase, startedAt }) => ({
          key,
          callers: callers.size,
          phase: phase === "queued" ? "waiting for room" as const : "running" as const,
          runningMillis: phase === "queued" ? 0 : now - startedAt
        })),
        abandoned: [...state.loads.abandoned].map((attempt) => abandonedOf(attempt, now))
      }
    }),
    events: reporter.stream,
    close: end(false)
  }
}

const valuesOf = <K, A, E>(entries: ReadonlyArray<CacheEntry<K, A, E>>): Array<A> =>
  entries.map(({ exit }) => (exit as Exit.Success<A, E>).value)

/** A value given by hand, registered in a fiber that belongs to nobody. A closed cache, too, has to release it. */
const setting = <K, A, E>(cache: Cache<K, A, E>, key: K, value: A) =>
  Effect.suspend(() => {
    const done = Seam.makeDeferred<Exit.Exit<boolean>>()
    Seam.forkLater(
      cache.runtime,
      Effect.flatMap(cache.lookups.set(key, value), (exit) => Deferred.succeed(done, exit))
    )
    return Effect.flatMap(
      Effect.flatten(Deferred.await(done)),
      (isTaken) => isTaken ? Effect.void : Effect.fail(cache.closed())
    )
  })

export const makeCache = <K, A, E>(
  lookup: (key: K) => Effect.Effect<A, E, any>,
  given: CacheOptions<K, A, E, any, any, any, any, any>,
  name: string
): Effect.Effect<ResourceCache<K, A, E>, PatinoxError.Validation, any> =>
  Effect.uninterruptible(Effect.flatMap(prepare(lookup, given, name, false), (cache) => {
    const end = closing(cache)
    const made: ResourceCache<K, A, E> = {
      ...commonOf(cache, end),
      get: cache.get,
      getAll: (keys, options) => cache.getAll(keys, options),
      use: (key, f, options) => cache.use(key, f, options),
      peek: (key) => Effect.map(cache.peek([key]), Arr.head),
      values: cache.peek(),
      getIfPresent: (key) =>
        Effect.flatMap(
          cache.getIfPresent(key),
          (exit) => exit === undefined || Exit.isFailure(exit) ? Effect.succeedNone : Effect.succeedSome(exit.value)
        ),
      set: (key, value) => setting(cache, key, value)
    }
    return Effect.as(endingWith(end(true)), made)
  }))

export const makePlain = <K, A, E>(
  lookup: (key: K) => Effect.Effect<A, E, any>,
  given: PlainOptions<K, A, E, any, any>,
  name: string
): Effect.Effect<PlainCache<K, A, E>, PatinoxError.Validation, any> =>
  Effect.uninterruptible(Effect.flatMap(prepare(lookup, given, name, true), (cache) => {
    const end = closing(cache)
    const made: PlainCache<K, A, E> = {
      ...commonOf(cache, end),
      get: cache.getPlain,
      getAll: (keys, options) => cache.getAllPlain(keys, options),
      use: (key, f, options) =>
        Effect.flatMap(cache.getPlain(key, options), (value) => UserFunction.effectOf(f, value, undefined)),
      peek: (key) => Effect.sync(() => Arr.head(valuesOf(cache.fit([key])))),
      values: Effect.sync(() => valuesOf(cache.fit())),
      getIfPresent: (key) =>
        Effect.sync(() => {
          const exit = cache.present(key)?.exit
          return exit === undefined || Exit.isFailure(exit) ? Option.none() : Option.some(exit.value)
        }),
      set: (key, value) => setting(cache, key, value)
    }
    return Effect.as(endingWith(end(true)), made)
  }))
