/**
 * Checks of options, for every package. Pure and total: bad input comes back as a `Validation` that names the option, the
 * value and the allowed range.
 */
import type { Duration } from "effect"
import { invalidOption, Validation } from "../../PatinoxError.js"
import { toMillis } from "../effect3/Clocks.js"
import * as Text from "./Text.js"
import { call } from "./UserFunction.js"

/** A check gives back what it found, or the error. */
export type Checked<A> = A | Validation

export const isMistake = (value: unknown): value is Validation => value instanceof Validation

/** `Duration` itself takes what is below 0, and what is no number, for 0. */
const isBelow0 = (value: unknown): boolean =>
  Array.isArray(value)
    ? !(Number(value[0]) * 1e9 + Number(value[1]) >= 0)
    : typeof value === "string"
    ? /^\s*-/.test(value)
    : (typeof value === "number" || typeof value === "bigint") && !(value >= 0)

/** A duration in milliseconds, `Infinity` included; NaN for what is below 0 or no duration at all. Never throws. */
export const durationMillis = (value: unknown): number =>
  call(() => isBelow0(value) ? Number.NaN : toMillis(value as Duration.DurationInput), () => Number.NaN)

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
  const { max = Infinity, maxText = max === Infinity ? "" : ` up to ${Text.duration(max)}`, zero = false } = range
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

/** The error of an option that is given and is none of those allowed. */
export const wrongChoice = (option: string, value: unknown, allowed: ReadonlyArray<unknown>): Validation | undefined =>
  value === undefined || allowed.includes(value)
    ? undefined
    : invalidOption(option, value, `one of ${allowed.join(", ")}`)

/** One of some values. */
export const oneOf = <A>(allowed: ReadonlyArray<A>) => (option: string, value: unknown): Checked<A> =>
  wrongChoice(option, value, allowed) ?? value as A

/** An integer of a range. */
export const integerIn = (min: number, max: number) => (option: string, value: unknown): Checked<number> =>
  checkInteger(option, value, min, max)

/** Of each option its check. */
export interface Checks {
  readonly [option: string]: (option: string, value: any) => unknown
}

/** What the checks of a table have made of the options that were given. */
export type CheckedBy<C extends Checks> = {
  readonly [Option in keyof C]?: Exclude<ReturnType<C[Option]>, Validation>
}

/** Reads each option once, as a getter may throw or answer otherwise the next time; gives the first mistake. */
export const checkAll = <C extends Checks>(
  options: unknown,
  checks: C,
  isNullUnset = false
): Checked<CheckedBy<C>> => {
  if (Object(options) !== options) return invalidOption("options", options, "an object")
  const found: Record<string, unknown> = {}
  // Of the many options a plain object mostly has few; another object may inherit some.
  const isPlain = Object.getPrototypeOf(options) === Object.prototype
  for (const option of Object.getOwnPropertyNames(isPlain ? options : checks)) {
    const value = Object.hasOwn(checks, option) ? (options as Record<string, unknown>)[option] : undefined
    if (value === undefined || (isNullUnset && value === null)) continue
    const checked = checks[option]!(option, value)
    if (isMistake(checked)) return checked
    found[option] = checked
  }
  return found as CheckedBy<C>
}

/** What `read` finds in the options of a user, which are bad where one of their getters throws. */
export const readOptions = <A>(read: () => A): Checked<A> =>
  call<Checked<A>>(read, () => invalidOption("options", "[unreadable]", "options that do not throw at being read"))
