/** What a live resource takes, and what is left of those that are gone. */
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import * as HeapProbe from "@patinox/vitest/HeapProbe"
import { Effect, Exit, Scope } from "effect"
import type { Family } from "../figure.js"
import { inChild } from "../inChild.js"
import { times } from "../paired.js"

const acquire = Effect.succeed("connection")
const release = () => Effect.void
const options = { typeName: "Connection" }

/** Bytes for each of many guards in one open scope, the scope's share included. */
export const bytesPerResource = (count: number): Promise<number> =>
  Effect.runPromise(
    Effect.gen(function*() {
      const fill = (scope: Scope.Scope, amount: number) =>
        Scope.extend(times(amount, () => ResourceGuard.acquireRelease(acquire, release, options)), scope)
      const warmUp = yield* Scope.make()
      yield* fill(warmUp, 1_000)
      yield* Scope.close(warmUp, Exit.void)
      const scope = yield* Scope.make()
      const before = yield* HeapProbe.bytesInUse
      yield* fill(scope, count)
      const after = yield* HeapProbe.bytesInUse
      yield* Scope.close(scope, Exit.void)
      return (after - before) / count
    }).pipe(Effect.provide(ResourceRegistry.layer))
  )

/** Bytes by which the heap has grown after so many have come and gone: alone, and some in a scope that stays open. */
export const bytesLeftBehind = (count: number): Promise<number> =>
  Effect.runPromise(
    Effect.scoped(Effect.gen(function*() {
      const inScope = Effect.suspend(() => Effect.scoped(ResourceGuard.acquireRelease(acquire, release, options)))
      const early = Effect.flatMap(
        Effect.suspend(() => ResourceGuard.make(acquire, release, options)),
        (guard) => guard.cleanup
      )
      const pass = (amount: number) => Effect.andThen(times(amount / 2, () => inScope), times(amount / 2, () => early))
      yield* pass(100_000)
      const before = yield* HeapProbe.bytesInUse
      yield* pass(count)
      const after = yield* HeapProbe.bytesInUse
      return after - before
    })).pipe(Effect.provide(ResourceRegistry.layer))
  )

export const family: Family = {
  ids: ["memory", "growth", "growth-long"],
  measure: async ({ quick, wanted }) => {
    const bytes = (name: string, count: number) => inChild<number>({ module: import.meta.url, name, args: [count] })
    const growth = async (count: number) => [await bytes("bytesLeftBehind", count) / 1_048_576]
    const sizes: Array<number> = []
    if (wanted.includes("memory")) {
      for (let i = 0; i < (quick ? 1 : 3); i++) sizes.push(await bytes("bytesPerResource", 100_000))
    }
    return {
      "memory": sizes,
      "growth": wanted.includes("growth") ? await growth(quick ? 500_000 : 2_000_000) : [],
      "growth-long": wanted.includes("growth-long") ? await growth(quick ? 1_000_000 : 10_000_000) : []
    }
  }
}
