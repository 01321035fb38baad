/** A user's function inside a time limit: what ignores its interruption is abandoned, not waited for. */
import { disconnect, UserFunction } from "@patinox/core/kernel"
import { Cause, Duration, Effect, type Exit } from "effect"

/**
 * The exit of what `make` gives, or a failure with `timedOut` when the time is up. Where it throws, that is a defect. The limit
 * holds in an uninterruptible region, too; only where the caller can be interrupted is the effect then left at once.
 */
export const bounded = <A, E, T>(
  make: () => Effect.Effect<A, E>,
  millis: number,
  timedOut: () => T
): Effect.Effect<Exit.Exit<A, E | T>> =>
  Effect.exit(
    Effect.timeoutFailCause(Effect.interruptible(disconnect(UserFunction.effect(make))), {
      duration: Duration.millis(millis),
      onTimeout: () => Cause.fail(timedOut())
    })
  )
