/** Reports at the end of the program how the pool was drained and why connections were destroyed. */
import { Effect, Fiber, Layer, Stream } from "effect"
import { Connections } from "./Connections.js"

export const layer = (say: (line: string) => Effect.Effect<void>) =>
  Layer.scopedDiscard(Effect.gen(function*() {
    const pool = yield* Connections
    const reasons = new Map<string, number>()
    const listener = yield* Effect.forkScoped(Stream.runForEach(pool.events, (event) =>
      Effect.sync(() => {
        if (event._tag === "Removed") reasons.set(event.reason, (reasons.get(event.reason) ?? 0) + 1)
      })))
    yield* Effect.addFinalizer(() =>
      Effect.gen(function*() {
        // The pool drains by itself, too; all who ask for it are given the same report.
        const { deadlineReached, destroyed, failed, reclaimed, refused } = yield* pool.drain()
        yield* Fiber.await(listener)
        const counts = `${destroyed} destroyed, ${failed.length} failed, ${reclaimed} reclaimed, ${refused} refused`
        yield* say(`the pool is drained${deadlineReached ? ", but not in time" : ""}: ${counts}`)
        yield* say(`destroyed: ${[...reasons].map(([reason, count]) => `${count} ${reason}`).join(", ")}`)
      })
    )
  }))
