/**
 * Runs random programs on the worlds of pool and cache, each on virtual turns, which bound it. `PATINOX_SEED` chooses other
 * programs, `PATINOX_DEEP=1` runs ten times as many.
 */
import { expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { ProgramCheck, ProgramRunner, TestLog } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import * as fc from "fast-check"
import type { Surroundings, World } from "./world.js"

interface Program {
  readonly settings: unknown
  readonly behaviour: Readonly<Record<string, ReadonlyArray<unknown>>>
  readonly commands: ReadonlyArray<{ readonly _tag: string }>
}

interface Promises<P extends Program> {
  /** `a pool`, `a cache`. */
  readonly what: string
  readonly runs: number
  readonly arbitrary: fc.Arbitrary<P>
  readonly makeWorld: (program: P, surroundings: Surroundings) => World<P>
  readonly operations: ReadonlyArray<string>
  readonly faults: ReadonlyArray<string>
  /** What else must have been met, so that the programs are worth something. */
  readonly others: ReadonlyArray<string>
  /** So many turns instead of all that it takes, between what comes before a command and the command. */
  readonly turnsBefore?: (command: P["commands"][number]) => number | undefined
  readonly opsBeforeYield?: (program: P) => number
}

interface Place<P extends Program> {
  step: string
  world: World<P> | undefined
}

const life = <P extends Program>(
  { makeWorld, turnsBefore }: Promises<P>,
  program: P,
  place: Place<P>,
  { advance, clock: { now, sleepers }, settle }: ProgramRunner.VirtualTime
) =>
  Effect.gen(function*() {
    const letGo = yield* Deferred.make<void>()
    const registryScope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(ResourceRegistry.layer, registryScope)
    const scope = yield* Scope.make()
    const exit = yield* Effect.exit(
      Effect.gen(function*() {
        const world = makeWorld(program, { registry: yield* ResourceRegistry.ResourceRegistry, now, letGo })
        place.world = world
        yield* Scope.extend(world.open, scope)
        yield* settle
        for (const [index, command] of program.commands.entries()) {
          place.step = `${index + 1}`
          yield* world.run(command, advance)
          const next = program.commands[index + 1]
          const turns = next && turnsBefore?.(next)
          if (turns !== undefined) {
            yield* Effect.repeatN(Effect.yieldNow(), turns)
            continue
          }
          yield* settle
          yield* world.check
        }
        place.step = "healing"
        yield* world.heal()
        yield* world.returnAll
        yield* settle
        yield* world.check
        // The longest pause after failures, and the longest time limit.
        yield* advance(6_000)
        yield* world.check
        place.step = "working again"
        yield* world.works
        yield* settle
        yield* advance(1_000)
        yield* world.check
        place.step = "the end"
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* settle
        yield* advance(60_000)
        if (Option.isNone(yield* Fiber.poll(closing))) throw new Error("the close never ends")
        yield* world.checkEnd
        if (sleepers() > 0) throw new Error("a timer is left")
      }).pipe(Effect.provide(context))
    )
    if (Exit.isFailure(exit)) {
      yield* Deferred.succeed(letGo, undefined)
      if (place.world !== undefined) yield* place.world.returnAll
    }
    const closing = yield* Effect.fork(
      Effect.andThen(Scope.close(scope, Exit.void), Scope.close(registryScope, Exit.void))
    )
    yield* advance(60_000)
    if (Exit.isSuccess(exit) && Option.isNone(yield* Fiber.poll(closing))) throw new Error("a scope never closes")
    return yield* exit
  })

/** How many turns a program may take, some ten times the most that one takes. */
const maxTurns = 200_000

type Met = ReadonlyMap<string, number>

const execute = <P extends Program>(promises: Promises<P>) => (program: P): ProgramCheck.Result<Met> => {
  const place: Place<P> = { step: "the start", world: undefined }
  const ops = promises.opsBeforeYield?.(program)
  const outcome = ProgramRunner.run((time) => {
    const running = Effect.provide(life(promises, program, place, time), TestLog.silent)
    return ops === undefined ? running : Effect.withMaxOpsBeforeYield(running, ops)
  }, { maxTurns })
  const violation = ProgramRunner.failureOf(outcome)
  return violation === undefined
    ? { _tag: "Held", value: place.world!.met }
    : { _tag: "Broken", step: place.step, violation }
}

const formatOf = (seed: number) => ({ behaviour, commands, settings }: Program): string =>
  [
    `seed ${seed}`,
    JSON.stringify(settings, (_, value) => value === Infinity ? "Infinity" : value),
    JSON.stringify(behaviour),
    ...commands.map((command, i) => `${i + 1}. ${JSON.stringify(command)}`)
  ].join("\n")

const table = ({ faults, operations, others }: Promises<any>, met: Met): ReadonlyArray<string> => {
  const row = (head: string, cells: ReadonlyArray<unknown>) =>
    [head.padEnd(8), ...cells.map((cell) => String(cell).padStart(11))].join("")
  return [
    row("", operations),
    ...faults.map((fault) => row(fault, operations.map((operation) => met.get(`${fault}|${operation}`) ?? 0))),
    others.map((what) => `${what} ${met.get(what) ?? 0}`).join(", ")
  ]
}

/** How often each fault must have met each operation, and how often each of the others must have been met. */
const least = 10

export const promises = <P extends Program>(options: Promises<P>): void => {
  const isDeep = process.env["PATINOX_DEEP"] === "1"
  const seed = Number(process.env["PATINOX_SEED"] ?? 20_240)
  const { arbitrary, faults, operations, others, what } = options
  const runs = isDeep ? 10 * options.runs : options.runs

  it.live(
    `${what} keeps its promises in ${runs} programs, and every fault meets every operation`,
    () =>
      Effect.gen(function*() {
        const programs = fc.sample(arbitrary, { numRuns: runs, seed })
        const results = yield* ProgramCheck.check(programs, { execute: execute(options), format: formatOf(seed) })
        const met = new Map<string, number>()
        for (const [name, times] of results.flatMap((result) => [...result])) {
          met.set(name, (met.get(name) ?? 0) + times)
        }
        const commands = programs.reduce((n, program) => n + program.commands.length, 0)
        console.log([`seed ${seed}, ${runs} programs, ${commands} commands`, ...table(options, met)].join("\n"))
        const cells = faults.flatMap((fault) => operations.map((operation) => `${fault}|${operation}`))
        expect([...cells, ...others].filter((name) => (met.get(name) ?? 0) < least)).toEqual([])
      }),
    isDeep ? 1_200_000 : 180_000
  )
}
