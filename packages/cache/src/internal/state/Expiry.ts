/** What the age of a value means: fresh, old enough for a refresh, stale, of no use. Pure functions of instants. */
import type { Verdict } from "./Vocabulary.js"

/** In milliseconds; infinite, or 0, where not wanted. */
export interface AgeLimits {
  readonly refreshAfter: number
  readonly staleWhileRevalidate: number
  readonly staleOnError: number
}

/** Instants of a value, in milliseconds. */
export interface Aged {
  readonly writtenAt: number
  readonly usedAt: number
  readonly expiresAt: number
  /** Not an instant: how long it may be without a use; undefined where that is for ever. */
  readonly timeToIdle: number | undefined
  /** From when on its age matters to a caller. */
  readonly lookAt: number
  /** How many refreshes in a row have failed. */
  readonly failures: number
  readonly users: number
  /** It is a failure, which is of no use once it has expired. */
  readonly isFailure: boolean
}

/** The pause after a refresh that failed: it doubles with each in a row. */
const firstPause = 1_000
const longestPause = 60_000

export const firstLook = ({ expiresAt, writtenAt }: Aged, { refreshAfter }: AgeLimits): number =>
  Math.min(expiresAt, writtenAt + refreshAfter)

const staleUntil = ({ expiresAt, isFailure }: Aged, staleness: number): number =>
  isFailure ? expiresAt : expiresAt + staleness

/** From when on it is of no use at all. */
export const lastInstant = (value: Aged, { staleOnError, staleWhileRevalidate }: AgeLimits): number =>
  staleUntil(value, Math.max(staleWhileRevalidate, staleOnError))

/** When it has to go, as far as is known now. In use it is not idle. */
export const dueAt = (value: Aged, limits: AgeLimits): number =>
  value.timeToIdle === undefined || value.users > 0
    ? lastInstant(value, limits)
    : Math.min(lastInstant(value, limits), value.usedAt + value.timeToIdle)

export const isIdleTooLong = (value: Aged, now: number): boolean =>
  value.timeToIdle !== undefined && value.users === 0 && now >= value.usedAt + value.timeToIdle

/** What a value whose age matters is good for when it is requested. */
export const verdict = (value: Aged, limits: AgeLimits, now: number): Verdict =>
  now < staleUntil(value, limits.staleWhileRevalidate)
    ? "refreshed"
    : now < lastInstant(value, limits)
    ? "stale"
    : "useless"

/** After one more failure it is asked for again, but not at once, nor earlier than without. */
export const nextLook = (value: Aged, limits: AgeLimits, now: number): number => {
  const last = lastInstant(value, limits)
  const pause = Math.min(longestPause, firstPause * 2 ** Math.min(value.failures, 10))
  // The nearer its end, the more it matters to hear that what failed is well again.
  const soon = Math.max(firstPause, Math.min(pause, (last - now) / 2))
  return Math.min(Math.max(value.lookAt, now + soon), last)
}
