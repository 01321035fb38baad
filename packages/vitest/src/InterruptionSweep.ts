/**
 * Interrupts an effect at every point at which it can be interrupted, one run for each, and checks after each that an
 * invariant still holds. Finds what no test of a chosen moment does: the one step between an acquire and the registration
 * of its release.
 */
import { PatinoxError } from "@patinox/core"
import { checkCount, checkDurationIn, checkInteger, checkPause } from "@patinox/core/kernel"
import { Cause, Data, type Duration, Effect, Exit, TestClock } from "effect"
import * as Seam from "./internal/Seam.js"

/** The invariant did not hold after an interruption at that point, or after the run that was not interrupted. */
export class InvariantBroken<E = unknown> extends Data.TaggedError("InvariantBroken")<{
  /** How many operations had run; `undefined` where nothing was interrupted. Run it alone with `only`. */
  readonly point: number | undefined
  /** Whether a fiber that the effect forked was at work at that point. */
  readonly inChild: boolean
  readonly cause: Cause.Cause<E>
}> {
  override get message(): string {
    const where = this.point === undefined
      ? "without an interruption"
      : `when interrupted after ${this.point} operations${this.inChild ? " (in a fiber it forked)" : ""}`
    return `The invariant does not hold ${where}: ${Cause.pretty(this.cause as Cause.Cause<unknown>)}`
  }
}

/** The sweep says nothing about the effect. */
export class SweepFailed extends Data.TaggedError("SweepFailed")<{
  readonly reason: "nothing to interrupt" | "did not succeed" | "did not end" | "too many points"
  readonly points: number
  readonly cause?: Cause.Cause<unknown>
}> {
  override get message(): string {
    switch (this.reason) {
      case "nothing to interrupt":
        return "The effect ended before it could be interrupted anywhere: nothing was swept"
      case "did not succeed":
        return `The effect failed in the run that was not interrupted: ${Cause.pretty(this.cause ?? Cause.empty)}`
      case "did not end":
        return `The effect has not ended, interrupted or not, at point ${this.points}; run it alone with \`only\``
      case "too many points":
        return `The effect still had points to interrupt at after ${this.points}: it may never end, or raise maxPoints`
    }
  }
}

/** How to sweep. */
export interface SweepOptions {
  /**
   * Moves the test's clock by so much while each run lasts: for effects that sleep or time out. Better than an
   * `adjust` inside the effect, which an interruption would leave half done. From 0. Default: not at all.
   */
  readonly advance?: Duration.DurationInput
  /** One point alone, to look at a failure: an integer from 1. */
  readonly only?: number
  /** For how long an interrupted run may go on, in real time during which the process runs at all: above 0, up to 24 days. Default 5 seconds. */
  readonly patience?: Duration.DurationInput
  /** Gives up after so many points: an integer from 1, or `Infinity`. Default 10000. */
  readonly maxPoints?: number
}

interface Limits {
  readonly advance: number | undefined
  readonly only: number | undefined
  readonly patience: number
  readonly maxPoints: number
}

/** Pure: the limits, or what is wrong with the options. */
const limitsOf = (options: SweepOptions): Limits | PatinoxError.Validation => {
  const advance = options.advance === undefined ? undefined : checkPause("advance", options.advance)
  if (advance instanceof PatinoxError.Validation) return advance
  const only = options.only === undefined ? undefined : checkInteger("only", options.only, 1, Number.MAX_SAFE_INTEGER)
  if (only instanceof PatinoxError.Validation) return only
  const max = 2 ** 31 - 1
  const patience = checkDurationIn("patience", options.patience ?? 5_000, { max, maxText: ", up to 24 days" })
  if (patience instanceof PatinoxError.Validation) return patience
  const maxPoints = checkCount("maxPoints", options.maxPoints ?? 10_000, 1)
  return maxPoints instanceof PatinoxError.Validation ? maxPoints : { advance, only, patience, maxPoints }
}

const swept = <A, E, R, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  invariant: Effect.Effect<unknown, E2, R2>,
  point: number,
  { advance, patience }: Limits
) =>
  Effect.gen(function*() {
    const run = yield* Seam.interruptAfter(
      effect,
      point,
      advance === undefined ? Effect.void : TestClock.adjust(advance),
      patience
    )
    if (run.exit === undefined) return yield* new SweepFailed({ reason: "did not end", points: point })
    const held = yield* Effect.exit(invariant)
    if (Exit.isFailure(held)) {
      return yield* new InvariantBroken({
        point: run.interrupted ? point : undefined,
        inChild: run.inChild,
        cause: held.cause
      })
    }
    return { exit: run.exit, interrupted: run.interrupted }
  })

/**
 * Runs the effect again and again, interrupts it after its first operation, its second and so on, and checks the
 * invariant after each run, until a run ends without having been interrupted. Gives the number of points. Build what the
 * effect uses inside it, or have the invariant look at what it shares; both run in the caller's context.
 *
 * A bad option fails with a `Validation` before the first run. Fails with `InvariantBroken`, which names the point, and with `SweepFailed` where a run does not end, and where it
 * proves nothing: no point at all, or an effect that does not succeed when left alone. (`Effect.all` with concurrency
 * itself does not end when it is interrupted at two of its points, in Effect 3.22.)
 *
 * ```ts
 * import { ResourceRegistry } from "@patinox/core"
 * import { assertNoLeaks, interruptionSweep, TestResource } from "@patinox/vitest"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const resource = yield* TestResource.make("Database")
 *   const use = Effect.scoped(Effect.andThen(resource.guard(), Effect.yieldNow()))
 *   const points = yield* interruptionSweep(use, assertNoLeaks)
 *   return points > 10 && resource.released() === resource.acquired()
 * })
 * console.log(await Effect.runPromise(Effect.provide(program, ResourceRegistry.layer))) // => true
 * ```
 */
export const interruptionSweep = <A, E, R, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  invariant: Effect.Effect<unknown, E2, R2>,
  options: SweepOptions = {}
): Effect.Effect<number, InvariantBroken<E2> | SweepFailed | PatinoxError.Validation, R | R2> =>
  Effect.gen(function*() {
    const limits = limitsOf(options)
    if (limits instanceof PatinoxError.Validation) return yield* Effect.fail(limits)
    const { maxPoints, only } = limits
    if (only !== undefined) {
      const run = yield* swept(effect, invariant, only, limits)
      if (!run.interrupted) return yield* new SweepFailed({ reason: "nothing to interrupt", points: 0 })
      return 1
    }
    for (let point = 1; point <= maxPoints; point++) {
      const run = yield* swept(effect, invariant, point, limits)
      if (run.interrupted) continue
      const points = point - 1
      if (Exit.isFailure(run.exit)) {
        return yield* new SweepFailed({ reason: "did not succeed", points, cause: run.exit.cause })
      }
      if (points === 0) return yield* new SweepFailed({ reason: "nothing to interrupt", points })
      return points
    }
    return yield* new SweepFailed({ reason: "too many points", points: maxPoints })
  })
