/**
 * The end of a pool, in one course however many ask for it: nobody new is let in, who waits is served or refused, idle
 * items go, those in use are waited for, and before the deadline taken from their holders.
 */
import type { CleanupError, ResourceId } from "@patinox/core"
import { callback, type Deadline, isInside, leftMillis, makeDeadline } from "@patinox/core/kernel"
import { Deferred, Effect } from "effect"
import type { LeaseHandle } from "./Lease.js"
import type { Pool } from "./Pool.js"
import type { ResolvedDrain } from "./PoolOptions.js"
import * as Seam from "./Seam.js"

/** What became of a pool. */
export interface PoolReport {
  readonly pool: string
  readonly durationMillis: number
  readonly deadlineMillis: number
  /** Something was left when the time was up. */
  readonly deadlineReached: boolean
  /** Borrowers that waited, and were told that the pool is closed. */
  readonly refused: number
  /** Items that were destroyed in their holders' hands. */
  readonly reclaimed: number
  /** Items that were destroyed, without failure or with. */
  readonly destroyed: number
  readonly failed: ReadonlyArray<{
    readonly id: ResourceId.ResourceId
    readonly error: CleanupError.CleanupError<unknown>
  }>
  /** Held by who drains the pool, to be destroyed at their return. */
  readonly stillHeld: number
  /** Still being created or destroyed when the time was up. */
  readonly stillRunning: number
}

/** Shortly before the deadline, so that there is time to destroy: a fifth of the time, at most 5 seconds. */
const forceMargin = (timeout: number): number => Math.min(5_000, timeout / 5)

/** With its scope a pool has no more time than that, or than the process that shuts down. */
export const ownTime = (fiber: Seam.CurrentFiber, { context }: Seam.PoolRuntime<never>, timeout: number): number =>
  Math.max(1, Math.min(timeout, leftMillis(fiber, context)))

/** Begins the end of a pool, or comes to the one that goes on, which then ends by the earlier of the two deadlines. */
export const drain = (pool: Pool<any, any>, { timeout, waiters }: ResolvedDrain): PoolDrain => {
  if (pool.drain !== undefined) {
    pool.drain.hasten(timeout)
    return pool.drain
  }
  pool.drain = new PoolDrain(pool, timeout, waiters)
  pool.drain.start()
  return pool.drain
}

export class PoolDrain {
  readonly report = Seam.makeDeferred<PoolReport>()
  /** Of those who wait for the drain while they hold an item: nobody waits for these. */
  private readonly own = new Set<LeaseHandle<any>>()
  private readonly startedAt: number
  private forceAt = Infinity
  private deadlineAt = 0
  /** What is waited for until one of these instants. */
  private stage: { readonly deadline: Deadline; readonly until: () => number } | undefined = undefined
  private refused = 0
  private reclaimed = 0
  private destroyed = 0
  private readonly failed: Array<PoolReport["failed"][number]> = []

  constructor(
    private readonly pool: Pool<any, any>,
    timeout: number,
    private readonly waiters: "fail" | "serve"
  ) {
    this.startedAt = pool.timers.now()
    this.endBy(this.startedAt, timeout)
  }

  private endBy(now: number, timeout: number): void {
    this.deadlineAt = now + timeout
    // An earlier deadline leaves less time to destroy, and is no reason to begin later with that.
    this.forceAt = Math.min(this.forceAt, this.deadlineAt - forceMargin(timeout))
  }

  hasten(timeout: number): void {
    const { timers } = this.pool
    const now = timers.now()
    if (now + timeout >= this.deadlineAt) return
    this.endBy(now, timeout)
    if (this.stage !== undefined) timers.set(this.stage.deadline, this.stage.until())
  }

  /** Stops the intake at once; what is to be waited for is, in a fiber of its own. */
  start(): void {
    const { runtime, startDraining, state, reporter, timers } = this.pool
    this.pool.onDestroyed = (item, error) => {
      this.destroyed++
      if (error !== undefined) this.failed.push({ id: item.id, error })
    }
    // Before what follows from it, in the order in which things happen.
    reporter.emit(() => ({ _tag: "Draining" }))
    this.refused = state.drain(timers.now(), this.waiters === "serve" ? "serve" : "refuse")
    if (state.waiting.size === 0) this.giveUpWork()
    this.pool.updateGauges()
    Seam.forkLater(runtime, Effect.andThen(startDraining, this.finish))
  }

  /** What is created or validated for those that wait, of whom there is none. */
  private giveUpWork(): void {
    this.pool.lifecycle.giveUpCreations()
    this.pool.checks.giveUpAll()
  }

  /**
   * A fiber that waits for the report may itself hold items, or run inside of a use of one, whatever stands in between:
   * a timeout, a race, several side by side, a daemon. What a fiber that it runs inside of holds for a scope is another thing: that fiber need not be waiting.
   */
  join(fiber: Seam.CurrentFiber): void {
    for (const lease of this.pool.leases.all()) {
      if (lease.isScoped ? lease.fiber === fiber : isInside(fiber, lease)) this.own.add(lease)
    }
    this.pool.state.host.notifyWaiters()
  }

  private get held(): number {
    let held = 0
    for (const { isOver, item } of this.own) if (!isOver && item.status === "inUse") held++
    return held
  }

  private get isQuiet(): boolean {
    const { creating, destroying, inUse, waiting } = this.pool.state
    return waiting.size === 0 && creating === 0 && destroying === 0 && inUse === this.held
  }

  /** Waits until nothing is left, or the instant has come. */
  private quietBy(until: () => number): Effect.Effect<void> {
    const { onSettled, state, timers } = this.pool
    return callback<void>((resume) => {
      const over = () => {
        onSettled.delete(look)
        timers.clear(deadline)
        this.stage = undefined
        resume(Effect.void)
      }
      const look = () => {
        if (this.isQuiet) over()
        else if (state.waiting.size === 0) this.giveUpWork()
      }
      const deadline = makeDeadline(over)
      onSettled.add(look)
      this.stage = { deadline, until }
      timers.set(deadline, until())
      look()
    })
  }

  private readonly finish: Effect.Effect<void> = Effect.gen(this, function*() {
    const { checks, leases, lifecycle, state, reporter, timers } = this.pool
    yield* this.quietBy(() => this.forceAt)
    this.refused += state.close(timers.now())
    lifecycle.cutOffCreations()
    for (const lease of leases.all()) {
      // The return of what its drainer uses is certain.
      if (this.own.has(lease) && !lease.isScoped) continue
      if (lease.item.status === "inUse") this.reclaimed++
      this.pool.reclaim(lease)
    }
    for (const item of checks.running) state.giveBack(item, timers.now(), "reclaimed")
    yield* this.quietBy(() => this.deadlineAt)
    const isQuiet = this.isQuiet
    this.pool.onDestroyed = undefined
    this.pool.updateGauges()
    leases.stop()
    reporter.closed()
    const report: PoolReport = {
      pool: this.pool.options.name,
      durationMillis: timers.now() - this.startedAt,
      deadlineMillis: this.deadlineAt - this.startedAt,
      deadlineReached: !isQuiet,
      refused: this.refused,
      reclaimed: this.reclaimed,
      destroyed: this.destroyed - this.failed.length,
      failed: this.failed,
      stillHeld: this.held,
      stillRunning: state.creating + state.destroying
    }
    yield* Deferred.succeed(this.report, report)
  })
}
