/** A caller that found no value: until the load is over and it goes on, or is refused, interrupted, or out of time. */
import { callback, type CurrentFiber, type Deadline, type Timers } from "@patinox/core/kernel"
import { Effect } from "effect"
import type { CacheError, CacheFull } from "../CacheError.js"
import { type WorkItem, workOf } from "./ActiveWork.js"
import type { CacheMetrics } from "./CacheMetrics.js"
import type { LoadLimits } from "./LoadLimits.js"
import type { Refusals } from "./Refusals.js"
import type { CacheEntry } from "./state/CacheEntry.js"
import type { CacheState } from "./state/CacheState.js"
import type { Load, LoadRequester } from "./state/Load.js"
import * as RoomCircle from "./state/RoomCircle.js"
import type { CacheStage, LoadPhase } from "./state/Vocabulary.js"

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** What a caller asks for. */
export interface Request<K, A, E, B, E2, R2> {
  readonly key: K
  readonly fiber: CurrentFiber
  /** In milliseconds. */
  readonly limit: number
  /** Any value will do; else only a value that is loaded from now on. */
  readonly takesOld: boolean
  readonly restore: Restore
  /** How it goes on with a value, which is in use. */
  readonly then: (entry: CacheEntry<K, A, E>) => Effect.Effect<B, E2, R2>
}

/** What all callers of a cache have to do with. */
export interface RequesterContext<K, A, E> {
  readonly state: CacheState<K, A, E>
  readonly limits: LoadLimits<K, A, E>
  readonly refusals: Refusals
  readonly metrics: CacheMetrics
  readonly timers: Timers
}

/** What the caller of a load waits for. */
const stages: { readonly [Phase in LoadPhase]: CacheStage } = {
  behind: "lookup",
  queued: "room",
  running: "lookup",
  aborted: "lookup",
  over: "lookup"
}

const nothing: ReadonlyArray<WorkItem> = []

export class Requester<K, A, E, B, E2, R2> implements LoadRequester<K, A, E>, Deadline, RoomCircle.Waiter {
  index = -1
  at = Infinity
  load: Load<K, A, E> | undefined = undefined
  within: ReadonlyArray<WorkItem> = nothing
  sibling: RoomCircle.Waiter | undefined = undefined
  private entry: CacheEntry<K, A, E> | undefined = undefined
  private error: CacheError | undefined = undefined
  /** The load that it is a part of. */
  private partOf: Load<any, any, any> | undefined = undefined
  private isOver = false
  private resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined

  constructor(
    private readonly context: RequesterContext<K, A, E>,
    private readonly request: Request<K, A, E, B, E2, R2>
  ) {}

  get fiber(): CurrentFiber {
    return this.request.fiber
  }

  get takesOld(): boolean {
    return this.request.takesOld
  }

  /** What it gives must run at once, inside an uninterruptible region. */
  start(now: number): Effect.Effect<B, E2 | CacheError, R2> {
    const { context: { refusals, state, timers }, request: { fiber, key, limit } } = this
    const work = workOf(fiber)
    const within = work?.load
    const existing = state.loads.get(key)
    this.count(existing)
    if (within !== undefined && existing?.waitsFor(within) === true) return Effect.fail(refusals.cycle(key))
    const load = state.loads.join(this, key, now, fiber)
    if (typeof load === "string") return Effect.fail(refusals.of(load, key))
    this.load = load
    if (work !== undefined) this.within = [...work.items()]
    this.partOf = within
    within?.waits(load, 1)
    if (!this.isAnswered) {
      RoomCircle.enter(this)
      if (RoomCircle.isClosedBy(this)) return this.inCircle(load, within)
      timers.set(this, now + limit)
    }
    const answered = callback<void>((resume) => {
      this.resume = resume
      if (this.isAnswered) resume(Effect.void)
    })
    return Effect.matchCauseEffect(this.request.restore(answered), {
      onFailure: (cause) => {
        within?.waits(load, -1)
        this.leave(load)
        return Effect.failCause(cause)
      },
      onSuccess: (): Effect.Effect<B, E2 | CacheError, R2> => {
        within?.waits(load, -1)
        this.resume = undefined
        return this.entry === undefined ? Effect.fail(this.error!) : this.request.then(this.entry)
      }
    })
  }

  /** A caller that joins a load causes none, as in Caffeine: that is a hit. A refresh is neither. */
  private count(existing: Load<K, A, E> | undefined): void {
    if (!this.takesOld) return
    if (existing === undefined) this.context.metrics.missed()
    else this.context.metrics.hit()
  }

  /** Everything waits for this caller to go on, and it for room: it goes without. */
  private inCircle(
    load: Load<K, A, E>,
    within: Load<any, any, any> | undefined
  ): Effect.Effect<never, CacheFull> {
    const { context: { refusals, state }, request: { key } } = this
    const error = refusals.full(key, true)
    this.isOver = true
    RoomCircle.leave(this)
    within?.waits(load, -1)
    state.loads.leave(this, load)
    return Effect.fail(error)
  }

  /** It does not wait for the answer, which may be there. */
  cancel(): void {
    if (this.load === undefined || this.isOver) return
    this.partOf?.waits(this.load, -1)
    this.leave(this.load)
  }

  private get isAnswered(): boolean {
    return this.entry !== undefined || this.error !== undefined
  }

  serve(entry: CacheEntry<K, A, E>): void {
    this.entry = entry
    this.settle()
  }

  goOn(): void {
    this.resume?.(Effect.void)
  }

  refuse(): void {
    this.fail(this.context.refusals.closed())
  }

  private fail(error: CacheError): void {
    this.error = error
    this.settle()
    this.goOn()
  }

  private settle(): void {
    RoomCircle.leave(this)
    this.context.timers.clear(this)
  }

  /** It is interrupted; it may have been served at the same time. */
  private leave(load: Load<K, A, E>): void {
    const { context: { state, timers }, entry } = this
    this.resume = undefined
    RoomCircle.leave(this)
    timers.clear(this)
    if (entry === undefined) state.loads.leave(this, load)
    else state.leave(entry)
  }

  onDue(): void {
    const { context: { limits, refusals, state, timers }, request: { key, limit } } = this
    const load = this.load!
    const old = state.givenOld(this, load, timers.now())
    const stage = stages[load.phase]
    const counts = refusals.counts()
    state.loads.leave(this, load)
    limits.overdue(load)
    if (old !== undefined) {
      this.serve(old)
      this.goOn()
    } else this.fail(refusals.timedOut({ key, stage, limitMillis: limit, counts }))
  }
}
