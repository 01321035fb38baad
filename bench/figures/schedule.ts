/** From `schedule` to the outcome, beside ping-pong through one fiber blocked in a bare `TPriorityQueue.take`. */
import { ResourceRegistry } from "@patinox/core"
import { Deferred, Effect, Order, STM, TPriorityQueue } from "effect"
import type { Family } from "../figure.js"
import { interleave, times } from "../paired.js"

interface Ping {
  readonly band: number
  readonly sequence: number
  readonly run: Effect.Effect<void>
  readonly done: Deferred.Deferred<void>
}

// Total, as ours: by the band alone, equal elements would come out last-in first-out.
const order: Order.Order<Ping> = Order.combine(
  Order.mapInput(Order.reverse(Order.number), (ping: Ping) => ping.band),
  Order.mapInput(Order.number, (ping: Ping) => ping.sequence)
)

const done = { count: 0 }
const counts = Effect.sync(() => {
  done.count++
})
/** Does not end in the turn it starts in, so that slots fill and the rest has to queue. */
const yields = Effect.andThen(Effect.yieldNow(), counts)

const bare = (work: boolean) =>
  Effect.gen(function*() {
    const queue = yield* STM.commit(TPriorityQueue.empty<Ping>(order))
    yield* Effect.forkScoped(
      Effect.forever(Effect.flatMap(STM.commit(TPriorityQueue.take(queue)), (ping) =>
        work
          ? Effect.andThen(ping.run, Deferred.succeed(ping.done, undefined))
          : Deferred.succeed(ping.done, undefined)))
    )
    let sequence = 0
    return (run: Effect.Effect<void>) =>
      Effect.flatMap(Deferred.make<void>(), (done) =>
        Effect.as(
          STM.commit(TPriorityQueue.offer(queue, { band: 1, sequence: sequence++, run, done })),
          Deferred.await(done)
        ))
  })

type Start = (run: Effect.Effect<void>) => Effect.Effect<Effect.Effect<void, unknown>, unknown>

const oneAtATime = (count: number, start: Start, run: Effect.Effect<void>) =>
  times(count, () => Effect.flatten(start(run)))

const burst = (bursts: number, size: number, start: Start, run: Effect.Effect<void>) =>
  times(bursts, () =>
    Effect.suspend(() => {
      const waits: Array<Effect.Effect<void, unknown>> = []
      return Effect.andThen(
        times(size, () => Effect.map(start(run), (wait) => waits.push(wait))),
        Effect.suspend(() => Effect.forEach(waits, (wait) => wait, { discard: true }))
      )
    }))

export const family: Family = {
  ids: ["schedule", "schedule-burst", "schedule-burst-queued"],
  processes: 3,
  measure: ({ quick }) =>
    Effect.runPromise(
      Effect.scoped(Effect.gen(function*() {
        const rounds = quick ? 5 : 7
        const registry = yield* ResourceRegistry.ResourceRegistry
        const ours: Start = (run) => Effect.map(registry.schedule({ cleanup: run }), (scheduled) => scheduled.await)
        // The bare side only passes the message on; where the cleanups have turns of their own it has to run them, too.
        const passing = yield* bare(false)
        const working = yield* bare(true)
        const single = yield* interleave(rounds, {
          ours: oneAtATime(2_000, ours, counts),
          bare: oneAtATime(2_000, passing, counts)
        })
        const bursts = yield* interleave(rounds, {
          ours: burst(4, 1_000, ours, counts),
          bare: burst(4, 1_000, passing, counts)
        })
        const queued = yield* interleave(rounds, {
          ours: burst(4, 1_000, ours, yields),
          bare: burst(4, 1_000, working, yields)
        })
        const ratio = (round: { readonly ours: number; readonly bare: number }) => round.ours / round.bare
        return {
          "schedule": single.map(ratio),
          "schedule-burst": bursts.map(ratio),
          "schedule-burst-queued": queued.map(ratio)
        }
      })).pipe(Effect.provide(ResourceRegistry.layer))
    )
}
