/**
 * The turns of the event loop after an instant. What comes to a busy process is heard at its next turn, so it is dated by
 * the turn before: it cannot have come earlier.
 */
import * as Seam from "./Seam.js"

/** How often turns of the loop are looked at. */
const turnMillis = 50

export class LoopTurns {
  /** When the loop had its last turn but one, or earlier: what is heard now has come since. */
  before = 0

  /** Looks at turns from now on, for so long. */
  watch(from: number, millis: number, turn = from): void {
    // Timers come first in a turn, so the one of this very turn says nothing of what is heard in it.
    this.before = turn
    if (turn - from >= millis) return
    const now = Seam.nowMillis()
    Seam.startTimer(turnMillis, () => this.watch(from, millis, now)).unref()
  }
}
