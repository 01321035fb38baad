/** How the run ended, from everything that is known at its end: the exit code, and what to tell. Pure. */
import { CleanupReport } from "@patinox/core"
import { Cause, Exit, Option } from "effect"
import type { Summary } from "./Indexer.js"

export interface End {
  readonly exit: Exit.Exit<unknown, { readonly message: string }>
  /** Undefined unless the index was published. */
  readonly summary: Summary | undefined
  readonly report: CleanupReport.CleanupReport | undefined
  /** Why not all of the output could be written. */
  readonly unwritten: Error | undefined
  readonly target: string
}

export interface Outcome {
  readonly code: 0 | 1
  readonly problems: ReadonlyArray<string>
}

const shown = 20

const failureOf = (cause: Cause.Cause<{ readonly message: string }>, target: string): string =>
  Cause.isInterruptedOnly(cause)
    ? `Stopped before the index was complete; ${target} is as it was`
    : Option.match(Cause.failureOption(cause), {
      onNone: () => Cause.pretty(cause),
      onSome: (error) => error.message
    })

const unreadableOf = ({ unreadable }: Summary): ReadonlyArray<string> =>
  unreadable.length === 0 ? [] : [
    ...unreadable.slice(0, shown).map((error) => `Unreadable: ${error.message}`),
    ...(unreadable.length > shown ? [`and ${unreadable.length - shown} more`] : []),
    `The index lacks ${unreadable.length} that could not be read`
  ]

export const decide = ({ exit, report, summary, target, unwritten }: End): Outcome => {
  // Being stopped is how serving ends.
  const isServed = summary !== undefined && Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
  const problems = [
    ...(summary === undefined ? [] : unreadableOf(summary)),
    ...(Exit.isSuccess(exit) || isServed ? [] : [failureOf(exit.cause, target)]),
    ...(report === undefined || CleanupReport.isClean(report)
      ? []
      : [`Not cleaned up: ${CleanupReport.summary(report)}`]),
    ...(unwritten === undefined ? [] : [`The output could not be written: ${unwritten.message}`])
  ]
  return { code: problems.length === 0 ? 0 : 1, problems }
}
