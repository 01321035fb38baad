/**
 * The start of a program, while its layers are built. A start that takes its time is reported now and then, with what
 * it waits for, and ended where it has a limit. It is over once no layer has been built for a moment.
 */
import type { Layer } from "effect"
import { Builds } from "./Builds.js"
import type { BuildLine } from "./Messages.js"
import * as Plan from "./Plan.js"
import * as Seam from "./Seam.js"

/** How long no layer is built until the start is over: a composed layer may only be about to begin its next part. */
const pauseMillis = 100

/** Timers by name, of which each is set once at a time. */
class NamedTimers {
  private readonly running = new Map<string, Seam.Timer>()

  set(name: string, millis: number, onTime: () => void): void {
    this.running.get(name)?.clear()
    this.running.set(name, Seam.startTimer(millis, onTime))
  }

  clear(): void {
    for (const timer of this.running.values()) timer.clear()
    this.running.clear()
  }
}

/** What is done about a start that takes its time. */
export interface StartHost {
  readonly onSlow: (waitsFor: ReadonlyArray<BuildLine>, millis: number) => void
  readonly onTimeout: (waitsFor: ReadonlyArray<BuildLine>) => void
}

export class StartWatch {
  private readonly timers = new NamedTimers()
  private readonly builds = new Builds({
    onBegin: () => this.begin(),
    onPause: () => this.timers.set("pause", pauseMillis, () => this.settle())
  })

  constructor(private readonly startTimeout: number, private readonly host: StartHost) {}

  /** A memo map whose builds are watched; those of loggers come first, and are no start of the program. */
  watch(memoMap: Layer.MemoMap, ofLoggers: boolean): Layer.MemoMap {
    return this.builds.watch(memoMap, ofLoggers)
  }

  /** From now on the start is neither reported nor ended. */
  stop(): void {
    this.timers.clear()
  }

  private settle(): boolean {
    const isOver = this.builds.settle()
    if (isOver) this.timers.clear()
    return isOver
  }

  private begin(): void {
    const { host, startTimeout } = this
    const from = Seam.nowMillis()
    const reportFrom = (n: number): void => {
      this.timers.set("report", Plan.startProgressAt(n) - (Seam.nowMillis() - from), () => {
        const lines = this.builds.lines()
        if (lines.length > 0) host.onSlow(lines, Seam.nowMillis() - from)
        reportFrom(n + 1)
      })
    }
    reportFrom(0)
    if (startTimeout === Infinity) return
    this.timers.set("end", startTimeout, () => {
      const lines = this.builds.lines()
      if (!this.settle()) host.onTimeout(lines)
    })
  }
}
