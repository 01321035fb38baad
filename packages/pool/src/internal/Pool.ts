/**
 * A pool as it runs: the decisions of `PoolState` carried out. Borrowing and returning an idle item is synchronous; who
 * waits does so as a `Borrower`; items come and go in fibers of their own (`Lifecycle`), off everybody's path.
 */
import { type CleanupError, CleanupPriority, PatinoxError, type ResourceRegistry } from "@patinox/core"
import { type CallSite, callSite, checkDuration, type Timers, wrongChoice } from "@patinox/core/Foundation"
import { Cause, Deferred, Effect, Exit, Option, Scope } from "effect"
import * as PoolError from "../PoolError.js"
import { Borrower } from "./Borrower.js"
import { bounded } from "./Bounded.js"
import type { Item, ItemInfo } from "./Item.js"
import { LeaseHandle } from "./Lease.js"
import { Leases } from "./Leases.js"
import { Lifecycle } from "./Lifecycle.js"
import type { BorrowOptions, ResolvedPool } from "./Options.js"
import { PoolMetrics } from "./PoolMetrics.js"
import { PoolState, type RemovalReason } from "./PoolState.js"
import * as Seam from "./Seam.js"
import { Teller } from "./Teller.js"

/** What a pool does with its items, with everything that it needs provided. */
export interface Manager<A, E> {
  readonly create: Effect.Effect<A, E, Scope.Scope>
  readonly destroy?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly validate?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly recycle?: (item: A, exit: Exit.Exit<unknown, unknown>, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly keepAlive?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly invalidateWhen?: (cause: Cause.Cause<unknown>) => boolean
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const sampleEvery = 128

export class Pool<A, E> {
  readonly state: PoolState<Item<A>, Borrower<A, E>>
  readonly metrics: PoolMetrics
  readonly teller: Teller
  readonly leases: Leases
  readonly lifecycle: Lifecycle<A, E>
  lastCreationFailure: Cause.Cause<PoolError.CreationError<E>> | undefined = undefined
  /** Those that wait for the counts to change. */
  readonly onSettled = new Set<() => void>()
  private calls = 0

  constructor(
    readonly options: ResolvedPool,
    readonly manager: Manager<A, E>,
    readonly timers: Timers,
    readonly runtime: Seam.PoolRuntime<ResourceRegistry.ResourceRegistry>,
    guards: Scope.Scope,
    random: () => number,
    private readonly draining: Deferred.Deferred<void>
  ) {
    this.metrics = new PoolMetrics(options.name)
    this.teller = new Teller(options.name, runtime, timers)
    this.lifecycle = new Lifecycle(this, runtime, guards, random)
    this.leases = new Leases(timers, {
      leakThreshold: options.leakThreshold,
      leaseTimeout: options.leaseTimeout,
      onSuspected: (lease) => this.teller.leakSuspected(lease),
      onExpired: (lease) => this.expired(lease)
    })
    const growth = this.due(() => this.state.grow(timers.now()))
    const maintenance = this.due(() => {
      this.state.maintain(timers.now())
      this.counted()
    })
    const host = {
      create: () => this.lifecycle.create(),
      destroy: (item: Item<A>, reason: RemovalReason) => this.lifecycle.destroy(item, reason),
      keepAlive: (item: Item<A>) => this.keepAlive(item),
      growAt: growth,
      maintainAt: maintenance,
      settled: () => {
        for (const look of this.onSettled) look()
      }
    }
    this.state = new PoolState(host, options, options.minSize, options.maxSize)
  }

  /** Something that is due at an instant that can be moved. */
  private due(then: () => void): (at: number) => void {
    const deadline = { index: -1, at: Infinity, onDue: then }
    return (at) => this.timers.set(deadline, at)
  }

  get awaitDraining(): Effect.Effect<void> {
    return Deferred.await(this.draining)
  }

  readonly startDraining: Effect.Effect<unknown> = Effect.suspend(() => Deferred.succeed(this.draining, undefined))

  /** Waits until there are as many items as there are to be; not for longer than it takes to see that one fails. */
  readonly awaitReady: Effect.Effect<void, PoolError.PoolCreationFailed<E> | PoolError.PoolClosed> = Effect.async(
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

  /** Called while the user's code is on the stack. */
  capture(): CallSite | undefined {
    const { captureStacks } = this.options
    if (captureStacks === "off") return undefined
    return captureStacks === "all" || this.calls++ % sampleEvery === 0 ? callSite(true, true) : undefined
  }

  use<B, E2, R2>(
    f: (item: A, lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>,
    options: BorrowOptions | undefined
  ): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> {
    const site = this.capture()
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> => {
        const now = this.timers.now()
        const item = this.state.take(now)
        return item !== undefined && !this.isStale(item, now)
          ? this.using(this.lend(item, fiber, now, now, site), f, restore)
          : Effect.flatMap(
            this.borrow(item, fiber, now, site, options, restore),
            (lease) => this.using(lease, f, restore)
          )
      })
    )
  }

  private using<B, E2, R2>(
    lease: LeaseHandle<A>,
    f: (item: A, lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>,
    restore: Restore
  ): Effect.Effect<B, E2, R2> {
    return Effect.flatMap(
      Effect.exit(restore(Effect.suspend(() => f(lease.item.value, lease)))),
      (exit) => {
        const returning = this.giveBack(lease, exit)
        return returning === undefined ? exit : Effect.andThen(returning, exit)
      }
    )
  }

  /** Borrows for as long as the scope at hand is open; or `"now"`, or not at all. */
  hold(options: BorrowOptions | undefined | "now"): Effect.Effect<LeaseHandle<A>, PoolError.PoolError<E>, Scope.Scope> {
    const site = this.capture()
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) => {
        const now = this.timers.now()
        const borrowed = options === "now"
          ? this.borrowNow(fiber, now, site, restore)
          : this.borrow(this.state.take(now), fiber, now, site, options, restore)
        return Effect.flatMap(borrowed, (lease) =>
          Effect.as(
            Scope.addFinalizerExit(
              Seam.scopeOf(fiber),
              (exit) => Effect.suspend(() => this.giveBack(lease, exit) ?? Effect.void)
            ),
            lease
          ))
      })
    )
  }

  /** As `use`, where an item is idle; it does not wait for one. */
  tryUse<B, E2, R2>(
    f: (item: A, lease: LeaseHandle<A>) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2 | PoolError.PoolError<E>, R2> {
    const site = this.capture()
    return Effect.uninterruptibleMask((restore) =>
      Seam.withFiber((fiber) =>
        Effect.flatMap(
          this.borrowNow(fiber, this.timers.now(), site, restore),
          (lease) => this.using(lease, f, restore)
        )
      )
    )
  }

  private borrowNow(
    fiber: Seam.CurrentFiber,
    now: number,
    site: CallSite | undefined,
    restore: Restore
  ): Effect.Effect<LeaseHandle<A>, PoolError.PoolError<E>> {
    const item = this.state.take(now)
    if (item === undefined) return Effect.fail(this.state.phase === "open" ? this.exhausted(0) : this.closed())
    const { options } = this
    if (!this.isStale(item, now)) return Effect.succeed(this.lend(item, fiber, now, now, site))
    return Effect.flatMap(this.validate(item, options.validateTimeout, restore), (cause) => {
      if (cause === undefined) return Effect.succeed(this.lend(item, fiber, now, this.timers.now(), site))
      return this.state.idle.length > 0
        ? this.borrowNow(fiber, this.timers.now(), site, restore)
        : Effect.fail(new PoolError.PoolValidationFailed({ pool: options.name, cause }))
    })
  }

  /** The item if it is fit, else another; waits for one where none is idle. */
  private borrow(
    item: Item<A> | undefined,
    fiber: Seam.CurrentFiber,
    since: number,
    site: CallSite | undefined,
    options: BorrowOptions | undefined,
    restore: Restore
  ): Effect.Effect<LeaseHandle<A>, PoolError.PoolError<E>> {
    const limit = options?.acquireTimeout === undefined
      ? this.options.acquireTimeout
      : checkDuration("acquireTimeout", options.acquireTimeout)
    const priority = options?.priority ?? CleanupPriority.defaultPriority
    const mistake = limit instanceof PatinoxError.Validation
      ? limit
      : wrongChoice("priority", priority, CleanupPriority.values)
    if (mistake !== undefined) {
      if (item !== undefined) this.state.giveBack(item, since)
      return Effect.die(mistake)
    }
    const band = CleanupPriority.toNumber(priority)
    const borrower = new Borrower(this, Seam.fiberNumber(fiber), band, since, limit as number)
    const lend = (item: Item<A>) => this.lend(item, fiber, since, this.timers.now(), site)
    const fit = (item: Item<A>): Effect.Effect<LeaseHandle<A>, PoolError.PoolError<E>> => {
      const now = this.timers.now()
      if (!this.isStale(item, now)) return Effect.succeed(lend(item))
      const left = borrower.deadline - now
      const { validateTimeout } = this.options
      return Effect.flatMap(this.validate(item, Math.min(validateTimeout, left), restore), (cause) => {
        if (cause === undefined) return Effect.succeed(lend(item))
        const now = this.timers.now()
        if (now >= borrower.deadline) return Effect.fail(this.timeout(borrower.limit, "validating"))
        const other = this.state.takeAgain(now)
        return other === undefined ? Effect.flatMap(borrower.wait(true, restore), fit) : fit(other)
      })
    }
    return item === undefined ? Effect.flatMap(borrower.wait(false, restore), fit) : fit(item)
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
    this.counted()
    return lease
  }

  // --- returning -----------------------------------------------------------------------------------------------------

  /** Ends a lease; an effect where the item has to be recycled first. */
  giveBack(lease: LeaseHandle<A>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    if (lease.isOver) return undefined
    const { item } = lease
    const now = this.timers.now()
    this.endLease(lease, now)
    const reason = lease.isInvalid ? "invalidated" : this.condemns(exit) ? "failedUse" : item.condemned
    if (reason === undefined && this.manager.recycle !== undefined && !item.isReleased) return this.recycle(item, exit)
    this.state.giveBack(item, now, reason)
    this.counted()
    return undefined
  }

  private endLease(lease: LeaseHandle<A>, now: number): void {
    lease.isOver = true
    this.leases.remove(lease)
    this.metrics.used(now - lease.since)
    if (lease.isSuspected) this.teller.leakResolved(lease)
  }

  private condemns(exit: Exit.Exit<unknown, unknown>): boolean {
    const { invalidateWhen } = this.manager
    if (Exit.isSuccess(exit) || invalidateWhen === undefined) return false
    try {
      return invalidateWhen(exit.cause)
    } catch {
      // Who cannot tell whether the item is good does not say that it is.
      return true
    }
  }

  private recycle(item: Item<A>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { manager, options, timers } = this
    return Effect.map(
      this.run(
        "recycle",
        item,
        options.recycleTimeout,
        () => manager.recycle!(item.value, exit, item.info(timers.now()))
      ),
      (cause) => {
        this.state.giveBack(item, timers.now(), cause === undefined ? undefined : "recycleFailed")
        this.counted()
      }
    )
  }

  /** Takes the item out of its holder's hands; its return will be nothing. */
  private expired(lease: LeaseHandle<A>): void {
    const isReclaimed = this.options.onLeaseTimeout === "reclaim"
    this.teller.leaseExpired(lease, isReclaimed)
    if (isReclaimed) this.reclaim(lease)
  }

  reclaim(lease: LeaseHandle<A>): void {
    const now = this.timers.now()
    this.endLease(lease, now)
    this.state.giveBack(lease.item, now, "reclaimed")
    this.counted()
  }

  // --- the manager's functions ---------------------------------------------------------------------------------------

  private isStale(item: Item<A>, now: number): boolean {
    return this.manager.validate !== undefined && now - item.usedAt >= this.options.validateAfter
  }

  /** Why the item is unfit, in which case it is let go of; it is, too, where the borrower is interrupted meanwhile. */
  private validate(item: Item<A>, limit: number, restore: Restore): Effect.Effect<Cause.Cause<unknown> | undefined> {
    const { manager, state, timers } = this
    const info = item.info(timers.now())
    const validating = restore(this.run("validate", item, limit, () => manager.validate!(item.value, info)))
    return Effect.flatMap(Effect.exit(validating), (exit) => {
      if (Exit.isSuccess(exit) && exit.value === undefined) return Effect.succeed(undefined)
      state.giveBack(item, timers.now(), "unfit")
      this.counted()
      return exit
    })
  }

  private keepAlive(item: Item<A>): void {
    const { manager, options, runtime, state, timers } = this
    const info = item.info(timers.now())
    const kept = this.run("keepAlive", item, options.keepAliveTimeout, () => manager.keepAlive!(item.value, info))
    Seam.forkLater(
      runtime,
      Effect.map(kept, (cause) => {
        if (cause === undefined) state.keptAlive(item, timers.now())
        else state.giveBack(item, timers.now(), "keepAliveFailed")
        this.counted()
      })
    )
  }

  /** Runs one of them in its time limit; gives what it failed with. A check that answers with false has failed. */
  private run(
    operation: "validate" | "recycle" | "keepAlive",
    item: Item<A>,
    limit: number,
    make: () => Effect.Effect<unknown, unknown>
  ): Effect.Effect<Cause.Cause<unknown> | undefined> {
    const timedOut = () =>
      new PoolError.PoolOperationTimeout({ pool: this.options.name, operation, limitMillis: limit })
    return Effect.map(bounded(make, limit, timedOut), (exit) => {
      if (Exit.isSuccess(exit) && (exit.value !== false || operation === "recycle")) return undefined
      const cause = Exit.isSuccess(exit) ? Cause.fail(`${operation} answered with false`) : exit.cause
      this.teller.itemFailed(item, operation, cause)
      return cause
    })
  }

  // --- what is told --------------------------------------------------------------------------------------------------

  counted(): void {
    const { idle, inUse, waiting } = this.state
    this.metrics.count(inUse, idle.length, waiting.size)
  }

  created(item: Item<A>, createMillis: number): void {
    this.metrics.created()
    this.teller.emit(() => ({ _tag: "Created", id: item.id, createMillis }))
  }

  creationFailed(cause: Cause.Cause<PoolError.CreationError<E>>): void {
    this.lastCreationFailure = cause
    this.metrics.creationFailed()
    this.teller.creationFailed(cause, this.state.circuit)
  }

  removed(item: Item<A>, reason: RemovalReason): void {
    this.metrics.removed(reason)
    const { ageMillis, uses } = item.info(this.timers.now())
    this.teller.emit(() => ({ _tag: "Removed", id: item.id, reason, ageMillis, uses }))
  }

  destroyed(item: Item<A>, exit: Exit.Exit<void, any>): void {
    this.counted()
    const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
    this.onDestroyed?.(item, error)
    this.teller.emit(() => ({ _tag: "Destroyed", id: item.id, ...(error === undefined ? undefined : { error }) }))
  }

  /** Who drains wants to know what became of the items. */
  onDestroyed: ((item: Item<A>, error: CleanupError.CleanupError<unknown> | undefined) => void) | undefined = undefined

  slowBorrow(borrower: Borrower<A, E>): void {
    this.teller.slowBorrow(this.timers.now() - borrower.since, this.counts())
  }

  // --- readings and errors -------------------------------------------------------------------------------------------

  counts(): PoolError.PoolCounts {
    const { creating, destroying, idle, inUse, total, waiting } = this.state
    return { total, idle: idle.length, inUse, creating, destroying, waiting: waiting.size }
  }

  timeout(limitMillis: number, stage: PoolError.PoolStage | undefined): PoolError.PoolTimeout<E> {
    const { creating, circuit } = this.state
    const error = new PoolError.PoolTimeout<E>({
      pool: this.options.name,
      stage: stage ?? (creating > 0 || circuit.failures > 0 ? "creating" : "waiting"),
      limitMillis,
      counts: this.counts(),
      lastCreationFailure: Option.fromNullable(this.lastCreationFailure)
    })
    this.metrics.timedOut()
    this.teller.emit(() => ({ _tag: "TimedOut", error }))
    return error
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
