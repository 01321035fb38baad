/**
 * The cleanup of many at once under one deadline: a forced cleanup, or a shutdown. Shortly before the deadline everything
 * that has not started starts; at the deadline it is over, whatever still runs.
 */
import { Effect } from "effect"
import * as CleanupReport from "../../CleanupReport.js"
import { type CallerContext, forcedExit, limitOf, nobody, Waiters } from "../cleanup/CallerContext.js"
import { idleRecord } from "../cleanup/CleanupRecords.js"
import type { CleanupRun } from "../cleanup/CleanupRun.js"
import type { CleanupTarget } from "../cleanup/CleanupTarget.js"
import * as Recovery from "../cleanup/Recovery.js"
import { allWaitFor } from "../cleanup/WaitGraph.js"
import * as Turns from "../effect3/Turns.js"
import * as DeadlineHeap from "../kernel/DeadlineHeap.js"
import type { QueuedCleanup } from "./Dispatcher.js"
import type { Registry } from "./Registry.js"

export class BulkCleanup {
  private readonly pending = new Set<CleanupTarget>()
  private readonly records: Array<CleanupReport.CleanupRecord> = []
  private readonly startedAt: number
  private deadline: number
  readonly timeout: number
  private overrun = false
  /** What is not pending yet, as it is a lot; the newest first. */
  private left: Set<CleanupTarget> = new Set()
  private isStarting = true
  /** The deadline is near: what becomes pending starts at once. */
  private isForced = false
  private isForcing = false
  private finished: CleanupReport.CleanupReport | undefined
  private readonly waiters: Waiters
  /** What a shutdown waits for beside what is registered. */
  private readonly acquiring: ReadonlySet<CleanupTarget>
  private readonly forceAt = DeadlineHeap.make(() => this.force())
  private readonly endAt = DeadlineHeap.make(() => this.reachDeadline())

  constructor(
    private readonly registry: Registry,
    private readonly trigger: "forced" | "shutdown",
    caller: CallerContext,
    private readonly onEnd: () => void = () => {}
  ) {
    this.waiters = new Waiters((caller) => this.isOverFor(caller), () => this.pending)
    const now = this.startedAt = registry.timers.now()
    const isShutdown = trigger === "shutdown"
    this.acquiring = isShutdown ? registry.acquiring : new Set()
    const left = isShutdown ? Math.max(1, registry.process.leftMillis()) : Infinity
    this.deadline = Math.min(now + Math.min(registry.options.shutdownTimeout, left), limitOf(caller, now))
    this.timeout = this.deadline - now
  }

  /** `report` is called before anything else of it is reported: state first. */
  start(entries: ReadonlyArray<CleanupTarget>, report: () => void = () => {}): void {
    const { registry, trigger } = this
    const scheduled: Array<QueuedCleanup> = []
    this.setTimers()
    report()
    const start = () => {
      this.isStarting = false
      registry.dispatcher.pump()
      this.check()
    }
    this.left = new Set([...entries].reverse())
    Turns.inTurns(registry.origin, this.left, (entry) => {
      if (!entry.isLive && !registry.retrying.has(entry)) {
        // It has ended meanwhile.
        this.left.delete(entry)
        this.records.push(this.recordOf(entry))
        return
      }
      this.add(entry)
      if (this.isForced) return this.forceOne(entry)
      const request = registry.scheduleLater(entry, trigger)
      if (request !== undefined && registry.reporter.observed) scheduled.push(request)
    }, () =>
      Turns.inTurns(registry.origin, scheduled, (request) => {
        // A cleanup that has started meanwhile is reported as started.
        if (request.state === "waiting") registry.reporter.scheduled(request)
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

  private limit(entry: CleanupTarget): void {
    entry.limitTo(this.deadline)
    entry.run?.limitTo(this.deadline)
  }

  private recordOf(entry: CleanupTarget): CleanupReport.CleanupRecord {
    const isOpen = entry.isLive || entry.request !== undefined
    return entry.run?.record() ?? idleRecord(entry, isOpen ? "running" : "disarmed", this.trigger)
  }

  add(entry: CleanupTarget): void {
    this.left.delete(entry)
    this.pending.add(entry)
    entry.watch(() => {
      if (!this.pending.delete(entry)) return
      this.records.push(this.recordOf(entry))
      this.check()
    })
    // Last, as what is due at once may end it.
    this.limit(entry)
  }

  /** Everything that has not started starts now, the newest first. */
  private force(): void {
    this.isForced = this.isForcing = true
    Turns.inTurns(this.registry.origin, this.pending, (entry) => this.forceOne(entry), () => {
      this.isForcing = false
    })
  }

  private forceOne(entry: CleanupTarget): void {
    if (entry.isUsable || entry.request !== undefined) {
      // What waits and is not usable is a dead letter being retried.
      const trigger = entry.isUsable ? this.trigger : "retried"
      this.registry.start(entry, { trigger, exit: forcedExit, caller: nobody, forced: true })
    } else entry.run?.force()
  }

  private reachDeadline(): void {
    // The cleanups have the same deadline, and need a few turns to be abandoned.
    const { origin, timers } = this.registry
    const until = timers.now() + Recovery.startMillis
    Turns.afterTurns(origin, () => Turns.afterTurns(origin, () => this.endBy(until)))
  }

  private endBy(until: number): void {
    const { origin, timers } = this.registry
    if ((this.isForcing || this.isStarting) && timers.now() < until) {
      return Turns.afterTurnOfLoop(origin, () => this.endBy(until))
    }
    this.overrun = this.finished === undefined
    this.check()
  }

  check(): void {
    if (this.finished !== undefined) return
    if (
      this.overrun ||
      (this.pending.size === 0 && !this.isStarting && this.acquiring.size === 0)
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
  private isOverFor(caller: CallerContext): boolean {
    if (this.finished !== undefined) return true
    if (this.isStarting) return false
    const isPart = caller.run !== undefined && this.pending.has(caller.run.entry)
    if (!allWaitFor(() => this.first(), caller, isPart ? this.waiters : undefined)) return false
    // What is still being acquired then is waited for outside of cleanups only.
    return caller.run !== undefined || this.pending.size > 0
  }

  report(): CleanupReport.CleanupReport {
    if (this.finished !== undefined) return this.finished
    const { registry } = this
    const durationMillis = registry.timers.now() - this.startedAt
    const open = [...this.pending, ...this.left].map((entry) => this.recordOf(entry))
    const acquiring = [...this.acquiring].map((entry) => idleRecord(entry, "acquiring", this.trigger))
    return CleanupReport.make({
      records: [...this.records, ...open, ...acquiring],
      durationMillis,
      deadlineMillis: this.deadline - this.startedAt,
      deadlineReached: this.overrun
    })
  }

  /** Every caller waits for the same report; called from inside a cleanup it does not wait for that one. */
  await(caller: CallerContext): Effect.Effect<CleanupReport.CleanupReport> {
    return Effect.map(this.waiters.await(caller), () => this.report())
  }
}
