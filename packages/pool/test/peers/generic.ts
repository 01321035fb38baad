/** generic-pool as a subject, on timers that are moved by hand. */
import { createPool, type Factory, type Options } from "generic-pool"
import { vi } from "vitest"
import { isOurTimeout, makeOurs } from "./ours.js"
import { type FullSubject, type MakeSubject, type Manager, type Settings, turn } from "./subject.js"

const faked = ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] as const

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const optionsOf = (settings: Settings, testsOnBorrow: boolean): Options => {
  const { acquireTimeout, destroyTimeout, idleTimeout, max, maxWaiting, min } = settings
  const given = {
    min,
    max,
    maxWaitingClients: maxWaiting,
    acquireTimeoutMillis: acquireTimeout,
    destroyTimeoutMillis: destroyTimeout,
    idleTimeoutMillis: idleTimeout,
    // As often as its own tests look.
    evictionRunIntervalMillis: idleTimeout === undefined ? undefined : 10,
    testOnBorrow: testsOnBorrow,
    priorityRange: 2
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

const isTimeout = (error: unknown): boolean => error instanceof Error && error.name === "TimeoutError"

export const genericPool = async <A>(manager: Manager<A>, settings: Settings = {}): Promise<FullSubject<A>> => {
  const { create, destroy, validate } = manager
  vi.useFakeTimers({ toFake: [...faked] })
  // As its users write them: what does not return a promise is taken for its result.
  const factory = {
    create: () => create(sleep),
    destroy: (item: A) => destroy?.(item, sleep),
    ...validate && { validate: (item: A) => validate(item, sleep) }
  } as unknown as Factory<A>
  const pool = createPool<A>(factory, optionsOf(settings, validate !== undefined))
  const told = { creationFailed: 0, timedOut: 0, destroyFailed: 0 }
  pool.on("factoryCreateError", () => told.creationFailed++)
  pool.on("factoryDestroyError", () => told.destroyFailed++)
  return {
    acquire: async (options) => {
      const acquiring = pool.acquire(options?.priority === "High" ? 0 : 1)
      // It tells its borrowers only.
      acquiring.catch((error) => isTimeout(error) && told.timedOut++)
      return acquiring
    },
    release: async (item) => pool.release(item),
    destroy: async (item) => pool.destroy(item),
    use: async (f) => pool.use(f),
    ready: async () => pool.ready(),
    close: async () => {
      await pool.drain()
      await pool.clear()
    },
    counts: () => ({ idle: pool.available, inUse: pool.borrowed, waiting: pool.pending }),
    told: () => told,
    timers: () => vi.getTimerCount(),
    pass: async (millis) => {
      await vi.advanceTimersByTimeAsync(millis)
      await turn()
    },
    end: async () => {
      vi.clearAllTimers()
      vi.useRealTimers()
    }
  }
}

/** A drain that serves who waits, as that of generic-pool. */
export const ours = makeOurs({ drainWaiters: "serve" })

/** Those that are asked the same. */
export const pools: Record<
  string,
  { readonly make: MakeSubject<"full">; readonly isTimeout: (error: unknown) => boolean }
> = {
  "generic-pool": { make: genericPool, isTimeout },
  ours: { make: ours, isTimeout: isOurTimeout }
}
