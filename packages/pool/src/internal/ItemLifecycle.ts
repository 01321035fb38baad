/**
 * How items come and go: each is created within its time limit in a fiber of its own, bound to a guard, and destroyed
 * through the registry. Whatever happens on the way, `PoolState` hears of each beginning's end exactly once.
 */
import { CleanupError, CleanupReport, ResourceGuard, ResourceRegistry, ResourceScope } from "@patinox/core"
import {
  type AppRuntime,
  type CurrentFiber,
  type Deadline,
  forkLater,
  interruptLater,
  isInterruptible,
  LazyScope,
  makeDeadline,
  shareRefs,
  UserFunction,
  withFiber,
  withScope
} from "@patinox/core/kernel"
import { Cause, Effect, Exit, Fiber, Option, Scope } from "effect"
import { type CreationError, PoolCreateTimeout } from "../PoolError.js"
import type { CreationFailures } from "./CreationFailures.js"
import { Item, type ItemHandle, type ItemInfo } from "./Item.js"
import type { ItemHooks } from "./ItemHooks.js"
import type { ItemList } from "./ItemList.js"
import type { PoolContext } from "./PoolContext.js"
import type { PoolManager } from "./PoolManager.js"
import type { ItemState } from "./RunningCheck.js"
import { Doubt } from "./state/PoolItem.js"
import type { RemovalReason } from "./state/Vocabulary.js"

interface Creation {
  readonly startedAt: number
  readonly deadline: Deadline
  fiber: CurrentFiber | undefined
  /** It takes unusually long: another may be begun beside it. */
  isSlow: boolean
  /** Everything begun by some instant after its beginning is distrusted. */
  isDistrusted: boolean
  /** It has failed, takes too long or is not wanted any more: `PoolState` counts it among the stuck until its end. */
  isStuck: boolean
  /** Creating is over; what is left to do is ours, and cannot be cut off. */
  isOver: boolean
}

/** For how long a creation is nothing unusual, in milliseconds. */
const longestUsual = 2_000

/** Whether a creation can be interrupted by now, and for how long that is asked when the pool ends, in milliseconds. */
const lookAgainEvery = 1_000
const longestLook = 60_000

interface LifecycleParts<A, E> {
  readonly context: PoolContext
  readonly manager: PoolManager<A, E>
  readonly state: ItemState<A>
  readonly hooks: ItemHooks<A>
  readonly items: ItemList<A>
  readonly failures: CreationFailures<E>
  /** Where the guards live; they leave nothing there when they go. */
  readonly guards: Scope.Scope
}

export class ItemLifecycle<A, E> {
  /** The registry refuses new items for good. */
  onRegistryClosed: () => void = () => {}
  onDestroyed: ((item: Item<A>, error: CleanupError.CleanupError<unknown> | undefined) => void) | undefined = undefined
  private readonly creations = new Set<Creation>()
  private lookUntil = Infinity
  /** Shared by the fibers that create, so that a guard does not keep those of its own. */
  private home: ReturnType<typeof shareRefs> | undefined = undefined
  private readonly newScope: Effect.Effect<ResourceScope.ResourceScope>
  private readonly settings: ResourceGuard.GuardOptions<unknown, unknown>
  private readonly slowAfter: number
  private readonly runtime: AppRuntime<ResourceRegistry.ResourceRegistry | Scope.Scope>

  constructor(private readonly parts: LifecycleParts<A, E>) {
    const { createTimeout, destroyTimeout, name, priority } = parts.context.options
    const { forceDestroy } = parts.manager
    this.slowAfter = Math.min(longestUsual, createTimeout / 4)
    this.settings = {
      typeName: name,
      priority,
      timeout: destroyTimeout,
      ...(forceDestroy === undefined ? undefined : {
        recovery: {
          fallback: (item, error) => forceDestroy((item as Item<A>).value, error, this.infoOf(item as Item<A>))
        }
      })
    }
    // Over a little before the guard gives the release up, with the finalizer named that has not ended.
    this.newScope = ResourceScope.make({ timeout: destroyTimeout * 0.95 })
    this.runtime = withScope(parts.context.runtime, parts.guards)
  }

  // --- creating ------------------------------------------------------------------------------------------------------

  create(): void {
    const { timers } = this.parts.context
    const creation: Creation = {
      startedAt: timers.now(),
      deadline: makeDeadline(() => this.due(creation)),
      fiber: undefined,
      isSlow: false,
      isDistrusted: false,
      isStuck: false,
      isOver: false
    }
    this.creations.add(creation)
    creation.fiber = forkLater(this.runtime, this.creating(creation))
    timers.set(creation.deadline, creation.startedAt + this.slowAfter)
  }

  private due(creation: Creation): void {
    const { context: { options, timers }, state } = this.parts
    if (creation.isStuck) return this.cutOff(creation)
    if (creation.isSlow) return this.timedOut(creation)
    timers.set(creation.deadline, creation.startedAt + options.createTimeout)
    creation.isSlow = true
    state.createSlow(timers.now())
  }

  /** It has ended, or counts as stuck from now on. */
  private stopCounting(creation: Creation): void {
    if (creation.isSlow && !creation.isStuck) this.parts.state.creations.slowEnded()
    creation.isStuck = true
  }

  distrustCreations(): void {
    for (const creation of this.creations) creation.isDistrusted = true
  }

  /** Ends what is being created, as no borrower waits for it; that is no failure. */
  cancelCreations(): void {
    for (const creation of this.creations) {
      if (creation.isStuck) continue
      this.stopCounting(creation)
      this.parts.state.creations.becameUnwanted()
      this.cancel(creation)
    }
  }

  /**
   * With a `destroy` of its own an item may be lost that is cut off halfway: such a creation first gets as long as a
   * destruction to come to its end, and what it comes to is destroyed.
   */
  private cancel(creation: Creation): void {
    const { context: { options, timers }, manager } = this.parts
    if (manager.destroy === undefined || creation.isOver) this.cutOff(creation)
    else timers.set(creation.deadline, timers.now() + options.destroyTimeout)
  }

  /**
   * Interrupts it as soon as that can be: sent into an uninterruptible region an interruption takes away, at its end, what
   * that gives.
   */
  private cutOff({ deadline, fiber, isOver }: Creation): void {
    const { context: { timers }, manager } = this.parts
    timers.clear(deadline)
    if (isOver) return
    if (manager.destroy === undefined || isInterruptible(fiber!)) return interruptLater(fiber!)
    const next = timers.now() + lookAgainEvery
    if (next <= this.lookUntil) timers.set(deadline, next)
  }

  /** Ends every creation now. A creation is abandoned that cannot be interrupted for longer than a destruction may take. */
  cutOffCreations(): void {
    const { options, timers } = this.parts.context
    this.cancelCreations()
    this.lookUntil = timers.now() + Math.min(options.destroyTimeout, longestLook)
    for (const creation of this.creations) this.cutOff(creation)
  }

  private timedOut(creation: Creation): void {
    const { context: { options, random, timers }, failures, state } = this.parts
    const cause = Cause.fail(new PoolCreateTimeout({ pool: options.name, limitMillis: options.createTimeout }))
    this.stopCounting(creation)
    failures.last = cause
    state.createStuck(timers.now(), random())
    this.cancel(creation)
    failures.reportFailed(cause)
  }

  private creating(creation: Creation): Effect.Effect<void, never, ResourceRegistry.ResourceRegistry | Scope.Scope> {
    return withFiber((fiber) => {
      this.home = shareRefs(fiber, this.home)
      const item = new Item<A>(new LazyScope(this.newScope))
      return Effect.flatMap(Effect.exit(this.guard(item)), (exit) => {
        creation.isOver = true
        this.parts.context.timers.clear(creation.deadline)
        if (Exit.isFailure(exit)) return this.failed(creation, exit.cause, item.scope)
        // Between its registration and this moment the registry may have made it clean up, or its own handle condemned it.
        const isDead = (item.doubts & Doubt.condemned) !== 0
        if (item.isReleased || isDead) {
          const cause = isDead
            ? this.parts.failures.unfit(Cause.fail("it was invalidated while it was created"))
            : Cause.die(new Error("It was released before it could be lent"))
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
    const { items, manager } = this.parts
    const handle: ItemHandle = {
      invalidate: () => UserFunction.call(() => items.condemn(item), () => undefined)
    }
    const create = Scope.extend(manager.create((value) => item.made(value), handle), item.scope)
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
    const { context: { metrics, options, random, reporter, timers }, failures, items, state } = this.parts
    const { lifetimeJitter, maxLifetime } = options
    const failuresBefore = state.circuit.failures
    const isLate = creation.isStuck
    this.creations.delete(creation)
    this.stopCounting(creation)
    const now = timers.now()
    item.created(guard, now, lifetimeJitter === 0 ? maxLifetime : maxLifetime * (1 - lifetimeJitter * random()))
    if (creation.isDistrusted) item.doubts |= Doubt.condemned
    items.add(item)
    state.created(item, now, isLate)
    // An item that is validated first does not count as created yet.
    if (state.circuit.failures === 0) failures.last = undefined
    const createMillis = now - creation.startedAt
    metrics.created(createMillis)
    reporter.emit(() => ({ _tag: "Created", id: item.id, createMillis }))
    failures.reportSucceeded(failuresBefore)
  }

  /** It counts until what it has left in its scope is gone, too. */
  private failed(
    creation: Creation,
    cause: Cause.Cause<CreationError<E>>,
    scope: LazyScope
  ): Effect.Effect<void> {
    const { context: { random, timers }, failures, state } = this.parts
    const now = timers.now()
    const leavesSomething = !scope.isEmpty
    if (!leavesSomething) {
      this.creations.delete(creation)
      scope.end()
    }
    const isNews = !creation.isStuck
    this.stopCounting(creation)
    if (isNews) {
      failures.last = cause
      if (leavesSomething) state.createStuck(now, random())
      else state.createFailed(now, random())
    } else if (!leavesSomething) state.stuckEnded(now)
    if (isNews) failures.reportFailed(cause)
    if (isNews && this.isRefused(cause)) this.onRegistryClosed()
    return !leavesSomething ? Effect.void : Effect.map(scope.close(Exit.failCause(cause)), () => {
      this.creations.delete(creation)
      state.stuckEnded(timers.now())
    })
  }

  /** The pool's own registry refuses new resources. */
  private isRefused(cause: Cause.Cause<unknown>): boolean {
    const isOurs = (error: unknown) =>
      error instanceof CleanupError.RegistryShuttingDown && error.typeName === this.parts.context.options.name
    // The error may be a user's, which may throw where it is looked at.
    return UserFunction.call(() => Option.exists(Cause.failureOption(cause), isOurs), () => false)
  }

  // --- destroying ----------------------------------------------------------------------------------------------------

  private infoOf(item: Item<A>): ItemInfo {
    return item.info(this.parts.context.timers.now())
  }

  /** The release of an item's guard, which the registry may call for, too, even before the item is in the pool. */
  private readonly releasing = (item: Item<A>): Effect.Effect<void, unknown, ResourceRegistry.ResourceRegistry> => {
    const { destroy } = this.parts.manager
    const { scope, value } = item
    const info = this.infoOf(item)
    const destroyed = destroy === undefined
      ? Effect.void
      : Effect.asVoid(UserFunction.effect(() => destroy(value, info)))
    const isEmpty = scope.isEmpty
    if (isEmpty) scope.end()
    const released = isEmpty ? destroyed : closing(scope, destroyed)
    if (item.guard !== undefined && !item.isReleased) return Effect.andThen(this.noticeRelease(item), released)
    item.isReleased = true
    return released
  }

  /** A release that the pool has not asked for: the registry is closing, or the guard is cleaned up by hand. */
  private noticeRelease(item: Item<A>): Effect.Effect<void, never, ResourceRegistry.ResourceRegistry> {
    return Effect.suspend(() => {
      const isOurs = item.status === "destroying"
      this.parts.state.released(item)
      if (isOurs) return Effect.void
      this.reportRemoved(item, "released")
      return Effect.match(this.scheduled(item), {
        onFailure: (error) => this.whenOver(item, "released", Effect.fail(error)),
        onSuccess: ({ await: over }) => this.whenOver(item, "released", over)
      })
    })
  }

  /** At once, beside all others: however many hang, none waits for them. */
  destroy(item: Item<A>, reason: RemovalReason): void {
    const started = Effect.catchTag(
      item.guard!.cleanup,
      "AlreadyCleanedUp",
      () => Effect.flatMap(this.scheduled(item), ({ await: over }) => over)
    )
    const stopping = this.parts.hooks.stopping.get(item)
    this.whenOver(item, reason, stopping === undefined ? started : Effect.andThen(Fiber.await(stopping), started))
    this.reportRemoved(item, reason)
  }

  private reportRemoved(item: Item<A>, reason: RemovalReason): void {
    const { metrics, reporter } = this.parts.context
    const { ageMillis, uses } = this.infoOf(item)
    metrics.removed(reason)
    reporter.emit(() => ({ _tag: "Removed", id: item.id, reason, ageMillis, uses }))
  }

  /** Of a release that has begun already, only its end can be waited for. */
  private scheduled(item: Item<A>) {
    const request = { resource: item.id, priority: this.parts.context.options.priority }
    return Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.schedule(request))
  }

  /** Waits in a fiber that is no part of a cleanup, as that would wait for itself. */
  private whenOver(
    item: Item<A>,
    reason: RemovalReason,
    over: Effect.Effect<void, CleanupError.CleanupError<unknown>, ResourceRegistry.ResourceRegistry>
  ): void {
    const { context: { reporter, runtime, timers }, items, state } = this.parts
    forkLater(
      runtime,
      Effect.map(Effect.exit(over), (exit) => {
        items.remove(item)
        // Before it is counted down, which may be the last that a drain waits for.
        const error = errorOf(exit)
        this.onDestroyed?.(item, error)
        state.ended(item, timers.now())
        reporter.emit(() => ({
          _tag: "Destroyed",
          id: item.id,
          reason,
          ...(error === undefined ? undefined : { error })
        }))
      })
    )
  }
}

const errorOf = (exit: Exit.Exit<void, CleanupError.CleanupError<unknown>>) =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined

/** It is destroyed before what its creating has added to its scope; each is limited, and none keeps another from running. */
const closing = (scope: LazyScope, destroyed: Effect.Effect<void, unknown>) =>
  Effect.flatMap(
    Effect.andThen(Scope.addFinalizer(scope, Effect.orDie(destroyed)), scope.close(Exit.void)),
    (report) =>
      CleanupReport.isClean(report) ? Effect.void : Effect.fail(new ResourceGuard.FinalizersFailed({ report }))
  )
