/**
 * How items come and go: each is created within its time limit in a fiber of its own, bound to a guard, and destroyed
 * through the registry. Whatever happens on the way, `PoolState` hears of each beginning's end exactly once.
 */
import { CleanupError, CleanupReport, ResourceGuard, ResourceRegistry, ResourceScope } from "@patinox/core"
import { type Deadline, LazyScope, makeDeadline } from "@patinox/core/Foundation"
import { Cause, Effect, Exit, Option, Scope } from "effect"
import { PoolCreateTimeout } from "../PoolError.js"
import { Item } from "./Item.js"
import type { Pool } from "./Pool.js"
import type { RemovalReason } from "./PoolState.js"
import * as Seam from "./Seam.js"

interface Creation {
  readonly startedAt: number
  readonly deadline: Deadline
  fiber: Seam.CurrentFiber | undefined
  /** It has failed, takes too long or is not wanted any more: `PoolState` counts it among the stuck until its end. */
  isStuck: boolean
  /** Creating is over; what is left to do is ours, and cannot be cut off. */
  isOver: boolean
}

/** Whether a creation can be interrupted by now, and for how long that is asked when the pool ends, in milliseconds. */
const lookAgainEvery = 1_000
const longestLook = 60_000

export class Lifecycle<A, E> {
  private readonly creations = new Set<Creation>()
  private lookUntil = Infinity
  /** Shared by the fibers that create, so that a guard does not keep those of its own. */
  private home: Seam.Refs | undefined = undefined
  private readonly newScope: Effect.Effect<ResourceScope.ResourceScope>
  private readonly settings: ResourceGuard.GuardOptions<unknown, unknown>
  private readonly runtime: Seam.PoolRuntime<ResourceRegistry.ResourceRegistry | Scope.Scope>

  constructor(
    private readonly pool: Pool<A, E>,
    /** Where the guards live; they leave nothing there when they go. */
    guards: Scope.Scope,
    private readonly random: () => number
  ) {
    const { destroyTimeout, name, priority } = pool.options
    this.settings = { typeName: name, priority, timeout: destroyTimeout }
    // Over a little before the guard gives the release up, with the finalizer named that has not ended.
    this.newScope = ResourceScope.make({ timeout: destroyTimeout * 0.95 })
    this.runtime = Seam.withScope(pool.runtime, guards)
  }

  // --- creating ------------------------------------------------------------------------------------------------------

  create(): void {
    const { options, timers } = this.pool
    const creation: Creation = {
      startedAt: timers.now(),
      deadline: makeDeadline(() => creation.isStuck ? this.cutOff(creation) : this.timedOut(creation)),
      fiber: undefined,
      isStuck: false,
      isOver: false
    }
    this.creations.add(creation)
    creation.fiber = Seam.forkLater(this.runtime, this.creating(creation))
    timers.set(creation.deadline, creation.startedAt + options.createTimeout)
  }

  /** Nobody wants what is being created; that is no failure. */
  giveUpCreations(): void {
    for (const creation of this.creations) {
      if (creation.isStuck) continue
      creation.isStuck = true
      this.pool.state.createUnwanted()
      this.giveUp(creation)
    }
  }

  /**
   * With a `destroy` of its own an item may be lost that is cut off halfway: such a creation first gets as long as a
   * destruction to come to its end, and what it comes to is destroyed.
   */
  private giveUp(creation: Creation): void {
    const { manager, options, timers } = this.pool
    if (manager.destroy === undefined || creation.isOver) this.cutOff(creation)
    else timers.set(creation.deadline, timers.now() + options.destroyTimeout)
  }

  /**
   * Interrupts it as soon as that can be: sent into an uninterruptible region an interruption takes away, at its end, what
   * that gives.
   */
  private cutOff({ deadline, fiber, isOver }: Creation): void {
    const { manager, timers } = this.pool
    timers.clear(deadline)
    if (isOver) return
    if (manager.destroy === undefined || Seam.isInterruptible(fiber!)) return Seam.interruptLater(fiber!)
    const next = timers.now() + lookAgainEvery
    if (next <= this.lookUntil) timers.set(deadline, next)
  }

  /** Ends every creation now; one that cannot be interrupted for longer than a destruction may take is left alone. */
  cutOffCreations(): void {
    const { options, timers } = this.pool
    this.giveUpCreations()
    this.lookUntil = timers.now() + Math.min(options.destroyTimeout, longestLook)
    for (const creation of this.creations) this.cutOff(creation)
  }

  private timedOut(creation: Creation): void {
    const { options, state, timers } = this.pool
    creation.isStuck = true
    this.pool.creationFailed(
      Cause.fail(new PoolCreateTimeout({ pool: options.name, limitMillis: options.createTimeout }))
    )
    state.createStuck(timers.now(), this.random())
    this.giveUp(creation)
  }

  private creating(creation: Creation): Effect.Effect<void, never, ResourceRegistry.ResourceRegistry | Scope.Scope> {
    return Seam.withFiber((fiber) => {
      this.home = Seam.shareRefs(fiber, this.home)
      const item = new Item<A>(new LazyScope(this.newScope))
      return Effect.flatMap(Effect.exit(this.guard(item)), (exit) => {
        creation.isOver = true
        this.pool.timers.clear(creation.deadline)
        if (Exit.isFailure(exit)) return this.failed(creation, exit.cause, item.scope)
        // Between its registration and this moment the registry may have made it clean up.
        if (item.isReleased) {
          const cause = Cause.die(new Error("It was released before it could be lent"))
          return Effect.andThen(
            Effect.exit(exit.value.cleanup),
            Effect.suspend(() => this.failed(creation, cause, item.scope))
          )
        }
        this.succeeded(creation, item, exit.value)
        return Effect.void
      })
    })
  }

  /** The guard's resource is the item, and what it refers to lives as long as that: nothing of the creation. */
  private guard(item: Item<A>) {
    const { manager } = this.pool
    const create = Scope.extend(manager.create((value) => item.made(value)), item.scope)
    const acquire = Effect.matchCauseEffect(Effect.interruptible(create), {
      // An interruption that comes just after it is there takes nothing away.
      onFailure: (cause) => item.isMade ? Effect.succeed(item) : Effect.failCause(cause),
      onSuccess: () => Effect.succeed(item)
    })
    return ResourceGuard.make(acquire, this.releasing, this.settings) as Effect.Effect<
      ResourceGuard.Any,
      E | CleanupError.RegistryShuttingDown,
      ResourceRegistry.ResourceRegistry | Scope.Scope
    >
  }

  private succeeded(creation: Creation, item: Item<A>, guard: ResourceGuard.Any): void {
    const { pool } = this
    const { lifetimeJitter, maxLifetime } = pool.options
    this.creations.delete(creation)
    const now = pool.timers.now()
    item.created(guard, now, lifetimeJitter === 0 ? maxLifetime : maxLifetime * (1 - lifetimeJitter * this.random()))
    pool.created(item, now - creation.startedAt, creation.isStuck)
    pool.state.created(item, now, creation.isStuck)
    pool.counted()
  }

  /** It counts until what it has left in its scope is gone, too. */
  private failed(
    creation: Creation,
    cause: Cause.Cause<E | CleanupError.RegistryShuttingDown>,
    scope: LazyScope
  ): Effect.Effect<void> {
    const { pool } = this
    const { state } = pool
    const now = pool.timers.now()
    const leavesSomething = !scope.isEmpty
    if (!leavesSomething) {
      this.creations.delete(creation)
      scope.end()
    }
    if (!creation.isStuck) {
      creation.isStuck = true
      pool.creationFailed(cause)
      if (leavesSomething) state.createStuck(now, this.random())
      else state.createFailed(now, this.random())
      if (this.isRefused(cause)) pool.onRegistryClosed()
    } else if (!leavesSomething) state.stuckEnded(now)
    pool.counted()
    return !leavesSomething ? Effect.void : Effect.map(scope.close(Exit.failCause(cause)), () => {
      this.creations.delete(creation)
      state.stuckEnded(pool.timers.now())
    })
  }

  /** The pool's own registry takes nothing on any more. */
  private isRefused(cause: Cause.Cause<unknown>): boolean {
    return Option.exists(
      Cause.failureOption(cause),
      (error) => error instanceof CleanupError.RegistryShuttingDown && error.typeName === this.pool.options.name
    )
  }

  // --- destroying ----------------------------------------------------------------------------------------------------

  /** The release of an item's guard, whoever asks for it: the registry may do so before the item is in the pool. */
  private readonly releasing = (item: Item<A>): Effect.Effect<void, unknown, ResourceRegistry.ResourceRegistry> => {
    const { manager, timers } = this.pool
    const { destroy } = manager
    const { scope, value } = item
    const info = item.info(timers.now())
    const destroyed = destroy === undefined ? Effect.void : Effect.asVoid(Effect.suspend(() => destroy(value, info)))
    const isEmpty = scope.isEmpty
    if (isEmpty) scope.end()
    const released = isEmpty ? destroyed : closing(scope, destroyed)
    if (item.guard !== undefined && !item.isReleased) return Effect.andThen(this.noticeRelease(item), released)
    item.isReleased = true
    return released
  }

  /** One that the pool has not asked for: the registry is closing, or somebody made it clean up. */
  private noticeRelease(item: Item<A>): Effect.Effect<void, never, ResourceRegistry.ResourceRegistry> {
    return Effect.suspend(() => {
      const isOurs = item.status === "destroying"
      this.pool.state.released(item)
      if (isOurs) return Effect.void
      this.pool.removed(item, "released")
      return Effect.match(this.scheduled(item), {
        onFailure: (error) => this.whenOver(item, "released", Effect.fail(error)),
        onSuccess: ({ await: over }) => this.whenOver(item, "released", over)
      })
    })
  }

  destroy(item: Item<A>, reason: RemovalReason): void {
    this.pool.removed(item, reason)
    this.whenOver(item, reason, Effect.flatMap(this.scheduled(item), ({ await: over }) => over))
  }

  /** Of a release that has begun already, only its end can be waited for. */
  private scheduled(item: Item<A>) {
    const request = { resource: item.id, priority: this.pool.options.priority }
    return Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.schedule(request))
  }

  /** Waits in a fiber that is no part of a cleanup, as that would wait for itself. */
  private whenOver(
    item: Item<A>,
    reason: RemovalReason,
    over: Effect.Effect<void, CleanupError.CleanupError<unknown>, ResourceRegistry.ResourceRegistry>
  ): void {
    Seam.forkLater(
      this.pool.runtime,
      Effect.map(Effect.exit(over), (exit) => {
        this.pool.destroyed(item, reason, exit)
        this.pool.state.ended(item, this.pool.timers.now())
        this.pool.counted()
      })
    )
  }
}

/** It is destroyed before what its creating has added to its scope; each is limited, and none keeps another from running. */
const closing = (scope: LazyScope, destroyed: Effect.Effect<void, unknown>) =>
  Effect.flatMap(
    Effect.andThen(Scope.addFinalizer(scope, Effect.orDie(destroyed)), scope.close(Exit.void)),
    (report) =>
      CleanupReport.isClean(report) ? Effect.void : Effect.fail(new ResourceGuard.FinalizersFailed({ report }))
  )
