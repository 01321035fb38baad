/**
 * Options of a cache: defaults, and what is allowed. Pure: a bad one comes back as a `Validation`, before anything
 * starts.
 */
import { CleanupPriority, PatinoxError, type RecoveryPolicy, type ResourceGuard } from "@patinox/core"
import {
  checkCount,
  checkDuration,
  type Checked,
  checkName,
  checkPause,
  checkShare,
  wrongChoice
} from "@patinox/core/kernel"
import type { Duration, Effect, Exit } from "effect"
import * as CachePolicy from "../CachePolicy.js"
import type { CacheLimits } from "./state/CachePorts.js"
import { type RemovalReason, type WhenFull, whenFulls } from "./state/Vocabulary.js"

/** What does not depend on the types of keys and values. Durations are above 0, and may be infinite. */
export interface CacheSettings {
  /** What logs, metrics, errors and the registry call it. Default: the Tag's key for a layer, else "cache". */
  readonly name?: string
  /** How many values there may be: an integer from 1, or Infinity. Default 1000. */
  readonly maxEntries?: number
  /** How much they may weigh together, in the weigher's unit: a number above 0, or Infinity. Default Infinity. */
  readonly maxWeight?: number
  /** Decides what is evicted when it is full. Default `CachePolicy.lru`. */
  readonly policy?: CachePolicy.CachePolicy
  /** The deadline of a caller, over waiting for room and for the lookup; also that of a refresh. Default 30 seconds. */
  readonly acquireTimeout?: Duration.DurationInput
  /** A value that was not requested for so long expires. Default: never. */
  readonly timeToIdle?: Duration.DurationInput
  /** By which share of its `timeToLive` a value may expire earlier, at random: 0 to 1. Default 0. */
  readonly expiryJitter?: number
  /**
   * A value so old is loaded again when it is requested; until that is there, callers get the old one. Default: never.
   */
  readonly refreshAfter?: Duration.DurationInput
  /** For how long an expired value is still given to callers, while it is loaded again, or `"off"`. Default off. */
  readonly staleWhileRevalidate?: Duration.DurationInput | "off"
  /** For how long an expired value is given to callers when loading it again fails, or `"off"`. Default off. */
  readonly staleOnError?: Duration.DurationInput | "off"
}

/** Settings of a cache that releases its values. */
export interface ReleaseSettings {
  /**
   * What a load does that finds no room because everything is in use: it waits, it goes on all the same, or it fails
   * with `CacheFull`. Default `"wait"`.
   */
  readonly whenFull?: WhenFull
  /**
   * The time limit of releasing a value, over all attempts; and of a load that is no longer wanted, where there is a
   * `release`. Default 5 seconds.
   */
  readonly releaseTimeout?: Duration.DurationInput
  /** Of releasing values, among cleanups that wait in the registry. Default `"Normal"`. */
  readonly priority?: CleanupPriority.CleanupPriority
  /** How long the end of the cache waits for those that use values, and for releases. Default 20 seconds. */
  readonly closeTimeout?: Duration.DurationInput
}

/** A value that has left the cache. */
export interface Removal<out K, out A> {
  readonly key: K
  readonly value: A
  readonly reason: RemovalReason
}

/** Options of a plain cache. Its functions get keys and values. */
export interface PlainOptions<in K, in out A, in out E = never, out RL = never, out RA = never>
  extends Omit<CacheSettings, "timeToIdle">
{
  /**
   * Looks several keys up in one go, for `getAll`: gives their values in the order of the keys, or fails for all of
   * them. What it adds to its scope is released with the last of its values. Default: one `lookup` for each, side by
   * side.
   */
  readonly lookupAll?: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<A>, E, RA>
  /**
   * A value that was not requested for so long expires: for all values, or for each when it is looked up; above 0.
   * Default: never.
   */
  readonly timeToIdle?: Duration.DurationInput | ((key: K, exit: Exit.Exit<A, E>) => Duration.DurationInput)
  /**
   * How long a value is kept: for all values, above 0; or for each when it is looked up, and then also for failures,
   * where 0 is only for those who wait for it. Default: values for ever, failures not at all.
   */
  readonly timeToLive?: Duration.DurationInput | ((key: K, exit: Exit.Exit<A, E>) => Duration.DurationInput)
  /** What a value weighs, as a number from 0, for `maxWeight`; the registry has it as `sizeBytes`. Default 1. */
  readonly weigher?: (value: A, key: K) => number
  /**
   * Hears of each value that leaves the cache, before its release. What it fails with is logged, and its time limited.
   */
  readonly onRemoval?: (removal: Removal<K, A>) => Effect.Effect<unknown, unknown, RL>
}

/** Options of a cache. */
export interface CacheOptions<
  in K,
  in out A,
  in out E = never,
  out RR = never,
  out RF = never,
  out RL = never,
  in out ER = unknown,
  out RA = never
> extends PlainOptions<K, A, E, RL, RA>, ReleaseSettings {
  /**
   * Releases a value, after which the scope that it was looked up in closes. It may fail; then the policy is
   * `recovery`.
   */
  readonly release?: (value: A, key: K) => Effect.Effect<unknown, ER, RR>
  /**
   * What to do when a release fails, the closing of the scope included, or takes too long; put after the release, it
   * knows its error. Default: the registry's.
   */
  readonly recovery?: RecoveryPolicy.RecoveryPolicy<A, NoInfer<ER> | ResourceGuard.FinalizersFailed, RF, RF>
}

/** Of a single call. */
export interface CallOptions {
  /**
   * How long this call waits, for room and for the lookup: a duration above 0. Default: the cache's `acquireTimeout`.
   */
  readonly acquireTimeout?: Duration.DurationInput
}

export interface ResolvedCache extends CacheLimits {
  readonly name: string
  readonly acquireTimeout: number
  readonly expiryJitter: number
  readonly releaseTimeout: number
  readonly priority: CleanupPriority.CleanupPriority
  readonly closeTimeout: number
}

type Check = (option: string, value: unknown) => Checked<unknown>

const checkWeight: Check = (option, value) =>
  typeof value === "number" && value > 0
    ? value
    : PatinoxError.invalidOption(option, value, "a number above 0, or Infinity")

const checkPolicy: Check = (option, value) =>
  typeof (value as CachePolicy.CachePolicy | null)?.make === "function"
    ? value
    : PatinoxError.invalidOption(option, value, "a CachePolicy")

const orOff: Check = (option, value) => value === "off" ? 0 : checkDuration(option, value)

const oneOf = (...allowed: ReadonlyArray<unknown>): Check => (option, value) =>
  wrongChoice(option, value, allowed) ?? value

/** The default and the check of each option. */
const options: { readonly [Name in keyof Required<CacheSettings & ReleaseSettings>]: readonly [unknown, Check] } = {
  name: ["cache", checkName],
  maxEntries: [1_000, (option, value) => checkCount(option, value, 1)],
  maxWeight: [Infinity, checkWeight],
  policy: [CachePolicy.lru, checkPolicy],
  whenFull: ["wait", oneOf(...whenFulls)],
  acquireTimeout: [30_000, checkDuration],
  timeToIdle: [Infinity, checkDuration],
  expiryJitter: [0, checkShare],
  refreshAfter: [Infinity, checkDuration],
  staleWhileRevalidate: ["off", orOff],
  staleOnError: ["off", orOff],
  releaseTimeout: [5_000, checkDuration],
  priority: ["Normal", oneOf(...CleanupPriority.values)],
  closeTimeout: [20_000, checkDuration]
}

export const resolve = (given: CacheSettings & ReleaseSettings, name: string): Checked<ResolvedCache> => {
  const resolved: Record<string, unknown> = {}
  for (const [option, [byDefault, check]] of Object.entries(options)) {
    const value = given[option as keyof typeof options]
    const checked = check(option, value !== undefined ? value : option === "name" ? name : byDefault)
    if (checked instanceof PatinoxError.Validation) return checked
    resolved[option] = checked
  }
  return resolved as unknown as ResolvedCache
}

const operations = ["added", "used", "victim", "pinned", "unpinned", "removed"] as const

/** A policy's own state for a cache: a user's may be anything. */
export const makePolicy = ({ maxEntries, maxWeight, policy }: ResolvedCache): Checked<CachePolicy.PolicyState> => {
  try {
    const state = policy.make({ maxEntries, maxWeight })
    if (operations.every((name) => typeof state[name] === "function")) return state
  } catch {
    // As a policy that makes nothing of use.
  }
  return PatinoxError.invalidOption("policy", policy, `a CachePolicy that makes ${operations.join(", ")}`)
}

/** What a cache is given to call. A `timeToLive` that is the same for every value is checked at once, too. */
export const checkFunctions = (
  given: { readonly [Option in "lookup" | "lookupAll" | "release" | "weigher" | "onRemoval" | "timeToLive"]?: unknown }
): PatinoxError.Validation | undefined => {
  for (const option of ["lookup", "lookupAll", "release", "weigher", "onRemoval"] as const) {
    const value = given[option]
    if (typeof value !== "function" && (value !== undefined || option === "lookup")) {
      return PatinoxError.invalidOption(option, value, "a function")
    }
  }
  if (given.timeToLive === undefined || typeof given.timeToLive === "function") return undefined
  const checked = checkDuration("timeToLive", given.timeToLive)
  return checked instanceof PatinoxError.Validation ? checked : undefined
}

/** What a user's `timeToLive` has answered, in milliseconds. */
export const checkAnsweredTime = (answer: unknown): Checked<number> => checkPause("timeToLive", answer)

/** What a user's `timeToIdle` has answered, in milliseconds. */
export const checkAnsweredIdleTime = (answer: unknown): Checked<number> => checkDuration("timeToIdle", answer)

/** What a user's weigher has answered. */
export const checkAnsweredWeight = (answer: unknown): Checked<number> =>
  typeof answer === "number" && answer >= 0 && answer <= Number.MAX_SAFE_INTEGER
    ? answer
    : PatinoxError.invalidOption("weigher", answer, "a number from 0 to Number.MAX_SAFE_INTEGER")
