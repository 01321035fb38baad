/** A tracked guard with its time limit, from acquire to cleaned, beside `Effect.acquireRelease`. */
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Effect, type Scope } from "effect"
import type { Family } from "../figure.js"
import { interleave, times } from "../paired.js"

const released = { count: 0 }
const acquire = Effect.sync(() => ({ open: true }))
const release = () => Effect.sync(() => released.count++)

const named = { typeName: "Connection" }
const guard = () => ResourceGuard.acquireRelease(acquire, release, named)
// Without a name a guard notes where it was made.
const unnamed = () => ResourceGuard.acquireRelease(acquire, release)
const plain = () => Effect.acquireRelease(acquire, release)
/** What people write who want the limit without us. */
const limited = () =>
  Effect.acquireRelease(acquire, () => Effect.ignore(Effect.timeout(Effect.interruptible(release()), "10 seconds")))

type Step = () => Effect.Effect<unknown, unknown, Scope.Scope | ResourceRegistry.ResourceRegistry>

const alone = (step: Step) => times(2_000, () => Effect.scoped(step()))
const many = (step: Step) => Effect.scoped(times(10_000, step))

export const family: Family = {
  ids: [
    "guard",
    "guard-many",
    "guard-unnamed",
    "guard-many-unnamed",
    "guard-vs-timeout",
    "guard-many-vs-timeout"
  ],
  processes: 3,
  measure: ({ quick }) => {
    // In pairs of their own: garbage of a third side would be collected on one of the two.
    const ratio = (wrap: typeof alone, ours: Step, theirs: Step) =>
      Effect.map(
        interleave(quick ? 5 : 7, { ours: wrap(ours), theirs: wrap(theirs) }),
        (rounds) => rounds.map((round) => round.ours / round.theirs)
      )
    return Effect.runPromise(Effect.provide(
      Effect.all({
        "guard": ratio(alone, guard, plain),
        "guard-many": ratio(many, guard, plain),
        "guard-unnamed": ratio(alone, unnamed, plain),
        "guard-many-unnamed": ratio(many, unnamed, plain),
        "guard-vs-timeout": ratio(alone, guard, limited),
        "guard-many-vs-timeout": ratio(many, guard, limited)
      }),
      ResourceRegistry.layer
    ))
  }
}
