/** A pending borrow. Ends with a fit item, a refusal, an interruption or its deadline. */
import type { Deadline } from "@patinox/core/kernel"
import { Effect } from "effect"
import type { PoolError } from "../PoolError.js"
import type { Item } from "./Item.js"
import type { Restore, RunningCheck } from "./ItemHooks.js"
import type { Pool } from "./Pool.js"
import * as Seam from "./Seam.js"
import type { PoolWaiter } from "./state/PoolPorts.js"
import type { Waiting } from "./state/WaitQueue.js"

export type AnyBorrower<A, E> = Borrower<A, E, any, any, any>

/** Kept small, as tens of thousands may wait: what it does are methods, not closures. */
export class Borrower<A, E, B, E2, R2> implements PoolWaiter<Item<A>>, Deadline {
  index = -1
  at = Infinity
  previous: Waiting | undefined = undefined
  next: Waiting | undefined = undefined
  isWaiting = false
  /** An item is being validated for it, which may serve another that waits; ends with it, unless it has been served. */
  check: RunningCheck<A> | undefined = undefined
  private item: Item<A> | undefined = undefined
  private error: PoolError<E> | undefined = undefined
  private resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined
  private isSlow = false
  /** What runs on its behalf, outside of the span of its waiting. */
  private outside: Seam.PoolRuntime<never> | undefined = undefined

  constructor(
    private readonly pool: Pool<A, E>,
    readonly ticket: number,
    readonly band: number,
    readonly since: number,
    readonly limit: number,
    private readonly fiber: Seam.CurrentFiber,
    private readonly restore: Restore,
    /** How it goes on with an item, at an instant. */
    private readonly then: (item: Item<A>, now: number) => Effect.Effect<B, E2, R2>
  ) {}

  get deadline(): number {
    return this.since + this.limit
  }

  get runtime(): Seam.PoolRuntime<never> {
    return this.outside ?? Seam.runtimeOf(this.fiber)
  }

  get hasCheck(): boolean {
    return this.check !== undefined
  }

  /** What it gives must run at once, inside an uninterruptible region. */
  start(): Effect.Effect<B, E2 | PoolError<E>, R2> {
    return this.wait(this.since, false)
  }

  // --- with an item --------------------------------------------------------------------------------------------------

  private fit(item: Item<A>, now: number): Effect.Effect<B, E2 | PoolError<E>, R2> {
    if (!this.pool.isLendable(item)) {
      this.pool.state.giveBack(item, now)
      if (now < this.deadline) return this.wait(now, true)
      const error = this.pool.timeout(this.limit, undefined)
      this.pool.timedOut(error)
      return Effect.fail(error)
    }
    this.checkSlow(now)
    return this.then(item, now)
  }

  // --- in line -------------------------------------------------------------------------------------------------------

  private wait(now: number, isBack: boolean): Effect.Effect<B, E2 | PoolError<E>, R2> {
    const { options, state, timers } = this.pool
    this.item = undefined
    const refused = state.join(this, now, isBack)
    if (refused !== "joined") return Effect.fail(this.pool.refusal(refused))
    this.pool.updateGauges()
    if (this.isWaiting) {
      const slowAt = this.isSlow ? Infinity : this.since + options.slowBorrowAfter
      timers.set(this, Math.min(slowAt, this.deadline))
    }
    const served = Seam.suspendUntil((resume) => {
      this.resume = resume
      if (!this.isWaiting) resume(Effect.void)
    })
    const isTraced = this.isWaiting && Seam.isTraced(this.fiber)
    if (isTraced) this.outside ??= Seam.runtimeOf(this.fiber)
    return Effect.matchCauseEffect(this.restore(isTraced ? this.traced(served) : served), {
      onFailure: (cause) => {
        if (this.error === undefined) this.stopWaiting()
        return Effect.failCause(cause)
      },
      onSuccess: (): Effect.Effect<B, E2 | PoolError<E>, R2> => {
        const { item } = this
        this.resume = undefined
        return item === undefined ? Effect.fail(this.error!) : this.fit(item, timers.now())
      }
    })
  }

  /** The time in line is a span of the borrower's, which fails where the borrow does. */
  private traced(served: Effect.Effect<void>): Effect.Effect<void, PoolError<E>> {
    const checked = Effect.flatMap(
      served,
      () => this.item === undefined ? Effect.fail(this.error!) : Effect.void
    )
    return Effect.withSpan(checked, "patinox.pool.wait", {
      attributes: { "patinox.pool": this.pool.options.name },
      captureStackTrace: false
    })
  }

  serve(item: Item<A>): void {
    this.item = item
    this.settle()
  }

  refuse(why: "closed" | "creation"): void {
    this.fail(this.pool.refusal(why))
  }

  private fail(error: PoolError<E>): void {
    this.error = error
    this.pool.updateGauges()
    this.settle()
  }

  private settle(): void {
    this.pool.timers.clear(this)
    this.disownCheck()
    this.resume?.(Effect.void)
  }

  private disownCheck(): RunningCheck<A> | undefined {
    const { check } = this
    if (check !== undefined) check.borrower = this.check = undefined
    return check
  }

  /** It is interrupted; it may have been served at the same time. */
  private stopWaiting(): void {
    const { item, pool } = this
    const check = this.disownCheck()
    this.resume = undefined
    pool.timers.clear(this)
    if (item === undefined) pool.state.leave(this)
    else pool.state.giveBack(item, pool.timers.now())
    if (check !== undefined) pool.checks.giveUp(check)
    pool.updateGauges()
  }

  // --- time ----------------------------------------------------------------------------------------------------------

  /** Reports it, once, when it has taken too long. */
  private checkSlow(now: number): void {
    if (this.isSlow || now < this.since + this.pool.options.slowBorrowAfter - 0.5) return
    this.isSlow = true
    this.pool.slowBorrow(now - this.since)
  }

  onDue(): void {
    const { pool } = this
    const now = pool.timers.now()
    this.checkSlow(now)
    if (now < this.deadline - 0.5) return pool.timers.set(this, this.deadline)
    const check = this.disownCheck()
    // A validation on its behalf ends with it.
    if (check !== undefined) {
      pool.state.leave(this)
      pool.checks.cutOff(check)
    }
    const error = pool.timeout(this.limit, check === undefined ? undefined : "validating")
    pool.state.leave(this)
    this.fail(error)
    pool.timedOut(error)
  }
}
