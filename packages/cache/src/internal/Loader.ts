/**
 * How values come: each is loaded in a fiber of its own, in a scope of its own, and becomes a guard of the registry.
 * Whatever happens on the way, `CacheState` hears of each beginning's end exactly once.
 */
import { forkFor, isBatching, type LazyScope, UserFunction } from "@patinox/core/kernel"
import { Effect, Exit, Scope } from "effect"
import { CacheValueReleased } from "../CacheError.js"
import { workingOn } from "./ActiveWork.js"
import type { Batches } from "./Batches.js"
import type { CacheContext, Env } from "./CacheContext.js"
import { named } from "./CacheReporter.js"
import type { EntryMaker } from "./EntryMaker.js"
import type { LoadLimits } from "./LoadLimits.js"
import type { Registrar } from "./Registrar.js"
import { exitsOf, SharedScope } from "./SharedScope.js"
import { type CacheEntry, isSameObject } from "./state/CacheEntry.js"
import type { CacheState } from "./state/CacheState.js"
import { Attempt, type Load } from "./state/Load.js"

export interface LoaderParts<K, A, E> {
  readonly state: CacheState<K, A, E>
  readonly batches: Batches
  readonly limits: LoadLimits<K, A, E>
  readonly maker: EntryMaker<K, A, E>
  readonly registrar: Registrar<K, A, E>
}

export class Loader<K, A, E> {
  private readonly state: CacheState<K, A, E>
  private readonly batches: Batches
  private readonly limits: LoadLimits<K, A, E>
  private readonly maker: EntryMaker<K, A, E>
  private readonly registrar: Registrar<K, A, E>
  /** Those that begin now for a caller that wants several. */
  private gathered: Array<Attempt<K, A, E>> | undefined = undefined

  constructor(
    private readonly context: CacheContext<K, A, E>,
    { batches, limits, maker, registrar, state }: LoaderParts<K, A, E>
  ) {
    this.state = state
    this.batches = batches
    this.limits = limits
    this.maker = maker
    this.registrar = registrar
  }

  // --- beginning -----------------------------------------------------------------------------------------------------

  start(load: Load<K, A, E>): void {
    const attempt = new Attempt(load)
    load.attempt = attempt
    const { gathered } = this
    const isOneOfMany = gathered !== undefined && load.callers.size > 0
    if (isOneOfMany) gathered.push(attempt)
    if (!isOneOfMany || this.context.manager.lookupAll === undefined) {
      attempt.fiber = forkFor(load.origin, this.context.runtime, this.run(attempt))
    }
    this.limits.started(attempt)
  }

  /** What begins in `f`, and is waited for, is loaded by one call of `lookupAll`, or with one batch of requests. */
  together<B>(f: () => B): B {
    const gathered: Array<Attempt<K, A, E>> = []
    this.gathered = gathered
    try {
      return f()
    } finally {
      this.gathered = undefined
      if (gathered.length > 0 && this.context.manager.lookupAll !== undefined) this.startAll(gathered)
    }
  }

  private startAll(attempts: ReadonlyArray<Attempt<K, A, E>>): void {
    const [{ load: first }] = attempts as readonly [Attempt<K, A, E>]
    const fiber = forkFor(first.origin, this.context.runtime, this.runAll(attempts))
    for (const attempt of attempts) {
      attempt.fiber = fiber
      attempt.together = attempts
      // A caller inside that waits for any of them waits for all.
      if (attempt.load !== first) attempt.load.waits(first, 1)
    }
  }

  // --- running -------------------------------------------------------------------------------------------------------

  private run(attempt: Attempt<K, A, E>): Effect.Effect<void, never, Env> {
    const { isPlain, manager } = this.context
    const { load } = attempt
    const scope = this.registrar.newScope()
    let found: Exit.Exit<A, E> | undefined
    const lookup = UserFunction.effect(() => {
      load.hasAsked = true
      return manager.lookup(load.key, (value) => found = Exit.succeed(value))
    })
    const inside = Effect.interruptible(workingOn(load, isPlain ? lookup : Scope.extend(lookup, scope)))
    // An interruption that comes after the value does not take that away.
    return Effect.flatMap(
      this.gathered !== undefined || isBatching(load.origin) ? this.batches.run(inside) : Effect.exit(inside),
      (exit) => this.ended(attempt, found ?? exit, scope)
    )
  }

  /** One call for all of them. What it opens in its scope is released with the last of its values. */
  private runAll(attempts: ReadonlyArray<Attempt<K, A, E>>): Effect.Effect<void, never, Env> {
    const { isPlain, manager } = this.context
    const scope = this.registrar.newScope()
    const lookup = UserFunction.effect(() => {
      for (const { load } of attempts) load.hasAsked = true
      return manager.lookupAll!(attempts.map(({ load }) => load.key))
    })
    const inside = workingOn(attempts[0]!.load, isPlain ? lookup : Scope.extend(lookup, scope))
    return Effect.flatMap(Effect.exit(Effect.interruptible(inside)), (exit) => {
      const exits = exitsOf(exit, attempts.length)
      for (const { load } of attempts.slice(1)) load.waits(attempts[0]!.load, -1)
      const parts = new SharedScope(scope, attempts.length, this.registrar.newScope)
      const each = attempts.map((attempt, i) =>
        Effect.suspend(() => this.ended(attempt, exits[i]!, Exit.isSuccess(exits[i]!) ? parts.part() : parts.none()))
      )
      const ended = Effect.all(each, { discard: true })
      return Exit.isSuccess(exits[0]!) ? ended : this.emptied(scope, exits[0]!, () => ended)
    })
  }

  // --- ending --------------------------------------------------------------------------------------------------------

  private ended(
    attempt: Attempt<K, A, E>,
    exit: Exit.Exit<A, E>,
    scope: LazyScope
  ): Effect.Effect<void, never, Env> {
    const { state } = this
    const { metrics, timers } = this.context
    const { load } = attempt
    const took = timers.now() - attempt.startedAt
    if (Exit.isFailure(exit)) {
      metrics.loaded(took, true)
      return this.emptied(scope, exit, () => this.failed(attempt, this.maker.make(load, exit)))
    }
    const entry = this.maker.make(load, exit)
    const there = this.isKnown(exit.value) ? state.entries.like(load) : undefined
    if (there !== undefined && isSameObject(there.exit, exit)) return this.givenAgain(attempt, there, entry, scope)
    if (this.isKnown(exit.value) && state.entries.leaving(exit.value) !== undefined) {
      const gone = this.gone(attempt)
      metrics.loaded(took, true)
      return this.emptied(scope, gone, () => this.failed(attempt, this.maker.make(load, gone)))
    }
    metrics.loaded(took, entry.isFailure)
    return this.registrar.register(entry, exit.value, scope, (isRefused) => {
      if (entry.isFailure && !isRefused) return this.failed(attempt, entry)
      this.succeeded(attempt, entry, took, isRefused)
    })
  }

  private succeeded(attempt: Attempt<K, A, E>, entry: CacheEntry<K, A, E>, took: number, isRefused: boolean): void {
    const { state } = this
    const { reporter, timers } = this.context
    const { load } = attempt
    const now = timers.now()
    this.limits.clear(attempt)
    if (attempt.isAbandoned) {
      state.loads.abandoned.delete(attempt)
      if (!isRefused) state.discard(entry, now)
    } else if (isRefused) state.refused(load, now)
    else {
      reporter.emit(() => ({ _tag: "Loaded", ...named(entry), loadMillis: took }))
      state.loaded(load, entry, entry.expiresAt > entry.writtenAt, now)
    }
  }

  private gone({ load: { key } }: Attempt<K, A, E>): Exit.Exit<never, E> {
    return Exit.fail(new CacheValueReleased({ cache: this.context.options.name, key }) as E)
  }

  /** Only where `release` is given the values it could hit a value that another load has given. */
  private isKnown(value: unknown): boolean {
    return this.context.manager.release !== undefined && this.registrar.hasOwned(value)
  }

  /** The value that is there: it stays, and what this load has opened beside it goes with it. */
  private givenAgain(
    attempt: Attempt<K, A, E>,
    there: CacheEntry<K, A, E>,
    entry: CacheEntry<K, A, E>,
    scope: LazyScope
  ): Effect.Effect<void> {
    const { state } = this
    const { metrics, timers } = this.context
    const takesOver = scope.isEmpty ? Effect.void : there.lease!.scope.addFinalizer((exit) => scope.close(exit))
    return Effect.map(takesOver, () => {
      const now = timers.now()
      metrics.loaded(now - attempt.startedAt, entry.isFailure)
      if (entry.isFailure) return this.failed(attempt, entry)
      // Since a turn ago it may have gone.
      if (there.status !== "cached") return this.failed(attempt, this.maker.make(attempt.load, this.gone(attempt)))
      this.limits.clear(attempt)
      if (attempt.isAbandoned) state.loads.abandoned.delete(attempt)
      else state.loadedAgain(attempt.load, there, entry, now)
    })
  }

  /** There is no value, or none that anything can be done with. */
  private failed(attempt: Attempt<K, A, E>, entry: CacheEntry<K, A, E>): void {
    const { state } = this
    const { reporter, timers } = this.context
    const { load } = attempt
    const { old } = load
    const { cause } = entry.exit as Exit.Failure<A, E>
    const now = timers.now()
    this.limits.clear(attempt)
    if (attempt.isAbandoned) {
      state.loads.abandoned.delete(attempt)
      return state.discard(entry, now)
    }
    const keepsOld = state.entries.keeps(old, now)
    const isEnded = load.phase === "aborted"
    if (!isEnded) {
      if (keepsOld && old!.failures === 0) reporter.refreshFailed(old!, cause)
      reporter.emit(() => ({ _tag: "LoadFailed", key: load.key, cause, keepsOld }))
    }
    // That it was ended says nothing of the key.
    if (entry.expiresAt > entry.writtenAt && !keepsOld && !isEnded) state.loaded(load, entry, true, now)
    else state.failed(load, entry, now)
  }

  /** Where a failed load has left something in its scope, that goes first. */
  private emptied(
    scope: LazyScope,
    exit: Exit.Exit<unknown, unknown>,
    then: () => Effect.Effect<unknown, never, Env> | void
  ): Effect.Effect<void, never, Env> {
    const after = Effect.asVoid(Effect.suspend((): Effect.Effect<unknown, never, Env> => then() ?? Effect.void))
    if (!scope.isEmpty) return Effect.andThen(scope.close(exit), after)
    scope.end()
    return after
  }
}
