/** Options of the registry: their defaults, and what is allowed. */
import type { Duration } from "effect"
import type { Validation } from "../../PatinoxError.js"
import * as RecoveryPolicy from "../../RecoveryPolicy.js"
import type { Settings } from "../cleanup/CleanupTarget.js"
import type { Capture } from "../kernel/CallSite.js"
import {
  checkDuration,
  type Checked,
  checkInteger,
  isMistake,
  wrong,
  wrongChoice,
  wrongOptions
} from "../kernel/Options.js"

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
  readonly cleanupTimeout: number
  readonly slowAfter: number
  readonly shutdownTimeout: number
  readonly leakThreshold: number
  readonly captureStacks: Capture
  readonly deadLetters: number
  /** The settings of a guard without options. */
  readonly guardDefaults: Settings
}

const captures: ReadonlyArray<Capture> = ["off", "sampled", "all"]

/** The check of each option that can be configured, by its name. */
export const registryChecks = {
  concurrency: (value: unknown) => checkInteger("concurrency", value, 1, 10_000),
  cleanupTimeout: (value: unknown) => checkDuration("cleanupTimeout", value),
  slowAfter: (value: unknown) => checkDuration("slowAfter", value),
  shutdownTimeout: (value: unknown) => checkDuration("shutdownTimeout", value),
  leakThreshold: (value: unknown) => value === "off" ? Infinity : checkDuration("leakThreshold", value),
  captureStacks: (value: unknown) => wrongChoice("captureStacks", value, captures) ?? value,
  deadLetters: (value: unknown) => checkInteger("deadLetters", value, 0, 1_000_000)
}

const registryDefaults: Required<Omit<RegistryOptions, "recovery">> = {
  concurrency: 16,
  cleanupTimeout: 10_000,
  slowAfter: 1_000,
  shutdownTimeout: 25_000,
  leakThreshold: "off",
  captureStacks: "off",
  deadLetters: 1_000
}

export const resolveRegistry = (options: RegistryOptions): Checked<ResolvedOptions> => {
  const none = wrongOptions(options)
  if (none !== undefined) return none
  const resolved: Record<string, unknown> = {}
  for (const name of Object.keys(registryChecks) as Array<keyof typeof registryChecks>) {
    const checked = registryChecks[name](options[name] ?? registryDefaults[name])
    if (isMistake(checked)) return checked
    resolved[name] = checked
  }
  const timeout = resolved["cleanupTimeout"] as number
  resolved["guardDefaults"] = {
    timeout,
    attemptTimeout: timeout / 3,
    interruptible: false,
    recovery: options.recovery ?? RecoveryPolicy.defaultPolicy,
    hasFallback: options.recovery?.fallback !== undefined,
    onFailure: "log",
    close: "wait"
  } satisfies Settings
  return resolved as unknown as ResolvedOptions
}

/** The error of what says which page of a snapshot to read. */
export const wrongPage = (options: unknown): Validation | undefined => {
  const mistake = wrongOptions(options)
  if (mistake !== undefined) return mistake
  const { after, limit } = options as { readonly after: any; readonly limit: unknown }
  const checked = checkInteger("limit", limit, 1, 10_000)
  if (isMistake(checked)) return checked
  const isPlace = typeof after?.createdAt === "number" && !Number.isNaN(after.createdAt) && typeof after.id === "string"
  return wrong("after", after, isPlace, "the next of a page: createdAt and id")
}
