/**
 * Events for whoever listens, in order. Who is slow loses the oldest of 1,024, and holds nobody up. With no listener an
 * event costs the reading of a number.
 */
import { Effect, Queue, Stream } from "effect"

const buffered = 1_024

export class Hub<Event> {
  private readonly listeners = new Set<Queue.Queue<Event>>()
  private isOver = false

  /** The stream ends with the event that is `last`. */
  constructor(private readonly isLast: (event: Event) => boolean) {}

  /** From the moment on at which it is listened to. */
  readonly stream: Stream.Stream<Event> = Stream.unwrapScoped(
    Effect.suspend(() =>
      this.isOver ? Effect.succeed(Stream.empty) : Effect.map(
        Effect.acquireRelease(
          Effect.tap(Queue.sliding<Event>(buffered), (queue) => Effect.sync(() => this.listeners.add(queue))),
          (queue) => Effect.andThen(Effect.sync(() => this.listeners.delete(queue)), Queue.shutdown(queue))
        ),
        (queue) => Stream.takeUntil(Stream.fromQueue(queue), (event) => this.isLast(event))
      )
    )
  )

  /** The event is made only where somebody listens. */
  emit(make: () => Event): void {
    if (this.listeners.size === 0) return
    const event = make()
    // Not `unsafeOffer`, which drops the newest where the queue is full.
    for (const queue of this.listeners) Effect.runSync(Queue.offer(queue, event))
  }

  /** Who listens from now on hears nothing. */
  end(): void {
    this.isOver = true
  }
}
