/**
 * The end of a pool, in one course however many ask for it: nobody new is let in, who waits is served or refused, idle
 * items go, those in use are waited for, and before the deadline taken from their holders.
 */
import type { CleanupError, ResourceId } from "@patinox/core"
import { makeDeadline } from "@patinox/core/Foundation"
import { Deferred, Effect } from "effect"
import type { Pool } from "./Pool.js"
import type * as Seam from "./Seam.js"

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
export const forceMargin = (timeout: number): number => Math.min(5_000, timeout / 5)

export class Drain {
  /** Fibers that drain the pool while they hold items: nobody waits for those. */
  private readonly drainers = new Set<Seam.CurrentFiber>()
  private readonly startedAt: number
  private reclaimed = 0
  private destroyed = 0
  private readonly failed: Array<PoolReport["failed"][number]> = []

  constructor(
    private readonly pool: Pool<any, any>,
    private readonly timeout: number,
    private readonly waiters: "fail" | "serve",
    readonly report: Deferred.Deferred<PoolReport>
  ) {
    this.startedAt = pool.timers.now()
  }

  join(fiber: Seam.CurrentFiber): void {
    this.drainers.add(fiber)
    this.pool.state.host.settled()
  }

  private get held(): number {
    let held = 0
    for (const { fiber } of this.pool.leases.all()) if (this.drainers.has(fiber)) held++
    return held
  }

  private get isQuiet(): boolean {
    const { creating, destroying, inUse, waiting } = this.pool.state
    return waiting.size === 0 && creating === 0 && destroying === 0 && inUse === this.held
  }

  /** Waits until nothing is left, or the instant has come. */
  private quietBy(at: number): Effect.Effect<void> {
    const { onSettled, timers } = this.pool
    return Effect.async<void>((resume) => {
      if (this.isQuiet) return resume(Effect.void)
      const over = () => {
        onSettled.delete(look)
        timers.clear(deadline)
        resume(Effect.void)
      }
      const look = () => {
        if (this.isQuiet) over()
      }
      const deadline = makeDeadline(over)
      onSettled.add(look)
      timers.set(deadline, at)
    })
  }

  readonly run: Effect.Effect<void> = Effect.gen(this, function*() {
    const { leases, lifecycle, state, teller, timers } = this.pool
    const deadline = this.startedAt + this.timeout
    this.pool.onDestroyed = (item, error) => {
      this.destroyed++
      if (error !== undefined) this.failed.push({ id: item.id, error })
    }
    teller.emit(() => ({ _tag: "Draining" }))
    let refused = state.drain(timers.now(), this.waiters === "serve" ? "serve" : "refuse")
    if (state.waiting.size === 0) lifecycle.interruptCreations()
    this.pool.counted()
    yield* this.quietBy(deadline - forceMargin(this.timeout))
    refused += state.close(timers.now())
    lifecycle.interruptCreations()
    for (const lease of leases.all()) {
      if (this.drainers.has(lease.fiber)) continue
      this.reclaimed++
      this.pool.reclaim(lease)
    }
    yield* this.quietBy(deadline)
    const now = timers.now()
    const isQuiet = this.isQuiet
    this.pool.onDestroyed = undefined
    this.pool.counted()
    leases.stop()
    teller.emit(() => ({ _tag: "Closed" }))
    const report: PoolReport = {
      pool: this.pool.options.name,
      durationMillis: now - this.startedAt,
      deadlineMillis: this.timeout,
      deadlineReached: !isQuiet,
      refused,
      reclaimed: this.reclaimed,
      destroyed: this.destroyed - this.failed.length,
      failed: this.failed,
      stillHeld: this.held,
      stillRunning: state.creating + state.destroying
    }
    yield* Deferred.succeed(this.report, report)
  })
}
