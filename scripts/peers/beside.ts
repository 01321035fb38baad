/**
 * Asks a part of Effect's and the part here that replaces it the same question. A different answer is a failed test, or a
 * difference that the test declares; `docs/beside-effect.md` lists these.
 */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"

interface Answers {
  readonly effects: unknown
  readonly ours: unknown
}

type Ask<Part> = (part: Part) => Effect.Effect<unknown, unknown, any>

/** Provides what the parts need: a scope, a registry, a log. */
export type Around = (effect: Effect.Effect<unknown, unknown, any>) => Effect.Effect<unknown, unknown>

export interface Beside<Part> {
  /** Both answer the same. */
  readonly same: (title: string, ask: Ask<Part>, answer: unknown) => void
  /** Each has its own answer; the title says what ours does, and after `: there` what Effect's does. */
  readonly differs: (title: string, ask: Ask<Part>, answers: Answers) => void
}

export const beside = <Part>(
  parts: { readonly effects: Part; readonly ours: Part },
  around: Around = (effect) => Effect.scoped(effect) as Effect.Effect<unknown, unknown>
): Beside<Part> => {
  const compare = (title: string, ask: Ask<Part>, answers: Answers) =>
    it.effect(title, () =>
      Effect.gen(function*() {
        const effects = yield* around(Effect.suspend(() => ask(parts.effects)))
        const ours = yield* around(Effect.suspend(() => ask(parts.ours)))
        expect({ effects, ours }).toEqual(answers)
      }))
  return {
    same: (title, ask, answer) => compare(title, ask, { effects: answer, ours: answer }),
    differs: compare
  }
}
