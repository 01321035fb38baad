/** Runs one program on a clock of its own, and finds the smallest program that fails alike. */
import { ResourceRegistry } from "@patinox/core"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { virtualClock } from "../virtualClock.js"
import type { Program } from "./program.js"
import { World } from "./world.js"

export type Result =
  | { readonly _tag: "Held"; readonly met: ReadonlyMap<string, number> }
  | { readonly _tag: "Broken"; readonly step: string; readonly violation: unknown }

/** Lets everything that is ready have its turns; the shorter they are, the more of them it takes. */
const settling = (opsBeforeYield: number) => Effect.repeatN(Effect.yieldNow(), opsBeforeYield < 100 ? 400 : 40)

const body = (program: Program, at: { step: string; world: World | undefined }) => {
  const { opsBeforeYield } = program.settings
  const settle = settling(opsBeforeYield)
  const { clock, now, pass, sleepers } = virtualClock()
  const advance = (millis: number) => pass(millis, settle)
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
  return Effect.withMaxOpsBeforeYield(Effect.withClock(life, clock), opsBeforeYield)
}

const limit = 20_000

export const execute = (program: Program): Effect.Effect<Result> =>
  Effect.suspend(() => {
    const at: { step: string; world: World | undefined } = { step: "the start", world: undefined }
    return body(program, at).pipe(
      Effect.provide(Logger.remove(Logger.defaultLogger)),
      Effect.sandbox,
      Effect.match({
        onSuccess: (): Result => ({ _tag: "Held", met: at.world!.met }),
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
export const shrink = (program: Program): Effect.Effect<Program> =>
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
