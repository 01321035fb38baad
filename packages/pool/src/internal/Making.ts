/** Makes pools: options checked, everything that their functions need provided, and what their users see of them. */
import { PatinoxError, type ResourceRegistry } from "@patinox/core"
import { checkDuration, makeTimers, type Timers, wrongChoice } from "@patinox/core/Foundation"
import { Deferred, Effect, Scope } from "effect"
import type { PoolOptions, ResourcePool } from "../ResourcePool.js"
import { Drain } from "./Drain.js"
import { resolve, resolveSizes } from "./Options.js"
import { type Manager, Pool } from "./Pool.js"
import * as Seam from "./Seam.js"

export const publicOf = <A, E>(pool: Pool<A, E>): ResourcePool<A, E> => {
  const { options, state, teller, timers } = pool
  let drain: Drain | undefined
  return {
    name: options.name,
    get get() {
      return Effect.map(pool.hold(undefined), (lease) => lease.value)
    },
    lease: (options) => pool.hold(options),
    use: (f, options) => pool.use(f, options),
    get tryGet() {
      return Effect.map(pool.hold("now"), (lease) => lease.value)
    },
    tryUse: (f) => pool.tryUse(f),
    resize: (sizes) =>
      Effect.suspend(() => {
        const checked = resolveSizes(sizes.minSize ?? state.minSize, sizes.maxSize ?? state.maxSize)
        if (checked instanceof PatinoxError.Validation) return Effect.fail(checked)
        state.resize(checked.minSize, checked.maxSize, timers.now())
        teller.emit(() => ({ _tag: "Resized", ...checked }))
        pool.counted()
        return Effect.void
      }),
    suspend: Effect.sync(() => {
      state.suspend()
      teller.emit(() => ({ _tag: "Suspended" }))
    }),
    resume: Effect.sync(() => {
      state.resume(timers.now())
      teller.emit(() => ({ _tag: "Resumed" }))
      pool.counted()
    }),
    evictIdle: Effect.sync(() => {
      const evicted = state.evictIdle(timers.now(), "evicted")
      pool.counted()
      return evicted
    }),
    drain: (given) =>
      Effect.uninterruptibleMask((restore) =>
        Seam.withFiber((fiber) => {
          const timeout = given?.timeout === undefined ? options.drainTimeout : checkDuration("timeout", given.timeout)
          if (timeout instanceof PatinoxError.Validation) return Effect.die(timeout)
          const mistake = wrongChoice("waiters", given?.waiters, ["fail", "serve"])
          if (mistake !== undefined) return Effect.die(mistake)
          if (drain === undefined) {
            drain = new Drain(pool, timeout, given?.waiters ?? options.drainWaiters, Seam.makeDeferred())
            drain.join(fiber)
            Seam.forkLater(pool.runtime, Effect.andThen(pool.startDraining, drain.run))
          } else drain.join(fiber)
          return restore(Deferred.await(drain.report))
        })
      ),
    snapshot: Effect.sync(() => ({
      name: options.name,
      ...pool.counts(),
      minSize: state.minSize,
      maxSize: state.maxSize,
      state: state.phase === "open" && state.isSuspended ? "suspended" : state.phase,
      creationFailures: state.circuit.failures,
      lastCreationFailure: pool.lastCreationFailure,
      isFailingFast: state.circuit.isOpen,
      holders: pool.leases.all().map((lease) => lease.holder(timers.now()))
    })),
    awaitReady: pool.awaitReady,
    events: teller.stream
  }
}

/** What pools are made of. */
interface Workshop {
  readonly name: string
  readonly timers: Timers
  readonly runtime: Seam.PoolRuntime<ResourceRegistry.ResourceRegistry>
  /** Makes a pool at once. Nothing drains it. */
  readonly build: <A, E>(create: Effect.Effect<A, E, any>, name: string) => Pool<A, E>
}

/** Checks the options, and takes from the fiber at hand what the pools will need. */
export const prepare = <A>(
  given: PoolOptions<A, any, any, any, any>,
  name: string
): Effect.Effect<Workshop, PatinoxError.Validation, any> =>
  Effect.gen(function*() {
    const options = resolve(given, given.keepAlive !== undefined, name)
    if (options instanceof PatinoxError.Validation) return yield* Effect.fail(options)
    const runtime = yield* Effect.runtime<ResourceRegistry.ResourceRegistry>()
    const random = yield* Effect.randomWith(Effect.succeed)
    const timers = yield* makeTimers
    const guards = yield* Scope.make()
    const own = <Args extends ReadonlyArray<unknown>>(
      f: ((...args: Args) => Effect.Effect<unknown, unknown, any>) | undefined
    ) => f && ((...args: Args) => Effect.provide(f(...args), runtime) as Effect.Effect<unknown, unknown>)
    const manager = {
      destroy: own(given.destroy),
      validate: own(given.validate),
      recycle: own(given.recycle),
      keepAlive: own(given.keepAlive),
      invalidateWhen: given.invalidateWhen
    }
    const build = (create: Effect.Effect<unknown, unknown, any>, name: string) =>
      new Pool(
        { ...options, name },
        // An item has a scope of its own, whatever scope there is where the pool is made.
        { ...manager, create: Seam.provideAround(create, runtime) } as Manager<any, any>,
        timers,
        runtime,
        guards,
        () => Effect.runSync(random.next),
        Seam.makeDeferred()
      )
    return { name: options.name, timers, runtime, build: build as Workshop["build"] }
  })
