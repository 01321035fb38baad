/**
 * How one health check is run: one at a time for all callers, inside a time limit, and its result kept for a moment. A
 * check that ignores its interruption is left behind, named as timed out, and not run beside itself.
 */
import { Text, UserFunction } from "@patinox/core/kernel"
import { Cause, Clock, Deferred, Effect, Exit, Fiber, Option } from "effect"
import * as Seam from "./Seam.js"

/** What a check found. */
export interface CheckResult {
  readonly name: string
  readonly status: "passing" | "failing" | "timed out"
  /** How long it took. */
  readonly durationMillis: number
  /** What it failed with, in one line. */
  readonly error?: string
}

export interface CheckRun {
  readonly name: string
  /** That of a moment ago, that of the run in progress, or that of a new one. */
  readonly result: Effect.Effect<CheckResult>
  /** Interrupts what runs, and waits for it as long as its limit. */
  readonly close: Effect.Effect<void>
}

export interface CheckLimits {
  /** In milliseconds. */
  readonly timeout: number
  readonly cacheFor: number
}

const millisBetween = (start: bigint, end: bigint): number => Number(end - start) / 1e6

/** Without the stack, which a message of several lines may hold, too. Whatever a check fails with, this is a text. */
const lineOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const message = UserFunction.call<unknown>(() => error instanceof Error ? error.message : undefined, () => undefined)
  return Text.line(typeof message === "string" ? message : Text.unknown(error))
}

/** Pure: the result of a run. Without an exit it did not end in time. */
const resultOf = (
  name: string,
  exit: Option.Option<Exit.Exit<unknown, unknown>>,
  durationMillis: number
): CheckResult =>
  Option.isNone(exit)
    ? { name, durationMillis, status: "timed out" }
    : Exit.isSuccess(exit.value)
    ? { name, durationMillis, status: "passing" }
    : { name, durationMillis, status: "failing", error: lineOf(exit.value.cause) }

export const make = (name: string, check: Effect.Effect<unknown, unknown>, limits: CheckLimits): CheckRun => {
  let last: { readonly result: CheckResult; readonly at: bigint } | undefined
  let flight: Deferred.Deferred<CheckResult> | undefined
  let running: Fiber.RuntimeFiber<unknown, unknown> | undefined

  /** A logger that throws changes nothing about the result. */
  const report = (
    was: CheckResult["status"],
    result: CheckResult,
    exit: Option.Option<Exit.Exit<unknown, unknown>>
  ): Effect.Effect<void> => Effect.asVoid(Effect.exit(Effect.suspend(() => changed(was, result, exit))))

  const changed = (
    was: CheckResult["status"],
    result: CheckResult,
    exit: Option.Option<Exit.Exit<unknown, unknown>>
  ): Effect.Effect<void> => {
    if (result.status === was) return Effect.void
    if (result.status === "passing") return Effect.logInfo(`Health check ${name} is passing again`)
    const cause = Option.isSome(exit) && Exit.isFailure(exit.value) ? [exit.value.cause] : []
    return Effect.logWarning(`Health check ${name} is ${result.status}`, ...cause)
  }

  /** Belongs to none of those who wait for it, and ends by the limit. */
  const run = (done: Deferred.Deferred<CheckResult>): Effect.Effect<void> =>
    Effect.gen(function*() {
      const startedAt = yield* Clock.currentTimeNanos
      const fiber = yield* Effect.forkDaemon(Effect.interruptible(check))
      running = fiber
      Seam.onEnd(fiber, () => {
        if (running === fiber) running = undefined
      })
      const exit = yield* Effect.interruptible(Effect.timeoutOption(Fiber.await(fiber), limits.timeout))
      if (Option.isNone(exit)) yield* Fiber.interruptFork(fiber)
      const at = yield* Clock.currentTimeNanos
      const result = resultOf(name, exit, Math.round(millisBetween(startedAt, at)))
      const was = last?.result.status ?? "passing"
      last = { result, at }
      flight = undefined
      yield* Deferred.succeed(done, result)
      yield* report(was, result, exit)
    })

  const result = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.zip(Deferred.make<CheckResult>(), Clock.currentTimeNanos), ([done, now]) => {
      if (flight !== undefined) return restore(Deferred.await(flight))
      const isFresh = last !== undefined && millisBetween(last.at, now) < limits.cacheFor
      // A check that was abandoned still runs: what was said of it holds.
      if (last !== undefined && (isFresh || running !== undefined)) return Effect.succeed(last.result)
      flight = done
      return Effect.andThen(Effect.forkDaemon(Effect.uninterruptible(run(done))), restore(Deferred.await(done)))
    })
  )

  const close = Effect.suspend(() => {
    if (running === undefined) return Effect.void
    const ended = Effect.timeoutOption(Effect.interruptible(Fiber.await(running)), limits.timeout)
    return Effect.asVoid(Effect.andThen(Fiber.interruptFork(running), ended))
  })

  return { name, result, close }
}
