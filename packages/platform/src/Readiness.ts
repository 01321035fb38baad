/**
 * Whether this process wants new work. Whoever shuts the process down turns it off before anything closes; a load
 * balancer asks for it, through `HealthApi`, and so may whatever takes work in. It does not say whether the process is
 * healthy.
 */
import { callback } from "@patinox/core/kernel"
import { Context, Deferred, Effect } from "effect"

export interface Readiness {
  readonly isReady: Effect.Effect<boolean>
  /** Waits until no new work is wanted. */
  readonly awaitDraining: Effect.Effect<void>
  /** No new work is wanted from now on; there is no way back. */
  readonly drain: Effect.Effect<void>
}

/** A `Readiness` that is ready until it drains. */
export const make: Effect.Effect<Readiness> = /* @__PURE__ */ Effect.map(
  /* @__PURE__ */ Deferred.make<void>(),
  (draining): Readiness => ({
    isReady: Effect.map(Deferred.isDone(draining), (isDraining) => !isDraining),
    awaitDraining: Deferred.await(draining),
    drain: Effect.asVoid(Deferred.succeed(draining, undefined))
  })
)

/** That of the process, given by `NodeRuntime`; where nothing gives one, it is ready for good. */
export const Readiness = /* @__PURE__ */ Context.Reference<Readiness>()("@patinox/platform/Readiness", {
  defaultValue: (): Readiness => ({
    isReady: Effect.succeed(true),
    // `Effect.never` would hold a timer for each who waits.
    awaitDraining: callback(() => {}),
    drain: Effect.void
  })
})
