/**
 * What callers do with a cache: a hit is synchronous; a caller that finds nothing waits as a `Requester`. Loads and
 * releases run in fibers of their own (`Loader`, `Releaser`), off every caller's path.
 */
import { PatinoxError } from "@patinox/core"
import {
  checkDuration,
  closedExit,
  type CurrentFiber,
  enter,
  finalizersOf,
  readOptions,
  scopeOf,
  type Timers,
  UserFunction,
  withFiber
} from "@patinox/core/kernel"
import { Effect, Exit, Scope } from "effect"
import type { CacheError } from "../CacheError.js"
import type { CacheMetrics } from "./CacheMetrics.js"
import type { CallOptions } from "./CacheOptions.js"
import type { CacheParts } from "./CacheParts.js"
import { Borrow, type Lease } from "./Lease.js"
import type { Loader } from "./Loader.js"
import { Requester, type RequesterContext, type Restore } from "./Requester.js"
import type { CacheEntry } from "./state/CacheEntry.js"
import type { CacheState } from "./state/CacheState.js"

/** How a caller that finds nothing goes on. */
interface Call {
  readonly fiber: CurrentFiber
  readonly now: number
  readonly restore: Restore
  readonly options: CallOptions | undefined
  readonly takesOld?: boolean
}

/** One of several that a caller asks for: either it is got, inside an uninterruptible region, or it is cancelled. */
interface Wanted<A, E, R> {
  readonly got: Effect.Effect<A, E, R>
  readonly cancel: () => void
}

type AskedParts<K, A, E> = Pick<CacheParts<K, A, E>, "context" | "limits" | "loader" | "refusals" | "state">

export class Cache<K, A, E> {
  private readonly state: CacheState<K, A, E>
  private readonly loader: Loader<K, A, E>
  private readonly metrics: CacheMetrics
  private readonly timers: Timers
  private readonly acquireTimeout: number
  private readonly requests: RequesterContext<K, A, E>

  constructor({ context, limits, loader, refusals, state }: AskedParts<K, A, E>) {
    const { metrics, options, timers } = context
    this.state = state
    this.loader = loader
    this.metrics = metrics
    this.timers = timers
    this.acquireTimeout = options.acquireTimeout
    this.requests = { state, limits, refusals, metrics, timers }
  }

  // --- asking --------------------------------------------------------------------------------------------------------

  use<B, E2, R2>(
    key: K,
    f: (value: A) => Effect.Effect<B, E2, R2>,
    options?: CallOptions
  ): Effect.Effect<B, E | E2 | CacheError, R2> {
    return Effect.uninterruptibleMask((restore) =>
      withFiber((fiber) => {
        const now = this.timers.now()
        const entry = this.state.take(key, now, fiber)
        if (entry !== undefined) {
          this.metrics.hit()
          return this.useEntry(entry, new Borrow(fiber, now), f, restore)
        }
        return this.request(key, { fiber, now, restore, options }, (entry) =>
          this.useEntry(entry, new Borrow(fiber, this.timers.now()), f, restore))
      })
    )
  }

  private request<B, E2, R2>(
    key: K,
    call: Call,
    then: (entry: CacheEntry<K, A, E>) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2 | CacheError, R2> {
    return this.requester(key, call, then).start(call.now)
  }

  private requester<B, E2, R2>(
    key: K,
    { fiber, options, restore, takesOld = true }: Call,
    then: (entry: CacheEntry<K, A, E>) => Effect.Effect<B, E2, R2>
  ): Requester<K, A, E, B, E2, R2> {
    return new Requester(this.requests, { key, fiber, limit: this.limitOf(options), takesOld, restore, then })
  }

  /** A bad one is a mistake of the program, and ends it with the `Validation`. */
  private limitOf(options: CallOptions | undefined): number {
    if (options === undefined) return this.acquireTimeout
    const checked = readOptions(() => {
      const { acquireTimeout } = options
      return acquireTimeout === undefined
        ? this.acquireTimeout
        : checkDuration("acquireTimeout", acquireTimeout)
    })
    if (checked instanceof PatinoxError.Validation) throw checked
    return checked
  }

  private useEntry<B, E2, R2>(
    entry: CacheEntry<K, A, E>,
    borrow: Borrow,
    f: (value: A) => Effect.Effect<B, E2, R2>,
    restore: Restore
  ): Effect.Effect<B, E | E2, R2> {
    const { lease } = entry
    if (lease === undefined || lease.isSpoiled) return this.failure(entry)
    lease.add(borrow)
    borrow.inside = enter(borrow.fiber, borrow)
    // One step less than `Effect.exit` and what follows it.
    return Effect.matchCauseEffect(restore(Effect.suspend(() => UserFunction.effectOf(f, lease.value, undefined))), {
      onFailure: (cause) => {
        this.endBorrow(entry, borrow)
        return Effect.failCause(cause)
      },
      onSuccess: (value) => {
        this.endBorrow(entry, borrow)
        return Effect.succeed(value)
      }
    })
  }

  /** For as long as the scope at hand is open. */
  readonly get = (key: K, options?: CallOptions): Effect.Effect<A, E | CacheError, Scope.Scope> =>
    withFiber((fiber) => {
      const scope = scopeOf(fiber)
      const finalizers = finalizersOf(scope)
      if (finalizers === undefined) return this.getBound(key, options)
      const now = this.timers.now()
      const entry = this.state.take(key, now, fiber)
      if (entry === undefined) return this.getBound(key, options)
      this.metrics.hit()
      const { lease } = entry
      if (lease === undefined || lease.isSpoiled) return this.failure(entry)
      // All in one step, in which nothing can be interrupted.
      const borrow = this.borrow(lease, fiber, now)
      finalizers.set({}, this.finalizerOf(entry, borrow, scope))
      return Effect.succeed(lease.value)
    })

  private getBound(key: K, options?: CallOptions): Effect.Effect<A, E | CacheError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      withFiber((fiber) => this.getNow(key, { fiber, now: this.timers.now(), restore, options }).got)
    )
  }

  private getNow(key: K, call: Call): Wanted<A, E | CacheError, Scope.Scope> {
    const { fiber, now } = call
    const entry = this.state.take(key, now, fiber)
    const wasOpen = closedExit(scopeOf(fiber)) === undefined
    if (entry === undefined) {
      return this.wanted(key, call, (entry) => this.keep(entry, fiber, this.timers.now(), { wasOpen }))
    }
    this.metrics.hit()
    return {
      got: Effect.suspend(() => this.keep(entry, fiber, now, { wasOpen })),
      cancel: () => this.state.leave(entry)
    }
  }

  private wanted<R>(
    key: K,
    call: Call,
    then: (entry: CacheEntry<K, A, E>) => Effect.Effect<A, E, R>
  ): Wanted<A, E | CacheError, R> {
    const requester = this.requester(key, call, then)
    return { got: requester.start(call.now), cancel: () => requester.cancel() }
  }

  /** All are requested at once, and waited for one by one. A failure cancels the rest. */
  getAll(keys: Iterable<K>, options?: CallOptions): Effect.Effect<Array<A>, E | CacheError, Scope.Scope> {
    return this.all(keys, options, (key, call) => this.getNow(key, call))
  }

  getAllPlain(keys: Iterable<K>, options?: CallOptions): Effect.Effect<Array<A>, E | CacheError> {
    return this.all(keys, options, (key, call) => {
      const entry = this.state.take(key, call.now, call.fiber)
      if (entry === undefined) return this.wanted(key, call, (entry) => entry.exit)
      this.metrics.hit()
      return { got: entry.exit, cancel: () => {} }
    })
  }

  private all<R>(
    keys: Iterable<K>,
    options: CallOptions | undefined,
    getNow: (key: K, call: Call) => Wanted<A, E | CacheError, R>
  ): Effect.Effect<Array<A>, E | CacheError, R> {
    return Effect.uninterruptibleMask((restore) =>
      withFiber((fiber) => {
        this.limitOf(options)
        const call = { fiber, now: this.timers.now(), restore, options }
        const keyed = UserFunction.call<ReadonlyArray<K> | Effect.Effect<never>>(() => [...keys], UserFunction.dieOf)
        if (Effect.isEffect(keyed)) return keyed
        const left = this.loader.together(() => keyed.map((key) => getNow(key, call))).reverse()
        const next: Effect.Effect<A, E | CacheError, R> = Effect.suspend(() => left.pop()!.got)
        return Effect.onError(
          Effect.all(keyed.map(() => next)),
          () => Effect.sync(() => left.forEach(({ cancel }) => cancel()))
        )
      })
    )
  }

  /** As `get`, where a good value is there. */
  readonly getIfPresent = (key: K): Effect.Effect<Exit.Exit<A, E> | undefined, never, Scope.Scope> =>
    Effect.uninterruptible(withFiber((fiber) => {
      const entry = this.present(key)
      return entry === undefined ? Effect.succeed(undefined) : Effect.exit(this.keep(entry, fiber, this.timers.now()))
    }))

  /** A good value, in use from now on. */
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
      entry !== undefined && entry.lease?.isSpoiled !== true && state.entries.isFit(entry, now)
    ) as Array<
      CacheEntry<K, A, E>
    >
  }

  /** For as long as the scope at hand is open, without a use. */
  readonly peek = (keys?: Iterable<K>): Effect.Effect<Array<A>, never, Scope.Scope> =>
    Effect.uninterruptible(withFiber((fiber) => {
      const now = this.timers.now()
      const entries = this.fit(keys)
      for (const entry of entries) this.state.entries.use(entry)
      return Effect.orDie(Effect.forEach(entries, (entry) => this.keep(entry, fiber, now, { isUse: false })))
    }))

  private keep(
    entry: CacheEntry<K, A, E>,
    fiber: CurrentFiber,
    now: number,
    { isUse = true, wasOpen = false }: { readonly isUse?: boolean; readonly wasOpen?: boolean } = {}
  ): Effect.Effect<A, E> {
    const { lease } = entry
    if (lease === undefined || lease.isSpoiled) return this.failure(entry)
    const scope = scopeOf(fiber)
    const borrow = this.borrow(lease, fiber, now)
    return Effect.flatMap(
      Scope.addFinalizerExit(scope, this.finalizerOf(entry, borrow, scope, isUse)),
      // A scope that has closed meanwhile has ended the borrow, and the value may be released by now.
      () => borrow.isOver && wasOpen ? Effect.interrupt : Effect.succeed(lease.value)
    )
  }

  /** Done when it is called, and so out of reach of an interruption: a scope hands its closer's interruptibility on. */
  private finalizerOf(
    entry: CacheEntry<K, A, E>,
    borrow: Borrow,
    scope: Scope.Scope,
    isUse = true
  ): () => Effect.Effect<void> {
    borrow.scope = scope
    return () => {
      this.endBorrow(entry, borrow, isUse)
      return Effect.void
    }
  }

  /** An entry that has a value none the less is released. */
  private failure(entry: CacheEntry<K, A, E>): Effect.Effect<never, E> {
    this.state.leave(entry)
    return entry.exit as Exit.Exit<never, E>
  }

  private borrow(lease: Lease<A>, fiber: CurrentFiber, now: number): Borrow {
    const borrow = new Borrow(fiber, now)
    lease.add(borrow)
    return borrow
  }

  private endBorrow(entry: CacheEntry<K, A, E>, borrow: Borrow, isUse = true): void {
    if (borrow.isOver) return
    borrow.isOver = true
    borrow.inside?.end()
    entry.lease!.remove(borrow)
    this.state.leave(entry, isUse)
    // The fiber that closes the cache may be the only one left that uses it.
    if (!this.state.isOpen) this.state.ports.notifyWaiters()
  }

  /** The way of a plain cache: a value that is there costs one step. */
  readonly getPlain = (key: K, options?: CallOptions): Effect.Effect<A, E | CacheError> =>
    withFiber((fiber) => {
      const now = this.timers.now()
      const entry = this.state.take(key, now, fiber)
      if (entry !== undefined) {
        this.metrics.hit()
        return entry.exit
      }
      return Effect.uninterruptibleMask((restore) =>
        this.request(key, { fiber, now, restore, options }, (entry) => entry.exit)
      )
    })

  // --- by hand -------------------------------------------------------------------------------------------------------

  /** Loads the key again. Its value stays until the new one is there, and where there will be none. */
  refresh(key: K, options?: CallOptions): Effect.Effect<void, E | CacheError> {
    return Effect.uninterruptibleMask((restore) =>
      withFiber((fiber) => {
        const call = { fiber, now: this.timers.now(), restore, options, takesOld: false }
        return this.request(key, call, (entry): Effect.Effect<void, E> => {
          this.state.leave(entry)
          return Exit.asVoid(entry.exit)
        })
      })
    )
  }

  invalidate(key: K): boolean {
    return this.state.invalidate(key, this.timers.now())
  }

  invalidateWhere(isMeant: (key: K, value: A) => boolean): number {
    // A failure cannot be chosen by its value, and the value that there would have been may be meant.
    const failures: Array<CacheEntry<K, A, E>> = []
    const meant: Array<CacheEntry<K, A, E>> = []
    for (const entry of this.state.entries.all()) {
      const { exit, key } = entry
      if (Exit.isFailure(exit)) failures.push(entry)
      else if (isMeant(key, exit.value)) meant.push(entry)
    }
    this.state.invalidateThese([...meant, ...failures], this.timers.now())
    return meant.length
  }

  invalidateAll(): number {
    return this.state.invalidateAll(this.timers.now())
  }
}
