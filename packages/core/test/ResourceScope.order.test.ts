/**
 * Random trees of layers, of scopes side by side and inside each other, whose finalizers end at once: released in the very
 * order in which Effect releases them.
 */
import { Context, Effect, ExecutionStrategy, Exit, Layer, Scope } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ResourceScope } from "../src/index.js"

const seed = Number(process.env["PATINOX_SEED"] ?? 20_243)
const numRuns = process.env["PATINOX_DEEP"] === "1" ? 50_000 : 2_000

/** Leaves with one number are the same layer, built once. */
type Plan =
  | { readonly _tag: "leaf"; readonly part: number; readonly finalizers: number }
  | { readonly _tag: "provide" | "provideMerge" | "merge"; readonly left: Plan; readonly right: Plan }
  | { readonly _tag: "mergeAll"; readonly all: ReadonlyArray<Plan> }
  | { readonly _tag: "fresh" | "memoize"; readonly left: Plan }

const leaf: fc.Arbitrary<Plan> = fc.record({
  _tag: fc.constant("leaf" as const),
  part: fc.nat(4),
  finalizers: fc.integer({ min: 1, max: 3 })
})

const { plan } = fc.letrec<{ plan: Plan }>((tie) => ({
  plan: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.record({
      _tag: fc.constantFrom("provide" as const, "provideMerge" as const, "merge" as const, "merge" as const),
      left: tie("plan"),
      right: tie("plan")
    }),
    fc.record({ _tag: fc.constant("mergeAll" as const), all: fc.array(tie("plan"), { minLength: 1, maxLength: 4 }) }),
    fc.record({ _tag: fc.constant("fresh" as const), left: tie("plan") }),
    // Effect builds what is memoized into scopes of its own; side by side, those take turns that ours does not need.
    fc.record({ _tag: fc.constant("memoize" as const), left: leaf })
  )
}))

class Part extends Context.Tag("Part")<Part, number>() {}

type Build = (layer: Layer.Layer<Part>, scope: Scope.Scope) => Effect.Effect<unknown>

const released = (plan: Plan, scoped: Effect.Effect<Scope.CloseableScope>, build: Build) =>
  Effect.gen(function*() {
    const log: Array<string> = []
    const leaves = new Map<number, Layer.Layer<Part>>()
    const leafOf = (part: number, finalizers: number): Layer.Layer<Part> => {
      const known = leaves.get(part)
      if (known !== undefined) return known
      const leaf = Layer.scoped(
        Part,
        Effect.gen(function*() {
          for (let i = 0; i < finalizers; i++) {
            yield* Effect.addFinalizer(() => Effect.sync(() => log.push(`${part}.${i}`)))
          }
          return part
        })
      )
      leaves.set(part, leaf)
      return leaf
    }
    const layerOf = (plan: Plan, scope: Scope.Scope): Effect.Effect<Layer.Layer<Part>> =>
      Effect.gen(function*() {
        switch (plan._tag) {
          case "leaf":
            return leafOf(plan.part, plan.finalizers)
          case "provide":
            return Layer.provide(yield* layerOf(plan.left, scope), yield* layerOf(plan.right, scope))
          case "provideMerge":
            return Layer.provideMerge(yield* layerOf(plan.left, scope), yield* layerOf(plan.right, scope))
          case "merge":
            return Layer.merge(yield* layerOf(plan.left, scope), yield* layerOf(plan.right, scope))
          case "mergeAll": {
            const [first, ...others] = yield* Effect.forEach(plan.all, (each) => layerOf(each, scope))
            return Layer.mergeAll(first!, ...others)
          }
          case "fresh":
            return Layer.fresh(yield* layerOf(plan.left, scope))
          case "memoize":
            return yield* Scope.extend(Layer.memoize(yield* layerOf(plan.left, scope)), scope)
        }
      })
    // What is memoized lives longer than what is built with it.
    const memoized = yield* scoped
    const scope = yield* scoped
    yield* build(yield* layerOf(plan, memoized), scope)
    log.push("built")
    yield* Scope.close(scope, Exit.void)
    log.push("closed")
    yield* Scope.close(memoized, Exit.void)
    return log
  })

/** A tree of scopes. */
interface Tree {
  readonly strategy: "sequential" | "parallel" | "parallelN"
  readonly children: ReadonlyArray<Tree | number>
}

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    strategy: fc.constantFrom("sequential" as const, "parallel" as const),
    children: fc.array(fc.oneof({ maxDepth: 2 }, fc.nat(9), tie("tree")) as fc.Arbitrary<Tree | number>, {
      maxLength: 4
    })
  })
}))

const strategies = {
  sequential: ExecutionStrategy.sequential,
  parallel: ExecutionStrategy.parallel,
  parallelN: ExecutionStrategy.parallelN(2)
}

const releasedTree = (
  tree: Tree,
  make: (strategy: ExecutionStrategy.ExecutionStrategy) => Effect.Effect<Scope.CloseableScope>
) =>
  Effect.gen(function*() {
    const log: Array<string> = []
    let names = 0
    const fill = (tree: Tree, scope: Scope.CloseableScope): Effect.Effect<void> =>
      Effect.gen(function*() {
        for (const child of tree.children) {
          if (typeof child === "number") {
            const name = `${++names}`
            yield* Scope.addFinalizer(scope, Effect.sync(() => log.push(name)))
          } else yield* fill(child, yield* Scope.fork(scope, strategies[child.strategy]))
        }
      })
    const scope = yield* make(strategies[tree.strategy])
    yield* fill(tree, scope)
    yield* Scope.close(scope, Exit.void)
    return log
  })

describe("in the order of Effect's own", () => {
  it(
    `${numRuns} random layers, merged, nested, shared, fresh and memoized, are released`,
    { timeout: 120_000 },
    () =>
      fc.assert(
        fc.asyncProperty(plan, async (plan) => {
          const expected = await Effect.runPromise(
            released(plan, Scope.make(), (layer, scope) => Layer.buildWithScope(layer, scope))
          )
          const found = await Effect.runPromise(
            released(plan, ResourceScope.make(), (layer, scope) => Scope.extend(ResourceScope.build(layer), scope))
          )
          expect(found).toEqual(expected)
        }),
        { seed, numRuns }
      )
  )

  it(
    `${numRuns} random trees of scopes, side by side and inside each other, are closed`,
    { timeout: 120_000 },
    () =>
      fc.assert(
        fc.asyncProperty(tree, async (tree) => {
          const expected = await Effect.runPromise(releasedTree(tree, Scope.make))
          const found = await Effect.runPromise(releasedTree(tree, (strategy) => ResourceScope.make({ strategy })))
          expect(found).toEqual(expected)
        }),
        { seed, numRuns }
      )
  )
})
