/**
 * What to do when a release fails or overruns: data, not combinators, so that the resource's and the error's types are
 * inferred from the release it stands beside. Everything in it runs inside the cleanup's time limit.
 *
 * - `Retry` runs the release again by `retry`; when that runs out, it goes on to the fallback.
 * - `Fallback` runs `fallback`; without one, or where it fails, the original error stands.
 * - `Fail` leaves the error as it is.
 */
import type { Effect } from "effect"
import { Schedule } from "effect"
import type { RecoveryStrategy, ReleaseError } from "./CleanupError.js"

/** How a release of an `A` that may fail with `E` is recovered; every part may be left out. */
export interface RecoveryPolicy<in A, in E, out RS = never, out RF = never> {
  /** What to do about an error; `CleanupError.recoveryStrategy` unless given. */
  readonly strategy?: (error: ReleaseError<E>) => RecoveryStrategy
  /** When to try again; `defaultRetry` unless given. */
  readonly retry?: Schedule.Schedule<unknown, ReleaseError<E>, RS>
  /** Another way to release the resource. Its own failure never replaces the release's. */
  readonly fallback?: (resource: A, error: ReleaseError<E>) => Effect.Effect<unknown, unknown, RF>
}

/**
 * The policy itself, with its types inferred: for a policy that is written apart from its release.
 *
 * ```ts
 * import { RecoveryPolicy } from "@patinox/core"
 * import { Effect, Schedule } from "effect"
 *
 * const policy = RecoveryPolicy.make({
 *   strategy: (error) => error._tag === "CleanupTimeout" ? "Fallback" : "Retry",
 *   retry: Schedule.recurs(2),
 *   fallback: (socket: { destroy: () => void }) => Effect.sync(() => socket.destroy())
 * })
 * console.log(Object.keys(policy).join(" ")) // => strategy retry fallback
 * ```
 */
export const make = <A, E, RS = never, RF = never>(
  policy: RecoveryPolicy<A, E, RS, RF>
): RecoveryPolicy<A, E, RS, RF> => policy

/** Every error is final. */
export const none: RecoveryPolicy<unknown, unknown> = { strategy: () => "Fail" }

/** The default of every part: retries what timed out, has no fallback. */
export const defaultPolicy: RecoveryPolicy<unknown, unknown> = {}

/** Three more attempts, after about 100, 200 and 400 ms (jittered by a fifth; no pause is longer than 2 s). */
export const defaultRetry: Schedule.Schedule<unknown> = /* @__PURE__ */ Schedule.intersect(
  /* @__PURE__ */ Schedule.either(
    /* @__PURE__ */ Schedule.jittered(/* @__PURE__ */ Schedule.exponential("100 millis")),
    /* @__PURE__ */ Schedule.spaced("2 seconds")
  ),
  /* @__PURE__ */ Schedule.recurs(3)
)
