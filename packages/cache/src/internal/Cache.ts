/**
 * A cache as it runs: the decisions of `CacheState` carried out. A hit is synchronous; who finds nothing waits as a
 * `Requester`; lookups and releases run in fibers of their own (`Loader`, `Releaser`), off everybody's path.
 */
import { PatinoxError, type RecoveryPolicy, type ResourceRegistry } from "@patinox/core"
import { checkDuration, closedExit, enter, readOptions, type Timers, UserFunction } from "@patinox/core/kernel"
import { Array as Arr, Cause, Duration, Effect, Exit, Scope } from "effect"
import * as CacheError from "../CacheError.js"
import type { PolicyState } from "../CachePolicy.js"
import { CacheMetrics } from "./CacheMetrics.js"
import type { ResolvedCache } from "./CacheOptions.js"
import { CacheReporter, named } from "./CacheReporter.js"
import { Borrow, type Lease } from "./Lease.js"
import { Loader } from "./Loader.js"
import { guarded } from "./policy/GuardedPolicy.js"
import { Releaser } from "./Releaser.js"
import { Requester } from "./Requester.js"
import * as Seam from "./Seam.js"
import type { CacheEntry, RemovalReason } from "./state/CacheEntry.js"
import { CacheState } from "./state/CacheState.js"

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** A value that has left the cache. */
export interface Removal<out K, out A> {
  readonly key: K
  readonly value: A
  readonly reason: RemovalReason
}

/** What a cache does with its keys and values, with everything that it needs provided. */
export interface Manager<K, A, E> {
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

/** Of a single call. */
export interface CallOptions {
  /** How long this call waits, for room and for the lookup: a duration above 0. Default: the cache's `acquireTimeout`. */
  readonly acquireTimeout?: Duration.DurationInput
}

export interface CacheParts {
  readonly timers: Timers
  readonly runtime: Seam.CacheRuntime<ResourceRegistry.ResourceRegistry | Scope.Scope>
  /** As the options' policy has made it. */
  readonly policy: PolicyState
  /** From 0 to 1. */
  readonly random: () => number
  /** Values are not released, and so not counted as in use. */
  readonly isPlain: boolean
}

/** How a caller that finds nothing goes on. */
interface Asking {
  readonly fiber: Seam.CurrentFiber
  readonly now: number
  readonly restore: Restore
  readonly options: CallOptions | undefined
  readonly takesOld?: boolean
}

/** One of several that somebody asks for: either it is got, inside an uninterruptible region, or it is cancelled. */
interface Wanted<A, E, R> {
  readonly got: Effect.Effect<A, E, R>
  readonly cancel: () => void
}

export class Cache<K, A, E> {
  readonly state: CacheState<K, A, E>
  readonly metrics: CacheMetrics
  readonly reporter: CacheReporter
  readonly lookups: Loader<K, A, E>
  readonly releases: Releaser<K, A, E>
  readonly timers: Timers
  readonly runtime: CacheParts["runtime"]
  readonly isPlain: boolean
  /** Those that wait for the counts to change. */
  readonly onSettled = new Set<() => void>()
  onRegistryClosed: () => void = () => {}
  private whyClosed: CacheError.CacheClosed["reason"] = "closed"

  constructor(
    readonly options: ResolvedCache,
    readonly manager: Manager<K, A, E>,
    { isPlain, policy, random, runtime, timers }: CacheParts
  ) {
    this.timers = timers
    this.runtime = runtime
    this.isPlain = isPlain
    this.metrics = new CacheMetrics(options.name)
    this.reporter = new CacheReporter(options.name, runtime as Seam.CacheRuntime<never>, timers)
    this.lookups = new Loader(this, random)
    this.releases = new Releaser(this)
    this.state = new CacheState<K, A, E>(
      {
        load: (loading) => this.lookups.start(loading),
        abort: (loading) => this.lookups.abort(loading),
        removed: (entry, reason) => this.removed(entry, reason),
        release: (entry) => this.releases.start(entry),
        dueAt: (entry, at) => timers.set(entry, at),
        now: () => timers.now(),
        notifyWaiters: () => {
          for (const look of this.onSettled) look()
        }
      },
      options,
      {
        canExpire: manager.timeToLive !== undefined,
        agesIdle: typeof manager.timeToIdle === "function" || options.timeToIdle < Infinity,
        policy: guarded(policy, options, (defect) => this.reporter.policyFailed(options.policy.name, defect))
      }
    )
  }

  /** The timer of a entry. */
  due(entry: CacheEntry<K, A, E>): void {
    this.state.due(entry)
    this.updateGauges()
  }

  // --- asking --------------------------------------------------------------------------------------------------------

  use<B, E2, R2>(
    key: K,
    f: (value: A) => Effect.Effect<B, E2, R2>,
    options?: CallOptions
  ): Effect.Effect<B, E | E2 | CacheError.CacheError, R2> {
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) => {
        const now = this.timers.now()
        const entry = this.state.take(key, now, fiber)
        if (entry !== undefined) {
          this.metrics.hit()
          return this.using(entry, fiber, now, f, restore)
        }
        return this.ask(key, { fiber, now, restore, options }, (entry) =>
          this.using(entry, fiber, this.timers.now(), f, restore))
      })
    )
  }

  private ask<B, E2, R2>(
    key: K,
    asking: Asking,
    then: (entry: CacheEntry<K, A, E>) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2 | CacheError.CacheError, R2> {
    return this.callerOf(key, asking, then).start(asking.now)
  }

  private callerOf<B, E2, R2>(
    key: K,
    { fiber, options, restore, takesOld = true }: Asking,
    then: (entry: CacheEntry<K, A, E>) => Effect.Effect<B, E2, R2>
  ): Requester<K, A, E, B, E2, R2> {
    return new Requester(this, { key, fiber, limit: this.limitOf(options), takesOld, restore, then })
  }

  /** A bad one is a mistake of the program, and ends it with the `Validation`. */
  private limitOf(options: CallOptions | undefined): number {
    if (options === undefined) return this.options.acquireTimeout
    const checked = readOptions(() => {
      const { acquireTimeout } = options
      return acquireTimeout === undefined
        ? this.options.acquireTimeout
        : checkDuration("acquireTimeout", acquireTimeout)
    })
    if (checked instanceof PatinoxError.Validation) throw checked
    return checked
  }

  private using<B, E2, R2>(
    entry: CacheEntry<K, A, E>,
    fiber: Seam.CurrentFiber,
    now: number,
    f: (value: A) => Effect.Effect<B, E2, R2>,
    restore: Restore
  ): Effect.Effect<B, E | E2, R2> {
    const { held } = entry
    if (held === undefined || held.isSpoiled) return this.failure(entry)
    const hold = this.hold(held, fiber, now)
    hold.inside = enter(fiber, hold)
    // One step less than `Effect.exit` and what follows it.
    return Effect.matchCauseEffect(restore(Effect.suspend(() => UserFunction.effectOf(f, held.value, undefined))), {
      onFailure: (cause) => {
        this.letGo(entry, hold)
        return Effect.failCause(cause)
      },
      onSuccess: (value) => {
        this.letGo(entry, hold)
        return Effect.succeed(value)
      }
    })
  }

  /** For as long as the scope at hand is open. */
  readonly get = (key: K, options?: CallOptions): Effect.Effect<A, E | CacheError.CacheError, Scope.Scope> =>
    Seam.withFiber((fiber) => {
      const scope = Seam.scopeOf(fiber)
      const finalizers = Seam.finalizersOf(scope)
      if (finalizers === undefined) return this.getBound(key, options)
      const now = this.timers.now()
      const entry = this.state.take(key, now, fiber)
      if (entry === undefined) return this.getBound(key, options)
      this.metrics.hit()
      const { held } = entry
      if (held === undefined || held.isSpoiled) return this.failure(entry)
      // All in one step, in which nothing can be interrupted.
      const hold = this.hold(held, fiber, now)
      finalizers.set({}, this.lettingGo(entry, hold, scope))
      return Effect.succeed(held.value)
    })

  private getBound(key: K, options?: CallOptions): Effect.Effect<A, E | CacheError.CacheError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) => this.getNow(key, { fiber, now: this.timers.now(), restore, options }).got)
    )
  }

  private getNow(key: K, asking: Asking): Wanted<A, E | CacheError.CacheError, Scope.Scope> {
    const { fiber, now } = asking
    const entry = this.state.take(key, now, fiber)
    const wasOpen = closedExit(Seam.scopeOf(fiber)) === undefined
    if (entry === undefined) {
      return this.wanted(key, asking, (entry) => this.keep(entry, fiber, this.timers.now(), { wasOpen }))
    }
    this.metrics.hit()
    return {
      got: Effect.suspend(() => this.keep(entry, fiber, now, { wasOpen })),
      cancel: () => this.state.leave(entry)
    }
  }

  private wanted<R>(
    key: K,
    asking: Asking,
    then: (entry: CacheEntry<K, A, E>) => Effect.Effect<A, E, R>
  ): Wanted<A, E | CacheError.CacheError, R> {
    const caller = this.callerOf(key, asking, then)
    return { got: caller.start(asking.now), cancel: () => caller.cancel() }
  }

  /** All are asked for at once, and waited for one by one. Whoever fails leaves the rest. */
  getAll(keys: Iterable<K>, options?: CallOptions): Effect.Effect<Array<A>, E | CacheError.CacheError, Scope.Scope> {
    return this.all(keys, options, (key, asking) => this.getNow(key, asking))
  }

  getAllPlain(keys: Iterable<K>, options?: CallOptions): Effect.Effect<Array<A>, E | CacheError.CacheError> {
    return this.all(keys, options, (key, asking) => {
      const entry = this.state.take(key, asking.now, asking.fiber)
      if (entry === undefined) return this.wanted(key, asking, (entry) => entry.exit)
      this.metrics.hit()
      return { got: entry.exit, cancel: () => {} }
    })
  }

  private all<R>(
    keys: Iterable<K>,
    options: CallOptions | undefined,
    getNow: (key: K, asking: Asking) => Wanted<A, E | CacheError.CacheError, R>
  ): Effect.Effect<Array<A>, E | CacheError.CacheError, R> {
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) => {
        this.limitOf(options)
        const asking = { fiber, now: this.timers.now(), restore, options }
        const keyed = UserFunction.call<ReadonlyArray<K> | Effect.Effect<never>>(() => [...keys], UserFunction.dieOf)
        if (Effect.isEffect(keyed)) return keyed
        const left = this.lookups.together(() => keyed.map((key) => getNow(key, asking))).reverse()
        const next: Effect.Effect<A, E | CacheError.CacheError, R> = Effect.suspend(() => left.pop()!.got)
        return Effect.onError(
          Effect.all(keyed.map(() => next)),
          () => Effect.sync(() => left.forEach(({ cancel }) => cancel()))
        )
      })
    )
  }

  /** As `get`, where a good value is there. */
  readonly getIfPresent = (key: K): Effect.Effect<Exit.Exit<A, E> | undefined, never, Scope.Scope> =>
    Effect.uninterruptible(Seam.withFiber((fiber) => {
      const entry = this.present(key)
      return entry === undefined ? Effect.succeed(undefined) : Effect.exit(this.keep(entry, fiber, this.timers.now()))
    }))

  /** A good value that is there, in use. */
  present(key: K): CacheEntry<K, A, E> | undefined {
    const entry = this.state.take(key, this.timers.now(), undefined)
    if (entry === undefined) this.metrics.missed()
    else this.metrics.hit()
    return entry
  }

  /** Values that callers would get, though to look at them is no use: in use all the same, and not to be released. */
  fit(keys?: Iterable<K>): Array<CacheEntry<K, A, E>> {
    const { state, timers } = this
    const now = timers.now()
    const entries = keys === undefined ? state.entries.all() : [...keys].map((key) => state.entries.get(key))
    return entries.filter((entry) =>
      entry !== undefined && entry.held?.isSpoiled !== true && state.entries.isFit(entry, now)
    ) as Array<
      CacheEntry<K, A, E>
    >
  }

  /** For as long as the scope at hand is open, without a use. */
  readonly peek = (keys?: Iterable<K>): Effect.Effect<Array<A>, never, Scope.Scope> =>
    Effect.uninterruptible(Seam.withFiber((fiber) => {
      const now = this.timers.now()
      const entries = this.fit(keys)
      for (const entry of entries) this.state.entries.use(entry)
      return Effect.orDie(Effect.forEach(entries, (entry) => this.keep(entry, fiber, now, { isUse: false })))
    }))

  private keep(
    entry: CacheEntry<K, A, E>,
    fiber: Seam.CurrentFiber,
    now: number,
    { isUse = true, wasOpen = false }: { readonly isUse?: boolean; readonly wasOpen?: boolean } = {}
  ): Effect.Effect<A, E> {
    const { held } = entry
    if (held === undefined || held.isSpoiled) return this.failure(entry)
    const scope = Seam.scopeOf(fiber)
    const hold = this.hold(held, fiber, now)
    return Effect.flatMap(
      Scope.addFinalizerExit(scope, this.lettingGo(entry, hold, scope, isUse)),
      // A scope that has closed meanwhile has let go of it, and it may be released by now.
      () => hold.isOver && wasOpen ? Effect.interrupt : Effect.succeed(held.value)
    )
  }

  /** Done when it is called, and so out of reach of an interruption: a scope hands its closer's interruptibility on. */
  private lettingGo(
    entry: CacheEntry<K, A, E>,
    hold: Borrow,
    scope: Scope.Scope,
    isUse = true
  ): () => Effect.Effect<void> {
    hold.scope = scope
    return () => {
      this.letGo(entry, hold, isUse)
      return Effect.void
    }
  }

  /** One that has a value none the less is put aside. */
  private failure(entry: CacheEntry<K, A, E>): Effect.Effect<never, E> {
    this.state.leave(entry)
    this.updateGauges()
    return entry.exit as Exit.Exit<never, E>
  }

  private hold(held: Lease<A>, fiber: Seam.CurrentFiber, now: number): Borrow {
    const hold = new Borrow(fiber, now)
    held.add(hold)
    this.updateGauges()
    return hold
  }

  private letGo(entry: CacheEntry<K, A, E>, hold: Borrow, isUse = true): void {
    if (hold.isOver) return
    hold.isOver = true
    hold.inside?.end()
    entry.held!.remove(hold)
    this.state.leave(entry, isUse)
    // Who closes the cache may be the only one left that uses it.
    if (!this.state.isOpen) this.state.ports.notifyWaiters()
    this.updateGauges()
  }

  /** The way of a plain cache: a value that is there costs one step. */
  readonly getPlain = (key: K, options?: CallOptions): Effect.Effect<A, E | CacheError.CacheError> =>
    Seam.withFiber((fiber) => {
      const now = this.timers.now()
      const entry = this.state.take(key, now, fiber)
      if (entry !== undefined) {
        this.metrics.hit()
        return entry.exit
      }
      return Effect.uninterruptibleMask((restore) =>
        this.ask(key, { fiber, now, restore, options }, (entry) => entry.exit)
      )
    })

  // --- by hand -------------------------------------------------------------------------------------------------------

  /** Looks the key up anew, whatever is there; that stays until the new value is there, and where there will be none. */
  refresh(key: K, options?: CallOptions): Effect.Effect<void, E | CacheError.CacheError> {
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) => {
        const asking = { fiber, now: this.timers.now(), restore, options, takesOld: false }
        return this.ask(key, asking, (entry): Effect.Effect<void, E> => {
          this.state.leave(entry)
          this.updateGauges()
          return Exit.asVoid(entry.exit)
        })
      })
    )
  }

  invalidate(key: K): boolean {
    const was = this.state.invalidate(key, this.timers.now())
    this.updateGauges()
    return was
  }

  invalidateWhere(isMeant: (key: K, value: A) => boolean): number {
    // A failure cannot be chosen by its value, and the value that there would have been may be meant.
    const [failures, values] = Arr.partition(this.state.entries.all(), ({ exit }) => Exit.isSuccess(exit))
    const meant = values.filter(({ exit, key }) => isMeant(key, (exit as Exit.Success<A, E>).value))
    this.state.invalidateThese([...meant, ...failures], this.timers.now())
    this.updateGauges()
    return meant.length
  }

  invalidateAll(): number {
    const invalidated = this.state.invalidateAll(this.timers.now())
    this.updateGauges()
    return invalidated
  }

  // --- what is told --------------------------------------------------------------------------------------------------

  private removed(entry: CacheEntry<K, A, E>, reason: RemovalReason): void {
    this.metrics.removed(reason)
    this.reporter.emit(() => ({
      _tag: "Removed",
      ...named(entry),
      reason,
      ageMillis: this.timers.now() - entry.writtenAt
    }))
    const { onRemoval } = this.manager
    const { exit, key } = entry
    if (onRemoval === undefined || Exit.isFailure(exit)) return
    // It is not released before the listener has seen it.
    this.state.entries.hear(entry)
    const limit = this.options.releaseTimeout
    const heard = Seam.workingOn(entry, UserFunction.effect(() => onRemoval({ key, value: exit.value, reason }))).pipe(
      Effect.disconnect,
      Effect.interruptible,
      Effect.timeoutFailCause({
        duration: Duration.millis(limit),
        onTimeout: () => Cause.die(new Error(`it took longer than ${limit} ms`))
      })
    )
    Seam.forkLater(
      this.runtime,
      Effect.map(Effect.exit(heard), (exit) => {
        if (Exit.isFailure(exit)) this.reporter.listenerFailed(entry, exit.cause)
        this.state.heard(entry)
        this.updateGauges()
      })
    )
  }

  updateGauges(): void {
    const { cached, inUse, weight } = this.state.occupancy
    this.metrics.count(cached, weight, inUse)
  }

  counts(): CacheError.CacheCounts {
    const { queued, running } = this.state.loads
    const { cached, inUse, releasing, weight } = this.state.occupancy
    return { entries: cached, inUse, loading: running.size, waiting: queued.size, releasing, weight }
  }

  closed(): CacheError.CacheClosed {
    return new CacheError.CacheClosed({ cache: this.options.name, reason: this.whyClosed })
  }

  /** No value can be registered any more. */
  refusedByRegistry(): void {
    if (!this.state.isOpen) return
    this.whyClosed = "registry shutting down"
    this.onRegistryClosed()
  }

  full(key: K, isCircle: boolean): CacheError.CacheFull {
    const { name } = this.options
    return new CacheError.CacheFull({
      cache: name,
      key,
      ...(isCircle ? { isCircle } : undefined),
      counts: this.counts()
    })
  }

  timedOut(
    key: K,
    stage: CacheError.CacheStage,
    limitMillis: number,
    counts: CacheError.CacheCounts
  ): CacheError.CacheTimeout {
    const error = new CacheError.CacheTimeout({ cache: this.options.name, key, stage, limitMillis, counts })
    this.reporter.emit(() => ({ _tag: "TimedOut", error }))
    return error
  }
}
