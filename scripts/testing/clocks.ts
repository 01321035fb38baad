/** Clocks of other people, whose wall time is none: each with a word for what it is. */
import { Clock, Effect } from "effect"

const timeless = (read: () => number): Clock.Clock => {
  const live = Clock.make()
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    sleep: (duration) => live.sleep(duration),
    currentTimeMillis: Effect.sync(read),
    unsafeCurrentTimeMillis: read,
    currentTimeNanos: live.currentTimeNanos,
    unsafeCurrentTimeNanos: () => live.unsafeCurrentTimeNanos()
  }
}

export const timelessClocks: ReadonlyArray<readonly [name: string, clock: Clock.Clock]> = [
  ["infinite", timeless(() => Infinity)],
  ["minus infinite", timeless(() => -Infinity)],
  ["not a number", timeless(() => NaN)],
  [
    "throwing",
    timeless(() => {
      throw new Error("no time")
    })
  ]
]
