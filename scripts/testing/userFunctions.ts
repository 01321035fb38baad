/** Functions of users that throw, also what Effect's own loop does not survive: a proxy whose every trap throws. */
import { expect, it } from "@effect/vitest"
import { TestRegistry, Untellable } from "@patinox/vitest"
import { Effect, Exit } from "effect"

const forms = ["error", "proxy", "revoked", "symbol"] as const

/** What is done with something that has such a function, and whether that can come to a good end. */
type Use = (boom: () => never) => Effect.Effect<readonly [Effect.Effect<unknown, unknown>, boolean], unknown, any>

/** One test for each function and each form of what it throws. `outcome` ends the title. */
export const eachThrowing = (owner: string, uses: Readonly<Record<string, Use>>, outcome: string): void => {
  const cases = Object.keys(uses).flatMap((which) => forms.map((form) => [which, form] as const))
  it.live.each(cases)(
    `${owner}: %s that throws a value of the form %s ${outcome}`,
    ([which, form]) =>
      Effect.gen(function*() {
        const [use, isGood] = yield* uses[which]!(() => {
          throw Untellable.make(form)
        })
        // Not in the first turn of its fiber, where there would be somebody to catch what its loop lets out.
        const exit = yield* Effect.exit(Effect.andThen(Effect.yieldNow(), use))
        expect(Exit.isSuccess(exit)).toBe(isGood)
      }).pipe(Effect.scoped, Effect.provide(TestRegistry.quiet)) as Effect.Effect<void>
  )
}
