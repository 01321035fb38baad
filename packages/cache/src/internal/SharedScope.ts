/**
 * What one call for several keys gives: to each its value, and a share in the scope that closes with the last of them.
 */
import { CleanupReport, PatinoxError, ResourceGuard } from "@patinox/core"
import { type LazyScope, UserFunction } from "@patinox/core/kernel"
import { Effect, Exit } from "effect"

/** What each of them gets of the call's exit. */
export const exitsOf = <A, E>(
  exit: Exit.Exit<ReadonlyArray<A>, E>,
  count: number
): ReadonlyArray<Exit.Exit<A, E>> => {
  if (Exit.isFailure(exit)) return Array.from({ length: count }, () => Exit.failCause(exit.cause))
  const { value } = exit
  const all = (wrong: unknown) => Array.from({ length: count }, () => Exit.die(wrong))
  const expected = `an array of ${count} values, in the order of the keys`
  return UserFunction.call<ReadonlyArray<Exit.Exit<A, E>>>(
    () =>
      Array.isArray(value) && value.length === count
        ? Array.from(value, (one) => Exit.succeed(one))
        : all(PatinoxError.invalidOption("lookupAll", value, expected)),
    all
  )
}

export class SharedScope {
  private left: number

  constructor(private readonly scope: LazyScope, count: number, private readonly make: () => LazyScope) {
    this.left = count
  }

  /** For an exit without a value. */
  none(): LazyScope {
    return this.make()
  }

  part(): LazyScope {
    const part = this.make()
    if (!this.scope.isEmpty) Effect.runSync(part.addFinalizer((exit) => this.close(exit)))
    return part
  }

  private close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (--this.left > 0) return Effect.void
      return Effect.flatMap(
        this.scope.close(exit),
        (report) =>
          CleanupReport.isClean(report) ? Effect.void : Effect.die(new ResourceGuard.FinalizersFailed({ report }))
      )
    })
  }
}
