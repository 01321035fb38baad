/** A cache with its statistics and metrics on, beside Effect's own. */
import { ResourceCache } from "@patinox/cache"
import { ResourceRegistry } from "@patinox/core"
import * as HeapProbe from "@patinox/vitest/HeapProbe"
import { Cache, Effect, Exit, RcMap, Scope, ScopedCache } from "effect"
import type { Family } from "../figure.js"
import { interleave, times } from "../paired.js"

interface Value {
  readonly n: number
}

const keys = 100
const lookup = (n: number) => Effect.succeed<Value>({ n })
const released = (n: number) => Effect.acquireRelease(lookup(n), () => Effect.void)
const see = ({ n }: Value) => Effect.succeed(n)

/** A hit of each of the keys in turn. */
const hits = (hit: (key: number) => Effect.Effect<unknown, unknown>) => {
  let next = 0
  return times(2_000, () => hit(next = (next + 1) % keys))
}

const caches = Effect.gen(function*() {
  const ours = yield* ResourceCache.make(lookup, { release: () => Effect.void, timeToLive: "1 hour" })
  const plain = yield* ResourceCache.plain(lookup, { timeToLive: "1 hour" })
  const scoped = yield* ScopedCache.make({ lookup: released, capacity: 1_000, timeToLive: "1 hour" })
  const counted = yield* RcMap.make({ lookup: released, idleTimeToLive: "1 hour" })
  const theirs = yield* Cache.make({ lookup, capacity: 1_000, timeToLive: "1 hour" })
  return {
    use: hits((key) => ours.use(key, see)),
    get: hits((key) => Effect.scoped(Effect.flatMap(ours.get(key), see))),
    plain: hits((key) => Effect.flatMap(plain.get(key), see)),
    scoped: hits((key) => Effect.scoped(Effect.flatMap(scoped.get(key), see))),
    counted: hits((key) => Effect.scoped(Effect.flatMap(RcMap.get(counted, key), see))),
    theirs: hits((key) => Effect.flatMap(theirs.get(key), see))
  }
})

/** A sequence that comes across every number below `count`, in an order that no prefetching foresees. */
const scattered = (count: number) => {
  let at = 0
  return () => at = (at + 6_151) % count
}

/** Numbers below `count` as often as Zipf's law has it with an exponent of 0.9, the frequent ones anywhere among them. */
const zipf = (count: number) => {
  const sums = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) sums[rank] = sum += (rank + 1) ** -0.9
  let seed = 1
  const keys = Int32Array.from({ length: 50_000 }, () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    const wanted = seed / 2 ** 32 * sum
    let low = 0
    for (let high = count - 1; low < high;) {
      const middle = (low + high) >> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low * 6_151 % count
  })
  let at = 0
  return () => keys[at = (at + 1) % keys.length]!
}

/** Hits in a cache of so many values. */
const filled = (count: number) =>
  Effect.gen(function*() {
    const cache = yield* ResourceCache.make(lookup, { release: () => Effect.void, maxEntries: count })
    for (let key = 0; key < count; key++) yield* cache.use(key, see)
    const hits = (next: () => number) => times(5_000, () => cache.use(next(), see))
    return { popular: hits(zipf(count)), any: hits(scattered(count)) }
  })

/** Misses in a full cache, each of which evicts. */
const evicting = (count: number) =>
  Effect.gen(function*() {
    const cache = yield* ResourceCache.plain(lookup, { maxEntries: count })
    for (let key = 0; key < count; key++) yield* cache.get(key)
    let next = count
    return times(1_000, () => cache.get(next++))
  })

type Hit = (key: number) => Effect.Effect<unknown, unknown>

const memory = (isPlain: boolean, count: number) =>
  Effect.gen(function*() {
    const values = Array.from({ length: count }, (_, n): Value => ({ n }))
    const kept = (key: number) => Effect.succeed(values[key]!)
    const before = yield* HeapProbe.bytesInUse
    const scope = yield* Scope.make()
    const plain = Effect.map(ResourceCache.plain(kept, { maxEntries: count }), ({ get }): Hit => get)
    const releasing = Effect.map(
      ResourceCache.make(kept, { maxEntries: count, release: () => Effect.void }),
      ({ use }): Hit => (key) => use(key, see)
    )
    const hit = isPlain ? yield* Scope.extend(plain, scope) : yield* Scope.extend(releasing, scope)
    for (let key = 0; key < count; key++) yield* hit(key)
    const bytes = ((yield* HeapProbe.bytesInUse) - before) / count
    // In use until here.
    yield* hit(values.length - 1)
    yield* Scope.close(scope, Exit.void)
    return bytes
  })

export const family: Family = {
  ids: [
    "cache-use-scoped",
    "cache-use-rcmap",
    "cache-get-scoped",
    "cache-plain",
    "cache-large",
    "cache-large-any",
    "cache-evicting",
    "cache-memory-plain",
    "cache-memory"
  ],
  processes: 3,
  measure: ({ quick }) =>
    Effect.runPromise(
      Effect.gen(function*() {
        const rounds = quick ? 5 : 7
        const results = yield* interleave(rounds, yield* caches)
        const few = yield* filled(1_000)
        const many = yield* filled(100_000)
        const popular = yield* interleave(rounds, { few: few.popular, many: many.popular })
        const any = yield* interleave(rounds, { few: few.any, many: many.any })
        const evictions = yield* interleave(rounds, { few: yield* evicting(1_000), many: yield* evicting(100_000) })
        return {
          "cache-use-scoped": results.map(({ scoped, use }) => use / scoped),
          "cache-use-rcmap": results.map(({ counted, use }) => use / counted),
          "cache-get-scoped": results.map(({ get, scoped }) => get / scoped),
          "cache-plain": results.map(({ plain, theirs }) => plain / theirs),
          "cache-large": popular.map(({ few, many }) => many / few),
          "cache-large-any": any.map(({ few, many }) => many / few),
          "cache-evicting": evictions.map(({ few, many }) => many / few),
          "cache-memory-plain": yield* Effect.replicateEffect(memory(true, 20_000), 3),
          "cache-memory": yield* Effect.replicateEffect(memory(false, 20_000), 3)
        }
      }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer))
    )
}
