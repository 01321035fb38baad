/** A pool for each key: made when the key is first asked for, drained when nobody has asked for a while. */
import { type Deadline, makeDeadline, type Timers } from "@patinox/core/Foundation"
import { Effect, MutableHashMap, Option, type Scope } from "effect"
import { PoolClosed } from "../PoolError.js"
import type { DrainOptions, KeyedPool, ResourcePool } from "../ResourcePool.js"
import type { PoolReport } from "./Drain.js"
import * as Seam from "./Seam.js"

interface Entry<A, E> {
  readonly pool: ResourcePool<A, E>
  /** Who borrows, waits or holds. Only without any is it drained, so that nobody meets a closed pool. */
  users: number
  readonly idle: Deadline
}

export interface KeyedParts<in K, out A, out E> {
  readonly name: string
  /** In milliseconds. */
  readonly keyIdleTimeout: number
  readonly makePool: (key: K) => ResourcePool<A, E>
  readonly timers: Timers
  readonly runtime: Seam.PoolRuntime<never>
}

export const makeKeyed = <K, A, E>(parts: KeyedParts<K, A, E>): KeyedPool<K, A, E> => {
  const { keyIdleTimeout, makePool, name, runtime, timers } = parts
  const entries = MutableHashMap.empty<K, Entry<A, E>>()
  /** Taken out, and not drained yet. */
  const leaving = new Set<ResourcePool<A, E>>()
  let isClosed = false

  const entryOf = (key: K): Entry<A, E> => {
    const there = MutableHashMap.get(entries, key)
    if (Option.isSome(there)) return there.value
    const entry: Entry<A, E> = { pool: makePool(key), users: 0, idle: makeDeadline(() => leave(key, entry)) }
    MutableHashMap.set(entries, key, entry)
    return entry
  }

  const leave = (key: K, { pool }: Entry<A, E>): void => {
    MutableHashMap.remove(entries, key)
    leaving.add(pool)
    Seam.forkLater(runtime, Effect.andThen(pool.drain(), Effect.sync(() => leaving.delete(pool))))
  }

  const enter = (key: K): Effect.Effect<Entry<A, E>, PoolClosed> =>
    Effect.suspend(() => {
      if (isClosed) return Effect.fail(new PoolClosed({ pool: name }))
      const entry = entryOf(key)
      entry.users++
      timers.clear(entry.idle)
      return Effect.succeed(entry)
    })

  const exit = (entry: Entry<A, E>): Effect.Effect<void> =>
    Effect.sync(() => {
      if (--entry.users === 0 && !isClosed) timers.set(entry.idle, timers.now() + keyIdleTimeout)
    })

  const using = <B, E2, R2>(key: K, f: (pool: ResourcePool<A, E>) => Effect.Effect<B, E2, R2>) =>
    Effect.acquireUseRelease(enter(key), ({ pool }) => f(pool), exit)

  /** The key's pool stays for as long as the scope holds something of it. */
  const holding = <B, E2>(
    key: K,
    f: (pool: ResourcePool<A, E>) => Effect.Effect<B, E2, Scope.Scope>
  ): Effect.Effect<B, E2 | PoolClosed, Scope.Scope> =>
    Effect.flatMap(Effect.acquireRelease(enter(key), exit), ({ pool }) => f(pool))

  const all = (): ReadonlyArray<readonly [K, Entry<A, E>]> => [...entries]

  return {
    name,
    get: (key) => holding(key, (pool) => pool.get),
    lease: (key, options) => holding(key, (pool) => pool.lease(options)),
    use: (key, f, options) => using(key, (pool) => pool.use(f, options)),
    tryGet: (key) => holding(key, (pool) => pool.tryGet),
    tryUse: (key, f) => using(key, (pool) => pool.tryUse(f)),
    keys: Effect.sync(() => all().map(([key]) => key)),
    snapshot: Effect.suspend(() =>
      Effect.forEach(all(), ([key, { pool }]) => Effect.map(pool.snapshot, (snapshot) => [key, snapshot] as const))
    ),
    drain: (options?: DrainOptions) =>
      Effect.suspend((): Effect.Effect<ReadonlyArray<PoolReport>> => {
        isClosed = true
        const pools = [
          ...all().map(([, { idle, pool }]) => {
            timers.clear(idle)
            return pool
          }),
          ...leaving
        ]
        return Effect.forEach(pools, (pool) => pool.drain(options), { concurrency: "unbounded" })
      })
  }
}
