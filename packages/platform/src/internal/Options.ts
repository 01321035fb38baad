/** What is allowed as an option, beside what `Foundation` checks. Pure. */
import { PatinoxError } from "@patinox/core"
import type { Checked } from "@patinox/core/Foundation"
import { Duration } from "effect"

const millisOf = (value: unknown): number => {
  try {
    return Duration.toMillis(value as Duration.DurationInput)
  } catch {
    return Number.NaN
  }
}

/** From 0 to `max`. */
export const checkPause = (option: string, value: unknown, max: number, maxText: string): Checked<number> => {
  const millis = millisOf(value)
  return millis >= 0 && millis <= max
    ? millis
    : PatinoxError.invalidOption(option, value, `a duration from 0${maxText}`)
}
