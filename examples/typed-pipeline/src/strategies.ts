/** Acts on an error as its strategy says. The strategy is data; what it means here is written once, for every error. */
import { PatinoxError } from "@patinox/core"
import { Effect, Ref, type Schedule } from "effect"

export interface Plan<A, E, R> {
  readonly retry: Schedule.Schedule<unknown, PatinoxError.PatinoxError>
  /** Another way to the same end. */
  readonly fallback: Effect.Effect<A, E, R>
  /** While it is open nobody is asked. */
  readonly breaker: Ref.Ref<PatinoxError.PatinoxError | undefined>
}

const isTransient = (error: PatinoxError.PatinoxError) => PatinoxError.recoveryStrategy(error) === "Retry"

export const withStrategies = <A, R, E2, R2>(
  effect: Effect.Effect<A, PatinoxError.PatinoxError, R>,
  { breaker, fallback, retry }: Plan<A, E2, R2>
): Effect.Effect<A, PatinoxError.PatinoxError | E2, R | R2> =>
  Effect.flatMap(
    Ref.get(breaker),
    (open): Effect.Effect<A, PatinoxError.PatinoxError | E2, R | R2> =>
      open !== undefined ? Effect.fail(open) : effect.pipe(
        Effect.retry({ schedule: retry, while: isTransient }),
        Effect.catchAll((error): Effect.Effect<A, PatinoxError.PatinoxError | E2, R2> => {
          switch (PatinoxError.recoveryStrategy(error)) {
            case "Fallback":
              return fallback
            case "CircuitBreak":
              return Effect.andThen(Ref.set(breaker, error), Effect.fail(error))
            case "Retry":
            case "Fail":
              return Effect.fail(error)
          }
        })
      )
  )
