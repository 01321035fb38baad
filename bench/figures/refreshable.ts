/** What it costs to read and to use a value that can be replaced meanwhile, beside what Effect has for either. */
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Effect, Layer, ScopedRef } from "effect"
import type { Family } from "../figure.js"
import { interleave, times } from "../paired.js"

const acquire = Effect.sync(() => ({ open: true }))
const released = { count: 0 }
const release = () => Effect.sync(() => released.count++)
const query = (value: { readonly open: boolean }) => Effect.succeed(value.open)

export const family: Family = {
  ids: ["refreshable-read", "refreshable-use", "refreshable-use-shared"],
  processes: 3,
  measure: ({ quick }) =>
    Effect.runPromise(
      Effect.scoped(Effect.gen(function*() {
        const rounds = quick ? 5 : 7
        const registry = yield* Layer.build(ResourceRegistry.layer)
        const refreshable = yield* Effect.provide(
          ResourceGuard.refreshable(acquire, release, { typeName: "Token" }),
          registry
        )
        const scopedRef = yield* ScopedRef.fromAcquire(Effect.acquireRelease(acquire, release))
        const read = yield* interleave(rounds, {
          ours: times(50_000, () => refreshable.value),
          theirs: times(50_000, () => ScopedRef.get(scopedRef))
        })
        const ours = times(15_000, () => refreshable.use(query))
        const theirs = times(15_000, () => Effect.acquireUseRelease(acquire, query, release))
        const use = yield* interleave(rounds, { ours, theirs })
        // With a user beside it, as in a server.
        yield* refreshable.get
        const shared = yield* interleave(rounds, { ours, theirs })
        const ratio = ({ ours, theirs }: Readonly<Record<"ours" | "theirs", number>>) => ours / theirs
        return {
          "refreshable-read": read.map(ratio),
          "refreshable-use": use.map(ratio),
          "refreshable-use-shared": shared.map(ratio)
        }
      }))
    )
}
