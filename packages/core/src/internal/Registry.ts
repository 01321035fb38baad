/**
 * The registry's state and its transitions: every live resource, what waits, what runs, and the accounts (P6). All
 * transitions are synchronous, so that between two of them the accounts are right; the Effect code around it is thin.
 */
import { type Clock, type Effect, Exit } from "effect"
import * as CleanupError from "../CleanupError.js"
import * as CleanupPriority from "../CleanupPriority.js"
import type { Trigger } from "../CleanupReport.js"
import type { ResourceEvent } from "../ResourceEvent.js"
import { Generator, type ResourceId } from "../ResourceId.js"
import { type Asker, limitOf, nobody, Waiters } from "./Asker.js"
import { Batch } from "./Batch.js"
import { allWaitFor, CleanupRun, type RunHost, startAfter, waitsFor } from "./CleanupRun.js"
import { DeadLetters } from "./DeadLetters.js"
import { Dispatcher, type QueuedCleanup } from "./Dispatcher.js"
import type { Entry, State } from "./Entry.js"
import { EventBus, type Listener, type What } from "./EventBus.js"
import { call } from "./kernel/UserFunction.js"
import { LeakWatch } from "./LeakWatch.js"
import * as Log from "./Log.js"
import type { ResolvedOptions } from "./Options.js"
import * as Seam from "./Seam.js"
import { noHost } from "./ShutdownHost.js"
import { Timers } from "./Timers.js"

/** The tag of the event that tells of an outcome: the same word. */
const endTag = (outcome: string) =>
  `${outcome[0]!.toUpperCase()}${outcome.slice(1)}` as "Cleaned" | "Recovered" | "Failed" | "Abandoned"

const randomIds = Generator.defaultValue

export class Registry implements RunHost {
  phase: "Running" | "Draining" | "Closed" = "Running"
  readonly entries = new Map<ResourceId, Entry>()
  readonly acquiring = new Set<Entry>()
  readonly running = new Set<CleanupRun>()
  /** Dead letters whose release is tried again: they wait in the queue, or run. */
  readonly retrying = new Set<Entry>()
  /** Cleanups of which an attempt or a fallback was let go and still runs. */
  readonly orphans = new Set<CleanupRun>()
  readonly byTag = new Map<string, Set<Entry>>()
  readonly accounts = { registered: 0, cleaned: 0, recovered: 0, failed: 0, abandoned: 0, disarmed: 0 }
  readonly counts = { inUse: 0, waiting: 0, cleaning: 0 }
  readonly timers: Timers
  readonly bus: EventBus
  readonly dispatcher: Dispatcher
  readonly deadLetters: DeadLetters
  readonly slowAfter: number
  shutdownBatch: Batch | undefined
  /** Who runs the process that the registry is in. */
  process = noHost
  /** Registered while draining, inside a cleanup that is to clean them up itself. */
  private late: Set<Entry> | undefined
  private readonly leaks: LeakWatch
  private readonly idle = new Waiters((asker) => this.isIdle(asker), () => this.runs())
  /** A cleanup that the registry forces ends its resource's use from outside, as an interruption does. */
  readonly forcedExit: Exit.Exit<never> = Exit.interrupt(Seam.noFiber)
  private sequence = 0
  private orders = 0

  constructor(
    readonly options: ResolvedOptions,
    readonly clock: Clock.Clock,
    readonly origin: Seam.Origin,
    private readonly ids: () => ResourceId,
    listener: Listener | undefined
  ) {
    this.timers = new Timers(clock, origin)
    this.bus = new EventBus(listener, this.timers, origin)
    this.dispatcher = new Dispatcher(
      options.concurrency,
      origin,
      (request) => this.startQueued(request),
      (request) => this.tellScheduled(request)
    )
    this.deadLetters = new DeadLetters(options.deadLetters, this.timers)
    this.leaks = new LeakWatch(options.leakThreshold, this)
    this.slowAfter = options.slowAfter
  }

  // --- accounts ------------------------------------------------------------------------------------------------------

  get live(): number {
    return this.counts.inUse + this.counts.waiting + this.counts.cleaning
  }

  private move(entry: Entry, to: State, now = this.timers.now()): void {
    const { accounts, counts } = this
    if (entry.isLive) counts[entry.state as keyof typeof counts]--
    if (to in counts) counts[to as keyof typeof counts]++
    else accounts[to as keyof typeof accounts]++
    entry.state = to
    entry.since = now
  }

  wallMillis(): number {
    return Seam.wallMillis(this.clock)
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
  refuses(asker: Asker): boolean {
    return this.phase !== "Running" && asker.run === undefined
  }

  /** Takes a place before the acquire, so that a shutdown knows of it and dependencies stay for as long as it takes. */
  reserve(entry: Entry): void {
    this.acquiring.add(entry)
    if (entry.dependencies === undefined) return
    for (const dependency of entry.dependencies) {
      ;(dependency.dependents ??= new Set()).add(entry)
      dependency.hold(entry)
    }
  }

  /** The acquire failed or was interrupted: as if it had never been. */
  cancel(entry: Entry): void {
    this.acquiring.delete(entry)
    this.unlink(entry)
    this.endReservation(entry)
    this.shutdownBatch?.check()
  }

  /** The acquire succeeded: from here on it counts. Who watches is told by `tellRegistered`, once it has its scope. */
  register(entry: Entry, value: unknown, asker: Asker): void {
    // Two that were acquired at once were given the same one.
    if (this.isTaken(entry.id)) entry.id = randomIds().next()
    entry.value = value
    entry.createdAt = this.wallMillis()
    this.accounts.registered++
    this.move(entry, "inUse")
    entry.registeredAt = entry.since
    this.entries.set(entry.id, entry)
    if (entry.tagKey !== undefined) {
      const tagged = this.byTag.get(entry.tagKey)
      if (tagged === undefined) this.byTag.set(entry.tagKey, new Set([entry]))
      else tagged.add(entry)
    }
    this.acquiring.delete(entry)
    this.leaks.registered(entry)
    if (this.shutdownBatch !== undefined) {
      entry.within = asker.run
      this.shutdownBatch.add(entry)
      ;(this.late ??= new Set()).add(entry)
    }
  }

  tellRegistered(entry: Entry): void {
    if (this.observed) {
      const { sizeBytes, stack } = entry
      this.notify("Registered", entry, {
        ...(sizeBytes === undefined ? undefined : { sizeBytes }),
        ...(stack === undefined ? undefined : { acquireStack: stack })
      })
    }
  }

  /** What it depends on need not stay on its account any longer. */
  endReservation(entry: Entry): void {
    if (entry.dependencies === undefined) return
    for (const dependency of entry.dependencies) dependency.letGo(entry)
  }

  private unlink(entry: Entry): void {
    if (entry.dependencies !== undefined) {
      for (const dependency of entry.dependencies) {
        dependency.dependents?.delete(entry)
        if (dependency.dependents?.size === 0) dependency.dependents = undefined
      }
    }
  }

  // --- cleaning up ---------------------------------------------------------------------------------------------------

  /** Starts the cleanup in the caller's turn, after those of its dependents. Takes no slot. */
  start(
    entry: Entry,
    trigger: Trigger,
    exit: Exit.Exit<unknown, unknown>,
    asker: Asker,
    prepare?: (run: CleanupRun) => void
  ): CleanupRun {
    const now = this.timers.now()
    const root = this.open(entry, trigger, exit, asker, now)
    prepare?.(root)
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
        // One that is being acquired holds what it depends on.
        if (dependent.state === "acquiring") continue
        if (dependent.run === undefined) {
          const cascaded = this.open(dependent, "cascade", exit, asker, now)
          opened.push(cascaded)
          run.waitFor(cascaded)
        } else if (asker.run === undefined || !waitsFor(dependent.run, asker)) {
          startAfter(run, dependent.run)
        }
      }
    }
    for (let i = opened.length - 1; i >= 0; i--) opened[i]!.begin()
    return root
  }

  private open(
    entry: Entry,
    trigger: Trigger,
    exit: Exit.Exit<unknown, unknown>,
    asker: Asker,
    now: number
  ): CleanupRun {
    let requestedAt = now
    if (entry.request !== undefined) {
      requestedAt = entry.request.requestedAt
      this.dispatcher.skip(entry.request)
      entry.request = undefined
    }
    const run = new CleanupRun(entry, trigger, exit, this, asker.fiber?.id(), requestedAt)
    entry.run = run
    // A dead letter has had its outcome, and keeps it until it has another.
    if (trigger !== "retried") this.move(entry, "cleaning", now)
    this.running.add(run)
    if (asker.run !== undefined) entry.deadline = Math.min(entry.deadline, limitOf(asker, now))
    run.limitTo(entry.deadline)
    return run
  }

  request(entry: Entry, trigger: Trigger, band = CleanupPriority.toNumber(entry.priority)): QueuedCleanup {
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

  tellScheduled(request: QueuedCleanup): void {
    if (request.trigger === "retried" || request.state === "skipped") return
    // The priority it waits with, which its request may have changed.
    this.notify("Scheduled", request.entry, {
      trigger: request.trigger,
      priority: CleanupPriority.values[request.band] as CleanupPriority.CleanupPriority
    })
  }

  /** The request of a resource that is in use; one that waits already has one more who asks for it. */
  private ask(entry: Entry, trigger: Trigger, band?: number): QueuedCleanup | undefined {
    if (entry.state === "waiting") entry.request!.asks++
    if (entry.state !== "inUse") return undefined
    this.move(entry, "waiting")
    return entry.request = this.request(entry, trigger, band)
  }

  /** Hands the cleanup to the queue. Gives the request, for `unschedule`. */
  schedule(entry: Entry, trigger: Trigger, band?: number): QueuedCleanup | undefined {
    const request = this.ask(entry, trigger, band)
    if (request !== undefined) this.dispatcher.enqueue(request)
    return entry.request
  }

  /** One of many that are handed to the queue before any of them starts, or is told of. */
  scheduleLater(entry: Entry, trigger: Trigger): QueuedCleanup | undefined {
    const request = this.ask(entry, trigger)
    if (request !== undefined) this.dispatcher.add(request)
    return request
  }

  /** Hands the release of a dead letter to the queue once more; asked for in a cleanup it begins, to be over with that. */
  retry(entry: Entry, asker: Asker): void {
    entry.run = undefined
    entry.deadline = Infinity
    this.retrying.add(entry)
    this.shutdownBatch?.add(entry)
    if (asker.run === undefined) this.dispatcher.enqueue(entry.request = this.request(entry, "retried"))
    else this.start(entry, "retried", this.forcedExit, asker)
  }

  /** Takes one who asks for a waiting cleanup out; whether that was the last, and the cleanup will not run. */
  unschedule(request: QueuedCleanup, isOwn: boolean): boolean {
    const { entry } = request
    if (entry.request !== request || --request.asks > 0) return false
    // A cleanup of one's own is nothing without its request.
    if (isOwn) this.disarm(entry)
    else {
      this.dispatcher.skip(request)
      entry.request = undefined
      this.move(entry, "inUse")
      this.notify("Unscheduled", entry, {})
      this.idle.check()
    }
    return true
  }

  private startQueued({ entry, trigger }: QueuedCleanup): void {
    this.start(entry, trigger, trigger === "background" ? entry.exit : this.forcedExit, nobody, (run) => {
      run.slot = true
    })
  }

  disarm(entry: Entry): unknown {
    const value = entry.value
    entry.value = undefined
    if (entry.request !== undefined) {
      this.dispatcher.skip(entry.request)
      entry.request = undefined
    }
    this.move(entry, "disarmed")
    this.gone(entry)
    this.leaks.gone(entry)
    this.notify("Disarmed", entry, {})
    this.ended(entry)
    return value
  }

  // --- as the host of runs -------------------------------------------------------------------------------------------

  get observed(): boolean {
    return this.bus.observed
  }

  /** Tells who watches what happened to a resource. */
  notify<Tag extends ResourceEvent["_tag"]>(
    _tag: Tag,
    entry: Entry,
    what: What<Tag> & { readonly priority?: CleanupPriority.CleanupPriority }
  ): void {
    if (!this.observed) return
    const { id, isSpanNamed, priority, typeName } = entry
    const event = { _tag, at: this.wallMillis(), id, typeName, priority, ...what }
    this.bus.emit((isSpanNamed ? { ...event, isSpanName: true } : event) as unknown as ResourceEvent)
  }

  runStarted(run: CleanupRun): void {
    if (!this.observed) return
    this.notify("Started", run.entry, {
      trigger: run.trigger,
      waitMillis: Math.max(0, run.startedAt - run.requestedAt),
      forced: run.forced,
      attempt: 1
    })
  }

  runSlow(run: CleanupRun): void {
    Log.slow(run, run.slowAfter)
    this.notify("Slow", run.entry, { runMillis: this.timers.now() - run.requestedAt })
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
      this.notify("FinishedLate", run.entry, {})
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
    if (this.observed) this.emitEnd(run)
    if (this.process.isClosing()) this.process.ended(run.record())
    this.giveBackSlot(run)
    this.ended(entry)
  }

  private emitEnd(run: CleanupRun): void {
    // A dead letter that fails again has had its end.
    if (run.trigger === "retried" && run.outcome === "failed") return
    this.notify(endTag(run.outcome!), run.entry, { record: run.record() })
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
  private gone(entry: Entry): void {
    this.entries.delete(entry.id)
    this.unlink(entry)
    entry.dependents = undefined
    if (entry.scope !== undefined) {
      Seam.dropFinalizer(entry.scope, entry)
      entry.scope = undefined
    }
    if (entry.tagKey !== undefined) {
      const tagged = this.byTag.get(entry.tagKey)
      tagged?.delete(entry)
      if (tagged?.size === 0) this.byTag.delete(entry.tagKey)
    }
    if (this.late !== undefined) this.late.delete(entry)
  }

  private ended(entry: Entry): void {
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

  private isIdle(asker: Asker): boolean {
    if (this.counts.waiting > 0) return false
    for (const entry of this.retrying) if (entry.run === undefined) return false
    if (this.running.size === 0) return true
    const isPart = asker.run !== undefined && this.running.has(asker.run)
    return allWaitFor(() => this.running, asker, isPart ? this.idle : undefined)
  }

  awaitIdle(asker: Asker): Effect.Effect<void> {
    return this.idle.await(asker)
  }

  // --- many at once --------------------------------------------------------------------------------------------------

  /** These and what depends on them, to be over by the shutdown's time limit. */
  force(entries: Iterable<Entry>, asker: Asker): Batch {
    const all = new Set(entries)
    // A set hands out what is added to it on the way.
    for (const entry of all) {
      // What chose it may have run a user's code since.
      if (!entry.isLive && !this.retrying.has(entry)) all.delete(entry)
      for (const dependent of entry.dependents ?? []) if (dependent.isLive) all.add(dependent)
    }
    const batch = new Batch(this, "forced", asker)
    batch.start([...all])
    return batch
  }

  shutdown(asker = nobody): Batch {
    if (this.shutdownBatch !== undefined) return this.shutdownBatch
    this.phase = "Draining"
    const batch = new Batch(this, "shutdown", asker, () => this.closed(batch))
    this.shutdownBatch = batch
    batch.start([...this.entries.values(), ...this.retrying], () => {
      if (!this.observed) return
      this.bus.emit({
        _tag: "Draining",
        at: this.wallMillis(),
        deadlineMillis: batch.timeout,
        live: this.live
      })
    })
    return batch
  }

  private closed(batch: Batch): void {
    this.phase = "Closed"
    this.leaks.stop()
    if (this.observed) this.bus.emit({ _tag: "Closed", at: this.wallMillis(), report: batch.report() })
    this.bus.close()
  }

  shuttingDown(typeName: string): CleanupError.RegistryShuttingDown {
    return new CleanupError.RegistryShuttingDown({ typeName })
  }
}
