/** Runs one program against its model on a clock of its own, and finds the smallest program that fails alike. */
import { Program, ProgramRunner, Untellable, type VirtualClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Layer, Logger, Scope } from "effect"
import { ResourceMonitor, ResourceRegistry } from "../../src/index.js"
import * as Commands from "./commands.js"
import { check, checkEnd, checkQuiet, checkTold } from "./invariants.js"
import { Model } from "./model.js"
import type { Violation } from "./state.js"
import type { Table } from "./table.js"
import { World } from "./world.js"

export type Result =
  | { readonly _tag: "Held"; readonly table: Table; readonly turns: number }
  | { readonly _tag: "Broken"; readonly step: string; readonly violation: unknown }

interface Time {
  readonly clock: VirtualClock.VirtualClock
  /** Lets everything that is ready have its turns. */
  readonly settle: Effect.Effect<void>
  readonly advance: (millis: number) => Effect.Effect<void>
}

const finish = (world: World, { advance, settle }: Time): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { program, registry } = world
    yield* Commands.run(world, { _tag: "Shutdown" }) as Effect.Effect<void>
    yield* settle
    yield* check(world)
    yield* advance(program.shutdownTimeoutMillis + 2)
    yield* check(world)
    // The slowest acquire, and the release of what it gave.
    yield* advance(60_000)
    yield* check(world)
    checkEnd(world, yield* registry.shutdown)
    for (const borrow of world.borrows) yield* Deferred.succeed(borrow, undefined)
    for (const resource of world.resources) yield* resource.letGo
    yield* Commands.closeAllScopes(world)
    yield* settle
    yield* checkQuiet(world)
  })

/** What the program's cleanups are told to: nobody, loggers that make text of it all, or ones that throw whatever comes. */
export const surroundings = ["silent", "rendering", "throwing"] as const
export type Surroundings = typeof surroundings[number]

/** Cleanups that failed for good, by what the log's text says of them. */
class Lines {
  readonly failed = new Set<string>()

  readonly logger = Logger.zipRight(
    Logger.zipRight(Logger.logfmtLogger, Logger.jsonLogger),
    Logger.map(Logger.stringLogger, (text) => {
      const name = /level=ERROR.*?\b(g\d+)\b/.exec(text)?.[1]
      if (name !== undefined) this.failed.add(name)
    })
  )
}

const throwing = {
  logger: Logger.make(() => {
    throw Untellable.error()
  }),
  monitor: ResourceMonitor.make(() => {
    throw Untellable.error()
  })
}

const body = (
  program: Program.Program,
  at: { step: string; table: Table | undefined },
  time: Time,
  around: Surroundings,
  told: ReadonlySet<string>
) =>
  Effect.gen(function*() {
    const { advance, clock: { now, sleepers }, settle } = time
    const model: Model = new Model(program, now, ({ name }) => {
      const made = world?.made.find((one) => one.model.name === name)
      return made === undefined ? undefined : Effect.runSync(made.guard.state)
    })
    at.table = model.table
    let world: World | undefined
    const monitor = ResourceMonitor.make((event) =>
      Effect.sync(() => {
        try {
          if (world?.violation === undefined) model.event(event)
        } catch (violation) {
          if (world !== undefined) world.violation ??= violation as Violation
        }
      })
    )
    const layer = ResourceRegistry.layerWith({
      concurrency: program.concurrency,
      shutdownTimeout: program.shutdownTimeoutMillis,
      slowAfter: program.slowAfterMillis
    }).pipe(
      Layer.provide(ResourceMonitor.layer(
        around === "throwing" ? ResourceMonitor.all([throwing.monitor, monitor]) : monitor
      ))
    )
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Layer.orDie(layer), scope)
    yield* Effect.provide(
      Effect.gen(function*() {
        const opened = new World(program, yield* ResourceRegistry.ResourceRegistry, model, { advance, sleepers })
        world = opened
        for (const [index, command] of program.commands.entries()) {
          at.step = `${index + 1}. ${Program.formatCommand(command)}`
          yield* Commands.run(opened, command)
          yield* settle
          yield* check(opened)
        }
        at.step = "the end"
        yield* finish(opened, time)
      }),
      context
    )
    yield* Scope.close(scope, Exit.void)
    if (around === "rendering") checkTold(model, told)
  })

/** A program takes some 130 turns, the longest of ten thousand 400. */
const maxTurns = 20_000

export const execute = (program: Program.Program, around: Surroundings): Result => {
  const at: { step: string; table: Table | undefined } = { step: "the start", table: undefined }
  const lines = new Lines()
  const loggers = {
    silent: Logger.remove(Logger.defaultLogger),
    rendering: Logger.replace(Logger.defaultLogger, lines.logger),
    throwing: Logger.replace(Logger.defaultLogger, throwing.logger)
  }
  const outcome = ProgramRunner.run(
    (time) => Effect.provide(body(program, at, time, around, lines.failed), loggers[around]),
    { maxTurns }
  )
  const failure = ProgramRunner.failureOf(outcome)
  return failure === undefined
    ? { _tag: "Held", table: at.table!, turns: outcome.turns }
    : { _tag: "Broken", step: at.step, violation: failure }
}

/** The smallest program that still fails, as far as leaving commands out finds it. */
export const shrink = (program: Program.Program, around: Surroundings): Program.Program => ({
  ...program,
  commands: ProgramRunner.shrink(
    program.commands,
    (commands) => execute({ ...program, commands }, around)._tag === "Broken"
  )
})
