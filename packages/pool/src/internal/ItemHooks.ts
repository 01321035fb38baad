/**
 * The functions that check an item while no borrower holds it: each runs in its time limit, and its failure is reported
 * and ends the item. Meanwhile the item counts as in use.
 */
import { type CurrentFiber, forkLater, interruptLater, makeDeadline } from "@patinox/core/kernel"
import { Cause, Effect, Exit, Fiber } from "effect"
import { PoolOperationTimeout } from "../PoolError.js"
import { bounded } from "./bounded.js"
import type { CreationFailures } from "./CreationFailures.js"
import type { Item } from "./Item.js"
import type { PoolContext } from "./PoolContext.js"
import type { PoolManager } from "./PoolManager.js"
import type { ItemState, PendingBorrow, RunningCheck } from "./RunningCheck.js"
import { Doubt } from "./state/PoolItem.js"
import type { ItemOperation } from "./state/Vocabulary.js"

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** A validation in the turn of the borrower that wants the item. */
interface Validating<B, E, R> {
  readonly limit: number
  readonly restore: Restore
  readonly onFit: () => Effect.Effect<B, E, R>
  /** Without a cause the item is gone. */
  readonly onUnfit: (cause: Cause.Cause<unknown> | undefined) => Effect.Effect<B, E, R>
}

/** After how long borrowers are served beside a validation, in milliseconds; after four times as long it may be cut off. */
const longestMoment = 250

/** Whether an operation fails by answering `false`, too. */
const failsByFalse: { readonly [O in ItemOperation]: boolean } = { validate: true, recycle: false, keepAlive: true }

export class ItemHooks<A> {
  /** What they run on. */
  readonly running = new Set<Item<A>>()
  private readonly validations = new Set<RunningCheck<A>>()
  /** Validations that were ended early, until they have stopped: an item is destroyed after that. */
  readonly stopping = new Map<Item<A>, CurrentFiber>()
  private readonly moment: number

  constructor(
    private readonly context: PoolContext,
    private readonly manager: PoolManager<A, any>,
    private readonly state: ItemState<A>,
    private readonly failures: CreationFailures<any>
  ) {
    this.moment = Math.min(longestMoment, context.options.validateTimeout / 4)
  }

  isDoubtful(item: Item<A>, at: number): boolean {
    return this.manager.validate !== undefined &&
      ((item.doubts & Doubt.suspect) !== 0 || at - item.usedAt >= this.context.options.validateAfter)
  }

  // --- validating beside those that wait -----------------------------------------------------------------------------

  validateBeside(item: Item<A>, borrower: PendingBorrow<A> | undefined): void {
    const { options, runtime, timers } = this.context
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
    check.fiber = forkLater(
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
    const { context: { random, reporter, timers }, failures, state } = this
    if (check.isOver) return
    this.forget(check)
    const isFresh = (item.doubts & Doubt.fresh) !== 0
    const failuresBefore = state.circuit.failures
    const unfit = cause !== undefined && isFresh ? failures.unfit(cause) : undefined
    if (isFresh) failures.last = unfit
    state.checked(item, timers.now(), cause === undefined, random())
    if (cause !== undefined) reporter.itemFailed(item, "validate", cause)
    if (unfit !== undefined) failures.reportFailed(unfit)
    else if (isFresh) failures.reportSucceeded(failuresBefore)
  }

  private forget(check: RunningCheck<A>): void {
    check.isOver = true
    this.context.timers.clear(check.deadline)
    this.validations.delete(check)
    this.running.delete(check.item)
    if (check.borrower !== undefined) check.borrower.check = check.borrower = undefined
  }

  private overdue(check: RunningCheck<A>): void {
    const { context: { timers }, state } = this
    if (check.isOverdue) return state.makeRoom()
    check.isOverdue = true
    timers.set(check.deadline, check.startedAt + 4 * this.moment)
    state.checkOverdue(check.item, timers.now())
  }

  /** Ends that of a suspect that has run for longest, if that is long. */
  cutOffLongest(): void {
    for (const check of this.validations) {
      if ((check.item.doubts & Doubt.suspect) === 0) continue
      if (this.context.timers.now() >= check.startedAt + 4 * this.moment - 0.5) this.cutOff(check)
      return
    }
  }

  private stop({ fiber, item }: RunningCheck<A>): void {
    this.stopping.set(item, fiber!)
    interruptLater(fiber!)
  }

  /** As if its time were up. */
  cutOff(check: RunningCheck<A>): void {
    if (check.isOver) return
    this.stop(check)
    const limitMillis = this.context.timers.now() - check.startedAt
    this.over(check, Cause.fail(this.timedOut("validate", limitMillis)))
  }

  /** No borrower waits for it any more; that says nothing of other items. */
  cancel(check: RunningCheck<A>): void {
    if (check.isOver) return
    this.forget(check)
    this.stop(check)
    this.state.giveBack(check.item, this.context.timers.now(), "unfit")
  }

  /** No borrower waits for any. */
  cancelAll(): void {
    for (const check of this.validations) this.cancel(check)
  }

  // --- each by itself ------------------------------------------------------------------------------------------------

  /**
   * Goes on as the item is found fit, or unfit for a cause. An unfit item is destroyed, as is one whose borrower is
   * interrupted meanwhile, in the turn in which it goes on.
   */
  validate<B, E, R>(
    item: Item<A>,
    { limit, onFit, onUnfit, restore }: Validating<B, E, R>
  ): Effect.Effect<B, E, R> {
    const { context: { reporter, timers }, state } = this
    this.running.add(item)
    return Effect.flatMap(Effect.exit(restore(this.validating(item, limit))), (exit) => {
      this.running.delete(item)
      const isFit = Exit.isSuccess(exit) && exit.value === undefined
      if (isFit && state.isLendable(item)) {
        item.doubts &= ~Doubt.suspect
        return onFit()
      }
      state.giveBack(item, timers.now(), isFit ? undefined : "unfit")
      if (Exit.isFailure(exit)) return Effect.failCause(exit.cause)
      if (exit.value !== undefined) reporter.itemFailed(item, "validate", exit.value)
      return onUnfit(exit.value)
    })
  }

  /** Makes a returned item fit for the next, and gives it back. */
  recycle(item: Item<A>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { context: { options, reporter, timers }, manager, state } = this
    const info = item.info(timers.now())
    this.running.add(item)
    const recycling = this.run("recycle", options.recycleTimeout, () => manager.recycle!(item.value, exit, info))
    return Effect.map(
      // Out of reach of the borrower's interruption, which comes through to what can be interrupted in a fiber of its own.
      Effect.flatMap(Effect.forkDaemon(recycling), Fiber.join),
      (cause) => {
        this.running.delete(item)
        state.giveBack(item, timers.now(), cause === undefined ? undefined : "recycleFailed")
        if (cause !== undefined) reporter.itemFailed(item, "recycle", cause)
      }
    )
  }

  keepAlive(item: Item<A>): void {
    const { context: { options, reporter, runtime, timers }, manager, state } = this
    const info = item.info(timers.now())
    this.running.add(item)
    forkLater(
      runtime,
      Effect.map(
        this.run("keepAlive", options.keepAliveTimeout, () => manager.keepAlive!(item.value, info)),
        (cause) => {
          this.running.delete(item)
          state.keepAliveEnded(item, timers.now(), cause === undefined)
          if (cause !== undefined) reporter.itemFailed(item, "keepAlive", cause)
        }
      )
    )
  }

  private validating(item: Item<A>, limit: number) {
    const { context: { timers }, manager } = this
    const info = item.info(timers.now())
    return this.run("validate", limit, () => manager.validate!(item.value, info))
  }

  /** Gives what it failed with. */
  private run(
    operation: ItemOperation,
    limitMillis: number,
    make: () => Effect.Effect<unknown, unknown>
  ): Effect.Effect<Cause.Cause<unknown> | undefined> {
    return Effect.map(bounded(make, limitMillis, () => this.timedOut(operation, limitMillis)), (exit) => {
      if (Exit.isSuccess(exit) && (exit.value !== false || !failsByFalse[operation])) return undefined
      return Exit.isSuccess(exit) ? Cause.fail(`${operation} answered with false`) : exit.cause
    })
  }

  private timedOut(operation: ItemOperation, limitMillis: number): PoolOperationTimeout {
    return new PoolOperationTimeout({ pool: this.context.options.name, operation, limitMillis })
  }
}
