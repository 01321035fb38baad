/**
 * The end of a pool, in one course however often it is asked for: new borrowers are refused, those that wait are served
 * or refused, idle items are destroyed, and those in use are waited for and, before the deadline, taken from their holders.
 */
import type { CleanupError, ResourceId } from "@patinox/core"
import {
  type AppRuntime,
  callback,
  type CurrentFiber,
  type Deadline,
  forkLater,
  isInside,
  leftMillis,
  makeDeadline,
  makeDeferred,
  servicesOf
} from "@patinox/core/kernel"
import { Deferred, Effect } from "effect"
import type { ItemHooks } from "./ItemHooks.js"
import type { ItemLifecycle } from "./ItemLifecycle.js"
import type { LeaseHandle } from "./Lease.js"
import type { LeaseTracker } from "./LeaseTracker.js"
import type { PoolContext } from "./PoolContext.js"
import type { ResolvedDrain } from "./PoolOptions.js"
import type { ItemState } from "./RunningCheck.js"

/** How the drain of a pool went. */
export interface PoolReport {
  readonly pool: string
  readonly durationMillis: number
  readonly deadlineMillis: number
  /** Something was left when the time was up. */
  readonly deadlineReached: boolean
  /** Borrowers that waited, and failed with `PoolClosed`. */
  readonly refused: number
  /** Items that were destroyed in their holders' hands. */
  readonly reclaimed: number
  /** Items that were destroyed, without failure or with. */
  readonly destroyed: number
  readonly failed: ReadonlyArray<{
    readonly id: ResourceId.ResourceId
    readonly error: CleanupError.CleanupError<unknown>
  }>
  /** Held by the fibers that drain the pool, and destroyed at their return. */
  readonly stillHeld: number
  /** Still being created or destroyed when the time was up. */
  readonly stillRunning: number
}

/** Shortly before the deadline, so that there is time to destroy: a fifth of the time, at most 5 seconds. */
const forceMargin = (timeout: number): number => Math.min(5_000, timeout / 5)

/** With its scope a pool has no more time than that, or than the process that shuts down. */
export const ownTime = (fiber: CurrentFiber, runtime: AppRuntime<never>, timeout: number): number =>
  Math.max(1, Math.min(timeout, leftMillis(fiber, servicesOf(runtime))))

/** What a drain uses of its pool. */
interface DrainParts {
  readonly context: PoolContext
  readonly state: ItemState<any>
  readonly hooks: ItemHooks<any>
  readonly lifecycle: ItemLifecycle<any, any>
  readonly leases: LeaseTracker
  /** Called whenever the counts have changed. */
  readonly onChanged: Set<() => void>
  /** Holders learn that the pool wants its items back. */
  readonly startDraining: Effect.Effect<unknown>
  reclaim(lease: LeaseHandle<any>): void
}

export class PoolDrain {
  readonly report = makeDeferred<PoolReport>()
  /** Leases of callers that wait for the drain, which does not wait for their return. */
  private readonly own = new Set<LeaseHandle<any>>()
  private readonly startedAt: number
  private forceAt = Infinity
  private deadlineAt = 0
  /** What is waited for until one of these instants. */
  private stage:
    | { readonly deadline: Deadline; readonly until: () => number; readonly look: () => void }
    | undefined = undefined
  private refused = 0
  private reclaimed = 0
  private destroyed = 0
  private readonly failed: Array<PoolReport["failed"][number]> = []

  constructor(private readonly parts: DrainParts, private readonly options: ResolvedDrain) {
    this.startedAt = parts.context.timers.now()
    this.endBy(this.startedAt, options.timeout)
  }

  private endBy(now: number, timeout: number): void {
    this.deadlineAt = now + timeout
    // An earlier deadline leaves less time to destroy, and is no reason to begin later with that.
    this.forceAt = Math.min(this.forceAt, this.deadlineAt - forceMargin(timeout))
  }

  hasten(timeout: number): void {
    const { timers } = this.parts.context
    const now = timers.now()
    if (now + timeout >= this.deadlineAt) return
    this.endBy(now, timeout)
    if (this.stage !== undefined) timers.set(this.stage.deadline, this.stage.until())
  }

  /** Stops the intake at once; waits for the rest in a fiber of its own. */
  start(): void {
    const { context: { reporter, runtime, timers }, lifecycle, startDraining, state } = this.parts
    lifecycle.onDestroyed = (item, error) => {
      this.destroyed++
      if (error !== undefined) this.failed.push({ id: item.id, error })
    }
    // Before what follows from it, in the order in which things happen.
    reporter.emit(() => ({ _tag: "Draining" }))
    this.refused = state.drain(timers.now(), this.options.waiters)
    if (state.waiting.size === 0) this.cancelWork()
    forkLater(runtime, Effect.andThen(startDraining, this.finish))
  }

  /** What is created or validated for borrowers that wait, where none does. */
  private cancelWork(): void {
    this.parts.lifecycle.cancelCreations()
    this.parts.hooks.cancelAll()
  }

  /**
   * A fiber that waits for the report may itself hold items, or run inside of a use of one, whatever stands in between:
   * a timeout, a race, several side by side, a daemon. What a fiber that it runs inside of holds for a scope is another
   * thing: that fiber need not be waiting.
   */
  join(fiber: CurrentFiber): void {
    for (const lease of this.parts.leases.all()) {
      if (lease.isScoped ? lease.fiber === fiber : isInside(fiber, lease)) this.own.add(lease)
    }
    this.stage?.look()
  }

  private get held(): number {
    let held = 0
    for (const { isOver, item } of this.own) if (!isOver && item.status === "inUse") held++
    return held
  }

  private get isQuiet(): boolean {
    const { creations, destroying, inUse, waiting } = this.parts.state
    return waiting.size === 0 && creations.running === 0 && destroying === 0 && inUse === this.held
  }

  /** Waits until nothing is left, or the instant has come. */
  private quietBy(until: () => number): Effect.Effect<void> {
    const { context: { timers }, onChanged, state } = this.parts
    return callback<void>((resume) => {
      const over = () => {
        onChanged.delete(look)
        timers.clear(deadline)
        this.stage = undefined
        resume(Effect.void)
      }
      const look = () => {
        if (this.isQuiet) over()
        else if (state.waiting.size === 0) this.cancelWork()
      }
      const deadline = makeDeadline(over)
      onChanged.add(look)
      this.stage = { deadline, until, look }
      timers.set(deadline, until())
      look()
    })
  }

  private readonly finish: Effect.Effect<void> = Effect.gen(this, function*() {
    const { context: { options, reporter, timers }, hooks, leases, lifecycle, state } = this.parts
    yield* this.quietBy(() => this.forceAt)
    this.refused += state.close(timers.now())
    lifecycle.cutOffCreations()
    for (const lease of leases.all()) {
      // The return of what its drainer uses is certain.
      if (this.own.has(lease) && !lease.isScoped) continue
      if (lease.item.status === "inUse") this.reclaimed++
      this.parts.reclaim(lease)
    }
    for (const item of hooks.running) state.giveBack(item, timers.now(), "reclaimed")
    yield* this.quietBy(() => this.deadlineAt)
    const isQuiet = this.isQuiet
    lifecycle.onDestroyed = undefined
    leases.stop()
    reporter.closed()
    const report: PoolReport = {
      pool: options.name,
      durationMillis: timers.now() - this.startedAt,
      deadlineMillis: this.deadlineAt - this.startedAt,
      deadlineReached: !isQuiet,
      refused: this.refused,
      reclaimed: this.reclaimed,
      destroyed: this.destroyed - this.failed.length,
      failed: this.failed,
      stillHeld: this.held,
      stillRunning: state.creations.running + state.destroying
    }
    yield* Deferred.succeed(this.report, report)
  })
}
