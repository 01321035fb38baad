/** What the tests of refreshables refresh: values 1, 2, 3 .., and what happened to each. */
import { Effect } from "effect"
import { ResourceGuard } from "../src/index.js"

export interface Source {
  readonly log: Array<string>
  readonly counts: { acquires: number; opened: number }
  /** What the next acquires do before they open. */
  readonly plan: Array<Effect.Effect<unknown, "refused">>
  /** What each acquire does for which there is no plan, but the first that opens. */
  otherwise: Effect.Effect<unknown, "refused">
  readonly acquire: Effect.Effect<number, "refused">
  readonly release: (value: number) => Effect.Effect<unknown>
}

export const source = (): Source => {
  const self: Source = {
    log: [],
    counts: { acquires: 0, opened: 0 },
    plan: [],
    otherwise: Effect.void,
    acquire: Effect.suspend(() => {
      self.counts.acquires++
      return self.plan.shift() ?? (self.counts.opened === 0 ? Effect.void : self.otherwise)
    }).pipe(Effect.andThen(Effect.sync(() => {
      self.log.push(`acquired ${++self.counts.opened}`)
      return self.counts.opened
    }))),
    release: (value) => Effect.sync(() => self.log.push(`released ${value}`))
  }
  return self
}

export type Options = ResourceGuard.RefreshableOptions<number, never, "refused", never, never, never, readonly []>

/** A refreshable of it. */
export const make = ({ acquire, release }: Source, options?: Options) =>
  ResourceGuard.refreshable(acquire, release, { typeName: "Token", ...options })

/** Lets other fibers have so many turns. */
export const turns = (n: number) => Effect.repeatN(Effect.yieldNow(), n)
