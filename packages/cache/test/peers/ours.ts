/** Our caches as subjects, run for promises on a clock that is moved by hand. */
import { VirtualClock } from "@patinox/vitest"
import { Duration, Effect, Exit, Layer, ManagedRuntime, type Option, Scope } from "effect"
import { ResourceCache } from "../../src/index.js"
import { quietly, turns } from "../kit.js"
import { type MakeSubject, type Settings, type Subject, turn } from "./subject.js"

const call = <B>(f: (signal: AbortSignal) => B | Promise<B>) =>
  Effect.tryPromise({ try: async (signal) => f(signal), catch: (error) => error })

/** Only what is given. */
const optionsOf = <K, A>(
  { idle, max, maxWeight, release, staleOnError, staleWhileLooking, ttl, weigh }: Settings<K, A>
): ResourceCache.CacheOptions<K, A, unknown> => {
  const given: { readonly [Name in keyof ResourceCache.CacheOptions<K, A, unknown>]: unknown } = {
    maxEntries: max,
    maxWeight,
    weigher: weigh,
    timeToIdle: idle,
    staleWhileRevalidate: staleWhileLooking,
    staleOnError,
    timeToLive: typeof ttl !== "function"
      ? ttl
      : (key: K, exit: Exit.Exit<A, unknown>) => Exit.isSuccess(exit) ? ttl(key, exit.value) : 0,
    release: release && ((value: A, key: K) => call(() => release(value, key)))
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

const makeSubject = (isPlain: boolean): MakeSubject => async <K, A>(settings: Settings<K, A>) => {
  const { clock, pass: passing, sleepers } = VirtualClock.make()
  const runtime = ManagedRuntime.make(Layer.provideMerge(quietly, Layer.setClock(clock)))
  const scope = Effect.runSync(Scope.make())
  const settle = Effect.andThen(turns, Effect.promise(turn))
  const sleep = (millis: number) => Effect.runPromise(clock.sleep(Duration.millis(millis)))
  const pass = (millis: number) => Effect.runPromise(passing(millis, settle))
  const run = async <B>(effect: Effect.Effect<B, unknown>, signal?: AbortSignal) => {
    const exit = await runtime.runPromiseExit(effect, { signal })
    // Listeners and releases go on beside; there they have ended by now.
    await Effect.runPromise(turns)
    if (Exit.isSuccess(exit)) return exit.value
    throw Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : exit.cause
  }
  const removed: Array<Subject<K, A>["removed"][number]> = []
  const lookup = (key: K) => call((signal) => settings.lookup!(key, { sleep, signal }))
  const options: ResourceCache.CacheOptions<K, A, unknown> = {
    ...optionsOf(settings),
    onRemoval: ({ key, reason, value }) => {
      removed.push([key, value, reason])
      return call(() => settings.onRemoval?.(key, value, subject))
    }
  }
  const shared = Effect.map(ResourceCache.make(lookup, options), (cache) => ({
    ...cache,
    ask: (key: K) => cache.use(key, Effect.succeed),
    use: <B>(key: K, f: (value: A) => Effect.Effect<B, unknown>): Effect.Effect<B, unknown> => cache.use(key, f),
    present: (key: K): Effect.Effect<Option.Option<A>> => Effect.scoped(cache.getIfPresent(key))
  }))
  const plain = Effect.map(ResourceCache.plain(lookup, options), (cache) => ({
    ...cache,
    ask: cache.get,
    use: <B>(key: K, f: (value: A) => Effect.Effect<B, unknown>): Effect.Effect<B, unknown> =>
      Effect.flatMap(cache.get(key), f),
    present: cache.getIfPresent
  }))
  const making: Effect.Effect<Effect.Effect.Success<typeof shared | typeof plain>, unknown, any> = isPlain
    ? plain
    : shared
  const cache = await runtime.runPromise(Scope.extend(making, scope))
  const subject: Subject<K, A> = {
    ask: (key, signal) => run(cache.ask(key), signal),
    use: (key, f) => run(cache.use(key, (value) => call(() => f(value)))),
    present: (key) => run(Effect.map(cache.present(key), (found) => found._tag === "Some" ? found.value : undefined)),
    set: (key, value) => run(cache.set(key, value)),
    remove: (key) => run(cache.invalidate(key)),
    clear: () => run(cache.invalidateAll),
    refresh: (key) => run(cache.refresh(key)),
    keys: () => run(cache.keys),
    size: () => Effect.runSync(cache.stats).entries,
    weight: () => Effect.runSync(cache.stats).weight,
    removed,
    timers: sleepers,
    pass,
    end: async () => {
      await Promise.all([Effect.runPromise(Scope.close(scope, Exit.void)), pass(60_000)])
      await Promise.all([runtime.dispose(), pass(60_000)])
    }
  }
  return subject
}

/** Values with counted uses. */
export const ours = makeSubject(false)

/** Values that need no release. */
export const oursPlain = makeSubject(true)
