/** tarn as a subject, on timers that are moved by hand. */
import { Pool, TimeoutError } from "tarn"
import { vi } from "vitest"
import { isOurTimeout, ours } from "./ours.js"
import type { MakeSubject, Manager, Settings, Subject } from "./subject.js"

const faked = ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] as const

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

type Options = ConstructorParameters<typeof Pool>[0]

const optionsOf = (settings: Settings) => {
  const { acquireTimeout, createTimeout, destroyTimeout, failFast, idleTimeout, max = 10, min = 0, retryAfter } =
    settings
  const given = {
    min,
    max,
    acquireTimeoutMillis: acquireTimeout,
    createTimeoutMillis: createTimeout,
    destroyTimeoutMillis: destroyTimeout,
    idleTimeoutMillis: idleTimeout,
    // As often as its own tests look.
    reapIntervalMillis: idleTimeout === undefined ? undefined : 10,
    createRetryIntervalMillis: retryAfter,
    propagateCreateError: failFast
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as unknown as Options
}

export const tarn = async <A>(
  { create, destroy, validate }: Manager<A>,
  settings: Settings = {}
): Promise<Subject<A>> => {
  vi.useFakeTimers({ toFake: [...faked] })
  const pool = new Pool<A>({
    ...optionsOf(settings),
    create: () => create(sleep),
    destroy: (item) => destroy?.(item, sleep),
    // It takes promises; its types say otherwise.
    ...validate && { validate: (item: A) => validate(item, sleep) as boolean }
  })
  // It clears its interval through the module `timers`, which does not reach these.
  let reaping = 0
  pool.on("startReaping", () => reaping++)
  pool.on("stopReaping", () => reaping--)
  const told = { creationFailed: 0, timedOut: 0, destroyFailed: 0 }
  pool.on("createFail", () => told.creationFailed++)
  pool.on("acquireFail", (_, error) => error instanceof TimeoutError && told.timedOut++)
  pool.on("destroyFail", () => told.destroyFailed++)
  return {
    acquire: async (options) => {
      const acquiring = pool.acquire()
      options?.signal?.addEventListener("abort", () => acquiring.abort())
      return acquiring.promise
    },
    release: async (item) => pool.release(item),
    close: () => pool.destroy(),
    counts: () => ({ idle: pool.numFree(), inUse: pool.numUsed(), waiting: pool.numPendingAcquires() }),
    told: () => told,
    timers: () => reaping,
    pass: async (millis) => {
      await vi.advanceTimersByTimeAsync(millis)
    },
    end: async () => {
      vi.clearAllTimers()
      vi.useRealTimers()
    }
  }
}

/** Those that are asked the same. */
export const pools: Record<string, { readonly make: MakeSubject; readonly isTimeout: (error: unknown) => boolean }> = {
  tarn: { make: tarn, isTimeout: (error) => error instanceof TimeoutError },
  ours: { make: ours, isTimeout: isOurTimeout }
}
