/**
 * How values come: each is looked up in a fiber of its own, in a scope of its own, and becomes a guard of the registry.
 * Whatever happens on the way, `CacheState` hears of each beginning's end exactly once.
 */
import { CleanupReport, PatinoxError, ResourceGuard, type ResourceRegistry, ResourceScope } from "@patinox/core"
import { type Checked, LazyScope, makeDeadline, UserFunction } from "@patinox/core/kernel"
import { Cause, Duration, Effect, Exit, Scope } from "effect"
import { CacheValueReleased } from "../CacheError.js"
import { Batches } from "./Batches.js"
import type { Cache } from "./Cache.js"
import { checkAnsweredIdleTime, checkAnsweredTime, checkAnsweredWeight } from "./CacheOptions.js"
import { named } from "./CacheReporter.js"
import { Lease } from "./Lease.js"
import * as Seam from "./Seam.js"
import { CacheEntry, isObject, isSameObject } from "./state/CacheEntry.js"
import { hashOf, keptKey, type Keyed } from "./state/KeyMap.js"
import { Attempt, type Load } from "./state/Load.js"

/** Whether a lookup can be interrupted by now, and for how long that is asked, in milliseconds. */
const lookAgainEvery = 1_000
const longestLook = 60_000

type Env = ResourceRegistry.ResourceRegistry | Scope.Scope

/** A wrong answer is as a function that throws. */
const sound = (answer: Checked<number>): number => {
  if (answer instanceof PatinoxError.Validation) throw answer
  return answer
}

export class Loader<K, A, E> {
  private readonly settings: ResourceGuard.GuardOptions<unknown, unknown>
  private readonly newScope: Effect.Effect<ResourceScope.ResourceScope>
  private readonly batches: Batches
  /** Objects that the cache has ever had to release. */
  private readonly owned = new WeakSet<object>()
  /** Those that begin now for somebody who wants several. */
  private gathered: Array<Attempt<K, A, E>> | undefined = undefined

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
            fallback: (entry: unknown, error) =>
              Seam.workingOn(
                entry as CacheEntry<K, A, E>,
                UserFunction.effect(() => fallback((entry as CacheEntry<K, A, E>).held!.value, error))
              )
          })
        }
      })
    }
    // Over a little before the guard gives the release up, with the finalizer named that has not ended.
    this.newScope = ResourceScope.make({ timeout: releaseTimeout * 0.95 })
    this.batches = new Batches(cache.runtime as Seam.CacheRuntime<never>)
  }

  start(loading: Load<K, A, E>): void {
    const { options, runtime } = this.cache
    const attempt = new Attempt(loading)
    loading.attempt = attempt
    const { gathered } = this
    const isOneOfMany = gathered !== undefined && loading.callers.size > 0
    if (isOneOfMany) gathered.push(attempt)
    if (!isOneOfMany || this.cache.manager.lookupAll === undefined) {
      attempt.fiber = Seam.forkFor(loading.origin, runtime, this.looking(attempt))
    }
    // Nobody's deadline ends it.
    if (loading.callers.size === 0) {
      this.limit(attempt, loading.startedAt + options.acquireTimeout, () => this.unasked(loading))
    }
  }

  /** What begins in `f`, and is waited for, is looked up by one call of `lookupAll`, or with one batch of requests. */
  together<B>(f: () => B): B {
    const gathered: Array<Attempt<K, A, E>> = []
    this.gathered = gathered
    try {
      return f()
    } finally {
      this.gathered = undefined
      if (gathered.length > 0 && this.cache.manager.lookupAll !== undefined) this.startAll(gathered)
    }
  }

  private startAll(attempts: ReadonlyArray<Attempt<K, A, E>>): void {
    const [{ loading: first }] = attempts as readonly [Attempt<K, A, E>]
    const fiber = Seam.forkFor(first.origin, this.cache.runtime, this.lookingAll(attempts))
    for (const attempt of attempts) {
      attempt.fiber = fiber
      attempt.together = attempts
      // Whoever asks from inside for any of them waits for all.
      if (attempt.loading !== first) attempt.loading.waits(first, 1)
    }
  }

  // --- time ----------------------------------------------------------------------------------------------------------

  /** Nobody has asked for it, and its time is up; but by now somebody may wait. */
  private unasked(loading: Load<K, A, E>): void {
    if (loading.callers.size > 0) this.overdue(loading)
    else this.cache.state.loads.giveUp(loading)
  }

  /** Somebody has waited for all the time that there is: the others do not wait for ever. */
  overdue({ attempt, callers, phase }: Load<K, A, E>): void {
    const { options: { acquireTimeout, releaseTimeout }, state, timers } = this.cache
    if (attempt === undefined || phase !== "running" || callers.size === 0 || attempt.deadline !== undefined) return
    const at = Math.max(attempt.startedAt + acquireTimeout, timers.now()) + releaseTimeout
    this.limit(attempt, at, () => {
      state.loads.expel(attempt.loading)
      this.cutOff(attempt.loading)
    })
  }

  /** What is opened halfway only the lookup itself can release: it has the time of a release to come to its end. */
  abort({ attempt }: Load<K, A, E>): void {
    const { manager, options, timers } = this.cache
    if (manager.release === undefined) return this.interrupt(attempt!)
    this.limit(attempt!, timers.now() + options.releaseTimeout, () => this.cutOff(attempt!.loading))
  }

  /**
   * Interrupts it as soon as that can be. At the end of an uninterruptible region an interruption would only take away what
   * that has opened; a lookup that is in one has had its time, and is given up on.
   */
  cutOff({ attempt }: Load<K, A, E>): void {
    const { options, timers } = this.cache
    const last = timers.now() + Math.min(options.releaseTimeout, longestLook)
    const look = () => {
      if (Seam.isInterruptible(attempt!.fiber!)) return this.interrupt(attempt!)
      this.giveUpOn(attempt!)
      const next = timers.now() + lookAgainEvery
      if (next <= last) this.limit(attempt!, next, look)
    }
    this.unlimit(attempt!)
    look()
  }

  /** It has the time of a release to stop. */
  private interrupt(attempt: Attempt<K, A, E>): void {
    const { options, timers } = this.cache
    attempt.isUnwanted = true
    if (attempt.together.every(({ isUnwanted }) => isUnwanted)) Seam.interruptLater(attempt.fiber!)
    if (!attempt.isAbandoned) this.limit(attempt, timers.now() + options.releaseTimeout, () => this.giveUpOn(attempt))
  }

  /** At its end the cache waits for it as long as it can. */
  private giveUpOn(attempt: Attempt<K, A, E>): void {
    const { state, reporter, timers } = this.cache
    if (attempt.isAbandoned || !state.isOpen) return
    const now = timers.now()
    attempt.isAbandoned = true
    state.loads.abandoned.add(attempt)
    state.abandoned(attempt.loading, now)
    this.cache.updateGauges()
    reporter.abandoned(attempt, now)
  }

  private limit(attempt: Attempt<K, A, E>, at: number, onDue: () => void): void {
    this.unlimit(attempt)
    attempt.deadline = makeDeadline(() => {
      attempt.deadline = undefined
      onDue()
    })
    this.cache.timers.set(attempt.deadline, at)
  }

  private unlimit(attempt: Attempt<K, A, E>): void {
    if (attempt.deadline !== undefined) this.cache.timers.clear(attempt.deadline)
    attempt.deadline = undefined
  }

  // --- looking up ----------------------------------------------------------------------------------------------------

  private looking(attempt: Attempt<K, A, E>): Effect.Effect<void, never, Env> {
    const { isPlain, manager } = this.cache
    const { loading } = attempt
    const scope = new LazyScope(this.newScope)
    let found: Exit.Exit<A, E> | undefined
    const lookup = UserFunction.effect(() => {
      loading.hasAsked = true
      return manager.lookup(loading.key, (value) => found = Exit.succeed(value))
    })
    const inside = Effect.interruptible(Seam.workingOn(loading, isPlain ? lookup : Scope.extend(lookup, scope)))
    // An interruption that comes after the value does not take that away.
    return Effect.flatMap(
      this.gathered !== undefined || Seam.isBatching(loading.origin) ? this.batches.run(inside) : Effect.exit(inside),
      (exit) => this.looked(attempt, found ?? exit, scope)
    )
  }

  /** One call for all of them. What it opens in its scope is released with the last of its values. */
  private lookingAll(attempts: ReadonlyArray<Attempt<K, A, E>>): Effect.Effect<void, never, Env> {
    const { isPlain, manager } = this.cache
    const scope = new LazyScope(this.newScope)
    const lookup = UserFunction.effect(() => {
      for (const { loading } of attempts) loading.hasAsked = true
      return manager.lookupAll!(attempts.map(({ loading }) => loading.key))
    })
    const inside = Seam.workingOn(attempts[0]!.loading, isPlain ? lookup : Scope.extend(lookup, scope))
    return Effect.flatMap(Effect.exit(Effect.interruptible(inside)), (exit) => {
      const exits = valuesOf(exit, attempts.length)
      for (const { loading } of attempts.slice(1)) loading.waits(attempts[0]!.loading, -1)
      const parts = new SharedScope(scope, attempts.length, this.newScope)
      const each = attempts.map((attempt, i) =>
        Effect.suspend(() => this.looked(attempt, exits[i]!, Exit.isSuccess(exits[i]!) ? parts.part() : parts.none()))
      )
      const looked = Effect.all(each, { discard: true })
      return Exit.isSuccess(exits[0]!) ? looked : this.emptied(scope, exits[0]!, () => looked)
    })
  }

  private looked(
    attempt: Attempt<K, A, E>,
    exit: Exit.Exit<A, E>,
    scope: LazyScope
  ): Effect.Effect<void, never, Env> {
    const { metrics, state, timers } = this.cache
    const { loading } = attempt
    const took = timers.now() - attempt.startedAt
    if (Exit.isFailure(exit)) {
      metrics.loaded(took, true)
      return this.emptied(scope, exit, () => this.failed(attempt, this.slotOf(loading, exit)))
    }
    const entry = this.slotOf(loading, exit)
    const there = this.known(exit.value) ? state.entries.like(loading) : undefined
    if (there !== undefined && isSameObject(there.exit, exit)) return this.givenAgain(attempt, there, entry, scope)
    if (this.known(exit.value) && state.entries.leaving(exit.value) !== undefined) {
      const gone = this.gone(attempt)
      metrics.loaded(took, true)
      return this.emptied(scope, gone, () => this.failed(attempt, this.slotOf(loading, gone)))
    }
    metrics.loaded(took, entry.isFailure)
    return this.registered(entry, exit.value, scope, (isRefused) => {
      const { reporter } = this.cache
      const now = timers.now()
      if (entry.isFailure && !isRefused) return this.failed(attempt, entry)
      this.unlimit(attempt)
      if (attempt.isAbandoned) {
        state.loads.abandoned.delete(attempt)
        if (!isRefused) state.discard(entry, now)
      } else if (isRefused) state.refused(loading, now)
      else {
        reporter.emit(() => ({ _tag: "Loaded", ...named(entry), loadMillis: took }))
        state.loaded(loading, entry, entry.expiresAt > entry.writtenAt, now)
      }
      this.cache.updateGauges()
    })
  }

  private gone({ loading: { key } }: Attempt<K, A, E>): Exit.Exit<never, E> {
    return Exit.fail(new CacheValueReleased({ cache: this.cache.options.name, key }) as E)
  }

  /** Only where `release` is told the values it could hit one that another lookup has given. */
  private known(value: unknown): boolean {
    return this.cache.manager.release !== undefined && isObject(value) && this.owned.has(value)
  }

  /** The value that is there: it stays, and what this lookup has opened beside it goes with it. */
  private givenAgain(
    attempt: Attempt<K, A, E>,
    there: CacheEntry<K, A, E>,
    entry: CacheEntry<K, A, E>,
    scope: LazyScope
  ): Effect.Effect<void> {
    const { metrics, state, timers } = this.cache
    const takesOver = scope.isEmpty ? Effect.void : there.held!.scope.addFinalizer((exit) => scope.close(exit))
    return Effect.map(takesOver, () => {
      const now = timers.now()
      metrics.loaded(now - attempt.startedAt, entry.isFailure)
      if (entry.isFailure) return this.failed(attempt, entry)
      // Since a turn ago it may have gone.
      if (there.status !== "cached") return this.failed(attempt, this.slotOf(attempt.loading, this.gone(attempt)))
      this.unlimit(attempt)
      if (attempt.isAbandoned) state.loads.abandoned.delete(attempt)
      else state.loadedAgain(attempt.loading, there, entry, now)
      this.cache.updateGauges()
    })
  }

  /** There is no value, or none that anything can be done with. */
  private failed(attempt: Attempt<K, A, E>, entry: CacheEntry<K, A, E>): void {
    const { state, reporter, timers } = this.cache
    const { loading } = attempt
    const { old } = loading
    const { cause } = entry.exit as Exit.Failure<A, E>
    const now = timers.now()
    this.unlimit(attempt)
    if (attempt.isAbandoned) {
      state.loads.abandoned.delete(attempt)
      state.discard(entry, now)
      return this.cache.updateGauges()
    }
    const keepsOld = state.entries.keeps(old, now)
    const isEnded = loading.phase === "aborted"
    if (!isEnded) {
      if (keepsOld && old!.failures === 0) reporter.refreshFailed(old!, cause)
      reporter.emit(() => ({ _tag: "LoadFailed", key: loading.key, cause, keepsOld }))
    }
    // That it was ended says nothing of the key.
    if (entry.expiresAt > entry.writtenAt && !keepsOld && !isEnded) state.loaded(loading, entry, true, now)
    else state.failed(loading, entry, now)
    this.cache.updateGauges()
  }

  /** Where a failed lookup has left something in its scope, that goes first. */
  private emptied(
    scope: LazyScope,
    exit: Exit.Exit<unknown, unknown>,
    then: () => Effect.Effect<unknown, never, Env> | void
  ): Effect.Effect<void, never, Env> {
    const after = Effect.suspend((): Effect.Effect<unknown, never, Env> => then() ?? Effect.void)
    if (!scope.isEmpty) return Effect.andThen(scope.close(exit), Effect.asVoid(after))
    scope.end()
    return Effect.asVoid(after)
  }

  /**
   * A value given by hand. Tells whether the cache is open; else the value is released. One that the cache has had before is
   * not taken again, as it is released for what it was before.
   */
  set(key: K, value: A): Effect.Effect<Exit.Exit<boolean>, never, Env> {
    const { isPlain, state, reporter, timers } = this.cache
    const given = Exit.succeed(value)
    const keyed = { key: keptKey(key), hash: hashOf(key) }
    const there = state.entries.like(keyed)
    const isThere = there !== undefined && isSameObject(there.exit, given)
    let isTaken = state.isOpen
    if (!isThere && !isPlain && isObject(value) && this.owned.has(value)) {
      if (isTaken) reporter.notTaken(keyed.key)
      return Effect.succeed(Exit.succeed(isTaken))
    }
    const entry = this.slotOf(keyed, given)
    const answer = () =>
      Exit.isFailure(entry.exit) ? Exit.failCause(entry.exit.cause as Cause.Cause<never>) : Exit.succeed(isTaken)
    // The cache has it already, and is to release it once.
    if (isThere) {
      // A function of the user's may have made it go.
      if (!entry.isFailure && there.status === "cached") {
        state.renew(there, entry, entry.expiresAt > entry.writtenAt, timers.now())
      }
      this.cache.updateGauges()
      return Effect.sync(answer)
    }
    return Effect.map(
      this.registered(entry, value, new LazyScope(this.newScope), (isRefused) => {
        isTaken = !isRefused && state.isOpen
        if (!isRefused) state.set(entry, entry.expiresAt > entry.writtenAt, timers.now())
        this.cache.updateGauges()
      }),
      answer
    )
  }

  /** What callers will get. A user's function that fails is what the lookup has failed with. */
  private slotOf(keyed: Keyed<K>, exit: Exit.Exit<A, E>): CacheEntry<K, A, E> {
    const { cache } = this
    const { expiryJitter } = cache.options
    const { key } = keyed
    const now = cache.timers.now()
    try {
      const weight = this.weigh(key, exit)
      const millis = this.timeToLive(key, exit)
      const timeToIdle = this.timeToIdle(key, exit)
      const early = expiryJitter === 0 || millis === Infinity ? 0 : expiryJitter * share(this.random())
      return new CacheEntry(cache, keyed, exit, {
        weight,
        writtenAt: now,
        expiresAt: now + millis * (1 - early),
        timeToIdle
      })
    } catch (defect) {
      const terms = { weight: 0, writtenAt: now, expiresAt: now, timeToIdle: Infinity }
      return new CacheEntry<K, A, E>(cache, keyed, Exit.die(defect), terms)
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

  /** In milliseconds. */
  private timeToIdle(key: K, exit: Exit.Exit<A, E>): number {
    const { timeToIdle } = this.cache.manager
    if (typeof timeToIdle !== "function") return this.cache.options.timeToIdle
    return sound(checkAnsweredIdleTime(timeToIdle(key, exit)))
  }

  /** Makes the value a guard, unless nothing is to be released. Refused, it is released at once. */
  private registered(
    entry: CacheEntry<K, A, E>,
    value: A,
    scope: LazyScope,
    then: (isRefused: boolean) => void
  ): Effect.Effect<void, never, Env> {
    const { isPlain, releases, runtime } = this.cache
    if (isPlain) return Effect.sync(() => then(false))
    const held = new Lease(value, scope)
    if (isObject(value)) this.owned.add(value)
    held.isSpoiled = Exit.isFailure(entry.exit)
    entry.held = held
    const settings = this.cache.manager.weigher === undefined
      ? this.settings
      : { ...this.settings, sizeBytes: Math.round(entry.weight) }
    return Seam.withFiber((fiber) => {
      // The guard keeps what its fiber has for as long as it lives: nothing of a caller's.
      Seam.setRefs(fiber, runtime.fiberRefs)
      return Effect.flatMap(
        Effect.exit(ResourceGuard.make(Effect.succeed(entry), releases.release, settings)),
        (exit) => {
          if (Exit.isFailure(exit)) {
            this.cache.refusedByRegistry()
            return Effect.map(releases.unregistered(entry), () => then(true))
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

/** A generator of the user's may answer anything. */
const share = (random: number): number => random >= 0 && random <= 1 ? random : 0

/** What each of them gets of one call's exit. */
const valuesOf = <A, E>(exit: Exit.Exit<ReadonlyArray<A>, E>, count: number): ReadonlyArray<Exit.Exit<A, E>> => {
  if (Exit.isFailure(exit)) return Array.from({ length: count }, () => Exit.failCause(exit.cause))
  const { value } = exit
  const all = (wrong: unknown) => Array.from({ length: count }, () => Exit.die(wrong))
  const expected = `an array of ${count} values, in the order of the keys`
  return UserFunction.call<ReadonlyArray<Exit.Exit<A, E>>>(
    () =>
      Array.isArray(value) && value.length === count
        ? Array.from(value, (one) => Exit.succeed(one))
        : all(PatinoxError.invalidOption("lookupAll", value, expected)),
    all
  )
}

/** The scope of values that one call has looked up: it closes with the last of them. */
class SharedScope {
  private left: number

  constructor(
    private readonly scope: LazyScope,
    count: number,
    private readonly make: Effect.Effect<ResourceScope.ResourceScope>
  ) {
    this.left = count
  }

  none(): LazyScope {
    return new LazyScope(this.make)
  }

  part(): LazyScope {
    const part = this.none()
    if (!this.scope.isEmpty) Effect.runSync(part.addFinalizer((exit) => this.close(exit)))
    return part
  }

  private close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (--this.left > 0) return Effect.void
      return Effect.flatMap(
        this.scope.close(exit),
        (report) =>
          CleanupReport.isClean(report) ? Effect.void : Effect.die(new ResourceGuard.FinalizersFailed({ report }))
      )
    })
  }
}
