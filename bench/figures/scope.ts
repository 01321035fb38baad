/** A `ResourceScope` beside a plain scope: closing a full one, and opening and closing an empty one. */
import { ResourceScope } from "@patinox/core"
import { Effect, Exit, Scope } from "effect"
import type { Family } from "../figure.js"
import { interleave, times } from "../paired.js"

const released = { count: 0 }
const add = () => Effect.addFinalizer(() => Effect.sync(() => released.count++))

type Make = () => Effect.Effect<Scope.CloseableScope>
const ours: Make = () => ResourceScope.make()
const theirs: Make = () => Scope.make()

/** The milliseconds of the close alone. */
const closing = (make: Make): Effect.Effect<number> =>
  Effect.gen(function*() {
    const scope = yield* make()
    yield* Scope.extend(times(10_000, add), scope)
    const started = performance.now()
    yield* Scope.close(scope, Exit.void)
    return performance.now() - started
  })

const closes = (rounds: number) =>
  Effect.gen(function*() {
    const ratios: Array<number> = []
    for (let round = -4; round < rounds; round++) {
      const first = yield* closing(round % 2 === 0 ? ours : theirs)
      const second = yield* closing(round % 2 === 0 ? theirs : ours)
      if (round >= 0) ratios.push(round % 2 === 0 ? first / second : second / first)
    }
    return ratios
  })

const empty = (make: Make) => times(20_000, () => Effect.flatMap(make(), (scope) => Scope.close(scope, Exit.void)))

export const family: Family = {
  ids: ["scope-close", "scope-empty"],
  processes: 3,
  measure: ({ quick }) =>
    Effect.runPromise(Effect.all({
      "scope-close": closes(quick ? 6 : 10),
      "scope-empty": Effect.map(
        interleave(quick ? 5 : 7, { ours: empty(ours), theirs: empty(theirs) }),
        (rounds) => rounds.map((round) => round.ours / round.theirs)
      )
    }))
}
