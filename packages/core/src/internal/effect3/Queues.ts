/** Effect's queues, without an effect. */
import { Effect, Queue } from "effect"

/** Offers without a fiber. A full sliding queue refuses that way, and is offered to as an effect, which drops its oldest. */
export const offerSliding = <A>(queue: Queue.Queue<A>, value: A): void => {
  if (!queue.unsafeOffer(value)) Effect.runSyncExit(Queue.offer(queue, value))
}
