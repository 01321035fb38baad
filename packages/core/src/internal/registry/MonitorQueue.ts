/**
 * Hands events to the monitor and to the subscribers of `events`, in order. The monitor's effect is started at once;
 * while it runs on, later events wait in a bounded buffer. An effect that exceeds its time is abandoned. Nothing it
 * does reaches a cleanup.
 */
import { Effect } from "effect"
import type { ResourceEvent } from "../../ResourceEvent.js"
import type { CleanupTarget } from "../cleanup/CleanupTarget.js"
import * as Fibers from "../effect3/Fibers.js"
import type * as Refs from "../effect3/Refs.js"
import { Condition } from "../kernel/Condition.js"
import * as DeadlineHeap from "../kernel/DeadlineHeap.js"
import { EventHub } from "../kernel/EventHub.js"
import type { Timers } from "../kernel/Timers.js"

export type Listener = (event: ResourceEvent) => Effect.Effect<unknown, unknown>

/** What an event tells besides its tag, its time and its resource. */
export type What<Tag extends ResourceEvent["_tag"]> = Omit<
  Extract<ResourceEvent, { readonly _tag: Tag }>,
  "_tag" | "at" | "id" | "typeName" | "priority"
>
export type Notify = <Tag extends ResourceEvent["_tag"]>(_tag: Tag, entry: CleanupTarget, what: What<Tag>) => void

/** How many events wait for a slow monitor, or a slow subscriber; beyond that the oldest are dropped. */
const bufferSize = 4_096
/** How long a monitor may take over one event. */
const listenerLimit = 1_000

export class MonitorQueue {
  /** Events that a slow monitor did not see. */
  dropped = 0
  private readonly hub = new EventHub<ResourceEvent>((event) => event._tag === "Closed", bufferSize)
  /** Ends with the registry's last event. */
  readonly stream = this.hub.stream
  private readonly buffer: Array<ResourceEvent> = []
  private current: ReturnType<typeof Fibers.forkNow> | undefined
  private delivering = false
  private readonly condition = new Condition()
  private readonly limit = DeadlineHeap.make(() => this.abandonCurrent())

  constructor(
    private readonly listener: Listener | undefined,
    private readonly timers: Timers,
    private readonly origin: Refs.Origin
  ) {}

  get observed(): boolean {
    return this.listener !== undefined || this.hub.hasSubscribers
  }

  emit(event: ResourceEvent): void {
    this.hub.emit(() => event)
    if (this.listener === undefined) return
    if (this.buffer.length >= bufferSize) {
      this.buffer.shift()
      this.dropped++
    }
    this.buffer.push(event)
    this.deliver()
  }

  /** Delivers what it can without waiting. */
  private deliver(): void {
    if (this.delivering) return
    this.delivering = true
    while (this.current === undefined && this.buffer.length > 0) {
      const event = this.buffer.shift()!
      const fiber = Fibers.forkNow(
        Effect.exit(Effect.interruptible(Effect.suspend(() => this.listener!(event)))),
        this.origin
      )
      if (Fibers.poll(fiber) !== undefined) continue
      this.current = fiber
      this.timers.set(this.limit, this.timers.now() + listenerLimit)
      Fibers.observe(fiber, () => {
        if (this.current === fiber) this.next()
      })
    }
    this.delivering = false
    this.condition.check()
  }

  private next(): void {
    this.current = undefined
    this.timers.clear(this.limit)
    this.deliver()
  }

  private abandonCurrent(): void {
    const { current } = this
    this.dropped++
    // Before it is interrupted: its end is not that of the next.
    this.current = undefined
    this.timers.clear(this.limit)
    if (current !== undefined) Fibers.interruptLater(current)
    this.deliver()
  }

  /** Waits until the monitor has seen everything, for the time that one event may take at most. */
  readonly flush: Effect.Effect<unknown> = Effect.suspend(() => {
    const until = this.timers.now() + listenerLimit
    return this.condition.until(() => this.isDrained, { timers: this.timers, at: () => until }, () => {
      // What it has not seen by then it does not see.
      this.buffer.length = 0
    })
  })

  private get isDrained(): boolean {
    return this.current === undefined && this.buffer.length === 0
  }

  close(): void {
    this.hub.end()
  }
}
