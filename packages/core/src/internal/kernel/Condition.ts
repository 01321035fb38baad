/**
 * What fibers wait for until it is so: each says what it looks for, and whoever changes something of that says so. The one
 * owner of such waits. Not for waits that end by one event alone, as the end of a fiber: those need no second look.
 */
import { Effect } from "effect"
import * as Fibers from "../effect3/Fibers.js"
import * as DeadlineHeap from "./DeadlineHeap.js"
import type { Timers } from "./Timers.js"

/** Until when something is waited for. */
export interface WaitLimit<A> {
  readonly timers: Timers
  /** Read anew at each `check`, as it may be moved. */
  readonly at: () => number
  /** What the wait gives where the time is up first. */
  readonly otherwise: () => A
}

export class Condition {
  private readonly looks = new Set<() => void>()

  /** Something has changed, what is looked at or a deadline: each wait looks again. */
  check(): void {
    for (const look of this.looks) look()
  }

  /** Waits until `find` gives something; `onEnd` is called before the fiber goes on, or when it is interrupted. */
  until<A>(find: () => A | undefined, limit?: WaitLimit<A>, onEnd: () => void = () => {}): Effect.Effect<A> {
    return Fibers.callback<A>((resume) => {
      const leave = (): void => {
        this.looks.delete(look)
        limit?.timers.clear(deadline)
        onEnd()
      }
      const end = (result: A): void => {
        leave()
        resume(Effect.succeed(result))
      }
      const look = (): void => {
        const found = find()
        if (found !== undefined) end(found)
        else limit?.timers.set(deadline, limit.at())
      }
      const deadline = DeadlineHeap.make(() => end(limit!.otherwise()))
      this.looks.add(look)
      look()
      return Effect.sync(leave)
    })
  }

  /** Waits until it is true, or the time is up; whether it is true. */
  isTrueBy(isTrue: () => boolean, timers: Timers, at: () => number): Effect.Effect<boolean> {
    return this.until(() => isTrue() || undefined, { timers, at, otherwise: () => false })
  }

  /** Waits until it is true. */
  isTrue(isTrue: () => boolean, onEnd?: () => void): Effect.Effect<void> {
    return this.until(() => isTrue() ? null : undefined, undefined, onEnd) as Effect.Effect<any>
  }
}
