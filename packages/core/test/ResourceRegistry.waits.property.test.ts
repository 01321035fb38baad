/**
 * Random graphs of cleanups that wait for each other (P8): in every way in which a cleanup can wait, at any concurrency, in
 * two registries and several scopes at once. No clock moves, so each ends by itself or not at all.
 */
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Scope, TestContext } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"

const seed = Number(process.env["PATINOX_SEED"] ?? 20_242)
const numRuns = process.env["PATINOX_DEEP"] === "1" ? 20_000 : 300

const ways = [
  "cleanup",
  "cleanup by id",
  "schedule and await",
  "shutdown",
  "awaitIdle",
  "forceCleanupAll",
  "cleanupWhere",
  "close its scope",
  "use of another whose release waits",
  "transfer to a closed scope",
  "make in a closed scope",
  "borrow while waiting",
  "retry a dead letter",
  "join a fiber that cleans up"
] as const

interface Wait {
  readonly way: (typeof ways)[number]
  readonly target: number
  readonly yields: number
  readonly beside: boolean
}

interface Plan {
  readonly concurrency: number
  /** Of each resource the waits in its release, whether it depends on the one before it, and where it lives. */
  readonly resources: ReadonlyArray<{
    readonly waits: ReadonlyArray<Wait>
    readonly depends: boolean
    readonly elsewhere: boolean
    readonly plain: boolean
  }>
  /** Which are cleaned up from outside, side by side. */
  readonly begun: ReadonlyArray<
    { readonly target: number; readonly way: "cleanup" | "close its scope" | "shutdown" | "schedule and await" }
  >
}

const plan: fc.Arbitrary<Plan> = fc.record({
  concurrency: fc.integer({ min: 1, max: 3 }),
  resources: fc.array(
    fc.record({
      waits: fc.array(
        fc.record({ way: fc.constantFrom(...ways), target: fc.nat(4), yields: fc.nat(3), beside: fc.boolean() }),
        { maxLength: 3 }
      ),
      depends: fc.boolean(),
      elsewhere: fc.boolean(),
      plain: fc.boolean()
    }),
    { minLength: 1, maxLength: 5 }
  ),
  begun: fc.array(
    fc.record({
      target: fc.nat(4),
      way: fc.constantFrom(
        "cleanup" as const,
        "close its scope" as const,
        "shutdown" as const,
        "schedule and await" as const
      )
    }),
    { minLength: 1, maxLength: 4 }
  )
})

const registryOf = (concurrency: number) =>
  Effect.map(
    Effect.orDie(Layer.build(ResourceRegistry.layerWith({ concurrency }))),
    Context.get(ResourceRegistry.ResourceRegistry)
  )

const run = ({ begun, concurrency, resources }: Plan) =>
  Effect.gen(function*() {
    const outer = yield* Scope.make()
    const home = yield* Scope.extend(registryOf(concurrency), outer)
    const away = yield* Scope.extend(registryOf(concurrency), outer)
    const closed = yield* Scope.make()
    yield* Scope.close(closed, Exit.void)
    const released = resources.map(() => 0)
    const guards: Array<ResourceGuard.ResourceGuard<void, unknown>> = []
    const scopes: Array<Scope.CloseableScope> = []
    const registries = resources.map(({ elsewhere }) => elsewhere ? away : home)

    const dead: Array<ResourceGuard.ResourceGuard<void, unknown>> = []
    const inside = <A, E, R>(
      registry: ResourceRegistry.Shape,
      effect: Effect.Effect<A, E, R>
    ) => Effect.provideService(effect, ResourceRegistry.ResourceRegistry, registry)

    const wait = (way: Wait["way"], index: number): Effect.Effect<unknown, unknown> =>
      Effect.suspend((): Effect.Effect<unknown, unknown> => {
        const guard = guards[index]
        const registry = registries[index]
        if (guard === undefined || registry === undefined) return Effect.void
        switch (way) {
          case "cleanup":
            return guard.cleanup
          case "cleanup by id":
            return registry.cleanup(guard.id)
          case "schedule and await":
            return Effect.flatMap(registry.schedule({ resource: guard }), (scheduled) => scheduled.await)
          case "shutdown":
            return registry.shutdown
          case "awaitIdle":
            return registry.awaitIdle
          case "forceCleanupAll":
            return registry.forceCleanupAll
          case "cleanupWhere":
            return registry.cleanupWhere(({ id }) => id === guard.id)
          case "close its scope":
            return Scope.close(scopes[index]!, Exit.void)
          case "use of another whose release waits":
            return inside(registry, ResourceGuard.use(Effect.void, () => Effect.exit(guard.cleanup))(() => Effect.void))
          case "transfer to a closed scope":
            return guard.transferTo(closed)
          case "make in a closed scope":
            return inside(
              registry,
              Scope.extend(ResourceGuard.make(Effect.void, () => Effect.exit(guard.cleanup)), closed)
            )
          case "borrow while waiting":
            return guard.use(() => Effect.exit(wait("cleanup", (index + 1) % guards.length)))
          case "retry a dead letter":
            return registry.deadLetters.retry(dead[index]!.id)
          case "join a fiber that cleans up":
            return Effect.flatMap(Effect.forkDaemon(Effect.exit(guard.cleanup)), Fiber.join)
        }
      })

    const release = (index: number): Effect.Effect<unknown> =>
      Effect.suspend(() => {
        released[index]!++
        return Effect.forEach(resources[index]!.waits, ({ beside, target, way, yields }): Effect.Effect<unknown> => {
          const one = Effect.andThen(
            Effect.repeatN(Effect.yieldNow(), yields),
            Effect.exit(wait(way, target % resources.length))
          )
          return beside
            ? Effect.zip(one, Effect.exit(wait("cleanup", target % resources.length)), { concurrent: true })
            : one
        })
      })

    for (const [index, { depends, plain }] of resources.entries()) {
      const scope = yield* plain ? Scope.make() : ResourceScope.make()
      scopes.push(scope)
      // Its release fails when it is first run, and waits when it is tried again.
      const letter = yield* inside(
        registries[index]!,
        Scope.extend(
          ResourceGuard.make(
            Effect.void,
            (() => {
              let tried = 0
              return () => tried++ === 0 ? Effect.fail("no" as const) : Effect.exit(wait("cleanup", index))
            })(),
            { recovery: { strategy: () => "Fail" } }
          ),
          scope
        )
      )
      yield* Effect.exit(letter.cleanup)
      dead.push(letter)
      const dependsOn = depends && index > 0 && registries[index] === registries[index - 1]
        ? [guards[index - 1]!.id]
        : []
      const acquire = ResourceGuard.make(Effect.void, () => release(index), { typeName: String(index), dependsOn })
      guards.push(yield* Effect.orDie(inside(registries[index]!, Scope.extend(acquire, scope))))
    }

    const ends = yield* Effect.forEach(begun, ({ target, way }) =>
      Effect.gen(function*() {
        const end = yield* Deferred.make<void>()
        yield* Effect.forkDaemon(
          Effect.andThen(Effect.exit(wait(way, target % resources.length)), Deferred.succeed(end, undefined))
        )
        return end
      }))
    const settled = Effect.gen(function*() {
      for (const end of ends) if (!(yield* Deferred.isDone(end))) return false
      for (const registry of [home, away]) {
        const { cleaning, waiting } = yield* registry.accounts
        if (cleaning + waiting > 0) return false
      }
      return true
    })
    let turns = 0
    while (!(yield* settled) && turns++ < 3_000) yield* Effect.yieldNow()
    const hung = !(yield* settled)
    const states = yield* Effect.forEach(guards, (guard) => guard.state)
    const soFar = [...released]
    // What is left is cleaned up by the end of its registry, and hangs no more than the rest.
    const closing = yield* Effect.forkDaemon(Scope.close(outer, Exit.void))
    for (turns = 0; (yield* Fiber.poll(closing))._tag === "None" && turns < 3_000; turns++) yield* Effect.yieldNow()
    const left = yield* Fiber.poll(closing)
    return { hung: hung || left._tag === "None", released: soFar, inTheEnd: released, states }
  })

describe("cleanups that wait for each other", () => {
  it(
    `all end, each released at most once, in ${numRuns} random graphs of waits (P1, P8)`,
    { timeout: 240_000 },
    () =>
      fc.assert(
        fc.asyncProperty(plan, async (plan) => {
          const { hung, inTheEnd, released, states } = await Effect.runPromise(
            run(plan).pipe(Effect.provide(TestContext.TestContext), Effect.provide(Logger.remove(Logger.defaultLogger)))
          )
          expect(hung).toBe(false)
          for (const [index, state] of states.entries()) {
            expect(released[index]).toBe(state === "cleaned" ? 1 : 0)
            expect(["cleaned", "inUse"]).toContain(state)
            expect(inTheEnd[index]).toBe(1)
          }
        }),
        { seed, numRuns }
      )
  )
})
