/**
 * How values come: each is looked up in a fiber of its own, in a scope of its own, and becomes a guard of the registry.
 * Whatever happens on the way, `CacheState` hears of each beginning's end exactly once.
 */
import { PatinoxError, ResourceGuard, type ResourceRegistry, ResourceScope } from "@patinox/core"
import { LazyScope, makeDeadline } from "@patinox/core/Foundation"
import { type Cause, Effect, Exit, Hash, Scope } from "effect"
import type { Cache } from "./Cache.js"
import { Held } from "./Held.js"
import type { Loading } from "./Loading.js"
import { checkAnsweredWeight, millisOf } from "./Options.js"
import * as Seam from "./Seam.js"
import { Slot } from "./Slot.js"
import { named } from "./Teller.js"

type Env = ResourceRegistry.ResourceRegistry | Scope.Scope

export class Lookups<K, A, E> {
  private readonly settings: ResourceGuard.GuardOptions<unknown, unknown>
  private readonly newScope: Effect.Effect<ResourceScope.ResourceScope>

  constructor(private readonly cache: Cache<K, A, E>, private readonly random: () => number) {
    const { manager, options: { name, priority, releaseTimeout } } = cache
    const { fallback, ...recovery } = manager.recovery ?? {}
    this.settings = {
      typeName: name,
      priority,
      timeout: releaseTimeout,
      ...(manager.recovery === undefined ? undefined : {
        recovery: {
          ...recovery,
          ...(fallback === undefined ? undefined : {
            fallback: (slot: unknown, error) => fallback((slot as Slot<K, A, E>).held!.value, error)
          })
        }
      })
    }
    // Over a little before the guard gives the release up, with the finalizer named that has not ended.
    this.newScope = ResourceScope.make({ timeout: releaseTimeout * 0.95 })
  }

  start(loading: Loading<K, A, E>): void {
    const { options, runtime, timers } = this.cache
    loading.fiber = Seam.forkFor(loading.origin, runtime, this.looking(loading))
    if (loading.callers.size > 0) return
    // Nobody's deadline ends it.
    loading.deadline = makeDeadline(() => this.cache.state.giveUp(loading))
    timers.set(loading.deadline, loading.startedAt + options.acquireTimeout)
  }

  abort(loading: Loading<K, A, E>): void {
    Seam.interruptLater(loading.fiber!)
  }

  private looking(loading: Loading<K, A, E>): Effect.Effect<void, never, Env> {
    const { isPlain, manager } = this.cache
    const scope = new LazyScope(this.newScope)
    const lookup = Effect.suspend(() => manager.lookup(loading.key))
    const inside = Seam.inLookup(loading, isPlain ? lookup : Scope.extend(lookup, scope))
    // An interruption in the moment of its success takes the value away, which only a scope can then release.
    const looked = manager.release === undefined ? Effect.interruptible(inside) : inside
    return Effect.flatMap(Effect.exit(looked), (exit) => this.looked(loading, exit, scope))
  }

  private looked(
    loading: Loading<K, A, E>,
    exit: Exit.Exit<A, E>,
    scope: LazyScope
  ): Effect.Effect<void, never, Env> {
    const { metrics, timers } = this.cache
    if (loading.deadline !== undefined) timers.clear(loading.deadline)
    const took = timers.now() - loading.startedAt
    metrics.loaded(took, Exit.isFailure(exit))
    if (Exit.isFailure(exit)) return this.failed(loading, exit, scope)
    const slot = this.slotOf(loading.key, exit)
    return this.registered(slot, exit.value, scope, (isRefused) => {
      const { state, teller } = this.cache
      const now = timers.now()
      if (isRefused) state.refused(loading, now)
      else {
        teller.emit(() => ({ _tag: "Loaded", ...named(slot), loadMillis: took }))
        state.loaded(loading, slot, slot.expiresAt > slot.writtenAt, now)
      }
      this.cache.counted()
    })
  }

  /** Where the lookup has left something in its scope, that goes first. */
  private failed(loading: Loading<K, A, E>, exit: Exit.Failure<A, E>, scope: LazyScope): Effect.Effect<void> {
    const { state, teller, timers } = this.cache
    const over = () => {
      const { old } = loading
      const slot = this.slotOf(loading.key, exit)
      const now = timers.now()
      const keepsOld = state.keeps(old, now)
      const isEnded = loading.phase === "aborted"
      if (!isEnded) {
        if (keepsOld) teller.refreshFailed(old!, exit.cause)
        teller.emit(() => ({ _tag: "LoadFailed", key: loading.key, cause: exit.cause, keepsOld }))
      }
      // That it was ended says nothing of the key.
      if (slot.expiresAt > slot.writtenAt && !keepsOld && !isEnded) state.loaded(loading, slot, true, now)
      else state.failed(loading, slot, now)
      this.cache.counted()
    }
    if (scope.isEmpty) {
      scope.end()
      return Effect.sync(over)
    }
    return Effect.map(scope.close(exit), over)
  }

  /** A value given by hand. Tells whether it was taken; else it is released. */
  set(key: K, value: A): Effect.Effect<Exit.Exit<boolean>, never, Env> {
    const slot = this.slotOf(key, Exit.succeed(value))
    let isTaken = false
    return Effect.map(
      this.registered(slot, value, new LazyScope(this.newScope), (isRefused) => {
        const { state, timers } = this.cache
        isTaken = !isRefused && state.isOpen
        if (!isRefused) state.set(slot, slot.expiresAt > slot.writtenAt, timers.now())
        this.cache.counted()
      }),
      () => Exit.isFailure(slot.exit) ? Exit.failCause(slot.exit.cause as Cause.Cause<never>) : Exit.succeed(isTaken)
    )
  }

  /** What callers will get. A weigher or a `timeToLive` that fails is what the lookup has failed with. */
  private slotOf(key: K, exit: Exit.Exit<A, E>): Slot<K, A, E> {
    const { cache } = this
    const { expiryJitter } = cache.options
    const now = cache.timers.now()
    const hash = Hash.hash(key)
    try {
      const weight = this.weigh(key, exit)
      const millis = this.timeToLive(key, exit)
      const early = expiryJitter === 0 || millis === Infinity ? 0 : expiryJitter * this.random()
      return new Slot(cache, key, exit, hash, weight, now, now + millis * (1 - early))
    } catch (defect) {
      return new Slot<K, A, E>(cache, key, Exit.die(defect), hash, 0, now, now)
    }
  }

  private weigh(key: K, exit: Exit.Exit<A, E>): number {
    const { weigher } = this.cache.manager
    if (weigher === undefined) return 1
    if (Exit.isFailure(exit)) return 0
    const weight = checkAnsweredWeight(weigher(exit.value, key))
    if (weight instanceof PatinoxError.Validation) throw weight
    return weight
  }

  /** In milliseconds; 0 where it is not to be kept. */
  private timeToLive(key: K, exit: Exit.Exit<A, E>): number {
    const { timeToLive } = this.cache.manager
    if (typeof timeToLive === "function") return millisOf(timeToLive(key, exit))
    if (Exit.isFailure(exit)) return 0
    return timeToLive === undefined ? Infinity : millisOf(timeToLive)
  }

  /** Makes the value a guard, unless nothing is to be released. Refused, it is released at once. */
  private registered(
    slot: Slot<K, A, E>,
    value: A,
    scope: LazyScope,
    then: (isRefused: boolean) => void
  ): Effect.Effect<void, never, Env> {
    const { isPlain, releases, runtime } = this.cache
    if (isPlain) return Effect.sync(() => then(false))
    const held = new Held(value, scope)
    held.isSpoiled = Exit.isFailure(slot.exit)
    slot.held = held
    const settings = this.cache.manager.weigher === undefined
      ? this.settings
      : { ...this.settings, sizeBytes: Math.round(slot.weight) }
    return Seam.withFiber((fiber) => {
      // The guard keeps what its fiber has for as long as it lives: nothing of a caller's.
      Seam.setRefs(fiber, runtime.fiberRefs)
      return Effect.flatMap(
        Effect.exit(ResourceGuard.make(Effect.succeed(slot), releases.release, settings)),
        (exit) => {
          if (Exit.isFailure(exit)) {
            this.cache.refusedByRegistry()
            return Effect.map(releases.unregistered(slot), () => then(true))
          }
          held.guard = exit.value
          // Between its registration and this moment the registry may have made it clean up.
          if (held.isReleased) return Effect.map(Effect.exit(exit.value.cleanup), () => then(true))
          // A turn later it might do so with a value that the cache does not know yet.
          then(false)
          return Effect.void
        }
      )
    })
  }
}
