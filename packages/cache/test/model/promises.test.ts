/**
 * What holds of any cache, as a property of random programs on real caches with functions that misbehave: each value
 * released once and not while in use, nothing old after an invalidation, everybody answered in time, and nothing left.
 * `PATINOX_SEED` chooses other programs, `PATINOX_DEEP=1` runs ten times as many.
 */
import { Cause, Effect } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { execute, shrink } from "./execution.js"
import { answers, arbitrary, faults, format, keyKinds, operations, type Program } from "./program.js"

const deep = process.env["PATINOX_DEEP"] === "1"
const seed = Number(process.env["PATINOX_SEED"] ?? 20_240)
const runs = deep ? 3_000 : 300
const least = 10

/** Programs run side by side, each on a clock of its own: most of their time is spent on the turns of the event loop. */
const concurrency = 32

const describeFailure = (program: Program, step: string, violation: unknown) =>
  `seed ${seed}, at step ${step}\n${Cause.isCause(violation) ? Cause.pretty(violation) : String(violation)}\n${
    format(program)
  }`

/** What else must have been met, so that the programs are worth something. */
const others = [
  ...answers.flatMap((answer) => [`${answer}|weigher`, `${answer}|timeToLive`]),
  ...["evicted", "expired", "invalidated", "replaced", "shutdown"].map((reason) => `heard of ${reason}`),
  "interrupted asking",
  "interrupted using",
  "CacheTimeout room",
  "CacheTimeout lookup",
  "CacheFull",
  "CacheClosed",
  "lookup failed",
  "none",
  "stale",
  "shared",
  "set",
  "not set",
  ...keyKinds.map((kind) => `keys: ${kind}`),
  "set after its release",
  "set in use",
  "refreshed after a write",
  "asked from inside",
  "CacheFull circle",
  "beside an abandoned lookup"
]

it(
  `a cache keeps its promises in ${runs} programs, and every fault meets every operation`,
  { timeout: deep ? 1_200_000 : 180_000 },
  () =>
    Effect.runPromise(Effect.gen(function*() {
      const met = new Map<string, number>()
      const programs = fc.sample(arbitrary, { numRuns: runs, seed })
      let broken: readonly [Program, unknown] | undefined
      yield* Effect.forEach(programs, (program) =>
        broken !== undefined ? Effect.void : Effect.map(execute(program), (result) => {
          if (result._tag === "Broken") {
            broken ??= [program, result.violation]
          } else {
            for (const [what, times] of result.met) {
              met.set(what, (met.get(what) ?? 0) + times)
            }
          }
        }), { concurrency, discard: true })
      if (broken !== undefined) {
        const [program, violation] = broken
        const smallest = yield* shrink(program)
        const result = yield* execute(smallest)
        expect.fail(
          result._tag === "Broken"
            ? describeFailure(smallest, result.step, result.violation)
            : `failed once, and not again:\n${describeFailure(program, "?", violation)}`
        )
      }
      const cell = (what: string) =>
        String(met.get(what) ?? 0).padStart(11)
      console.log(
        [
          `seed ${seed}, ${runs} programs, ${
            programs.reduce((n, { commands }) => n + commands.length, 0)
          } commands`,
          ["".padEnd(8), ...operations.map((operation) => operation.padStart(11))].join(""),
          ...faults.map((fault) =>
            [fault.padEnd(8), ...operations.map((operation) => cell(`${fault}|${operation}`))].join("")
          ),
          others.map((what) => `${what} ${met.get(what) ?? 0}`).join(", ")
        ].join("\n")
      )
      const cells = [...faults.flatMap((fault) => operations.map((operation) => `${fault}|${operation}`)), ...others]
      expect(cells.filter((what) => (met.get(what) ?? 0) < least)).toEqual([])
    }))
)
