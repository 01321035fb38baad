/**
 * P1 to P7 as properties of random programs: each command is carried out on real guards, scopes and a registry, and after
 * each the model is asked whether that may be. `PATINOX_SEED` chooses other programs, `PATINOX_DEEP=1` runs ten times as
 * many.
 */
import { Arbitraries, Program } from "@patinox/vitest"
import { Cause } from "effect"
import * as fc from "fast-check"
import { setImmediate as turnOfTheLoop } from "node:timers/promises"
import { expect, it } from "vitest"
import { execute, shrink, type Surroundings, surroundings } from "./execution.js"
import { Table } from "./table.js"

const deep = process.env["PATINOX_DEEP"] === "1"
const seed = Number(process.env["PATINOX_SEED"] ?? 20_240)
const runs = deep ? 10_000 : 1_000
const least = 10

/** The turns of a virtual scheduler bound a program: no time limit of the machine's has a say in whether it holds. */
const perTurnOfTheLoop = 8

/** A violation's cause may hold what cannot be told. */
const textOf = (violation: unknown) => {
  try {
    return Cause.isCause(violation) ? Cause.pretty(violation) : String(violation)
  } catch {
    return "a violation without text"
  }
}

const describeFailure = (program: Program.Program, around: Surroundings, step: string, violation: unknown) =>
  `seed ${seed}, with ${around} loggers, at step ${step}\n${textOf(violation)}\n${Program.format(program)}`

it(
  `P1 to P7 hold in ${runs} programs, and every fault meets every state`,
  // Against a loop that never gives way alone: 45 s at most on an idle machine, 10,000 programs in five minutes.
  { timeout: 3_600_000 },
  async () => {
    const table = new Table()
    const programs = fc.sample(Arbitraries.program, { numRuns: runs, seed })
    let turns = 0
    let longest = 0
    for (const [index, program] of programs.entries()) {
      if (index % perTurnOfTheLoop === 0) await turnOfTheLoop()
      const around = surroundings[index % surroundings.length]!
      const result = execute(program, around)
      if (result._tag === "Broken") {
        const smallest = shrink(program, around)
        const again = execute(smallest, around)
        expect.fail(
          again._tag === "Broken"
            ? describeFailure(smallest, around, again.step, again.violation)
            : `failed once, and not again:\n${describeFailure(program, around, result.step, result.violation)}`
        )
      }
      table.add(result.table)
      turns += result.turns
      longest = Math.max(longest, result.turns)
    }
    console.log(
      `seed ${seed}, ${runs} programs, ${
        programs.reduce((n, { commands }) => n + commands.length, 0)
      } commands, ${turns} turns, ${longest} at most in one`
    )
    console.log(table.render())
    expect(table.missing(least)).toEqual([])
  }
)
