/** Books orders: writes them to a journal, then tells another party. Every way to fail has a type, and a strategy. */
import { CleanupError, PatinoxError } from "@patinox/core"
import { Effect, Ref, Schedule } from "effect"
import { post } from "./Endpoint.js"
import { append } from "./Journal.js"
import { withStrategies } from "./strategies.js"

export interface Config {
  readonly journal: string
  /** On another disk. */
  readonly spare: string
  readonly endpoint: string
}

/** A missing journal is a mistake in the setup; a journal that cannot be closed has its error in `CleanupError`. */
const journal = (path: string, orders: ReadonlyArray<string>) =>
  append(path, orders).pipe(
    Effect.catchTags({
      JournalError: () =>
        Effect.fail(new PatinoxError.Configuration({ error: new PatinoxError.FileNotFound({ path }) })),
      CleanupFailed: (error) => Effect.fail(CleanupError.toPatinoxError(error)),
      CleanupTimeout: (error) => Effect.fail(CleanupError.toPatinoxError(error))
    }),
    // Not to be met here: nobody else cleans up this journal, and the registry is there for as long as the program.
    Effect.catchTags({ AlreadyCleanedUp: Effect.die, RegistryShuttingDown: Effect.die })
  )

const retry = Schedule.intersect(Schedule.spaced("10 millis"), Schedule.recurs(3))
const breaker = Ref.make<PatinoxError.PatinoxError | undefined>(undefined)

/** Gives back how many were booked. Each step acts on its own errors: what is in the journal is not written again. */
export const make = (config: Config) =>
  Effect.gen(function*() {
    const [journals, endpoint] = [yield* breaker, yield* breaker]
    return (orders: ReadonlyArray<string>) =>
      withStrategies(journal(config.journal, orders), {
        retry,
        breaker: journals,
        fallback: journal(config.spare, orders)
      }).pipe(
        Effect.tap(() =>
          withStrategies(post(config.endpoint, orders), { retry, breaker: endpoint, fallback: Effect.void })
        )
      )
  })
