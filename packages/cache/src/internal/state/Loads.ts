/**
 * The loads of a cache: which one is under way for a key, which wait for room, which run, and which did not end in
 * time. It decides when one begins, and which goes for room; what a load that has ended means for the values is decided
 * by `CacheState`. Pure data.
 */
import type { CurrentFiber } from "@patinox/core/kernel"
import type { CacheEntry } from "./CacheEntry.js"
import type { CachePorts } from "./CachePorts.js"
import type { Entries } from "./Entries.js"
import { hashOf, keptKey, type Keyed, KeyMap } from "./KeyMap.js"
import { type Attempt, Load, type LoadRequester, type Places } from "./Load.js"
import { LoadQueue } from "./LoadQueue.js"
import type { Refusal, WhenFull } from "./Vocabulary.js"

/** What a load that finds no room comes to at once; it waits for room where neither is so. */
const withoutRoom: { readonly [When in WhenFull]: { readonly begins: boolean; readonly isRefused: boolean } } = {
  wait: { begins: false, isRefused: false },
  exceed: { begins: true, isRefused: false },
  fail: { begins: false, isRefused: true }
}

export class Loads<K, A, E> implements Places {
  /** Of each key the one that gives what callers get from now on. */
  private readonly current = new KeyMap<K, Load<K, A, E>>()
  readonly queued = new LoadQueue<K, A, E>()
  /** Those that have begun and not ended. */
  readonly running = new Set<Load<K, A, E>>()
  /** Those that were abandoned and may still be at work. */
  readonly abandoned = new Set<Attempt<K, A, E>>()
  isOpen = true

  constructor(
    private readonly ports: CachePorts<K, A, E>,
    private readonly entries: Entries<K, A, E>,
    private readonly whenFull: WhenFull
  ) {}

  get(key: K): Load<K, A, E> | undefined {
    return this.current.get(key)
  }

  values(): Array<Load<K, A, E>> {
    return this.current.values()
  }

  get retired(): Iterable<CacheEntry<K, A, E>> {
    return this.entries.retired
  }

  get releasing(): Iterable<CacheEntry<K, A, E>> {
    return this.entries.releasing
  }

  cached(): Iterable<CacheEntry<K, A, E>> {
    return this.entries.cached()
  }

  // --- callers -------------------------------------------------------------------------------------------------------

  /**
   * For a caller that found nothing good: the load that it waits for. A caller that wants what is new by now joins none
   * that has asked already.
   */
  join(
    caller: LoadRequester<K, A, E>,
    key: K,
    now: number,
    origin: CurrentFiber
  ): Load<K, A, E> | Refusal {
    if (!this.isOpen) return "closed"
    const existing = this.current.get(key)
    if (existing !== undefined) {
      const joined = caller.takesOld || !existing.hasAsked ? existing : this.behind(existing, origin)
      joined.callers.add(caller)
      return joined
    }
    const keyed = { key: keptKey(key), hash: hashOf(key) }
    const old = this.entries.like(keyed)
    const isFull = withoutRoom[this.whenFull].isRefused && !this.entries.occupancy.mayHaveRoom(this.queued.size)
    if (isFull && this.needsRoom(keyed, old)) return "full"
    const load = new Load(keyed, old, origin, this)
    load.callers.add(caller)
    this.begin(load, now)
    return load
  }

  /**
   * Refreshes a value behind a caller that was given it. What would wait for room is not begun: the value evicted for
   * it might be this one.
   */
  refresh(entry: CacheEntry<K, A, E>, origin: CurrentFiber, now: number): void {
    if (this.current.get(entry.key) !== undefined || !this.mayStart(entry, entry)) return
    this.begin(new Load(entry, entry, origin, this), now)
  }

  /** A caller does not wait any longer. With the last one gone, the load is not wanted. */
  leave(caller: LoadRequester<K, A, E>, load: Load<K, A, E>): void {
    if (load.callers.delete(caller)) this.endUnwanted(load)
  }

  /** Ends a load that is not wanted any longer, as no caller waits for it. */
  endUnwanted(load: Load<K, A, E>): void {
    if (load.callers.size > 0) return
    switch (load.phase) {
      case "behind":
        return this.forget(load)
      case "queued":
        return this.drop(load)
      case "running":
        return this.abort(load)
      case "aborted":
      case "over":
        return
      default:
        return load.phase satisfies never
    }
  }

  private abort(load: Load<K, A, E>): void {
    load.phase = "aborted"
    this.ports.abort(load)
  }

  /** Its time is up, though callers may wait for it: they get what the next attempt gives. */
  expel(load: Load<K, A, E>): void {
    if (load.phase === "running") load.phase = "aborted"
  }

  /** Forgets a load that has not begun. */
  private drop(load: Load<K, A, E>): void {
    this.end(load)
    this.beginNext(load, this.ports.now())
    this.ports.notifyWaiters()
  }

  /** The cache, or its registry, is closed. Gives how many callers were refused. */
  refuse(load: Load<K, A, E>): number {
    const { next } = load
    const size = load.callers.size + (next?.callers.size ?? 0)
    for (const caller of [...load.callers, ...next?.callers ?? []]) caller.refuse()
    load.callers.clear()
    next?.callers.clear()
    return size
  }

  /** Takes no callers from now on. Gives how many were refused. */
  close(): number {
    this.isOpen = false
    let refused = 0
    for (const load of [...this.queued, ...this.running]) {
      refused += this.refuse(load)
      load.isDetached = true
      if (load.phase === "running") this.abort(load)
      else if (load.phase === "queued") this.end(load)
    }
    this.queued.clear()
    return refused
  }

  // --- the course of one ---------------------------------------------------------------------------------------------

  /** From now on it is the load of its key, unless it is only for those who wait for it already. */
  private begin(load: Load<K, A, E>, now: number): void {
    if (!load.isDetached) this.current.set(load)
    if (this.mayStart(load, load.old)) return this.start(load, now)
    load.phase = "queued"
    this.queued.add(load)
    this.makeRoom(now)
  }

  private start(load: Load<K, A, E>, now: number): void {
    this.queued.delete(load)
    load.phase = "running"
    load.startedAt = now
    load.hasAsked = load.hasFailed = false
    this.takeRoom(load, this.needsRoom(load, load.old))
    this.running.add(load)
    this.ports.load(load)
  }

  /** It has ended without an answer, and a caller wants one. */
  beginAgain(load: Load<K, A, E>, now: number): void {
    load.old = load.isDetached ? undefined : this.entries.like(load)
    this.begin(load, now)
  }

  /** What has waited for the end of another of its key; what has waited for room goes first. */
  beginNext(load: Load<K, A, E>, now: number): void {
    const next = this.takeNext(load)
    if (next === undefined || next.callers.size === 0 || !this.isOpen) return
    if (this.current.like(next) !== undefined) next.isDetached = true
    this.beginAgain(next, now)
  }

  end(load: Load<K, A, E>): void {
    load.phase = "over"
    this.queued.delete(load)
    this.running.delete(load)
    this.takeRoom(load, false)
    this.current.delete(load)
  }

  // --- one behind another --------------------------------------------------------------------------------------------

  /** The one that begins when this has ended: what it gives is from after this moment. */
  private behind(load: Load<K, A, E>, origin: CurrentFiber): Load<K, A, E> {
    if (load.next !== undefined) return load.next
    const next = new Load<K, A, E>(load, undefined, origin, load.owner)
    next.phase = "behind"
    next.waits(load, 1)
    load.next = next
    return next
  }

  /** The one behind, which is on its own from now on. */
  private takeNext(load: Load<K, A, E>): Load<K, A, E> | undefined {
    const { next } = load
    load.next = undefined
    next?.waits(load, -1)
    return next
  }

  /** The last caller of a load behind another is gone. */
  private forget(next: Load<K, A, E>): void {
    next.phase = "over"
    for (const before of next.pending.keys()) if (before.next === next) this.takeNext(before as Load<K, A, E>)
  }

  // --- what it is for ------------------------------------------------------------------------------------------------

  /** Later callers of the key do not get what it gives, nor what the one behind it does. */
  detach(load: Load<K, A, E>): void {
    load.isDetached = true
    if (load.next !== undefined) load.next.isDetached = true
    this.current.delete(load)
    this.forgetOld(load)
    this.endUnwanted(load)
  }

  /** As `detach`, by key. Tells whether a load was under way. */
  detachLike(keyed: Keyed<K>): boolean {
    const load = this.current.like(keyed)
    if (load === undefined) return false
    this.detach(load)
    return true
  }

  /** A value is out of the cache. Its refresh goes on where a caller waits for it, and then counts as any load. */
  orphan(entry: CacheEntry<K, A, E>): void {
    const load = this.current.like(entry)
    if (load?.old !== entry) return
    if (load.callers.size === 0 && load.next === undefined) this.detach(load)
    else this.forgetOld(load)
  }

  private forgetOld(load: Load<K, A, E>): void {
    if (load.old === undefined) return
    load.old = undefined
    this.queued.orphaned(load)
    if (this.running.has(load)) this.takeRoom(load, true)
  }

  // --- room ----------------------------------------------------------------------------------------------------------

  /** Whether a load of the key may begin whatever room there is. */
  private mayStart(keyed: Keyed<K>, old: CacheEntry<K, A, E> | undefined): boolean {
    return withoutRoom[this.whenFull].begins || !this.needsRoom(keyed, old)
  }

  /** What will replace a value is there before that goes, which takes no room: but once for a key that is in use. */
  private needsRoom(keyed: Keyed<K>, old: CacheEntry<K, A, E> | undefined): boolean {
    return old === undefined || this.entries.hasExempt(keyed)
  }

  private takeRoom(load: Load<K, A, E>, takesRoom: boolean): void {
    if (load.takesRoom !== takesRoom) this.entries.occupancy.coming += takesRoom ? 1 : -1
    load.takesRoom = takesRoom
  }

  /** Begins as many as find room, and evicts for the rest, as far as room is not on its way already. */
  makeRoom(now: number): void {
    const { occupancy } = this.entries
    for (;;) {
      for (const next of this.queued.renewals) if (this.mayStart(next, next.old)) this.start(next, now)
      for (let next = this.queued.first; next !== undefined && occupancy.hasRoom; next = this.queued.first) {
        this.start(next, now)
      }
      const { wanting } = this.queued
      if (wanting === 0 || occupancy.willHaveRoom(wanting) || !this.entries.evict()) return
    }
  }
}
