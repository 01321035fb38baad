/**
 * The run of one finalizer that knows nothing of guards: one attempt inside a time limit, in a fiber that runs others
 * before and after it. Who runs it says when it begins and how it ended; what does not end in time is abandoned.
 */
import { Exit } from "effect"
import type { CleanupRecord } from "../../CleanupReport.js"
import { CleanupRun } from "../cleanup/CleanupRun.js"
import type { CleanupTarget } from "../cleanup/CleanupTarget.js"
import type * as Fibers from "../effect3/Fibers.js"
import type { FinalizerWorker } from "./FinalizerWorker.js"
import type { ScopeClose } from "./ScopeClose.js"
import { unlimited } from "./ScopeOptions.js"

export class FinalizerRun extends CleanupRun {
  private endsAt = Infinity
  private reportAt = Infinity

  constructor(
    entry: CleanupTarget,
    exit: Exit.Exit<unknown, unknown>,
    private readonly close: ScopeClose,
    private readonly worker: FinalizerWorker
  ) {
    super(entry, close, { trigger: "scope", exit }, close.startedAt)
    this.phase = "attempt"
    this.attempts = 1
    this.forced = worker.forced
    this.order = worker.order
    this.startedAt = worker.startedAt
  }

  // As the one of a guard's cleanup, without what a finalizer does not have: there may be many.
  override record(): CleanupRecord {
    const { close, entry, error, startedAt } = this
    const record: CleanupRecord = {
      order: this.order,
      id: entry.id,
      typeName: entry.typeName,
      priority: entry.priority,
      outcome: this.outcome ?? "running",
      attempts: 1,
      waitMillis: Math.max(0, startedAt - this.requestedAt),
      runMillis: Math.max(0, (this.isDone ? this.endedAt : close.now()) - startedAt),
      trigger: "scope",
      forced: this.forced,
      usedFallback: false,
      startedAt: close.wallMillisAt(startedAt)
    }
    return error === undefined ? record : { ...record, error }
  }

  /** Sets the time limit; what ends in its turn never needs one. */
  arm(): void {
    if (this.isDone) return
    const { close, entry, startedAt } = this
    // What limits itself reports by itself what is slow in it.
    this.reportAt = entry.settings === unlimited ? Infinity : startedAt + close.slowAfter
    this.endsAt = Math.min(startedAt + entry.settings.timeout, close.deadline)
    this.setTimer()
  }

  override limitTo(deadline: number): void {
    if (this.endsAt === Infinity || this.isDone || deadline >= this.endsAt) return
    this.endsAt = deadline
    this.setTimer()
  }

  override isEnding(fiber: Fibers.CurrentFiber): boolean {
    return this.worker.isEnding(fiber)
  }

  private setTimer(): void {
    if (this.isDone) return
    this.close.timers.set(this, this.slow ? this.endsAt : Math.min(this.endsAt, this.reportAt))
  }

  /** It ended, however late. */
  settle(exit: Exit.Exit<unknown, unknown>): void {
    if (this.isDone) {
      this.orphan = Exit.isSuccess(exit) ? "succeeded" : "failed"
      return
    }
    if (Exit.isSuccess(exit)) return this.finish("cleaned")
    this.error = this.errorOf(exit.cause)
    this.finish("failed")
  }

  override onDue(): void {
    const now = this.close.now()
    if (!this.slow && now >= this.reportAt - 0.5) {
      this.slow = true
      this.close.runSlow(this)
      // The report may have ended it.
      if (this.isDone) return
    }
    if (now < this.endsAt - 0.5) return this.setTimer()
    if (this.phase !== "attempt") return
    this.phase = "stopping"
    this.worker.stop()
    this.letStop(() => this.isDone, () => {
      this.error = this.timedOut(false)
      this.orphan = "running"
      this.finish("abandoned")
      this.worker.leave()
    })
  }

  protected override get attemptsEnd(): number {
    return this.endsAt
  }

  private finish(outcome: "cleaned" | "failed" | "abandoned"): void {
    const { close, entry } = this
    this.phase = "done"
    this.outcome = outcome
    this.endedAt = close.now()
    if (this.index !== -1) close.timers.clear(this)
    this.blockedOn = undefined
    entry.state = outcome
    this.worker.drive.finalized(this.record())
    close.runEnded(this)
  }
}
