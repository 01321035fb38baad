/**
 * What a time limit on a cleanup that ends in time costs, beside `Effect.timeout` around the release: on each side the
 * difference between with and without. Ours without a limit is not watched for slowness either.
 */
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Duration, Effect, Layer } from "effect"
import type { Family } from "../figure.js"
import { interleave, times } from "../paired.js"

const released = { count: 0 }
const acquire = Effect.succeed("connection")
const atOnce = Effect.sync(() => {
  released.count++
})
/** Does not end in the turn it starts in, so that a timer has to be set. */
const yields = Effect.andThen(Effect.yieldNow(), atOnce)

const ours = (count: number, body: Effect.Effect<void>, timeout: Duration.DurationInput) => {
  const release = () => body
  const options = { typeName: "Connection", timeout }
  return times(count, () => Effect.scoped(ResourceGuard.acquireRelease(acquire, release, options)))
}

const plain = (count: number, release: () => Effect.Effect<unknown>) =>
  times(count, () => Effect.scoped(Effect.acquireRelease(acquire, release)))

const measure = (rounds: number, body: Effect.Effect<void>) =>
  Effect.scoped(Effect.gen(function*() {
    const count = 2_000
    const watched = yield* Layer.build(ResourceRegistry.layer)
    const unwatched = yield* Layer.build(ResourceRegistry.layerWith({ slowAfter: Duration.infinity }))
    const results = yield* interleave(rounds, {
      limit: Effect.provide(ours(count, body, "10 seconds"), watched),
      none: Effect.provide(ours(count, body, Duration.infinity), unwatched),
      timeout: plain(count, () => Effect.ignore(Effect.timeout(Effect.interruptible(body), "10 seconds"))),
      plain: plain(count, () => body)
    })
    return results.map((round) => (round.limit - round.none) / (round.timeout - round.plain))
  }))

export const family: Family = {
  ids: ["limit", "limit-async"],
  processes: 3,
  measure: async ({ quick }) => ({
    "limit": await Effect.runPromise(measure(quick ? 7 : 11, atOnce)),
    "limit-async": await Effect.runPromise(measure(quick ? 7 : 11, yields))
  })
}
