/** Our pool as a subject: `ResourcePool.toPromisePool`, on a clock that is moved by hand. */
import { VirtualClock } from "@patinox/vitest"
import { Duration, Effect, Exit, Layer, ManagedRuntime, Scope } from "effect"
import { PoolError, ResourcePool } from "../../src/index.js"
import { listen, quietly, turns } from "../kit.js"
import { type FullSubject, type Manager, type Settings, turn } from "./subject.js"

/** Only what is given. */
const optionsOf = (settings: Settings): ResourcePool.PoolSettings => {
  const { acquireTimeout, createTimeout, destroyTimeout, failFast, idleTimeout, max, maxWaiting, min, retryAfter } =
    settings
  const given: { readonly [Name in keyof ResourcePool.PoolSettings]: ResourcePool.PoolSettings[Name] | undefined } = {
    minSize: min,
    maxSize: max,
    createConcurrency: max,
    maxWaiters: maxWaiting,
    acquireTimeout,
    createTimeout,
    destroyTimeout,
    idleTimeout,
    backoffFrom: retryAfter,
    failFastAfter: failFast === true ? 1 : undefined
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

export const makeOurs =
  (more: ResourcePool.PoolOptions<any> = {}) =>
  async <A>(manager: Manager<A>, settings: Settings = {}): Promise<FullSubject<A>> => {
    const { clock, pass: passing, sleepers } = VirtualClock.make()
    const runtime = ManagedRuntime.make(Layer.provideMerge(quietly, Layer.setClock(clock)))
    const scope = Effect.runSync(Scope.make())
    const inScope = <B, E>(effect: Effect.Effect<B, E, any>) => runtime.runPromise(Scope.extend(effect, scope))
    const sleep = (millis: number) => Effect.runPromise(clock.sleep(Duration.millis(millis)))
    const call = <B>(f: () => B | Promise<B>) => Effect.tryPromise({ try: async () => f(), catch: (error) => error })
    const { create, destroy, validate } = manager
    const pool = await inScope(ResourcePool.make(call(() => create(sleep)), {
      destroy: (item) => call(() => destroy?.(item, sleep)),
      ...validate && { validate: (item: A) => call(() => validate(item, sleep)) },
      ...optionsOf(settings),
      ...more
    }))
    const events = await inScope(listen(pool))
    const promises = ResourcePool.toPromisePool(pool, await runtime.runtime())
    const settle = Effect.andThen(turns, Effect.promise(turn))
    const pass = (millis: number) => Effect.runPromise(passing(millis, settle))
    const count = (tell: (event: typeof events[number]) => boolean) => events.filter(tell).length
    return {
      ...promises,
      close: () => promises.drain(),
      ready: () => runtime.runPromise(pool.awaitReady),
      counts: () => {
        const { idle, inUse, waiting } = Effect.runSync(pool.snapshot)
        return { idle, inUse, waiting }
      },
      told: () => ({
        creationFailed: count(({ _tag }) => _tag === "CreationFailed"),
        timedOut: count(({ _tag }) => _tag === "TimedOut"),
        destroyFailed: count((event) => event._tag === "Destroyed" && event.error !== undefined)
      }),
      timers: sleepers,
      pass,
      end: async () => {
        await Promise.all([Effect.runPromise(Scope.close(scope, Exit.void)), pass(60_000)])
        await Promise.all([runtime.dispose(), pass(60_000)])
      }
    }
  }

export const ours = makeOurs()

export const isOurTimeout = (error: unknown): boolean => error instanceof PoolError.PoolTimeout
