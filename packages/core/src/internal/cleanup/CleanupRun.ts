/**
 * One cleanup of one resource, from the moment it is decided to its outcome: dependents first, then borrowers, then
 * attempts, pauses and fallback inside one time limit. Each part of the user's code runs in a fiber of its own and is
 * only ever waited for; what does not stop is abandoned. Decisions are those of `Recovery`.
 */
import { Cause, Effect, Exit } from "effect"
import * as CleanupError from "../../CleanupError.js"
import type { CleanupRecord, Trigger } from "../../CleanupReport.js"
import { defaultRetry } from "../../RecoveryPolicy.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Schedules from "../effect3/Schedules.js"
import * as Turns from "../effect3/Turns.js"
import type { Deadline } from "../kernel/DeadlineHeap.js"
import * as UserFunction from "../kernel/UserFunction.js"
import { recordOf } from "./CleanupRecords.js"
import type { CleanupOutcome, CleanupTarget } from "./CleanupTarget.js"
import * as Recovery from "./Recovery.js"
import type { RunHost, RunStart } from "./RunHost.js"
import * as Tracing from "./Tracing.js"
import { type Blocker, waitsFor } from "./WaitGraph.js"
import { block, follow, isBlocked, unblock } from "./Waits.js"

type Phase =
  | "dependents"
  | "borrowers"
  | "attempt"
  | "stopping"
  | "step"
  | "pause"
  | "fallback"
  | "stoppingFallback"
  | "done"

type RunFiber = ReturnType<typeof Fibers.forkNow<Exit.Exit<unknown, unknown>>>
type ReleaseError = CleanupError.ReleaseError<unknown>

/** The end of the user's effect, which its fiber hands over as its result. */
const endOf = (exit: Exit.Exit<Exit.Exit<unknown, unknown>>): Exit.Exit<unknown, unknown> =>
  Exit.isSuccess(exit) ? exit.value : exit

export class CleanupRun implements Deadline {
  // As a `Deadline`: when something of this run is due next.
  index = -1
  at = Infinity

  readonly trigger: Trigger
  readonly exit: Exit.Exit<unknown, unknown>
  /** The fiber of the caller: its own borrows are not waited for, and the release runs under its id. */
  private readonly callerId: Fibers.Id | undefined
  phase: Phase = "dependents"
  order = -1
  attempts = 0
  forced: boolean
  usedFallback = false
  /** Holds one of the registry's slots. */
  slot: boolean
  slow = false
  error: ReleaseError | undefined
  outcome: CleanupOutcome | undefined
  /** What an attempt that did not stop in time is doing now. */
  orphan: "none" | "running" | "succeeded" | "failed" = "none"
  /** When the release started, and ended; monotonic. */
  startedAt = -1
  endedAt = -1
  /** What this one waits for, and how often, to see a circle before it closes. */
  blockedOn: Map<Blocker, number> | undefined

  /** Those that start when this one has ended. */
  followers: Array<CleanupRun> | undefined
  private pending = 0
  private phaseEnd = Infinity
  private deadline = Infinity
  private slowAt: number | undefined
  private isPatient = false
  private opened: Recovery.Window | undefined
  private fiber: RunFiber | undefined
  private orphans: Set<RunFiber> | undefined
  private step: unknown

  constructor(readonly entry: CleanupTarget, readonly host: RunHost, start: RunStart, readonly requestedAt: number) {
    this.trigger = start.trigger
    this.exit = start.exit
    this.callerId = start.caller?.fiber?.id()
    this.forced = start.forced === true
    this.slot = start.slot === true
  }

  private get limits(): Recovery.Limits {
    return this.entry.settings
  }

  /** Until when what runs now may run. */
  get limit(): number {
    return this.phase === "fallback" ? this.window.end : this.window.attemptsEnd
  }

  /** Opened when the wait for borrowers began, as that counts; else at the start. What ends at once needs none. */
  private get window(): Recovery.Window {
    return this.opened ??= Recovery.window(this.startedAt, this.limits, this.deadline)
  }

  protected get attemptsEnd(): number {
    return this.window.attemptsEnd
  }

  get isDone(): boolean {
    return this.phase === "done"
  }

  /** It ended without its resource being released. */
  get hasFailed(): boolean {
    return this.outcome === "failed" || this.outcome === "abandoned"
  }

  get hasStarted(): boolean {
    return this.order !== -1
  }

  /** How long it ran, once it is over. */
  get ranMillis(): number {
    return this.hasStarted ? Math.max(0, this.endedAt - this.startedAt) : 0
  }

  record(): CleanupRecord {
    return recordOf(this)
  }

  // --- before the release --------------------------------------------------------------------------------------------

  /** Does not start before `other` has ended. */
  waitFor(other: CleanupRun): void {
    this.pending++
    follow(this, other)
    block(this, other.entry)
    other.entry.watch(() => {
      unblock(this, other.entry)
      this.pending--
      this.begin()
    })
  }

  /** Whether the user's code at work has interrupted a fiber and waits for its end. */
  isEnding(fiber: Fibers.CurrentFiber): boolean {
    return this.fiber !== undefined && Fibers.isEnding(this.fiber, fiber)
  }

  /** Starts the release, unless dependents or borrowers are still there. */
  begin(now = this.host.timers.now()): void {
    if (this.phase !== "dependents" && this.phase !== "borrowers") return
    if (!this.forced) {
      if (this.pending > 0) return this.schedule(Infinity)
      const awaited = this.awaitedHolder()
      if (awaited !== undefined) {
        if (this.phase === "dependents") {
          // Borrowers get what the limit leaves after one attempt; then the release runs beside them.
          this.opened = Recovery.window(now, this.limits, this.deadline)
          this.phase = "borrowers"
          this.phaseEnd = Math.max(now, this.window.attemptsEnd - this.limits.attemptTimeout)
          // A slot that is given back for it may let the borrower leave within the call.
          if (awaited.run !== undefined) follow(this, awaited.run)
        }
        return this.schedule(this.phaseEnd)
      }
    }
    this.startRelease(now)
  }

  holderLeft(): void {
    if (this.phase === "borrowers") this.begin()
  }

  /** A borrower that is waited for, with the cleanup that it runs inside of. */
  private awaitedHolder(): { readonly run: CleanupRun | undefined } | undefined {
    const holders = this.entry.holders
    if (holders === undefined) return undefined
    for (const { fiber, fiberId } of holders) {
      if (fiberId === Fibers.numberOf(this.callerId)) continue
      const inside = fiber === undefined ? undefined : Fibers.cleanupOf(fiber) as CleanupRun | undefined
      // One inside a cleanup that waits for this one never leaves.
      if (inside !== undefined && waitsFor(inside, { run: this, fiber: undefined })) continue
      return { run: inside }
    }
    return undefined
  }

  /** Starts now whatever it waits for: a deadline is near. */
  force(): void {
    if (this.hasStarted || this.isDone) return
    this.forced = true
    this.begin()
  }

  /** Must be over by then, too. */
  limitTo(deadline: number): void {
    if (this.isDone || deadline >= this.deadline) return
    if (this.phase === "dependents") {
      this.deadline = deadline
      return
    }
    const clipped = Recovery.clip(this.host.timers.now(), this.window, this.limits, deadline)
    this.deadline = deadline
    this.opened = clipped
    const { attemptsEnd, end } = clipped
    this.schedule(this.phaseEnd = Math.min(this.phaseEnd, this.phase === "fallback" ? end : attemptsEnd))
  }

  private startRelease(now: number): void {
    const { host } = this
    this.order = host.nextOrder()
    this.startedAt = now
    // Before it is reported: a borrower that leaves because of that does not start it once more.
    this.phase = "attempt"
    host.runStarted(this)
    this.attempt()
  }

  // --- the release ---------------------------------------------------------------------------------------------------

  private attempt(): void {
    const { entry } = this
    const attempt = ++this.attempts
    this.phase = "attempt"
    const release = UserFunction.effect(() => entry.release(entry.value, this.exit))
    const traced = entry.acquireSpan === undefined ? release : Tracing.cleanup(entry, this.attempts, release)
    this.fork(entry.settings.interruptible ? Effect.interruptible(traced) : traced, (exit) => this.attemptEnded(exit))
    // The next may be at work by now.
    if (this.phase === "attempt" && this.attempts === attempt) {
      this.phaseEnd = Recovery.attemptEnd(this.host.timers.now(), this.limits, this.window)
      this.schedule(this.phaseEnd)
    }
  }

  private fork(effect: Effect.Effect<unknown, unknown, any>, onEnd: (exit: Exit.Exit<unknown, unknown>) => void): void {
    const fiber = Fibers.forkNow(Effect.exit(effect), this.entry.origin, {
      cleanup: this,
      id: this.callerId ?? this.entry.owner
    })
    const done = Fibers.poll(fiber)
    if (done !== undefined) return Fibers.nested(onEnd, endOf(done))
    this.fiber = fiber
    Fibers.observe(fiber, (exit) => {
      if (this.fiber === fiber) {
        this.fiber = undefined
        onEnd(endOf(exit))
      } else if (this.orphans?.delete(fiber) === true) {
        this.orphanEnded(endOf(exit))
      }
    })
  }

  private attemptEnded(exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit)) {
      return this.end(this.attempts === 1 && this.trigger !== "retried" ? "cleaned" : "recovered")
    }
    this.failed(this.errorOf(exit.cause), true)
  }

  /** What a failed attempt ended with: its time limit, where that has interrupted it. */
  protected errorOf(cause: Cause.Cause<unknown>): ReleaseError {
    const { attempts, entry: { id, typeName } } = this
    return this.phase === "stopping" && Cause.isInterruptedOnly(cause)
      ? this.timedOut(true)
      : new CleanupError.CleanupFailed<unknown>({ id, typeName, cause, attempts })
  }

  protected timedOut(stopped: boolean): CleanupError.CleanupTimeout {
    const { attempts, entry: { id, typeName } } = this
    // What has passed: the limit of one attempt or of several, without the share of a fallback.
    const limitMillis = Math.round(Math.min(this.host.timers.now(), this.attemptsEnd) - this.startedAt)
    return new CleanupError.CleanupTimeout({ id, typeName, limitMillis, stopped, attempts })
  }

  private failed(error: ReleaseError, stopped: boolean): void {
    this.error = error
    const strategy = UserFunction.call<CleanupError.RecoveryStrategy>(
      () => (this.entry.settings.recovery.strategy ?? CleanupError.recoveryStrategy)(error),
      // A strategy that throws has no answer; the error it was asked about stays the one that counts.
      () => "Fail"
    )
    const next = Recovery.afterError(strategy, stopped, this.limits.hasFallback)
    if (next === "Step") return this.askSchedule(error)
    this.goOn(next, error)
  }

  private askSchedule(error: ReleaseError): void {
    this.phase = "step"
    this.fork(
      Effect.interruptible(Effect.suspend(() => {
        const schedule = this.entry.settings.recovery.retry ?? defaultRetry
        if (this.attempts === 1) this.step = Schedules.initialStep(schedule)
        return Schedules.stepSchedule(schedule, this.host.wallMillis(), error, this.step)
      })),
      (exit) => {
        // A schedule that fails has no further step.
        const step = Exit.isSuccess(exit) ? exit.value as Schedules.Step : { state: undefined, delay: undefined }
        this.step = step.state
        this.afterStep(step.delay, error)
      }
    )
    if (this.phase === "step") this.schedule(this.phaseEnd = this.window.attemptsEnd)
  }

  private afterStep(delay: number | undefined, error: ReleaseError): void {
    const { host } = this
    const next = Recovery.afterStep(delay, host.timers.now(), this.window, this.limits.hasFallback)
    if (next._tag !== "Pause") return this.goOn(next._tag, error)
    host.reporter.notify("Retried", this.entry, { attempt: this.attempts + 1, delayMillis: delay!, error })
    this.phase = "pause"
    if (delay === 0) return this.attempt()
    // A monitor may have set a nearer deadline.
    this.schedule(this.phaseEnd = Math.min(next.until, this.window.attemptsEnd))
  }

  /** There is no further attempt. */
  private goOn(next: "Fallback" | "GiveUp", error: ReleaseError): void {
    if (next === "Fallback") this.fallBack(error)
    else this.giveUp()
  }

  private fallBack(error: ReleaseError): void {
    const { entry, host } = this
    this.phase = "fallback"
    this.usedFallback = true
    this.phaseEnd = this.window.end
    host.reporter.notify("FellBack", entry, { error })
    this.fork(
      UserFunction.effect(() => entry.settings.recovery.fallback!(entry.value, error)),
      (exit) => Exit.isSuccess(exit) ? this.end("recovered") : this.giveUp()
    )
    if (this.phase === "fallback") this.schedule(this.phaseEnd = this.window.end)
  }

  /** Nothing is left to try; a fallback that was tried has failed. */
  private giveUp(fallbackRuns = false): void {
    this.end(Recovery.afterFallbackFailed(this.orphan === "none" ? "failed" : this.orphan, fallbackRuns))
  }

  // --- time ----------------------------------------------------------------------------------------------------------

  private schedule(at: number): void {
    // A monitor may have ended it.
    if (this.isDone) return
    this.slowAt ??= this.host.timers.now() + Math.min(this.host.slowAfter, this.slowAfter)
    this.host.timers.set(this, this.slow ? at : Math.min(at, this.slowAt))
  }

  /** When it is reported as slow. */
  get slowAfter(): number {
    return this.entry.settings.slowAfter ?? this.host.slowAfter
  }

  /** Others are not to wait for it, even where it may take its time. */
  private becomeSlow(): void {
    const patience = this.isPatient ? 0 : this.slowAfter - this.host.slowAfter
    if (patience > 0) {
      this.isPatient = true
      this.slowAt! += patience
      return this.host.giveBackSlot(this)
    }
    this.slow = true
    this.host.runSlow(this)
  }

  onDue(): void {
    const now = this.host.timers.now()
    if (!this.slow && now >= this.slowAt! - 0.5) this.becomeSlow()
    // A monitor may have ended it.
    if (this.isDone) return
    if (now < this.phaseEnd - 0.5) {
      this.schedule(this.phaseEnd)
      return
    }
    switch (this.phase) {
      case "borrowers":
        return this.force()
      case "pause":
        return this.attempt()
      case "attempt": {
        // It is being started: that sets the limit, afterwards.
        if (this.fiber === undefined) return
        this.phase = "stopping"
        this.phaseEnd = this.window.attemptsEnd
        Fibers.interruptLater(this.fiber!)
        if (this.hasLeft("stopping")) return
        if (this.phaseEnd > now + 0.5) this.schedule(this.phaseEnd)
        else this.letFiberStop(() => this.abandonAttempt())
        return
      }
      case "stopping":
        return this.letFiberStop(() => this.abandonAttempt())
      case "step": {
        const { fiber } = this
        // The answer is there, and is being reported.
        if (fiber === undefined) return
        // Before it is interrupted: its end is no answer.
        this.fiber = undefined
        Fibers.interruptLater(fiber)
        return this.afterStep(undefined, this.error!)
      }
      case "fallback": {
        this.phase = "stoppingFallback"
        Fibers.interruptLater(this.fiber!)
        if (this.hasLeft("stoppingFallback")) return
        return this.letFiberStop(() => {
          this.orphanFiber()
          this.giveUp(true)
        })
      }
      default:
        return
    }
  }

  /** What it has called, reported or interrupted may have brought it further. */
  private hasLeft(phase: Phase): boolean {
    return this.phase !== phase
  }

  /** A fiber that was interrupted needs a few turns to end; what has not by then will not stop in time. */
  private letFiberStop(otherwise: () => void): void {
    const fiber = this.fiber
    this.letStop(() => this.fiber !== fiber || fiber === undefined, otherwise)
  }

  /** What waits for others has some turns more, as their time may be over in this moment, too. */
  protected letStop(hasStopped: () => boolean, otherwise: () => void, more = 8): void {
    Turns.afterTurns(this.entry.origin, () => {
      if (hasStopped()) return
      if (more > 0 && isBlocked(this)) return this.letStop(hasStopped, otherwise, more - 1)
      otherwise()
    })
  }

  private orphanFiber(): void {
    ;(this.orphans ??= new Set()).add(this.fiber!)
    this.fiber = undefined
    this.host.runAbandonedAttempt(this)
  }

  private abandonAttempt(): void {
    this.orphan = "running"
    this.orphanFiber()
    this.failed(this.timedOut(false), false)
  }

  private orphanEnded(exit: Exit.Exit<unknown, unknown>): void {
    if (this.orphan === "running") this.orphan = Exit.isSuccess(exit) ? "succeeded" : "failed"
    if (this.orphans!.size === 0) this.host.runFinishedLate(this)
  }

  // --- the end -------------------------------------------------------------------------------------------------------

  private end(outcome: CleanupOutcome): void {
    this.phase = "done"
    this.outcome = outcome
    this.endedAt = this.host.timers.now()
    this.host.timers.clear(this)
    this.blockedOn = this.followers = undefined
    this.host.runEnded(this)
  }
}
