/** Makes caches: options checked, everything that their functions need provided, and what their users see of them. */
import { PatinoxError } from "@patinox/core"
import {
  type AppRuntime,
  fiberNumber,
  leftMillis,
  limitsItself,
  makeTimers,
  nextRandom,
  readOptions,
  servicesOf,
  spanOf,
  UserFunction,
  withFiber,
  withoutSpan,
  withScope
} from "@patinox/core/kernel"
import { Array as Arr, type Context, Deferred, Effect, Exit, Option, Scope } from "effect"
import { abandonedOf } from "./AbandonedLookup.js"
import { Cache } from "./Cache.js"
import { CacheClose } from "./CacheClose.js"
import type { Env } from "./CacheContext.js"
import { type Given, makeManager } from "./CacheManager.js"
import { CacheMetrics } from "./CacheMetrics.js"
import {
  type CacheOptions,
  type CacheSettings,
  type CallOptions,
  checkFunctions,
  makePolicy,
  type PlainOptions,
  type ReleaseSettings,
  resolve
} from "./CacheOptions.js"
import { assemble, type CacheParts } from "./CacheParts.js"
import { CacheReporter } from "./CacheReporter.js"
import type { CacheSnapshot, PlainCache, ResourceCache } from "./CacheTypes.js"
import type { CacheEntry } from "./state/CacheEntry.js"
import type { LoadPhase } from "./state/Vocabulary.js"

const prepare = <K, A, E>(
  lookup: (key: K) => Effect.Effect<A, E, any>,
  options: Given<K, A, E>,
  name: string,
  isPlain: boolean
): Effect.Effect<CacheParts<K, A, E>, PatinoxError.Validation, any> =>
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
    const around: AppRuntime<any> = withoutSpan(yield* Effect.runtime<any>())
    const random = yield* Effect.randomWith(Effect.succeed)
    const timers = yield* makeTimers
    // Guards leave nothing in their scope when they go.
    const runtime: AppRuntime<Env> = isPlain ? around : withScope(around, yield* Scope.make())
    const context = {
      // Values that need no release need no room, either, until they are there.
      options: isPlain ? { ...resolved, whenFull: "exceed" as const } : resolved,
      manager: makeManager(lookup, given, { runtime: around, isPlain }),
      timers,
      runtime,
      reporter: new CacheReporter(resolved.name, runtime as AppRuntime<never>, timers),
      metrics: new CacheMetrics(resolved.name),
      isPlain
    }
    return assemble(context, {
      policy,
      random: () => nextRandom(random)
    })
  })

/** It ends when the scope at hand closes. */
const closing = <K, A, E>(parts: CacheParts<K, A, E>) => {
  const { context: { runtime }, refusals, registrar, state } = parts
  let started: CacheClose | undefined
  const start = (): CacheClose => {
    if (started !== undefined) return started
    started = new CacheClose(parts)
    started.start()
    return started
  }
  registrar.onRefused = () => {
    if (!state.isOpen) return
    refusals.registryClosed()
    start()
  }
  /** With its scope it has no more time than that, or than the process that shuts down. */
  return (isWithScope: boolean) =>
    Effect.uninterruptibleMask((restore) =>
      withFiber((fiber) => {
        const closing = start()
        if (isWithScope) closing.hasten(leftMillis(fiber, servicesOf(runtime) as Context.Context<never>))
        closing.join(fiber)
        return restore(Deferred.await(closing.report))
      })
    )
}

/**
 * With what the closer's fiber has, as it may be one of the cache's own; in its own time limit and that of the scope.
 */
const endingWith = (close: Effect.Effect<unknown>) =>
  Effect.flatMap(
    Effect.scope,
    (scope) => Scope.addFinalizerExit(scope, limitsItself(() => Effect.uninterruptible(close)))
  )

const snapshotOf = <K, A, E>(
  entry: CacheEntry<K, A, E>,
  now: number
): CacheSnapshot<K>["entries"][number] => ({
  key: entry.key,
  ageMillis: now - entry.writtenAt,
  weight: entry.weight,
  isFailure: Exit.isFailure(entry.exit),
  ...(entry.expiresAt === Infinity ? undefined : { expiresInMillis: entry.expiresAt - now }),
  ...(entry.lease?.guard === undefined ? undefined : { id: entry.lease.guard.id }),
  users: (entry.lease?.borrows() ?? []).map(({ fiber, since }) => {
    const span = spanOf(fiber)
    return {
      fiberId: `#${fiberNumber(fiber)}`,
      heldMillis: now - since,
      ...(span?._tag === "Span" ? { spanName: span.name } : undefined)
    }
  })
})

const shownPhases: { readonly [Phase in LoadPhase]: CacheSnapshot<unknown>["lookups"][number]["phase"] } = {
  behind: "running",
  queued: "waiting for room",
  running: "running",
  aborted: "running",
  over: "running"
}

/** What both kinds of caches have. */
const commonOf = <K, A, E>(
  { context: { metrics, options, reporter, timers }, given, refusals, state }: CacheParts<K, A, E>,
  cache: Cache<K, A, E>,
  end: ReturnType<typeof closing>
) => {
  return {
    name: options.name,
    refresh: (key: K, options?: CallOptions) => cache.refresh(key, options),
    invalidate: (key: K) => Effect.sync(() => cache.invalidate(key)),
    invalidateWhere: (isMeant: (key: K, value: A) => boolean) =>
      UserFunction.effect(() => Effect.succeed(cache.invalidateWhere(isMeant))),
    invalidateAll: Effect.sync(() => cache.invalidateAll()),
    keys: Effect.sync(() => state.entries.all().map(({ key }) => key)),
    stats: Effect.sync(() => ({ ...metrics.counters, ...refusals.counts() })),
    snapshot: Effect.sync(() => {
      const now = timers.now()
      const lookups = [...state.loads.running, ...state.loads.queued]
      return {
        name: options.name,
        state: state.isOpen ? "open" as const : "closed" as const,
        ...metrics.counters,
        counts: refusals.counts(),
        entries: state.entries.all().map((entry) => snapshotOf(entry, now)),
        retired: [...state.entries.retired].map((entry) => snapshotOf(entry, now)),
        lookups: lookups.map(({ callers, key, phase, startedAt }) => ({
          key,
          callers: callers.size,
          phase: shownPhases[phase],
          runningMillis: phase === "queued" ? 0 : now - startedAt
        })),
        abandoned: [...state.loads.abandoned].map((attempt) => abandonedOf(attempt, now))
      }
    }),
    set: (key: K, value: A) => given.set(key, value),
    events: reporter.stream,
    close: end(false)
  }
}

const valuesOf = <K, A, E>(entries: ReadonlyArray<CacheEntry<K, A, E>>): Array<A> =>
  entries.map(({ exit }) => (exit as Exit.Success<A, E>).value)

export const makeCache = <K, A, E>(
  lookup: (key: K) => Effect.Effect<A, E, any>,
  given: CacheOptions<K, A, E, any, any, any, any, any>,
  name: string
): Effect.Effect<ResourceCache<K, A, E>, PatinoxError.Validation, any> =>
  Effect.uninterruptible(Effect.flatMap(prepare(lookup, given, name, false), (parts) => {
    const cache = new Cache(parts)
    const end = closing(parts)
    const made: ResourceCache<K, A, E> = {
      ...commonOf(parts, cache, end),
      get: cache.get,
      getAll: (keys, options) => cache.getAll(keys, options),
      use: (key, f, options) => cache.use(key, f, options),
      peek: (key) => Effect.map(cache.peek([key]), Arr.head),
      values: cache.peek(),
      getIfPresent: (key) =>
        Effect.flatMap(
          cache.getIfPresent(key),
          (exit) => exit === undefined || Exit.isFailure(exit) ? Effect.succeedNone : Effect.succeedSome(exit.value)
        )
    }
    return Effect.as(endingWith(end(true)), made)
  }))

export const makePlain = <K, A, E>(
  lookup: (key: K) => Effect.Effect<A, E, any>,
  given: PlainOptions<K, A, E, any, any>,
  name: string
): Effect.Effect<PlainCache<K, A, E>, PatinoxError.Validation, any> =>
  Effect.uninterruptible(Effect.flatMap(prepare(lookup, given, name, true), (parts) => {
    const cache = new Cache(parts)
    const end = closing(parts)
    const made: PlainCache<K, A, E> = {
      ...commonOf(parts, cache, end),
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
        })
    }
    return Effect.as(endingWith(end(true)), made)
  }))
