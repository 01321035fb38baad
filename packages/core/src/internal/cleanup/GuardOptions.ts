/** Options of a guard: its defaults come from the registry; what is not allowed is named before anything is acquired. */
import type { Duration } from "effect"
import * as CleanupPriority from "../../CleanupPriority.js"
import { invalidOption } from "../../PatinoxError.js"
import {
  checkAll,
  checkDuration,
  type Checked,
  type CheckedBy,
  checkName,
  isMistake,
  oneOf
} from "../kernel/Options.js"
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

const asGiven = <A>(_option: string, value: A): A => value

/** What of the options is about the cleanup, by their checks. */
const settingsChecks = {
  timeout: checkDuration,
  attemptTimeout: checkDuration,
  slowAfter: checkDuration,
  interruptible: asGiven<boolean>,
  recovery: asGiven<AnyPolicy>,
  close: oneOf(["wait", "background"] as const),
  onFailure: oneOf(["log", "die"] as const)
}

/** And what is about the resource itself. */
const resourceChecks = {
  typeName: checkName,
  priority: oneOf(CleanupPriority.values),
  sizeBytes: (option: string, value: number) =>
    Number.isFinite(value) && value >= 0 ? value : invalidOption(option, value, "a number from 0"),
  metadata: (option: string, value: Readonly<Record<string, string>>) => {
    // Read once: a getter may answer otherwise the next time.
    const own = { ...value }
    return Object.values(own).every((text) => typeof text === "string")
      ? own
      : invalidOption(option, value, "a record of texts")
  }
}

/** The options of a guard, with the settings of its cleanup. */
export type ResolvedGuard =
  & { readonly [Option in keyof typeof resourceChecks]?: CheckedBy<typeof resourceChecks>[Option] | undefined }
  & { readonly settings: Settings }

const checks = { ...settingsChecks, ...resourceChecks }

export const resolveGuard = (options: GuardSettings | undefined, defaults: Settings): Checked<ResolvedGuard> => {
  if (options === undefined) return { settings: defaults }
  const checked = checkAll(options, checks)
  if (isMistake(checked)) return checked
  let own: Record<string, unknown> | undefined = undefined
  for (const option in checked) {
    if (Object.hasOwn(settingsChecks, option)) (own ??= {})[option] = checked[option as keyof typeof checked]
  }
  // Shared where nothing is set.
  let settings = defaults
  if (own !== undefined) {
    const { timeout = defaults.timeout } = checked
    const recovery = checked.recovery ?? defaults.recovery
    settings = {
      ...defaults,
      attemptTimeout: timeout / 3,
      ...own,
      recovery,
      hasFallback: recovery.fallback !== undefined
    }
  }
  if (settings.attemptTimeout > settings.timeout) {
    const expected = `a duration above 0, up to the timeout of ${settings.timeout} ms`
    return invalidOption("attemptTimeout", options.attemptTimeout, expected)
  }
  const { metadata, priority, sizeBytes, typeName } = checked
  return { metadata, priority, settings, sizeBytes, typeName }
}
