/**
 * The values of a cache: which are cached, which are out of it and still used, which are being released, and which goes
 * next. It decides about one value at a time; what that means for loads is decided by `CacheState`. Pure data.
 */
import type { PolicyState } from "../../CachePolicy.js"
import { enter, nextVictim } from "../policy/GuardedPolicy.js"
import type { CacheEntry } from "./CacheEntry.js"
import type { CacheLimits, CachePorts } from "./CachePorts.js"
import * as Expiry from "./Expiry.js"
import { type Keyed, KeyMap } from "./KeyMap.js"
import { Occupancy } from "./Occupancy.js"
import type { RemovalReason } from "./Vocabulary.js"

/** Whether another value has the place of a value removed so. */
const hasSuccessor: { readonly [Reason in RemovalReason]: boolean } = {
  evicted: false,
  expired: false,
  invalidated: false,
  replaced: true,
  shutdown: false,
  failed: false
}

/** What ends the life of a value in a given cache. */
export interface EntryRules {
  readonly limits: CacheLimits
  readonly policy: PolicyState
  /** Whether any value may have a time to live. */
  readonly canExpire: boolean
  /** Whether any value may have a time to idle. */
  readonly agesIdle: boolean
}

export class Entries<K, A, E> {
  private byKey = new KeyMap<K, CacheEntry<K, A, E>>()
  /** What was there when the cache was closed, as far as it has not gone yet. */
  private closing:
    | { readonly byKey: KeyMap<K, CacheEntry<K, A, E>>; readonly left: Iterator<CacheEntry<K, A, E>> }
    | undefined = undefined
  /** Values out of the cache that are not being released, as they are in use. */
  readonly retired = new Set<CacheEntry<K, A, E>>()
  readonly releasing = new Set<CacheEntry<K, A, E>>()
  /** Those of them that were replaced and take no room: one of each key. */
  private readonly exempt = new KeyMap<K, CacheEntry<K, A, E>>()
  readonly occupancy: Occupancy
  readonly isTimed: boolean
  readonly agesIdle: boolean
  private readonly limits: CacheLimits
  private readonly policy: PolicyState

  constructor(
    private readonly ports: CachePorts<K, A, E>,
    { agesIdle, canExpire, limits, policy }: EntryRules,
    /** The value is out of the cache: its refresh no longer has anything to replace. */
    private readonly onOut: (entry: CacheEntry<K, A, E>) => void
  ) {
    this.limits = limits
    this.policy = policy
    this.isTimed = canExpire || limits.refreshAfter < Infinity
    this.agesIdle = agesIdle
    this.occupancy = new Occupancy(limits.maxEntries, limits.maxWeight, ports)
  }

  // --- reading -------------------------------------------------------------------------------------------------

  /** Whatever its age, and without counting as a use. */
  get(key: K): CacheEntry<K, A, E> | undefined {
    return this.byKey.get(key)
  }

  like(keyed: Keyed<K>): CacheEntry<K, A, E> | undefined {
    return this.byKey.like(keyed)
  }

  all(): Array<CacheEntry<K, A, E>> {
    const left = this.closing?.byKey.values().filter(({ status }) => status === "cached")
    return left ?? this.byKey.values()
  }

  /** One by one, as far as the iteration goes. */
  cached(): Iterable<CacheEntry<K, A, E>> {
    return this.byKey
  }

  /** Whether a value of the key was replaced while it was in use, takes no room, and is not gone yet. */
  hasExempt(keyed: Keyed<K>): boolean {
    return this.exempt.like(keyed) !== undefined
  }

  /** A value that is out of the cache, and not released yet. */
  leaving(value: A): CacheEntry<K, A, E> | undefined {
    for (const entry of this.retired) if (entry.lease!.value === value) return entry
    for (const entry of this.releasing) if (entry.lease!.value === value) return entry
    return undefined
  }

  /** Whether a caller would get the value as it is. Without any consequence. */
  isFit(entry: CacheEntry<K, A, E>, now: number): boolean {
    if (entry.isFailure || (this.agesIdle && Expiry.isIdleTooLong(entry, now))) return false
    return !this.isTimed || now < entry.lookAt || Expiry.verdict(entry, this.limits, now) === "refreshed"
  }

  /** Whether a failure to refresh the key leaves a value that is good enough. */
  keeps(old: CacheEntry<K, A, E> | undefined, now: number): boolean {
    return old?.status === "cached" && !old.isFailure && now < Expiry.lastInstant(old, this.limits)
  }

  // --- users ---------------------------------------------------------------------------------------------------------

  /** A caller was given the cached value: a use of it, in the eyes of the policy, too. */
  hit(entry: CacheEntry<K, A, E>): void {
    this.policy.used(entry)
    this.use(entry)
  }

  use(entry: CacheEntry<K, A, E>): void {
    if (entry.lease === undefined) return
    if (entry.users > 0) {
      entry.users++
      return
    }
    this.occupancy.takeOut(entry)
    entry.users++
    this.occupancy.putIn(entry)
  }

  /** A use has ended. Tells whether it was the last one: then `unused` must follow. */
  leave(entry: CacheEntry<K, A, E>): boolean {
    if (entry.lease === undefined) return false
    if (entry.users > 2) {
      entry.users--
      return false
    }
    this.occupancy.takeOut(entry)
    entry.users--
    this.occupancy.putIn(entry)
    return entry.users === 0
  }

  /** What changes where a value stands also changes the counts. */
  private change(entry: CacheEntry<K, A, E>, make: () => void): void {
    this.occupancy.takeOut(entry)
    make()
    this.occupancy.putIn(entry)
  }

  /** The removal listener has the value until it was `heard`; but that keeps no room from others. */
  hear(entry: CacheEntry<K, A, E>): void {
    if (entry.lease === undefined) return
    this.change(entry, () => {
      entry.isHeard = true
      entry.users++
    })
  }

  /** Tells whether that was the last use: then `unused` must follow. */
  heard(entry: CacheEntry<K, A, E>): boolean {
    if (entry.lease === undefined) return false
    this.change(entry, () => {
      entry.isHeard = false
      entry.users--
    })
    return entry.users === 0
  }

  /** What follows for a value whose last use has ended. To have looked at it is no use. */
  unused(entry: CacheEntry<K, A, E>, wasUse: boolean): void {
    switch (entry.status) {
      case "cached":
        return this.idle(entry, wasUse)
      case "retired":
        return this.release(entry)
      case "releasing":
      case "gone":
        return entry.lease!.onUnused?.()
      default:
        return entry.status satisfies never
    }
  }

  private idle(entry: CacheEntry<K, A, E>, wasUse: boolean): void {
    if (this.agesIdle && (wasUse || entry.isUntimed)) entry.usedAt = this.ports.now()
    if (entry.isUntimed) this.setTimer(entry)
    if (!entry.isPinned) return
    entry.isPinned = false
    this.policy.unpinned(entry)
  }

  // --- coming --------------------------------------------------------------------------------------------------------

  /** Not what is heavier than all may be together: it is only for the callers that wait for it. */
  fits(entry: CacheEntry<K, A, E>): boolean {
    return entry.weight <= this.limits.maxWeight
  }

  /** It is in before the one goes whose place it takes. */
  put(entry: CacheEntry<K, A, E>, isUse: boolean): void {
    const old = this.byKey.like(entry)
    this.byKey.set(entry)
    this.occupancy.putIn(entry)
    enter(this.policy, old, entry)
    if (old !== undefined && isUse) this.policy.used(entry)
    this.startAging(entry)
    if (old !== undefined) this.retire(old, "replaced")
  }

  /** It never gets into the cache. */
  putAside(entry: CacheEntry<K, A, E>): void {
    if (entry.lease === undefined) {
      entry.status = "gone"
      return
    }
    entry.status = "retired"
    this.retired.add(entry)
    this.occupancy.putIn(entry)
  }

  /** The value that is there was given once more: it is as new, but weighs what it weighed. */
  renew(entry: CacheEntry<K, A, E>, given: CacheEntry<K, A, E>): void {
    entry.writtenAt = given.writtenAt
    entry.expiresAt = given.expiresAt
    entry.timeToIdle = given.timeToIdle
    entry.failures = 0
    this.policy.used(entry)
    this.startAging(entry)
  }

  private startAging(entry: CacheEntry<K, A, E>): void {
    if (this.isTimed) entry.lookAt = Expiry.firstLook(entry, this.limits)
    if (this.agesIdle) entry.usedAt = entry.writtenAt
    if (this.isTimed || this.agesIdle) this.setTimer(entry)
  }

  setTimer(entry: CacheEntry<K, A, E>): void {
    if (this.agesIdle) entry.isUntimed = entry.users > 0
    this.ports.dueAt(entry, Expiry.dueAt(entry, this.limits))
  }

  // --- going ---------------------------------------------------------------------------------------------------------

  /** Evicts values until the rest fits, as far as they are not in use. */
  trim(): void {
    while (this.occupancy.isOver) if (!this.evict()) return
  }

  evict(): boolean {
    const victim = nextVictim<K, A, E>(this.policy)
    if (victim !== undefined) this.retire(victim, "evicted")
    return victim !== undefined
  }

  /** A value that is out already stays as it is: another reason may have been quicker. */
  retire(entry: CacheEntry<K, A, E>, reason: RemovalReason): void {
    if (entry.status !== "cached") return
    if (this.byKey.has(entry)) {
      this.byKey.delete(entry)
      this.onOut(entry)
      this.policy.removed(entry)
    }
    this.ports.dueAt(entry, Infinity)
    const isExempt = hasSuccessor[reason] && entry.users > 0 && this.exempt.like(entry) === undefined
    if (isExempt) this.exempt.set(entry)
    this.change(entry, () => {
      entry.status = entry.lease === undefined ? "gone" : "retired"
      entry.isExempt = isExempt
    })
    if (entry.lease !== undefined) this.retired.add(entry)
    this.ports.removed(entry, reason)
    this.releaseUnused(entry)
  }

  releaseUnused(entry: CacheEntry<K, A, E>): void {
    if (entry.status === "retired" && entry.users === 0) this.release(entry)
  }

  /** Releases what is in use though it is; its users are not waited for any longer. */
  reclaim(entry: CacheEntry<K, A, E>): void {
    if (entry.status === "retired") this.release(entry)
  }

  private release(entry: CacheEntry<K, A, E>): void {
    this.startRelease(entry)
    this.ports.release(entry)
  }

  private startRelease(entry: CacheEntry<K, A, E>): void {
    this.retired.delete(entry)
    this.releasing.add(entry)
    this.change(entry, () => entry.status = "releasing")
  }

  /** The registry has begun to release the value by itself. */
  seized(entry: CacheEntry<K, A, E>): void {
    if (entry.status === "cached") {
      // A use keeps it from a second release, and its listener gets it, too.
      this.use(entry)
      this.retire(entry, "shutdown")
      this.startRelease(entry)
      this.change(entry, () => entry.users--)
    } else if (entry.status === "retired") this.startRelease(entry)
  }

  /** The value's release is over, well or not. */
  released(entry: CacheEntry<K, A, E>): void {
    this.releasing.delete(entry)
    this.change(entry, () => entry.status = "gone")
    if (entry.isExempt) this.exempt.delete(entry)
  }

  /** From now on nothing is there; `closeSome` retires what was. */
  close(): void {
    this.closing = { byKey: this.byKey, left: this.byKey[Symbol.iterator]() }
    this.byKey = new KeyMap()
  }

  /** Retires so many more. Tells whether there may be others. */
  closeSome(most: number): boolean {
    for (let n = 0; n < most && this.closing !== undefined; n++) {
      const { done, value } = this.closing.left.next()
      if (done === true) this.closing = undefined
      else if (value.status === "cached") {
        this.policy.removed(value)
        this.retire(value, "shutdown")
      }
    }
    return this.closing !== undefined
  }
}
