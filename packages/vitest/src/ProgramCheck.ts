/**
 * Checks that something holds in many programs, which are plain data as those of `Arbitraries.program` are. The first that
 * is broken is made as small as leaving commands out makes it, and is what the failure shows.
 */
import { Cause, Data, Effect } from "effect"
import * as Seam from "./internal/Seam.js"
import * as ProgramRunner from "./ProgramRunner.js"

/** What a program of any kind has. */
export interface AnyProgram {
  readonly commands: ReadonlyArray<unknown>
}

/** How one program went. */
export type Result<A> =
  | { readonly _tag: "Held"; readonly value: A }
  | { readonly _tag: "Broken"; readonly step: string; readonly violation: unknown }

/** A violation's cause may hold what has no text. */
const textOf = (violation: unknown): string => {
  try {
    return Cause.isCause(violation) ? Cause.pretty(violation) : String(violation)
  } catch {
    return "a violation without text"
  }
}

/** A program that is broken. The message has where, why, and the smallest program that still is. */
export class ProgramBroken extends Data.TaggedError("ProgramBroken")<{
  /** Which of the programs it was, from 0. */
  readonly index: number
  readonly step: string
  readonly violation: unknown
  /** The smallest program that was found, as text. */
  readonly program: string
}> {
  override get message(): string {
    return `Program ${this.index} is broken at step ${this.step}\n${textOf(this.violation)}\n${this.program}`
  }
}

/** How to check. */
export interface CheckOptions<P, A> {
  /** Runs a program to its end in this call, as `ProgramRunner.run` does. */
  readonly execute: (program: P) => Result<A>
  /** The program as text, for the failure. */
  readonly format: (program: P) => string
}

/** After so many programs, whatever else is ready in the process has a turn of the event loop. */
const programsPerTurn = 8

const smallest = <P extends AnyProgram, A>(
  index: number,
  program: P,
  { execute, format }: CheckOptions<P, A>
): ProgramBroken => {
  const withCommands = (commands: P["commands"]): P => ({ ...program, commands })
  const shrunk = withCommands(
    ProgramRunner.shrink(program.commands, (commands) => execute(withCommands(commands))._tag === "Broken")
  )
  const again = execute(shrunk)
  return again._tag === "Broken"
    ? new ProgramBroken({ index, step: again.step, violation: again.violation, program: format(shrunk) })
    : new ProgramBroken({ index, step: "?", violation: "broken once, and not again", program: format(program) })
}

/**
 * Executes the programs one after the other, and gives the values of all, or fails with the first that is broken.
 *
 * ```ts
 * import { ProgramCheck } from "@patinox/vitest"
 * import { Effect } from "effect"
 *
 * const balanced = ({ commands }: { readonly commands: ReadonlyArray<number> }): ProgramCheck.Result<number> => {
 *   let sum = 0
 *   for (const [index, command] of commands.entries()) {
 *     sum += command
 *     if (sum < 0) return { _tag: "Broken", step: `${index + 1}`, violation: `the balance is ${sum}` }
 *   }
 *   return { _tag: "Held", value: sum }
 * }
 * const programs = [{ commands: [1, 2] }, { commands: [1, 3, -9, 5] }]
 * const check = ProgramCheck.check(programs, { execute: balanced, format: ({ commands }) => commands.join(", ") })
 * const broken = await Effect.runPromise(Effect.flip(check))
 * console.log(broken.message.split("\n")) // =>
 * // [ 'Program 1 is broken at step 1', 'the balance is -9', '-9' ]
 * ```
 */
export const check = <P extends AnyProgram, A>(
  programs: ReadonlyArray<P>,
  options: CheckOptions<P, A>
): Effect.Effect<ReadonlyArray<A>, ProgramBroken> =>
  Effect.gen(function*() {
    const values: Array<A> = []
    for (const [index, program] of programs.entries()) {
      if (index % programsPerTurn === 0) yield* Seam.turnOfTheLoop
      const result = options.execute(program)
      if (result._tag === "Broken") return yield* smallest(index, program, options)
      values.push(result.value)
    }
    return values
  })
