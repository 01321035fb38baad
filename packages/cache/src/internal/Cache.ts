/**
 * A cache as it runs: the decisions of `CacheState` carried out. A hit is synchronous; who finds nothing waits as a
 * `Caller`; lookups and releases run in fibers of their own (`Lookups`, `Releases`), off everybody's path.
 */
import type { RecoveryPolicy, ResourceRegistry } from "@patinox/core"
import type { Timers } from "@patinox/core/Foundation"
import { Array as Arr, Cause, Duration, Effect, Exit, Scope } from "effect"
import * as CacheError from "../CacheError.js"
import type { PolicyState } from "../CachePolicy.js"
import { CacheMetrics } from "./CacheMetrics.js"
import { CacheState } from "./CacheState.js"
import { Caller } from "./Caller.js"
import { guarded } from "./Eviction.js"
import { type Held, Hold } from "./Held.js"
import { Lookups } from "./Lookups.js"
import type { ResolvedCache } from "./Options.js"
import { Releases } from "./Releases.js"
import * as Seam from "./Seam.js"
import type { RemovalReason, Slot } from "./Slot.js"
import { named, Teller } from "./Teller.js"

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
  readonly release?: (value: A, key: K) => Effect.Effect<unknown, unknown>
  readonly recovery?: RecoveryPolicy.RecoveryPolicy<A, unknown>
  readonly onRemoval?: (removal: Removal<K, A>) => Effect.Effect<unknown, unknown>
  readonly weigher?: (value: A, key: K) => number
  readonly timeToLive?: Duration.DurationInput | ((key: K, exit: Exit.Exit<A, E>) => Duration.DurationInput)
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

export class Cache<K, A, E> {
  readonly state: CacheState<K, A, E>
  readonly metrics: CacheMetrics
  readonly teller: Teller
  readonly lookups: Lookups<K, A, E>
  readonly releases: Releases<K, A, E>
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
    this.teller = new Teller(options.name, runtime as Seam.CacheRuntime<never>, timers)
    this.lookups = new Lookups(this, random)
    this.releases = new Releases(this)
    this.state = new CacheState<K, A, E>(
      {
        load: (loading) => this.lookups.start(loading),
        abort: (loading) => this.lookups.abort(loading),
        removed: (slot, reason) => this.removed(slot, reason),
        release: (slot) => this.releases.start(slot),
        dueAt: (slot, at) => timers.set(slot, at),
        now: () => timers.now(),
        settled: () => {
          for (const look of this.onSettled) look()
        }
      },
      options,
      manager.timeToLive !== undefined,
      guarded(policy, options, (defect) => this.teller.policyFailed(options.policy.name, defect))
    )
  }

  /** The timer of a slot. */
  due(slot: Slot<K, A, E>): void {
    this.state.due(slot, this.timers.now())
    this.counted()
  }

  // --- asking --------------------------------------------------------------------------------------------------------

  use<B, E2, R2>(
    key: K,
    f: (value: A) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E | E2 | CacheError.CacheError, R2> {
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) => {
        const now = this.timers.now()
        const slot = this.state.take(key, now, fiber)
        if (slot !== undefined) {
          this.metrics.hit()
          return this.using(slot, fiber, now, f, restore)
        }
        return this.ask(key, fiber, now, restore, (slot) => this.using(slot, fiber, this.timers.now(), f, restore))
      })
    )
  }

  private ask<B, E2, R2>(
    key: K,
    fiber: Seam.CurrentFiber,
    now: number,
    restore: Restore,
    then: (slot: Slot<K, A, E>) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2 | CacheError.CacheError, R2> {
    this.metrics.missed()
    return new Caller(this, key, fiber, true, restore, then).start(now)
  }

  private using<B, E2, R2>(
    slot: Slot<K, A, E>,
    fiber: Seam.CurrentFiber,
    now: number,
    f: (value: A) => Effect.Effect<B, E2, R2>,
    restore: Restore
  ): Effect.Effect<B, E | E2, R2> {
    const { held } = slot
    if (held === undefined || held.isSpoiled) return this.failure(slot)
    const hold = this.hold(held, fiber, now)
    // One step less than `Effect.exit` and what follows it.
    return Effect.matchCauseEffect(restore(Effect.suspend(() => f(held.value))), {
      onFailure: (cause) => {
        this.letGo(slot, hold)
        return Effect.failCause(cause)
      },
      onSuccess: (value) => {
        this.letGo(slot, hold)
        return Effect.succeed(value)
      }
    })
  }

  /** For as long as the scope at hand is open. */
  readonly get = (key: K): Effect.Effect<A, E | CacheError.CacheError, Scope.Scope> =>
    Seam.withFiber((fiber) => {
      const finalizers = Seam.finalizersOf(Seam.scopeOf(fiber))
      if (finalizers === undefined) return this.getBound(key)
      const now = this.timers.now()
      const slot = this.state.take(key, now, fiber)
      if (slot === undefined) return this.getBound(key)
      this.metrics.hit()
      const { held } = slot
      if (held === undefined || held.isSpoiled) return this.failure(slot)
      // All in one step, in which nothing can be interrupted.
      const hold = this.hold(held, fiber, now)
      finalizers.set({}, this.lettingGo(slot, hold))
      return Effect.succeed(held.value)
    })

  private getBound(key: K): Effect.Effect<A, E | CacheError.CacheError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) => {
        const now = this.timers.now()
        const slot = this.state.take(key, now, fiber)
        if (slot !== undefined) {
          this.metrics.hit()
          return this.keep(slot, fiber, now)
        }
        return this.ask(key, fiber, now, restore, (slot) => this.keep(slot, fiber, this.timers.now()))
      })
    )
  }

  /** As `get`, where a good value is there. */
  readonly getIfPresent = (key: K): Effect.Effect<Exit.Exit<A, E> | undefined, never, Scope.Scope> =>
    Effect.uninterruptible(Seam.withFiber((fiber) => {
      const slot = this.present(key)
      return slot === undefined ? Effect.succeed(undefined) : Effect.exit(this.keep(slot, fiber, this.timers.now()))
    }))

  /** A good value that is there, in use. */
  present(key: K): Slot<K, A, E> | undefined {
    const slot = this.state.take(key, this.timers.now(), undefined)
    if (slot === undefined) this.metrics.missed()
    else this.metrics.hit()
    return slot
  }

  private keep(slot: Slot<K, A, E>, fiber: Seam.CurrentFiber, now: number): Effect.Effect<A, E> {
    const { held } = slot
    if (held === undefined || held.isSpoiled) return this.failure(slot)
    const letGo = this.lettingGo(slot, this.hold(held, fiber, now))
    return Effect.as(Scope.addFinalizerExit(Seam.scopeOf(fiber), letGo), held.value)
  }

  /** Done when it is called, and so out of reach of an interruption: a scope hands its closer's interruptibility on. */
  private lettingGo(slot: Slot<K, A, E>, hold: Hold): () => Effect.Effect<void> {
    hold.isScoped = true
    return () => {
      this.letGo(slot, hold)
      return Effect.void
    }
  }

  /** One that has a value none the less is put aside. */
  private failure(slot: Slot<K, A, E>): Effect.Effect<never, E> {
    this.state.leave(slot)
    this.counted()
    return slot.exit as Exit.Exit<never, E>
  }

  private hold(held: Held<A>, fiber: Seam.CurrentFiber, now: number): Hold {
    const hold = new Hold(fiber, now)
    held.add(hold)
    this.counted()
    return hold
  }

  private letGo(slot: Slot<K, A, E>, hold: Hold): void {
    if (hold.isOver) return
    hold.isOver = true
    slot.held!.remove(hold)
    this.state.leave(slot)
    // Who closes the cache may be the only one left that uses it.
    if (!this.state.isOpen) this.state.host.settled()
    this.counted()
  }

  /** The way of a plain cache: a value that is there costs one step. */
  readonly getPlain = (key: K): Effect.Effect<A, E | CacheError.CacheError> =>
    Seam.withFiber((fiber) => {
      const now = this.timers.now()
      const slot = this.state.take(key, now, fiber)
      if (slot !== undefined) {
        this.metrics.hit()
        return slot.exit
      }
      return Effect.uninterruptibleMask((restore) => this.ask(key, fiber, now, restore, (slot) => slot.exit))
    })

  // --- by hand -------------------------------------------------------------------------------------------------------

  /** Looks the key up anew, whatever is there; that stays until the new value is there, and where there will be none. */
  refresh(key: K): Effect.Effect<void, E | CacheError.CacheError> {
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) =>
        new Caller(this, key, fiber, false, restore, (slot: Slot<K, A, E>): Effect.Effect<void, E> => {
          this.state.leave(slot)
          this.counted()
          return Exit.asVoid(slot.exit)
        }).start(this.timers.now())
      )
    )
  }

  invalidate(key: K): boolean {
    const was = this.state.invalidate(key, this.timers.now())
    this.counted()
    return was
  }

  invalidateWhere(isMeant: (key: K, value: A) => boolean): number {
    // A failure cannot be chosen by its value, and the value that there would have been may be meant.
    const [failures, values] = Arr.partition(this.state.all(), ({ exit }) => Exit.isSuccess(exit))
    const meant = values.filter(({ exit, key }) => isMeant(key, (exit as Exit.Success<A, E>).value))
    this.state.invalidateThese([...meant, ...failures], this.timers.now())
    this.counted()
    return meant.length
  }

  invalidateAll(): number {
    const invalidated = this.state.invalidateAll(this.timers.now())
    this.counted()
    return invalidated
  }

  // --- what is told --------------------------------------------------------------------------------------------------

  private removed(slot: Slot<K, A, E>, reason: RemovalReason): void {
    this.metrics.removed(reason)
    this.teller.emit(() => ({ _tag: "Removed", ...named(slot), reason, ageMillis: this.timers.now() - slot.writtenAt }))
    const { onRemoval } = this.manager
    const { exit, key } = slot
    if (onRemoval === undefined || Exit.isFailure(exit)) return
    // It is not released before the listener has seen it.
    this.state.hear(slot)
    const limit = this.options.releaseTimeout
    const heard = Seam.workingOn(slot, Effect.suspend(() => onRemoval({ key, value: exit.value, reason }))).pipe(
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
        if (Exit.isFailure(exit)) this.teller.listenerFailed(slot, exit.cause)
        this.state.heard(slot)
        this.counted()
      })
    )
  }

  counted(): void {
    const { cached, inUse, weight } = this.state.occupancy
    this.metrics.count(cached, weight, inUse)
  }

  counts(): CacheError.CacheCounts {
    const { running, waiting } = this.state
    const { cached, inUse, releasing, weight } = this.state.occupancy
    return { entries: cached, inUse, loading: running.size, waiting, releasing, weight }
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

  timedOut(key: K, stage: CacheError.CacheStage): CacheError.CacheTimeout {
    const { acquireTimeout, name } = this.options
    const error = new CacheError.CacheTimeout({
      cache: name,
      key,
      stage,
      limitMillis: acquireTimeout,
      counts: this.counts()
    })
    this.teller.emit(() => ({ _tag: "TimedOut", error }))
    return error
  }
}
