/**
 * Times several ways of doing one thing in turns within one process, so that whatever else the machine does meets all of
 * them alike. A ratio is taken within a round, and the median over the rounds counts.
 */
import { Effect } from "effect"

export type Side<R> = Effect.Effect<unknown, unknown, R>

/** One side of a comparison: the same step many times in one fiber, as a loop in an app would. */
export const times = <E, R>(count: number, step: () => Effect.Effect<unknown, E, R>): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    let left = count
    return Effect.whileLoop({ while: () => left-- > 0, body: step, step: () => {} })
  })

const timed = <R>(side: Side<R>): Effect.Effect<number, never, R> =>
  Effect.suspend(() => {
    // No collection is forced in between: that would also throw away compiled code. Whose garbage a collection takes
    // evens out over the rounds.
    const started = performance.now()
    return Effect.map(Effect.orDie(side), () => performance.now() - started)
  })

/** The milliseconds of each side in each round; every round begins with another side. */
export const interleave = <Name extends string, R>(
  rounds: number,
  sides: Readonly<Record<Name, Side<R>>>
): Effect.Effect<ReadonlyArray<Readonly<Record<Name, number>>>, never, R> =>
  Effect.gen(function*() {
    const names = Object.keys(sides) as Array<Name>
    const results: Array<Record<Name, number>> = []
    // Until the compiler has settled on every side.
    const warmUps = 4
    for (let round = -warmUps; round < rounds; round++) {
      const result = {} as Record<Name, number>
      const first = (round + warmUps) % names.length
      for (const name of [...names.slice(first), ...names.slice(0, first)]) result[name] = yield* timed(sides[name])
      if (round >= 0) results.push(result)
    }
    return results
  })
