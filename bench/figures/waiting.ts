/**
 * What a cleanup costs while many others wait: handed to the registry, queued, taken and run, with a million waiting and
 * with a thousand.
 */
import { ResourceRegistry } from "@patinox/core"
import { Deferred, Duration, Effect, ManagedRuntime } from "effect"
import type { Family } from "../figure.js"
import { interleave, times } from "../paired.js"

const batch = 1_000

/** A registry in which so many wait, and what hands it a thousand more and waits until a thousand have ended. */
const registryWith = (waiting: number) =>
  Effect.gen(function*() {
    const registry = yield* ResourceRegistry.ResourceRegistry
    // Each cleanup before `last` ends at once; that one holds the only slot until it is let on.
    let started = 0
    let last = 0
    let gate = yield* Deferred.make<void>()
    let reached = yield* Deferred.make<void>()
    const cleanup = Effect.suspend(() =>
      started++ < last ? Effect.void : Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(gate))
    )
    const fill = (count: number) => times(count, () => registry.schedule({ cleanup }))
    yield* fill(waiting + 1)
    return Effect.gen(function*() {
      yield* fill(batch)
      const held = gate
      gate = yield* Deferred.make<void>()
      reached = yield* Deferred.make<void>()
      last += batch
      yield* Deferred.succeed(held, undefined)
      yield* Deferred.await(reached)
    })
  })

/** Never closed: that would run all that wait. */
const open = (waiting: number) =>
  ManagedRuntime.make(ResourceRegistry.layerWith({
    concurrency: 1,
    slowAfter: Duration.infinity,
    cleanupTimeout: Duration.infinity
  })).runPromise(registryWith(waiting))

export const family: Family = {
  ids: ["waiting"],
  measure: async ({ quick }) => {
    const sides = { few: await open(1_000), many: await open(1_000_000) }
    const rounds = await Effect.runPromise(interleave(quick ? 9 : 17, sides))
    return { "waiting": rounds.map((round) => round.many / round.few) }
  }
}
