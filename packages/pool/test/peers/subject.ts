/** A pool as code with promises sees it, whoever made it: so one body asks the same of a peer and of ours. */

/** Waits on the clock that the pool under test runs on. */
export type Sleep = (millis: number) => Promise<void>

export interface Manager<A> {
  readonly create: (sleep: Sleep) => A | Promise<A>
  readonly destroy?: (item: A, sleep: Sleep) => unknown
  readonly validate?: (item: A, sleep: Sleep) => boolean | Promise<boolean>
}

/** In the words of neither. Times are in milliseconds; what is left out is the pool's own default. */
export interface Settings {
  readonly min?: number
  readonly max?: number
  readonly maxWaiting?: number
  readonly acquireTimeout?: number
  readonly createTimeout?: number
  readonly destroyTimeout?: number
  readonly idleTimeout?: number
  /** The pause after a failed creation. */
  readonly retryAfter?: number
  /** Whether a borrower is told at once that creating failed. */
  readonly failFast?: boolean
}

interface AcquireOptions {
  readonly signal?: AbortSignal
  readonly priority?: "High" | "Normal"
}

interface Counts {
  readonly idle: number
  readonly inUse: number
  readonly waiting: number
}

export interface Subject<A> {
  readonly acquire: (options?: AcquireOptions) => Promise<A>
  readonly release: (item: A) => Promise<unknown>
  /** No more borrowers; ends when every item is destroyed. */
  readonly close: () => Promise<unknown>
  readonly counts: () => Counts
  /** How often it has said so. */
  readonly told: () => { readonly creationFailed: number; readonly timedOut: number; readonly destroyFailed: number }
  /** How many timers it holds. */
  readonly timers: () => number
  /** Time goes on, and all who wake have their turns. */
  readonly pass: (millis: number) => Promise<void>
  /** Lets go of everything, however much of it hangs. */
  readonly end: () => Promise<void>
}

/** With what generic-pool has and tarn has not. */
export interface FullSubject<A> extends Subject<A> {
  readonly destroy: (item: A) => Promise<unknown>
  readonly use: <B>(f: (item: A) => Promise<B>) => Promise<B>
  readonly ready: () => Promise<void>
}

export type MakeSubject<S extends "plain" | "full" = "plain"> = <A>(
  manager: Manager<A>,
  settings?: Settings
) => Promise<S extends "full" ? FullSubject<A> : Subject<A>>

/** A pool for the body, which is ended whatever becomes of that. */
export const using = async <P extends { readonly end: () => Promise<void> }, B>(
  making: Promise<P>,
  body: (pool: P) => Promise<B>
): Promise<B> => {
  const pool = await making
  try {
    return await body(pool)
  } finally {
    await pool.end()
  }
}

/** What has become of a promise so far. */
export type Outcome<A> =
  | { readonly state: "pending" }
  | { readonly state: "fulfilled"; readonly value: A }
  | { readonly state: "rejected"; readonly reason: any }

export const watch = <A>(promise: Promise<A>): () => Outcome<A> => {
  let outcome: Outcome<A> = { state: "pending" }
  promise.then(
    (value) => (outcome = { state: "fulfilled", value }),
    (reason: unknown) => (outcome = { state: "rejected", reason })
  )
  return () => outcome
}

export const times = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => i)

/** Lets promises settle. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
