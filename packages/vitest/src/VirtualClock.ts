/**
 * A clock that is moved by hand, from one instant at which somebody wakes to the next, and whose wall time can be set to
 * anything, as an operating system's can. Unlike a `TestClock` it waits for no real timer, it wakes fibers that nobody
 * supervises too, and it forgets who was interrupted in its sleep. `ProgramRunner` runs whole effects on one.
 */
import { Clock, Deferred, Duration, Effect } from "effect"

/** A clock, and how to move it. */
export interface VirtualClock {
  /** For `Effect.withClock`. */
  readonly clock: Clock.Clock
  /** Milliseconds that have passed since it was made; never set, never going back. */
  readonly now: () => number
  /** How many fibers sleep now. */
  readonly sleepers: () => number
  /** Sets the wall time forward by so many milliseconds, or back; nobody wakes for it. */
  readonly jump: (millis: number) => Effect.Effect<void>
  /**
   * Lets so many milliseconds pass. All who wake on the way, and what they start, have their turns at their instant:
   * `turns` must end once nothing more is ready.
   */
  readonly pass: (millis: number, turns: Effect.Effect<void>) => Effect.Effect<void>
}

interface Sleeper {
  readonly at: number
  readonly wake: Deferred.Deferred<void>
}

const epoch = 1_000_000

/**
 * A clock at which nobody sleeps yet.
 *
 * ```ts
 * import { VirtualClock } from "@patinox/vitest"
 * import { Effect, Fiber } from "effect"
 *
 * const { clock, now, pass } = VirtualClock.make()
 * const program = Effect.gen(function*() {
 *   const sleeping = yield* Effect.fork(Effect.sleep("1 hours"))
 *   yield* pass(3_600_000, Effect.repeatN(Effect.yieldNow(), 20))
 *   yield* Fiber.join(sleeping)
 *   return now()
 * })
 * console.log(await Effect.runPromise(Effect.withClock(program, clock))) // => 3600000
 * ```
 */
export const make = (): VirtualClock => {
  let wall = epoch
  let monotonic = 0
  const sleepers = new Set<Sleeper>()
  const nanos = () => BigInt(Math.round(monotonic * 1_000_000))
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => wall,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(() => wall),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) => {
      const millis = Duration.toMillis(duration)
      if (millis <= 0) return Effect.yieldNow()
      return Effect.flatMap(Deferred.make<void>(), (wake) => {
        const sleeper = { at: monotonic + millis, wake }
        sleepers.add(sleeper)
        return Effect.ensuring(Deferred.await(wake), Effect.sync(() => sleepers.delete(sleeper)))
      })
    }
  }
  const wakeDue = Effect.suspend(() => {
    const due = [...sleepers].filter(({ at }) => at <= monotonic)
    for (const sleeper of due) sleepers.delete(sleeper)
    return Effect.as(
      Effect.forEach(due, ({ wake }) => Deferred.succeed(wake, undefined), { discard: true }),
      due.length
    )
  })
  return {
    clock,
    now: () => monotonic,
    sleepers: () => sleepers.size,
    jump: (millis) =>
      Effect.sync(() => {
        wall += millis
      }),
    pass: (millis, turns) =>
      Effect.gen(function*() {
        const until = monotonic + millis
        yield* turns
        for (;;) {
          const next = Math.min(until, ...[...sleepers].map(({ at }) => at))
          wall += next - monotonic
          monotonic = next
          if ((yield* wakeDue) > 0) yield* turns
          else if (next === until) return
        }
      })
  }
}
