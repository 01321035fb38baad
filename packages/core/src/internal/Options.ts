/**
 * Options of guards and of the registry: defaults, and what is allowed. Pure: bad input comes back as a `Validation` that
 * names the option, the value and the range, before anything is acquired.
 */
import { Duration } from "effect"
import * as CleanupPriority from "../CleanupPriority.js"
import { invalidOption, Validation } from "../PatinoxError.js"
import * as RecoveryPolicy from "../RecoveryPolicy.js"
import type { Capture } from "./CallSite.js"
import type { AnyPolicy, Settings } from "./Entry.js"
import { call } from "./kernel/UserFunction.js"
import * as Wording from "./Wording.js"

/** A check gives back what it found, or the error. */
export type Checked<A> = A | Validation

const failed = (value: unknown): value is Validation => value instanceof Validation

/** `Duration` itself takes what is below 0, and what is no number, for 0. */
const isBelow0 = (value: unknown): boolean =>
  Array.isArray(value)
    ? !(Number(value[0]) * 1e9 + Number(value[1]) >= 0)
    : typeof value === "string"
    ? /^\s*-/.test(value)
    : (typeof value === "number" || typeof value === "bigint") && !(value >= 0)

/** A duration in milliseconds, `Infinity` included; NaN for what is below 0 or no duration at all. Never throws. */
export const durationMillis = (value: unknown): number =>
  call(() => isBelow0(value) ? Number.NaN : Duration.toMillis(value as Duration.DurationInput), () => Number.NaN)

/** What a duration may be, beside above 0. */
export interface DurationRange {
  /** 0 is allowed, too. Default false. */
  readonly zero?: boolean
  /** The longest in milliseconds; `Infinity` allows `Duration.infinity`. Default `Infinity`. */
  readonly max?: number
  /** How the longest is called, as in "up to the timeout of 5 s". */
  readonly maxText?: string
}

/** The one check of a duration that is an option. */
export const checkDurationIn = (option: string, value: unknown, range: DurationRange): Checked<number> => {
  const { max = Infinity, maxText = max === Infinity ? "" : ` up to ${Wording.duration(max)}`, zero = false } = range
  const millis = durationMillis(value)
  if ((zero ? millis >= 0 : millis > 0) && millis <= max) return millis
  const infinity = max === Infinity && maxText === "" ? ", or Duration.infinity" : ""
  return invalidOption(option, value, `a duration ${zero ? "from" : "above"} 0${maxText}${infinity}`)
}

/** Above 0, `Duration.infinity` included. */
export const checkDuration = (option: string, value: unknown): Checked<number> => checkDurationIn(option, value, {})

/** From 0, `Duration.infinity` included. */
export const checkPause = (option: string, value: unknown): Checked<number> =>
  checkDurationIn(option, value, { zero: true })

export const checkInteger = (option: string, value: unknown, min: number, max: number): Checked<number> =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max
    ? value as number
    : invalidOption(option, value, `an integer from ${min} to ${max}`)

/** An integer from `min`, or Infinity. */
export const checkCount = (option: string, value: unknown, min: number): Checked<number> =>
  value === Infinity || (Number.isInteger(value) && (value as number) >= min)
    ? value as number
    : invalidOption(option, value, `an integer from ${min}, or Infinity`)

/** A part of a whole. */
export const checkShare = (option: string, value: unknown): Checked<number> =>
  typeof value === "number" && value >= 0 && value <= 1
    ? value
    : invalidOption(option, value, "a number from 0 to 1")

/** What something is called. */
export const checkName = (option: string, value: unknown): Checked<string> =>
  typeof value === "string" && value !== "" ? value : invalidOption(option, value, "a text that is not empty")

/** The error of an option that is given and wrong. */
const wrong = (option: string, value: unknown, isRight: boolean, expected: string): Validation | undefined =>
  value === undefined || isRight ? undefined : invalidOption(option, value, expected)

/** The error of what is given for options and is nothing that could hold some. */
export const wrongOptions = (options: unknown): Validation | undefined =>
  Object(options) === options ? undefined : invalidOption("options", options, "an object")

export const wrongChoice = (option: string, value: unknown, allowed: ReadonlyArray<unknown>): Validation | undefined =>
  value === undefined || allowed.includes(value)
    ? undefined
    : invalidOption(option, value, `one of ${allowed.join(", ")}`)

// --- the registry ---------------------------------------------------------------------------------------------------

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
    if (failed(checked)) return checked
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

// --- guards ---------------------------------------------------------------------------------------------------------

/** Options of a guard, but for what it depends on. */
export interface GuardSettings {
  readonly typeName?: string
  readonly priority?: CleanupPriority.CleanupPriority
  readonly timeout?: Duration.DurationInput
  readonly attemptTimeout?: Duration.DurationInput
  readonly slowAfter?: Duration.DurationInput
  readonly interruptible?: boolean
  readonly recovery?: AnyPolicy
  readonly sizeBytes?: number
  readonly metadata?: Readonly<Record<string, string>>
  readonly onFailure?: "log" | "die"
  readonly close?: "wait" | "background"
}

const closes = ["wait", "background"]
const failures = ["log", "die"]

/** Each option read once: a getter may throw, or answer otherwise the next time. */
export const readOnce = (options: GuardSettings): GuardSettings => {
  const {
    attemptTimeout,
    close,
    interruptible,
    metadata,
    onFailure,
    priority,
    recovery,
    sizeBytes,
    slowAfter,
    timeout,
    typeName
  } = options
  return {
    attemptTimeout,
    close,
    interruptible,
    metadata: metadata && { ...metadata },
    onFailure,
    priority,
    recovery,
    sizeBytes,
    slowAfter,
    timeout,
    typeName
  } as GuardSettings
}

export const resolveGuard = (options: GuardSettings | undefined, defaults: Settings): Checked<Settings> => {
  if (options === undefined) return defaults
  const none = wrongOptions(options)
  if (none !== undefined) return none
  const { close, metadata, onFailure, priority, sizeBytes, typeName } = options
  const timeout = options.timeout === undefined ? defaults.timeout : checkDuration("timeout", options.timeout)
  if (failed(timeout)) return timeout
  const attemptTimeout = options.attemptTimeout === undefined
    ? timeout / 3
    : checkDuration("attemptTimeout", options.attemptTimeout)
  if (failed(attemptTimeout)) return attemptTimeout
  const slowAfter = options.slowAfter === undefined ? undefined : checkDuration("slowAfter", options.slowAfter)
  if (failed(slowAfter)) return slowAfter
  const mistake = attemptTimeout > timeout
    ? invalidOption("attemptTimeout", options.attemptTimeout, `a duration above 0, up to the timeout of ${timeout} ms`)
    : wrong("typeName", typeName, typeof typeName === "string" && typeName !== "", "a text that is not empty") ??
      wrongChoice("priority", priority, CleanupPriority.values) ??
      wrong("sizeBytes", sizeBytes, Number.isFinite(sizeBytes) && sizeBytes! >= 0, "a number from 0") ??
      wrong(
        "metadata",
        metadata,
        metadata === undefined || Object.values(metadata).every((value) => typeof value === "string"),
        "a record of texts"
      ) ??
      wrongChoice("close", close, closes) ??
      wrongChoice("onFailure", onFailure, failures)
  if (mistake !== undefined) return mistake
  const isDefault = options.timeout === undefined && options.attemptTimeout === undefined &&
    options.interruptible === undefined && options.recovery === undefined && close === undefined &&
    onFailure === undefined && slowAfter === undefined
  if (isDefault) return defaults
  const recovery = options.recovery ?? defaults.recovery
  return {
    timeout,
    attemptTimeout,
    interruptible: options.interruptible ?? defaults.interruptible,
    recovery,
    hasFallback: recovery.fallback !== undefined,
    onFailure: onFailure ?? defaults.onFailure,
    close: close ?? defaults.close,
    slowAfter
  }
}

/** What `read` finds in options of a user; where a getter of theirs throws they are bad. */
export const readOptions = <A>(read: () => A): Checked<A> =>
  call<Checked<A>>(read, () => invalidOption("options", "[unreadable]", "options that do not throw at being read"))
