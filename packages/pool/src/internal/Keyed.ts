/** A pool for each key: made when the key is first asked for, drained when nobody has asked for a while. */
import { type CallSite, type Deadline, makeDeadline, type Timers } from "@patinox/core/Foundation"
import { Effect, Exit, MutableHashMap, Option, Scope } from "effect"
import { PoolClosed, type PoolError } from "../PoolError.js"
import type { KeyedPool, ResourcePool } from "../ResourcePool.js"
import type { PoolReport } from "./Drain.js"
import type { LeaseHandle } from "./Lease.js"
import type { BorrowOptions, DrainOptions } from "./Options.js"
import type { Pool } from "./Pool.js"
import * as Seam from "./Seam.js"

interface Entry<A, E> {
  readonly pool: Pool<A, E>
  readonly made: ResourcePool<A, E>
  /** Who borrows, waits or holds. Only without any is it drained, so that nobody meets a closed pool. */
  users: number
  readonly idle: Deadline
}

export interface KeyedParts<in K, in out A, in out E> {
  readonly name: string
  /** In milliseconds. */
  readonly keyIdleTimeout: number
  readonly makePool: (key: K) => Pick<Entry<A, E>, "pool" | "made">
  readonly capture: () => CallSite | undefined
  readonly timers: Timers
  readonly runtime: Seam.PoolRuntime<never>
}

export const makeKeyed = <K, A, E>(parts: KeyedParts<K, A, E>): KeyedPool<K, A, E> => {
  const { capture, keyIdleTimeout, makePool, name, runtime, timers } = parts
  const entries = MutableHashMap.empty<K, Entry<A, E>>()
  /** Taken out, and not drained yet; with everything else, once these pools are drained. */
  const leaving = new Set<ResourcePool<A, E>>()
  let isClosed = false

  const entryOf = (key: K): Entry<A, E> => {
    const there = MutableHashMap.get(entries, key)
    if (Option.isSome(there)) return there.value
    const entry: Entry<A, E> = { ...makePool(key), users: 0, idle: makeDeadline(() => expire(key, entry)) }
    MutableHashMap.set(entries, key, entry)
    return entry
  }

  const expire = (key: K, { made }: Entry<A, E>): void => {
    MutableHashMap.remove(entries, key)
    leaving.add(made)
    Seam.forkLater(runtime, Effect.map(made.drain(), () => isClosed || leaving.delete(made)))
  }

  const enter = (key: K): Effect.Effect<Entry<A, E>, PoolClosed> =>
    Effect.suspend(() => {
      if (isClosed) return Effect.fail(new PoolClosed({ pool: name }))
      const entry = entryOf(key)
      entry.users++
      timers.clear(entry.idle)
      return Effect.succeed(entry)
    })

  const leave = (entry: Entry<A, E>): Effect.Effect<void> =>
    Effect.sync(() => {
      if (--entry.users === 0 && !isClosed) timers.set(entry.idle, timers.now() + keyIdleTimeout)
    })

  const using = <B, E2, R2>(key: K, f: (pool: Pool<A, E>) => Effect.Effect<B, E2, R2>) =>
    Effect.acquireUseRelease(enter(key), ({ pool }) => f(pool), leave)

  /** The key's pool stays for as long as the scope holds something of it. */
  const holding = (
    key: K,
    options: BorrowOptions | undefined | "now"
  ): Effect.Effect<LeaseHandle<A>, PoolError<E>, Scope.Scope> => {
    const site = capture()
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        enter(key),
        (entry) =>
          Effect.flatMap(Effect.exit(restore(entry.pool.hold(options, site))), (exit) =>
            Exit.isSuccess(exit)
              ? Effect.andThen(
                Effect.flatMap(Scope.Scope, (scope) => Scope.addFinalizer(scope, leave(entry))),
                exit
              )
              : Effect.andThen(leave(entry), exit))
      )
    )
  }

  const all = (): ReadonlyArray<readonly [K, Entry<A, E>]> => [...entries]

  return {
    name,
    get: (key) => Effect.map(holding(key, undefined), (lease) => lease.value),
    lease: (key, options) => holding(key, options),
    use: (key, f, options) => {
      const site = capture()
      return using(key, (pool) => pool.use(f, options, site))
    },
    tryGet: (key) => Effect.map(holding(key, "now"), (lease) => lease.value),
    tryUse: (key, f) => {
      const site = capture()
      return using(key, (pool) => pool.tryUse(f, site))
    },
    keys: Effect.sync(() => all().map(([key]) => key)),
    snapshot: Effect.suspend(() =>
      Effect.forEach(all(), ([key, { made }]) => Effect.map(made.snapshot, (snapshot) => [key, snapshot] as const))
    ),
    drain: (options?: DrainOptions) =>
      Effect.suspend((): Effect.Effect<ReadonlyArray<PoolReport>> => {
        isClosed = true
        for (const [, { idle, made }] of all()) {
          timers.clear(idle)
          leaving.add(made)
        }
        MutableHashMap.clear(entries)
        return Effect.forEach(leaving, (made) => made.drain(options), { concurrency: "unbounded" })
      })
  }
}
