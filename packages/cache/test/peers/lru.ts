/** lru-cache as a subject, on a clock that is moved by hand. */
import { VirtualClock } from "@patinox/vitest"
import { Duration, Effect } from "effect"
import { LRUCache } from "lru-cache"
import { type MakeSubject, type Settings, type Subject, turn } from "./subject.js"

const reasons = {
  evict: "evicted",
  set: "replaced",
  delete: "invalidated",
  expire: "expired",
  fetch: "failed"
} as const

/** Its word for never is 0. */
const ttlOf = (millis: number) => millis === Infinity ? 0 : millis

export const lru: MakeSubject = async <K extends {}, A extends {}>(settings: Settings<K, A>) => {
  const { idle, lookup, maxWeight, onRemoval, release, staleOnError, staleWhileLooking, ttl, weigh } = settings
  const { clock, now, pass, sleepers } = VirtualClock.make()
  const sleep = (millis: number) => Effect.runPromise(clock.sleep(Duration.millis(millis)))
  const each = typeof ttl === "function" ? ttl : undefined
  const removed: Array<Subject<K, A>["removed"][number]> = []
  const cache: LRUCache<K, A> = new LRUCache<K, A>({
    max: settings.max ?? 1_000,
    // At 0 it takes an entry for one without a time.
    perf: { now: () => now() + 1 },
    ttlResolution: 0,
    ...typeof ttl === "number" && { ttl },
    ...idle !== undefined && { ttl: idle, updateAgeOnGet: true },
    ...maxWeight !== undefined && { maxSize: maxWeight },
    ...weigh && { sizeCalculation: weigh },
    ...staleWhileLooking !== undefined && { allowStale: true },
    ...staleOnError !== undefined && { allowStaleOnFetchRejection: true, noDeleteOnFetchRejection: true },
    ...lookup && {
      fetchMethod: async (key: K, _: A | undefined, { options, signal }: LRUCache.FetcherOptions<K, A>) => {
        const value = await lookup(key, { sleep, signal })
        if (each) options.ttl = ttlOf(each(key, value))
        return value
      }
    },
    dispose: (value: A, key: K, reason: keyof typeof reasons) => {
      removed.push([key, value, reasons[reason]])
      release?.(value, key)
    },
    disposeAfter: (value: A, key: K) => {
      onRemoval?.(key, value, subject)
    }
  })
  const subject: Subject<K, A> = {
    ask: async (key, signal) => (await cache.fetch(key, { ...signal && { signal } }))!,
    use: async (key, f) => f((await cache.fetch(key))!),
    present: async (key) => cache.get(key),
    set: async (key, value) => cache.set(key, value, each && { ttl: ttlOf(each(key, value)) }),
    remove: async (key) => cache.delete(key),
    clear: async () => cache.clear(),
    refresh: async (key) => cache.fetch(key, { forceRefresh: true, allowStale: false }),
    keys: async () => [...cache.keys()],
    size: () => cache.size,
    weight: () => cache.calculatedSize,
    removed,
    timers: sleepers,
    pass: (millis) => Effect.runPromise(pass(millis, Effect.promise(turn))),
    end: async () => {}
  }
  return subject
}
