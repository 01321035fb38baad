/** The fiber of the program and those that it has forked, as far as they were seen: some hide when it waits for them. */
import { callback } from "@patinox/core/kernel"
import { Effect } from "effect"
import type { FiberLine } from "./Messages.js"
import * as Seam from "./Seam.js"

export class ProgramFibers {
  private readonly seen = new Set<Seam.AnyFiber>()

  constructor(readonly main: Seam.AnyFiber) {}

  /** Those that run now; looks for others meanwhile. */
  running(): ReadonlyArray<FiberLine> {
    for (const fiber of Seam.familyOf(this.main)) this.seen.add(fiber)
    return [...this.seen].filter(Seam.isRunning).map(Seam.lineOf)
  }

  /** Waits until the program has ended, for so many milliseconds at most. */
  awaitEnd(millis: number): Effect.Effect<void> {
    return callback<void>((resume) => {
      const timer = millis === Infinity ? undefined : Seam.startTimer(millis, () => resume(Effect.void))
      Seam.onEnd(this.main, () => {
        timer?.clear()
        resume(Effect.void)
      })
    })
  }
}
