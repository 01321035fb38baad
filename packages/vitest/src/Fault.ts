/**
 * How a resource misbehaves: data, so that it can be generated, named and shrunk. `TestResource` acts on it; every fault
 * but the two of the acquire is one of the release.
 */
import { PatinoxError } from "@patinox/core"
import { checkCount, checkPause } from "@patinox/core/kernel"
import { Data, type Duration } from "effect"
import type * as Untellable from "./Untellable.js"

/** What goes wrong. `times` is how many attempts fail before one succeeds, `Infinity` for all. */
export type Fault =
  | { readonly _tag: "None" }
  | { readonly _tag: "Fail"; readonly times: number }
  | { readonly _tag: "Die" }
  | { readonly _tag: "Throw" }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "IgnoreInterruption" }
  | { readonly _tag: "Slow"; readonly millis: number }
  | { readonly _tag: "AcquireSlowly"; readonly millis: number }
  | { readonly _tag: "AcquireFails" }
  | { readonly _tag: "Untellable"; readonly form: Untellable.Form; readonly ends: UntellableEnd }

/** How a release ends with an untellable value: as its typed failure, as a defect, or thrown before there is an Effect. */
export type UntellableEnd = "fails" | "dies" | "throws"

/** As these make data and no effects, a bad option is thrown. */
const orThrow = (checked: number | PatinoxError.Validation): number => {
  if (checked instanceof PatinoxError.Validation) throw checked
  return checked
}

/** The release does what it should. */
export const none: Fault = { _tag: "None" }

/**
 * The first `times` attempts fail with a `ReleaseFault`, the next succeeds: an integer from 0, or `Infinity`. Throws a
 * `Validation` for anything else.
 */
export const fail = (times: number): Fault => ({ _tag: "Fail", times: orThrow(checkCount("times", times, 0)) })

/** The first attempt fails, the next succeeds. */
export const failOnce: Fault = fail(1)

/** Every attempt fails. */
export const failForGood: Fault = fail(Infinity)

/** Every attempt ends with a defect. */
export const die: Fault = { _tag: "Die" }

/** The release throws before it returns an Effect. */
export const throws: Fault = { _tag: "Throw" }

/** The release waits for `TestResource.letGo`, and can be interrupted there. */
export const hang: Fault = { _tag: "Hang" }

/** The release waits for `TestResource.letGo` and does not stop when it is interrupted. */
export const ignoreInterruption: Fault = { _tag: "IgnoreInterruption" }

/** The release takes its time, from 0, and can be interrupted while it does. Throws a `Validation` for anything else. */
export const slow = (duration: Duration.DurationInput): Fault => ({
  _tag: "Slow",
  millis: orThrow(checkPause("duration", duration))
})

/** The acquire takes its time, from 0; the release is healthy. Throws a `Validation` for anything else. */
export const acquireSlowly = (duration: Duration.DurationInput): Fault => ({
  _tag: "AcquireSlowly",
  millis: orThrow(checkPause("duration", duration))
})

/** The acquire fails with an `AcquireFault`. */
export const acquireFails: Fault = { _tag: "AcquireFails" }

/**
 * Every attempt ends with a value that throws wherever it is looked at; `Untellable` says of what forms there are. Where it
 * `fails`, the value stands in the place of a `ReleaseFault`.
 */
export const untellable = (form: Untellable.Form = "error", ends: UntellableEnd = "fails"): Fault => ({
  _tag: "Untellable",
  form,
  ends
})

/** One of each kind, for tests of everything: `it.effect.each(Fault.all)("…", (fault) => …)`. */
export const all: ReadonlyArray<Fault> = [
  none,
  failOnce,
  failForGood,
  die,
  throws,
  hang,
  ignoreInterruption,
  slow("1 seconds"),
  acquireSlowly("1 seconds"),
  acquireFails,
  untellable()
]

/**
 * A short name, for titles and tables.
 *
 * ```ts
 * import { Fault } from "@patinox/vitest"
 *
 * console.log(Fault.name(Fault.failOnce)) // => fails once
 * console.log(Fault.name(Fault.fail(3))) // => fails 3 times
 * ```
 */
export const name = (fault: Fault): string => {
  switch (fault._tag) {
    case "None":
      return "none"
    case "Fail":
      return fault.times === Infinity
        ? "fails for good"
        : fault.times === 1
        ? "fails once"
        : `fails ${fault.times} times`
    case "Die":
      return "dies"
    case "Throw":
      return "throws"
    case "Hang":
      return "hangs"
    case "IgnoreInterruption":
      return "ignores interruption"
    case "Slow":
      return "slow"
    case "AcquireSlowly":
      return "acquires slowly"
    case "AcquireFails":
      return "acquire fails"
    case "Untellable":
      return `${fault.ends} untellably`
  }
}

/** What a faulty release fails with. */
export class ReleaseFault extends Data.TaggedError("ReleaseFault")<{
  readonly resource: string
  readonly attempt: number
}> {
  override get message(): string {
    return `Injected failure of release attempt ${this.attempt} of ${this.resource}`
  }
}

/** What a faulty acquire fails with. */
export class AcquireFault extends Data.TaggedError("AcquireFault")<{ readonly resource: string }> {
  override get message(): string {
    return `Injected failure of the acquire of ${this.resource}`
  }
}
