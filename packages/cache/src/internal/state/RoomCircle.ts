/**
 * Sees that a caller would wait for ever: every place of a full cache is held by what waits for room in turn. A load
 * holds its place, a use its value's, a release and a removal listener theirs, and any of them may request more from
 * inside. Only what is certain counts: a holder of a place that does not wait for this is taken to give it back.
 */
import type { CurrentFiber } from "@patinox/core/kernel"
import type { WorkItem } from "../ActiveWork.js"
import type { CacheEntry } from "./CacheEntry.js"
import type { Load, Places } from "./Load.js"

type AnyLoad = Load<any, any, any>
type AnyEntry = CacheEntry<any, any, any>

/** A caller that waits for a load. */
export interface Waiter {
  readonly fiber: CurrentFiber
  readonly load: AnyLoad | undefined
  /** What it is a part of: loads, releases and listeners that do not end before it has an answer. */
  readonly within: ReadonlyArray<WorkItem>
  /** Of the same fiber, which may wait for several. */
  sibling: Waiter | undefined
}

const byFiber = new Map<CurrentFiber, Waiter>()
/** Those that are a part of something. */
const nested = new Set<Waiter>()

/** A waiting caller is known from here on, until `leave`. */
export const enter = (waiter: Waiter): void => {
  waiter.sibling = byFiber.get(waiter.fiber)
  byFiber.set(waiter.fiber, waiter)
  if (waiter.within.length > 0) nested.add(waiter)
}

export const leave = (waiter: Waiter): void => {
  nested.delete(waiter)
  const first = byFiber.get(waiter.fiber)
  if (first === waiter) {
    if (waiter.sibling === undefined) byFiber.delete(waiter.fiber)
    else byFiber.set(waiter.fiber, waiter.sibling)
    return
  }
  for (let other = first; other !== undefined; other = other.sibling) {
    if (other.sibling === waiter) other.sibling = waiter.sibling
  }
}

/** Whether the waiter, which has just begun to wait, closes a circle. */
export const isClosedBy = (waiter: Waiter): boolean => {
  const search = new Search()
  return search.isStuck(waiter.load!) && search.hasMet(waiter)
}

class Search {
  /** What does not wait for ever: that is certain. */
  private readonly free = new Set<AnyLoad | Places>()
  /** What does, in the order of being looked at, if all that is before it does. */
  private readonly stuck = new Set<AnyLoad | Places>()
  private readonly path: Array<AnyLoad | Places> = []
  private readonly met = new Set<Waiter | WorkItem>()

  /** Whether what waits is a reason of its own waiting, and not only one more in the line. */
  hasMet(waiter: Waiter): boolean {
    return this.met.has(waiter) || waiter.within.some((item) => this.met.has(item))
  }

  isStuck(load: AnyLoad): boolean {
    return this.known(load) ?? this.found(load, () => {
      const isStuck = this.cannotGoOn(load)
      if (isStuck) this.met.add(load)
      return isStuck
    })
  }

  private cannotGoOn({ owner, pending, phase }: AnyLoad): boolean {
    switch (phase) {
      case "queued":
        return this.isFull(owner)
      case "running":
      case "behind":
        return [...pending.keys()].some((other) => this.isStuck(other))
      case "aborted":
      case "over":
        return false
      default:
        return phase satisfies never
    }
  }

  private known(what: AnyLoad | Places): boolean | undefined {
    return this.free.has(what) ? false : this.stuck.has(what) ? true : undefined
  }

  /**
   * Whatever leads back to it while it is looked at is stuck if it is; where it is not, that must be looked at again.
   */
  private found(what: AnyLoad | Places, isStuck: () => boolean): boolean {
    this.stuck.add(what)
    this.path.push(what)
    if (isStuck()) return true
    this.free.add(what)
    for (let last: unknown; last !== what;) {
      last = this.path.at(-1)
      this.stuck.delete(this.path.pop()!)
    }
    return false
  }

  /** Whether no place will ever be free. */
  private isFull(places: Places): boolean {
    return this.known(places) ?? this.found(places, () => this.areStuck(places))
  }

  private areStuck(places: Places): boolean {
    for (const entry of places.releasing) if (!this.isWorkedOn(entry)) return false
    for (const entry of places.retired) if (!this.isKept(entry)) return false
    for (const load of places.running) if (load.takesRoom && !this.isStuck(load)) return false
    for (const entry of places.cached()) if (!this.isKept(entry)) return false
    return true
  }

  /** By a user, or by its removal listener. */
  private isKept(entry: AnyEntry): boolean {
    for (let borrow = entry.lease?.newest; borrow !== undefined; borrow = borrow.next) {
      for (let waiter = byFiber.get(borrow.fiber); waiter !== undefined; waiter = waiter.sibling) {
        if (borrow.endsAfter(waiter.fiber) && this.isStuck(waiter.load!)) {
          this.met.add(waiter)
          return true
        }
      }
    }
    return entry.isHeard && this.isWorkedOn(entry)
  }

  /** By a caller that waits from inside of its release, or of its listener. */
  private isWorkedOn(entry: AnyEntry): boolean {
    for (const waiter of nested) {
      if (!waiter.within.includes(entry) || !this.isStuck(waiter.load!)) continue
      this.met.add(entry)
      return true
    }
    return false
  }
}
