/** How the run ended, from what is known of the work at its end: the exit code, and what to tell. Pure. */
import { Cause, Exit, Option } from "effect"
import type { Summary } from "./Indexer.js"

export interface End {
  readonly exit: Exit.Exit<unknown, unknown>
  /** Undefined unless the index was published. */
  readonly summary: Summary | undefined
  /** Why not all of the output could be written. */
  readonly unwritten: Error | undefined
  readonly target: string
}

export interface Outcome {
  readonly code: 0 | 1
  readonly problems: ReadonlyArray<string>
}

const shown = 20

const failureOf = (cause: Cause.Cause<unknown>, target: string): string =>
  Cause.isInterruptedOnly(cause)
    ? `Stopped before the index was complete; ${target} is as it was`
    : Option.match(Cause.failureOption(cause), {
      onNone: () => Cause.pretty(cause),
      onSome: (error) => error instanceof Error ? error.message : String(error)
    })

const unreadableOf = ({ unreadable }: Summary): ReadonlyArray<string> =>
  unreadable.length === 0 ? [] : [
    ...unreadable.slice(0, shown).map((error) => `Unreadable: ${error.message}`),
    ...(unreadable.length > shown ? [`and ${unreadable.length - shown} more`] : []),
    `The index lacks ${unreadable.length} that could not be read`
  ]

export const decide = ({ exit, summary, target, unwritten }: End): Outcome => {
  // Being stopped is how serving ends.
  const isServed = summary !== undefined && Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
  const problems = [
    ...(summary === undefined ? [] : unreadableOf(summary)),
    ...(Exit.isSuccess(exit) || isServed ? [] : [failureOf(exit.cause, target)]),
    ...(unwritten === undefined ? [] : [`The output could not be written: ${unwritten.message}`])
  ]
  return { code: problems.length === 0 ? 0 : 1, problems }
}
