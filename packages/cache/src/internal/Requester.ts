/** Somebody who found no value: until the lookup is over and it goes on, or is refused, interrupted, or out of time. */
import { callback, type Deadline } from "@patinox/core/kernel"
import { Effect } from "effect"
import { CacheCycle, type CacheError, type CacheFull } from "../CacheError.js"
import type { WorkItem } from "./ActiveWork.js"
import type { Cache, Restore } from "./Cache.js"
import * as Seam from "./Seam.js"
import type { CacheEntry } from "./state/CacheEntry.js"
import type { Load, LoadRequester } from "./state/Load.js"
import * as RoomCircle from "./state/RoomCircle.js"

/** What a caller asks for. */
export interface Request<K, A, E, B, E2, R2> {
  readonly key: K
  readonly fiber: Seam.CurrentFiber
  /** In milliseconds. */
  readonly limit: number
  /** Any value will do; else one that is looked up from now on. */
  readonly takesOld: boolean
  readonly restore: Restore
  /** How it goes on with a value, which is in use. */
  readonly then: (entry: CacheEntry<K, A, E>) => Effect.Effect<B, E2, R2>
}

const nothing: ReadonlyArray<WorkItem> = []

export class Requester<K, A, E, B, E2, R2> implements LoadRequester<K, A, E>, Deadline, RoomCircle.Waiter {
  index = -1
  at = Infinity
  loading: Load<K, A, E> | undefined = undefined
  within: ReadonlyArray<WorkItem> = nothing
  sibling: RoomCircle.Waiter | undefined = undefined
  private entry: CacheEntry<K, A, E> | undefined = undefined
  private error: CacheError | undefined = undefined
  /** The lookup that it is a part of. */
  private partOf: Load<any, any, any> | undefined = undefined
  private isOver = false
  private resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined

  constructor(private readonly cache: Cache<K, A, E>, private readonly request: Request<K, A, E, B, E2, R2>) {}

  get fiber(): Seam.CurrentFiber {
    return this.request.fiber
  }

  get takesOld(): boolean {
    return this.request.takesOld
  }

  /** What it gives must run at once, inside an uninterruptible region. */
  start(now: number): Effect.Effect<B, E2 | CacheError, R2> {
    const { cache, request: { fiber, key, limit } } = this
    const { options, state, timers } = cache
    const work = Seam.workOf(fiber)
    const within = work?.lookup
    const existing = state.loads.get(key)
    this.count(existing)
    if (within !== undefined && existing?.waitsFor(within) === true) {
      return Effect.fail(new CacheCycle({ cache: options.name, key }))
    }
    const loading = state.loads.join(this, key, now, fiber)
    cache.updateGauges()
    if (loading === "closed") return Effect.fail(cache.closed())
    if (loading === "full") return Effect.fail(cache.full(key, false))
    this.loading = loading
    if (work !== undefined) this.within = [...work.items()]
    this.partOf = within
    within?.waits(loading, 1)
    if (!this.isAnswered) {
      RoomCircle.enter(this)
      if (RoomCircle.isClosedBy(this)) return this.inCircle(loading, within)
      timers.set(this, now + limit)
    }
    const answered = callback<void>((resume) => {
      this.resume = resume
      if (this.isAnswered) resume(Effect.void)
    })
    return Effect.matchCauseEffect(this.request.restore(answered), {
      onFailure: (cause) => {
        within?.waits(loading, -1)
        this.giveUp(loading)
        return Effect.failCause(cause)
      },
      onSuccess: (): Effect.Effect<B, E2 | CacheError, R2> => {
        within?.waits(loading, -1)
        this.resume = undefined
        return this.entry === undefined ? Effect.fail(this.error!) : this.request.then(this.entry)
      }
    })
  }

  /** Whoever joins a lookup causes none, as in Caffeine: that is a hit. To look up anew is neither. */
  private count(existing: Load<K, A, E> | undefined): void {
    if (!this.takesOld) return
    if (existing === undefined) this.cache.metrics.missed()
    else this.cache.metrics.hit()
  }

  /** Everything waits for this caller to go on, and it for room: it goes without. */
  private inCircle(
    loading: Load<K, A, E>,
    within: Load<any, any, any> | undefined
  ): Effect.Effect<never, CacheFull> {
    const { cache, request: { key } } = this
    const error = cache.full(key, true)
    this.isOver = true
    RoomCircle.leave(this)
    within?.waits(loading, -1)
    cache.state.loads.abandon(this, loading)
    cache.updateGauges()
    return Effect.fail(error)
  }

  /** It does not wait for the answer, which may be there. */
  cancel(): void {
    if (this.loading === undefined || this.isOver) return
    this.partOf?.waits(this.loading, -1)
    this.giveUp(this.loading)
  }

  private get isAnswered(): boolean {
    return this.entry !== undefined || this.error !== undefined
  }

  serve(entry: CacheEntry<K, A, E>): void {
    this.entry = entry
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
    RoomCircle.leave(this)
    this.cache.timers.clear(this)
    this.resume?.(Effect.void)
  }

  /** It is interrupted; it may have been served at the same time. */
  private giveUp(loading: Load<K, A, E>): void {
    const { cache, entry } = this
    this.resume = undefined
    RoomCircle.leave(this)
    cache.timers.clear(this)
    if (entry === undefined) cache.state.loads.abandon(this, loading)
    else cache.state.leave(entry)
    cache.updateGauges()
  }

  onDue(): void {
    const { cache, loading, request: { key, limit } } = this
    const old = cache.state.givenOld(this, loading!, cache.timers.now())
    const stage = loading!.phase === "queued" ? "room" : "lookup"
    const counts = cache.counts()
    cache.state.loads.abandon(this, loading!)
    cache.lookups.overdue(loading!)
    cache.updateGauges()
    if (old !== undefined) this.serve(old)
    else this.fail(cache.timedOut(key, stage, limit, counts))
  }
}
