/**
 * The cleanup of many at once under one deadline: a forced cleanup, or a shutdown. Shortly before the deadline everything
 * that has not started starts; at the deadline it is over, whatever still runs.
 */
import { Effect } from "effect"
import * as CleanupReport from "../CleanupReport.js"
import { type Asker, limitOf, nobody, Waiters } from "./Asker.js"
import { allWaitFor, type CleanupRun, idleRecord } from "./CleanupRun.js"
import * as Deadlines from "./Deadlines.js"
import type { QueuedCleanup } from "./Dispatcher.js"
import type { Entry } from "./Entry.js"
import * as Recovery from "./Recovery.js"
import type { Registry } from "./Registry.js"
import * as Seam from "./Seam.js"

export class Batch {
  private readonly pending = new Set<Entry>()
  private readonly records: Array<CleanupReport.CleanupRecord> = []
  private readonly startedAt: number
  private deadline: number
  readonly timeout: number
  private overrun = false
  /** What is not pending yet, as it is a lot; the newest first. */
  private left: Set<Entry> = new Set()
  private isStarting = true
  /** The deadline is near: what becomes pending starts at once. */
  private isForced = false
  private finished: CleanupReport.CleanupReport | undefined
  private readonly waiters: Waiters
  private readonly forceAt = Deadlines.make(() => this.force())
  private readonly endAt = Deadlines.make(() => this.reachDeadline())

  constructor(
    private readonly registry: Registry,
    private readonly trigger: "forced" | "shutdown",
    asker: Asker,
    private readonly onEnd: () => void = () => {}
  ) {
    this.waiters = new Waiters((asker) => this.isOverFor(asker), () => this.pending)
    const now = this.startedAt = registry.timers.now()
    const left = trigger === "shutdown" ? Math.max(1, registry.process.leftMillis()) : Infinity
    this.deadline = Math.min(now + Math.min(registry.options.shutdownTimeout, left), limitOf(asker, now))
    this.timeout = this.deadline - now
  }

  private get isShutdown(): boolean {
    return this.trigger === "shutdown"
  }

  /** `tell` is called before anything of it is told: state first. */
  start(entries: ReadonlyArray<Entry>, tell: () => void = () => {}): void {
    const { registry, trigger } = this
    const scheduled: Array<QueuedCleanup> = []
    this.setTimers()
    tell()
    const start = () => {
      this.isStarting = false
      registry.dispatcher.pump()
      this.check()
    }
    this.left = new Set([...entries].reverse())
    Seam.inTurns(registry.origin, this.left, (entry) => {
      if (!entry.isLive && !registry.retrying.has(entry)) {
        // It has ended meanwhile.
        this.left.delete(entry)
        this.records.push(this.recordOf(entry))
        return
      }
      this.add(entry)
      if (this.isForced) return this.forceOne(entry)
      const request = registry.scheduleLater(entry, trigger)
      if (request !== undefined && registry.observed) scheduled.push(request)
    }, () =>
      Seam.inTurns(registry.origin, scheduled, (request) => {
        // One that has started meanwhile is told of as that.
        if (request.state === "waiting") registry.tellScheduled(request)
      }, start))
  }

  private setTimers(): void {
    const { deadline, registry: { timers }, startedAt } = this
    timers.set(this.forceAt, deadline - Recovery.forceMargin(deadline - startedAt))
    timers.set(this.endAt, deadline)
  }

  /** Is over by then, too: that of its owner. */
  limitTo(deadline: number): void {
    if (deadline >= this.deadline || this.finished !== undefined) return
    this.deadline = deadline
    for (const entry of this.pending) this.limit(entry)
    this.setTimers()
  }

  private limit(entry: Entry): void {
    entry.deadline = Math.min(entry.deadline, this.deadline)
    entry.run?.limitTo(this.deadline)
  }

  private recordOf(entry: Entry): CleanupReport.CleanupRecord {
    const isOpen = entry.isLive || entry.request !== undefined
    return entry.run?.record() ?? idleRecord(entry, isOpen ? "running" : "disarmed", this.trigger)
  }

  add(entry: Entry): void {
    this.left.delete(entry)
    this.pending.add(entry)
    this.limit(entry)
    entry.watch(() => {
      if (!this.pending.delete(entry)) return
      this.records.push(this.recordOf(entry))
      this.check()
    })
  }

  /** Everything that has not started starts now, the newest first. */
  private force(): void {
    this.isForced = true
    Seam.inTurns(this.registry.origin, this.pending, (entry) => this.forceOne(entry))
  }

  private forceOne(entry: Entry): void {
    if (entry.isUsable || entry.request !== undefined) {
      // What waits and is not usable is a dead letter being retried.
      const trigger = entry.isUsable ? this.trigger : "retried"
      this.registry.start(entry, trigger, this.registry.forcedExit, nobody, (run) => {
        run.forced = true
      })
    } else entry.run?.force()
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
    if (
      this.overrun ||
      (this.pending.size === 0 && !this.isStarting && (!this.isShutdown || this.registry.acquiring.size === 0))
    ) {
      this.finished = this.report()
      this.pending.clear()
      this.registry.timers.clear(this.forceAt)
      this.registry.timers.clear(this.endAt)
      this.onEnd()
    }
    this.waiters.check()
  }

  /** Entries that have no run yet are cleaned up after that inside of which they were made. */
  private *first(): Iterable<CleanupRun | undefined> {
    for (const { run, within } of this.pending) yield run ?? within
  }

  /** Inside a cleanup the batch is over when only that cleanup, and what waits for it, is left. */
  private isOverFor(asker: Asker): boolean {
    if (this.finished !== undefined) return true
    if (this.isStarting) return false
    const isPart = asker.run !== undefined && this.pending.has(asker.run.entry)
    if (!allWaitFor(() => this.first(), asker, isPart ? this.waiters : undefined)) return false
    // What is still being acquired then is waited for outside of cleanups only.
    return asker.run !== undefined || this.pending.size > 0
  }

  report(): CleanupReport.CleanupReport {
    if (this.finished !== undefined) return this.finished
    const { registry } = this
    const durationMillis = registry.timers.now() - this.startedAt
    const open = [...this.pending, ...this.left].map((entry) => this.recordOf(entry))
    const acquiring = this.isShutdown
      ? [...registry.acquiring].map((entry) => idleRecord(entry, "acquiring", this.trigger))
      : []
    return CleanupReport.make({
      records: [...this.records, ...open, ...acquiring],
      durationMillis,
      deadlineMillis: this.deadline - this.startedAt,
      deadlineReached: this.overrun
    })
  }

  /** Every caller waits for the same report; called from inside a cleanup it does not wait for that one. */
  await(asker: Asker): Effect.Effect<CleanupReport.CleanupReport> {
    return Effect.map(this.waiters.await(asker), () => this.report())
  }
}
