/**
 * A clock that is moved by hand, from one instant at which somebody wakes to the next, and whose wall time can be set to
 * anything, as an operating system's can. Unlike a `TestClock` it waits for fibers that nobody supervises, too.
 */
import { Clock, Deferred, Duration, Effect } from "effect"

export const virtualClock = () => {
  let wall = 1_000_000
  let monotonic = 0
  const sleepers = new Set<{ readonly at: number; readonly wake: Deferred.Deferred<void> }>()
  const nanos = () => BigInt(Math.round(monotonic * 1_000_000))
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => wall,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(() => wall),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.flatMap(Deferred.make<void>(), (wake) => {
        const sleeper = { at: monotonic + Duration.toMillis(duration), wake }
        sleepers.add(sleeper)
        return Effect.ensuring(Deferred.await(wake), Effect.sync(() => sleepers.delete(sleeper)))
      })
  }
  return {
    clock,
    now: () => monotonic,
    /** Who sleeps now. */
    sleepers: () => sleepers.size,
    jump: (millis: number) =>
      Effect.sync(() => {
        wall += millis
      }),
    /** Time goes on; all who wake on the way, and what they start, have their turns. */
    pass: (millis: number, turns: Effect.Effect<void>) =>
      Effect.gen(function*() {
        const until = monotonic + millis
        yield* turns
        for (;;) {
          const next = Math.min(until, ...[...sleepers].map(({ at }) => at))
          wall += next - monotonic
          monotonic = next
          const due = [...sleepers].filter(({ at }) => at <= monotonic)
          for (const sleeper of due) {
            sleepers.delete(sleeper)
            yield* Deferred.succeed(sleeper.wake, undefined)
          }
          if (due.length > 0) yield* turns
          else if (next === until) return
        }
      })
  }
}
