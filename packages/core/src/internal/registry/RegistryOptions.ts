/** Options of the registry: their defaults, and what is allowed. */
import type { Duration } from "effect"
import { invalidOption } from "../../PatinoxError.js"
import * as RecoveryPolicy from "../../RecoveryPolicy.js"
import type { Settings } from "../cleanup/CleanupTarget.js"
import type { Capture } from "../kernel/CallSite.js"
import { checkAll, checkDuration, type Checked, integerIn, isMistake, oneOf } from "../kernel/Options.js"
import type { SnapshotPageOptions, SnapshotPlace } from "./Snapshot.js"

/** Options of the registry, as a user gives them. */
export interface RegistryOptions {
  /** How many cleanups the registry itself runs at once: 1 to 10000. Default 16. */
  readonly concurrency?: number
  /** The time limit of a cleanup whose guard sets none. Default 10 seconds. */
  readonly cleanupTimeout?: Duration.DurationInput
  /** After how long a cleanup is reported as slow and gives its slot back. Default 1 second. */
  readonly slowAfter?: Duration.DurationInput
  /** The deadline of a shutdown and of any cleanup of many. Default 25 seconds. */
  readonly shutdownTimeout?: Duration.DurationInput
  /** For how long a resource may be live before a leak is suspected, or `"off"`. Default off. */
  readonly leakThreshold?: Duration.DurationInput | "off"
  /** Whose acquire stack is kept: nobody's, every 128th guard's, or everybody's. Default off. */
  readonly captureStacks?: Capture
  /** How many failed cleanups are kept to be looked at and retried: 0 to 1000000. Default 1000. */
  readonly deadLetters?: number
  /** The recovery of a guard that has none of its own. */
  readonly recovery?: RecoveryPolicy.RecoveryPolicy<unknown, unknown>
}

export interface ResolvedOptions {
  readonly concurrency: number
  readonly slowAfter: number
  readonly shutdownTimeout: number
  readonly leakThreshold: number
  readonly captureStacks: Capture
  readonly deadLetters: number
  /** The settings of a guard without options. */
  readonly guardDefaults: Settings
}

/** The check of each option that can be configured, by its name. */
export const registryChecks = {
  concurrency: integerIn(1, 10_000),
  cleanupTimeout: checkDuration,
  slowAfter: checkDuration,
  shutdownTimeout: checkDuration,
  leakThreshold: (option: string, value: unknown) => value === "off" ? Infinity : checkDuration(option, value),
  captureStacks: oneOf<Capture>(["off", "sampled", "all"]),
  deadLetters: integerIn(0, 1_000_000)
}

export const resolveRegistry = (options: RegistryOptions): Checked<ResolvedOptions> => {
  const checked = checkAll(options, registryChecks, true)
  if (isMistake(checked)) return checked
  const { cleanupTimeout: timeout = 10_000 } = checked
  const recovery = options.recovery ?? RecoveryPolicy.defaultPolicy
  return {
    concurrency: 16,
    slowAfter: 1_000,
    shutdownTimeout: 25_000,
    leakThreshold: Infinity,
    captureStacks: "off",
    deadLetters: 1_000,
    ...checked,
    guardDefaults: {
      timeout,
      attemptTimeout: timeout / 3,
      interruptible: false,
      recovery,
      hasFallback: recovery.fallback !== undefined,
      onFailure: "log",
      close: "wait"
    }
  }
}

const pageChecks = {
  limit: integerIn(1, 10_000),
  after: (option: string, value: SnapshotPlace) =>
    typeof value?.createdAt === "number" && !Number.isNaN(value.createdAt) && typeof value.id === "string"
      ? value
      : invalidOption(option, value, "the next of a page: createdAt and id")
}

/** Which page of a snapshot to read. */
export const checkPage = (options: SnapshotPageOptions): Checked<SnapshotPageOptions> => {
  const checked = checkAll(options, pageChecks)
  if (isMistake(checked)) return checked
  const limit = checked.limit ?? pageChecks.limit("limit", undefined)
  return isMistake(limit) ? limit : { ...checked, limit }
}
