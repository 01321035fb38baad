/** Somebody who asks for an item: until it has a fit one and goes on, or is refused, interrupted, or out of time. */
import type { Deadline } from "@patinox/core/Foundation"
import { Effect } from "effect"
import type { PoolError } from "../PoolError.js"
import type { Restore } from "./Checks.js"
import type { Item } from "./Item.js"
import type { Pool } from "./Pool.js"
import type { PoolWaiter } from "./PoolState.js"
import * as Seam from "./Seam.js"
import type { Waiting } from "./WaitQueue.js"

export type AnyBorrower<A, E> = Borrower<A, E, any, any, any>

/** What it comes to. Kept small, as tens of thousands may wait: what it does are methods, not closures. */
export class Borrower<A, E, B, E2, R2> implements PoolWaiter<Item<A>>, Deadline {
  index = -1
  at = Infinity
  previous: Waiting | undefined = undefined
  next: Waiting | undefined = undefined
  isWaiting = false
  private servedAt = 0
  private item: Item<A> | undefined = undefined
  private error: PoolError<E> | undefined = undefined
  private resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined
  private isSlow = false

  constructor(
    private readonly pool: Pool<A, E>,
    readonly ticket: number,
    readonly band: number,
    readonly since: number,
    readonly limit: number,
    private readonly restore: Restore,
    /** How it goes on with an item, at an instant. */
    private readonly then: (item: Item<A>, now: number) => Effect.Effect<B, E2, R2>
  ) {}

  get deadline(): number {
    return this.since + this.limit
  }

  /** With an idle item, or without. What it gives must run at once, inside an uninterruptible region. */
  start(item: Item<A> | undefined): Effect.Effect<B, E2 | PoolError<E>, R2> {
    return item === undefined ? this.wait(this.since, false) : this.fit(item, this.since, this.since)
  }

  // --- with an item --------------------------------------------------------------------------------------------------

  private fit(item: Item<A>, servedAt: number, now: number): Effect.Effect<B, E2 | PoolError<E>, R2> {
    const { checks, options, state, timers } = this.pool
    if (!this.pool.isLendable(item)) {
      state.giveBack(item, now)
      return this.another(now)
    }
    if (!checks.isStale(item, servedAt)) return this.goOn(item, now)
    const left = this.deadline - now
    if (left <= 0) {
      state.giveBack(item, now)
      return this.tooLate()
    }
    return checks.validate(
      item,
      Math.min(options.validateTimeout, left),
      this.restore,
      () => this.goOn(item, timers.now()),
      () => this.another(timers.now())
    )
  }

  private another(now: number): Effect.Effect<B, E2 | PoolError<E>, R2> {
    if (now >= this.deadline) return this.tooLate()
    const other = this.pool.state.takeAgain(now)
    return other === undefined ? this.wait(now, true) : this.fit(other, now, now)
  }

  private goOn(item: Item<A>, now: number): Effect.Effect<B, E2, R2> {
    this.checkSlow(now)
    return this.then(item, now)
  }

  private tooLate(): Effect.Effect<never, PoolError<E>> {
    return Effect.fail(this.pool.timeout(this.limit, "validating"))
  }

  // --- in line -------------------------------------------------------------------------------------------------------

  private wait(now: number, isBack: boolean): Effect.Effect<B, E2 | PoolError<E>, R2> {
    const { options, state, timers } = this.pool
    this.item = undefined
    const refused = state.join(this, now, isBack)
    if (refused !== "joined") return Effect.fail(this.pool.refusal(refused))
    this.pool.counted()
    if (this.isWaiting) {
      const slowAt = this.isSlow ? Infinity : this.since + options.slowBorrowAfter
      timers.set(this, Math.min(slowAt, this.deadline))
    }
    const served = Seam.suspendUntil((resume) => {
      this.resume = resume
      if (!this.isWaiting) resume(Effect.void)
    })
    return Effect.matchCauseEffect(this.restore(served), {
      onFailure: (cause) => {
        this.stopWaiting()
        return Effect.failCause(cause)
      },
      onSuccess: (): Effect.Effect<B, E2 | PoolError<E>, R2> => {
        const { item } = this
        this.resume = undefined
        return item === undefined ? Effect.fail(this.error!) : this.fit(item, this.servedAt, timers.now())
      }
    })
  }

  serve(item: Item<A>, now: number): void {
    this.item = item
    this.servedAt = now
    this.settle()
  }

  refuse(why: "closed" | "creation"): void {
    this.fail(this.pool.refusal(why))
  }

  private fail(error: PoolError<E>): void {
    this.error = error
    this.pool.counted()
    this.settle()
  }

  private settle(): void {
    this.pool.timers.clear(this)
    this.resume?.(Effect.void)
  }

  /** It is interrupted; it may have been served at the same time. */
  private stopWaiting(): void {
    const { item, pool } = this
    this.resume = undefined
    pool.timers.clear(this)
    if (item === undefined) pool.state.leave(this)
    else pool.state.giveBack(item, pool.timers.now())
    pool.counted()
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
    const error = pool.timeout(this.limit, undefined)
    pool.state.leave(this)
    this.fail(error)
  }
}
