/**
 * The end of a cache, in one course however many callers close it: no new caller is let in, loads end, unused values
 * are released, used ones are waited for and, before the deadline, released under their users' hands.
 */
import {
  callback,
  type CurrentFiber,
  type Deadline,
  forkLater,
  isInside,
  makeDeadline,
  makeDeferred,
  nextTurn
} from "@patinox/core/kernel"
import { Deferred, Effect } from "effect"
import { abandonedOf } from "./AbandonedLookup.js"
import { type WorkItem, workOf } from "./ActiveWork.js"
import type { CacheContext } from "./CacheContext.js"
import type { CacheParts } from "./CacheParts.js"
import type { CacheReport } from "./CacheReport.js"
import type { Borrow } from "./Lease.js"
import type { LoadLimits } from "./LoadLimits.js"
import type { Releaser } from "./Releaser.js"
import { CacheEntry } from "./state/CacheEntry.js"
import type { CacheState } from "./state/CacheState.js"
import { type Attempt, Load } from "./state/Load.js"

type AnyLoad = Load<any, any, any>

/** How many values go before others have a turn: at first, and so that a turn takes some milliseconds. */
const firstTurn = 16
const longestTurn = 64
const shortMillis = 2
const longMillis = 5

/** Shortly before the deadline, so that there is time to release: a fifth of the time, at most 5 seconds. */
const forceMargin = (timeout: number): number => Math.min(5_000, timeout / 5)

type CloseParts = Pick<CacheParts<any, any, any>, "context" | "limits" | "releaser" | "state" | "waiters">

export class CacheClose {
  readonly report = makeDeferred<CacheReport>()
  /** What the fibers that wait for the end use or do: the close does not wait for these. */
  private readonly own = new Set<Borrow | WorkItem>()
  private readonly startedAt: number
  private forceAt = Infinity
  private deadlineAt = 0
  /** What is waited for until one of these instants. */
  private stage: { readonly deadline: Deadline; readonly until: () => number } | undefined = undefined
  private refused = 0
  private reclaimed = 0
  private released = 0
  private readonly failed: Array<CacheReport["failed"][number]> = []

  private readonly context: CacheContext<any, any, any>
  private readonly state: CacheState<any, any, any>
  private readonly limits: LoadLimits<any, any, any>
  private readonly releaser: Releaser<any, any, any>
  /** Those that wait for the counts to change. */
  private readonly waiters: Set<() => void>

  constructor({ context, limits, releaser, state, waiters }: CloseParts) {
    this.context = context
    this.state = state
    this.limits = limits
    this.releaser = releaser
    this.waiters = waiters
    this.startedAt = context.timers.now()
    this.endBy(this.startedAt, context.options.closeTimeout)
  }

  private endBy(now: number, timeout: number): void {
    this.deadlineAt = now + timeout
    // An earlier deadline leaves less time to release, and is no reason to begin later with that.
    this.forceAt = Math.min(this.forceAt, this.deadlineAt - forceMargin(timeout))
  }

  /** The closing fiber has no more than this. */
  hasten(timeout: number): void {
    const { timers } = this.context
    const now = timers.now()
    if (now + timeout >= this.deadlineAt) return
    this.endBy(now, timeout)
    if (this.stage !== undefined) timers.set(this.stage.deadline, this.stage.until())
  }

  /** Stops the intake at once, and waits in a fiber of its own. */
  start(): void {
    const { context: { reporter, runtime }, releaser, state } = this
    releaser.onReleased = ({ error, entry }) => {
      this.released++
      if (error !== undefined) this.failed.push({ id: entry.lease!.id, key: entry.key, error })
    }
    reporter.emit(() => ({ _tag: "Closing" }))
    this.refused = state.close()
    const isMore = state.closeSome(firstTurn)
    forkLater(runtime, this.finish)
    if (isMore) forkLater(runtime, this.goOn(firstTurn / 2))
  }

  /**
   * What is left of a large cache goes in steps: timers have their turns, that of the deadline included. How long a
   * turn takes is up to the releases that begin in it, so the last one says how many begin in the next.
   */
  private goOn(most: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { context: { timers }, state } = this
      const from = timers.now()
      return Effect.flatMap(nextTurn, () => {
        const took = timers.now() - from
        const next = took > longMillis ? Math.max(1, most / 2) : took < shortMillis ? most * 2 : most
        const isMore = state.closeSome(Math.ceil(Math.min(next, longestTurn)))
        return isMore ? this.goOn(Math.min(next, longestTurn)) : Effect.void
      })
    })
  }

  /**
   * A fiber that waits for the report may use values, or be what looks up or releases one, or run inside of such,
   * whatever stands in between: a timeout, a race, several side by side, a daemon. What a fiber that it runs inside of
   * has got for a scope is another thing: that fiber need not be waiting.
   */
  join(fiber: CurrentFiber): void {
    const { state } = this
    for (const entry of state.entries.retired) {
      for (const borrow of entry.lease!.borrows()) {
        if (borrow.isScoped ? borrow.fiber === fiber : isInside(fiber, borrow)) this.own.add(borrow)
      }
    }
    for (const item of workOf(fiber)?.items() ?? []) {
      const isOurs = item instanceof Load ? state.loads.running.has(item) : item.owner === state
      if (isOurs) this.own.add(item)
    }
    state.ports.notifyWaiters()
  }

  /** Only the closing fibers use the value. */
  private isOwn(entry: CacheEntry<any, any, any>): boolean {
    const borrows = entry.lease!.borrows()
    return this.own.has(entry) || (borrows.length > 0 && borrows.every((borrow) => this.own.has(borrow)))
  }

  /** Its release will come by itself: a closing fiber looks at it or uses it, and that ends, unlike a scope. */
  private endsByItself(entry: CacheEntry<any, any, any>): boolean {
    return this.own.has(entry) || entry.lease!.borrows().some((borrow) => this.own.has(borrow) && !borrow.isScoped)
  }

  /** Values that only closing fibers use. */
  private get ownUsed(): number {
    let used = 0
    if (this.own.size === 0) return used
    for (const entry of this.state.entries.retired) if (this.isOwn(entry)) used++
    return used
  }

  /** Loads and releases that the cache is closed from. */
  private get ownRunning(): number {
    let own = 0
    for (const item of this.own) {
      if (
        item instanceof CacheEntry
          ? item.status === "releasing"
          : this.state.loads.running.has(item as AnyLoad)
      ) {
        own++
      }
    }
    return own
  }

  /** Loads under way that the cache is not closed from. */
  private get unended(): Array<Attempt<any, any, any>> {
    return [...this.state.loads.running].flatMap((load) =>
      load.attempt === undefined || this.own.has(load) ? [] : [load.attempt]
    )
  }

  private get running(): number {
    const { loads, occupancy } = this.state
    return loads.running.size + occupancy.cached + occupancy.releasing - this.ownRunning
  }

  private get isQuiet(): boolean {
    return this.running === 0 && this.state.entries.retired.size === this.ownUsed
  }

  /** Waits until nothing is left, or the instant has come. */
  private quietBy(until: () => number): Effect.Effect<void> {
    const { context: { timers }, waiters } = this
    return callback<void>((resume) => {
      const over = () => {
        waiters.delete(look)
        timers.clear(deadline)
        this.stage = undefined
        resume(Effect.void)
      }
      const look = () => {
        if (this.isQuiet) over()
      }
      const deadline = makeDeadline(over)
      waiters.add(look)
      this.stage = { deadline, until }
      timers.set(deadline, until())
      look()
    })
  }

  private readonly finish: Effect.Effect<void> = Effect.gen(this, function*() {
    const { context: { options, reporter, timers }, limits, releaser, state } = this
    yield* this.quietBy(() => this.forceAt)
    for (const load of state.loads.running) if (!this.own.has(load)) limits.cutOff(load)
    let n = 0
    for (const entry of state.entries.retired) {
      if (this.endsByItself(entry)) continue
      this.reclaimed++
      state.entries.reclaim(entry)
      if (++n % firstTurn === 0) yield* nextTurn
    }
    yield* this.quietBy(() => this.deadlineAt)
    const isQuiet = this.isQuiet
    const abandoned = [...state.loads.abandoned, ...this.unended]
    releaser.onReleased = undefined
    reporter.closed()
    yield* Deferred.succeed(this.report, {
      cache: options.name,
      durationMillis: timers.now() - this.startedAt,
      deadlineMillis: this.deadlineAt - this.startedAt,
      deadlineReached: !isQuiet,
      refused: this.refused,
      reclaimed: this.reclaimed,
      released: this.released - this.failed.length,
      failed: this.failed,
      stillHeld: this.ownUsed + this.ownRunning,
      stillRunning: this.running,
      abandoned: abandoned.map((attempt) => abandonedOf(attempt, timers.now()))
    })
  })
}
