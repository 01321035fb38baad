/**
 * What a cache knows and decides: its values (`Entries`) and its loads (`Loads`), and what each means for the other.
 * Synchronous decisions over plain data: instants are given, and the ports carry decisions out. Between any two calls
 * the counts are right.
 */
import type { CurrentFiber } from "@patinox/core/kernel"
import type { PolicyState } from "../../CachePolicy.js"
import type { CacheEntry, EntryOwner } from "./CacheEntry.js"
import type { CacheLimits, CachePorts } from "./CachePorts.js"
import { Entries } from "./Entries.js"
import * as Expiry from "./Expiry.js"
import { hashOf } from "./KeyMap.js"
import type { Load, LoadRequester } from "./Load.js"
import { Loads } from "./Loads.js"
import type { Occupancy } from "./Occupancy.js"

/** What of a cache is known when it is made, beside its limits. */
export interface StateOptions {
  /** Default: true. */
  readonly canExpire?: boolean
  /** Default: true. */
  readonly agesIdle?: boolean
  /** Default: what the limits' policy makes. */
  readonly policy?: PolicyState
}

export class CacheState<K, A, E> implements EntryOwner<K, A, E> {
  readonly entries: Entries<K, A, E>
  readonly loads: Loads<K, A, E>
  readonly occupancy: Occupancy
  /** They go on once all of what has happened has been taken up. */
  private served: Array<LoadRequester<K, A, E>> = []

  constructor(
    readonly ports: CachePorts<K, A, E>,
    readonly limits: CacheLimits,
    { agesIdle = true, canExpire = true, policy = limits.policy.make(limits) }: StateOptions = {}
  ) {
    this.entries = new Entries(ports, { limits, policy, canExpire, agesIdle }, (entry) => this.loads.orphan(entry))
    this.loads = new Loads(ports, this.entries, limits.whenFull)
    this.occupancy = this.entries.occupancy
  }

  get isOpen(): boolean {
    return this.loads.isOpen
  }

  // --- a cached value ------------------------------------------------------------------------------------------------

  /**
   * The cached value, where it is good enough; in use from now on, where it has to be released. The way of every hit.
   * Without an origin an old value is not refreshed.
   */
  take(key: K, now: number, origin: CurrentFiber | undefined): CacheEntry<K, A, E> | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined || !this.isGood(entry, now, origin)) return undefined
    this.entries.hit(entry)
    return entry
  }

  private isGood(entry: CacheEntry<K, A, E>, now: number, origin: CurrentFiber | undefined): boolean {
    const { agesIdle, isTimed } = this.entries
    if (agesIdle) {
      if (Expiry.isIdleTooLong(entry, now)) {
        this.expire(entry, now)
        return false
      }
      entry.usedAt = now
    }
    return !isTimed || now < entry.lookAt || this.isGoodAtItsAge(entry, now, origin)
  }

  private isGoodAtItsAge(entry: CacheEntry<K, A, E>, now: number, origin: CurrentFiber | undefined): boolean {
    const verdict = Expiry.verdict(entry, this.limits, now)
    switch (verdict) {
      case "refreshed":
        if (origin !== undefined) this.loads.refresh(entry, origin, now)
        return true
      case "stale":
        return false
      case "useless":
        // Its timer may be a moment late.
        this.expire(entry, now)
        return false
      default:
        return verdict satisfies never
    }
  }

  /** A use of a value has ended. To have looked at it is no use. */
  leave(entry: CacheEntry<K, A, E>, wasUse = true): void {
    if (this.entries.leave(entry)) this.unused(entry, wasUse)
  }

  /** The removal listener is done with the value. */
  heard(entry: CacheEntry<K, A, E>): void {
    if (this.entries.heard(entry)) this.unused(entry, true)
  }

  private unused(entry: CacheEntry<K, A, E>, wasUse: boolean): void {
    const wasCached = entry.status === "cached"
    this.entries.unused(entry, wasUse)
    if (wasCached) {
      this.entries.trim()
      if (this.loads.queued.size > 0) this.loads.makeRoom(this.ports.now())
    }
    this.ports.notifyWaiters()
  }

  /** When the timer of a value has come, or not quite. */
  due(entry: CacheEntry<K, A, E>): void {
    const now = this.ports.now()
    if (entry.status !== "cached") return
    // A timer may fire a fraction of a millisecond before its time.
    if (now + 0.5 < Expiry.dueAt(entry, this.limits)) return this.entries.setTimer(entry)
    this.expire(entry, now)
    this.ports.notifyWaiters()
  }

  private expire(entry: CacheEntry<K, A, E>, now: number): void {
    this.entries.retire(entry, "expired")
    this.loads.makeRoom(now)
  }

  /** The value's release is over, well or not. */
  released(entry: CacheEntry<K, A, E>, now: number): void {
    this.entries.released(entry)
    this.loads.makeRoom(now)
    this.ports.notifyWaiters()
  }

  // --- a load that ends ----------------------------------------------------------------------------------------------

  /** A load has ended with a value, or with a failure that is kept, too. Only then is the entry anywhere. */
  loaded(load: Load<K, A, E>, entry: CacheEntry<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.loads.end(load)
    const isKept = isWorthKeeping && !load.isDetached && this.mayKeep(entry)
    // A refresh is no use; a caller's request for the value is one.
    if (isKept) this.entries.put(entry, [...load.callers].some(({ takesOld }) => takesOld))
    else this.entries.putAside(entry)
    this.serve(load, entry)
    // What was loaded is all that is known of the key, though it is not kept.
    if (!isKept && !load.isDetached && load.old?.status === "cached") this.entries.retire(load.old, "replaced")
    this.finish(entry, now, load)
  }

  /** A load has given the very value that is there: it is as new, and not released for itself. */
  loadedAgain(load: Load<K, A, E>, there: CacheEntry<K, A, E>, given: CacheEntry<K, A, E>, now: number): void {
    this.loads.end(load)
    this.serve(load, there)
    this.renewed(there, given, given.expiresAt > given.writtenAt)
    this.finish(there, now, load)
  }

  /** A load has failed with what is not kept. Callers get that, or the old value where it will do. */
  failed(load: Load<K, A, E>, failure: CacheEntry<K, A, E>, now: number): void {
    const { old } = load
    const isAgain = load.phase === "aborted" && load.callers.size > 0 && this.isOpen
    this.loads.end(load)
    // A value that nothing can be done with is released.
    this.entries.putAside(failure)
    // It was interrupted as it was not wanted, or its time was up; but now it is wanted.
    if (isAgain) this.loads.beginAgain(load, now)
    else if (old?.status === "cached" && !load.isDetached) {
      const isUseless = !this.entries.keeps(old, now)
      for (const caller of load.callers) {
        const given = caller.takesOld && !isUseless ? old : failure
        this.entries.use(given)
        caller.serve(given)
        this.served.push(caller)
      }
      load.callers.clear()
      this.failedFor(load, old, now)
    } else this.serve(load, failure)
    this.finish(failure, now, isAgain ? undefined : load)
  }

  /** There is no new value. The old one stays as long as it is of use. */
  private failedFor(load: Load<K, A, E>, old: CacheEntry<K, A, E>, now: number): void {
    const isUseless = !this.entries.keeps(old, now)
    load.failedFor(old, this.limits, now)
    if (isUseless) this.entries.retire(old, "failed")
  }

  /** A value was loaded that nothing can be done with: the cache, or its registry, is closed. */
  refused(load: Load<K, A, E>, now: number): void {
    this.loads.end(load)
    this.loads.refuse(load)
    this.loads.makeRoom(now)
    this.loads.beginNext(load, now)
    this.ports.notifyWaiters()
  }

  /** A value that came too late for any caller. */
  discard(entry: CacheEntry<K, A, E>, now: number): void {
    this.entries.putAside(entry)
    this.finish(entry, now)
  }

  /** It does not end, and is not waited for any longer: its key and its place are free for others. */
  abandoned(load: Load<K, A, E>, now: number): void {
    const isWanted = load.callers.size > 0 && this.isOpen
    const { old } = load
    this.loads.end(load)
    if (isWanted) {
      this.loads.beginAgain(load, now)
      this.loads.makeRoom(now)
    } else {
      if (old?.status === "cached" && !load.isDetached) this.failedFor(load, old, now)
      this.loads.makeRoom(now)
      this.loads.beginNext(load, now)
    }
    this.ports.notifyWaiters()
  }

  /** A caller's time is up. Gives the old value, in use, where that will do for it. */
  givenOld(caller: LoadRequester<K, A, E>, load: Load<K, A, E>, now: number): CacheEntry<K, A, E> | undefined {
    const { old } = load
    if (!caller.takesOld || old === undefined || !this.entries.keeps(old, now)) return undefined
    load.failedFor(old, this.limits, now)
    this.entries.use(old)
    return old
  }

  private serve(load: Load<K, A, E>, entry: CacheEntry<K, A, E>): void {
    for (const caller of load.callers) {
      this.entries.use(entry)
      caller.serve(entry)
      this.served.push(caller)
    }
    load.callers.clear()
  }

  private mayKeep(entry: CacheEntry<K, A, E>): boolean {
    return this.isOpen && this.entries.fits(entry)
  }

  /** With the load that has ended for good, if one has. */
  private finish(entry: CacheEntry<K, A, E>, now: number, ended?: Load<K, A, E>): void {
    this.entries.releaseUnused(entry)
    this.entries.trim()
    this.loads.makeRoom(now)
    if (ended?.next !== undefined) {
      this.loads.beginNext(ended, now)
      this.entries.trim()
    }
    this.ports.notifyWaiters()
    const { served } = this
    if (served.length === 0) return
    this.served = []
    for (const caller of served) caller.goOn()
  }

  // --- by hand -------------------------------------------------------------------------------------------------------

  /** A value that was not loaded: from now on it is the key's. */
  set(entry: CacheEntry<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.loads.detachLike(entry)
    const old = this.entries.like(entry)
    if (isWorthKeeping && this.mayKeep(entry)) this.entries.put(entry, true)
    else {
      this.entries.putAside(entry)
      if (old !== undefined) this.entries.retire(old, "replaced")
    }
    this.finish(entry, now)
  }

  /** The value that is there was given once more by hand. */
  renew(entry: CacheEntry<K, A, E>, given: CacheEntry<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.loads.detachLike(entry)
    this.renewed(entry, given, isWorthKeeping)
    this.finish(entry, now)
  }

  private renewed(entry: CacheEntry<K, A, E>, given: CacheEntry<K, A, E>, isWorthKeeping: boolean): void {
    if (isWorthKeeping) this.entries.renew(entry, given)
    else this.entries.retire(entry, "replaced")
  }

  /** Later callers get neither the current value nor that of a load under way. Tells whether there was either. */
  invalidate(key: K, now: number): boolean {
    const keyed = { key, hash: hashOf(key) }
    const wasComing = this.loads.detachLike(keyed)
    const entry = this.entries.like(keyed)
    if (entry === undefined) return wasComing
    this.entries.retire(entry, "invalidated")
    this.loads.makeRoom(now)
    this.ports.notifyWaiters()
    return true
  }

  invalidateAll(now: number): number {
    const entries = [...this.entries.cached()]
    this.invalidateThese(entries, now)
    return entries.length
  }

  /** These, and all that is on its way, as what that will be is not known. */
  invalidateThese(entries: ReadonlyArray<CacheEntry<K, A, E>>, now: number): void {
    for (const load of this.loads.values()) this.loads.detach(load)
    for (const entry of entries) this.entries.retire(entry, "invalidated")
    this.loads.makeRoom(now)
    this.ports.notifyWaiters()
  }

  /** Takes no callers from now on; `closeSome` then retires the values. Gives how many callers were refused. */
  close(): number {
    const refused = this.loads.close()
    this.entries.close()
    return refused
  }

  /** Retires so many more. Tells whether there may be others. */
  closeSome(most: number): boolean {
    const isMore = this.entries.closeSome(most)
    this.ports.notifyWaiters()
    return isMore
  }
}
