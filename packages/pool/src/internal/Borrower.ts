/** A pending borrow. Ends with a fit item, a refusal, an interruption or its deadline. */
import {
  type AppRuntime,
  type CallSite,
  type CurrentFiber,
  type Deadline,
  runtimeOf,
  spanOf,
  suspendUntil,
  tracingOf
} from "@patinox/core/kernel"
import { Effect } from "effect"
import type { PoolError } from "../PoolError.js"
import type { BorrowErrors } from "./BorrowErrors.js"
import type { Item } from "./Item.js"
import type { ItemHooks, Restore } from "./ItemHooks.js"
import type { PoolContext } from "./PoolContext.js"
import type { Wants } from "./PoolOptions.js"
import type { ItemState, PendingBorrow, RunningCheck } from "./RunningCheck.js"
import type { Refusal } from "./state/Vocabulary.js"
import type { Waiting } from "./state/WaitQueue.js"

/** A call that borrows: by which fiber, since when and from where. */
export interface BorrowCall {
  readonly fiber: CurrentFiber
  readonly since: number
  readonly site: CallSite | undefined
  readonly restore: Restore
}

/** What all borrowers of a pool use. */
export interface BorrowerParts<A, E> {
  readonly context: PoolContext
  readonly state: ItemState<A>
  readonly hooks: ItemHooks<A>
  readonly errors: BorrowErrors<E>
  /** The next place in the order of asking. */
  readonly nextTicket: () => number
}

/** Kept small, as tens of thousands may wait: what it does are methods, not closures. */
export class Borrower<A, E, B, E2, R2> implements PendingBorrow<A>, Deadline {
  index = -1
  at = Infinity
  previous: Waiting | undefined = undefined
  next: Waiting | undefined = undefined
  isWaiting = false
  readonly ticket: number
  readonly band: number
  readonly since: number
  readonly limit: number
  /** An item is being validated for it, which may serve another that waits; ends with it, unless it has been served. */
  check: RunningCheck<A> | undefined = undefined
  private item: Item<A> | undefined = undefined
  private error: PoolError<E> | undefined = undefined
  private resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined
  private isSlow = false
  /** What runs on its behalf, outside of the span of its waiting. */
  private outside: AppRuntime<never> | undefined = undefined

  constructor(
    private readonly parts: BorrowerParts<A, E>,
    private readonly call: BorrowCall,
    { band, limit }: Wants,
    /** How it goes on with an item, at an instant. */
    private readonly then: (item: Item<A>, now: number) => Effect.Effect<B, E2, R2>
  ) {
    this.ticket = parts.nextTicket()
    this.band = band
    this.since = call.since
    this.limit = limit
  }

  private get deadline(): number {
    return this.since + this.limit
  }

  get runtime(): AppRuntime<never> {
    return this.outside ?? runtimeOf(this.call.fiber)
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
    const { errors, state } = this.parts
    if (!state.isLendable(item)) {
      state.giveBack(item, now)
      if (now < this.deadline) return this.wait(now, true)
      const error = errors.timeout(this.limit, false)
      this.reportTimeout(error)
      return Effect.fail(error)
    }
    this.reportSlow(now)
    return this.then(item, now)
  }

  // --- in line -------------------------------------------------------------------------------------------------------

  private wait(now: number, isBack: boolean): Effect.Effect<B, E2 | PoolError<E>, R2> {
    const { call: { fiber, restore }, parts: { context: { options, timers }, errors, state } } = this
    this.item = undefined
    const refused = state.join(this, now, isBack)
    if (refused !== "joined") return Effect.fail(errors.refusal(refused))
    if (this.isWaiting) {
      const slowAt = this.isSlow ? Infinity : this.since + options.slowBorrowAfter
      timers.set(this, Math.min(slowAt, this.deadline))
    }
    const served = suspendUntil((resume) => {
      this.resume = resume
      if (!this.isWaiting) resume(Effect.void)
    })
    const isTraced = this.isWaiting && spanOf(fiber) !== undefined && tracingOf(fiber)
    if (isTraced) this.outside ??= runtimeOf(fiber)
    return Effect.matchCauseEffect(restore(isTraced ? this.traced(served) : served), {
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
      attributes: { "patinox.pool": this.parts.context.options.name },
      captureStackTrace: false
    })
  }

  serve(item: Item<A>): void {
    this.item = item
    this.settle()
  }

  refuse(why: Refusal): void {
    this.fail(this.parts.errors.refusal(why))
  }

  private fail(error: PoolError<E>): void {
    this.error = error
    this.settle()
  }

  private settle(): void {
    this.parts.context.timers.clear(this)
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
    const { item, parts: { context: { timers }, hooks, state } } = this
    const check = this.disownCheck()
    this.resume = undefined
    timers.clear(this)
    if (item === undefined) state.leave(this)
    else state.giveBack(item, timers.now())
    if (check !== undefined) hooks.cancel(check)
  }

  // --- time ----------------------------------------------------------------------------------------------------------

  /** Reports, once, that it has taken too long. */
  private reportSlow(now: number): void {
    const { context, errors } = this.parts
    if (this.isSlow || now < this.since + context.options.slowBorrowAfter - 0.5) return
    this.isSlow = true
    context.reporter.slowBorrow(now - this.since, errors.counts())
  }

  private reportTimeout(error: PoolError<E> & { readonly _tag: "PoolTimeout" }): void {
    const { metrics, reporter } = this.parts.context
    metrics.timedOut()
    reporter.emit(() => ({ _tag: "TimedOut", error }))
  }

  onDue(): void {
    const { context: { timers }, errors, hooks, state } = this.parts
    const now = timers.now()
    this.reportSlow(now)
    if (now < this.deadline - 0.5) return timers.set(this, this.deadline)
    const check = this.disownCheck()
    // A validation on its behalf ends with it.
    if (check !== undefined) {
      state.leave(this)
      hooks.cutOff(check)
    }
    const error = errors.timeout(this.limit, check !== undefined)
    state.leave(this)
    this.fail(error)
    this.reportTimeout(error)
  }
}
