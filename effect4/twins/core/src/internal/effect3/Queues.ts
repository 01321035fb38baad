/** Effect's queues, without an effect. */
import { Queue } from "effect"

/** Offers without a fiber. A full sliding queue drops its oldest. */
export const offerSliding = <A>(queue: Queue.Queue<A>, value: A): void => {
  Queue.offerUnsafe(queue, value)
}
