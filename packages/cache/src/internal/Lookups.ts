/**
 * How values come: each is looked up in a fiber of its own, in a scope of its own, and becomes a guard of the registry.
 * Whatever happens on the way, `CacheState` hears of each beginning's end exactly once.
 */
import { PatinoxError, ResourceGuard, type ResourceRegistry, ResourceScope } from "@patinox/core"
import { type Checked, LazyScope, makeDeadline } from "@patinox/core/Foundation"
import { Cause, Duration, Effect, Exit, Hash, Scope } from "effect"
import type { Cache } from "./Cache.js"
import { Held } from "./Held.js"
import type { Loading } from "./Loading.js"
import { checkAnsweredTime, checkAnsweredWeight } from "./Options.js"
import * as Seam from "./Seam.js"
import { isSameObject, Slot } from "./Slot.js"
import { named } from "./Teller.js"

/** Whether a lookup can be interrupted by now, and for how long that is asked, in milliseconds. */
const lookAgainEvery = 1_000
const longestLook = 60_000

type Env = ResourceRegistry.ResourceRegistry | Scope.Scope

/** A wrong answer is as a function that throws. */
const sound = (answer: Checked<number>): number => {
  if (answer instanceof PatinoxError.Validation) throw answer
  return answer
}

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
            fallback: (slot: unknown, error) =>
              Seam.workingOn(
                slot as Slot<K, A, E>,
                Effect.suspend(() => fallback((slot as Slot<K, A, E>).held!.value, error))
              )
          })
        }
      })
    }
    // Over a little before the guard gives the release up, with the finalizer named that has not ended.
    this.newScope = ResourceScope.make({ timeout: releaseTimeout * 0.95 })
  }

  start(loading: Loading<K, A, E>): void {
    const { options, runtime } = this.cache
    loading.fiber = Seam.forkFor(loading.origin, runtime, this.looking(loading))
    if (loading.callers.size > 0) return
    // Nobody's deadline ends it.
    this.limit(loading, loading.startedAt + options.acquireTimeout, () => this.cache.state.giveUp(loading))
  }

  /** What is opened halfway only the lookup itself can release: it has the time of a release to come to its end. */
  abort(loading: Loading<K, A, E>): void {
    const { manager, options, timers } = this.cache
    if (manager.release === undefined) return Seam.interruptLater(loading.fiber!)
    this.limit(loading, timers.now() + options.releaseTimeout, () => this.cutOff(loading))
  }

  /**
   * Interrupts it as soon as that can be. At the end of an uninterruptible region an interruption would only take away what
   * that has opened; one that takes longer than a release may is left alone.
   */
  cutOff(loading: Loading<K, A, E>): void {
    const { options, timers } = this.cache
    const last = timers.now() + Math.min(options.releaseTimeout, longestLook)
    const look = () => {
      if (Seam.isInterruptible(loading.fiber!)) return Seam.interruptLater(loading.fiber!)
      const next = timers.now() + lookAgainEvery
      if (next <= last) this.limit(loading, next, look)
    }
    this.unlimit(loading)
    look()
  }

  private limit(loading: Loading<K, A, E>, at: number, onDue: () => void): void {
    this.unlimit(loading)
    loading.deadline = makeDeadline(onDue)
    this.cache.timers.set(loading.deadline, at)
  }

  private unlimit({ deadline }: Loading<K, A, E>): void {
    if (deadline !== undefined) this.cache.timers.clear(deadline)
  }

  private looking(loading: Loading<K, A, E>): Effect.Effect<void, never, Env> {
    const { isPlain, manager } = this.cache
    const scope = new LazyScope(this.newScope)
    let found: Exit.Exit<A, E> | undefined
    const lookup = Effect.suspend(() => manager.lookup(loading.key, (value) => found = Exit.succeed(value)))
    const inside = Seam.workingOn(loading, isPlain ? lookup : Scope.extend(lookup, scope))
    // An interruption that comes after the value does not take that away.
    return Effect.flatMap(
      Effect.exit(Effect.interruptible(inside)),
      (exit) => this.looked(loading, found ?? exit, scope)
    )
  }

  private looked(
    loading: Loading<K, A, E>,
    exit: Exit.Exit<A, E>,
    scope: LazyScope
  ): Effect.Effect<void, never, Env> {
    const { metrics, timers } = this.cache
    const took = timers.now() - loading.startedAt
    if (Exit.isFailure(exit)) {
      metrics.loaded(took, true)
      return this.emptied(scope, exit, () => this.failed(loading, this.slotOf(loading.key, exit)))
    }
    const slot = this.slotOf(loading.key, exit)
    metrics.loaded(took, slot.isFailure)
    return this.registered(slot, exit.value, scope, (isRefused) => {
      const { state, teller } = this.cache
      const now = timers.now()
      if (slot.isFailure && !isRefused) return this.failed(loading, slot)
      this.unlimit(loading)
      if (isRefused) state.refused(loading, now)
      else {
        teller.emit(() => ({ _tag: "Loaded", ...named(slot), loadMillis: took }))
        state.loaded(loading, slot, slot.expiresAt > slot.writtenAt, now)
      }
      this.cache.counted()
    })
  }

  /** There is no value, or none that anything can be done with. */
  private failed(loading: Loading<K, A, E>, slot: Slot<K, A, E>): void {
    const { state, teller, timers } = this.cache
    const { old } = loading
    const { cause } = slot.exit as Exit.Failure<A, E>
    const now = timers.now()
    const keepsOld = state.keeps(old, now)
    const isEnded = loading.phase === "aborted"
    this.unlimit(loading)
    if (!isEnded) {
      if (keepsOld) teller.refreshFailed(old!, cause)
      teller.emit(() => ({ _tag: "LoadFailed", key: loading.key, cause, keepsOld }))
    }
    // That it was ended says nothing of the key.
    if (slot.expiresAt > slot.writtenAt && !keepsOld && !isEnded) state.loaded(loading, slot, true, now)
    else state.failed(loading, slot, now)
    this.cache.counted()
  }

  /** Where a failed lookup has left something in its scope, that goes first. */
  private emptied(scope: LazyScope, exit: Exit.Exit<A, E>, then: () => void): Effect.Effect<void> {
    if (!scope.isEmpty) return Effect.map(scope.close(exit), then)
    scope.end()
    return Effect.sync(then)
  }

  /** A value given by hand. Tells whether it was taken; else it is released. */
  set(key: K, value: A): Effect.Effect<Exit.Exit<boolean>, never, Env> {
    const { state, timers } = this.cache
    const given = Exit.succeed(value)
    const slot = this.slotOf(key, given)
    const there = state.peek(key)
    let isTaken = false
    const answer = () =>
      Exit.isFailure(slot.exit) ? Exit.failCause(slot.exit.cause as Cause.Cause<never>) : Exit.succeed(isTaken)
    // The cache has it already, and is to release it once.
    if (there !== undefined && isSameObject(there.exit, given)) {
      isTaken = true
      if (!slot.isFailure) state.renew(there, slot, slot.expiresAt > slot.writtenAt, timers.now())
      this.cache.counted()
      return Effect.sync(answer)
    }
    return Effect.map(
      this.registered(slot, value, new LazyScope(this.newScope), (isRefused) => {
        isTaken = !isRefused && state.isOpen
        if (!isRefused) state.set(slot, slot.expiresAt > slot.writtenAt, timers.now())
        this.cache.counted()
      }),
      answer
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
    return sound(checkAnsweredWeight(weigher(exit.value, key)))
  }

  /** In milliseconds; 0 where it is not to be kept. */
  private timeToLive(key: K, exit: Exit.Exit<A, E>): number {
    const { timeToLive } = this.cache.manager
    // Its own interruption, too, says nothing of the key.
    if (Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)) return 0
    if (typeof timeToLive === "function") return sound(checkAnsweredTime(timeToLive(key, exit)))
    if (Exit.isFailure(exit)) return 0
    return timeToLive === undefined ? Infinity : Duration.toMillis(timeToLive)
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
