/**
 * What a cache knows and decides: which values are there, which are in use or on their way out, who has to go, what may
 * be looked up now. Synchronous decisions over plain data: instants are given, and what is to be done about a decision is
 * done by the host. Between any two calls the counts are right.
 */
import type { PolicyState } from "../CachePolicy.js"
import * as Aging from "./Aging.js"
import type { CacheHost, CacheLimits } from "./CacheHost.js"
import { enter, nextVictim } from "./Eviction.js"
import { hashOf, keptKey, type Keyed, KeyMap } from "./KeyMap.js"
import { Loading, type LoadingCaller } from "./Loading.js"
import { Loads } from "./Loads.js"
import { Occupancy } from "./Occupancy.js"
import type { Places } from "./RoomCircle.js"
import type * as Seam from "./Seam.js"
import type { RemovalReason, Slot } from "./Slot.js"

export class CacheState<K, A, E> implements Places {
  private slots = new KeyMap<K, Slot<K, A, E>>()
  /** What was there when the cache was closed, as far as it has not gone yet. */
  private closing: { readonly slots: KeyMap<K, Slot<K, A, E>>; readonly left: Iterator<Slot<K, A, E>> } | undefined =
    undefined
  readonly loads: Loads<K, A, E>
  private readonly isTimed: boolean
  isOpen = true
  /** Values out of the cache that are not being released: somebody uses them. */
  readonly retired = new Set<Slot<K, A, E>>()
  readonly releasing = new Set<Slot<K, A, E>>()
  /** Those of them that were replaced and take no room: one of each key. */
  private readonly exempt = new KeyMap<K, Slot<K, A, E>>()
  readonly occupancy: Occupancy

  constructor(
    readonly host: CacheHost<K, A, E>,
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

  peekLike(keyed: Keyed<K>): Slot<K, A, E> | undefined {
    return this.slots.like(keyed)
  }

  all(): Array<Slot<K, A, E>> {
    const left = this.closing?.slots.values().filter(({ status }) => status === "cached")
    return left ?? this.slots.values()
  }

  /** One by one, as far as somebody asks. */
  cached(): Iterable<Slot<K, A, E>> {
    return this.slots
  }

  /** Whether a caller would get the value as it is. Without any consequence. */
  isFit(slot: Slot<K, A, E>, now: number): boolean {
    if (slot.isFailure || (this.agesIdle && Aging.isIdleTooLong(slot, now))) return false
    return !this.isTimed || now < slot.lookAt || Aging.verdict(slot, this.limits, now) === "refreshed"
  }

  /** A value that the cache has let go of, and has not released yet. */
  leaving(value: A): Slot<K, A, E> | undefined {
    for (const slot of this.retired) if (slot.held!.value === value) return slot
    for (const slot of this.releasing) if (slot.held!.value === value) return slot
    return undefined
  }

  private isGood(slot: Slot<K, A, E>, now: number, origin: Seam.CallerOrigin | undefined): boolean {
    if (this.agesIdle) {
      if (Aging.isIdleTooLong(slot, now)) {
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
    if (origin !== undefined && this.loads.get(slot.key) === undefined && this.mayStart(slot, slot)) {
      this.begin(new Loading(slot, slot, origin, this), now)
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

  /** Somebody who used a value does not any more. To have looked at it is no use. */
  leave(slot: Slot<K, A, E>, wasUse = true): void {
    if (slot.held === undefined) return
    if (slot.users > 2) {
      slot.users--
      return
    }
    this.occupancy.takeOut(slot)
    slot.users--
    this.occupancy.putIn(slot)
    this.unused(slot, wasUse)
  }

  /** What follows if nobody uses it any more. */
  private unused(slot: Slot<K, A, E>, wasUse = true): void {
    if (slot.users > 0) return
    if (slot.status === "retired") this.release(slot)
    else if (slot.status === "cached") {
      if (this.agesIdle && (wasUse || slot.isUntimed)) slot.usedAt = this.host.now()
      if (slot.isUntimed) this.setTimer(slot)
      if (slot.isPinned) {
        slot.isPinned = false
        this.policy.unpinned(slot)
      }
      this.trim()
      if (this.queued.size > 0) this.makeRoom(this.host.now())
    } else slot.held!.onUnused?.()
    this.host.settled()
  }

  /**
   * For a caller that found nothing good: the lookup that it waits for. Who wants what is new by now joins none that has
   * asked already.
   */
  join(
    caller: LoadingCaller<K, A, E>,
    key: K,
    now: number,
    origin: Seam.CallerOrigin
  ): Loading<K, A, E> | "closed" | "full" {
    if (!this.isOpen) return "closed"
    const existing = this.loads.get(key)
    if (existing !== undefined) {
      const joined = caller.takesOld || !existing.hasAsked ? existing : this.loads.behind(existing, origin)
      joined.callers.add(caller)
      return joined
    }
    const keyed = { key: keptKey(key), hash: hashOf(key) }
    const old = this.slots.like(keyed)
    const isFull = this.limits.whenFull === "fail" && !this.occupancy.mayHaveRoom(this.queued.size)
    if (isFull && this.needsRoom(keyed, old)) return "full"
    const loading = new Loading(keyed, old, origin, this)
    loading.callers.add(caller)
    this.begin(loading, now)
    return loading
  }

  /** Whether a lookup of the key may begin whatever room there is. */
  private mayStart(keyed: Keyed<K>, old: Slot<K, A, E> | undefined): boolean {
    return this.limits.whenFull === "exceed" || !this.needsRoom(keyed, old)
  }

  /** What will replace a value is there before that goes, which takes no room: but once for a key that is in use. */
  private needsRoom(keyed: Keyed<K>, old: Slot<K, A, E> | undefined): boolean {
    return old === undefined || this.exempt.like(keyed) !== undefined
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
    return this.loads.get(key)
  }

  /** A caller does not wait any more. The last one gone, nobody wants the lookup. */
  abandon(caller: LoadingCaller<K, A, E>, loading: Loading<K, A, E>): void {
    if (loading.callers.delete(caller)) this.giveUp(loading)
  }

  /** Nobody wants it any more, if nobody waits for it. */
  giveUp(loading: Loading<K, A, E>): void {
    if (loading.callers.size > 0) return
    if (loading.phase === "behind") this.loads.forget(loading)
    else if (loading.phase === "queued") this.drop(loading)
    else if (loading.phase === "running") this.abort(loading)
  }

  private abort(loading: Loading<K, A, E>): void {
    loading.phase = "aborted"
    this.host.abort(loading)
  }

  /** Its time is up, whoever waits for it: they get what the next attempt gives. */
  expel(loading: Loading<K, A, E>): void {
    if (loading.phase === "running") loading.phase = "aborted"
  }

  /** Forgets a lookup that has not begun. */
  private drop(loading: Loading<K, A, E>): void {
    this.loads.end(loading)
    this.beginNext(loading, this.host.now())
    this.host.settled()
  }

  // --- looking up ----------------------------------------------------------------------------------------------------

  private begin(loading: Loading<K, A, E>, now: number): void {
    this.loads.enter(loading)
    if (this.mayStart(loading, loading.old)) return this.start(loading, now)
    this.loads.wait(loading)
    this.makeRoom(now)
  }

  private start(loading: Loading<K, A, E>, now: number): void {
    this.loads.run(loading, this.needsRoom(loading, loading.old), now)
    this.host.load(loading)
  }

  /** It has ended without an answer, and somebody wants one. */
  private beginAgain(loading: Loading<K, A, E>, now: number): void {
    loading.old = loading.isDetached ? undefined : this.slots.like(loading)
    this.begin(loading, now)
  }

  /** What has waited for the end of another of its key; who waited for room goes first. */
  private beginNext(loading: Loading<K, A, E>, now: number): void {
    const next = this.loads.takeNext(loading)
    if (next === undefined || next.callers.size === 0 || !this.isOpen) return
    if (this.loads.like(next) !== undefined) next.isDetached = true
    this.beginAgain(next, now)
  }

  /** It does not end, and nobody waits for that any more: its key and its place are free for others. */
  letGo(loading: Loading<K, A, E>, now: number): void {
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
    this.host.settled()
  }

  /** There is no new value. Tells whether the old one is of use, and else lets go of it. */
  private failedFor(loading: Loading<K, A, E>, old: Slot<K, A, E>, now: number): void {
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

  /** A lookup has ended with a value, or with a failure that is to be kept, too. Only then is the slot anywhere. */
  loaded(loading: Loading<K, A, E>, slot: Slot<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.loads.end(loading)
    const isKept = isWorthKeeping && !loading.isDetached && this.mayKeep(slot)
    // A refresh is no use; who asks for the value uses it.
    if (isKept) this.put(slot, [...loading.callers].some(({ takesOld }) => takesOld))
    else this.putAside(slot)
    this.serve(loading, slot)
    // What was looked up is all there is to know of the key, though it is not kept.
    if (!isKept && !loading.isDetached && loading.old?.status === "cached") this.retire(loading.old, "replaced")
    this.finish(slot, now, loading)
  }

  /** A value that was not looked up: from now on it is the key's. */
  set(slot: Slot<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.detach(slot)
    const old = this.slots.like(slot)
    if (isWorthKeeping && this.mayKeep(slot)) this.put(slot, true)
    else {
      this.putAside(slot)
      if (old !== undefined) this.retire(old, "replaced")
    }
    this.finish(slot, now)
  }

  /** The value that is there was given once more: it is as new, but weighs what it weighed. */
  renew(slot: Slot<K, A, E>, given: Slot<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.detach(slot)
    this.renewed(slot, given, isWorthKeeping)
    this.finish(slot, now)
  }

  private renewed(slot: Slot<K, A, E>, given: Slot<K, A, E>, isWorthKeeping: boolean): void {
    if (!isWorthKeeping) return this.retire(slot, "replaced")
    slot.writtenAt = given.writtenAt
    slot.expiresAt = given.expiresAt
    slot.timeToIdle = given.timeToIdle
    slot.failures = 0
    this.policy.used(slot)
    this.startAging(slot)
  }

  /** A lookup has given the very value that is there: it is as new, and not released for itself. */
  loadedAgain(loading: Loading<K, A, E>, there: Slot<K, A, E>, given: Slot<K, A, E>, now: number): void {
    this.loads.end(loading)
    this.serve(loading, there)
    this.renewed(there, given, given.expiresAt > given.writtenAt)
    this.finish(there, now, loading)
  }

  /** Not what is heavier than all may be together: it is only for those that wait for it. */
  private mayKeep(slot: Slot<K, A, E>): boolean {
    return this.isOpen && slot.weight <= this.limits.maxWeight
  }

  /** With the lookup that has ended for good, if one has. */
  private finish(slot: Slot<K, A, E>, now: number, ended?: Loading<K, A, E>): void {
    if (slot.status === "retired" && slot.users === 0) this.release(slot)
    this.trim()
    this.makeRoom(now)
    if (ended?.next !== undefined) {
      this.beginNext(ended, now)
      this.trim()
    }
    this.host.settled()
  }

  /** It is in before the one goes whose place it takes. */
  private put(slot: Slot<K, A, E>, isUse: boolean): void {
    const old = this.slots.like(slot)
    this.slots.set(slot)
    this.occupancy.putIn(slot)
    enter(this.policy, old, slot)
    if (old !== undefined && isUse) this.policy.used(slot)
    this.startAging(slot)
    if (old !== undefined) this.retire(old, "replaced")
  }

  private startAging(slot: Slot<K, A, E>): void {
    if (this.isTimed) slot.lookAt = Aging.firstLook(slot, this.limits)
    if (this.agesIdle) slot.usedAt = slot.writtenAt
    if (this.isTimed || this.agesIdle) this.setTimer(slot)
  }

  private setTimer(slot: Slot<K, A, E>): void {
    if (this.agesIdle) slot.isUntimed = slot.users > 0
    this.host.dueAt(slot, Aging.dueAt(slot, this.limits))
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

  /** A value that came too late for anybody. */
  discard(slot: Slot<K, A, E>, now: number): void {
    this.putAside(slot)
    this.finish(slot, now)
  }

  /** A value was looked up that nothing can be done with: the cache, or its registry, is closed. */
  refused(loading: Loading<K, A, E>, now: number): void {
    this.loads.end(loading)
    this.refuse(loading)
    this.makeRoom(now)
    this.beginNext(loading, now)
    this.host.settled()
  }

  private refuse(loading: Loading<K, A, E>): number {
    const { next } = loading
    const size = loading.callers.size + (next?.callers.size ?? 0)
    for (const caller of [...loading.callers, ...next?.callers ?? []]) caller.refuse()
    loading.callers.clear()
    next?.callers.clear()
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
  private retire(slot: Slot<K, A, E>, reason: RemovalReason): void {
    if (slot.status !== "cached") return
    if (this.slots.has(slot)) {
      this.slots.delete(slot)
      this.orphan(slot)
      this.policy.removed(slot)
    }
    this.host.dueAt(slot, Infinity)
    const isExempt = reason === "replaced" && slot.users > 0 && this.exempt.like(slot) === undefined
    if (isExempt) this.exempt.set(slot)
    this.change(slot, () => {
      slot.status = slot.held === undefined ? "gone" : "retired"
      slot.isExempt = isExempt
    })
    if (slot.held !== undefined) this.retired.add(slot)
    this.host.removed(slot, reason)
    if (this.retired.has(slot) && slot.users === 0) this.release(slot)
  }

  /** Its refresh goes on where somebody waits for it, and then counts as any lookup. */
  private orphan(slot: Slot<K, A, E>): void {
    const loading = this.loads.like(slot)
    if (loading?.old !== slot) return
    if (loading.callers.size === 0 && loading.next === undefined) this.detachLoading(loading)
    else this.loads.forgetOld(loading)
  }

  private release(slot: Slot<K, A, E>): void {
    this.startRelease(slot)
    this.host.release(slot)
  }

  private startRelease(slot: Slot<K, A, E>): void {
    this.retired.delete(slot)
    this.releasing.add(slot)
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
    this.releasing.delete(slot)
    this.change(slot, () => slot.status = "gone")
    if (slot.isExempt) this.exempt.delete(slot)
    this.makeRoom(now)
    this.host.settled()
  }

  /** Whose timer has come, or not quite. */
  due(slot: Slot<K, A, E>, now: number): void {
    if (slot.status !== "cached") return
    // A timer may fire a fraction of a millisecond before its time.
    if (now + 0.5 < Aging.dueAt(slot, this.limits)) return this.setTimer(slot)
    this.expire(slot, now)
    this.host.settled()
  }

  private expire(slot: Slot<K, A, E>, now: number): void {
    this.retire(slot, "expired")
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

  private detachLoading(loading: Loading<K, A, E>): void {
    this.loads.detach(loading)
    this.giveUp(loading)
  }

  /** Whoever asks from now on does not get what is there, or on its way. Tells whether anything was. */
  invalidate(key: K, now: number): boolean {
    const keyed = { key, hash: hashOf(key) }
    const wasComing = this.detach(keyed)
    const slot = this.slots.like(keyed)
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
    for (const loading of this.loads.values()) this.detachLoading(loading)
    for (const slot of slots) this.retire(slot, "invalidated")
    this.makeRoom(now)
    this.host.settled()
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
    this.closing = { slots: this.slots, left: this.slots[Symbol.iterator]() }
    this.slots = new KeyMap()
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
    this.host.settled()
    return this.closing !== undefined
  }
}
