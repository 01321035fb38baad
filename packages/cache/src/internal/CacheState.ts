/**
 * What a cache knows and decides: which values are there, which are in use or on their way out, who has to go, what may
 * be looked up now. Synchronous decisions over plain data: instants are given, and what is to be done about a decision is
 * done by the host. Between any two calls the counts are right.
 */
import type { CachePolicy, PolicyState } from "../CachePolicy.js"
import { KeyMap } from "./KeyMap.js"
import { Loading, type LoadingCaller } from "./Loading.js"
import type * as Seam from "./Seam.js"
import type { RemovalReason, Slot } from "./Slot.js"

export interface CacheLimits {
  readonly maxEntries: number
  readonly maxWeight: number
  /** What a lookup does that finds no room because everything is in use. */
  readonly whenFull: "wait" | "exceed" | "fail"
  readonly policy: CachePolicy
  /** In milliseconds; infinite where not wanted. */
  readonly timeToIdle: number
  readonly refreshAfter: number
  /** In milliseconds; 0 where not wanted. */
  readonly staleWhileRevalidate: number
  readonly staleOnError: number
}

export interface CacheHost<K, A, E> {
  /** Begins a lookup. */
  load(loading: Loading<K, A, E>): void
  /** Ends a lookup that nobody wants. */
  abort(loading: Loading<K, A, E>): void
  /** The value is out of the cache. It may be in use, and whoever hears of it may use it. */
  removed(slot: Slot<K, A, E>, reason: RemovalReason): void
  /** Nobody uses the value any more: it is to be released. */
  release(slot: Slot<K, A, E>): void
  /** `due` is to be called then; `Infinity` where not. */
  dueAt(slot: Slot<K, A, E>, at: number): void
  now(): number
  /** Something was counted down: whoever waits for an end looks again. */
  settled(): void
}

/** The pause after a refresh that failed, in milliseconds: it doubles with each in a row. */
const firstPause = 1_000
const longestPause = 60_000

export class CacheState<K, A, E> {
  private readonly slots = new KeyMap<K, Slot<K, A, E>>()
  private readonly loadings = new KeyMap<K, Loading<K, A, E>>()
  /** Lookups that wait for room, the oldest first. */
  readonly queued = new Set<Loading<K, A, E>>()
  /** Those that have begun and not ended. */
  readonly running = new Set<Loading<K, A, E>>()
  private readonly policy: PolicyState
  private readonly agesIdle: boolean
  isOpen = true
  /** Values that the next caller gets. */
  cached = 0
  /** Values out of the cache that somebody uses. */
  readonly retired = new Set<Slot<K, A, E>>()
  /** Values that are being released. */
  releasing = 0
  /** Lookups that count as entries. */
  private coming = 0
  /** Values that somebody uses, of all those. */
  inUse = 0
  /** Of all those. */
  weight = 0
  private releasingWeight = 0
  /** What is in use and not being released, and so can neither be evicted nor is on its way out. */
  private busy = 0
  private busyWeight = 0
  /** What only its removal listener still has: it is on its way out. */
  private leaving = 0
  private leavingWeight = 0

  constructor(readonly host: CacheHost<K, A, E>, readonly limits: CacheLimits) {
    this.policy = limits.policy.make({ maxEntries: limits.maxEntries, maxWeight: limits.maxWeight })
    this.agesIdle = limits.timeToIdle < Infinity
  }

  get waiting(): number {
    return this.queued.size
  }

  /** What counts as entries and is not on its way out. */
  private get lasting(): number {
    return this.cached + this.retired.size - this.leaving + this.coming
  }

  private get lastingWeight(): number {
    return this.weight - this.releasingWeight - this.leavingWeight
  }

  // --- asking --------------------------------------------------------------------------------------------------------

  /** The value that is there and good enough; in use from now on, where it is to be released. The way of every hit. */
  take(key: K, now: number, origin: Seam.CallerOrigin): Slot<K, A, E> | undefined {
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

  private isGood(slot: Slot<K, A, E>, now: number, origin: Seam.CallerOrigin): boolean {
    if (this.agesIdle) {
      if (slot.users === 0 && now >= slot.usedAt + this.limits.timeToIdle) {
        this.expire(slot, now)
        return false
      }
      slot.usedAt = now
    }
    return now < slot.lookAt || this.isGoodAtItsAge(slot, now, origin)
  }

  private isGoodAtItsAge(slot: Slot<K, A, E>, now: number, origin: Seam.CallerOrigin): boolean {
    if (now >= slot.expiresAt + this.limits.staleWhileRevalidate) {
      // Its timer may be a moment late.
      if (now >= this.lastInstant(slot)) this.expire(slot, now)
      return false
    }
    if (this.loadings.get(slot.key) === undefined) this.begin(new Loading(slot.key, slot, origin), now)
    return true
  }

  /** From when on it is of no use at all. */
  private lastInstant(slot: Slot<K, A, E>): number {
    return slot.expiresAt + Math.max(this.limits.staleWhileRevalidate, this.limits.staleOnError)
  }

  use(slot: Slot<K, A, E>): void {
    if (slot.held === undefined || slot.users++ > 0) return
    this.inUse++
    if (slot.status === "cached" || slot.status === "retired") this.busier(slot, 1)
  }

  /** The removal listener has the value until it was `heard`; but that keeps nobody's room. */
  hear(slot: Slot<K, A, E>): void {
    if (slot.held === undefined) return
    slot.isHeard = true
    if (slot.users++ > 0) return
    this.inUse++
    this.startLeaving(slot)
  }

  heard(slot: Slot<K, A, E>): void {
    slot.isHeard = false
    if (slot.held === undefined || --slot.users > 0) return
    this.inUse--
    if (slot.status === "retired") this.release(slot)
    else slot.held.onUnused?.()
    this.host.settled()
  }

  private startLeaving(slot: Slot<K, A, E>): void {
    slot.isLeaving = true
    this.leaving++
    this.leavingWeight += slot.weight
  }

  private busier(slot: Slot<K, A, E>, by: 1 | -1): void {
    this.busy += by
    this.busyWeight += by * slot.weight
  }

  /** Somebody who used a value does not any more. */
  leave(slot: Slot<K, A, E>): void {
    if (slot.held === undefined) return
    if (--slot.users > 0) {
      if (slot.users > 1 || !slot.isHeard || slot.status !== "retired") return
      this.busier(slot, -1)
      return this.startLeaving(slot)
    }
    this.inUse--
    if (slot.status === "cached" || slot.status === "retired") this.busier(slot, -1)
    if (slot.status === "retired") this.release(slot)
    else if (slot.status === "cached") {
      if (this.agesIdle) slot.usedAt = this.host.now()
      if (slot.isPinned) {
        slot.isPinned = false
        this.policy.unpinned(slot)
      }
      this.trim()
      if (this.queued.size > 0) this.makeRoom(this.host.now())
    } else slot.held.onUnused?.()
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
    if (old === undefined && this.limits.whenFull === "fail" && !this.mayHaveRoom) return "full"
    const loading = new Loading(key, old, origin)
    loading.callers.add(caller)
    this.begin(loading, now)
    return loading
  }

  loadingOf(key: K): Loading<K, A, E> | undefined {
    return this.loadings.get(key)
  }

  /** A caller does not wait any more. The last one gone, nobody wants the lookup. */
  abandon(caller: LoadingCaller<K, A, E>, loading: Loading<K, A, E>): void {
    if (!loading.callers.delete(caller) || loading.callers.size > 0) return
    if (loading.phase === "queued") this.drop(loading)
    else this.giveUp(loading)
  }

  /** Nobody waits for it, and it takes too long. */
  giveUp(loading: Loading<K, A, E>): void {
    if (loading.callers.size === 0 && loading.phase === "running") this.abort(loading)
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
    if (loading.takesRoom) this.coming--
    loading.takesRoom = false
    if (this.loadings.get(loading.key) === loading) this.loadings.delete(loading.key)
  }

  // --- looking up ----------------------------------------------------------------------------------------------------

  private begin(loading: Loading<K, A, E>, now: number): void {
    if (!loading.isDetached) this.loadings.set(loading.key, loading)
    // What will replace a value is there before that goes: it needs no room of its own.
    if (loading.old !== undefined || this.limits.whenFull === "exceed") return this.start(loading, now)
    loading.phase = "queued"
    this.queued.add(loading)
    this.makeRoom(now)
  }

  private start(loading: Loading<K, A, E>, now: number): void {
    loading.phase = "running"
    loading.startedAt = now
    loading.takesRoom = loading.old === undefined
    if (loading.takesRoom) this.coming++
    this.running.add(loading)
    this.host.load(loading)
  }

  private get hasRoom(): boolean {
    return this.lasting + this.leaving + this.releasing < this.limits.maxEntries && this.weight < this.limits.maxWeight
  }

  /** Whether one lookup more would find room though nobody stopped using anything. */
  private get mayHaveRoom(): boolean {
    const { maxEntries, maxWeight } = this.limits
    return this.busy + this.coming + this.queued.size < maxEntries && this.busyWeight < maxWeight
  }

  /** Begins what there is room for, and evicts for the rest, as far as room is not on its way already. */
  private makeRoom(now: number): void {
    const { maxEntries, maxWeight } = this.limits
    for (;;) {
      while (this.queued.size > 0 && this.hasRoom) {
        const [next] = this.queued
        this.queued.delete(next!)
        this.start(next!, now)
      }
      if (this.queued.size === 0) return
      const isRoomComing = maxEntries - this.lasting >= this.queued.size && this.lastingWeight < maxWeight
      if (isRoomComing || !this.evict()) return
    }
  }

  /** Lets go of values until what is there fits, as far as it is not in use. */
  private trim(): void {
    const { maxEntries, maxWeight } = this.limits
    while (this.lasting > maxEntries || this.lastingWeight > maxWeight) if (!this.evict()) return
  }

  private evict(): boolean {
    for (;;) {
      const victim = this.policy.victim() as Slot<K, A, E> | undefined
      if (victim === undefined) return false
      if (victim.users === 0) {
        this.retire(victim, "evicted")
        return true
      }
      victim.isPinned = true
      this.policy.pinned(victim)
    }
  }

  /** A lookup has ended with a value, or with a failure that is to be kept, too. Only then is the slot anywhere. */
  loaded(loading: Loading<K, A, E>, slot: Slot<K, A, E>, isWorthKeeping: boolean, now: number): void {
    this.end(loading)
    const isKept = isWorthKeeping && !loading.isDetached && this.isOpen
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
    if (this.isOpen && isWorthKeeping) this.put(slot, true)
    else {
      this.putAside(slot)
      if (old !== undefined) this.retire(old, "replaced")
    }
    this.finish(slot, now)
  }

  private finish(slot: Slot<K, A, E>, now: number): void {
    if (slot.status === "retired" && slot.users === 0) this.release(slot)
    this.trim()
    this.makeRoom(now)
    this.host.settled()
  }

  /** It is in before the one goes whose place it takes. */
  private put(slot: Slot<K, A, E>, isUse: boolean): void {
    const { refreshAfter } = this.limits
    const old = this.slots.get(slot.key)
    this.slots.set(slot.key, slot)
    this.cached++
    this.weight += slot.weight
    slot.lookAt = Math.min(slot.expiresAt, slot.writtenAt + refreshAfter)
    this.tellPolicy(old, slot)
    if (old !== undefined && isUse) this.policy.used(slot)
    this.host.dueAt(slot, this.dueAt(slot))
    if (old !== undefined) this.retire(old, "replaced")
  }

  private tellPolicy(old: Slot<K, A, E> | undefined, slot: Slot<K, A, E>): void {
    if (old !== undefined && this.policy.replaced !== undefined) return this.policy.replaced(old, slot)
    if (old !== undefined) this.policy.removed(old)
    this.policy.added(slot)
  }

  /** It never gets into the cache. */
  private putAside(slot: Slot<K, A, E>): void {
    if (slot.held === undefined) {
      slot.status = "gone"
      return
    }
    slot.status = "retired"
    this.retired.add(slot)
    this.weight += slot.weight
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
    return old?.status === "cached" && now < this.lastInstant(old)
  }

  /** A lookup has failed with what is not to be kept. Callers get that, or the old value where it will do. */
  failed(loading: Loading<K, A, E>, failure: Slot<K, A, E>, now: number): void {
    const { old } = loading
    const isAgain = loading.phase === "aborted" && loading.callers.size > 0 && this.isOpen
    this.end(loading)
    if (isAgain) {
      // It was interrupted as nobody wanted it; but since then somebody does.
      loading.old = loading.isDetached ? undefined : this.slots.get(loading.key)
      return this.begin(loading, now)
    }
    failure.status = "gone"
    if (old?.status === "cached" && !loading.isDetached) {
      const isUseless = !this.keeps(old, now)
      this.refreshFailed(old, now)
      for (const caller of loading.callers) {
        const given = caller.takesOld && !isUseless ? old : failure
        this.use(given)
        caller.serve(given)
      }
      loading.callers.clear()
      if (isUseless) this.retire(old, "failed")
    } else this.serve(loading, failure)
    this.makeRoom(now)
    this.host.settled()
  }

  /** It is asked for again, but not at once, nor earlier than without this. */
  private refreshFailed(slot: Slot<K, A, E>, now: number): void {
    const pause = Math.min(longestPause, firstPause * 2 ** Math.min(slot.failures, 10))
    slot.failures++
    slot.lookAt = Math.min(Math.max(slot.lookAt, now + pause), this.lastInstant(slot))
  }

  // --- going ---------------------------------------------------------------------------------------------------------

  private retire(slot: Slot<K, A, E>, reason: RemovalReason): void {
    if (this.slots.get(slot.key) === slot) {
      this.slots.delete(slot.key)
      this.orphan(slot)
      this.policy.removed(slot)
    }
    this.host.dueAt(slot, Infinity)
    this.cached--
    if (slot.held === undefined) {
      slot.status = "gone"
      this.weight -= slot.weight
      return this.host.removed(slot, reason)
    }
    slot.status = "retired"
    this.retired.add(slot)
    this.host.removed(slot, reason)
    if (slot.users === 0) this.release(slot)
  }

  /** Its refresh goes on where somebody waits for it, and then counts as any lookup. */
  private orphan(slot: Slot<K, A, E>): void {
    const loading = this.loadings.get(slot.key)
    if (loading?.old !== slot) return
    loading.old = undefined
    if (loading.callers.size === 0) {
      this.detachLoading(loading)
    } else if (this.running.has(loading)) {
      loading.takesRoom = true
      this.coming++
    }
  }

  private release(slot: Slot<K, A, E>): void {
    this.retired.delete(slot)
    this.startRelease(slot)
    this.host.release(slot)
  }

  private startRelease(slot: Slot<K, A, E>): void {
    if (slot.isLeaving) {
      slot.isLeaving = false
      this.leaving--
      this.leavingWeight -= slot.weight
    } else if (slot.users > 0) this.busier(slot, -1)
    slot.status = "releasing"
    this.releasing++
    this.releasingWeight += slot.weight
  }

  /** Somebody else has begun to release the value. */
  seized(slot: Slot<K, A, E>): void {
    if (slot.status === "cached") {
      // Its listener is to have it, too.
      this.use(slot)
      this.retire(slot, "shutdown")
      this.retired.delete(slot)
      this.startRelease(slot)
      if (--slot.users === 0) this.inUse--
    } else if (slot.status === "retired") {
      this.retired.delete(slot)
      this.startRelease(slot)
    }
  }

  /** Releases what is in use though it is; nobody waits for its users any more. */
  reclaim(slot: Slot<K, A, E>): void {
    if (slot.status === "retired") this.release(slot)
  }

  /** The value's release is over, whatever became of it. */
  released(slot: Slot<K, A, E>, now: number): void {
    slot.status = "gone"
    this.releasing--
    this.releasingWeight -= slot.weight
    this.weight -= slot.weight
    this.makeRoom(now)
    this.host.settled()
  }

  /** Whose timer has come, or not quite. */
  due(slot: Slot<K, A, E>, now: number): void {
    if (slot.status !== "cached") return
    if (slot.users > 0 && this.agesIdle) slot.usedAt = now
    const at = this.dueAt(slot)
    // A timer may fire a fraction of a millisecond before its time.
    if (now + 0.5 < at) return this.host.dueAt(slot, at)
    this.expire(slot, now)
    this.host.settled()
  }

  private expire(slot: Slot<K, A, E>, now: number): void {
    this.retire(slot, "expired")
    this.makeRoom(now)
  }

  private dueAt(slot: Slot<K, A, E>): number {
    const at = this.lastInstant(slot)
    return this.agesIdle ? Math.min(at, slot.usedAt + this.limits.timeToIdle) : at
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
    if (loading.old !== undefined) {
      loading.old = undefined
      if (this.running.has(loading)) {
        loading.takesRoom = true
        this.coming++
      }
    }
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
    for (const loading of this.loadings.values()) this.detachLoading(loading)
    const slots = this.slots.values()
    for (const slot of slots) this.retire(slot, "invalidated")
    this.makeRoom(now)
    this.host.settled()
    return slots.length
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
