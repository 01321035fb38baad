/**
 * Random programs on a plain scope and on a scope of ours: as long as nothing goes wrong, what they do, in which order,
 * and what they end with is the same. `PATINOX_SEED` chooses other programs.
 * Shows `FinalizerKeys`, `FinalizerWorker` and `ManagedScope`.
 */
import {
  Cause,
  Context,
  Deferred,
  Effect,
  ExecutionStrategy,
  Exit,
  FiberHandle,
  FiberMap,
  FiberRef,
  FiberSet,
  Layer,
  Option,
  Queue,
  Runtime,
  Scope,
  STM,
  Stream,
  TReentrantLock,
  TRef
} from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ResourceScope } from "../src/index.js"

const seed = Number(process.env["PATINOX_SEED"] ?? 20_240)
const numRuns = process.env["PATINOX_DEEP"] === "1" ? 10_000 : 1_000

const finalizers = [
  "addFinalizer",
  "acquireRelease",
  "acquire that sets",
  "interruptible",
  "raw",
  "stream",
  "span",
  "locally",
  "lock on STM",
  "TReentrantLock",
  "semaphore",
  "queue",
  "memoized layer"
] as const
const forks = ["forkScoped", "forkIn", "runFork", "FiberSet", "FiberMap", "FiberHandle"] as const

type Step =
  | {
    readonly _tag: "add"
    readonly how: (typeof finalizers)[number]
    readonly yields: number
  }
  | { readonly _tag: "fork"; readonly how: (typeof forks)[number]; readonly ends: boolean }
  | {
    readonly _tag: "child"
    readonly strategy: Strategy
    readonly steps: ReadonlyArray<Step>
    readonly closes: boolean
  }
  | { readonly _tag: "scoped"; readonly steps: ReadonlyArray<Step> }
  | { readonly _tag: "layer"; readonly layer: LayerPlan }

type Strategy = "sequential" | "parallel" | "parallelN"

/** Parts with one number are the same layer, built once. */
type LayerPlan =
  | { readonly _tag: "leaf"; readonly part: number }
  | { readonly _tag: "provide" | "provideMerge" | "merge"; readonly left: LayerPlan; readonly right: LayerPlan }
  | { readonly _tag: "fresh" | "catchAll"; readonly left: LayerPlan }

interface Plan {
  readonly strategy: Strategy
  readonly steps: ReadonlyArray<Step>
  readonly ends: "succeeds" | "fails" | "dies" | "is interrupted"
}

const { layer: layerPlan } = fc.letrec<{ layer: LayerPlan }>((tie) => ({
  layer: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.record({ _tag: fc.constant("leaf" as const), part: fc.nat(3) }),
    fc.record({
      _tag: fc.constantFrom("provide" as const, "provideMerge" as const, "merge" as const),
      left: tie("layer"),
      right: tie("layer")
    }),
    fc.record({ _tag: fc.constantFrom("fresh" as const, "catchAll" as const), left: tie("layer") })
  )
}))

const strategy = fc.constantFrom<Strategy>("sequential", "sequential", "parallel", "parallelN")
const { steps } = fc.letrec<{ steps: ReadonlyArray<Step>; step: Step }>((tie) => ({
  steps: fc.array(tie("step"), { maxLength: 6 }),
  step: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    {
      weight: 5,
      arbitrary: fc.record({
        _tag: fc.constant("add" as const),
        how: fc.constantFrom(...finalizers),
        yields: fc.nat(2)
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        _tag: fc.constant("fork" as const),
        how: fc.constantFrom(...forks),
        ends: fc.boolean()
      })
    },
    { weight: 1, arbitrary: fc.record({ _tag: fc.constant("layer" as const), layer: layerPlan }) },
    {
      weight: 1,
      arbitrary: fc.record({ _tag: fc.constant("child" as const), strategy, steps: tie("steps"), closes: fc.boolean() })
    },
    { weight: 1, arbitrary: fc.record({ _tag: fc.constant("scoped" as const), steps: tie("steps") }) }
  )
}))

const plan: fc.Arbitrary<Plan> = fc.record({
  strategy,
  steps,
  ends: fc.constantFrom("succeeds" as const, "fails" as const, "dies" as const, "is interrupted" as const)
})

const strategies = {
  sequential: ExecutionStrategy.sequential,
  parallel: ExecutionStrategy.parallel,
  parallelN: ExecutionStrategy.parallelN(2)
}

const strategyOf = (strategy: Strategy): ExecutionStrategy.ExecutionStrategy => strategies[strategy]

const exitName = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? "success" : Cause.pretty(exit.cause).split("\n")[0]!

class Parts extends Context.Tag("Parts")<Parts, ReadonlyArray<number>>() {}

interface Kind {
  readonly make: (strategy: ExecutionStrategy.ExecutionStrategy) => Effect.Effect<Scope.CloseableScope>
  readonly build: <A, E, R>(
    layer: Layer.Layer<A, E, R>,
    scope: Scope.Scope
  ) => Effect.Effect<Context.Context<A>, E, R>
}

const plain: Kind = { make: Scope.make, build: Layer.buildWithScope }
const ours: Kind = {
  make: (strategy) => ResourceScope.make({ strategy }),
  build: (layer, scope) => Scope.extend(ResourceScope.build(layer), scope)
}

/** Carries a plan out, and tells what happened. */
const run = ({ build, make }: Kind, { ends, steps, strategy }: Plan) =>
  Effect.gen(function*() {
    const log: Array<string> = []
    let names = 0
    const setting = yield* FiberRef.make("outer")
    const release = (name: string, yields: number) => (exit: Exit.Exit<unknown, unknown>) =>
      Effect.gen(function*() {
        for (let i = 0; i < yields; i++) yield* Effect.yieldNow()
        log.push(`released ${name} with ${exitName(exit)}, setting ${yield* FiberRef.get(setting)}`)
      })

    const parts = [0, 1, 2, 3].map((part) =>
      Layer.scoped(
        Parts,
        Effect.gen(function*() {
          const built = Context.getOption(yield* Effect.context<never>(), Parts)
          const name = `part ${part} on [${built._tag === "Some" ? built.value.join() : ""}]`
          log.push(`acquired ${name}`)
          yield* Effect.addFinalizer(release(name, part % 2))
          return [...(built._tag === "Some" ? built.value : []), part]
        })
      )
    )
    const layerOf = (plan: LayerPlan): Layer.Layer<Parts> => {
      switch (plan._tag) {
        case "leaf":
          return parts[plan.part]!
        case "provide":
          return Layer.provide(layerOf(plan.left), layerOf(plan.right))
        case "provideMerge":
          return Layer.provideMerge(layerOf(plan.left), layerOf(plan.right))
        case "merge":
          return Layer.merge(layerOf(plan.left), layerOf(plan.right))
        case "fresh":
          return Layer.fresh(layerOf(plan.left))
        case "catchAll":
          // Fresh: a part that is shared with one which fails is built twice by Effect, and once by us.
          return Layer.catchAll(
            Layer.provide(Layer.fail("no"), Layer.fresh(layerOf(plan.left))),
            () => layerOf(plan.left)
          )
      }
    }

    const noteFree = (name: string, isFree: Effect.Effect<boolean>) =>
      Effect.map(isFree, (free) => {
        log.push(`lock ${name} is ${free ? "free" : "held"}`)
      })

    /** Who holds a lock is known by the fiber's id: side by side, a plain scope releases under other ones. */
    const lock = (
      how: "lock on STM" | "TReentrantLock" | "semaphore",
      name: string,
      scope: Scope.Scope,
      yields: number
    ): Effect.Effect<void> =>
      Effect.gen(function*() {
        const yielding = Effect.forEach(Array.from({ length: yields }), () => Effect.yieldNow(), { discard: true })
        switch (how) {
          case "lock on STM": {
            const owner = yield* STM.commit(TRef.make(""))
            const take = Effect.fiberIdWith((id) => STM.commit(TRef.set(owner, String(id))))
            const giveBack = Effect.fiberIdWith((id) =>
              STM.commit(TRef.update(owner, (held) => held === String(id) ? "" : held))
            )
            yield* Scope.addFinalizer(
              scope,
              noteFree(name, Effect.map(STM.commit(TRef.get(owner)), (held) => held === ""))
            )
            yield* Scope.extend(Effect.acquireRelease(take, () => Effect.andThen(yielding, giveBack)), scope)
            return
          }
          case "TReentrantLock": {
            const held = yield* TReentrantLock.make
            yield* Scope.addFinalizer(
              scope,
              noteFree(name, Effect.map(TReentrantLock.locked(held), (locked) => !locked))
            )
            yield* Scope.extend(TReentrantLock.writeLock(held), scope)
            yield* Scope.addFinalizer(scope, yielding)
            yield* Scope.extend(TReentrantLock.readLock(held), scope)
            return
          }
          case "semaphore": {
            const semaphore = yield* Effect.makeSemaphore(1)
            yield* Scope.addFinalizer(
              scope,
              noteFree(name, Effect.map(semaphore.withPermitsIfAvailable(1)(Effect.void), Option.isSome))
            )
            yield* Scope.extend(
              Effect.acquireRelease(semaphore.take(1), () => Effect.andThen(yielding, semaphore.release(1))),
              scope
            )
          }
        }
      })

    const forkInto = (
      how: (typeof forks)[number],
      fiber: Effect.Effect<void>,
      scope: Scope.Scope
    ): Effect.Effect<unknown> => {
      switch (how) {
        case "forkIn":
          return Effect.forkIn(fiber, scope)
        case "forkScoped":
          return Scope.extend(Effect.forkScoped(fiber), scope)
        case "runFork":
          return Effect.map(Effect.runtime<never>(), (runtime) => Runtime.runFork(runtime)(fiber, { scope }))
        case "FiberSet":
          return Effect.flatMap(Scope.extend(FiberSet.make<void>(), scope), (set) => FiberSet.run(set, fiber))
        case "FiberMap":
          return Effect.flatMap(
            Scope.extend(FiberMap.make<string, void>(), scope),
            (map) => FiberMap.run(map, "key", fiber)
          )
        case "FiberHandle":
          return Effect.flatMap(
            Scope.extend(FiberHandle.make<void>(), scope),
            (handle) => FiberHandle.run(handle, fiber)
          )
      }
    }

    const perform = (step: Step, scope: Scope.CloseableScope, sideBySide: boolean): Effect.Effect<void> => {
      const name = String(++names)
      switch (step._tag) {
        case "add": {
          const finalizer = release(name, step.yields)
          switch (step.how) {
            case "addFinalizer":
              return Scope.extend(Effect.addFinalizer(finalizer), scope)
            case "lock on STM":
            case "TReentrantLock":
            case "semaphore":
              return sideBySide
                ? Scope.extend(Effect.addFinalizer(finalizer), scope)
                : lock(step.how, name, scope, step.yields)
            case "acquire that sets":
              return Scope.extend(
                Effect.acquireRelease(FiberRef.set(setting, name), (_, exit) => finalizer(exit)),
                scope
              )
            case "queue":
              if (sideBySide) return Scope.extend(Effect.addFinalizer(finalizer), scope)
              return Effect.gen(function*() {
                const queue = yield* Scope.extend(
                  Effect.acquireRelease(Queue.bounded<number>(1), Queue.shutdown),
                  scope
                )
                yield* Scope.addFinalizer(
                  scope,
                  Effect.suspend(() => {
                    log.push(`queue ${name} ${Effect.runSync(Queue.isShutdown(queue)) ? "is shut down" : "is open"}`)
                    return Effect.void
                  })
                )
              })
            case "memoized layer":
              return Effect.gen(function*() {
                const layer = yield* Scope.extend(Layer.memoize(parts[step.yields]!), scope)
                yield* build(layer, scope)
                yield* build(layer, scope)
              })
            case "acquireRelease":
              return Scope.extend(Effect.acquireRelease(Effect.void, (_, exit) => finalizer(exit)), scope)
            case "interruptible":
              return Scope.extend(Effect.acquireReleaseInterruptible(Effect.yieldNow(), finalizer), scope)
            case "raw":
              return Scope.addFinalizerExit(scope, finalizer)
            case "span":
              return Scope.extend(Effect.withSpan(Effect.addFinalizer(finalizer), `span ${name}`), scope)
            case "locally":
              return Scope.extend(Effect.locallyScoped(setting, name), scope)
            case "stream":
              return Stream.toPull(Stream.acquireRelease(Effect.void, (_, exit) => finalizer(exit))).pipe(
                Effect.flatMap((pull) => Effect.exit(pull)),
                Effect.asVoid,
                Scope.extend(scope)
              )
          }
        }
        case "fork":
          return Effect.gen(function*() {
            const started = yield* Deferred.make<void>()
            const work = Effect.andThen(Deferred.succeed(started, undefined), step.ends ? Effect.void : Effect.never)
            const fiber = Effect.onInterrupt(work, () => Effect.sync(() => log.push(`fiber ${name} interrupted`)))
            yield* forkInto(step.how, fiber, scope)
            yield* Deferred.await(started)
            yield* Effect.yieldNow()
          })
        case "child":
          return Effect.gen(function*() {
            const child = yield* Scope.fork(scope, strategyOf(step.strategy))
            for (const inner of step.steps) {
              yield* perform(inner, child, sideBySide || step.strategy !== "sequential")
            }
            if (step.closes) yield* Scope.close(child, Exit.void)
          })
        case "scoped":
          return Effect.scoped(
            Effect.flatMap(Scope.Scope, (inner) =>
              Effect.forEach(step.steps, (each) =>
                perform(each, inner as Scope.CloseableScope, false), { discard: true }))
          )
        case "layer":
          return Effect.orDie(Effect.asVoid(build(layerOf(step.layer), scope)))
      }
    }

    const scope = yield* make(strategyOf(strategy))
    const body = Effect.gen(function*() {
      for (const step of steps) {
        yield* perform(step, scope, strategy !== "sequential")
      }
      log.push("end of the body")
      if (ends === "fails") {
        return yield* Effect.fail("typed")
      }
      if (ends === "dies") {
        return yield* Effect.die("defect")
      }
      if (ends === "is interrupted") {
        return yield* Effect.interrupt
      }
      return yield* FiberRef.get(setting)
    })
    const exit = yield* Effect.exit(Effect.onExit(body, (exit) =>
      Scope.close(scope, exit)))
    log.push(`setting ${yield* FiberRef.get(setting)} is left`)
    return { exit: exitName(exit), log }
  }).pipe(Effect.scoped)

const hasMerge = (plan: LayerPlan): boolean =>
  plan._tag === "merge" || ("left" in plan && hasMerge(plan.left)) || ("right" in plan && hasMerge(plan.right))

/** Side by side nothing is first. */
const hasParallel = (steps: ReadonlyArray<Step>): boolean =>
  steps.some((step) =>
    (step._tag === "layer" && hasMerge(step.layer)) ||
    (step._tag === "child" && (step.strategy !== "sequential" || hasParallel(step.steps))) ||
    (step._tag === "scoped" && hasParallel(step.steps))
  )

/** What is set side by side depends on who is last. */
const withoutSettings = (line: string) => line.replace(/,? ?setting \w+/, "")

describe("a ResourceScope in which nothing goes wrong", () => {
  it(`does what a plain scope does, in the same order, in ${numRuns} programs`, { timeout: 240_000 }, () =>
    fc.assert(
      fc.asyncProperty(plan, async (plan) => {
        const expected = await Effect.runPromise(run(plain, plan))
        const found = await Effect.runPromise(run(ours, plan))
        if (plan.strategy === "sequential" && !hasParallel(plan.steps)) {
          expect(found).toEqual(expected)
          return
        }
        expect(found.exit).toEqual(expected.exit)
        expect(found.log.map(withoutSettings).sort()).toEqual(expected.log.map(withoutSettings).sort())
      }),
      { seed, numRuns }
    ))
})
