/** Somebody who waits for an item: until it is served, refused, interrupted, or out of time. */
import type { Deadline } from "@patinox/core/Foundation"
import { Effect, Exit } from "effect"
import type { PoolError } from "../PoolError.js"
import type { Restore } from "./Checks.js"
import type { Item } from "./Item.js"
import type { Pool } from "./Pool.js"
import type { PoolWaiter } from "./PoolState.js"
import type { Waiting } from "./WaitQueue.js"

export class Borrower<A, E> implements PoolWaiter<Item<A>>, Deadline {
  index = -1
  at = Infinity
  previous: Waiting | undefined = undefined
  next: Waiting | undefined = undefined
  isWaiting = false
  servedAt = 0
  private item: Item<A> | undefined = undefined
  private error: PoolError<E> | undefined = undefined
  private resume: (() => void) | undefined = undefined
  private isSlow = false

  constructor(
    private readonly pool: Pool<A, E>,
    readonly ticket: number,
    readonly band: number,
    readonly since: number,
    readonly limit: number
  ) {}

  get deadline(): number {
    return this.since + this.limit
  }

  serve(item: Item<A>): void {
    this.item = item
    this.servedAt = this.pool.timers.now()
    this.settle()
  }

  refuse(why: "closed" | "creation"): void {
    this.fail(this.pool.refusal(why))
  }

  private fail(error: PoolError<E>): void {
    this.error = error
    this.settle()
  }

  private settle(): void {
    this.pool.timers.clear(this)
    this.resume?.()
  }

  /** Reports it, once, when it has taken too long. */
  checkSlow(now: number): void {
    if (this.isSlow || now < this.since + this.pool.options.slowBorrowAfter - 0.5) return
    this.isSlow = true
    this.pool.slowBorrow(this)
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

  /** Waits in line for an item, which is then in use by this one. Must run inside an uninterruptible region. */
  wait(isBack: boolean, restore: Restore): Effect.Effect<Item<A>, PoolError<E>> {
    const { options, state, timers } = this.pool
    this.item = undefined
    const refused = state.join(this, timers.now(), isBack)
    if (refused !== "joined") return Effect.fail(this.pool.refusal(refused))
    this.pool.counted()
    if (this.isWaiting) {
      const slowAt = this.isSlow ? Infinity : this.since + options.slowBorrowAfter
      timers.set(this, Math.min(slowAt, this.deadline))
    }
    const served = Effect.async<void>((resume) => {
      this.resume = () => resume(Effect.void)
      if (!this.isWaiting) this.resume()
    })
    return Effect.flatMap(Effect.exit(restore(served)), (exit) => this.outcome(exit))
  }

  private outcome(exit: Exit.Exit<void>): Effect.Effect<Item<A>, PoolError<E>> {
    const { item, pool } = this
    this.resume = undefined
    pool.timers.clear(this)
    if (item !== undefined) {
      if (Exit.isSuccess(exit)) return Effect.succeed(item)
      // Served and interrupted at once.
      pool.state.giveBack(item, pool.timers.now())
    } else pool.state.leave(this)
    pool.counted()
    if (Exit.isFailure(exit)) return Effect.failCause(exit.cause)
    return Effect.fail(this.error!)
  }
}
