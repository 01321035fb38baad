/**
 * The cleanup of many at once under one deadline: a forced cleanup, or a shutdown. Shortly before the deadline everything
 * that has not started starts; at the deadline it is over, whatever still runs.
 */
import { Effect } from "effect"
import * as CleanupReport from "../CleanupReport.js"
import { type Asker, nobody, Waiters } from "./Asker.js"
import { idleRecord, waitsFor } from "./CleanupRun.js"
import * as Deadlines from "./Deadlines.js"
import type { Entry } from "./Entry.js"
import * as Recovery from "./Recovery.js"
import type { Registry } from "./Registry.js"
import * as Seam from "./Seam.js"

export class Batch {
  private readonly pending = new Set<Entry>()
  private readonly records: Array<CleanupReport.CleanupRecord> = []
  private readonly startedAt: number
  private readonly deadline: number
  private overrun = false
  private finished: CleanupReport.CleanupReport | undefined
  private readonly waiters: Waiters
  private readonly forceAt = Deadlines.make(() => this.force())
  private readonly endAt = Deadlines.make(() => this.reachDeadline())

  constructor(
    private readonly registry: Registry,
    private readonly trigger: "forced" | "shutdown",
    private readonly timeout: number,
    private readonly onEnd: () => void = () => {}
  ) {
    this.waiters = new Waiters((asker) => this.isOverFor(asker))
    this.startedAt = registry.timers.now()
    this.deadline = this.startedAt + timeout
  }

  private get isShutdown(): boolean {
    return this.trigger === "shutdown"
  }

  start(entries: ReadonlyArray<Entry>): void {
    for (const entry of entries) this.add(entry)
    const { timers } = this.registry
    timers.set(this.forceAt, this.deadline - Recovery.forceMargin(this.timeout))
    timers.set(this.endAt, this.deadline)
    this.registry.scheduleAll(entries, this.trigger)
    this.check()
  }

  add(entry: Entry): void {
    this.pending.add(entry)
    entry.deadline = Math.min(entry.deadline, this.deadline)
    entry.run?.limitTo(this.deadline)
    entry.watch(() => {
      if (!this.pending.delete(entry)) return
      this.records.push(entry.run?.record() ?? idleRecord(entry, "disarmed", this.trigger))
      this.check()
    })
  }

  /** Everything that has not started starts now, the newest first. */
  private force(): void {
    for (const entry of [...this.pending].reverse()) {
      if (entry.isUsable) {
        this.registry.start(entry, this.trigger, this.registry.forcedExit, nobody, (run) => {
          run.forced = true
        })
      } else entry.run?.force()
    }
  }

  private reachDeadline(): void {
    // The cleanups have the same deadline, and need a few turns to be let go.
    Seam.afterTurns(this.registry.origin, () =>
      Seam.afterTurns(this.registry.origin, () => {
        this.overrun = this.finished === undefined
        this.check()
      }))
  }

  check(): void {
    if (this.finished !== undefined) return
    if (this.overrun || (this.pending.size === 0 && (!this.isShutdown || this.registry.acquiring.size === 0))) {
      this.finished = this.report()
      this.pending.clear()
      this.registry.timers.clear(this.forceAt)
      this.registry.timers.clear(this.endAt)
      this.onEnd()
    }
    this.waiters.check()
  }

  /** Inside a cleanup the batch is over when only that cleanup, and what waits for it, is left. */
  private isOverFor(asker: Asker): boolean {
    if (this.finished !== undefined) return true
    if (asker.run === undefined) return false
    for (const entry of this.pending) {
      if (entry.run === undefined || !waitsFor(entry.run, asker.run)) return false
    }
    return true
  }

  report(): CleanupReport.CleanupReport {
    if (this.finished !== undefined) return this.finished
    const { registry } = this
    const durationMillis = registry.timers.now() - this.startedAt
    const open = [...this.pending].map((entry) => entry.run?.record() ?? idleRecord(entry, "running", this.trigger))
    const acquiring = this.isShutdown
      ? [...registry.acquiring].map((entry) => idleRecord(entry, "acquiring", this.trigger))
      : []
    return CleanupReport.make({
      records: [...this.records, ...open, ...acquiring],
      durationMillis,
      deadlineMillis: this.timeout,
      deadlineReached: this.overrun
    })
  }

  /** Every caller waits for the same report; called from inside a cleanup it does not wait for that one. */
  await(asker: Asker): Effect.Effect<CleanupReport.CleanupReport> {
    return Effect.map(this.waiters.await(asker), () => this.report())
  }
}
