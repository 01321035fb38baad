/**
 * One timer for everything that is due: it runs only while something is, and is set for the earliest. Spans are measured
 * on a clock that never jumps; a timer that comes early looks again.
 */
import type { Clock } from "effect"
import * as Clocks from "../effect3/Clocks.js"
import type * as Refs from "../effect3/Refs.js"
import { type Deadline, DeadlineHeap } from "./DeadlineHeap.js"

export class Timers {
  private readonly deadlines = new DeadlineHeap()
  private cancel: (() => void) | undefined
  private armedFor = Infinity

  constructor(readonly clock: Clock.Clock, private readonly origin: Refs.Origin) {}

  now(): number {
    return Clocks.monotonicMillis(this.clock)
  }

  set(deadline: Deadline, at: number): void {
    if (at === Infinity) return this.clear(deadline)
    this.deadlines.set(deadline, at)
    this.arm()
  }

  clear(deadline: Deadline): void {
    if (deadline.index === -1) return
    this.deadlines.remove(deadline)
    if (this.deadlines.size === 0) this.disarm()
  }

  private arm(isEarly = false): void {
    const at = this.deadlines.earliest!.at
    if (this.cancel !== undefined && this.armedFor <= at) return
    this.disarm()
    const now = this.now()
    this.armedFor = Math.min(at, now + Clocks.maxTimerMillis)
    // A clock that does not wait at all calls back before it has returned how to call it off.
    let isOver = false
    const onTime = () => {
      isOver = true
      this.onTime()
    }
    const cancel = Clocks.startTimer(this.clock, this.origin, { millis: at - now, onTime, isEarly })
    if (!isOver) this.cancel = cancel
  }

  private disarm(): void {
    this.cancel?.()
    this.cancel = undefined
    this.armedFor = Infinity
  }

  private onTime(): void {
    const now = this.now()
    const isEarly = this.armedFor > now + 0.5
    this.cancel = undefined
    this.armedFor = Infinity
    for (;;) {
      const next = this.deadlines.earliest
      // A timer may fire a fraction of a millisecond before its time.
      if (next === undefined || next.at > now + 0.5) break
      this.deadlines.remove(next)
      next.onDue()
    }
    if (this.deadlines.size > 0) this.arm(isEarly)
  }
}
