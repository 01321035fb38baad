/**
 * How messages, logs and reports put things: durations, resources, unknown errors. One wording everywhere, so that a
 * line in a log, an error's message and a row of a report can be found by the same search.
 *
 * @internal
 */
import { Inspectable } from "effect"
import { call } from "./UserFunction.js"

/** `12 ms`, `1.5 s`, `2.5 min`, `3 h`; an infinite time is `no limit`, a time that is no number `an unknown time`. */
export const duration = (millis: number): string => {
  const whole = Math.round(millis)
  const [value, unit] = whole < 1000
    ? [whole, "ms"]
    : whole < 60_000
    ? [whole / 1000, "s"]
    : whole < 3_600_000
    ? [whole / 60_000, "min"]
    : [whole / 3_600_000, "h"]
  return whole === Infinity
    ? "no limit"
    : Number.isNaN(whole)
    ? "an unknown time"
    : `${Number(value.toFixed(1))} ${unit}`
}

/** `Database (id)`, or the type name alone where there is no id yet. */
export const resource = (self: { readonly typeName: string; readonly id?: string }): string =>
  self.id === undefined ? self.typeName : `${self.typeName} (${self.id})`

/** `1 attempt`, `2 attempts`. */
export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`

/** How much of a text goes into messages and log lines. */
const maxLength = 2_000

/**
 * A value or an error as text that names it, whatever it is. Total: where a value throws on being looked at, its text
 * says so, with the name of its class where that can be read.
 */
export const unknown = (value: unknown): string => {
  const text = call(() => textOf(value), () => undefined) ?? withoutText(value)
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
}

const withoutText = (value: unknown): string =>
  `${call(() => nameOf(value), () => undefined) ?? `a value (${typeof value})`} that cannot be shown as text`

const textOf = (value: unknown): string | undefined => {
  const text: unknown = typeof value === "object" && value !== null && !(value instanceof Error)
    ? Inspectable.toStringUnknown(value, 0)
    : String(value)
  return typeof text === "string" ? text : undefined
}

const nameOf = (value: any): string | undefined => {
  const name: unknown = value.constructor.name
  return typeof name === "string" && name !== "" ? name : undefined
}

/** The first line with no control characters in it: what fits into a row of a table or a log line. */
export const line = (text: string): string => text.trim().split(/[\r\n]/, 1)[0]!.replace(/\p{Cc}+/gu, " ")
