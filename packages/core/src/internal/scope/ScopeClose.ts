/**
 * The close of a scope and of every scope inside it, under one deadline. Finalizers run in a `FinalizerWorker`; guards bound to
 * the scope run theirs, in their registry. Shortly before the deadline everything that has not started starts; at the
 * deadline it is over, whatever still runs.
 */
import { Cause, type Clock, Context, Effect, Exit, type Scope } from "effect"
import * as ResourceId from "../../ResourceId.js"
import { type CallerContext, callerOf, limitOf } from "../cleanup/CallerContext.js"
import * as Log from "../cleanup/CleanupLog.js"
import type { CleanupRun } from "../cleanup/CleanupRun.js"
import * as Recovery from "../cleanup/Recovery.js"
import type { RunHost } from "../cleanup/RunHost.js"
import { lookAgain } from "../cleanup/WaitGraph.js"
import { block, unblock } from "../cleanup/Waits.js"
import * as Clocks from "../effect3/Clocks.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Refs from "../effect3/Refs.js"
import * as Scopes from "../effect3/Scopes.js"
import * as Turns from "../effect3/Turns.js"
import * as DeadlineHeap from "../kernel/DeadlineHeap.js"
import { Few } from "../kernel/Few.js"
import { noHost, ShutdownHost } from "../kernel/ShutdownHost.js"
import { Timers } from "../kernel/Timers.js"
import { type Active, CloseWaiters } from "./CloseWaiters.js"
import { FinalizerQueue, type GuardMember } from "./FinalizerQueue.js"
import type { ManagedScope } from "./ManagedScope.js"
import type { ResolvedScope } from "./ScopeOptions.js"

// Most scopes hold little and close at once, so what only a longer close needs is made when it does.
/** Nobody watches the releases of a scope. */
const noReporter = { notify: () => {} }

export class ScopeClose implements RunHost {
  readonly slowAfter = 1_000
  /** The deadline is near: everything starts. */
  forced = false
  overrun = false
  readonly startedAt: number
  readonly startedWall: number
  deadline: number
  private generator: ResourceId.Generator | undefined = undefined
  /** What the closer's FiberRefs hold, and what finalizers have set. */
  refs: Refs.Origin
  private readonly base: Refs.Origin
  private changes: Refs.Changes | undefined = undefined
  private readonly clock: Clock.Clock
  private readonly caller: CallerContext
  private orders = 0
  readonly turn = new Turns.Turn()
  private pumping = false
  /** What goes on at once, the last first, and what goes on after all that. */
  private readonly stack: Array<FinalizerQueue> = []
  private readonly queue: Array<() => void> = []
  private readonly drives = new Few<FinalizerQueue>()
  private readonly active = new Few<Active>()
  private joined: Set<ScopeClose> | undefined = undefined
  readonly waiters: CloseWaiters
  private failure: Cause.Cause<never> | undefined = undefined
  private timing: Timers | undefined = undefined
  private forceAt: DeadlineHeap.Deadline | undefined = undefined
  private endAt: DeadlineHeap.Deadline | undefined = undefined
  /** Runs the process, and hears the outcome of everything. */
  private readonly process: ShutdownHost

  constructor(readonly options: ResolvedScope, private readonly closer: Fibers.CurrentFiber) {
    this.clock = Clocks.clockOf(closer)
    this.base = this.refs = Refs.originOf(closer)
    this.caller = callerOf(closer)
    this.process = Refs.serviceOrUndefined(closer, ShutdownHost) ?? noHost
    this.startedAt = this.now()
    this.startedWall = this.wallMillis()
    this.deadline = this.startedAt + this.timeout
    this.waiters = new CloseWaiters(this, closer, this.active)
  }

  get ids(): ResourceId.Generator {
    return this.generator ??= Context.get(this.closer.currentContext, ResourceId.Generator)
  }

  /** Inside a cleanup no more than what is left of its time. */
  private get timeout(): number {
    const { caller, options, process, startedAt } = this
    const left = caller.run === undefined ? Math.max(1, process.leftMillis()) : limitOf(caller, startedAt) - startedAt
    return Math.min(options.timeout, left)
  }

  // --- driving -------------------------------------------------------------------------------------------------------

  /** Closes a scope as part of this close. */
  open(scope: ManagedScope, exit: Exit.Exit<unknown, unknown>, id: Fibers.Id): FinalizerQueue {
    const drive = new FinalizerQueue(this, scope, exit, id)
    this.drives.add(drive)
    this.enqueue(drive)
    return drive
  }

  /** Waits for a close that another caller has begun, and limits it so that it is over in time for this one. */
  join(drive: FinalizerQueue, then: () => void): void {
    const { host } = drive
    if (host === this) return drive.whenOver(then)
    const joined = this.joined ??= new Set()
    joined.add(host)
    this.active.add(host.waiters.entry)
    host.limitTo(this.deadline)
    if (this.forced) host.force()
    drive.whenOver(() => {
      joined.delete(host)
      this.active.delete(host.waiters.entry)
      then()
    })
    lookAgain(host.waiters.entry.run!)
  }

  /** Lets a scope go on, before its parent does. */
  enqueue(drive: FinalizerQueue): void {
    if (!drive.isQueued) this.stack.push(drive)
    drive.isQueued = true
    this.start()
  }

  /** Does something after so many turns of all that goes on; to fork a fiber takes Effect two, to end several two. */
  later(task: () => void, turns: number): void {
    this.queue.push(turns > 1 ? () => this.later(task, turns - 1) : task)
    this.start()
  }

  private start(): void {
    if (this.pumping) return
    this.pumping = true
    this.pump()
  }

  private pump(): void {
    const { queue, stack, turn } = this
    for (let next = 0; stack.length > 0 || next < queue.length;) {
      const drive = stack.pop()
      if (drive === undefined) queue[next++]!()
      else {
        drive.isQueued = false
        drive.advance()
      }
      if (turn.isOver()) {
        queue.splice(0, next)
        Fibers.forkNow(Effect.andThen(turn.next, Effect.sync(() => this.pump())), this.base)
        return
      }
    }
    queue.length = 0
    this.pumping = false
  }

  /** Tells whether it was the last. */
  driveEnded(drive: FinalizerQueue): boolean {
    this.drives.delete(drive)
    if (this.drives.size > 0) return false
    if (this.endAt !== undefined) {
      this.timers.clear(this.forceAt!)
      this.timers.clear(this.endAt)
    }
    return true
  }

  works(on: Active): void {
    this.active.add(on)
  }

  worked(on: Active): void {
    this.active.delete(on)
  }

  // --- finalizers ----------------------------------------------------------------------------------------------------

  /** What finalizers have set holds for those that run after them, and for the closer. */
  note(before: Refs.Origin, after: Refs.Origin): void {
    if (before === after) return
    const changes = Refs.changesOf(before, after, this.changes)
    if (changes === undefined) return
    this.changes = changes
    this.refs = Refs.withChanges(this.base, this.closer, changes)
  }

  /** A guard bounds itself; the deadline is handed to it. */
  startGuard(
    member: GuardMember,
    finalizer: Scope.Scope.Finalizer,
    exit: Exit.Exit<unknown, unknown>,
    then: () => void
  ) {
    const { entry } = member
    entry.limitTo(this.deadline)
    entry.run?.limitTo(this.deadline)
    this.active.add(entry)
    const finalize = finalizer as (exit: Exit.Exit<unknown, unknown>, closer: CallerContext) => Effect.Effect<void>
    const fiber = Fibers.forkNow(Effect.exit(Effect.suspend(() => finalize(exit, this.caller))), this.base)
    if (this.forced) entry.run?.force()
    const ended = (exit: Exit.Exit<Exit.Exit<void>>): void => {
      this.active.delete(entry)
      const closed = Exit.isSuccess(exit) ? exit.value : exit
      if (Exit.isFailure(closed)) {
        this.failure = this.failure === undefined ? closed.cause : Cause.sequential(this.failure, closed.cause)
      }
      then()
    }
    const done = Fibers.poll(fiber)
    if (done !== undefined) return ended(done)
    Fibers.observe(fiber, ended)
    if (entry.run !== undefined) lookAgain(entry.run)
  }

  // --- as the host of runs -------------------------------------------------------------------------------------------

  get timers(): Timers {
    return this.timing ??= new Timers(this.clock, this.base)
  }

  now(): number {
    return Clocks.monotonicMillis(this.clock)
  }

  nextOrder(): number {
    return ++this.orders
  }

  wallMillis(): number {
    return Clocks.wallMillis(this.clock)
  }

  /** Without another look at the clock, as there may be many records. */
  wallMillisAt(instant: number): number {
    return Math.round(this.startedWall + instant - this.startedAt)
  }

  runSlow(run: CleanupRun): void {
    Log.slow(run, this.slowAfter)
  }

  runEnded(run: CleanupRun): void {
    if (run.hasFailed) Log.failed(run)
  }

  readonly reporter = noReporter
  runStarted(): void {}
  runAbandonedAttempt(): void {}
  runFinishedLate(): void {}
  giveBackSlot(): void {}

  // --- the deadline --------------------------------------------------------------------------------------------------

  private setTimers(): void {
    this.forceAt ??= DeadlineHeap.make(() => this.force())
    this.endAt ??= DeadlineHeap.make(() => this.reachDeadline())
    this.timers.set(this.endAt, this.deadline)
    if (!this.forced) {
      this.timers.set(this.forceAt, this.deadline - Recovery.forceMargin(this.deadline - this.startedAt))
    }
  }

  /** Must be over by then, too. */
  limitTo(deadline: number): void {
    if (deadline >= this.deadline || this.drives.size === 0) return
    this.deadline = deadline
    for (const { run } of this.active) run?.limitTo(deadline)
    for (const host of this.joined ?? []) host.limitTo(deadline)
    this.setTimers()
  }

  /** Everything that has not started starts now. */
  force(): void {
    if (this.forced) return
    this.forced = true
    // None goes on before all are there: what is in a scope comes before what the scope is in.
    const { pumping } = this
    this.pumping = true
    Turns.inTurns(this.base, this.active, ({ run }) => run?.force())
    for (const host of this.joined ?? []) host.force()
    for (const drive of this.drives) this.enqueue(drive)
    this.pumping = pumping
    this.start()
  }

  private reachDeadline(): void {
    // The same instant is the limit of what still runs, but a guard's registry may look at its clock a moment later.
    for (const { run } of this.active) run?.onDue()
    for (const host of this.joined ?? []) host.reachDeadline()
    // To be abandoned takes a few turns.
    const until = this.now() + Recovery.startMillis
    Turns.afterTurns(this.base, () => Turns.afterTurns(this.base, () => this.endBy(until)))
  }

  private endBy(until: number): void {
    if (this.pumping && this.now() < until) return Turns.afterTurnOfLoop(this.base, () => this.endBy(until))
    this.overrun = this.drives.size > 0
    for (const drive of [...this.drives].reverse()) drive.end()
  }

  // --- the closer ----------------------------------------------------------------------------------------------------

  /** What the closer goes on with: what finalizers have set, and the failures of guards that must fail the close. */
  private leave(): Effect.Effect<void> {
    const failed = this.failure === undefined ? Effect.void : Effect.failCause(this.failure)
    return this.changes === undefined ? failed : Effect.andThen(Refs.applyChanges(this.changes), failed)
  }

  begin(scope: ManagedScope, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { run } = this.caller
    // Before anything starts: a finalizer that then waits for that cleanup would close a circle.
    if (run !== undefined) block(run, this.waiters.entry)
    const drive = this.open(scope, exit, this.closer.id())
    if (run !== undefined) unblock(run, this.waiters.entry)
    if (this.process.isClosing()) this.process.closing(scope)
    if (drive.isOver) return this.leave()
    this.setTimers()
    return Effect.flatMap(this.waiters.await(drive, this.closer), () => this.leave())
  }
}

/** Begins the close of a scope, or waits for the one that goes on. */
export const close = (
  scope: ManagedScope,
  exit: Exit.Exit<unknown, unknown>,
  options: ResolvedScope,
  fiber: Fibers.CurrentFiber
): Effect.Effect<void> => {
  const { drive } = scope
  if (drive !== undefined) return drive.host.waiters.await(drive, fiber)
  return Scopes.isOpen(scope) ? new ScopeClose(options, fiber).begin(scope, exit) : Effect.void
}
