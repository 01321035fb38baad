/**
 * The lookups of a cache: which one is under way for a key, which wait for room, which run, and which did not end in
 * time. It knows no values; who has to go for a lookup is decided elsewhere. Pure data.
 */
import type * as Seam from "../Seam.js"
import { type Keyed, KeyMap } from "./KeyMap.js"
import { type Attempt, Load } from "./Load.js"
import { LoadQueue } from "./LoadQueue.js"
import type { Occupancy } from "./Occupancy.js"

export class Loads<K, A, E> {
  /** Of each key the one that gives what callers get from now on. */
  private readonly current = new KeyMap<K, Load<K, A, E>>()
  readonly queued = new LoadQueue<K, A, E>()
  /** Those that have begun and not ended. */
  readonly running = new Set<Load<K, A, E>>()
  /** Those that were given up on and may still be at work. */
  readonly abandoned = new Set<Attempt<K, A, E>>()

  constructor(private readonly occupancy: Occupancy) {}

  get(key: K): Load<K, A, E> | undefined {
    return this.current.get(key)
  }

  like(keyed: Keyed<K>): Load<K, A, E> | undefined {
    return this.current.like(keyed)
  }

  values(): Array<Load<K, A, E>> {
    return this.current.values()
  }

  /** From now on it is the lookup of its key, unless nobody is to ask for it any more. */
  enter(loading: Load<K, A, E>): void {
    if (!loading.isDetached) this.current.set(loading)
  }

  wait(loading: Load<K, A, E>): void {
    loading.phase = "queued"
    this.queued.add(loading)
  }

  run(loading: Load<K, A, E>, takesRoom: boolean, now: number): void {
    this.queued.delete(loading)
    loading.phase = "running"
    loading.startedAt = now
    loading.hasAsked = loading.hasFailed = false
    this.takeRoom(loading, takesRoom)
    this.running.add(loading)
  }

  end(loading: Load<K, A, E>): void {
    loading.phase = "over"
    this.queued.delete(loading)
    this.running.delete(loading)
    this.takeRoom(loading, false)
    this.current.delete(loading)
  }

  private takeRoom(loading: Load<K, A, E>, takesRoom: boolean): void {
    if (loading.takesRoom !== takesRoom) this.occupancy.coming += takesRoom ? 1 : -1
    loading.takesRoom = takesRoom
  }

  /** Who asks from now on does not get what it gives, nor what the one behind it does. */
  detach(loading: Load<K, A, E>): void {
    loading.isDetached = true
    if (loading.next !== undefined) loading.next.isDetached = true
    this.current.delete(loading)
    this.forgetOld(loading)
  }

  /** The value that it was to replace is gone: from now on it counts as any lookup. */
  forgetOld(loading: Load<K, A, E>): void {
    if (loading.old === undefined) return
    loading.old = undefined
    this.queued.orphaned(loading)
    if (this.running.has(loading)) this.takeRoom(loading, true)
  }

  /** The one that begins when this has ended: what it gives is from after this moment. */
  behind(loading: Load<K, A, E>, origin: Seam.CallerOrigin): Load<K, A, E> {
    if (loading.next !== undefined) return loading.next
    const next = new Load<K, A, E>(loading, undefined, origin, loading.owner)
    next.phase = "behind"
    next.waits(loading, 1)
    loading.next = next
    return next
  }

  /** The one behind, which is on its own from now on. */
  takeNext(loading: Load<K, A, E>): Load<K, A, E> | undefined {
    const { next } = loading
    loading.next = undefined
    next?.waits(loading, -1)
    return next
  }

  /** Nobody waits any more for one that is behind another. */
  forget(next: Load<K, A, E>): void {
    next.phase = "over"
    for (const before of next.pending.keys()) if (before.next === next) this.takeNext(before as Load<K, A, E>)
  }
}
