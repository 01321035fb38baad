/** A recovery policy as plain data, so that it can be generated, printed and shrunk, and the policy that it stands for. */
import type { CleanupError, RecoveryPolicy } from "@patinox/core"
import { Effect, Schedule } from "effect"

/** What a policy does, and how its fallback behaves. What is left out is left to the default. */
export interface RecoveryPlan {
  readonly strategy?: {
    readonly CleanupTimeout: CleanupError.RecoveryStrategy
    readonly CleanupFailed: CleanupError.RecoveryStrategy
  }
  readonly retry?: { readonly times: number; readonly delayMillis: number }
  readonly fallback?: "succeeds" | "fails" | "dies" | "hangs"
}

const fallbacks = {
  succeeds: Effect.void,
  fails: Effect.fail("Injected failure of the fallback"),
  dies: Effect.die(new Error("Injected defect in the fallback")),
  hangs: Effect.interruptible(Effect.never)
} as const

/**
 * The policy.
 *
 * ```ts
 * import { RecoveryPlan } from "@patinox/vitest"
 *
 * const policy = RecoveryPlan.toPolicy({ retry: { times: 2, delayMillis: 100 }, fallback: "succeeds" })
 * console.log(Object.keys(policy).join(" ")) // => retry fallback
 * ```
 */
export const toPolicy = (plan: RecoveryPlan): RecoveryPolicy.RecoveryPolicy<unknown, unknown> => {
  const { fallback, retry, strategy } = plan
  return {
    ...(strategy === undefined ? undefined : { strategy: (error) => strategy[error._tag] }),
    ...(retry === undefined ? undefined : {
      retry: Schedule.intersect(Schedule.spaced(retry.delayMillis), Schedule.recurs(retry.times))
    }),
    ...(fallback === undefined ? undefined : { fallback: () => fallbacks[fallback] })
  }
}
