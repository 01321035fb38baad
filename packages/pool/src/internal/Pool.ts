/**
 * A pool as it runs: the decisions of `PoolState` carried out. Borrowing and returning an idle item is synchronous; a
 * borrower that has to wait is a `Borrower`; items come and go in fibers of their own (`ItemLifecycle`).
 */
import { PatinoxError } from "@patinox/core"
import {
  callback,
  type CallSite,
  closedExit,
  enter,
  type EventHub,
  makeDeadline,
  makeDeferred,
  scopeOf,
  type Timers,
  UserFunction,
  withFiber
} from "@patinox/core/kernel"
import { Deferred, Effect, Exit, Scope } from "effect"
import * as PoolError from "../PoolError.js"
import type { PoolEvent } from "../PoolEvent.js"
import { type BorrowCall, Borrower, type BorrowerParts } from "./Borrower.js"
import { BorrowErrors } from "./BorrowErrors.js"
import { CreationFailures } from "./CreationFailures.js"
import type { Item } from "./Item.js"
import { ItemHooks, type Restore } from "./ItemHooks.js"
import { ItemLifecycle } from "./ItemLifecycle.js"
import { ItemList } from "./ItemList.js"
import { LeaseHandle, type LeaseOwner } from "./Lease.js"
import { LeaseTracker } from "./LeaseTracker.js"
import type { PoolContext } from "./PoolContext.js"
import { PoolDrain } from "./PoolDrain.js"
import type { PoolManager } from "./PoolManager.js"
import { PoolMetrics, type PoolTotals } from "./PoolMetrics.js"
import { type BorrowOptions, resolveBorrow, type ResolvedDrain, type ResolvedPool, type Wants } from "./PoolOptions.js"
import { PoolReporter } from "./PoolReporter.js"
import type { ItemState } from "./RunningCheck.js"
import { Doubt } from "./state/PoolItem.js"
import type { PoolPorts } from "./state/PoolPorts.js"
import { PoolState } from "./state/PoolState.js"

/** What a pool is given by its maker. */
export interface PoolParts {
  readonly timers: Timers
  readonly runtime: PoolContext["runtime"]
  /** Where the guards of its items live. */
  readonly guards: Scope.Scope
  /** From 0 to 1. */
  readonly random: () => number
  readonly totals: PoolTotals
  /** Where it reports what happens, beside its own listeners. */
  readonly events: EventHub<PoolEvent> | undefined
  /** The place of the call at hand, where it is wanted. Called while the user's code is on the stack. */
  readonly capture: () => CallSite | undefined
}

export class Pool<A, E> {
  readonly context: PoolContext
  readonly state: ItemState<A>
  readonly failures: CreationFailures<E>
  readonly errors: BorrowErrors<E>
  readonly leases: LeaseTracker
  readonly hooks: ItemHooks<A>
  readonly lifecycle: ItemLifecycle<A, E>
  /** Called whenever the counts have changed. */
  readonly onChanged = new Set<() => void>()
  private readonly items: ItemList<A>
  private readonly capture: PoolParts["capture"]
  private readonly borrowers: BorrowerParts<A, E>
  private readonly leaseOwner: LeaseOwner
  private drainage: PoolDrain | undefined = undefined
  private readonly draining = makeDeferred<void>()

  constructor(
    readonly options: ResolvedPool,
    private readonly manager: PoolManager<A, E>,
    { capture, events, guards, random, runtime, timers, totals }: PoolParts
  ) {
    const reporter = new PoolReporter(options.name, runtime, timers, events)
    const context = this.context = { options, timers, runtime, random, reporter, metrics: new PoolMetrics(totals) }
    const state = this.state = new PoolState(this.ports(), options, options.minSize, options.maxSize)
    const failures = this.failures = new CreationFailures(context, state.circuit)
    const hooks = this.hooks = new ItemHooks(context, manager, state, failures)
    const items = this.items = new ItemList(context, state)
    const errors = this.errors = new BorrowErrors(options, state, failures)
    let asked = 0
    this.borrowers = { context, state, hooks, errors, nextTicket: () => asked++ }
    this.lifecycle = new ItemLifecycle({ context, manager, state, hooks, items, failures, guards })
    this.leases = new LeaseTracker(timers, {
      leakThreshold: options.leakThreshold,
      leaseTimeout: options.leaseTimeout,
      onSuspected: (lease) => reporter.leakSuspected(lease),
      onExpired: (lease) => this.expired(lease)
    })
    this.leaseOwner = { name: options.name, awaitDraining: Deferred.await(this.draining) }
    this.capture = capture
  }

  /** Carries out what the state decides. */
  private ports(): PoolPorts<Item<A>, Parameters<ItemState<A>["join"]>[0]> {
    return {
      create: () => this.lifecycle.create(),
      isDoubtful: (item, now) => this.hooks.isDoubtful(item, now),
      validate: (item, borrower) => this.hooks.validateBeside(item, borrower),
      cutOffCheck: () => this.hooks.cutOffLongest(),
      destroy: (item, reason) => this.lifecycle.destroy(item, reason),
      keepAlive: (item) => this.hooks.keepAlive(item),
      growAt: this.due((now) => this.state.grow(now)),
      maintainAt: this.due((now) => this.state.maintain(now)),
      changed: () => this.changed()
    }
  }

  /** Something that is due at an instant that can be moved. A timer may fire a fraction of a millisecond before its time. */
  private due(then: (now: number) => void): (at: number) => void {
    const { timers } = this.context
    const deadline = makeDeadline(() => then(Math.max(timers.now(), deadline.at)))
    return (at) => timers.set(deadline, at)
  }

  private changed(): void {
    const { context: { metrics }, onChanged, state } = this
    metrics.updateGauges(state.inUse, state.idle.length, state.waiting.size)
    if (onChanged.size > 0) { for (const look of onChanged) look() }
  }

  /** Waits until there are `minSize` items; ends as soon as the creation of one fails. */
  readonly awaitReady: Effect.Effect<void, PoolError.PoolCreationFailed<E> | PoolError.PoolClosed> = callback(
    (resume) => {
      const look = () => {
        const { circuit, idle, inUse, minSize, phase } = this.state
        if (phase !== "open") return over(Effect.fail(this.errors.closed()))
        if (idle.length + inUse >= minSize) return over(Effect.void)
        if (circuit.failures > 0) over(Effect.fail(this.errors.creationFailed()))
      }
      const over = (result: Effect.Effect<void, PoolError.PoolCreationFailed<E> | PoolError.PoolClosed>) => {
        this.onChanged.delete(look)
        resume(result)
      }
      this.onChanged.add(look)
      look()
      return Effect.sync(() => this.onChanged.delete(look))
    }
  )

  // --- borrowing -----------------------------------------------------------------------------------------------------

  use<B, E2, R2>(
    f: (item: A, lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>,
    options: BorrowOptions | undefined,
    site = this.capture()
  ): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> {
    const wants = resolveBorrow(options, this.options)
    if (wants instanceof PatinoxError.Validation) return Effect.die(wants)
    return Effect.uninterruptibleMask((restore) =>
      withFiber((fiber): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> => {
        const since = this.context.timers.now()
        const item = this.state.take(since)
        const call = { fiber, since, site, restore }
        return item === undefined
          ? this.borrow(call, wants, (lease) => this.using(lease, f, restore))
          : this.using(this.lend(item, call, since), f, restore)
      })
    )
  }

  private using<B, E2, R2>(
    lease: LeaseHandle<A>,
    f: (item: A, lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>,
    restore: Restore
  ): Effect.Effect<B, E2, R2> {
    lease.inside = enter(lease.fiber, lease)
    const over = (exit: Exit.Exit<B, E2>) => {
      const returning = this.giveBack(lease, exit)
      return returning === undefined ? exit : Effect.andThen(returning, exit)
    }
    // One step less than `Effect.exit` and what follows it.
    return Effect.matchCauseEffect(restore(Effect.suspend(() => UserFunction.effectOf(f, lease.item.value, lease))), {
      onFailure: (cause) => over(Exit.failCause(cause)),
      onSuccess: (value) => over(Exit.succeed(value))
    })
  }

  /** Borrows for as long as the scope at hand is open; with `"now"` only an item that is idle. */
  lease(
    options: BorrowOptions | undefined | "now",
    site = this.capture()
  ): Effect.Effect<LeaseHandle<A>, PoolError.PoolError<E>, Scope.Scope> {
    const wants = options === "now" ? options : resolveBorrow(options, this.options)
    if (wants instanceof PatinoxError.Validation) return Effect.die(wants)
    return Effect.uninterruptibleMask((restore) =>
      withFiber((fiber) => {
        const since = this.context.timers.now()
        const scope = scopeOf(fiber)
        const wasOpen = closedExit(scope) === undefined
        const keep = (lease: LeaseHandle<A>) => {
          lease.isScoped = true
          return Effect.flatMap(
            Scope.addFinalizerExit(
              scope,
              // A scope hands its closer's interruptibility on to its finalizers.
              (exit) => Effect.uninterruptible(Effect.suspend(() => this.giveBack(lease, exit) ?? Effect.void))
            ),
            // In a scope that has closed meanwhile it is returned by now, and may be lent again.
            () => lease.isOver && wasOpen ? Effect.interrupt : Effect.succeed(lease)
          )
        }
        const call = { fiber, since, site, restore }
        if (wants === "now") return this.borrowNow(call, keep)
        const item = this.state.take(since)
        return item === undefined ? this.borrow(call, wants, keep) : keep(this.lend(item, call, since))
      })
    )
  }

  /** As `use`, with an item that is idle; it does not wait for one. */
  tryUse<B, E2, R2>(
    f: (item: A, lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>,
    site = this.capture()
  ): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> {
    return Effect.uninterruptibleMask((restore) =>
      withFiber((fiber) => {
        const since = this.context.timers.now()
        return this.borrowNow({ fiber, since, site, restore }, (lease) => this.using(lease, f, restore))
      })
    )
  }

  /** Goes on as it has an idle item; it does not wait for one. */
  private borrowNow<B, E2, R2>(
    call: BorrowCall,
    then: (lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> {
    const { context: { timers }, errors, hooks, options, state } = this
    const now = timers.now()
    const item = state.take(now, true)
    if (item === undefined) {
      const error = state.phase === "open" ? errors.exhausted(0) : errors.closed()
      state.prepare(now)
      return Effect.fail(error)
    }
    const onFit = () => then(this.lend(item, call, timers.now()))
    if (!hooks.isDoubtful(item, now)) return onFit()
    // However many items are validated, they take together as long as validating one may.
    const deadline = call.since + options.validateTimeout
    return hooks.validate(item, {
      limit: deadline - now,
      restore: call.restore,
      onFit,
      onUnfit: (cause) => {
        const triesNext = state.phase !== "open" || (timers.now() < deadline && state.idle.length > 0)
        if (triesNext) return this.borrowNow(call, then)
        if (cause === undefined) return Effect.fail(errors.exhausted(0))
        return Effect.fail(new PoolError.PoolValidationFailed({ pool: options.name, cause }))
      }
    })
  }

  /** Goes on as it has an item, which is validated first if it must be; waits in line for it. */
  private borrow<B, E2, R2>(
    call: BorrowCall,
    wants: Wants,
    then: (lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> {
    return new Borrower(this.borrowers, call, wants, (item, now) => then(this.lend(item, call, now))).start()
  }

  private lend(item: Item<A>, { fiber, since, site }: BorrowCall, now: number): LeaseHandle<A> {
    const lease = new LeaseHandle<A>(this.leaseOwner, item, fiber, now)
    lease.site = site
    item.uses++
    this.leases.add(lease)
    this.context.metrics.waited(now - since)
    return lease
  }

  // --- returning -----------------------------------------------------------------------------------------------------

  /** Ends a lease; an effect where the item has to be recycled first. */
  giveBack(lease: LeaseHandle<A>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    if (lease.isOver) return undefined
    const { item } = lease
    const { state } = this
    const now = this.context.timers.now()
    this.endLease(lease, now)
    const reason = lease.isInvalid ? "invalidated" : this.condemns(exit) ? "failedUse" : undefined
    // A use that did not succeed is no proof of health.
    if (Exit.isFailure(exit)) item.doubts |= Doubt.suspect
    else if (item.doubts !== 0) item.doubts &= ~Doubt.suspect
    const isKept = reason === undefined && this.manager.recycle !== undefined && !item.isReleased &&
      state.reasonToRetire(item, now) === undefined
    const recycling = isKept ? this.hooks.recycle(item, exit) : undefined
    if (!isKept) state.giveBack(item, now, reason)
    if (lease.isSuspected) this.context.reporter.leakResolved(lease)
    return recycling
  }

  private endLease(lease: LeaseHandle<A>, now: number): void {
    lease.isOver = true
    lease.inside?.end()
    this.leases.remove(lease)
    this.context.metrics.used(now - lease.since)
  }

  private condemns(exit: Exit.Exit<unknown, unknown>): boolean {
    const { invalidateWhen } = this.manager
    if (Exit.isSuccess(exit) || invalidateWhen === undefined) return false
    // Where it throws it cannot tell whether the item is good.
    return UserFunction.call(() => invalidateWhen(exit.cause), () => true)
  }

  private expired(lease: LeaseHandle<A>): void {
    const isReclaimed = this.options.onLeaseTimeout === "reclaim"
    this.context.reporter.leaseExpired(lease, isReclaimed)
    if (isReclaimed) this.reclaim(lease)
  }

  /** Takes the item out of its holder's hands; its return will do nothing. */
  reclaim(lease: LeaseHandle<A>): void {
    const now = this.context.timers.now()
    this.endLease(lease, now)
    this.state.giveBack(lease.item, now, "reclaimed")
    lease.onTaken?.()
  }

  // --- what is bad ---------------------------------------------------------------------------------------------------

  /** Gives whether there was such an item. */
  invalidate(value: unknown): boolean {
    return this.items.condemnValue(value)
  }

  /** Everything that was created, or whose creation has begun, by now; gives how many items. */
  invalidateAll(): number {
    this.lifecycle.distrustCreations()
    return this.items.condemnAll()
  }

  // --- the end -------------------------------------------------------------------------------------------------------

  /** Holders learn that the pool wants its items back. */
  readonly startDraining: Effect.Effect<unknown> = Effect.suspend(() => Deferred.succeed(this.draining, undefined))

  /** Begins the end of the pool, or joins the drain that goes on, which then ends by the earlier of the two deadlines. */
  drain(options: ResolvedDrain): PoolDrain {
    if (this.drainage !== undefined) {
      this.drainage.hasten(options.timeout)
      return this.drainage
    }
    this.drainage = new PoolDrain(this, options)
    this.drainage.start()
    return this.drainage
  }
}
