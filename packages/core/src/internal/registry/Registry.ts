/**
 * The registry's state and its transitions: every live resource, what waits, what runs, and the accounts (P6). All
 * transitions are synchronous, so that between two of them the accounts are right; the Effect code around it is thin.
 */
import { type Clock, Effect } from "effect"
import * as CleanupError from "../../CleanupError.js"
import * as CleanupPriority from "../../CleanupPriority.js"
import type { Outcome, Trigger } from "../../CleanupReport.js"
import { Generator, type ResourceId } from "../../ResourceId.js"
import {
  type CallerContext,
  type CleanupStart,
  forcedExit,
  limitOf,
  nobody,
  Waiters
} from "../cleanup/CallerContext.js"
import * as Log from "../cleanup/CleanupLog.js"
import { CleanupRun } from "../cleanup/CleanupRun.js"
import type { CleanupTarget, State } from "../cleanup/CleanupTarget.js"
import type { RunHost } from "../cleanup/RunHost.js"
import { allWaitFor, startAfter, waitsFor } from "../cleanup/WaitGraph.js"
import * as Clocks from "../effect3/Clocks.js"
import type * as Refs from "../effect3/Refs.js"
import { noHost } from "../kernel/ShutdownHost.js"
import { Timers } from "../kernel/Timers.js"
import { call } from "../kernel/UserFunction.js"
import { BulkCleanup } from "./BulkCleanup.js"
import { DeadLetters } from "./DeadLetters.js"
import { Dispatcher, type QueuedCleanup } from "./Dispatcher.js"
import { LeakDetector } from "./LeakDetector.js"
import { type Listener, MonitorQueue } from "./MonitorQueue.js"
import type { RegistryMetrics } from "./RegistryMetrics.js"
import type { ResolvedOptions } from "./RegistryOptions.js"
import { RegistryReporter } from "./RegistryReporter.js"
import { endReservation, link, ResourceIndex, unlink } from "./ResourceIndex.js"
import type { RegistryPhase } from "./Snapshot.js"

const randomIds = Generator.defaultValue

export interface RegistryParts {
  readonly options: ResolvedOptions
  readonly clock: Clock.Clock
  readonly origin: Refs.Origin
  /** Of the generator in use. */
  readonly ids: () => ResourceId
  readonly listener: Listener | undefined
  readonly metrics: RegistryMetrics | undefined
}

export class Registry implements RunHost {
  readonly options: ResolvedOptions
  readonly origin: Refs.Origin
  private readonly ids: () => ResourceId
  phase: RegistryPhase = "Running"
  private readonly index = new ResourceIndex()
  readonly entries: ReadonlyMap<ResourceId, CleanupTarget> = this.index.entries
  readonly acquiring = new Set<CleanupTarget>()
  readonly running = new Set<CleanupRun>()
  /** Dead letters whose release is tried again: they wait in the queue, or run. */
  readonly retrying = new Set<CleanupTarget>()
  /** Cleanups of which an attempt or a fallback was abandoned and still runs. */
  readonly orphans = new Set<CleanupRun>()
  readonly byTag: ReadonlyMap<string, ReadonlySet<CleanupTarget>> = this.index.byTag
  readonly accounts: { [Account in "registered" | Outcome]: number } = {
    registered: 0,
    cleaned: 0,
    recovered: 0,
    failed: 0,
    abandoned: 0,
    disarmed: 0
  }
  readonly counts = { inUse: 0, waiting: 0, cleaning: 0 }
  readonly timers: Timers
  readonly reporter: RegistryReporter
  readonly dispatcher: Dispatcher
  readonly deadLetters: DeadLetters
  readonly slowAfter: number
  shutdownBatch: BulkCleanup | undefined
  /** Who runs the process that the registry is in. */
  process = noHost
  /** Registered while draining, inside a cleanup that must clean them up itself. */
  private late: Set<CleanupTarget> | undefined
  private readonly leaks: LeakDetector
  private readonly idle = new Waiters((caller) => this.isIdle(caller), () => this.runs())
  private sequence = 0
  private orders = 0

  constructor({ clock, ids, listener, metrics, options, origin }: RegistryParts) {
    this.options = options
    this.origin = origin
    this.ids = ids
    this.timers = new Timers(clock, origin)
    this.reporter = new RegistryReporter(new MonitorQueue(listener, this.timers, origin), metrics, clock)
    this.dispatcher = new Dispatcher(
      options.concurrency,
      origin,
      (request) => this.startQueued(request),
      (request) => this.reporter.scheduled(request)
    )
    this.deadLetters = new DeadLetters(options.deadLetters, this.timers)
    this.leaks = new LeakDetector(options.leakThreshold, this)
    this.slowAfter = options.slowAfter
  }

  // --- accounts ------------------------------------------------------------------------------------------------------

  get live(): number {
    return this.counts.inUse + this.counts.waiting + this.counts.cleaning
  }

  private move(entry: CleanupTarget, to: State, now = this.timers.now()): void {
    const { accounts, counts } = this
    if (entry.isLive) counts[entry.state as keyof typeof counts]--
    if (to in counts) counts[to as keyof typeof counts]++
    else accounts[to as keyof typeof accounts]++
    entry.state = to
    entry.since = now
  }

  wallMillis(): number {
    return Clocks.wallMillis(this.timers.clock)
  }

  /** Of the generator in use; where it throws or gives what is no new id, a random one. */
  nextId(): ResourceId {
    const id: unknown = call<unknown>(this.ids, () => undefined)
    return typeof id === "string" && !this.isTaken(id as ResourceId) ? id as ResourceId : randomIds().next()
  }

  private isTaken(id: ResourceId): boolean {
    return this.entries.has(id) || this.deadLetters.has(id)
  }

  nextOrder(): number {
    return ++this.orders
  }

  // --- acquiring -----------------------------------------------------------------------------------------------------

  /** Whether a registration is refused now. Inside a running cleanup none is: it may need resources to do its work. */
  refuses(caller: CallerContext): boolean {
    return this.phase !== "Running" && caller.run === undefined
  }

  /** Takes a place before the acquire, so that a shutdown knows of it and dependencies stay for as long as it takes. */
  reserve(entry: CleanupTarget): void {
    this.acquiring.add(entry)
    link(entry)
  }

  /** The acquire failed or was interrupted: as if it had never been. */
  cancel(entry: CleanupTarget): void {
    this.acquiring.delete(entry)
    unlink(entry)
    endReservation(entry)
    this.shutdownBatch?.check()
  }

  /** The acquire succeeded: from here on it counts. It is reported once it has its scope. */
  register(entry: CleanupTarget, value: unknown, caller: CallerContext): void {
    // Two that were acquired at once were given the same one.
    if (this.isTaken(entry.id)) entry.id = randomIds().next()
    entry.value = value
    entry.createdAt = this.wallMillis()
    this.accounts.registered++
    this.move(entry, "inUse")
    entry.registeredAt = entry.since
    this.index.add(entry)
    this.acquiring.delete(entry)
    this.leaks.registered(entry)
    if (this.shutdownBatch !== undefined) {
      entry.within = caller.run
      this.shutdownBatch.add(entry)
      ;(this.late ??= new Set()).add(entry)
    }
  }

  // --- cleaning up ---------------------------------------------------------------------------------------------------

  /** Starts the cleanup in the caller's turn, after those of its dependents. Takes no slot. */
  start(entry: CleanupTarget, start: CleanupStart): CleanupRun {
    const { caller, exit } = start
    const now = this.timers.now()
    const root = this.open(entry, start, now)
    if (entry.dependents === undefined) {
      root.begin(now)
      return root
    }
    // All of them are opened before any begins; a list and not a recursion, as chains may be long.
    const opened = [root]
    for (let i = 0; i < opened.length; i++) {
      const run = opened[i]!
      if (run.entry.dependents === undefined) continue
      for (const dependent of run.entry.dependents) {
        // A dependent that is being acquired holds what it depends on.
        if (dependent.state === "acquiring") continue
        if (dependent.run === undefined) {
          const cascaded = this.open(dependent, { trigger: "cascade", exit, caller }, now)
          opened.push(cascaded)
          run.waitFor(cascaded)
        } else if (caller.run === undefined || !waitsFor(dependent.run, caller)) {
          startAfter(run, dependent.run)
        }
      }
    }
    for (let i = opened.length - 1; i >= 0; i--) opened[i]!.begin()
    return root
  }

  private open(entry: CleanupTarget, start: CleanupStart, now: number): CleanupRun {
    const { request } = entry
    const { caller } = start
    entry.request = undefined
    const run = new CleanupRun(entry, this, start, request?.requestedAt ?? now)
    entry.run = run
    // A dead letter has had its outcome, and keeps it until it has another.
    if (start.trigger !== "retried") this.move(entry, "cleaning", now)
    this.running.add(run)
    if (caller.run !== undefined) entry.limitTo(limitOf(caller, now))
    run.limitTo(entry.deadline ?? Infinity)
    // Last, as it may let others start.
    if (request !== undefined) this.dispatcher.skip(request)
    return run
  }

  request(entry: CleanupTarget, trigger: Trigger, band = CleanupPriority.toNumber(entry.priority)): QueuedCleanup {
    return {
      band,
      sequence: this.sequence++,
      entry,
      trigger,
      requestedAt: this.timers.now(),
      state: "waiting",
      asks: 1
    }
  }

  /** The request of a resource that is in use; a request that waits already has one more caller. */
  private ask(entry: CleanupTarget, trigger: Trigger, band?: number): QueuedCleanup | undefined {
    if (entry.state === "waiting") entry.request!.asks++
    if (entry.state !== "inUse") return undefined
    this.move(entry, "waiting")
    return entry.request = this.request(entry, trigger, band)
  }

  /** Hands the cleanup to the queue. Gives the request, for `unschedule`. */
  schedule(entry: CleanupTarget, trigger: Trigger, band?: number): QueuedCleanup | undefined {
    const request = this.ask(entry, trigger, band)
    if (request === undefined) return entry.request
    this.dispatcher.enqueue(request)
    // A monitor may have cancelled it and asked again: that is another caller's request.
    return entry.request === request ? request : undefined
  }

  /** One of many that are handed to the queue before any of them starts, or is reported. */
  scheduleLater(entry: CleanupTarget, trigger: Trigger): QueuedCleanup | undefined {
    const request = this.ask(entry, trigger)
    if (request !== undefined) this.dispatcher.add(request)
    return request
  }

  /** Hands the release of a dead letter to the queue once more; asked for in a cleanup it begins, to be over with that. */
  retry(entry: CleanupTarget, caller: CallerContext): void {
    entry.run = undefined
    entry.deadline = undefined
    this.retrying.add(entry)
    this.shutdownBatch?.add(entry)
    if (caller.run === undefined) this.dispatcher.enqueue(entry.request = this.request(entry, "retried"))
    else this.start(entry, { trigger: "retried", exit: forcedExit, caller })
  }

  /** Takes one caller of a waiting cleanup out; whether that was the last, and the cleanup will not run. */
  unschedule(request: QueuedCleanup, isOwn: boolean): boolean {
    const { entry } = request
    if (entry.request !== request || --request.asks > 0) return false
    // A cleanup given as an effect is nothing without its request.
    if (isOwn) this.disarm(entry)
    else {
      entry.request = undefined
      this.move(entry, "inUse")
      this.dispatcher.skip(request)
      this.reporter.notify("Unscheduled", entry, {})
      this.idle.check()
    }
    return true
  }

  private startQueued({ entry, trigger }: QueuedCleanup): void {
    const exit = trigger === "background" ? entry.exit : forcedExit
    this.start(entry, { trigger, exit, caller: nobody, slot: true })
  }

  disarm(entry: CleanupTarget): unknown {
    const { request, value } = entry
    entry.value = entry.request = undefined
    this.move(entry, "disarmed")
    this.gone(entry)
    this.leaks.gone(entry)
    if (request !== undefined) this.dispatcher.skip(request)
    this.reporter.notify("Disarmed", entry, {})
    this.ended(entry)
    return value
  }

  // --- as the host of runs -------------------------------------------------------------------------------------------

  runStarted(run: CleanupRun): void {
    this.reporter.started(run)
  }

  runSlow(run: CleanupRun): void {
    Log.slow(run, run.slowAfter)
    this.reporter.notify("Slow", run.entry, { runMillis: this.timers.now() - run.requestedAt })
    this.giveBackSlot(run)
  }

  giveBackSlot(run: CleanupRun): void {
    if (!run.slot) return
    run.slot = false
    this.dispatcher.giveBackSlot()
  }

  runAbandonedAttempt(run: CleanupRun): void {
    this.orphans.add(run)
  }

  runFinishedLate(run: CleanupRun): void {
    this.orphans.delete(run)
    if (run.isDone) {
      this.deadLetters.finishedLate(run.entry)
      this.reporter.notify("FinishedLate", run.entry, {})
    }
  }

  runEnded(run: CleanupRun): void {
    const { entry } = run
    this.running.delete(run)
    const isRetry = run.trigger === "retried"
    if (isRetry) this.retryEnded(run)
    else {
      this.move(entry, run.outcome!, run.endedAt)
      this.gone(entry)
      if (run.hasFailed) this.deadLetters.add(entry, run, this.wallMillis())
      else entry.value = undefined
    }
    if (!isRetry) this.leaks.gone(entry)
    if (run.hasFailed) Log.failed(run)
    this.reporter.ended(run)
    if (this.process.isClosing()) this.process.ended(run.record())
    this.giveBackSlot(run)
    this.ended(entry)
  }

  private retryEnded(run: CleanupRun): void {
    const { entry } = run
    const { accounts } = this
    this.retrying.delete(entry)
    if (!run.hasFailed) {
      accounts.failed--
      accounts.recovered++
      entry.state = "recovered"
      entry.value = undefined
      this.deadLetters.drop(entry.id)
      return
    }
    if (run.outcome === "abandoned") {
      accounts.failed--
      accounts.abandoned++
      entry.state = "abandoned"
    }
    this.deadLetters.failedAgain(entry, run, this.wallMillis())
  }

  /** Nothing is kept of a resource that is gone, by the registry or by its scope. */
  private gone(entry: CleanupTarget): void {
    this.index.remove(entry)
    this.late?.delete(entry)
  }

  private ended(entry: CleanupTarget): void {
    entry.ended()
    if (this.late !== undefined) this.cleanUpLate()
    this.idle.check()
  }

  /** What a cleanup acquired while draining, and left behind. */
  private cleanUpLate(): void {
    for (const entry of this.late!) {
      if (entry.within === undefined || entry.within.isDone) {
        this.late!.delete(entry)
        this.schedule(entry, "shutdown")
      }
    }
  }

  private *runs(): Iterable<{ readonly run: CleanupRun }> {
    for (const run of this.running) yield { run }
  }

  // --- waiting -------------------------------------------------------------------------------------------------------

  private isIdle(caller: CallerContext): boolean {
    if (this.counts.waiting > 0) return false
    for (const entry of this.retrying) if (entry.run === undefined) return false
    if (this.running.size === 0) return true
    const isPart = caller.run !== undefined && this.running.has(caller.run)
    return allWaitFor(() => this.running, caller, isPart ? this.idle : undefined)
  }

  awaitIdle(caller: CallerContext): Effect.Effect<void> {
    return Effect.asVoid(this.idle.await(caller))
  }

  // --- many at once --------------------------------------------------------------------------------------------------

  /** These and what depends on them, to be over by the shutdown's time limit. */
  force(entries: Iterable<CleanupTarget>, caller: CallerContext): BulkCleanup {
    const all = new Set(entries)
    // A set hands out what is added to it on the way.
    for (const entry of all) {
      // What chose it may have run a user's code since.
      if (!entry.isLive && !this.retrying.has(entry)) all.delete(entry)
      for (const dependent of entry.dependents ?? []) if (dependent.isLive) all.add(dependent)
    }
    const batch = new BulkCleanup(this, "forced", caller)
    batch.start([...all])
    return batch
  }

  shutdown(caller = nobody): BulkCleanup {
    if (this.shutdownBatch !== undefined) return this.shutdownBatch
    this.phase = "Draining"
    const batch = new BulkCleanup(this, "shutdown", caller, () => this.closed(batch))
    this.shutdownBatch = batch
    batch.start(
      [...this.entries.values(), ...this.retrying],
      () => this.reporter.draining(batch.timeout, this.live)
    )
    return batch
  }

  private closed(batch: BulkCleanup): void {
    this.phase = "Closed"
    this.leaks.stop()
    this.reporter.closed(() => batch.report())
  }

  shuttingDown(typeName: string): CleanupError.RegistryShuttingDown {
    return new CleanupError.RegistryShuttingDown({ typeName })
  }
}
