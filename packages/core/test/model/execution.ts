/** Runs one program against its model on a clock of its own, and finds the smallest program that fails alike. */
import { Program } from "@patinox/vitest"
import {
  type Clock,
  Deferred,
  type Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Scope,
  TestClock,
  TestContext
} from "effect"
import { ResourceMonitor, ResourceRegistry } from "../../src/index.js"
import * as Commands from "./commands.js"
import { check, checkEnd, checkQuiet } from "./invariants.js"
import { Model } from "./model.js"
import type { Violation } from "./state.js"
import type { Table } from "./table.js"
import { World } from "./world.js"

export type Result =
  | { readonly _tag: "Held"; readonly table: Table }
  | { readonly _tag: "Broken"; readonly step: string; readonly violation: unknown }

/** Lets everything that is ready have its turns. */
const settle = Effect.repeatN(Effect.yieldNow(), 24)

const finish = (world: World): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { program, registry } = world
    yield* Commands.run(world, { _tag: "Shutdown" }) as Effect.Effect<void>
    yield* settle
    yield* check(world)
    yield* TestClock.adjust(program.shutdownTimeoutMillis + 2)
    yield* settle
    yield* check(world)
    // The slowest acquire, and the release of what it gave.
    yield* TestClock.adjust(60_000)
    yield* settle
    yield* check(world)
    checkEnd(world, yield* registry.shutdown)
    for (const borrow of world.borrows) yield* Deferred.succeed(borrow, undefined)
    for (const resource of world.resources) yield* resource.letGo
    yield* Commands.closeAllScopes(world)
    yield* settle
    yield* checkQuiet(world)
  })

/** The test's clock, and how many sleep by it: it keeps what was called off until its time, and so cannot tell itself. */
const counting = (clock: Clock.Clock) => {
  let sleepers = 0
  const sleep = (duration: Duration.Duration) =>
    Effect.acquireUseRelease(
      Effect.sync(() => sleepers++),
      () => clock.sleep(duration),
      () => Effect.sync(() => sleepers--)
    )
  // Still a test's clock, which has more methods than a clock.
  const counted: Clock.Clock = Object.assign(Object.create(clock), { sleep })
  return { clock: counted, sleepers: () => sleepers }
}

const body = (program: Program.Program, at: { step: string; table: Table | undefined }) =>
  Effect.flatMap(Effect.clock, (testClock) => {
    const { clock, sleepers } = counting(testClock)
    return Effect.withClock(onClock(program, at, clock, sleepers), clock)
  })

const onClock = (
  program: Program.Program,
  at: { step: string; table: Table | undefined },
  clock: Clock.Clock,
  sleepers: () => number
) =>
  Effect.gen(function*() {
    const now = () => clock.unsafeCurrentTimeMillis()
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
    }).pipe(Layer.provide(ResourceMonitor.layer(monitor)))
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Layer.orDie(layer), scope)
    const exit = yield* Effect.exit(Effect.provide(
      Effect.gen(function*() {
        const opened = new World(program, yield* ResourceRegistry.ResourceRegistry, model, sleepers)
        world = opened
        for (const [index, command] of program.commands.entries()) {
          at.step = `${index + 1}. ${Program.formatCommand(command)}`
          yield* Commands.run(opened, command)
          yield* settle
          yield* check(opened)
        }
        at.step = "the end"
        yield* finish(opened)
      }),
      context
    ))
    // A program that broke off leaves cleanups to the registry, and those wait for the clock.
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    if (Exit.isFailure(exit)) yield* TestClock.adjust(program.shutdownTimeoutMillis + 2)
    yield* Fiber.join(closing)
    return yield* exit
  })

const limit = 10_000

export const execute = (program: Program.Program): Effect.Effect<Result> =>
  Effect.suspend(() => {
    const at: { step: string; table: Table | undefined } = { step: "the start", table: undefined }
    return body(program, at).pipe(
      Effect.provide(Layer.mergeAll(TestContext.TestContext, Logger.remove(Logger.defaultLogger))),
      Effect.sandbox,
      Effect.match({
        onSuccess: (): Result => ({ _tag: "Held", table: at.table! }),
        onFailure: (cause): Result => ({ _tag: "Broken", step: at.step, violation: cause })
      }),
      // A program that hangs for real is broken, too, and perhaps beyond interruption.
      Effect.disconnect,
      Effect.raceFirst(Effect.map(
        Effect.sleep(limit),
        (): Result => ({ _tag: "Broken", step: at.step, violation: new Error(`hung for ${limit} ms`) })
      ))
    )
  })

/** Leaves commands out, half of them at first, then fewer, as long as the program still fails. */
export const shrink = (program: Program.Program): Effect.Effect<Program.Program> =>
  Effect.gen(function*() {
    let smallest = program
    for (let size = Math.ceil(program.commands.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let start = 0; start < smallest.commands.length;) {
        const commands = smallest.commands.filter((_, i) => i < start || i >= start + size)
        const candidate = { ...smallest, commands }
        const result = yield* execute(candidate)
        if (result._tag === "Broken") smallest = candidate
        else start += size
      }
    }
    return smallest
  })
