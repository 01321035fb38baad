/**
 * How a request to a cache can fail, beside what the lookup itself fails with, which reaches the caller as it is. Each
 * error names the cache and says what it was like at that moment.
 */
import { type CleanupError, PatinoxError } from "@patinox/core"
import { TaggedError, Text, UserFunction } from "@patinox/core/kernel"
import type { CacheStage, CloseReason } from "./internal/state/Vocabulary.js"

export type { CacheStage } from "./internal/state/Vocabulary.js"

/** How many entries there were. */
export interface CacheCounts {
  /** In the cache: there for the next caller. */
  readonly entries: number
  /** Values in use, those that are out of the cache already included. */
  readonly inUse: number
  /** Lookups that run. */
  readonly loading: number
  /** Lookups that wait for room. */
  readonly waiting: number
  /** Values that are being released. */
  readonly releasing: number
  /** Of all values that are not released yet. */
  readonly weight: number
}

const counted = ({ entries, inUse, loading, releasing, waiting }: CacheCounts): string =>
  [
    `entries ${entries}`,
    `in use ${inUse}`,
    `loading ${loading}`,
    ...(releasing > 0 ? [`releasing ${releasing}`] : []),
    `waiting ${waiting}`
  ].join(", ")

const stages: { readonly [Stage in CacheStage]: (key: string) => string } = {
  room: (key) => `waiting for room for ${key}, as everything is in use`,
  lookup: (key) => `waiting for the load of ${key}`
}

/** There was no value in time. */
export class CacheTimeout extends /* @__PURE__ */ TaggedError("CacheTimeout")<{
  readonly cache: string
  readonly key: unknown
  readonly stage: CacheStage
  readonly limitMillis: number
  readonly counts: CacheCounts
}> {
  override get message(): string {
    const waiting = stages[this.stage](keyOf(this))
    return `Cache ${this.cache}: timed out after ${Text.duration(this.limitMillis)} ${waiting} (${
      counted(this.counts)
    })`
  }
}

/** Everything in the cache is in use, and waiting is not wanted, or would be for ever. */
export class CacheFull extends /* @__PURE__ */ TaggedError("CacheFull")<{
  readonly cache: string
  readonly key: unknown
  /** What has the room waits for this caller, and gives it back only then. */
  readonly isCircle?: boolean
  readonly counts: CacheCounts
}> {
  override get message(): string {
    const reason = this.isCircle === true ? "what has it waits for more room in turn" : "everything is in use"
    return `Cache ${this.cache}: no room for ${keyOf(this)}, as ${reason} (${counted(this.counts)})`
  }
}

const whyClosed: { readonly [Reason in CloseReason]: string } = {
  closed: "",
  "registry shutting down": ": registry shutting down"
}

/** The cache takes no callers, or its registry no values. */
export class CacheClosed extends /* @__PURE__ */ TaggedError("CacheClosed")<{
  readonly cache: string
  readonly reason: CloseReason
}> {
  override get message(): string {
    return `Cache ${this.cache} is closed${whyClosed[this.reason]}`
  }
}

/** A load requested a key whose load waits for it in turn: none of them would ever end. */
export class CacheCycle extends /* @__PURE__ */ TaggedError("CacheCycle")<{
  readonly cache: string
  readonly key: unknown
}> {
  override get message(): string {
    return `Cache ${this.cache}: the load of ${keyOf(this)} waits for itself`
  }
}

/** A load gave a value that the cache releases for its earlier entry, and gives to no caller again. */
export class CacheValueReleased extends /* @__PURE__ */ TaggedError("CacheValueReleased")<{
  readonly cache: string
  readonly key: unknown
}> {
  override get message(): string {
    return `Cache ${this.cache}: the load of ${keyOf(this)} gave a value that the cache is releasing`
  }
}

const keyOf = ({ key }: { readonly key: unknown }): string => Text.line(Text.unknown(key))

/** What a request to a cache can fail with, beside the lookup's own errors. */
export type CacheError = CacheTimeout | CacheFull | CacheClosed | CacheCycle | CacheValueReleased

/** What to do about an error. */
export type RecoveryStrategy = CleanupError.RecoveryStrategy

const strategies: { readonly [Tag in CacheError["_tag"]]: RecoveryStrategy } = {
  CacheTimeout: "Retry",
  CacheFull: "Retry",
  CacheClosed: "Fail",
  CacheCycle: "Fail",
  CacheValueReleased: "Retry"
}

/**
 * What to do about an error: a timeout, a full cache and a value on its way out pass (`Retry`), a closed cache and a
 * cycle are final (`Fail`).
 */
export const recoveryStrategy = (error: CacheError): RecoveryStrategy => strategies[error._tag]

const classes = [CacheTimeout, CacheFull, CacheClosed, CacheCycle, CacheValueReleased]

/** Whether a value is one of these errors. */
export const is = (value: unknown): value is CacheError =>
  // A proxy may throw at the question for its class.
  UserFunction.call(() => classes.some((error) => value instanceof error), () => false)

/** The error as an `Execution` around a `ResourceExhausted`: the message is kept, the error is its `cause`. */
export const toPatinoxError = (error: CacheError): PatinoxError.Execution =>
  new PatinoxError.Execution({
    error: new PatinoxError.ResourceExhausted({ resource: error.cache, message: error.message, cause: error })
  })
