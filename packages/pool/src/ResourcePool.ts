/**
 * Bounded reuse of expensive resources: connections, workers, handles. The first to ask is served first; a borrow has one
 * deadline; failures have a type and a cause; and the pool ends in time. Its items are guards of the registry.
 * Not for values that are cheap to make, nor for sharing one value between many (`@patinox/cache`).
 *
 * The ideas are HikariCP's (creating beside the borrowers, lifetimes, leak detection), sqlx's (one deadline, fairness)
 * and deadpool's (hooks, errors by stage).
 */
import type { CleanupError, PatinoxError, ResourceRegistry } from "@patinox/core"
import {
  type AppRuntime,
  checkDuration,
  EventHub,
  limitsItself,
  readOptions,
  type Runner,
  Text,
  withFiber
} from "@patinox/core/kernel"
import { Validation } from "@patinox/core/PatinoxError"
import { type Cause, type Context, type Duration, Effect, type Exit, Layer, Scope, type Stream } from "effect"
import type { ItemHandle, ItemInfo } from "./internal/Item.js"
import { makeKeyed } from "./internal/KeyedPool.js"
import type { Holder, LeaseHandle } from "./internal/Lease.js"
import { prepare, publicOf } from "./internal/makePool.js"
import type { Pool } from "./internal/Pool.js"
import { ownTime, type PoolReport } from "./internal/PoolDrain.js"
import type { BorrowOptions, DrainOptions, PoolSettings } from "./internal/PoolOptions.js"
import { makePromisePool } from "./internal/PromisePool.js"
import type { PoolClosed, PoolCounts, PoolCreationFailed, PoolError } from "./PoolError.js"
import type { PoolEvent } from "./PoolEvent.js"

export type { ItemHandle, ItemInfo } from "./internal/Item.js"
export type { Holder } from "./internal/Lease.js"
export type { PoolReport } from "./internal/PoolDrain.js"
export type { BorrowOptions, DrainOptions, PoolSettings } from "./internal/PoolOptions.js"
export type { RemovalReason } from "./internal/state/Vocabulary.js"

/** What a pool does with its items, beside creating them. Each function has a time limit and learns of the item. */
export interface PoolOptions<in A, RD = never, RV = never, RR = never, RK = never> extends PoolSettings {
  /**
   * Destroys an item, after which the scope that it was created in closes. What it fails with is in the pool's events. With
   * it a `create` whose time is up, or that a drain has no use for, has `destroyTimeout` more to come to its end, and what
   * it gives is destroyed; then it is interrupted. A scoped `create` alone is interrupted at once.
   */
  readonly destroy?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown, RD>
  /**
   * The second, forceful way to destroy an item: where `destroy` fails, or has not ended after two thirds of
   * `destroyTimeout`. It has the rest of that time, and may run beside a `destroy` that does not stop.
   */
  readonly forceDestroy?: (
    item: A,
    error: CleanupError.ReleaseError<unknown>,
    info: ItemInfo
  ) => Effect.Effect<unknown, unknown, RD>
  /**
   * Whether an idle item is still good: it is not where this fails or answers false. Asked before it is lent, where it has
   * not been used for `validateAfter`, or its last use failed or was interrupted.
   */
  readonly validate?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown, RV>
  /** Makes a returned item fit for the next, given the exit of its use; where this fails the item is destroyed. */
  readonly recycle?: (item: A, exit: Exit.Exit<unknown, unknown>, info: ItemInfo) => Effect.Effect<unknown, unknown, RR>
  /** Keeps an idle item alive; where this fails or answers false the item is destroyed. */
  readonly keepAlive?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown, RK>
  /**
   * Which ends of a use condemn the item, given the whole cause: failures, defects and interruptions. Where it throws, it
   * condemns. Default: none.
   */
  readonly invalidateWhen?: (cause: Cause.Cause<unknown>) => boolean
}

/** An item in the borrower's hands. */
export interface Lease<out A> {
  readonly value: A
  /** Of the item's guard. */
  readonly id: LeaseHandle<A>["id"]
  /** The item is bad: it is destroyed at its return. */
  readonly invalidate: Effect.Effect<void>
  /** Waits until the pool wants its items back. */
  readonly awaitDraining: Effect.Effect<void>
}

/** A reading of a pool. */
export interface PoolSnapshot extends PoolCounts {
  readonly name: string
  readonly minSize: number
  readonly maxSize: number
  readonly state: "open" | "suspended" | "draining" | "closed"
  /** Creations that have failed in a row, and the last of these failures. */
  readonly creationFailures: number
  readonly lastCreationFailure: Cause.Cause<unknown> | undefined
  /** Borrowers fail at once, as nothing can be created and no item is in use that they could wait for. */
  readonly isFailingFast: boolean
  /** Of those in use: being validated, kept alive or made fit for reuse by the pool itself. */
  readonly checking: number
  /** Who holds items, the oldest first. */
  readonly holders: ReadonlyArray<Holder>
}

/** A pool of `A`, the creating of which fails with `E`. */
export interface ResourcePool<out A, out E = never> {
  readonly name: string
  /** An item for as long as the scope is open. */
  readonly get: Effect.Effect<A, PoolError<E>, Scope.Scope>
  /** As `get`, with its lease and options of its own. */
  readonly lease: (options?: BorrowOptions) => Effect.Effect<Lease<A>, PoolError<E>, Scope.Scope>
  /** An item for the callback: the fast way. The use's own error wins; the item is back when this ends. */
  readonly use: <B, E2, R2>(
    f: (item: A, lease: Lease<A>) => Effect.Effect<B, E2, R2>,
    options?: BorrowOptions
  ) => Effect.Effect<B, E2 | PoolError<E>, R2>
  /** As `get`, where an item is idle; else `PoolExhausted`, at once, and one is created for the next where there is room. */
  readonly tryGet: Effect.Effect<A, PoolError<E>, Scope.Scope>
  /** As `use`, where an item is idle; else as `tryGet`. */
  readonly tryUse: <B, E2, R2>(
    f: (item: A, lease: Lease<A>) => Effect.Effect<B, E2, R2>
  ) => Effect.Effect<B, E2 | PoolError<E>, R2>
  /** Changes the sizes; items that are too many go when they are not in use. */
  readonly resize: (
    sizes: { readonly minSize?: number; readonly maxSize?: number }
  ) => Effect.Effect<void, PatinoxError.Validation>
  /** Lends nothing until `resume`; borrowers wait, within their deadlines. */
  readonly suspend: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** Destroys every idle item; gives how many. `minSize` is made up for by new ones. */
  readonly evictIdle: Effect.Effect<number>
  /**
   * The item is dead, as its driver says: an idle one is destroyed at once, one in use at its return. Answers whether the
   * pool has such an item, compared by identity.
   */
  readonly invalidate: (item: unknown) => Effect.Effect<boolean>
  /**
   * Distrusts everything made, or begun to be made, before now, as after a failover: idle items are destroyed at once,
   * those in use at their return. Answers how many.
   */
  readonly invalidateAll: Effect.Effect<number>
  /**
   * Closes the pool: idle items go, those in use are waited for and, shortly before the deadline, destroyed in their
   * holders' hands. Every caller gets the same report, by the earliest of their deadlines; that of the scope that the pool
   * drains with is one, and that of a process that shuts down. The drain does not wait for the use that it is called in,
   * nor for what its own fiber got for a scope, which is destroyed.
   */
  readonly drain: (options?: DrainOptions) => Effect.Effect<PoolReport>
  readonly snapshot: Effect.Effect<PoolSnapshot>
  /** Waits for `minSize` items; fails as soon as one of them cannot be created. */
  readonly awaitReady: Effect.Effect<void, PoolCreationFailed<E> | PoolClosed>
  /** What happens from now on. A listener that is slow loses the oldest of 1,024 events. */
  readonly events: Stream.Stream<PoolEvent>
}

/** What making a pool needs and can fail with. */
type Made<A, E, R> = Effect.Effect<ResourcePool<A, E>, PatinoxError.Validation, R>
type Env<R> = Exclude<R, Scope.Scope> | Scope.Scope | ResourceRegistry.ResourceRegistry

/** How an item is created: by an effect, or by a function of the item's own handle that gives one. */
export type Create<A, E, R> = Effect.Effect<A, E, R> | ((handle: ItemHandle) => Effect.Effect<A, E, R>)

const makeNamed = <A, E>(
  create: Create<A, E, any>,
  options: PoolOptions<A, any, any, any, any>,
  name: string
): Made<A, E, any> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const workshop = yield* prepare(options, name)
    // A Tag is an effect, and a function.
    const given = Effect.isEffect(create) ? () => create : create
    return yield* started(workshop.build(given, workshop.options.name))
  }))

/** With the scope at hand, in the time limit of a drain and within that of the scope. */
const drainingWith = (
  { drain }: { readonly drain: (options: DrainOptions) => Effect.Effect<unknown> },
  drainTimeout: number,
  runtime: AppRuntime<never>
) => {
  const draining = Effect.uninterruptible(
    withFiber((fiber) => drain({ timeout: ownTime(fiber, runtime, drainTimeout) }))
  )
  return Effect.flatMap(Effect.scope, (scope) => Scope.addFinalizerExit(scope, limitsItself(() => draining)))
}

/** It drains when the scope at hand closes, and begins to fill. */
const started = <A, E>(pool: Pool<A, E>): Effect.Effect<ResourcePool<A, E>, never, Scope.Scope> => {
  const made = publicOf(pool)
  return Effect.map(drainingWith(made, pool.options.drainTimeout, pool.context.runtime as AppRuntime<never>), () => {
    pool.state.grow(pool.context.timers.now())
    return made
  })
}

/**
 * A pool that lives as long as the scope at hand, and drains when that closes. `create` may be a scoped effect: what it
 * adds to its scope is released when the item is destroyed. A bad option fails with a `Validation` that names the option,
 * the value and the range, before anything is created.
 *
 * ```ts
 * import { ResourceRegistry } from "@patinox/core"
 * import { ResourcePool } from "@patinox/pool"
 * import { Effect } from "effect"
 *
 * let opened = 0
 * const connect = Effect.sync(() => ({ query: (sql: string) => `${sql} on connection`, number: ++opened }))
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* ResourcePool.make(connect, { name: "database", maxSize: 2 })
 *   const query = (sql: string) => pool.use((connection) => Effect.succeed(connection.query(sql)))
 *   return yield* Effect.forEach(["select 1", "select 2", "select 3"], query, { concurrency: "unbounded" })
 * })
 * const rows = await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(ResourceRegistry.layer)))
 * console.log(rows.length, opened) // => 3 2
 * ```
 */
export const make = <A, E, R, RD = never, RV = never, RR = never, RK = never>(
  create: Create<A, E, R>,
  options: PoolOptions<A, RD, RV, RR, RK> = {}
): Made<A, E, Env<R | RD | RV | RR | RK>> => makeNamed(create, options, "pool")

/** As `make`, as a layer; its name is the Tag's key, unless given. */
export const layer = <I, A, E, R, RD = never, RV = never, RR = never, RK = never>(
  tag: Context.Tag<I, ResourcePool<A, E>>,
  create: Create<A, E, R>,
  options: PoolOptions<A, RD, RV, RR, RK> = {}
): Layer.Layer<
  I,
  PatinoxError.Validation,
  Exclude<R | RD | RV | RR | RK, Scope.Scope> | ResourceRegistry.ResourceRegistry
> => Layer.scoped(tag, makeNamed(create, options, tag.key)) as Layer.Layer<I, PatinoxError.Validation, any>

// --- keyed ----------------------------------------------------------------------------------------------------------

/** Options of pools by key: those of each pool, and when a key's pool goes. */
export interface KeyedOptions<in A, RD = never, RV = never, RR = never, RK = never>
  extends PoolOptions<A, RD, RV, RR, RK>
{
  /** The pool of a key is drained when it has not been used for so long. Default 10 minutes. */
  readonly keyIdleTimeout?: Duration.DurationInput
}

/** A pool for each key. Keys are compared by `Equal`. */
export interface KeyedPool<in out K, out A, out E = never> {
  readonly name: string
  readonly get: (key: K) => Effect.Effect<A, PoolError<E>, Scope.Scope>
  readonly lease: (key: K, options?: BorrowOptions) => Effect.Effect<Lease<A>, PoolError<E>, Scope.Scope>
  readonly use: <B, E2, R2>(
    key: K,
    f: (item: A, lease: Lease<A>) => Effect.Effect<B, E2, R2>,
    options?: BorrowOptions
  ) => Effect.Effect<B, E2 | PoolError<E>, R2>
  readonly tryGet: (key: K) => Effect.Effect<A, PoolError<E>, Scope.Scope>
  readonly tryUse: <B, E2, R2>(
    key: K,
    f: (item: A, lease: Lease<A>) => Effect.Effect<B, E2, R2>
  ) => Effect.Effect<B, E2 | PoolError<E>, R2>
  /** Those that have a pool now. */
  readonly keys: Effect.Effect<ReadonlyArray<K>>
  readonly snapshot: Effect.Effect<ReadonlyArray<readonly [key: K, snapshot: PoolSnapshot]>>
  /** What happens to any of the pools, each event with its pool's name; the last is the `Closed` of all together. */
  readonly events: Stream.Stream<PoolEvent>
  /** As of a pool, in all of them. */
  readonly invalidate: (item: unknown) => Effect.Effect<boolean>
  readonly invalidateAll: Effect.Effect<number>
  /** Drains every pool, side by side. */
  readonly drain: (options?: DrainOptions) => Effect.Effect<ReadonlyArray<PoolReport>>
}

/**
 * Pools by key, each made when its key is first used, all drained when the scope at hand closes. The sizes are those of
 * each pool; its name is the keyed pool's with the key.
 *
 * ```ts
 * import { ResourceRegistry } from "@patinox/core"
 * import { ResourcePool } from "@patinox/pool"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const pools = yield* ResourcePool.keyed((tenant: string) => Effect.succeed({ tenant }), { name: "tenants" })
 *   const first = yield* pools.use("blue", ({ tenant }) => Effect.succeed(tenant))
 *   const second = yield* pools.use("green", ({ tenant }) => Effect.succeed(tenant))
 *   return [first, second, yield* pools.keys]
 * })
 * const run = Effect.scoped(program).pipe(Effect.provide(ResourceRegistry.layer))
 * console.log(await Effect.runPromise(run)) // => [ 'blue', 'green', [ 'blue', 'green' ] ]
 * ```
 */
export const keyed = <K, A, E, R, RD = never, RV = never, RR = never, RK = never>(
  create: (key: K, handle: ItemHandle) => Effect.Effect<A, E, R>,
  options: KeyedOptions<A, RD, RV, RR, RK> = {}
): Effect.Effect<KeyedPool<K, A, E>, PatinoxError.Validation, Env<R | RD | RV | RR | RK>> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const keyIdleTimeout = readOptions(() => checkDuration("keyIdleTimeout", options.keyIdleTimeout ?? "10 minutes"))
    if (keyIdleTimeout instanceof Validation) return yield* Effect.fail(keyIdleTimeout)
    const events = new EventHub<PoolEvent>(({ _tag, pool }) => _tag === "Closed" && pool === keyed.name)
    const { build, capture, options: resolved, runtime, timers } = yield* prepare(options, "pool", events)
    const { name } = resolved
    const keyed: KeyedPool<K, A, E> = makeKeyed({
      name,
      keyIdleTimeout,
      drainDefaults: resolved,
      events,
      timers,
      runtime,
      capture,
      makePool: (key) => {
        const pool = build((handle) => create(key, handle), `${name}/${Text.unknown(key)}`)
        pool.state.grow(timers.now())
        return { pool, made: publicOf(pool) }
      }
    })
    yield* drainingWith(keyed, resolved.drainTimeout, runtime as AppRuntime<never>)
    return keyed
  })) as Effect.Effect<KeyedPool<K, A, E>, PatinoxError.Validation, any>

// --- outside of Effect ----------------------------------------------------------------------------------------------

/** How a single borrow by promise differs from the pool's. */
export interface PromiseBorrowOptions extends BorrowOptions {
  /** Aborted, it ends the waiting with its reason; an item that was lent already is kept. */
  readonly signal?: AbortSignal
}

/**
 * A pool for code that knows promises only. Rejections are the errors themselves: `PoolTimeout` and the others, and a
 * `Validation` for a bad option.
 */
export interface PromisePool<A> {
  /** An item, to be given to `release` or `destroy` later. */
  readonly acquire: (options?: PromiseBorrowOptions) => Promise<A>
  /** Takes an item back; rejects where it was not lent. */
  readonly release: (item: A) => Promise<void>
  /** Takes a bad item back, to destroy it. */
  readonly destroy: (item: A) => Promise<void>
  /** An item for the callback; what that rejects with is what this does. */
  readonly use: <B>(f: (item: A) => B | PromiseLike<B>, options?: PromiseBorrowOptions) => Promise<B>
  /** The item is dead, idle or not; answers whether the pool has it. */
  readonly invalidate: (item: A) => Promise<boolean>
  /** Distrusts everything made before now; answers how many. */
  readonly invalidateAll: () => Promise<number>
  readonly drain: (options?: DrainOptions) => Promise<PoolReport>
}

/** The form of `toPromisePool`. */
export interface ToPromisePool {
  (runtime: AppRuntime<never> | Runner): <A, E>(pool: ResourcePool<A, E>) => PromisePool<A>
  <A, E>(pool: ResourcePool<A, E>, runtime: AppRuntime<never> | Runner): PromisePool<A>
}

/**
 * The pool with promises, for code outside of Effect, run by the runtime given: a `Runtime`, or a `ManagedRuntime`.
 *
 * ```ts
 * import { ResourceRegistry } from "@patinox/core"
 * import { ResourcePool } from "@patinox/pool"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* ResourcePool.make(Effect.succeed({ query: async (sql: string) => `rows of ${sql}` }))
 *   const promises = ResourcePool.toPromisePool(pool, yield* Effect.runtime())
 *   return yield* Effect.promise(() => promises.use((connection) => connection.query("select 1")))
 * })
 * const run = Effect.scoped(program).pipe(Effect.provide(ResourceRegistry.layer))
 * console.log(await Effect.runPromise(run)) // => rows of select 1
 * ```
 */
export const toPromisePool: ToPromisePool = (...args: ReadonlyArray<any>): any =>
  args.length > 1
    ? makePromisePool(args[0], args[1])
    : (pool: ResourcePool<unknown, unknown>) => makePromisePool(pool, args[0])
