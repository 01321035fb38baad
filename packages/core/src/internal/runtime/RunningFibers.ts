/**
 * The fibers that a runtime has started and that have not ended; nothing is kept of a fiber that has ended. They are
 * ended together: all are interrupted at once, and waited for until a time limit.
 */
import * as Fibers from "../effect3/Fibers.js"
import * as Runtimes from "../effect3/Runtimes.js"
import * as DeadlineHeap from "../kernel/DeadlineHeap.js"
import type { Timers } from "../kernel/Timers.js"

interface Run {
  readonly fiber: Fibers.CurrentFiber
  /** What reports call it. */
  readonly what: string
}

export class RunningFibers {
  private readonly runs = new Map<number, Run>()
  /** Once they are being ended: looks whether all have. */
  private check: () => void = () => {}
  /** Not waited for: it waits for their end itself. */
  private excused: Run | undefined = undefined

  /** To be called in the fiber itself. */
  add(fiber: Fibers.CurrentFiber, what: string): void {
    const number = Fibers.fiberNumber(fiber)
    this.runs.set(number, { fiber, what })
    Runtimes.beginsRun(fiber)
    Fibers.observe(fiber, () => {
      this.runs.delete(number)
      this.check()
    })
  }

  /** The one of them that a fiber is, or is part of. */
  runOf(fiber: Fibers.CurrentFiber): Run | undefined {
    return this.runs.get(Runtimes.runOf(fiber) ?? -1)
  }

  excuse(run: Run): void {
    this.excused = run
    this.check()
  }

  private get rest(): ReadonlyArray<Run> {
    return [...this.runs.values()].filter((run) => run !== this.excused)
  }

  /** Ends all but who is excused, and gives the names of those that have not ended by then. */
  end(timers: Timers, by: number, then: (left: ReadonlyArray<string>) => void): void {
    // The newest first: a fiber that waits for another is interrupted before that ends.
    for (const { fiber } of [...this.rest].reverse()) Fibers.interruptLater(fiber)
    let isOver = false
    const finish = (): void => {
      isOver = true
      this.check = () => {}
      timers.clear(due)
      then(this.rest.map(nameOf))
    }
    const due = DeadlineHeap.make(finish)
    this.check = () => {
      const { excused, runs } = this
      if (runs.size === (excused !== undefined && runs.has(Fibers.fiberNumber(excused.fiber)) ? 1 : 0)) finish()
    }
    this.check()
    if (!isOver) timers.set(due, by)
  }
}

const nameOf = ({ fiber, what }: Run): string => {
  const span = Fibers.spanOf(fiber)
  return `${what} #${Fibers.fiberNumber(fiber)}${span?._tag === "Span" ? ` (${span.name})` : ""}`
}
