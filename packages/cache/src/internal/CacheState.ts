/**
 * What a cache knows and decides: which values are there, which are in use or on their way out, who has to go, what may
 * be looked up now. Synchronous decisions over plain data: instants are given, and what is to be done about a decision is
 * done by the host. Between any two calls the counts are right.
 */
import type { PolicyState } from "../CachePolicy.js"
import * as Aging from "./Aging.js"
import type { CacheHost, CacheLimits } from "./CacheHost.js"
import { enter, nextVictim } from "./Eviction.js"
import { KeyMap } from "./KeyMap.js"
import { Loading, type LoadingCaller } from "./Loading.js"
import { LookupQueue } from "./LookupQueue.js"
import { Occupancy } from "./Occupancy.js"
import type * as Seam from "./Seam.js"
import type { RemovalReason, Slot } from "./Slot.js"

export class CacheState<K, A, E> {
  private readonly slots = new KeyMap<K, Slot<K, A, E>>()
  private readonly loadings = new KeyMap<K, Loading<K, A, E>>()
  readonly queued = new LookupQueue<K, A, E>()
  /** Those that have begun and not ended. */
  readonly running = new Set<Loading<K, A, E>>()
  private readonly agesIdle: boolean
  private readonly isTimed: boolean
  isOpen = true
  /** Values out of the cache that are not being released: somebody uses them. */
  readonly retired = new Set<Slot<K, A, E>>()
  /** Those of them that were replaced and take no room: one of each key. */
  private readonly exempt = new KeyMap<K, Slot<K, A, E>>()
  readonly occupancy: Occupancy

  constructor(
    readonly host: CacheHost<K, A, E>,
    readonly limits: CacheLimits,
    /** Whether any value may have a time to live. */
    canExpire = true,
    private readonly policy: PolicyState = limits.policy.make(limits)
  ) {
    this.isTimed = canExpire || limits.refreshAfter < Infinity
    this.agesIdle = limits.timeToIdle < Infinity
    this.occupancy = new Occupancy(limits.maxEntries, limits.maxWeight)
  }

  get waiting(): number {
    return this.queued.size
  }

  // --- asking --------------------------------------------------------------------------------------------------------

  /**
   * The value that is there and good enough; in use from now on, where it is to be released. The way of every hit. Without
   * an origin an old one is not looked up anew.
   */
  take(key: K, now: number, origin: Seam.CallerOrigin | undefined): Slot<K, A, E> | undefined {
    const slot = this.slots.get(key)
    if (slot === undefined || !this.isGood(slot, now, origin)) return undefined
    this.policy.used(slot)
    this.use(slot)
    return slot
  }

  /** Whatever its age, and without counting as a use. */
  peek(key: K): Slot<K, A, E> | undefined {
    return this.slots.get(key)
  }

  all(): Array<Slot<K, A, E>> {
    return this.slots.values()
  }

  private isGood(slot: Slot<K, A, E>, now: number, origin: Seam.CallerOrigin | undefined): boolean {
    if (this.agesIdle) {
      if (Aging.isIdleTooLong(slot, this.limits, now)) {
        this.expire(slot, now)
        return false
      }
      slot.usedAt = now
    }
    return !this.isTimed || now < slot.lookAt || this.isGoodAtItsAge(slot, now, origin)
  }

  private isGoodAtItsAge(slot: Slot<K, A, E>, now: number, origin: Seam.CallerOrigin | undefined): boolean {
    const verdict = Aging.verdict(slot, this.limits, now)
    // Its timer may be a moment late.
    if (verdict === "useless") this.expire(slot, now)
    if (verdict !== "refreshed") return false
    // What would wait for room is not begun behind a caller: who has to go for it might be this one's value.
    if (origin !== undefined && this.loadings.get(slot.key) === undefined && this.mayStart(slot.key, slot)) {
      this.begin(new Loading(slot.key, slot, origin), now)
    }
    return true
  }

  use(slot: Slot<K, A, E>): void {
    if (slot.held === undefined) return
    if (slot.users > 0) {
      slot.users++
      return
    }
    this.occupancy.takeOut(slot)
    slot.users++
    this.occupancy.putIn(slot)
  }

  /** What changes where a value stands also changes the counts. */
  private change(slot: Slot<K, A, E>, make: () => void): void {
    this.occupancy.takeOut(slot)
    make()
    this.occupancy.putIn(slot)
  }

  /** The removal listener has the value until it was `heard`; but that keeps nobody's room. */
  hear(slot: Slot<K, A, E>): void {
    if (slot.held === undefined) return
    this.change(slot, () => {
      slot.isHeard = true
      slot.users++
    })
  }

  heard(slot: Slot<K, A, E>): void {
    if (slot.held === undefined) return
    this.change(slot, () => {
      slot.isHeard = false
      slot.users--
    })
    this.unused(slot)
  }

  /** Somebody who used a value does not any more. */
  leave(slot: Slot<K, A, E>): void {
    if (slot.held === undefined) return
    if (slot.users > 2) {
      slot.users--
      return
    }
    this.occupancy.takeOut(slot)
    slot.users--
    this.occupancy.putIn(slot)
    this.unused(slot)
  }

  /** What follows if nobody uses it any more. */
  private unused(slot: Slot<K, A, E>): void {
    if (slot.users > 0) return
    if (slot.status === "retired") this.release(slot)
    else if (slot.status === "cached") {
      if (this.agesIdle) slot.usedAt = this.host.now()
      if (slot.isPinned) {
        slot.isPinned = false
        this.policy.unpinned(slot)
      }
      this.trim()
      if (this.queued.size > 0) this.makeRoom(this.host.now())
    } else slot.held!.onUnused?.()
    this.host.settled()
  }

  /** For a caller that found nothing good: the lookup that it waits for. */
  join(
    caller: LoadingCaller<K, A, E>,
    key: K,
    now: number,
    origin: Seam.CallerOrigin
  ): Loading<K, A, E> | "closed" | "full" {
    if (!this.isOpen) return "closed"
    const existing = this.loadings.get(key)
    if (existing !== undefined) {
      existing.callers.add(caller)
      return existing
    }
    const old = this.slots.get(key)
    const isFull = this.limits.whenFull === "fail" && !this.occupancy.mayHaveRoom(this.queued.size)
    if (isFull && this.needsRoom(key, old)) return "full"
    const loading = new Loading(key, old, origin)
    loading.callers.add(caller)
    this.begin(loading, now)
    return loading
  }

  /** Whether a lookup of the key may begin whatever room there is. */
  private mayStart(key: K, old: Slot<K, A, E> | undefined): boolean {
    return this.limits.whenFull === "exceed" || !this.needsRoom(key, old)
  }

  /** What will replace a value is there before that goes, which takes no room: but once for a key that is in use. */
  private needsRoom(key: K, old: Slot<K, A, E> | undefined): boolean {
    return old === undefined || this.exempt.get(key) !== undefined
  }

  /** A caller's time is up. Gives the old value, in use, where that will do for it. */
  givenOld(caller: LoadingCaller<K, A, E>, loading: Loading<K, A, E>, now: number): Slot<K, A, E> | undefined {
    const { old } = loading
    if (!caller.takesOld || old === undefined || !this.keeps(old, now)) return undefined
    loading.failedFor(old, this.limits, now)
    this.use(old)
    return old
  }

  loadingOf(key: K): Loading<K, A, E> | undefined {
    return this.loadings.get(key)
  }

  /** A caller does not wait any more. The last one gone, nobody wants the lookup. */
  abandon(caller: LoadingCaller<K, A, E>, loading: Loading<K, A, E>): void {
    if (loading.callers.delete(caller)) this.giveUp(loading)
  }

  /** Nobody wants it any more, if nobody waits for it. */
  giveUp(loading: Loading<K, A, E>): void {
    if (loading.callers.size > 0) return
    if (loading.phase === "queued") this.drop(loading)
    else if (loading.phase === "running") this.abort(loading)
  }

  private abort(loading: Loading<K, A, E>): void {
    loading.phase = "aborted"
    this.host.abort(loading)
  }

  /** Forgets a lookup that has not begun. */
  private drop(loading: Loading<K, A, E>): void {
    this.queued.delete(loading)
    this.end(loading)
    this.host.settled()
  }

  private end(loading: Loading<K, A, E>): void {
    loading.phase = "over"
    this.running.delete(loading)
    this.takeRoom(loading, false)
    if (this.loadings.get(loading.key) === loading) this.loadings.delete(loading.key)
  }

  // --- looking up ----------------------------------------------------------------------------------------------------

  private begin(loading: Loading<K, A, E>, now: number): void {
    if (!loading.isDetached) this.loadings.set(loading.key, loading)
    if (this.mayStart(loading.key, loading.old)) return this.start(loading, now)
    loading.phase = "queued"
    this.queued.add(loading)
    this.makeRoom(now)
  }

  private start(loading: Loading<K, A, E>, now: number): void {
    loading.phase = "running"
    loading.startedAt = now
    loading.hasFailed = false
    this.takeRoom(loading, this.needsRoom(loading.key, loading.old))
    this.running.add(loading)
    this.host.load(loading)
  }

  private takeRoom(loading: Loading<K, A, E>, takesRoom: boolean): void {
    if (loading.takesRoom !== takesRoom) this.occupancy.coming += takesRoom ? 1 : -1
    loading.takesRoom = takesRoom
  }

  /** Begins what there is room for, and evicts for the rest, as far as room is not on its way already. */
  private makeRoom(now: number): void {
    for (;;) {
      for (const next of this.queued.renewals) if (this.mayStart(next.key, next.old)) this.startQueued(next, now)
      for (let next = this.queued.first; next !== undefined && this.occupancy.hasRoom; next = this.queued.first) {
        this.startQueued(next, now)
      }
      const { wanting } = this.queued
      if (wanting === 0 || this.occupancy.willHaveRoom(wanting) || !this.evict()) return
    }
  }

  private startQueued(loading: Loading<K, A, E>, now: number): void {
    this.queued.delete(loading)
    this.start(loading, now)
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

  /** A lookup has ended with a value, or with a failure that is to be kept, too. Only then is the slot anywhere. */
  loaded(loading: Loading<K, A, E>, slot: Slot<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.end(loading)
    const isKept = isWorthKeeping && !loading.isDetached && this.mayKeep(slot)
    // A refresh is no use; who asks for the value uses it.
    if (isKept) this.put(slot, [...loading.callers].some(({ takesOld }) => takesOld))
    else this.putAside(slot)
    this.serve(loading, slot)
    // What was looked up is all there is to know of the key, though it is not kept.
    if (!isKept && !loading.isDetached && loading.old?.status === "cached") this.retire(loading.old, "replaced")
    this.finish(slot, now)
  }

  /** A value that was not looked up: from now on it is the key's. */
  set(slot: Slot<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.detach(slot.key)
    const old = this.slots.get(slot.key)
    if (isWorthKeeping && this.mayKeep(slot)) this.put(slot, true)
    else {
      this.putAside(slot)
      if (old !== undefined) this.retire(old, "replaced")
    }
    this.finish(slot, now)
  }

  /** The value that is there was given once more: it is as new, but weighs what it weighed. */
  renew(slot: Slot<K, A, E>, given: Slot<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.detach(slot.key)
    if (!isWorthKeeping) {
      this.retire(slot, "replaced")
      return this.finish(slot, now)
    }
    slot.writtenAt = given.writtenAt
    slot.expiresAt = given.expiresAt
    slot.failures = 0
    this.policy.used(slot)
    this.startAging(slot)
    this.finish(slot, now)
  }

  /** Not what is heavier than all may be together: it is only for those that wait for it. */
  private mayKeep(slot: Slot<K, A, E>): boolean {
    return this.isOpen && slot.weight <= this.limits.maxWeight
  }

  private finish(slot: Slot<K, A, E>, now: number): void {
    if (slot.status === "retired" && slot.users === 0) this.release(slot)
    this.trim()
    this.makeRoom(now)
    this.host.settled()
  }

  /** It is in before the one goes whose place it takes. */
  private put(slot: Slot<K, A, E>, isUse: boolean): void {
    const old = this.slots.get(slot.key)
    this.slots.set(slot.key, slot)
    this.occupancy.putIn(slot)
    enter(this.policy, old, slot)
    if (old !== undefined && isUse) this.policy.used(slot)
    this.startAging(slot)
    if (old !== undefined) this.retire(old, "replaced")
  }

  private startAging(slot: Slot<K, A, E>): void {
    if (this.isTimed) slot.lookAt = Aging.firstLook(slot, this.limits)
    if (this.agesIdle) slot.usedAt = slot.writtenAt
    if (this.isTimed || this.agesIdle) this.host.dueAt(slot, Aging.dueAt(slot, this.limits))
  }

  /** It never gets into the cache. */
  private putAside(slot: Slot<K, A, E>): void {
    if (slot.held === undefined) {
      slot.status = "gone"
      return
    }
    slot.status = "retired"
    this.retired.add(slot)
    this.occupancy.putIn(slot)
  }

  private serve(loading: Loading<K, A, E>, slot: Slot<K, A, E>): void {
    for (const caller of loading.callers) {
      this.use(slot)
      caller.serve(slot)
    }
    loading.callers.clear()
  }

  /** A value was looked up that nothing can be done with: the cache, or its registry, is closed. */
  refused(loading: Loading<K, A, E>, now: number): void {
    this.end(loading)
    this.refuse(loading)
    this.makeRoom(now)
    this.host.settled()
  }

  private refuse(loading: Loading<K, A, E>): number {
    const { size } = loading.callers
    for (const caller of loading.callers) caller.refuse()
    loading.callers.clear()
    return size
  }

  /** Whether a failure to look it up anew leaves a value that is good enough. */
  keeps(old: Slot<K, A, E> | undefined, now: number): boolean {
    return old?.status === "cached" && !old.isFailure && now < Aging.lastInstant(old, this.limits)
  }

  /** A lookup has failed with what is not to be kept. Callers get that, or the old value where it will do. */
  failed(loading: Loading<K, A, E>, failure: Slot<K, A, E>, now: number): void {
    const { old } = loading
    const isAgain = loading.phase === "aborted" && loading.callers.size > 0 && this.isOpen
    this.end(loading)
    // A value that nothing can be done with is released.
    this.putAside(failure)
    if (isAgain) {
      // It was interrupted as nobody wanted it; but since then somebody does.
      loading.old = loading.isDetached ? undefined : this.slots.get(loading.key)
      this.begin(loading, now)
    } else if (old?.status === "cached" && !loading.isDetached) {
      const isUseless = !this.keeps(old, now)
      loading.failedFor(old, this.limits, now)
      for (const caller of loading.callers) {
        const given = caller.takesOld && !isUseless ? old : failure
        this.use(given)
        caller.serve(given)
      }
      loading.callers.clear()
      if (isUseless) this.retire(old, "failed")
    } else this.serve(loading, failure)
    this.finish(failure, now)
  }

  // --- going ---------------------------------------------------------------------------------------------------------

  private retire(slot: Slot<K, A, E>, reason: RemovalReason): void {
    if (this.slots.get(slot.key) === slot) {
      this.slots.delete(slot.key)
      this.orphan(slot)
      this.policy.removed(slot)
    }
    this.host.dueAt(slot, Infinity)
    const isExempt = reason === "replaced" && slot.users > 0 && this.exempt.get(slot.key) === undefined
    if (isExempt) this.exempt.set(slot.key, slot)
    this.change(slot, () => {
      slot.status = slot.held === undefined ? "gone" : "retired"
      slot.isExempt = isExempt
    })
    if (slot.held !== undefined) this.retired.add(slot)
    this.host.removed(slot, reason)
    if (slot.status === "retired" && slot.users === 0) this.release(slot)
  }

  /** Its refresh goes on where somebody waits for it, and then counts as any lookup. */
  private orphan(slot: Slot<K, A, E>): void {
    const loading = this.loadings.get(slot.key)
    if (loading?.old !== slot) return
    if (loading.callers.size === 0) this.detachLoading(loading)
    else this.forgetOld(loading)
  }

  private forgetOld(loading: Loading<K, A, E>): void {
    if (loading.old === undefined) return
    loading.old = undefined
    this.queued.orphaned(loading)
    if (this.running.has(loading)) this.takeRoom(loading, true)
  }

  private release(slot: Slot<K, A, E>): void {
    this.startRelease(slot)
    this.host.release(slot)
  }

  private startRelease(slot: Slot<K, A, E>): void {
    this.retired.delete(slot)
    this.change(slot, () => slot.status = "releasing")
  }

  /** Somebody else has begun to release the value. */
  seized(slot: Slot<K, A, E>): void {
    if (slot.status === "cached") {
      // It is not to be released a second time, and its listener is to have it, too.
      this.use(slot)
      this.retire(slot, "shutdown")
      this.startRelease(slot)
      this.change(slot, () => slot.users--)
    } else if (slot.status === "retired") this.startRelease(slot)
  }

  /** Releases what is in use though it is; nobody waits for its users any more. */
  reclaim(slot: Slot<K, A, E>): void {
    if (slot.status === "retired") this.release(slot)
  }

  /** The value's release is over, whatever became of it. */
  released(slot: Slot<K, A, E>, now: number): void {
    this.change(slot, () => slot.status = "gone")
    if (slot.isExempt) this.exempt.delete(slot.key)
    this.makeRoom(now)
    this.host.settled()
  }

  /** Whose timer has come, or not quite. */
  due(slot: Slot<K, A, E>, now: number): void {
    if (slot.status !== "cached") return
    if (slot.users > 0 && this.agesIdle) slot.usedAt = now
    const at = Aging.dueAt(slot, this.limits)
    // A timer may fire a fraction of a millisecond before its time.
    if (now + 0.5 < at) return this.host.dueAt(slot, at)
    this.expire(slot, now)
    this.host.settled()
  }

  private expire(slot: Slot<K, A, E>, now: number): void {
    this.retire(slot, "expired")
    this.makeRoom(now)
  }

  // --- by hand -------------------------------------------------------------------------------------------------------

  /** What is being looked up is not for those who ask from now on. */
  private detach(key: K): boolean {
    const loading = this.loadings.get(key)
    if (loading === undefined) return false
    this.detachLoading(loading)
    return true
  }

  private detachLoading(loading: Loading<K, A, E>): void {
    loading.isDetached = true
    this.loadings.delete(loading.key)
    this.forgetOld(loading)
    this.giveUp(loading)
  }

  /** Whoever asks from now on does not get what is there, or on its way. Tells whether anything was. */
  invalidate(key: K, now: number): boolean {
    const wasComing = this.detach(key)
    const slot = this.slots.get(key)
    if (slot === undefined) return wasComing
    this.retire(slot, "invalidated")
    this.makeRoom(now)
    this.host.settled()
    return true
  }

  invalidateAll(now: number): number {
    const slots = this.slots.values()
    this.invalidateThese(slots, now)
    return slots.length
  }

  /** These, and all that is on its way: what that will be nobody knows. */
  invalidateThese(slots: ReadonlyArray<Slot<K, A, E>>, now: number): void {
    for (const loading of this.loadings.values()) this.detachLoading(loading)
    for (const slot of slots) this.retire(slot, "invalidated")
    this.makeRoom(now)
    this.host.settled()
  }

  /** Takes no callers on any more, and lets go of everything that nobody uses. Gives how many callers were refused. */
  close(): number {
    this.isOpen = false
    let refused = 0
    for (const loading of [...this.queued, ...this.running]) {
      refused += this.refuse(loading)
      loading.isDetached = true
      if (loading.phase === "running") this.abort(loading)
      else if (loading.phase === "queued") this.end(loading)
    }
    this.queued.clear()
    for (const slot of this.slots.values()) this.retire(slot, "shutdown")
    this.host.settled()
    return refused
  }
}
