/** For tests of what real sockets and threads do, whatever the clock says. */
import { Effect } from "effect"

/** Lets sockets and threads have their turn. */
const turn = Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)))

/** Waits for something, and for what follows from it at once. */
export const until = <A, E, R>(
  reading: Effect.Effect<A, E, R>,
  isReached: (reading: A) => boolean
): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    reading,
    (now) => Effect.andThen(turn, isReached(now) ? Effect.succeed(now) : until(reading, isReached))
  )
