/**
 * The one way in which a synchronous function of a user is called: strategies, weighers, comparers, policies, getters.
 * What it throws becomes a value, so that no state is left half changed. Effects of users are run elsewhere, in fibers.
 */
import { Cause, Effect } from "effect"

/** The function's result, or what `otherwise` makes of what it threw. */
export const call = <A>(f: () => A, otherwise: (defect: unknown) => A): A => {
  try {
    return f()
  } catch (defect) {
    return otherwise(defect)
  }
}

/**
 * The effect that a user's function gives, as `Effect.suspend`; where the function throws, it dies of that. Effect's own
 * loop asks whether what was thrown is an interruption, and a fiber does not survive a value that throws at being asked.
 */
export const effect = <A, E, R>(f: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => call(f, dieOf))

/** As `effect`, at once and without a closure: for what is called often and runs inside of an effect already. */
export const effectOf = <In, In2, A, E, R>(
  f: (value: In, other: In2) => Effect.Effect<A, E, R>,
  value: In,
  other: In2
): Effect.Effect<A, E, R> => {
  try {
    return f(value, other)
  } catch (defect) {
    return dieOf(defect)
  }
}

/** A failure by a defect that nobody looks at on the way, as `Effect.die` would. */
export const dieOf = (defect: unknown): Effect.Effect<never> => Effect.failCause(Cause.die(defect))
