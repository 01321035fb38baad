/**
 * A virtual clock that `TestClock.adjust` moves, a sweep's `advance` too. Effect's own waits for real timers each time
 * that it is moved, which makes of a thousand moves half a minute of nothing.
 */
import { VirtualClock } from "@patinox/vitest"
import { type Clock, Duration, Effect } from "effect"
import { turns } from "./effects.js"

const makeAdjustableClock = (): Clock.Clock => {
  const { clock, pass } = VirtualClock.make()
  const adjust = (by: Duration.DurationInput) => pass(Duration.toMillis(by), turns)
  return { ...clock, adjust } as Clock.Clock
}

/** On a clock of its own, of that kind. */
export const onAdjustableClock = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.withClock(effect, makeAdjustableClock()))
