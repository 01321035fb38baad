/** A load: its callers, and how far it is. */
import type { CurrentFiber, Deadline } from "@patinox/core/kernel"
import type { CacheEntry } from "./CacheEntry.js"
import * as Aging from "./Expiry.js"
import type { Keyed } from "./KeyMap.js"
import type { LoadPhase } from "./Vocabulary.js"

/** A caller that waits for a load. */
export interface LoadRequester<K, A, E> {
  /** Whether an old value will do where the load fails. A caller that wants a new value joins no load that runs. */
  readonly takesOld: boolean
  /** A value that has to be released is in use by this caller from now on. */
  serve(entry: CacheEntry<K, A, E>): void
  /** It has been served, and goes on: it may look at what has become of everything. */
  goOn(): void
  refuse(): void
}

/** What holds the places of a cache. */
export interface Places {
  readonly running: Iterable<Load<any, any, any>>
  readonly retired: Iterable<CacheEntry<any, any, any>>
  readonly releasing: Iterable<CacheEntry<any, any, any>>
  cached(): Iterable<CacheEntry<any, any, any>>
}

/** The user's lookup at work. A load that was abandoned, and is wanted, makes another attempt. */
export class Attempt<K, A, E> {
  fiber: CurrentFiber | undefined = undefined
  /** When it has to end, where that is not known from its callers. */
  deadline: Deadline | undefined = undefined
  /** It will be interrupted once all are unwanted that run with it. */
  isUnwanted = false
  /** It did not end in time: no caller gets what it gives. */
  isAbandoned = false
  /** Those that one call looks up, this one included. */
  together: ReadonlyArray<Attempt<K, A, E>> = [this]
  readonly startedAt: number

  constructor(readonly load: Load<K, A, E>) {
    this.startedAt = load.startedAt
  }
}

export class Load<K, A, E> implements Keyed<K> {
  readonly key: K
  readonly hash: number
  phase: LoadPhase = "queued"
  readonly callers = new Set<LoadRequester<K, A, E>>()
  /**
   * The key was given another value, or none, since this began: what it gives is only for the callers that it had by
   * then.
   */
  isDetached = false
  /** The user's lookup was called: what it gives may be from before anything that happens now. */
  hasAsked = false
  /** It has failed, or taken too long for a caller that was given the old value. */
  hasFailed = false
  /** It counts among the entries. */
  takesRoom = false
  startedAt = 0
  attempt: Attempt<K, A, E> | undefined = undefined
  /** The load that begins when this one has ended, for callers that want what is new by now. */
  next: Load<K, A, E> | undefined = undefined
  /** Loads that callers inside of this one wait for, and how many of them do. */
  readonly pending = new Map<Load<any, any, any>, number>()

  constructor(
    { hash, key }: Keyed<K>,
    /** The value that is there meanwhile, and will be replaced. */
    public old: CacheEntry<K, A, E> | undefined,
    /** The fiber of the first caller: the load has its FiberRefs and span. */
    readonly origin: CurrentFiber,
    /** Where it has a place, or waits for one. */
    readonly owner: Places
  ) {
    this.key = key
    this.hash = hash
  }

  /** A caller inside of this one waits for the other, or, with -1, no longer does. */
  waits(other: Load<any, any, any>, by: 1 | -1): void {
    const waiting = (this.pending.get(other) ?? 0) + by
    if (waiting === 0) this.pending.delete(other)
    else this.pending.set(other, waiting)
  }

  /** Whether it is, or waits for, over any number of steps, the other. */
  waitsFor(other: Load<any, any, any>, seen = new Set<Load<any, any, any>>()): boolean {
    if (this === other) return true
    if (seen.has(this)) return false
    seen.add(this)
    return [...this.pending.keys()].some((next) => next.waitsFor(other, seen))
  }

  /** The next attempt comes after a pause: once for a load, however many callers it keeps waiting for too long. */
  failedFor(old: CacheEntry<K, A, E>, limits: Aging.AgeLimits, now: number): void {
    if (this.hasFailed) return
    this.hasFailed = true
    old.lookAt = Aging.nextLook(old, limits, now)
    old.failures++
  }
}
