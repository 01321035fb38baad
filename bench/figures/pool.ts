/** A pool with metrics and the leak threshold on, beside Effect's own and those that a Node user would take. */
import { ResourceRegistry } from "@patinox/core"
import { ResourcePool } from "@patinox/pool"
import { Duration, Effect, Exit, Pool, Scope } from "effect"
import { createPool } from "generic-pool"
import { Pool as Tarn } from "tarn"
import { type Family, heapInUse } from "../figure.js"
import { interleave, times } from "../paired.js"

interface Item {
  readonly n: number
}

const size = 10
const create = Effect.sync((): Item => ({ n: 1 }))
const atOnce = (item: Item) => Effect.succeed(item.n)
/** Does not end in the turn it begins in, so that others wait. */
const yields = () => Effect.yieldNow()

type Use = (f: (item: Item) => Effect.Effect<unknown>) => Effect.Effect<unknown, unknown>

const full = { minSize: size, maxSize: size, leakThreshold: "1 minute" } as const

const pools = Effect.gen(function*() {
  const ours = yield* ResourcePool.make(create, full)
  yield* ours.awaitReady
  const effects = yield* Pool.make({ acquire: create, size })
  const tarn = new Tarn<Item>({ create: () => ({ n: 1 }), destroy: () => {}, min: size, max: size })
  const generic = createPool<Item>({ create: async () => ({ n: 1 }), destroy: async () => {} }, {
    min: size,
    max: size
  })
  const tarnItem = Effect.promise(() => tarn.acquire().promise)
  const genericItem = Effect.promise(async () => generic.acquire())
  yield* Effect.addFinalizer(() => Effect.promise(() => Promise.all([tarn.destroy(), generic.drain()])))
  return {
    ours: (f) => ours.use(f),
    effects: (f) => Effect.scoped(Effect.flatMap(Pool.get(effects), f)),
    tarn: (f) => Effect.acquireUseRelease(tarnItem, f, (item) => Effect.sync(() => tarn.release(item))),
    generic: (f) =>
      Effect.acquireUseRelease(genericItem, f, (item) => Effect.promise(async () => generic.release(item)))
  } satisfies Record<string, Use>
})

const alone = (use: Use) => times(2_000, () => use(atOnce))

const together = (fibers: number, each: number) => (use: Use) =>
  Effect.all(Array.from({ length: fibers }, () => times(each, () => use(yields))), {
    concurrency: "unbounded",
    discard: true
  })

/** What a borrow costs with so many waiting, in milliseconds. */
const waiting = (use: Use, fibers: number, each: number) =>
  Effect.map(Effect.timed(together(fibers, each)(use)), ([elapsed]) => Duration.toMillis(elapsed) / (fibers * each))

const memory = Effect.gen(function*() {
  const count = 2_000
  const values: Array<Item> = []
  const kept = Effect.sync((): Item => {
    const item = { n: values.length }
    values.push(item)
    return item
  })
  const before = yield* Effect.promise(heapInUse)
  const scope = yield* Scope.make()
  const pool = yield* Scope.extend(
    ResourcePool.make(kept, { minSize: count, maxSize: count, createConcurrency: 16 }),
    scope
  )
  yield* pool.awaitReady
  const bytes = ((yield* Effect.promise(heapInUse)) - before) / count
  yield* Scope.close(scope, Exit.void)
  return bytes
})

export const family: Family = {
  ids: [
    "pool-use-effect",
    "pool-use-tarn",
    "pool-use-generic",
    "pool-shared-effect",
    "pool-shared-tarn",
    "pool-waiting",
    "pool-memory"
  ],
  processes: 3,
  measure: ({ quick }) =>
    Effect.runPromise(
      Effect.gen(function*() {
        const { effects, generic, ours, tarn } = yield* pools
        const rounds = quick ? 7 : 15
        const ratio = (way: (use: Use) => Effect.Effect<unknown, unknown>, theirs: Use) =>
          Effect.map(
            interleave(rounds, { ours: way(ours), theirs: way(theirs) }),
            (results) => results.map((round) => round.ours / round.theirs)
          )
        const shared = together(100, 20)
        yield* waiting(ours, 1_000, 4)
        const costs = yield* Effect.replicateEffect(
          Effect.zipWith(waiting(ours, 10_000, 4), waiting(ours, 100, 400), (many, few) => many / few),
          rounds
        )
        return {
          "pool-use-effect": yield* ratio(alone, effects),
          "pool-use-tarn": yield* ratio(alone, tarn),
          "pool-use-generic": yield* ratio(alone, generic),
          "pool-shared-effect": yield* ratio(shared, effects),
          "pool-shared-tarn": yield* ratio(shared, tarn),
          "pool-waiting": costs,
          "pool-memory": yield* Effect.replicateEffect(memory, 3)
        }
      }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer))
    )
}
