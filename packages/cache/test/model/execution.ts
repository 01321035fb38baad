/** Runs one program on virtual turns, which bound it, and finds the smallest program that fails alike. */
import { ResourceRegistry } from "@patinox/core"
import { ProgramRunner } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import type { Program } from "./program.js"
import { World } from "./world.js"

export type Result =
  | { readonly _tag: "Held"; readonly met: ReadonlyMap<string, number> }
  | { readonly _tag: "Broken"; readonly step: string; readonly violation: unknown }

const body = (
  program: Program,
  at: { step: string; world: World | undefined },
  { advance, clock: { now, sleepers }, settle }: ProgramRunner.VirtualTime
) => {
  const { opsBeforeYield } = program.settings
  const life = Effect.gen(function*() {
    const letGo = yield* Deferred.make<void>()
    const registryScope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(ResourceRegistry.layer, registryScope)
    const cacheScope = yield* Scope.make()
    const exit = yield* Effect.exit(
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry.ResourceRegistry
        const world = new World(program, registry, now, letGo)
        at.world = world
        yield* Scope.extend(world.open, cacheScope)
        yield* settle
        for (const [index, command] of program.commands.entries()) {
          at.step = `${index + 1}`
          yield* world.run(command, advance)
          const next = program.commands[index + 1]
          if (next !== undefined && "turnsBefore" in next && next.turnsBefore !== undefined) {
            yield* Effect.repeatN(Effect.yieldNow(), next.turnsBefore)
            continue
          }
          yield* settle
          yield* world.check
        }
        at.step = "healing"
        yield* world.heal
        yield* world.returnAll
        yield* settle
        yield* world.check
        // The longest time limits of a caller and of a release.
        yield* advance(6_000)
        yield* world.check
        at.step = "asking again"
        yield* world.works
        yield* settle
        yield* advance(1_000)
        yield* world.check
        at.step = "the end"
        const closing = yield* Effect.fork(Scope.close(cacheScope, Exit.void))
        yield* settle
        yield* advance(60_000)
        yield* Fiber.join(closing)
        yield* world.checkEnd
        if (sleepers() > 0) throw new Error("a timer is left")
      }).pipe(Effect.provide(context))
    )
    if (Exit.isFailure(exit)) {
      yield* Deferred.succeed(letGo, undefined)
      if (at.world !== undefined) yield* at.world.returnAll
    }
    const closing = yield* Effect.fork(
      Effect.andThen(Scope.close(cacheScope, Exit.void), Scope.close(registryScope, Exit.void))
    )
    if (Exit.isFailure(exit)) yield* advance(60_000)
    yield* Fiber.join(closing)
    return yield* exit
  })
  return Effect.withMaxOpsBeforeYield(life, opsBeforeYield)
}

/** How many turns a program may take, some ten times the most that one takes. */
const maxTurns = 200_000

const executeNow = (program: Program): Result => {
  const at: { step: string; world: World | undefined } = { step: "the start", world: undefined }
  const outcome = ProgramRunner.run(
    (time) => Effect.provide(body(program, at, time), Logger.remove(Logger.defaultLogger)),
    { maxTurns }
  )
  const failure = ProgramRunner.failureOf(outcome)
  return failure === undefined
    ? { _tag: "Held", met: at.world!.met }
    : { _tag: "Broken", step: at.step, violation: failure }
}

/** In one turn of the event loop, which others have their turns before. */
export const execute = (program: Program): Effect.Effect<Result> =>
  Effect.delay(Effect.sync(() => executeNow(program)), 0)

/** The smallest program that still fails, as far as leaving commands out finds it. */
export const shrink = (program: Program): Effect.Effect<Program> =>
  Effect.sync(() => ({
    ...program,
    commands: ProgramRunner.shrink(
      program.commands,
      (commands) => executeNow({ ...program, commands })._tag === "Broken"
    )
  }))
