/** Makes pools: options checked, everything that their functions need provided, and what their users see of them. */
import { PatinoxError, type ResourceRegistry } from "@patinox/core"
import {
  type CallSite,
  callSite,
  type EventHub,
  makeTimers,
  nextRandom,
  provideAround,
  readOptions,
  servicesOf,
  UserFunction,
  withFiber,
  withoutSpan
} from "@patinox/core/kernel"
import { Deferred, Effect, Scope } from "effect"
import type { PoolEvent } from "../PoolEvent.js"
import type { PoolOptions, ResourcePool } from "../ResourcePool.js"
import type { ItemHandle } from "./Item.js"
import { Pool, type PoolParts } from "./Pool.js"
import type { PoolManager } from "./PoolManager.js"
import { PoolTotals } from "./PoolMetrics.js"
import { resolve, type ResolvedPool, resolveDrain, resolveSizes } from "./PoolOptions.js"
import type { Capture } from "./state/Vocabulary.js"

export const publicOf = <A, E>(pool: Pool<A, E>): ResourcePool<A, E> => {
  const { context: { options, reporter, timers }, state } = pool
  pool.lifecycle.onRegistryClosed = () => pool.drain({ timeout: options.drainTimeout, waiters: "fail" })
  return {
    name: options.name,
    get get() {
      return Effect.map(pool.lease(undefined), (lease) => lease.value)
    },
    lease: (options) => pool.lease(options),
    use: (f, options) => pool.use(f, options),
    get tryGet() {
      return Effect.map(pool.lease("now"), (lease) => lease.value)
    },
    tryUse: (f) => pool.tryUse(f),
    resize: (sizes) =>
      Effect.suspend(() => {
        const checked = resolveSizes(sizes, state)
        if (checked instanceof PatinoxError.Validation) return Effect.fail(checked)
        state.resize(checked.minSize, checked.maxSize, timers.now())
        reporter.emit(() => ({ _tag: "Resized", ...checked }))
        return Effect.void
      }),
    suspend: Effect.sync(() => {
      state.suspend()
      reporter.emit(() => ({ _tag: "Suspended" }))
    }),
    resume: Effect.sync(() => {
      state.resume(timers.now())
      reporter.emit(() => ({ _tag: "Resumed" }))
    }),
    evictIdle: Effect.sync(() => state.evictIdle(timers.now(), "evicted")),
    invalidate: (item) => Effect.sync(() => pool.invalidate(item)),
    invalidateAll: Effect.sync(() => pool.invalidateAll()),
    drain: (given) =>
      Effect.uninterruptibleMask((restore) =>
        withFiber((fiber) => {
          const checked = resolveDrain(given, options)
          if (checked instanceof PatinoxError.Validation) return Effect.die(checked)
          const draining = pool.drain(checked)
          draining.join(fiber)
          return restore(Deferred.await(draining.report))
        })
      ),
    snapshot: Effect.sync(() => ({
      name: options.name,
      ...pool.errors.counts(),
      checking: pool.hooks.running.size,
      minSize: state.minSize,
      maxSize: state.maxSize,
      state: state.shown,
      creationFailures: state.circuit.failures,
      lastCreationFailure: pool.failures.last,
      isFailingFast: state.isFailingFast,
      holders: pool.leases.all().map((lease) => lease.holder(timers.now()))
    })),
    awaitReady: pool.awaitReady,
    events: reporter.stream
  }
}

/** What pools are made of. */
interface Workshop extends PoolParts {
  readonly options: ResolvedPool
  /** Makes a pool at once. Nothing drains it. */
  readonly build: <A, E>(create: (handle: ItemHandle) => Effect.Effect<A, E, any>, name: string) => Pool<A, E>
}

const sampleEvery = 128

const capturing = (captureStacks: Capture) => {
  let calls = 0
  return (): CallSite | undefined =>
    captureStacks === "all" || (captureStacks === "sampled" && calls++ % sampleEvery === 0)
      ? callSite(true, true)
      : undefined
}

const functionsOf = <A>(
  { destroy, forceDestroy, invalidateWhen, keepAlive, recycle, validate }: PoolOptions<A, any, any, any, any>
) => ({ destroy, forceDestroy, invalidateWhen, keepAlive, recycle, validate })

/** Checks the options, and takes from the fiber at hand what the pools will need. */
export const prepare = <A>(
  given: PoolOptions<A, any, any, any, any>,
  name: string,
  events?: EventHub<PoolEvent>
): Effect.Effect<Workshop, PatinoxError.Validation, any> =>
  Effect.gen(function*() {
    const functions = readOptions(() => functionsOf(given))
    if (functions instanceof PatinoxError.Validation) return yield* Effect.fail(functions)
    const options = resolve(given, functions.keepAlive !== undefined, name)
    if (options instanceof PatinoxError.Validation) return yield* Effect.fail(options)
    const runtime = withoutSpan(yield* Effect.runtime<ResourceRegistry.ResourceRegistry>())
    const random = yield* Effect.randomWith(Effect.succeed)
    const parts: PoolParts = {
      timers: yield* makeTimers,
      runtime,
      guards: yield* Scope.make(),
      random: () => nextRandom(random),
      totals: PoolTotals.of(options.name),
      events,
      capture: capturing(options.captureStacks)
    }
    const own = <Args extends ReadonlyArray<unknown>>(
      f: ((...args: Args) => Effect.Effect<unknown, unknown, any>) | undefined
    ) =>
      f && ((...args: Args) =>
        // What it opens for its own sake is closed at its end, and not with the scope that the pool was made in.
        Effect.provide(Effect.scoped(f(...args)), servicesOf(runtime)) as Effect.Effect<unknown, unknown>)
    const manager = {
      destroy: own(functions.destroy),
      forceDestroy: own(functions.forceDestroy),
      validate: own(functions.validate),
      recycle: own(functions.recycle),
      keepAlive: own(functions.keepAlive),
      invalidateWhen: functions.invalidateWhen
    }
    const build = (create: (handle: ItemHandle) => Effect.Effect<unknown, unknown, any>, name: string) =>
      new Pool(
        { ...options, name },
        // An item has a scope of its own, whatever scope there is where the pool is made.
        {
          ...manager,
          create: (note, handle) =>
            provideAround(
              Effect.flatMap(UserFunction.effect(() => create(handle)), (value) => note(value)),
              runtime
            )
        } as PoolManager<any, any>,
        parts
      )
    return { ...parts, options, build: build as Workshop["build"] }
  })
