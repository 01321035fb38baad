/** Somebody who found no value: until the lookup is over and it goes on, or is refused, interrupted, or out of time. */
import type { Deadline } from "@patinox/core/Foundation"
import { Effect } from "effect"
import { CacheCycle, type CacheError, CacheFull } from "../CacheError.js"
import type { Cache, Restore } from "./Cache.js"
import type { Loading, LoadingCaller } from "./Loading.js"
import * as Seam from "./Seam.js"
import type { Slot } from "./Slot.js"

export class Caller<K, A, E, B, E2, R2> implements LoadingCaller<K, A, E>, Deadline {
  index = -1
  at = Infinity
  private loading: Loading<K, A, E> | undefined = undefined
  private slot: Slot<K, A, E> | undefined = undefined
  private error: CacheError | undefined = undefined
  private resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined

  constructor(
    private readonly cache: Cache<K, A, E>,
    private readonly key: K,
    private readonly fiber: Seam.CurrentFiber,
    readonly takesOld: boolean,
    private readonly restore: Restore,
    /** How it goes on with a value, which is in use. */
    private readonly then: (slot: Slot<K, A, E>) => Effect.Effect<B, E2, R2>
  ) {}

  /** What it gives must run at once, inside an uninterruptible region. */
  start(now: number): Effect.Effect<B, E2 | CacheError, R2> {
    const { cache, fiber, key } = this
    const { options, state, timers } = cache
    const within = Seam.workOf(fiber)?.lookup
    if (within !== undefined && state.loadingOf(key)?.waitsFor(within) === true) {
      return Effect.fail(new CacheCycle({ cache: options.name, key }))
    }
    const loading = state.join(this, key, now, fiber)
    cache.counted()
    if (loading === "closed") return Effect.fail(cache.closed())
    if (loading === "full") return Effect.fail(new CacheFull({ cache: options.name, key, counts: cache.counts() }))
    this.loading = loading
    within?.waits(loading, 1)
    if (!this.isAnswered) timers.set(this, now + options.acquireTimeout)
    const answered = Effect.async<void>((resume) => {
      this.resume = resume
      if (this.isAnswered) resume(Effect.void)
    })
    return Effect.matchCauseEffect(this.restore(answered), {
      onFailure: (cause) => {
        within?.waits(loading, -1)
        this.giveUp(loading)
        return Effect.failCause(cause)
      },
      onSuccess: (): Effect.Effect<B, E2 | CacheError, R2> => {
        within?.waits(loading, -1)
        this.resume = undefined
        return this.slot === undefined ? Effect.fail(this.error!) : this.then(this.slot)
      }
    })
  }

  private get isAnswered(): boolean {
    return this.slot !== undefined || this.error !== undefined
  }

  serve(slot: Slot<K, A, E>): void {
    this.slot = slot
    this.settle()
  }

  refuse(): void {
    this.fail(this.cache.closed())
  }

  private fail(error: CacheError): void {
    this.error = error
    this.settle()
  }

  private settle(): void {
    this.cache.timers.clear(this)
    this.resume?.(Effect.void)
  }

  /** It is interrupted; it may have been served at the same time. */
  private giveUp(loading: Loading<K, A, E>): void {
    const { cache, slot } = this
    this.resume = undefined
    cache.timers.clear(this)
    if (slot === undefined) cache.state.abandon(this, loading)
    else cache.state.leave(slot)
    cache.counted()
  }

  onDue(): void {
    const { cache, key, loading } = this
    const old = cache.state.givenOld(this, loading!, cache.timers.now())
    const error = old === undefined ? cache.timedOut(key, loading!.phase === "queued" ? "room" : "lookup") : undefined
    cache.state.abandon(this, loading!)
    cache.counted()
    if (old !== undefined) this.serve(old)
    else this.fail(error!)
  }
}
