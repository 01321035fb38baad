/**
 * What a cache knows and decides: which values are there, which are in use or on their way out, who has to go, what may
 * be looked up now. Synchronous decisions over plain data: instants are given, and what is to be done about a decision is
 * done by the host. Between any two calls the counts are right.
 */
import type { PolicyState } from "../../CachePolicy.js"
import { enter, nextVictim } from "../policy/GuardedPolicy.js"
import type * as Seam from "../Seam.js"
import type { CacheEntry, RemovalReason } from "./CacheEntry.js"
import type { CacheLimits, CachePorts } from "./CachePorts.js"
import * as Aging from "./Expiry.js"
import { hashOf, keptKey, type Keyed, KeyMap } from "./KeyMap.js"
import { Load, type LoadRequester } from "./Load.js"
import { Loads } from "./Loads.js"
import { Occupancy } from "./Occupancy.js"
import type { Places } from "./RoomCircle.js"

export class CacheState<K, A, E> implements Places {
  private entries = new KeyMap<K, CacheEntry<K, A, E>>()
  /** What was there when the cache was closed, as far as it has not gone yet. */
  private closing:
    | { readonly entries: KeyMap<K, CacheEntry<K, A, E>>; readonly left: Iterator<CacheEntry<K, A, E>> }
    | undefined = undefined
  readonly loads: Loads<K, A, E>
  private readonly isTimed: boolean
  isOpen = true
  /** Values out of the cache that are not being released: somebody uses them. */
  readonly retired = new Set<CacheEntry<K, A, E>>()
  readonly releasing = new Set<CacheEntry<K, A, E>>()
  /** Those of them that were replaced and take no room: one of each key. */
  private readonly exempt = new KeyMap<K, CacheEntry<K, A, E>>()
  readonly occupancy: Occupancy

  constructor(
    readonly host: CachePorts<K, A, E>,
    readonly limits: CacheLimits,
    /** Whether any value may have a time to live, and one to idle. */
    canExpire = true,
    private readonly agesIdle = true,
    private readonly policy: PolicyState = limits.policy.make(limits)
  ) {
    this.isTimed = canExpire || limits.refreshAfter < Infinity
    this.occupancy = new Occupancy(limits.maxEntries, limits.maxWeight)
    this.loads = new Loads(this.occupancy)
  }

  get queued(): Loads<K, A, E>["queued"] {
    return this.loads.queued
  }

  get running(): Loads<K, A, E>["running"] {
    return this.loads.running
  }

  get waiting(): number {
    return this.queued.size
  }

  // --- asking --------------------------------------------------------------------------------------------------------

  /**
   * The value that is there and good enough; in use from now on, where it is to be released. The way of every hit. Without
   * an origin an old one is not looked up anew.
   */
  take(key: K, now: number, origin: Seam.CallerOrigin | undefined): CacheEntry<K, A, E> | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined || !this.isGood(entry, now, origin)) return undefined
    this.policy.used(entry)
    this.use(entry)
    return entry
  }

  /** Whatever its age, and without counting as a use. */
  peek(key: K): CacheEntry<K, A, E> | undefined {
    return this.entries.get(key)
  }

  peekLike(keyed: Keyed<K>): CacheEntry<K, A, E> | undefined {
    return this.entries.like(keyed)
  }

  all(): Array<CacheEntry<K, A, E>> {
    const left = this.closing?.entries.values().filter(({ status }) => status === "cached")
    return left ?? this.entries.values()
  }

  /** One by one, as far as somebody asks. */
  cached(): Iterable<CacheEntry<K, A, E>> {
    return this.entries
  }

  /** Whether a caller would get the value as it is. Without any consequence. */
  isFit(entry: CacheEntry<K, A, E>, now: number): boolean {
    if (entry.isFailure || (this.agesIdle && Aging.isIdleTooLong(entry, now))) return false
    return !this.isTimed || now < entry.lookAt || Aging.verdict(entry, this.limits, now) === "refreshed"
  }

  /** A value that the cache has let go of, and has not released yet. */
  leaving(value: A): CacheEntry<K, A, E> | undefined {
    for (const entry of this.retired) if (entry.held!.value === value) return entry
    for (const entry of this.releasing) if (entry.held!.value === value) return entry
    return undefined
  }

  private isGood(entry: CacheEntry<K, A, E>, now: number, origin: Seam.CallerOrigin | undefined): boolean {
    if (this.agesIdle) {
      if (Aging.isIdleTooLong(entry, now)) {
        this.expire(entry, now)
        return false
      }
      entry.usedAt = now
    }
    return !this.isTimed || now < entry.lookAt || this.isGoodAtItsAge(entry, now, origin)
  }

  private isGoodAtItsAge(entry: CacheEntry<K, A, E>, now: number, origin: Seam.CallerOrigin | undefined): boolean {
    const verdict = Aging.verdict(entry, this.limits, now)
    // Its timer may be a moment late.
    if (verdict === "useless") this.expire(entry, now)
    if (verdict !== "refreshed") return false
    // What would wait for room is not begun behind a caller: who has to go for it might be this one's value.
    if (origin !== undefined && this.loads.get(entry.key) === undefined && this.mayStart(entry, entry)) {
      this.begin(new Load(entry, entry, origin, this), now)
    }
    return true
  }

  use(entry: CacheEntry<K, A, E>): void {
    if (entry.held === undefined) return
    if (entry.users > 0) {
      entry.users++
      return
    }
    this.occupancy.takeOut(entry)
    entry.users++
    this.occupancy.putIn(entry)
  }

  /** What changes where a value stands also changes the counts. */
  private change(entry: CacheEntry<K, A, E>, make: () => void): void {
    this.occupancy.takeOut(entry)
    make()
    this.occupancy.putIn(entry)
  }

  /** The removal listener has the value until it was `heard`; but that keeps nobody's room. */
  hear(entry: CacheEntry<K, A, E>): void {
    if (entry.held === undefined) return
    this.change(entry, () => {
      entry.isHeard = true
      entry.users++
    })
  }

  heard(entry: CacheEntry<K, A, E>): void {
    if (entry.held === undefined) return
    this.change(entry, () => {
      entry.isHeard = false
      entry.users--
    })
    this.unused(entry)
  }

  /** Somebody who used a value does not any more. To have looked at it is no use. */
  leave(entry: CacheEntry<K, A, E>, wasUse = true): void {
    if (entry.held === undefined) return
    if (entry.users > 2) {
      entry.users--
      return
    }
    this.occupancy.takeOut(entry)
    entry.users--
    this.occupancy.putIn(entry)
    this.unused(entry, wasUse)
  }

  /** What follows if nobody uses it any more. */
  private unused(entry: CacheEntry<K, A, E>, wasUse = true): void {
    if (entry.users > 0) return
    if (entry.status === "retired") this.release(entry)
    else if (entry.status === "cached") {
      if (this.agesIdle && (wasUse || entry.isUntimed)) entry.usedAt = this.host.now()
      if (entry.isUntimed) this.setTimer(entry)
      if (entry.isPinned) {
        entry.isPinned = false
        this.policy.unpinned(entry)
      }
      this.trim()
      if (this.queued.size > 0) this.makeRoom(this.host.now())
    } else entry.held!.onUnused?.()
    this.host.notifyWaiters()
  }

  /**
   * For a caller that found nothing good: the lookup that it waits for. Who wants what is new by now joins none that has
   * asked already.
   */
  join(
    caller: LoadRequester<K, A, E>,
    key: K,
    now: number,
    origin: Seam.CallerOrigin
  ): Load<K, A, E> | "closed" | "full" {
    if (!this.isOpen) return "closed"
    const existing = this.loads.get(key)
    if (existing !== undefined) {
      const joined = caller.takesOld || !existing.hasAsked ? existing : this.loads.behind(existing, origin)
      joined.callers.add(caller)
      return joined
    }
    const keyed = { key: keptKey(key), hash: hashOf(key) }
    const old = this.entries.like(keyed)
    const isFull = this.limits.whenFull === "fail" && !this.occupancy.mayHaveRoom(this.queued.size)
    if (isFull && this.needsRoom(keyed, old)) return "full"
    const loading = new Load(keyed, old, origin, this)
    loading.callers.add(caller)
    this.begin(loading, now)
    return loading
  }

  /** Whether a lookup of the key may begin whatever room there is. */
  private mayStart(keyed: Keyed<K>, old: CacheEntry<K, A, E> | undefined): boolean {
    return this.limits.whenFull === "exceed" || !this.needsRoom(keyed, old)
  }

  /** What will replace a value is there before that goes, which takes no room: but once for a key that is in use. */
  private needsRoom(keyed: Keyed<K>, old: CacheEntry<K, A, E> | undefined): boolean {
    return old === undefined || this.exempt.like(keyed) !== undefined
  }

  /** A caller's time is up. Gives the old value, in use, where that will do for it. */
  givenOld(caller: LoadRequester<K, A, E>, loading: Load<K, A, E>, now: number): CacheEntry<K, A, E> | undefined {
    const { old } = loading
    if (!caller.takesOld || old === undefined || !this.keeps(old, now)) return undefined
    loading.failedFor(old, this.limits, now)
    this.use(old)
    return old
  }

  loadingOf(key: K): Load<K, A, E> | undefined {
    return this.loads.get(key)
  }

  /** A caller does not wait any more. The last one gone, nobody wants the lookup. */
  abandon(caller: LoadRequester<K, A, E>, loading: Load<K, A, E>): void {
    if (loading.callers.delete(caller)) this.giveUp(loading)
  }

  /** Nobody wants it any more, if nobody waits for it. */
  giveUp(loading: Load<K, A, E>): void {
    if (loading.callers.size > 0) return
    if (loading.phase === "behind") this.loads.forget(loading)
    else if (loading.phase === "queued") this.drop(loading)
    else if (loading.phase === "running") this.abort(loading)
  }

  private abort(loading: Load<K, A, E>): void {
    loading.phase = "aborted"
    this.host.abort(loading)
  }

  /** Its time is up, whoever waits for it: they get what the next attempt gives. */
  expel(loading: Load<K, A, E>): void {
    if (loading.phase === "running") loading.phase = "aborted"
  }

  /** Forgets a lookup that has not begun. */
  private drop(loading: Load<K, A, E>): void {
    this.loads.end(loading)
    this.beginNext(loading, this.host.now())
    this.host.notifyWaiters()
  }

  // --- looking up ----------------------------------------------------------------------------------------------------

  private begin(loading: Load<K, A, E>, now: number): void {
    this.loads.enter(loading)
    if (this.mayStart(loading, loading.old)) return this.start(loading, now)
    this.loads.wait(loading)
    this.makeRoom(now)
  }

  private start(loading: Load<K, A, E>, now: number): void {
    this.loads.run(loading, this.needsRoom(loading, loading.old), now)
    this.host.load(loading)
  }

  /** It has ended without an answer, and somebody wants one. */
  private beginAgain(loading: Load<K, A, E>, now: number): void {
    loading.old = loading.isDetached ? undefined : this.entries.like(loading)
    this.begin(loading, now)
  }

  /** What has waited for the end of another of its key; who waited for room goes first. */
  private beginNext(loading: Load<K, A, E>, now: number): void {
    const next = this.loads.takeNext(loading)
    if (next === undefined || next.callers.size === 0 || !this.isOpen) return
    if (this.loads.like(next) !== undefined) next.isDetached = true
    this.beginAgain(next, now)
  }

  /** It does not end, and nobody waits for that any more: its key and its place are free for others. */
  letGo(loading: Load<K, A, E>, now: number): void {
    const isWanted = loading.callers.size > 0 && this.isOpen
    const { old } = loading
    this.loads.end(loading)
    if (isWanted) {
      this.beginAgain(loading, now)
      this.makeRoom(now)
    } else {
      if (old?.status === "cached" && !loading.isDetached) this.failedFor(loading, old, now)
      this.makeRoom(now)
      this.beginNext(loading, now)
    }
    this.host.notifyWaiters()
  }

  /** There is no new value. Tells whether the old one is of use, and else lets go of it. */
  private failedFor(loading: Load<K, A, E>, old: CacheEntry<K, A, E>, now: number): void {
    const isUseless = !this.keeps(old, now)
    loading.failedFor(old, this.limits, now)
    if (isUseless) this.retire(old, "failed")
  }

  /** Begins what there is room for, and evicts for the rest, as far as room is not on its way already. */
  private makeRoom(now: number): void {
    for (;;) {
      for (const next of this.queued.renewals) if (this.mayStart(next, next.old)) this.start(next, now)
      for (let next = this.queued.first; next !== undefined && this.occupancy.hasRoom; next = this.queued.first) {
        this.start(next, now)
      }
      const { wanting } = this.queued
      if (wanting === 0 || this.occupancy.willHaveRoom(wanting) || !this.evict()) return
    }
  }

  /** Lets go of values until what is there fits, as far as it is not in use. */
  private trim(): void {
    while (this.occupancy.isOver) if (!this.evict()) return
  }

  private evict(): boolean {
    const victim = nextVictim<K, A, E>(this.policy)
    if (victim !== undefined) this.retire(victim, "evicted")
    return victim !== undefined
  }

  /** A lookup has ended with a value, or with a failure that is to be kept, too. Only then is the entry anywhere. */
  loaded(loading: Load<K, A, E>, entry: CacheEntry<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.loads.end(loading)
    const isKept = isWorthKeeping && !loading.isDetached && this.mayKeep(entry)
    // A refresh is no use; who asks for the value uses it.
    if (isKept) this.put(entry, [...loading.callers].some(({ takesOld }) => takesOld))
    else this.putAside(entry)
    this.serve(loading, entry)
    // What was looked up is all there is to know of the key, though it is not kept.
    if (!isKept && !loading.isDetached && loading.old?.status === "cached") this.retire(loading.old, "replaced")
    this.finish(entry, now, loading)
  }

  /** A value that was not looked up: from now on it is the key's. */
  set(entry: CacheEntry<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.detach(entry)
    const old = this.entries.like(entry)
    if (isWorthKeeping && this.mayKeep(entry)) this.put(entry, true)
    else {
      this.putAside(entry)
      if (old !== undefined) this.retire(old, "replaced")
    }
    this.finish(entry, now)
  }

  /** The value that is there was given once more: it is as new, but weighs what it weighed. */
  renew(entry: CacheEntry<K, A, E>, given: CacheEntry<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.detach(entry)
    this.renewed(entry, given, isWorthKeeping)
    this.finish(entry, now)
  }

  private renewed(entry: CacheEntry<K, A, E>, given: CacheEntry<K, A, E>, isWorthKeeping: boolean): void {
    if (!isWorthKeeping) return this.retire(entry, "replaced")
    entry.writtenAt = given.writtenAt
    entry.expiresAt = given.expiresAt
    entry.timeToIdle = given.timeToIdle
    entry.failures = 0
    this.policy.used(entry)
    this.startAging(entry)
  }

  /** A lookup has given the very value that is there: it is as new, and not released for itself. */
  loadedAgain(loading: Load<K, A, E>, there: CacheEntry<K, A, E>, given: CacheEntry<K, A, E>, now: number): void {
    this.loads.end(loading)
    this.serve(loading, there)
    this.renewed(there, given, given.expiresAt > given.writtenAt)
    this.finish(there, now, loading)
  }

  /** Not what is heavier than all may be together: it is only for those that wait for it. */
  private mayKeep(entry: CacheEntry<K, A, E>): boolean {
    return this.isOpen && entry.weight <= this.limits.maxWeight
  }

  /** With the lookup that has ended for good, if one has. */
  private finish(entry: CacheEntry<K, A, E>, now: number, ended?: Load<K, A, E>): void {
    if (entry.status === "retired" && entry.users === 0) this.release(entry)
    this.trim()
    this.makeRoom(now)
    if (ended?.next !== undefined) {
      this.beginNext(ended, now)
      this.trim()
    }
    this.host.notifyWaiters()
  }

  /** It is in before the one goes whose place it takes. */
  private put(entry: CacheEntry<K, A, E>, isUse: boolean): void {
    const old = this.entries.like(entry)
    this.entries.set(entry)
    this.occupancy.putIn(entry)
    enter(this.policy, old, entry)
    if (old !== undefined && isUse) this.policy.used(entry)
    this.startAging(entry)
    if (old !== undefined) this.retire(old, "replaced")
  }

  private startAging(entry: CacheEntry<K, A, E>): void {
    if (this.isTimed) entry.lookAt = Aging.firstLook(entry, this.limits)
    if (this.agesIdle) entry.usedAt = entry.writtenAt
    if (this.isTimed || this.agesIdle) this.setTimer(entry)
  }

  private setTimer(entry: CacheEntry<K, A, E>): void {
    if (this.agesIdle) entry.isUntimed = entry.users > 0
    this.host.dueAt(entry, Aging.dueAt(entry, this.limits))
  }

  /** It never gets into the cache. */
  private putAside(entry: CacheEntry<K, A, E>): void {
    if (entry.held === undefined) {
      entry.status = "gone"
      return
    }
    entry.status = "retired"
    this.retired.add(entry)
    this.occupancy.putIn(entry)
  }

  private serve(loading: Load<K, A, E>, entry: CacheEntry<K, A, E>): void {
    for (const caller of loading.callers) {
      this.use(entry)
      caller.serve(entry)
    }
    loading.callers.clear()
  }

  /** A value that came too late for anybody. */
  discard(entry: CacheEntry<K, A, E>, now: number): void {
    this.putAside(entry)
    this.finish(entry, now)
  }

  /** A value was looked up that nothing can be done with: the cache, or its registry, is closed. */
  refused(loading: Load<K, A, E>, now: number): void {
    this.loads.end(loading)
    this.refuse(loading)
    this.makeRoom(now)
    this.beginNext(loading, now)
    this.host.notifyWaiters()
  }

  private refuse(loading: Load<K, A, E>): number {
    const { next } = loading
    const size = loading.callers.size + (next?.callers.size ?? 0)
    for (const caller of [...loading.callers, ...next?.callers ?? []]) caller.refuse()
    loading.callers.clear()
    next?.callers.clear()
    return size
  }

  /** Whether a failure to look it up anew leaves a value that is good enough. */
  keeps(old: CacheEntry<K, A, E> | undefined, now: number): boolean {
    return old?.status === "cached" && !old.isFailure && now < Aging.lastInstant(old, this.limits)
  }

  /** A lookup has failed with what is not to be kept. Callers get that, or the old value where it will do. */
  failed(loading: Load<K, A, E>, failure: CacheEntry<K, A, E>, now: number): void {
    const { old } = loading
    const isAgain = loading.phase === "aborted" && loading.callers.size > 0 && this.isOpen
    this.loads.end(loading)
    // A value that nothing can be done with is released.
    this.putAside(failure)
    // It was interrupted as nobody wanted it, or its time was up; but somebody does.
    if (isAgain) this.beginAgain(loading, now)
    else if (old?.status === "cached" && !loading.isDetached) {
      const isUseless = !this.keeps(old, now)
      for (const caller of loading.callers) {
        const given = caller.takesOld && !isUseless ? old : failure
        this.use(given)
        caller.serve(given)
      }
      loading.callers.clear()
      this.failedFor(loading, old, now)
    } else this.serve(loading, failure)
    this.finish(failure, now, isAgain ? undefined : loading)
  }

  // --- going ---------------------------------------------------------------------------------------------------------

  /** What is out already stays as it is: somebody may have been quicker. */
  private retire(entry: CacheEntry<K, A, E>, reason: RemovalReason): void {
    if (entry.status !== "cached") return
    if (this.entries.has(entry)) {
      this.entries.delete(entry)
      this.orphan(entry)
      this.policy.removed(entry)
    }
    this.host.dueAt(entry, Infinity)
    const isExempt = reason === "replaced" && entry.users > 0 && this.exempt.like(entry) === undefined
    if (isExempt) this.exempt.set(entry)
    this.change(entry, () => {
      entry.status = entry.held === undefined ? "gone" : "retired"
      entry.isExempt = isExempt
    })
    if (entry.held !== undefined) this.retired.add(entry)
    this.host.removed(entry, reason)
    if (this.retired.has(entry) && entry.users === 0) this.release(entry)
  }

  /** Its refresh goes on where somebody waits for it, and then counts as any lookup. */
  private orphan(entry: CacheEntry<K, A, E>): void {
    const loading = this.loads.like(entry)
    if (loading?.old !== entry) return
    if (loading.callers.size === 0 && loading.next === undefined) this.detachLoading(loading)
    else this.loads.forgetOld(loading)
  }

  private release(entry: CacheEntry<K, A, E>): void {
    this.startRelease(entry)
    this.host.release(entry)
  }

  private startRelease(entry: CacheEntry<K, A, E>): void {
    this.retired.delete(entry)
    this.releasing.add(entry)
    this.change(entry, () => entry.status = "releasing")
  }

  /** Somebody else has begun to release the value. */
  seized(entry: CacheEntry<K, A, E>): void {
    if (entry.status === "cached") {
      // It is not to be released a second time, and its listener is to have it, too.
      this.use(entry)
      this.retire(entry, "shutdown")
      this.startRelease(entry)
      this.change(entry, () => entry.users--)
    } else if (entry.status === "retired") this.startRelease(entry)
  }

  /** Releases what is in use though it is; nobody waits for its users any more. */
  reclaim(entry: CacheEntry<K, A, E>): void {
    if (entry.status === "retired") this.release(entry)
  }

  /** The value's release is over, whatever became of it. */
  released(entry: CacheEntry<K, A, E>, now: number): void {
    this.releasing.delete(entry)
    this.change(entry, () => entry.status = "gone")
    if (entry.isExempt) this.exempt.delete(entry)
    this.makeRoom(now)
    this.host.notifyWaiters()
  }

  /** Whose timer has come, or not quite. */
  due(entry: CacheEntry<K, A, E>, now: number): void {
    if (entry.status !== "cached") return
    // A timer may fire a fraction of a millisecond before its time.
    if (now + 0.5 < Aging.dueAt(entry, this.limits)) return this.setTimer(entry)
    this.expire(entry, now)
    this.host.notifyWaiters()
  }

  private expire(entry: CacheEntry<K, A, E>, now: number): void {
    this.retire(entry, "expired")
    this.makeRoom(now)
  }

  // --- by hand -------------------------------------------------------------------------------------------------------

  /** What is being looked up is not for those who ask from now on. */
  private detach(keyed: Keyed<K>): boolean {
    const loading = this.loads.like(keyed)
    if (loading === undefined) return false
    this.detachLoading(loading)
    return true
  }

  private detachLoading(loading: Load<K, A, E>): void {
    this.loads.detach(loading)
    this.giveUp(loading)
  }

  /** Whoever asks from now on does not get what is there, or on its way. Tells whether anything was. */
  invalidate(key: K, now: number): boolean {
    const keyed = { key, hash: hashOf(key) }
    const wasComing = this.detach(keyed)
    const entry = this.entries.like(keyed)
    if (entry === undefined) return wasComing
    this.retire(entry, "invalidated")
    this.makeRoom(now)
    this.host.notifyWaiters()
    return true
  }

  invalidateAll(now: number): number {
    const entries = this.entries.values()
    this.invalidateThese(entries, now)
    return entries.length
  }

  /** These, and all that is on its way: what that will be nobody knows. */
  invalidateThese(entries: ReadonlyArray<CacheEntry<K, A, E>>, now: number): void {
    for (const loading of this.loads.values()) this.detachLoading(loading)
    for (const entry of entries) this.retire(entry, "invalidated")
    this.makeRoom(now)
    this.host.notifyWaiters()
  }

  /**
   * Takes no callers on any more, and begins to let go of what there is: `closeSome` does, until nothing is left. Gives how
   * many callers were refused.
   */
  close(): number {
    this.isOpen = false
    let refused = 0
    for (const loading of [...this.queued, ...this.running]) {
      refused += this.refuse(loading)
      loading.isDetached = true
      if (loading.phase === "running") this.abort(loading)
      else if (loading.phase === "queued") this.loads.end(loading)
    }
    this.queued.clear()
    this.closing = { entries: this.entries, left: this.entries[Symbol.iterator]() }
    this.entries = new KeyMap()
    return refused
  }

  /** Lets go of so many more. Tells whether there may be others. */
  closeSome(most: number): boolean {
    for (let n = 0; n < most && this.closing !== undefined; n++) {
      const { done, value } = this.closing.left.next()
      if (done === true) this.closing = undefined
      else if (value.status === "cached") {
        this.policy.removed(value)
        this.retire(value, "shutdown")
      }
    }
    this.host.notifyWaiters()
    return this.closing !== undefined
  }
}
