/** A pool with metrics and the leak threshold on, beside Effect's own and those that a Node user would take. */
import { ResourceRegistry } from "@patinox/core"
import { ResourcePool } from "@patinox/pool"
import * as HeapProbe from "@patinox/vitest/HeapProbe"
import { Effect, Exit, Pool, Scope } from "effect"
import { createPool } from "generic-pool"
import { Pool as Tarn } from "tarn"
import type { Family } from "../figure.js"
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

/** The least that makes fibers wait for one of several: a count and a list of those that wait, no item, no limit. */
const leastOf = (): Use => {
  let free = size
  const waiting: Array<() => void> = []
  let served = 0
  const take = (restore: <A>(effect: Effect.Effect<A>) => Effect.Effect<A>) =>
    Effect.suspend(() => {
      if (free === 0) return restore(Effect.async<void>((resume) => void waiting.push(() => resume(Effect.void))))
      free--
      return Effect.void
    })
  const giveBack = () => {
    if (served === waiting.length) return free++
    waiting[served++]()
    if (served === waiting.length) waiting.length = served = 0
  }
  return (f) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(take(restore), () =>
        Effect.flatMap(Effect.exit(restore(f({ n: 1 }))), (exit) => {
          giveBack()
          return exit
        }))
    )
}

/** Their turns alone, with nothing to wait for. */
const bare: Use = (f) => f({ n: 1 })

/** What 200,000 borrows take with so many that wait. */
const waiting = (use: Use, fibers: number) => together(fibers, 200_000 / fibers)(use)

const memory = Effect.gen(function*() {
  const count = 2_000
  const values: Array<Item> = []
  const kept = Effect.sync((): Item => {
    const item = { n: values.length }
    values.push(item)
    return item
  })
  const before = yield* HeapProbe.bytesInUse
  const scope = yield* Scope.make()
  const pool = yield* Scope.extend(
    ResourcePool.make(kept, { minSize: count, maxSize: count, createConcurrency: 16 }),
    scope
  )
  yield* pool.awaitReady
  const bytes = ((yield* HeapProbe.bytesInUse) - before) / count
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
    "pool-shared-least",
    "pool-waiting",
    "pool-waiting-whole",
    "pool-memory"
  ],
  processes: 3,
  measure: ({ quick }) =>
    Effect.runPromise(
      Effect.gen(function*() {
        const { effects, generic, ours, tarn } = yield* pools
        const rounds = quick ? 5 : 7
        const ratio = (way: (use: Use) => Effect.Effect<unknown, unknown>, theirs: Use) =>
          Effect.map(
            interleave(rounds, { ours: way(ours), theirs: way(theirs) }),
            (results) => results.map((round) => round.ours / round.theirs)
          )
        const shared = together(100, 20)
        const costs = yield* interleave(quick ? 2 : 3, {
          many: waiting(ours, 100_000),
          few: waiting(ours, 10_000),
          manyBare: waiting(bare, 100_000),
          fewBare: waiting(bare, 10_000)
        })
        return {
          "pool-use-effect": yield* ratio(alone, effects),
          "pool-use-tarn": yield* ratio(alone, tarn),
          "pool-use-generic": yield* ratio(alone, generic),
          "pool-shared-effect": yield* ratio(shared, effects),
          "pool-shared-tarn": yield* ratio(shared, tarn),
          "pool-shared-least": yield* ratio(shared, leastOf()),
          "pool-waiting": costs.map(({ few, fewBare, many, manyBare }) => (many - manyBare) / (few - fewBare)),
          "pool-waiting-whole": costs.map(({ few, many }) => many / few),
          "pool-memory": yield* Effect.replicateEffect(memory, 3)
        }
      }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer))
    )
}
