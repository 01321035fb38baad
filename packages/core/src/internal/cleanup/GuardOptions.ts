/** Options of a guard: its defaults come from the registry; what is not allowed is named before anything is acquired. */
import type { Duration } from "effect"
import * as CleanupPriority from "../../CleanupPriority.js"
import { invalidOption } from "../../PatinoxError.js"
import { checkDuration, type Checked, isMistake, wrong, wrongChoice, wrongOptions } from "../kernel/Options.js"
import type { AnyPolicy, Settings } from "./CleanupTarget.js"

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
  if (isMistake(timeout)) return timeout
  const attemptTimeout = options.attemptTimeout === undefined
    ? timeout / 3
    : checkDuration("attemptTimeout", options.attemptTimeout)
  if (isMistake(attemptTimeout)) return attemptTimeout
  const slowAfter = options.slowAfter === undefined ? undefined : checkDuration("slowAfter", options.slowAfter)
  if (isMistake(slowAfter)) return slowAfter
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
