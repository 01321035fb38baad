/**
 * The cleanups that wait for the registry, most urgent first, then first come first served. A `TPriorityQueue` whose
 * elements are ordered by (band, sequence): by the band alone, equals would come out last-in first-out, and elements with
 * structural equality would share a slot and cost O(n). Nothing here blocks, so nothing can lose an element to an
 * interruption. The only file that uses STM.
 */
import { Effect, Order, STM, TPriorityQueue } from "effect"

export interface Queued {
  /** 3 is the most urgent. */
  readonly band: number
  readonly sequence: number
}

/** Negative when `a` starts before `b`. */
export const order: Order.Order<Queued> = Order.make((a, b) =>
  a.band !== b.band
    ? a.band > b.band ? -1 : 1
    : a.sequence < b.sequence
    ? -1
    : a.sequence > b.sequence
    ? 1
    : 0
)

export interface CleanupQueue<A extends Queued> {
  readonly offer: (request: A) => void
  readonly offerAll: (requests: ReadonlyArray<A>) => void
  readonly takeUpTo: (max: () => number) => Effect.Effect<ReadonlyArray<A>>
}

// A transaction that only writes one reference never waits, so it can be run in the caller's turn.
const now = (transaction: STM.STM<void>): void => Effect.runSync(STM.commit(transaction))

export const make = <A extends Queued>(): CleanupQueue<A> => {
  const queue = Effect.runSync(STM.commit(TPriorityQueue.empty<A>(order)))
  return {
    offer: (request) => now(TPriorityQueue.offer(queue, request)),
    offerAll: (requests) => now(TPriorityQueue.offerAll(queue, requests)),
    takeUpTo: (max) => STM.commit(STM.suspend(() => TPriorityQueue.takeUpTo(queue, max())))
  }
}
