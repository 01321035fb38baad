/**
 * How items come and go: each is created within its time limit in a fiber of its own, bound to a guard, and destroyed
 * through the registry. Whatever happens on the way, `PoolState` hears of each beginning's end exactly once.
 */
import { ResourceGuard, ResourceRegistry, ResourceScope } from "@patinox/core"
import { type Deadline, makeDeadline } from "@patinox/core/Foundation"
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
  /** Its time limit has passed. */
  isLate: boolean
}

export class Lifecycle<A, E> {
  private readonly creations = new Set<Creation>()

  constructor(
    private readonly pool: Pool<A, E>,
    private readonly runtime: Seam.PoolRuntime<ResourceRegistry.ResourceRegistry>,
    /** Where the guards live; they leave nothing there when they go. */
    private readonly guards: Scope.Scope,
    private readonly random: () => number
  ) {}

  // --- creating ------------------------------------------------------------------------------------------------------

  create(): void {
    const { options, timers } = this.pool
    const creation: Creation = {
      startedAt: timers.now(),
      deadline: makeDeadline(() => this.timedOut(creation)),
      fiber: undefined,
      isLate: false
    }
    this.creations.add(creation)
    timers.set(creation.deadline, creation.startedAt + options.createTimeout)
    creation.fiber = Seam.forkLater(this.runtime, this.creating(creation))
  }

  /** Ends every creation that has not ended. */
  interruptCreations(): void {
    for (const { fiber } of this.creations) Seam.interruptLater(fiber!)
  }

  private timedOut(creation: Creation): void {
    const { options, state, timers } = this.pool
    creation.isLate = true
    this.pool.creationFailed(
      Cause.fail(new PoolCreateTimeout({ pool: options.name, limitMillis: options.createTimeout }))
    )
    state.createStuck(timers.now(), this.random())
    Seam.interruptLater(creation.fiber!)
  }

  private creating(creation: Creation): Effect.Effect<void, never, ResourceRegistry.ResourceRegistry> {
    const { manager, options, state, timers } = this.pool
    return Effect.flatMap(ResourceScope.make({ timeout: options.destroyTimeout }), (scope) => {
      let created: Option.Option<A> = Option.none()
      let item: Item<A> | undefined = undefined
      const create = Effect.interruptible(
        Effect.map(Scope.extend(manager.create, scope), (value) => {
          created = Option.some(value)
          return value
        })
      )
      // What has been created is kept, though it was interrupted in the same moment.
      const acquire = Effect.catchAllCause(
        create,
        (cause): Effect.Effect<A, E> =>
          Option.match(created, { onNone: () => Effect.failCause(cause), onSome: Effect.succeed })
      )
      const guard = ResourceGuard.make(acquire, (value) => this.releasing(value, item, scope), {
        typeName: options.name,
        priority: options.priority,
        timeout: options.destroyTimeout
      })
      return Effect.flatMap(Effect.exit(Scope.extend(guard, this.guards)), (exit) => {
        this.creations.delete(creation)
        timers.clear(creation.deadline)
        const now = timers.now()
        if (Exit.isSuccess(exit)) {
          item = new Item(exit.value, Option.getOrThrow(created), now, now + this.lifetime())
          this.pool.created(item, now - creation.startedAt)
          state.created(item, now, creation.isLate)
          return Effect.void
        }
        if (creation.isLate) state.stuckEnded(now)
        else {
          this.pool.creationFailed(exit.cause)
          state.createFailed(now, this.random())
        }
        return Seam.isEmptyScope(scope) ? Effect.void : Effect.asVoid(ResourceScope.close(scope, exit))
      })
    })
  }

  private lifetime(): number {
    const { lifetimeJitter, maxLifetime } = this.pool.options
    return lifetimeJitter === 0 ? maxLifetime : maxLifetime * (1 - lifetimeJitter * this.random())
  }

  // --- destroying ----------------------------------------------------------------------------------------------------

  /** The release of an item's guard, whoever asks for it; it has no item where the registry refused it at once. */
  private releasing(value: A, item: Item<A> | undefined, scope: Scope.CloseableScope): Effect.Effect<void, unknown> {
    const { manager, timers } = this.pool
    const { destroy } = manager
    if (item !== undefined) this.noticeRelease(item)
    const info = item?.info(timers.now()) ?? { id: undefined, ageMillis: 0, idleMillis: 0, uses: 0 }
    const destroyed = destroy === undefined ? Effect.void : Effect.asVoid(Effect.suspend(() => destroy(value, info)))
    return Seam.isEmptyScope(scope) ? destroyed : Effect.ensuring(destroyed, Scope.close(scope, Exit.void))
  }

  /** A release that the pool has not asked for: the registry is closing, or somebody made it clean up. */
  private noticeRelease(item: Item<A>): void {
    if (item.isReleased) return
    const { state } = this.pool
    const isOurs = item.status === "destroying"
    state.released(item)
    if (isOurs) return
    this.pool.removed(item, "released")
    // From outside of the cleanup, which would wait for itself.
    Seam.forkLater(this.runtime, Effect.flatMap(Effect.exit(item.guard.cleanup), () => this.ended(item, Exit.void)))
  }

  destroy(item: Item<A>, reason: RemovalReason): void {
    this.pool.removed(item, reason)
    Seam.forkLater(
      this.runtime,
      Effect.flatMap(
        Effect.exit(Effect.flatMap(this.scheduled(item), ({ await: ended }) => ended)),
        (exit) => this.ended(item, exit)
      )
    )
  }

  private scheduled(item: Item<A>) {
    const request = { resource: item.guard, priority: this.pool.options.priority }
    return Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.schedule(request))
  }

  private ended(item: Item<A>, exit: Exit.Exit<void, unknown>): Effect.Effect<void> {
    return Effect.sync(() => {
      this.pool.destroyed(item, exit)
      this.pool.state.ended(item, this.pool.timers.now())
    })
  }
}
