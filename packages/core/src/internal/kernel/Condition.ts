/**
 * What fibers wait for until it is so: each says what it looks for, and whoever changes something of that says so. The one
 * owner of such waits. Not for waits that end by one event alone, as the end of a fiber: those need no second look.
 */
import { Effect } from "effect"
import * as Fibers from "../effect3/Fibers.js"
import * as DeadlineHeap from "./DeadlineHeap.js"
import type { Timers } from "./Timers.js"

/** Until when something is waited for. */
export interface WaitLimit {
  readonly timers: Timers
  /** Read again at each `check`, as it may be moved. */
  readonly at: () => number
}

export class Condition {
  private readonly looks = new Set<() => void>()

  /** Something has changed, what is looked at or a deadline: each wait looks again. */
  check(): void {
    for (const look of this.looks) look()
  }

  /**
   * Waits until it is true, and gives true; or false where the time was up first. `onEnd` is called before the fiber goes
   * on, or when it is interrupted.
   */
  until(isTrue: () => boolean, limit?: WaitLimit, onEnd?: () => unknown): Effect.Effect<boolean> {
    return Fibers.callback<boolean>((resume) => {
      const leave = (): void => {
        this.looks.delete(look)
        limit?.timers.clear(deadline)
        onEnd?.()
      }
      const end = (isSo: boolean): void => {
        leave()
        resume(Effect.succeed(isSo))
      }
      const look = (): void => {
        if (isTrue()) end(true)
        else limit?.timers.set(deadline, limit.at())
      }
      const deadline = DeadlineHeap.make(() => end(false))
      this.looks.add(look)
      look()
      return Effect.sync(leave)
    })
  }
}
