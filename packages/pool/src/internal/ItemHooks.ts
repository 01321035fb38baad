/**
 * The functions that check on an item while nobody holds it: each runs in its time limit, and what it fails with is told
 * and ends the item. Meanwhile the item counts as in use.
 */
import { type Deadline, makeDeadline } from "@patinox/core/kernel"
import { Cause, Effect, Exit, Fiber } from "effect"
import { PoolOperationTimeout } from "../PoolError.js"
import type { AnyBorrower } from "./Borrower.js"
import { bounded } from "./bounded.js"
import type { Item } from "./Item.js"
import type { Pool } from "./Pool.js"
import * as Seam from "./Seam.js"
import { Doubt } from "./state/PoolItem.js"

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** A validation beside the borrowers, whose item serves whoever is first in line. */
export interface RunningCheck<A> {
  readonly item: Item<A>
  /** On whose behalf it runs, as long as that waits. */
  borrower: AnyBorrower<A, any> | undefined
  readonly startedAt: number
  readonly deadline: Deadline
  fiber: Seam.CurrentFiber | undefined
  isOverdue: boolean
  isOver: boolean
}

/** After how long borrowers are served beside a validation, in milliseconds; after four times as long it may be cut off. */
const longestMoment = 250

export class ItemHooks<A> {
  /** What they run on. */
  readonly running = new Set<Item<A>>()
  private readonly validations = new Set<RunningCheck<A>>()
  /** Validations that were ended early, until they have stopped: an item is destroyed after that. */
  readonly stopping = new Map<Item<A>, Seam.CurrentFiber>()
  private readonly moment: number

  constructor(private readonly pool: Pool<A, any>) {
    this.moment = Math.min(longestMoment, pool.options.validateTimeout / 4)
  }

  isDoubtful(item: Item<A>, at: number): boolean {
    const { manager, options } = this.pool
    return manager.validate !== undefined &&
      ((item.doubts & Doubt.suspect) !== 0 || at - item.usedAt >= options.validateAfter)
  }

  // --- validating beside those that wait -----------------------------------------------------------------------------

  validateBeside(item: Item<A>, borrower: AnyBorrower<A, any> | undefined): void {
    const { options, runtime, timers } = this.pool
    const check: RunningCheck<A> = {
      item,
      borrower,
      startedAt: timers.now(),
      deadline: makeDeadline(() => this.overdue(check)),
      fiber: undefined,
      isOverdue: false,
      isOver: false
    }
    if (borrower !== undefined) borrower.check = check
    this.validations.add(check)
    this.running.add(item)
    timers.set(check.deadline, check.startedAt + this.moment)
    const validating = Effect.interruptible(this.validating(item, options.validateTimeout))
    check.fiber = Seam.forkLater(
      borrower === undefined ? runtime : borrower.runtime,
      Effect.map(Effect.exit(validating), (exit) => {
        this.stopping.delete(item)
        this.over(check, Exit.isSuccess(exit) ? exit.value : exit.cause)
      })
    )
  }

  /** Unfit for a cause, or fit. */
  private over(check: RunningCheck<A>, cause: Cause.Cause<unknown> | undefined): void {
    const { item } = check
    const { pool } = this
    if (check.isOver) return
    this.forget(check)
    const isFresh = (item.doubts & Doubt.fresh) !== 0
    const { failures } = pool.state.circuit
    const unfit = cause !== undefined && isFresh ? pool.unfit(cause) : undefined
    if (unfit !== undefined) pool.lastCreationFailure = unfit
    else if (isFresh) pool.lastCreationFailure = undefined
    pool.state.checked(item, pool.timers.now(), cause === undefined, pool.random())
    pool.updateGauges()
    if (cause !== undefined) pool.reporter.itemFailed(item, "validate", cause)
    if (unfit !== undefined) pool.creationFailed(unfit)
    else if (isFresh) pool.succeeded(failures)
  }

  private forget(check: RunningCheck<A>): void {
    check.isOver = true
    this.pool.timers.clear(check.deadline)
    this.validations.delete(check)
    this.running.delete(check.item)
    if (check.borrower !== undefined) check.borrower.check = check.borrower = undefined
  }

  private overdue(check: RunningCheck<A>): void {
    const { state, timers } = this.pool
    if (!check.isOverdue) {
      check.isOverdue = true
      timers.set(check.deadline, check.startedAt + 4 * this.moment)
      state.checkOverdue(check.item, timers.now())
    } else state.makeRoom()
    this.pool.updateGauges()
  }

  /** Ends that of a suspect that has run for longest, if that is long. */
  cutOffLongest(): void {
    for (const check of this.validations) {
      if ((check.item.doubts & Doubt.suspect) === 0) continue
      if (this.pool.timers.now() >= check.startedAt + 4 * this.moment - 0.5) this.cutOff(check)
      return
    }
  }

  private stop({ fiber, item }: RunningCheck<A>): void {
    this.stopping.set(item, fiber!)
    Seam.interruptLater(fiber!)
  }

  /** As if its time were up. */
  cutOff(check: RunningCheck<A>): void {
    if (check.isOver) return
    this.stop(check)
    const limitMillis = this.pool.timers.now() - check.startedAt
    this.over(check, Cause.fail(this.timedOut("validate", limitMillis)))
  }

  /** Nobody waits for it any more; that says nothing of other items. */
  giveUp(check: RunningCheck<A>): void {
    if (check.isOver) return
    this.forget(check)
    this.stop(check)
    this.pool.state.giveBack(check.item, this.pool.timers.now(), "unfit")
  }

  /** Nobody waits for any. */
  giveUpAll(): void {
    for (const check of this.validations) this.giveUp(check)
    this.pool.updateGauges()
  }

  // --- each by itself ------------------------------------------------------------------------------------------------

  /**
   * Goes on as the item is found fit, or unfit for a cause; without a cause it is gone. One that is unfit is let go of, as
   * is one whose borrower is interrupted meanwhile, in the turn in which it goes on.
   */
  validate<B, E, R>(
    item: Item<A>,
    limit: number,
    restore: Restore,
    onFit: () => Effect.Effect<B, E, R>,
    onUnfit: (cause: Cause.Cause<unknown> | undefined) => Effect.Effect<B, E, R>
  ): Effect.Effect<B, E, R> {
    const { pool } = this
    this.running.add(item)
    return Effect.flatMap(Effect.exit(restore(this.validating(item, limit))), (exit) => {
      this.running.delete(item)
      const isFit = Exit.isSuccess(exit) && exit.value === undefined
      if (isFit && pool.isLendable(item)) {
        item.doubts &= ~Doubt.suspect
        return onFit()
      }
      pool.state.giveBack(item, pool.timers.now(), isFit ? undefined : "unfit")
      pool.updateGauges()
      if (Exit.isFailure(exit)) return Effect.failCause(exit.cause)
      if (exit.value !== undefined) pool.reporter.itemFailed(item, "validate", exit.value)
      return onUnfit(exit.value)
    })
  }

  /** Makes a returned item fit for the next, and gives it back. */
  recycle(item: Item<A>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { pool } = this
    const { manager, options, timers } = pool
    const info = item.info(timers.now())
    this.running.add(item)
    const recycling = this.run("recycle", options.recycleTimeout, () => manager.recycle!(item.value, exit, info))
    return Effect.map(
      // Out of reach of the borrower's interruption, which comes through to what can be interrupted in a fiber of its own.
      Effect.flatMap(Effect.forkDaemon(recycling), Fiber.join),
      (cause) => {
        this.running.delete(item)
        pool.state.giveBack(item, timers.now(), cause === undefined ? undefined : "recycleFailed")
        pool.updateGauges()
        if (cause !== undefined) pool.reporter.itemFailed(item, "recycle", cause)
      }
    )
  }

  keepAlive(item: Item<A>): void {
    const { pool } = this
    const { manager, options, runtime, timers } = pool
    const info = item.info(timers.now())
    this.running.add(item)
    Seam.forkLater(
      runtime,
      Effect.map(
        this.run("keepAlive", options.keepAliveTimeout, () => manager.keepAlive!(item.value, info)),
        (cause) => {
          this.running.delete(item)
          pool.state.keepAliveEnded(item, timers.now(), cause === undefined)
          pool.updateGauges()
          if (cause !== undefined) pool.reporter.itemFailed(item, "keepAlive", cause)
        }
      )
    )
  }

  private validating(item: Item<A>, limit: number) {
    const { manager, timers } = this.pool
    const info = item.info(timers.now())
    return this.run("validate", limit, () => manager.validate!(item.value, info))
  }

  /** Gives what it failed with. A check that answers with false has failed. */
  private run(
    operation: PoolOperationTimeout["operation"],
    limitMillis: number,
    make: () => Effect.Effect<unknown, unknown>
  ): Effect.Effect<Cause.Cause<unknown> | undefined> {
    return Effect.map(bounded(make, limitMillis, () => this.timedOut(operation, limitMillis)), (exit) => {
      if (Exit.isSuccess(exit) && (exit.value !== false || operation === "recycle")) return undefined
      return Exit.isSuccess(exit) ? Cause.fail(`${operation} answered with false`) : exit.cause
    })
  }

  private timedOut(operation: PoolOperationTimeout["operation"], limitMillis: number): PoolOperationTimeout {
    return new PoolOperationTimeout({ pool: this.pool.options.name, operation, limitMillis })
  }
}
