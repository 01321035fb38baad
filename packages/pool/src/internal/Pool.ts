/**
 * A pool as it runs: the decisions of `PoolState` carried out. Borrowing and returning an idle item is synchronous; who
 * waits does so as a `Borrower`; items come and go in fibers of their own (`ItemLifecycle`), off everybody's path.
 */
import { type CleanupError, PatinoxError, type ResourceRegistry } from "@patinox/core"
import {
  callback,
  type CallSite,
  closedExit,
  enter,
  type EventHub,
  makeDeadline,
  type Timers,
  UserFunction
} from "@patinox/core/kernel"
import { Cause, Deferred, Effect, Exit, Option, Scope } from "effect"
import * as PoolError from "../PoolError.js"
import type { PoolEvent } from "../PoolEvent.js"
import { type AnyBorrower, Borrower } from "./Borrower.js"
import type { Item, ItemHandle, ItemInfo } from "./Item.js"
import { ItemHooks, type Restore } from "./ItemHooks.js"
import { ItemLifecycle } from "./ItemLifecycle.js"
import { LeaseHandle } from "./Lease.js"
import { LeaseTracker } from "./LeaseTracker.js"
import type { PoolDrain } from "./PoolDrain.js"
import { PoolMetrics, type PoolTotals } from "./PoolMetrics.js"
import { type BorrowOptions, resolveBorrow, type ResolvedPool, type Wants } from "./PoolOptions.js"
import { PoolReporter } from "./PoolReporter.js"
import * as Seam from "./Seam.js"
import { Doubt, type RemovalReason } from "./state/PoolItem.js"
import { PoolState } from "./state/PoolState.js"

/** What a pool does with its items, with everything that it needs provided. */
export interface Manager<A, E> {
  /** Notes the item in the very step in which it is there. */
  readonly create: (
    note: (value: A) => Effect.Effect<void>,
    handle: ItemHandle
  ) => Effect.Effect<void, E, Scope.Scope>
  readonly destroy?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly forceDestroy?: (
    item: A,
    error: CleanupError.ReleaseError<unknown>,
    info: ItemInfo
  ) => Effect.Effect<unknown, unknown>
  readonly validate?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly recycle?: (item: A, exit: Exit.Exit<unknown, unknown>, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly keepAlive?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly invalidateWhen?: (cause: Cause.Cause<unknown>) => boolean
}

/** What a pool is given by who makes it. */
export interface PoolParts {
  readonly timers: Timers
  readonly runtime: Seam.PoolRuntime<ResourceRegistry.ResourceRegistry>
  /** Where the guards of its items live. */
  readonly guards: Scope.Scope
  /** From 0 to 1. */
  readonly random: () => number
  readonly totals: PoolTotals
  /** Where it tells what happens, beside its own listeners. */
  readonly events: EventHub<PoolEvent> | undefined
  /** The place of the call at hand, where it is wanted. Called while the user's code is on the stack. */
  readonly capture: () => CallSite | undefined
}

export class Pool<A, E> {
  readonly state: PoolState<Item<A>, AnyBorrower<A, E>>
  readonly metrics: PoolMetrics
  readonly reporter: PoolReporter
  readonly leases: LeaseTracker
  readonly checks: ItemHooks<A>
  readonly lifecycle: ItemLifecycle<A, E>
  readonly timers: Timers
  readonly runtime: PoolParts["runtime"]
  readonly capture: PoolParts["capture"]
  readonly random: () => number
  /** Every item from its creation to the end of its destruction; each knows its place here. */
  private readonly items: Array<Item<A>> = []
  /** Of the failures in a row, where there are any now. */
  lastCreationFailure: Cause.Cause<PoolError.CreationError<E>> | undefined = undefined
  /** Those that wait for the counts to change. */
  readonly onSettled = new Set<() => void>()
  /** Nothing can be created any more. */
  onRegistryClosed: () => void = () => {}
  /** Who drains wants to know what became of the items. */
  onDestroyed: ((item: Item<A>, error: CleanupError.CleanupError<unknown> | undefined) => void) | undefined = undefined
  drain: PoolDrain | undefined = undefined
  /** Since when nothing could be created. */
  private openSince: number | undefined = undefined
  /** How many have asked for an item that was not to be had at once. */
  private asked = 0
  private readonly draining = Seam.makeDeferred<void>()

  constructor(
    readonly options: ResolvedPool,
    readonly manager: Manager<A, E>,
    { capture, events, guards, random, runtime, timers, totals }: PoolParts
  ) {
    this.timers = timers
    this.runtime = runtime
    this.capture = capture
    this.random = random
    this.metrics = new PoolMetrics(totals)
    this.reporter = new PoolReporter(options.name, runtime, timers, events)
    this.checks = new ItemHooks(this)
    this.lifecycle = new ItemLifecycle(this, guards)
    this.leases = new LeaseTracker(timers, {
      leakThreshold: options.leakThreshold,
      leaseTimeout: options.leaseTimeout,
      onSuspected: (lease) => this.reporter.leakSuspected(lease),
      onExpired: (lease) => this.expired(lease)
    })
    const growth = this.due((now) => this.state.grow(now))
    const maintenance = this.due((now) => {
      this.state.maintain(now)
      this.updateGauges()
    })
    const host = {
      create: () => this.lifecycle.create(),
      isDoubtful: (item: Item<A>, now: number) => this.checks.isDoubtful(item, now),
      validate: (item: Item<A>, borrower: AnyBorrower<A, E> | undefined) => this.checks.validateBeside(item, borrower),
      cutOffCheck: () => this.checks.cutOffLongest(),
      destroy: (item: Item<A>, reason: RemovalReason) => this.lifecycle.destroy(item, reason),
      keepAlive: (item: Item<A>) => this.checks.keepAlive(item),
      growAt: growth,
      maintainAt: maintenance,
      notifyWaiters: () => {
        for (const look of this.onSettled) look()
      }
    }
    this.state = new PoolState(host, options, options.minSize, options.maxSize)
  }

  /** Something that is due at an instant that can be moved. A timer may fire a fraction of a millisecond before its time. */
  private due(then: (now: number) => void): (at: number) => void {
    const deadline = makeDeadline(() => then(Math.max(this.timers.now(), deadline.at)))
    return (at) => this.timers.set(deadline, at)
  }

  get awaitDraining(): Effect.Effect<void> {
    return Deferred.await(this.draining)
  }

  readonly startDraining: Effect.Effect<unknown> = Effect.suspend(() => Deferred.succeed(this.draining, undefined))

  /** Waits until there are as many items as there are to be; not for longer than it takes to see that one fails. */
  readonly awaitReady: Effect.Effect<void, PoolError.PoolCreationFailed<E> | PoolError.PoolClosed> = callback(
    (resume) => {
      const look = () => {
        const { circuit, idle, inUse, minSize, phase } = this.state
        if (phase !== "open") return over(Effect.fail(this.closed()))
        if (idle.length + inUse >= minSize) return over(Effect.void)
        if (circuit.failures > 0) over(Effect.fail(this.creationRefusal()))
      }
      const over = (result: Effect.Effect<void, PoolError.PoolCreationFailed<E> | PoolError.PoolClosed>) => {
        this.onSettled.delete(look)
        resume(result)
      }
      this.onSettled.add(look)
      look()
      return Effect.sync(() => this.onSettled.delete(look))
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
      Seam.withFiber((fiber): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> => {
        const now = this.timers.now()
        const item = this.state.take(now)
        return item === undefined
          ? this.borrow(fiber, now, site, wants, restore, (lease) => this.using(lease, f, restore))
          : this.using(this.lend(item, fiber, now, now, site), f, restore)
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

  /** Borrows for as long as the scope at hand is open; or `"now"`, or not at all. */
  hold(
    options: BorrowOptions | undefined | "now",
    site = this.capture()
  ): Effect.Effect<LeaseHandle<A>, PoolError.PoolError<E>, Scope.Scope> {
    const wants = options === "now" ? options : resolveBorrow(options, this.options)
    if (wants instanceof PatinoxError.Validation) return Effect.die(wants)
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) => {
        const now = this.timers.now()
        const scope = Seam.scopeOf(fiber)
        const wasOpen = closedExit(scope) === undefined
        const keep = (lease: LeaseHandle<A>) => {
          lease.isScoped = true
          return Effect.flatMap(
            Scope.addFinalizerExit(
              scope,
              // A scope hands its closer's interruptibility on to its finalizers.
              (exit) => Effect.uninterruptible(Effect.suspend(() => this.giveBack(lease, exit) ?? Effect.void))
            ),
            // In a scope that has closed meanwhile it is returned by now, and may be another's.
            () => lease.isOver && wasOpen ? Effect.interrupt : Effect.succeed(lease)
          )
        }
        if (wants === "now") return this.borrowNow(fiber, now, site, restore, keep)
        const item = this.state.take(now)
        return item === undefined
          ? this.borrow(fiber, now, site, wants, restore, keep)
          : keep(this.lend(item, fiber, now, now, site))
      })
    )
  }

  /** As `use`, where an item is idle; it does not wait for one. */
  tryUse<B, E2, R2>(
    f: (item: A, lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>,
    site = this.capture()
  ): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> {
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) =>
        this.borrowNow(fiber, this.timers.now(), site, restore, (lease) => this.using(lease, f, restore))
      )
    )
  }

  /** Goes on as it has an idle item; it does not wait for one. */
  private borrowNow<B, E2, R2>(
    fiber: Seam.CurrentFiber,
    since: number,
    site: CallSite | undefined,
    restore: Restore,
    then: (lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> {
    const { checks, options, state, timers } = this
    const now = timers.now()
    const item = state.take(now, true)
    if (item === undefined) {
      const error = state.phase === "open" ? this.exhausted(0) : this.closed()
      state.prepare(now)
      return Effect.fail(error)
    }
    const lend = () => then(this.lend(item, fiber, since, timers.now(), site))
    if (!checks.isDoubtful(item, now)) return lend()
    // However many items there are to look at, it takes as long as validating one may.
    const deadline = since + options.validateTimeout
    return checks.validate(item, deadline - now, restore, lend, (cause) => {
      if (state.phase !== "open" || (timers.now() < deadline && state.idle.length > 0)) {
        return this.borrowNow(fiber, since, site, restore, then)
      }
      return Effect.fail(
        cause === undefined ? this.exhausted(0) : new PoolError.PoolValidationFailed({ pool: options.name, cause })
      )
    })
  }

  /** Goes on as it has an item, which is validated first if it must be; waits in line for it. */
  private borrow<B, E2, R2>(
    fiber: Seam.CurrentFiber,
    since: number,
    site: CallSite | undefined,
    { band, limit }: Wants,
    restore: Restore,
    then: (lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> {
    return new Borrower(this, this.asked++, band, since, limit, fiber, restore, (item, now) => {
      return then(this.lend(item, fiber, since, now, site))
    }).start()
  }

  /** Not where its release has begun, it was said to be bad, or the pool takes back what it can, since it was served. */
  isLendable(item: Item<A>): boolean {
    const isCondemned = (item.doubts & Doubt.condemned) !== 0
    return item.status === "inUse" && !item.isReleased && !isCondemned && this.state.phase !== "closed"
  }

  private lend(
    item: Item<A>,
    fiber: Seam.CurrentFiber,
    since: number,
    now: number,
    site: CallSite | undefined
  ): LeaseHandle<A> {
    item.uses++
    const lease = new LeaseHandle<A>(this, item, fiber, now, site)
    this.leases.add(lease)
    this.metrics.waited(now - since)
    this.updateGauges()
    return lease
  }

  // --- returning -----------------------------------------------------------------------------------------------------

  /** Ends a lease; an effect where the item has to be recycled first. */
  giveBack(lease: LeaseHandle<A>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    if (lease.isOver) return undefined
    const { item } = lease
    const { state } = this
    const now = this.timers.now()
    this.endLease(lease, now)
    const reason = lease.isInvalid ? "invalidated" : this.condemns(exit) ? "failedUse" : undefined
    // A use that did not succeed is no proof of health.
    if (Exit.isFailure(exit)) item.doubts |= Doubt.suspect
    else if (item.doubts !== 0) item.doubts &= ~Doubt.suspect
    const isKept = reason === undefined && this.manager.recycle !== undefined && !item.isReleased &&
      state.reasonToRetire(item, now) === undefined
    const recycling = isKept ? this.checks.recycle(item, exit) : undefined
    if (!isKept) state.giveBack(item, now, reason)
    this.updateGauges()
    if (lease.isSuspected) this.reporter.leakResolved(lease)
    return recycling
  }

  private endLease(lease: LeaseHandle<A>, now: number): void {
    lease.isOver = true
    lease.inside?.end()
    this.leases.remove(lease)
    this.metrics.used(now - lease.since)
  }

  private condemns(exit: Exit.Exit<unknown, unknown>): boolean {
    const { invalidateWhen } = this.manager
    if (Exit.isSuccess(exit) || invalidateWhen === undefined) return false
    // One that cannot tell whether the item is good does not say that it is.
    return UserFunction.call(() => invalidateWhen(exit.cause), () => true)
  }

  private expired(lease: LeaseHandle<A>): void {
    const isReclaimed = this.options.onLeaseTimeout === "reclaim"
    this.reporter.leaseExpired(lease, isReclaimed)
    if (isReclaimed) this.reclaim(lease)
  }

  /** Takes the item out of its holder's hands; its return will be nothing. */
  reclaim(lease: LeaseHandle<A>): void {
    const now = this.timers.now()
    this.endLease(lease, now)
    this.state.giveBack(lease.item, now, "reclaimed")
    lease.onTaken?.()
    this.updateGauges()
  }

  // --- what is bad ---------------------------------------------------------------------------------------------------

  /** Whether there was such an item. */
  invalidate(value: unknown): boolean {
    const found = this.items.filter((item) => Object.is(item.value, value))
    for (const item of found) this.condemn(item)
    return found.length > 0
  }

  condemn(item: Item<A>): void {
    // Still being created, it fails to be; on its way out, it is going already.
    if (item.guard === undefined) item.doubts |= Doubt.condemned
    else this.state.condemn(item, this.timers.now(), this.random())
    this.updateGauges()
  }

  /** Everything that has been made, or begun to be made, by now. */
  invalidateAll(): number {
    this.lifecycle.distrustCreations()
    const count = this.state.condemnAll(this.items, this.timers.now())
    this.updateGauges()
    return count
  }

  add(item: Item<A>): void {
    item.place = this.items.push(item) - 1
  }

  remove(item: Item<A>): void {
    const { place } = item
    const last = this.items[this.items.length - 1]!
    if (place === -1) return
    this.items.pop()
    item.place = -1
    if (last === item) return
    this.items[place] = last
    last.place = place
  }

  // --- what is told --------------------------------------------------------------------------------------------------

  updateGauges(): void {
    const { idle, inUse, waiting } = this.state
    this.metrics.count(inUse, idle.length, waiting.size)
  }

  created(item: Item<A>, createMillis: number): void {
    this.metrics.created(createMillis)
    this.reporter.emit(() => ({ _tag: "Created", id: item.id, createMillis }))
  }

  /** A failed creation, which has been counted. */
  creationFailed(cause: Cause.Cause<PoolError.CreationError<E>>): void {
    const { circuit } = this.state
    this.metrics.creationFailed()
    if (circuit.isOpen) this.openSince ??= this.timers.now()
    this.metrics.circuit(circuit.isOpen)
    this.reporter.creationFailed(cause, circuit)
  }

  /** What a new item that is no good has failed to be created with. */
  unfit(cause: Cause.Cause<unknown>): Cause.Cause<PoolError.CreationError<E>> {
    return Cause.fail(new PoolError.PoolItemUnfit({ pool: this.options.name, cause }))
  }

  /** An item has been created; `failures` in a row were before it. */
  succeeded(failures: number): void {
    const { circuit } = this.state
    if (this.openSince === undefined || circuit.isOpen) return
    const openMillis = this.timers.now() - this.openSince
    this.openSince = undefined
    this.metrics.circuit(false)
    this.reporter.circuitClosed(failures, openMillis)
  }

  removed(item: Item<A>, reason: RemovalReason): void {
    this.metrics.removed(reason)
    const { ageMillis, uses } = item.info(this.timers.now())
    this.reporter.emit(() => ({ _tag: "Removed", id: item.id, reason, ageMillis, uses }))
  }

  destroyed(item: Item<A>, reason: RemovalReason, error: CleanupError.CleanupError<unknown> | undefined): void {
    this.reporter.emit(() => ({
      _tag: "Destroyed",
      id: item.id,
      reason,
      ...(error === undefined ? undefined : { error })
    }))
  }

  slowBorrow(waitedMillis: number): void {
    this.reporter.slowBorrow(waitedMillis, this.counts())
  }

  // --- readings and errors -------------------------------------------------------------------------------------------

  counts(): PoolError.PoolCounts {
    const { creating, destroying, idle, inUse, total, waiting } = this.state
    return { total, idle: idle.length, inUse, creating, destroying, waiting: waiting.size }
  }

  timeout(limitMillis: number, stage: PoolError.PoolStage | undefined): PoolError.PoolTimeout<E> {
    const { checking, circuit, creating, stuck, waiting } = this.state
    const isValidating = checking >= waiting.size && checking > 0 && creating === stuck
    const error = new PoolError.PoolTimeout<E>({
      pool: this.options.name,
      stage: stage ??
        (isValidating ? "validating" : creating > 0 || circuit.failures > 0 ? "creating" : "waiting"),
      limitMillis,
      counts: this.counts(),
      lastCreationFailure: Option.fromNullable(this.lastCreationFailure)
    })
    return error
  }

  timedOut(error: PoolError.PoolTimeout<E>): void {
    this.metrics.timedOut()
    this.reporter.emit(() => ({ _tag: "TimedOut", error }))
  }

  private closed(): PoolError.PoolClosed {
    return new PoolError.PoolClosed({ pool: this.options.name })
  }

  private exhausted(maxWaiters: number): PoolError.PoolExhausted {
    return new PoolError.PoolExhausted({ pool: this.options.name, counts: this.counts(), maxWaiters })
  }

  /** Why a borrower gets nothing. */
  refusal(why: "closed" | "exhausted" | "creation"): PoolError.PoolError<E> {
    if (why === "closed") return this.closed()
    if (why === "exhausted") return this.exhausted(this.options.maxWaiters)
    return this.creationRefusal()
  }

  private creationRefusal(): PoolError.PoolCreationFailed<E> {
    return new PoolError.PoolCreationFailed<E>({
      pool: this.options.name,
      cause: this.lastCreationFailure!,
      failures: this.state.circuit.failures
    })
  }
}
