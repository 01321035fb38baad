/**
 * A guard as its users have it: each operation looks at the resource and does what it does in one step, so that no cleanup
 * comes between the two.
 */
import { Effect, Inspectable, type Scope } from "effect"
import type * as CleanupError from "../../CleanupError.js"
import type { AlreadyCleanedUp } from "../../CleanupError.js"
import type * as ResourceGuard from "../../ResourceGuard.js"
import type { ResourceId } from "../../ResourceId.js"
import type { ResourceInfo } from "../../ResourceInfo.js"
import { cleanupNow } from "../../ResourceRegistry.js"
import { callerOf } from "../cleanup/CallerContext.js"
import { type CleanupTarget, gone, type Holder, infoOf, type State } from "../cleanup/CleanupTarget.js"
import * as Fibers from "../effect3/Fibers.js"
import * as UserFunction from "../kernel/UserFunction.js"
import type { Registry } from "../registry/Registry.js"
import { bind, endNow } from "./Acquire.js"

export class Guard extends Inspectable.Class implements ResourceGuard.Any {
  readonly #registry: Registry
  readonly #entry: CleanupTarget

  constructor(registry: Registry, entry: CleanupTarget) {
    super()
    this.#registry = registry
    this.#entry = entry
  }

  get id(): ResourceId {
    return this.#entry.id
  }

  get info(): ResourceInfo {
    return infoOf(this.#entry)
  }

  get state(): Effect.Effect<State> {
    return Effect.sync(() => this.#entry.state)
  }

  #usable<B, E, R>(
    f: (fiber: Fibers.CurrentFiber, entry: CleanupTarget) => Effect.Effect<B, E, R>
  ): Effect.Effect<B, E | AlreadyCleanedUp, R> {
    const entry = this.#entry
    return Fibers.withFiber((fiber): Effect.Effect<B, E | AlreadyCleanedUp, R> =>
      entry.isUsable ? UserFunction.effectOf(f, fiber, entry) : Effect.fail(gone(entry))
    )
  }

  get value(): Effect.Effect<any, AlreadyCleanedUp> {
    return this.#usable((_, entry) => Effect.succeed(entry.value))
  }

  use<B, E2, R2>(f: (value: any) => Effect.Effect<B, E2, R2>): Effect.Effect<B, E2 | AlreadyCleanedUp, R2> {
    return Effect.uninterruptibleMask((restore) => {
      let holder: Holder | undefined
      return Effect.ensuring(
        // To look, to hold and to hand the value out are one step.
        restore(this.#usable((fiber, entry) => {
          holder = {
            fiber,
            fiberId: Fibers.fiberNumber(fiber),
            since: this.#registry.timers.now(),
            span: Fibers.spanOf(fiber)
          }
          entry.hold(holder)
          return f(entry.value)
        })),
        Effect.sync(() => {
          if (holder !== undefined) this.#entry.endHold(holder)
        })
      )
    })
  }

  update(f: (value: any) => any): Effect.Effect<any, AlreadyCleanedUp> {
    return this.#usable((_, entry) => {
      const value = f(entry.value)
      // `f` may have cleaned it up.
      if (!entry.isUsable) return Effect.fail(gone(entry))
      entry.value = value
      return Effect.succeed(value)
    })
  }

  get cleanup(): Effect.Effect<void, CleanupError.CleanupError<any>> {
    return Fibers.withFiber((fiber) => cleanupNow(this.#registry, this.#entry, callerOf(fiber)))
  }

  get disarm(): Effect.Effect<any, AlreadyCleanedUp> {
    const entry = this.#entry
    return Fibers.syncOrElse(() => entry.isUsable, () => this.#registry.disarm(entry), () => Effect.fail(gone(entry)))
  }

  transferTo(scope: Scope.Scope): Effect.Effect<void, AlreadyCleanedUp> {
    return Effect.uninterruptible(this.#usable((fiber, entry) => {
      const closed = bind(this.#registry, entry, scope)
      return closed === undefined
        ? Effect.void
        : endNow(this.#registry, entry, { trigger: "scope", exit: closed, caller: callerOf(fiber) })
    }))
  }

  override toJSON() {
    const { id, state, typeName } = this.#entry
    return { _id: "ResourceGuard", id, typeName, state }
  }
}
