import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, FiberRef, Runtime, Scope } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"

/** A value that knows what became of it. */
class Value {
  released = 0
  isTaken = false
  isReplaced = false

  get isOver(): boolean {
    return this.released > 0 || this.isTaken || this.isReplaced
  }
}

class World {
  readonly values: Array<Value> = []
  /** What a user's function was given that it should not have been. */
  readonly wrong: Array<string> = []
  failures = 1

  constructor(
    readonly r: ResourceRegistry.Shape,
    readonly scope: Scope.CloseableScope,
    readonly other: Scope.CloseableScope,
    readonly closed: Scope.CloseableScope
  ) {}

  readonly open = Effect.sync(() => {
    const value = new Value()
    this.values.push(value)
    return value
  })

  readonly release = (value: Value) =>
    Effect.sync(() => {
      if (value === undefined) this.wrong.push("released nothing")
      else value.released++
    })

  /** What uses a value looks at it when it is called, and not a step later. */
  readonly given = (value: Value): Effect.Effect<void> => {
    this.look(value)
    return Effect.void
  }

  look(value: Value): void {
    if (!(value instanceof Value) || value.isOver) this.wrong.push(`given ${JSON.stringify(value)}`)
  }

  readonly replace = (value: Value): Value => {
    this.look(value)
    const next = new Value()
    this.values.push(next)
    if (value instanceof Value) value.isReplaced = true
    return next
  }
}

interface Stage {
  readonly world: World
  readonly guard: ResourceGuard.ResourceGuard<Value>
  readonly token: ResourceGuard.Refreshable<Value>
  readonly unscoped: ResourceGuard.UnscopedGuard<Value>
  /** Of a cleanup that failed, and will succeed. */
  readonly letter: ResourceGuard.ResourceGuard<Value, string>["id"]
}

type Act = (stage: Stage) => Effect.Effect<unknown, unknown, ResourceRegistry.ResourceRegistry | Scope.Scope>

const taken = (value: Value) =>
  Effect.sync(() => {
    value.isTaken = true
  })

const guards: Readonly<Record<string, Act>> = {
  "guard.value": ({ guard, world }) =>
    Effect.map(guard.value, (value) => {
      if (!(value instanceof Value)) world.wrong.push("read nothing")
    }),
  "guard.state": ({ guard }) => guard.state,
  "guard.use": ({ guard, world }) => guard.use(world.given),
  "guard.update": ({ guard, world }) => guard.update(world.replace),
  "guard.cleanup": ({ guard }) => guard.cleanup,
  "guard.disarm": ({ guard }) => Effect.flatMap(guard.disarm, taken),
  "guard.transferTo an open scope": ({ guard, world }) => guard.transferTo(world.other),
  "guard.transferTo a closed scope": ({ guard, world }) => guard.transferTo(world.closed),
  "toAsyncDisposable": ({ guard }) =>
    Effect.promise(() => ResourceGuard.toAsyncDisposable(guard)[Symbol.asyncDispose]()),
  "schedule a guard": ({ guard, world }) => world.r.schedule(guard),
  "schedule a guard and cancel": ({ guard, world }) =>
    Effect.flatMap(world.r.schedule({ resource: guard, priority: "Low" }), (asked) => asked.cancel),
  "schedule a cleanup of one's own and cancel": ({ world }) =>
    Effect.flatMap(world.r.schedule({ cleanup: Effect.void }), (asked) => asked.cancel),
  "schedule and await": ({ guard, world }) => Effect.flatMap(world.r.schedule(guard), (asked) => asked.await),
  "cleanup by id": ({ guard, world }) => world.r.cleanup(guard.id),
  "register and unregister": ({ world }) =>
    Effect.flatMap(world.r.register(() => Effect.void), (id) => world.r.unregister(id)),
  "cleanupWhere": ({ world }) => world.r.cleanupWhere(() => true),
  "forceCleanupAll": ({ world }) => world.r.forceCleanupAll,
  "shutdown": ({ world }) => world.r.shutdown,
  "awaitIdle": ({ world }) => world.r.awaitIdle,
  "deadLetters.retry": ({ letter, world }) => world.r.deadLetters.retry(letter),
  "deadLetters.drop": ({ letter, world }) => world.r.deadLetters.drop(letter),
  "make": ({ world }) => ResourceGuard.make(world.open, world.release),
  "make that depends on it": ({ guard, world }) =>
    ResourceGuard.make(world.open, world.release, { dependsOn: [guard] }),
  "ResourceGuard.use": ({ world }) => ResourceGuard.use(world.open, world.release)(world.given),
  "refreshable.use": ({ token, world }) => token.use(world.given),
  "refreshable.get": ({ token }) => Effect.scoped(Effect.asVoid(token.get)),
  "refreshable.value": ({ token, world }) =>
    Effect.map(token.value, (value) => {
      if (!(value instanceof Value)) world.wrong.push("read nothing")
    }),
  "refreshable.refresh": ({ token }) => token.refresh,
  "unscoped.use": ({ unscoped, world }) => unscoped.use(world.given),
  "unscoped.cleanup": ({ unscoped }) => unscoped.cleanup
}

const close = (scope: Scope.CloseableScope) => Scope.close(scope, Exit.void)

const disturbances: Readonly<Record<string, Act>> = {
  "cleanup": ({ guard, token, unscoped, world }) =>
    Effect.all([Effect.exit(guard.cleanup), Effect.exit(world.r.cleanup(token.id)), Effect.exit(unscoped.cleanup)]),
  "disarm": ({ guard }) => Effect.flatMap(guard.disarm, taken),
  "unregister": ({ guard, world }) =>
    Effect.flatMap(guard.value, (value) => Effect.andThen(world.r.unregister(guard.id), taken(value))),
  "update": ({ guard, world }) => guard.update(world.replace),
  "transfer": ({ guard, world }) => guard.transferTo(world.other),
  "schedule": ({ guard, token, world }) => Effect.all([world.r.schedule(guard), world.r.schedule(token)]),
  "schedule and cancel": ({ guard, world }) => Effect.flatMap(world.r.schedule(guard), (asked) => asked.cancel),
  "force": ({ world }) => world.r.forceCleanupAll,
  "close of the scope": ({ world }) => close(world.scope),
  "close of the other scope": ({ world }) => close(world.other),
  "refresh": ({ token }) => token.refresh,
  "retry": ({ letter, world }) => world.r.deadLetters.retry(letter),
  "drop": ({ letter, world }) => world.r.deadLetters.drop(letter),
  "shutdown": ({ world }) => world.r.shutdown
}

/**
 * Where the first yield comes: Effect's scheduler yields once a fiber has used up its budget of operations, and each step
 * before the act takes two. Together they meet every operation of an act.
 */
const yields = [10, 11].flatMap((budget) => Array.from({ length: 6 }, (_, before) => ({ budget, before })))

const steps = (count: number): Effect.Effect<void> => {
  let effect: Effect.Effect<void> = Effect.void
  for (let i = 0; i < count; i++) effect = Effect.flatMap(effect, () => Effect.void)
  return effect
}

const stageOf = (world: World) =>
  Effect.gen(function*() {
    const release = (value: Value) => world.failures-- > 0 ? Effect.fail("refused") : world.release(value)
    // With a name, as to look for one in a stack, to tell of the failure, takes as long as the rest.
    const failing = yield* ResourceGuard.make(world.open, release, { typeName: "failing" })
    yield* Effect.exit(failing.cleanup)
    return {
      world,
      guard: yield* ResourceGuard.make(world.open, world.release),
      token: yield* ResourceGuard.refreshable(world.open, world.release),
      unscoped: yield* ResourceGuard.makeUnscoped(world.open, world.release),
      letter: failing.id
    }
  })

/**
 * Runs the act up to its first yield after `before` steps, lets the disturbance happen there, or interrupts it where
 * there is none, and then lets both end.
 */
const meet = (act: Act, disturb: Act | undefined, { before, budget }: typeof yields[number]) =>
  Effect.gen(function*() {
    const r = yield* ResourceRegistry.ResourceRegistry
    const [scope, other, closed] = yield* Effect.all([Scope.make(), Scope.make(), Scope.make()])
    yield* close(closed)
    const world = new World(r, scope, other, closed)
    const stage = yield* Scope.extend(stageOf(world), scope)
    const runtime = yield* Effect.runtime<ResourceRegistry.ResourceRegistry>()
    // Runs in this turn, up to its first yield, and with nothing before the act but the steps.
    const acting = Runtime.runFork(
      runtime.pipe(
        Runtime.setFiberRef(FiberRef.currentMaxOpsBeforeYield, budget),
        Runtime.provideService(Scope.Scope, scope)
      ),
      Effect.flatMap(steps(before), () => act(stage))
    )
    yield* disturb === undefined ? Fiber.interruptFork(acting) : Effect.exit(Scope.extend(disturb(stage), other))
    yield* Fiber.await(acting)
    yield* close(scope)
    yield* close(other)
    yield* r.shutdown
    const { abandoned, cleaned, disarmed, failed, live, recovered, registered } = yield* r.accounts
    expect(registered).toBe(live + cleaned + recovered + failed + abandoned + disarmed)
    expect({ live, wrong: world.wrong }).toEqual({ live: 0, wrong: [] })
    const lost = world.values.filter((value) => !value.isOver).length
    // The dead letter's value, unless its retry has released it.
    expect(lost).toBe(failed)
    expect(world.values.filter((value) => value.released > 1 || (value.released === 1 && value.isTaken))).toEqual([])
  }).pipe(Effect.provide(ResourceRegistry.layer))

describe("to look at a resource and to change it are one step", () => {
  for (const [name, act] of Object.entries(guards)) {
    it.effect(`${name}: whatever happens at a yield inside of it`, () =>
      Effect.forEach(
        [undefined, ...Object.values(disturbances)],
        (disturb) =>
          Effect.andThen(
            // The runner of the tests gets a turn.
            Effect.promise(() => new Promise(setImmediate)),
            Effect.forEach(yields, (at) => meet(act, disturb, at), { discard: true })
          ),
        { discard: true }
      ))
  }
})

describe("the function of an update that ends the guard itself", () => {
  const ends: Readonly<
    Record<string, (guard: ResourceGuard.ResourceGuard<string>) => Effect.Effect<unknown, unknown>>
  > = {
    "cleanup": (guard) => guard.cleanup,
    "disarm": (guard) => guard.disarm
  }
  for (const [name, end] of Object.entries(ends)) {
    it.effect(`an update's function that ends the guard itself by its ${name} puts nothing into it, and is told that it is gone`, () =>
      Effect.gen(function*() {
        const guard = yield* ResourceGuard.make(Effect.succeed("old"), () => Effect.void)
        const updating = guard.update(() => {
          Effect.runSync(end(guard))
          return "new"
        })
        expect(yield* Effect.flip(updating)).toMatchObject({ _tag: "AlreadyCleanedUp" })
        const { internal } = yield* ResourceRegistry.ResourceRegistry
        expect((internal as { readonly entries: Map<string, unknown> }).entries.size).toBe(0)
        expect(yield* Effect.flip(guard.value)).toMatchObject({ _tag: "AlreadyCleanedUp" })
      }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))
  }
})

describe("a value that was disarmed", () => {
  it.effect("a value that was disarmed is had by who disarmed it, wherever that is interrupted", () =>
    Effect.gen(function*() {
      const lost: Array<string> = []
      for (let operations = 10; operations < 30; operations++) {
        for (let before = 0; before < operations; before++) {
          yield* Effect.scoped(Effect.gen(function*() {
            let isTaken = false
            const guard = yield* ResourceGuard.make(Effect.succeed("value"), () => Effect.void)
            const disarming = yield* Effect.suspend(() => steps(before)).pipe(
              Effect.andThen(guard.disarm),
              Effect.map(() => {
                isTaken = true
              }),
              Effect.withMaxOpsBeforeYield(operations),
              Effect.fork
            )
            yield* Effect.yieldNow()
            yield* Fiber.interrupt(disarming)
            if ((yield* guard.state) === "disarmed" && !isTaken) lost.push(`${before} of ${operations}`)
          }))
        }
      }
      expect(lost).toEqual([])
    }).pipe(Effect.provide(ResourceRegistry.layer)))
})
