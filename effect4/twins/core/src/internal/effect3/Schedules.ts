/** A schedule's steps one by one, without a driver. */
import { Cause, Duration, Effect, Result, Schedule } from "effect"

export interface Step {
  readonly state: unknown
  /** How long to pause, or `undefined` when the schedule is done. */
  readonly delay: number | undefined
}

/** Its first step makes the function that has the state of all that follow. */
export const initialStep = (_schedule: Schedule.Schedule<any, any, any, any>): unknown => undefined

/** Takes the next step of a schedule with its pause; fails where the schedule is done. */
export type Driver<In, R> = (input: In) => Effect.Effect<unknown, unknown, R>

export const driver = <In, R>(
  schedule: Schedule.Schedule<unknown, In, any, R>
): Effect.Effect<Driver<In, R>, never, R> => Schedule.toStepWithSleep(schedule)

/** One step of a schedule without its pause, so that a pause which would pass a limit is never begun. */
export const stepSchedule = <In, E, R>(
  schedule: Schedule.Schedule<unknown, In, E, R>,
  now: number,
  input: In,
  state: unknown
): Effect.Effect<Step, E, R> => {
  const known = state as Effect.Success<ReturnType<typeof Schedule.toStep<unknown, In, E, R>>> | undefined
  const made = known === undefined ? Effect.suspend(() => Schedule.toStep(schedule)) : Effect.succeed(known)
  return Effect.flatMap(made, (step) =>
    Effect.matchCauseEffect(Effect.suspend(() => step(now, input)), {
      onSuccess: ([, delay]) => Effect.succeed<Step>({ state: step, delay: Math.max(0, Duration.toMillis(delay)) }),
      onFailure: (cause) =>
        isDone(cause)
          ? Effect.succeed<Step>({ state: step, delay: undefined })
          : Effect.failCause(cause as Cause.Cause<E>)
    }))
}

const isDone = (cause: Cause.Cause<unknown>): boolean => {
  const error = Cause.findError(cause)
  return Result.isSuccess(error) && Cause.isDone(error.success)
}
