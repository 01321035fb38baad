/**
 * The end of a pool, in one course however many ask for it: nobody new is let in, who waits is served or refused, idle
 * items go, those in use are waited for, and before the deadline taken from their holders.
 */
import type { CleanupError, ResourceId } from "@patinox/core"
import { makeDeadline } from "@patinox/core/Foundation"
import { Deferred, Effect } from "effect"
import type { LeaseHandle } from "./Lease.js"
import type { Pool } from "./Pool.js"
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

export class Drain {
  readonly report = Seam.makeDeferred<PoolReport>()
  /** Of those who wait for the drain while they hold an item: nobody waits for these. */
  private readonly own = new Set<LeaseHandle<any>>()
  private readonly startedAt: number
  private refused = 0
  private reclaimed = 0
  private destroyed = 0
  private readonly failed: Array<PoolReport["failed"][number]> = []

  constructor(
    private readonly pool: Pool<any, any>,
    private readonly timeout: number,
    private readonly waiters: "fail" | "serve"
  ) {
    this.startedAt = pool.timers.now()
  }

  /** Stops the intake at once; what is to be waited for is, in a fiber of its own. */
  start(): void {
    const { lifecycle, runtime, startDraining, state, teller, timers } = this.pool
    this.pool.onDestroyed = (item, error) => {
      this.destroyed++
      if (error !== undefined) this.failed.push({ id: item.id, error })
    }
    teller.emit(() => ({ _tag: "Draining" }))
    this.refused = state.drain(timers.now(), this.waiters === "serve" ? "serve" : "refuse")
    if (state.waiting.size === 0) lifecycle.interruptCreations()
    this.pool.counted()
    Seam.forkLater(runtime, Effect.andThen(startDraining, this.finish))
  }

  /** A fiber that waits for the report may hold items, or run inside of what holds some. */
  join(fiber: Seam.CurrentFiber): void {
    for (const lease of this.pool.leases.all()) if (Seam.isWithin(fiber, lease.fiber)) this.own.add(lease)
    this.pool.state.host.settled()
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
  private quietBy(at: number): Effect.Effect<void> {
    const { lifecycle, onSettled, state, timers } = this.pool
    return Effect.async<void>((resume) => {
      const over = () => {
        onSettled.delete(look)
        timers.clear(deadline)
        resume(Effect.void)
      }
      const look = () => {
        if (this.isQuiet) over()
        else if (state.waiting.size === 0) lifecycle.interruptCreations()
      }
      const deadline = makeDeadline(over)
      onSettled.add(look)
      timers.set(deadline, at)
      look()
    })
  }

  private readonly finish: Effect.Effect<void> = Effect.gen(this, function*() {
    const { checks, leases, lifecycle, state, teller, timers } = this.pool
    const deadline = this.startedAt + this.timeout
    yield* this.quietBy(deadline - forceMargin(this.timeout))
    this.refused += state.close(timers.now())
    lifecycle.interruptCreations()
    for (const lease of leases.all()) {
      if (this.own.has(lease)) continue
      if (lease.item.status === "inUse") this.reclaimed++
      this.pool.reclaim(lease)
    }
    for (const item of checks.running) state.giveBack(item, timers.now(), "reclaimed")
    yield* this.quietBy(deadline)
    const isQuiet = this.isQuiet
    this.pool.onDestroyed = undefined
    this.pool.counted()
    leases.stop()
    teller.closed()
    const report: PoolReport = {
      pool: this.pool.options.name,
      durationMillis: timers.now() - this.startedAt,
      deadlineMillis: this.timeout,
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
