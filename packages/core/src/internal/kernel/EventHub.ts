/**
 * Events for subscribers, in order. A subscriber that falls behind loses its oldest events, so that it still sees the
 * last one and ends. Emitting never waits for a subscriber; without one it costs the reading of a number.
 */
import { Effect, Queue, Stream } from "effect"
import * as Queues from "../effect3/Queues.js"

export class EventHub<Event> {
  private readonly subscribers = new Set<Queue.Queue<Event>>()
  private isOver = false

  /** The stream ends with the first event for which `isLast` holds. `capacity` events wait for a slow subscriber. */
  constructor(private readonly isLast: (event: Event) => boolean, private readonly capacity = 1_024) {}

  get hasSubscribers(): boolean {
    return this.subscribers.size > 0
  }

  /** Starts with the first event after the subscription; empty after the end. */
  readonly stream: Stream.Stream<Event> = Stream.unwrapScoped(
    Effect.suspend(() =>
      this.isOver ? Effect.succeed(Stream.empty) : Effect.map(
        Effect.acquireRelease(
          Effect.tap(Queue.sliding<Event>(this.capacity), (queue) => Effect.sync(() => this.subscribers.add(queue))),
          (queue) => Effect.andThen(Effect.sync(() => this.subscribers.delete(queue)), Queue.shutdown(queue))
        ),
        (queue) => Stream.takeUntil(Stream.fromQueue(queue), (event) => this.isLast(event))
      )
    )
  )

  /** Makes the event only where somebody subscribes. */
  emit(make: () => Event): void {
    if (this.subscribers.size === 0) return
    const event = make()
    for (const queue of this.subscribers) Queues.offerSliding(queue, event)
  }

  /** Later subscriptions are empty. */
  end(): void {
    this.isOver = true
  }
}
