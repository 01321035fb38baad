/** A cache as code with promises sees it, whoever made it: so one body asks the same of lru-cache and of ours. */
import type { ResourceCache } from "../../src/index.js"

export { times, turn, using, watch } from "../../../../scripts/testing/promised.js"

/** Waits on the clock that the cache under test runs on. */
type Sleep = (millis: number) => Promise<void>

interface Inside {
  readonly sleep: Sleep
  /** Aborted when nobody wants the value any more. */
  readonly signal: AbortSignal
}

/** In the words of neither. Times are in milliseconds; what is left out is not wanted. */
export interface Settings<K, A> {
  readonly lookup?: (key: K, inside: Inside) => A | Promise<A>
  readonly max?: number
  readonly maxWeight?: number
  readonly weigh?: (value: A, key: K) => number
  /** For all, or for each when it comes. */
  readonly ttl?: number | ((key: K, value: A) => number)
  /** Since it was last asked for. */
  readonly idle?: number
  /** For how long an expired value is given: lru-cache knows only whether. */
  readonly staleWhileLooking?: number
  readonly staleOnError?: number
  readonly release?: (value: A, key: K) => unknown
  /** Called when a value has left, and may call the cache. */
  readonly onRemoval?: (key: K, value: A, cache: Subject<K, A>) => unknown
}

type Removed<K, A> = readonly [key: K, value: A, reason: ResourceCache.RemovalReason]

export interface Subject<K, A> {
  /** Looks it up where it is not there. */
  readonly ask: (key: K, signal?: AbortSignal) => Promise<A>
  /** For as long as the callback takes. */
  readonly use: <B>(key: K, f: (value: A) => Promise<B>) => Promise<B>
  readonly present: (key: K) => Promise<A | undefined>
  readonly set: (key: K, value: A) => Promise<unknown>
  readonly remove: (key: K) => Promise<boolean>
  readonly clear: () => Promise<unknown>
  readonly refresh: (key: K) => Promise<unknown>
  /** A look at what is there, which is no use of it; in no order. */
  readonly keys: () => Promise<ReadonlyArray<K>>
  readonly size: () => number
  readonly weight: () => number
  /** What has left so far, and why. */
  readonly removed: ReadonlyArray<Removed<K, A>>
  /** How many timers it holds. */
  readonly timers: () => number
  /** Time goes on, and all who wake have their turns. */
  readonly pass: (millis: number) => Promise<void>
  readonly end: () => Promise<void>
}

export type MakeSubject = <K extends {}, A extends {}>(settings: Settings<K, A>) => Promise<Subject<K, A>>

/** One after the other. */
export const repeat = async (n: number, f: () => Promise<unknown>): Promise<void> => {
  for (let i = 0; i < n; i++) await f()
}
