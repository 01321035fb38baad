/** What a cleanup that nothing disturbs comes to, worked out from the guard's plan alone. */
import type { Program } from "@patinox/vitest"

export interface Prediction {
  readonly outcome: "cleaned" | "recovered" | "failed" | "abandoned"
  readonly attempts: number
  readonly runMillis: number
}

type Attempt =
  | { readonly _tag: "Succeeds"; readonly at: number }
  | { readonly _tag: "CleanupFailed"; readonly at: number; readonly stopped: true }
  | { readonly _tag: "CleanupTimeout"; readonly at: number; readonly stopped: boolean }

const defaults = { CleanupTimeout: "Retry", CleanupFailed: "Fallback" } as const

const attemptOf = (
  { fault }: Program.GuardPlan,
  attempt: number,
  now: number,
  limit: number,
  attemptsEnd: number
): Attempt | undefined => {
  switch (fault._tag) {
    case "Fail":
      return attempt <= fault.times
        ? { _tag: "CleanupFailed", at: now, stopped: true }
        : { _tag: "Succeeds", at: now }
    case "Die":
    case "Throw":
    case "Untellable":
      return { _tag: "CleanupFailed", at: now, stopped: true }
    case "Hang":
      return { _tag: "CleanupTimeout", at: limit, stopped: true }
    case "IgnoreInterruption":
      return { _tag: "CleanupTimeout", at: attemptsEnd, stopped: false }
    case "Slow":
      // Which of two things due at the same instant comes first is not promised.
      if (now + fault.millis === limit) return undefined
      return now + fault.millis < limit
        ? { _tag: "Succeeds", at: now + fault.millis }
        : { _tag: "CleanupTimeout", at: limit, stopped: true }
    default:
      return { _tag: "Succeeds", at: now }
  }
}

/** `undefined` where it depends on chance (the default retry is jittered) or on a tie. */
export const predict = (plan: Program.GuardPlan): Prediction | undefined => {
  const { attemptTimeoutMillis, recovery = {}, timeoutMillis } = plan
  const { fallback, retry } = recovery
  const strategy = { ...defaults, ...recovery.strategy }
  const attemptsEnd = timeoutMillis -
    (fallback === undefined ? 0 : Math.min(attemptTimeoutMillis, timeoutMillis / 2))

  let now = 0
  for (let attempt = 1;; attempt++) {
    const result = attemptOf(plan, attempt, now, Math.min(now + attemptTimeoutMillis, attemptsEnd), attemptsEnd)
    if (result === undefined) return undefined
    now = result.at
    if (result._tag === "Succeeds") {
      return { outcome: attempt === 1 ? "cleaned" : "recovered", attempts: attempt, runMillis: now }
    }
    const gaveUp = result.stopped ? "failed" as const : "abandoned" as const
    const wanted = strategy[result._tag]
    if (wanted === "Fail") return { outcome: gaveUp, attempts: attempt, runMillis: now }
    if (wanted === "Retry" && result.stopped) {
      if (retry === undefined) return undefined
      if (attempt <= retry.times && now + retry.delayMillis < attemptsEnd) {
        now += retry.delayMillis
        continue
      }
    }
    switch (fallback) {
      case "succeeds":
        return { outcome: "recovered", attempts: attempt, runMillis: now }
      case "hangs":
        return { outcome: gaveUp, attempts: attempt, runMillis: timeoutMillis }
      default:
        return { outcome: gaveUp, attempts: attempt, runMillis: now }
    }
  }
}

const tags = { cleaned: "Cleaned", recovered: "Recovered", failed: "Failed", abandoned: "Abandoned" } as const

/** What a cleanup with such a plan may end with at all, whatever befalls it. */
export const possibleEnds = ({ fault, recovery = {} }: Program.GuardPlan): ReadonlyArray<string> => {
  switch (fault._tag) {
    case "None":
    case "AcquireSlowly":
      return [tags.cleaned]
    case "Fail":
    case "Die":
    case "Throw":
    case "Untellable":
      return recovery.fallback === "succeeds" || (fault._tag === "Fail" && fault.times < Infinity)
        ? [tags.recovered, tags.failed]
        : [tags.failed]
    case "Slow":
    case "Hang":
      return [tags.cleaned, tags.recovered, tags.failed]
    default:
      // Let go while it is being stopped, it ends as interrupted, where all of it may be interrupted.
      return [tags.cleaned, tags.recovered, tags.failed, tags.abandoned]
  }
}
