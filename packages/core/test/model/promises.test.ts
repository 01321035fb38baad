/**
 * P1 to P7 as properties of random programs: each command is carried out on real guards, scopes and a registry, and after
 * each the model is asked whether that may be. `PATINOX_SEED` chooses other programs, `PATINOX_DEEP=1` runs ten times as
 * many.
 */
import { Arbitraries, Program } from "@patinox/vitest"
import { Cause, Effect } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { execute, shrink } from "./execution.js"
import { Table } from "./table.js"

const deep = process.env["PATINOX_DEEP"] === "1"
const seed = Number(process.env["PATINOX_SEED"] ?? 20_240)
const runs = deep ? 10_000 : 1_000
const least = 10

/** Programs run side by side, each on a clock of its own: most of their time is spent on the turns of the event loop. */
const concurrency = 32

const describeFailure = (program: Program.Program, step: string, violation: unknown) =>
  `seed ${seed}, at step ${step}\n${Cause.isCause(violation) ? Cause.pretty(violation) : String(violation)}\n${
    Program.format(program)
  }`

it(
  `P1 to P7 hold in ${runs} programs, and every fault meets every state`,
  { timeout: deep ? 1_200_000 : 120_000 },
  () =>
    Effect.runPromise(Effect.gen(function*() {
      const table = new Table()
      const programs = fc.sample(Arbitraries.program, { numRuns: runs, seed })
      let broken: { readonly program: Program.Program; readonly step: string; readonly violation: unknown } | undefined
      yield* Effect.forEach(programs, (program) =>
        broken !== undefined ? Effect.void : Effect.map(execute(program), (result) => {
          if (result._tag === "Held") {
            table.add(result.table)
          } else broken ??= { program, step: result.step, violation: result.violation }
        }), { concurrency, discard: true })
      if (broken !== undefined) {
        const smallest = yield* shrink(broken.program)
        const result = yield* execute(smallest)
        expect.fail(
          result._tag === "Broken"
            ? describeFailure(smallest, result.step, result.violation)
            : `failed once, and not again:\n${describeFailure(broken.program, broken.step, broken.violation)}`
        )
      }
      console.log(`seed ${seed}, ${runs} programs, ${
        programs.reduce((n, { commands }) => n + commands.length, 0)
      } commands`)
      console.log(table.render())
      expect(table.missing(least)).toEqual([])
    }))
)
