/**
 * The decisions of a cleanup as pure functions over plain data: how its time is divided, and what follows an error. All
 * instants are milliseconds on one monotonic clock; `Infinity` is no limit.
 */
import type { RecoveryStrategy } from "../../CleanupError.js"

export interface Limits {
  /** For everything: attempts, pauses and fallback. */
  readonly timeout: number
  /** For one attempt, and for the fallback at the end. */
  readonly attemptTimeout: number
  readonly hasFallback: boolean
}

export interface Window {
  /** Attempts and pauses end here, so that a fallback still has its share. */
  readonly attemptsEnd: number
  /** Everything ends here. */
  readonly end: number
}

/** The time of a cleanup that starts now and must be over by `deadline`. */
export const window = (now: number, limits: Limits, deadline: number): Window => {
  const end = Math.max(now, Math.min(now + limits.timeout, deadline))
  // Half of what is left when an attempt's share would be more: the release itself comes first.
  const share = limits.hasFallback && end !== Infinity ? Math.min(limits.attemptTimeout, (end - now) / 2) : 0
  return { end, attemptsEnd: end - share }
}

/** The same window under a new, nearer deadline. */
export const clip = (now: number, current: Window, limits: Limits, deadline: number): Window =>
  deadline >= current.end ? current : window(now, limits, deadline)

export const attemptEnd = (now: number, limits: Limits, current: Window): number =>
  Math.min(now + limits.attemptTimeout, current.attemptsEnd)

/** `Step` asks the retry schedule; `GiveUp` ends with the error. */
export type AfterError = "Step" | "Fallback" | "GiveUp"

/** An attempt that has not stopped is never tried again beside itself. */
export const afterError = (strategy: RecoveryStrategy, stopped: boolean, hasFallback: boolean): AfterError => {
  switch (strategy) {
    case "Fail":
      return "GiveUp"
    case "Retry":
      if (stopped) return "Step"
      return hasFallback ? "Fallback" : "GiveUp"
    case "Fallback":
      return hasFallback ? "Fallback" : "GiveUp"
  }
}

export type AfterStep = { readonly _tag: "Pause"; readonly until: number } | { readonly _tag: "Fallback" | "GiveUp" }

/** A pause that would leave no time for the next attempt is not begun. */
export const afterStep = (
  delay: number | undefined,
  now: number,
  current: Window,
  hasFallback: boolean
): AfterStep =>
  delay !== undefined && now + delay < current.attemptsEnd
    ? { _tag: "Pause", until: now + delay }
    : { _tag: hasFallback ? "Fallback" : "GiveUp" }

/** What a cleanup ends with when its fallback failed, too. */
export const afterFallbackFailed = (
  attempt: "failed" | "running" | "succeeded",
  fallbackRuns: boolean
): "failed" | "abandoned" | "recovered" =>
  attempt === "succeeded" ? "recovered" : attempt === "running" || fallbackRuns ? "abandoned" : "failed"

/**
 * A busy process may reach the time to start everything and the deadline in one turn. The close then waits so long, at
 * most, for the cleanups that are still being started.
 */
export const startMillis = 100

/** The part of the time before a deadline in which everything that has not started starts: 5 s, at most 20 %. */
export const forceMargin = (timeout: number): number => Math.min(5_000, timeout * 0.2)
