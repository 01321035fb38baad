/** A schedule's steps one by one, without a driver. */
import { Effect, Schedule, ScheduleDecision, ScheduleIntervals } from "effect"

export interface Step {
  readonly state: unknown
  /** How long to pause, or `undefined` when the schedule is done. */
  readonly delay: number | undefined
}

export const initialStep = (schedule: Schedule.Schedule<any, any, any>): unknown => schedule.initial

/** Takes the next step of a schedule with its pause; fails where the schedule is done. */
export type Driver<In, R> = (input: In) => Effect.Effect<unknown, unknown, R>

export const driver = <In, R>(schedule: Schedule.Schedule<unknown, In, R>): Effect.Effect<Driver<In, R>> =>
  Effect.map(Schedule.driver(schedule), (driver) => (input) => driver.next(input))

/** One step of a schedule without its pause, so that a pause which would pass a limit is never begun. */
export const stepSchedule = <In, R>(
  schedule: Schedule.Schedule<unknown, In, R>,
  now: number,
  input: In,
  state: unknown
): Effect.Effect<Step, never, R> =>
  Effect.map(
    Effect.suspend(() => schedule.step(now, input, state)),
    ([next, _out, decision]): Step => ({
      state: next,
      delay: ScheduleDecision.isDone(decision)
        ? undefined
        : Math.max(0, ScheduleIntervals.start(decision.intervals) - now)
    })
  )
