/** A pool for each key: made when the key is first used, emptied and drained when it has not been used for a while. */
import { PatinoxError } from "@patinox/core"
import {
  type AppRuntime,
  type CallSite,
  type Deadline,
  type EventHub,
  forkLater,
  makeDeadline,
  type Timers,
  UserFunction,
  wallMillis,
  withFiber
} from "@patinox/core/kernel"
import { Deferred, Effect, Equal, Exit, Hash, Scope } from "effect"
import { PoolClosed, type PoolError } from "../PoolError.js"
import type { PoolEvent } from "../PoolEvent.js"
import type { KeyedPool, ResourcePool } from "../ResourcePool.js"
import type { LeaseHandle } from "./Lease.js"
import type { Pool } from "./Pool.js"
import { type BorrowOptions, type ResolvedPool, resolveDrain } from "./PoolOptions.js"

interface Entry<K, A, E> {
  readonly key: K
  /** As it was when the entry was made: a key that is changed later is found no more, and still goes. */
  readonly hash: number
  readonly pool: Pool<A, E>
  readonly made: ResourcePool<A, E>
  /** Calls that borrow, wait or hold. Only without any is it drained, so that no call meets a closed pool. */
  users: number
  readonly idle: Deadline
  /** Ends the emptying of a pool that is not used, while that goes on. */
  stopEmptying: (() => void) | undefined
}

export interface KeyedParts<in K, in out A, in out E> {
  readonly name: string
  /** In milliseconds. */
  readonly keyIdleTimeout: number
  readonly makePool: (key: K) => Pick<Entry<K, A, E>, "pool" | "made">
  /** How it drains by default. */
  readonly drainDefaults: Pick<ResolvedPool, "drainTimeout" | "drainWaiters">
  /** What is reported of all of them. */
  readonly events: EventHub<PoolEvent>
  readonly capture: () => CallSite | undefined
  readonly timers: Timers
  readonly runtime: AppRuntime<never>
}

export const makeKeyed = <K, A, E>(parts: KeyedParts<K, A, E>): KeyedPool<K, A, E> => {
  const { capture, drainDefaults, events, keyIdleTimeout, makePool, name, runtime, timers } = parts
  const entries = new Map<number, ReadonlyArray<Entry<K, A, E>>>()
  /** All there were when they began to drain. */
  let closed: ReadonlyArray<Pool<A, E>> | undefined

  /** Whatever the key's own functions throw is the caller's, before anything is changed. */
  const entryOf = (key: K): Entry<K, A, E> => {
    const hash = Hash.hash(key)
    const alike = entries.get(hash) ?? []
    const there = alike.find((entry) => Equal.equals(entry.key, key))
    if (there !== undefined) return there
    const entry: Entry<K, A, E> = {
      ...makePool(key),
      key,
      hash,
      users: 0,
      idle: makeDeadline(() => expire(entry)),
      stopEmptying: undefined
    }
    entries.set(hash, [...alike, entry])
    return entry
  }

  const remove = (entry: Entry<K, A, E>): void => {
    const others = (entries.get(entry.hash) ?? []).filter((other) => other !== entry)
    if (others.length > 0) entries.set(entry.hash, others)
    else entries.delete(entry.hash)
  }

  /**
   * The key goes when its last item is gone: another pool beside what is left of this would be one too many. A call that
   * comes meanwhile gets this pool, as it was.
   */
  const expire = (entry: Entry<K, A, E>): void => {
    const { onChanged, options, state } = entry.pool
    const stop = () => {
      onChanged.delete(look)
      state.minSize = options.minSize
      entry.stopEmptying = undefined
    }
    const look = () => {
      if (state.idle.length > 0) state.evictIdle(timers.now(), "drained")
      else if (state.total === 0) {
        stop()
        remove(entry)
        entry.pool.drain({ timeout: drainDefaults.drainTimeout, waiters: drainDefaults.drainWaiters })
      }
    }
    entry.stopEmptying = stop
    state.minSize = 0
    onChanged.add(look)
    look()
  }

  const enter = (key: K): Effect.Effect<Entry<K, A, E>, PoolClosed> =>
    UserFunction.effect((): Effect.Effect<Entry<K, A, E>, PoolClosed> => {
      if (closed !== undefined) return Effect.fail(new PoolClosed({ pool: name }))
      const entry = entryOf(key)
      entry.users++
      entry.stopEmptying?.()
      timers.clear(entry.idle)
      return Effect.succeed(entry)
    })

  const leave = (entry: Entry<K, A, E>): Effect.Effect<void> =>
    Effect.sync(() => {
      if (--entry.users === 0 && closed === undefined) timers.set(entry.idle, timers.now() + keyIdleTimeout)
    })

  const using = <B, E2, R2>(key: K, f: (pool: Pool<A, E>) => Effect.Effect<B, E2, R2>) =>
    Effect.acquireUseRelease(enter(key), ({ pool }) => f(pool), leave)

  /** The key's pool stays for as long as the scope holds something of it. */
  const leasing = (
    key: K,
    options: BorrowOptions | undefined | "now"
  ): Effect.Effect<LeaseHandle<A>, PoolError<E>, Scope.Scope> => {
    const site = capture()
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        enter(key),
        (entry) =>
          Effect.flatMap(Effect.exit(restore(entry.pool.lease(options, site))), (exit) =>
            Exit.isSuccess(exit)
              ? Effect.andThen(
                Effect.flatMap(Scope.Scope, (scope) => Scope.addFinalizer(scope, leave(entry))),
                exit
              )
              : Effect.andThen(leave(entry), exit))
      )
    )
  }

  const ended = (): void => {
    events.emit(() => ({ _tag: "Closed", at: wallMillis(timers.clock), pool: name }))
    events.end()
  }

  const all = (): ReadonlyArray<Entry<K, A, E>> => [...entries.values()].flat()

  return {
    name,
    get: (key) => Effect.map(leasing(key, undefined), (lease) => lease.value),
    lease: (key, options) => leasing(key, options),
    use: (key, f, options) => {
      const site = capture()
      return using(key, (pool) => pool.use(f, options, site))
    },
    tryGet: (key) => Effect.map(leasing(key, "now"), (lease) => lease.value),
    tryUse: (key, f) => {
      const site = capture()
      return using(key, (pool) => pool.tryUse(f, site))
    },
    keys: Effect.sync(() => all().map(({ key }) => key)),
    snapshot: Effect.suspend(() =>
      Effect.forEach(all(), ({ key, made }) => Effect.map(made.snapshot, (snapshot) => [key, snapshot] as const))
    ),
    events: events.stream,
    invalidate: (item) =>
      Effect.sync(() => all().reduce((isThere, { pool }) => pool.invalidate(item) || isThere, false)),
    invalidateAll: Effect.sync(() => all().reduce((count, { pool }) => count + pool.invalidateAll(), 0)),
    drain: (options) =>
      Effect.uninterruptibleMask((restore) =>
        withFiber((fiber) => {
          const checked = resolveDrain(options, drainDefaults)
          if (checked instanceof PatinoxError.Validation) return Effect.die(checked)
          const isFirst = closed === undefined
          closed ??= all().map(({ idle, pool, stopEmptying }) => {
            stopEmptying?.()
            timers.clear(idle)
            return pool
          })
          entries.clear()
          // All in this fiber, as that may hold some of what they wait for.
          const drains = closed.map((pool) => pool.drain(checked))
          for (const draining of drains) draining.join(fiber)
          const reports = Effect.forEach(drains, ({ report }) => Deferred.await(report))
          if (isFirst) forkLater(runtime, Effect.map(reports, ended))
          return restore(reports)
        })
      )
  }
}
