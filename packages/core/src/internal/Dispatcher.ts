/**
 * Starts what the registry itself runs: most urgent first, at most `concurrency` at a time. A fiber exists only while
 * something waits; it takes as many as slots are free, without blocking, and ends. With nothing waiting and a slot free
 * a request starts at once. Requests that were cancelled or claimed are skipped when they come up.
 */
import { Effect } from "effect"
import type { Trigger } from "../CleanupReport.js"
import * as CleanupQueue from "./CleanupQueue.js"
import type { Entry } from "./Entry.js"
import * as Seam from "./Seam.js"

export interface QueuedCleanup extends CleanupQueue.Queued {
  readonly entry: Entry
  readonly trigger: Trigger
  readonly requestedAt: number
  state: "waiting" | "taken" | "skipped"
}

/** After so many that ended at once, others get a turn. */
const maxTurn = 64

export class Dispatcher {
  /** Requests that wait, without the skipped ones. */
  waiting = 0
  private free: number
  /** Requests in the queue, skipped ones too. */
  private queued = 0
  private pumping = false
  private wake: (() => void) | undefined = undefined
  private readonly queue = CleanupQueue.make<QueuedCleanup>()

  constructor(
    concurrency: number,
    private readonly origin: Seam.Origin,
    private readonly start: (request: QueuedCleanup) => void
  ) {
    this.free = concurrency
  }

  enqueue(request: QueuedCleanup): void {
    if (this.waiting === 0 && this.free > 0) {
      request.state = "taken"
      this.free--
      return this.start(request)
    }
    this.add(request)
    this.pump()
  }

  /** Queues all before any starts, so that the most urgent of them starts first. */
  enqueueAll(requests: ReadonlyArray<QueuedCleanup>): void {
    if (requests.length === 0) return
    for (const request of requests) this.add(request)
    this.pump()
  }

  private add(request: QueuedCleanup): void {
    this.waiting++
    this.queued++
    this.queue.offer(request)
  }

  /** The request is cancelled, or somebody else starts its cleanup. */
  skip(request: QueuedCleanup): void {
    if (request.state !== "waiting") return
    request.state = "skipped"
    this.waiting--
    if (this.waiting === 0) this.wakeUp()
  }

  giveBackSlot(): void {
    this.free++
    this.wakeUp()
  }

  private wakeUp(): void {
    const wake = this.wake
    this.wake = undefined
    wake?.()
  }

  private pump(): void {
    if (this.pumping) return
    this.pumping = true
    Seam.forkNow(this.loop, this.origin)
  }

  private readonly loop: Effect.Effect<void> = Effect.suspend(() => {
    if (this.queued === 0) {
      this.pumping = false
      return Effect.void
    }
    if (this.free === 0 && this.waiting > 0) {
      return Effect.andThen(
        Effect.async<void>((resume) => {
          this.wake = () => resume(Effect.void)
        }),
        this.loop
      )
    }
    this.startSome()
    return this.loop
  })

  /** One by one, as what has just been started may have scheduled something more urgent than the rest. */
  private startSome(): void {
    // With only skipped ones left, all are taken out.
    for (let turns = maxTurn; this.queued > 0 && (this.waiting === 0 || (this.free > 0 && turns > 0)); turns--) {
      const request = this.queue.take()!
      this.queued--
      if (request.state !== "waiting") continue
      request.state = "taken"
      this.waiting--
      this.free--
      this.start(request)
    }
  }
}
