/**
 * What a cleanup costs while many others wait: handed to the registry, queued, taken and run, with a million waiting and
 * with a thousand. Each amount has a process of its own, as each is to pay for its own garbage.
 */
import { ResourceRegistry } from "@patinox/core"
import { Deferred, Duration, Effect, ManagedRuntime } from "effect"
import type { Family } from "../figure.js"
import { median } from "../figure.js"
import { inChild } from "../inChild.js"
import { times } from "../paired.js"

const batch = 1_000
/** Batches to a reading: enough for a collection of old garbage to take part. */
const batches = 10

const readings = (waiting: number, rounds: number) =>
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
    const advance = Effect.gen(function*() {
      yield* fill(batch)
      const held = gate
      gate = yield* Deferred.make<void>()
      reached = yield* Deferred.make<void>()
      last += batch
      yield* Deferred.succeed(held, undefined)
      yield* Deferred.await(reached)
    })

    yield* fill(waiting + 1)
    yield* times(2 * batches, () => advance)
    const micros: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      const begun = performance.now()
      yield* times(batches, () => advance)
      micros.push((performance.now() - begun) * 1_000 / (batch * batches))
    }
    return micros
  })

/** Microseconds a cleanup, several times over. The registry is not closed: that would run all that wait. */
export const microsPerCleanup = (waiting: number, rounds: number): Promise<ReadonlyArray<number>> =>
  ManagedRuntime.make(ResourceRegistry.layerWith({
    concurrency: 1,
    slowAfter: Duration.infinity,
    cleanupTimeout: Duration.infinity
  })).runPromise(readings(waiting, rounds))

export const family: Family = {
  ids: ["waiting"],
  measure: async ({ quick }) => {
    const rounds = quick ? 5 : 11
    const run = (waiting: number) =>
      inChild<ReadonlyArray<number>>({ module: import.meta.url, name: "microsPerCleanup", args: [waiting, rounds] })
    // Few before and after many, so that what the machine does meanwhile meets both.
    const before = await run(1_000)
    const many = await run(1_000_000)
    const after = await run(1_000)
    const few = median([...before, ...after])
    return { "waiting": many.map((micros) => micros / few) }
  }
}
