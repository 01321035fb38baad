/**
 * Starts what the registry itself runs: most urgent first, at most `concurrency` at a time. A fiber exists only while
 * something waits; it takes as many as slots are free, without blocking, and ends. With nothing waiting and a slot free
 * a request starts at once. Requests that were cancelled or claimed are skipped when they come up.
 */
import { Effect } from "effect"
import type { Trigger } from "../../CleanupReport.js"
import type { CleanupTarget } from "../cleanup/CleanupTarget.js"
import * as Fibers from "../effect3/Fibers.js"
import type * as Refs from "../effect3/Refs.js"
import * as Turns from "../effect3/Turns.js"
import * as CleanupQueue from "./CleanupQueue.js"

export interface QueuedCleanup extends CleanupQueue.Queued {
  readonly entry: CleanupTarget
  readonly trigger: Trigger
  readonly requestedAt: number
  state: "waiting" | "taken" | "skipped"
  /** Its callers that have not taken it back. */
  asks: number
}

export class Dispatcher {
  /** Requests that wait, without the skipped ones. */
  waiting = 0
  private free: number
  /** Requests in the queue, skipped ones too. */
  private queued = 0
  private pumping = false
  private wake: (() => void) | undefined = undefined
  private readonly turn = new Turns.Turn()
  private readonly queue = CleanupQueue.make<QueuedCleanup>()

  constructor(
    concurrency: number,
    private readonly origin: Refs.Origin,
    private readonly start: (request: QueuedCleanup) => void,
    /** Called once the request has its place. What it runs may cancel or claim requests, and add others. */
    private readonly report: (request: QueuedCleanup) => void
  ) {
    this.free = concurrency
  }

  enqueue(request: QueuedCleanup): void {
    if (this.waiting > 0 || this.free === 0) {
      this.add(request)
      this.report(request)
      return this.pump()
    }
    request.state = "taken"
    this.free--
    this.report(request)
    if (request.entry.request === request) this.start(request)
    else this.giveBackSlot()
  }

  /** Without letting it start: of many that are added, the most urgent starts first. */
  add(request: QueuedCleanup): void {
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

  /** Starts what may start. */
  pump(): void {
    if (this.pumping || this.queued === 0) return
    this.pumping = true
    Fibers.forkNow(this.loop, this.origin)
  }

  private readonly loop: Effect.Effect<void> = Effect.suspend(() => {
    if (this.queued === 0) {
      this.pumping = false
      return Effect.void
    }
    if (this.free === 0 && this.waiting > 0) {
      return Effect.andThen(
        Fibers.callback<void>((resume) => {
          this.wake = () => resume(Effect.void)
        }),
        this.loop
      )
    }
    return this.startSome() ? this.loop : Effect.andThen(this.turn.next, this.loop)
  })

  /**
   * One by one, as what has just been started may have scheduled something more urgent than the rest; says whether it
   * has not had to stop, for others to have a turn.
   */
  private startSome(): boolean {
    // With only skipped ones left, all are taken out.
    while (this.queued > 0 && (this.waiting === 0 || this.free > 0)) {
      if (this.turn.isOver()) return false
      const request = this.queue.take()!
      this.queued--
      if (request.state !== "waiting") continue
      request.state = "taken"
      this.waiting--
      this.free--
      this.start(request)
    }
    return true
  }
}
