/** A pool as code with promises sees it, whoever made it: so one body asks the same of a peer and of ours. */

export { times, turn, using, watch } from "../../../../scripts/testing/promised.js"

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
