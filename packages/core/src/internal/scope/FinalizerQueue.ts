/**
 * The finalizers of one scope while it closes: which are left, how many run, and the outcome of each. It starts the
 * next as soon as one may start. It does so in a loop and not by recursion, as there may be many finalizers, in deeply
 * nested scopes. What runs side by side begins and ends as fibers of Effect's do: one branch after the other, each as
 * deep as it goes by itself.
 */
import type { Exit, Scope } from "effect"
import * as CleanupPriority from "../../CleanupPriority.js"
import * as CleanupReport from "../../CleanupReport.js"
import { idleRecord } from "../cleanup/CleanupRecords.js"
import { CleanupTarget } from "../cleanup/CleanupTarget.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Scopes from "../effect3/Scopes.js"
import { Few } from "../kernel/Few.js"
import { nameOf, ScopeKey } from "./FinalizerKeys.js"
import { FinalizerWorker } from "./FinalizerWorker.js"
import type { ManagedScope } from "./ManagedScope.js"
import type { ScopeClose } from "./ScopeClose.js"
import { parallelism } from "./ScopeOptions.js"

export type QueuedFinalizer = readonly [key: object, finalizer: Scope.Scope.Finalizer]

/** A guard that was found in the scope, and when its turn came. */
export interface GuardMember {
  readonly entry: CleanupTarget
  readonly order: number
  readonly forced: boolean
}

/** The last added first; with order "priority", neighbouring guards by priority, and dependents first by their cascade. */
const arrange = (slots: ReadonlyArray<QueuedFinalizer>, order: "lifo" | "priority"): Array<QueuedFinalizer> => {
  const arranged = [...slots].reverse()
  if (order === "lifo") return arranged
  for (let from = 0; from < arranged.length; from++) {
    let to = from
    while (to < arranged.length && arranged[to]![0] instanceof CleanupTarget) to++
    if (to - from < 2) continue
    const band = ([key]: QueuedFinalizer) => CleanupPriority.toNumber((key as CleanupTarget).priority)
    const guards = arranged.slice(from, to).sort((a, b) => band(b) - band(a))
    arranged.splice(from, guards.length, ...guards)
    from = to
  }
  return arranged
}

/** A finalizer that succeeded before the report was read: all that its record is made of, once it is read. */
class CleanedFinalizer {
  readonly order: number
  readonly forced: boolean
  readonly startedAt: number

  constructor(readonly key: object, { forced, order, startedAt }: FinalizerWorker, readonly endedAt: number) {
    this.order = order
    this.forced = forced
    this.startedAt = startedAt
  }
}

type Settled = CleanupReport.CleanupRecord | CleanedFinalizer

/** When a close has begun, and where its ids come from. */
type Beginning = Pick<ScopeClose, "ids" | "startedAt" | "startedWall">

const recordFrom = (settled: Settled, scope: ManagedScope, began: Beginning): CleanupReport.CleanupRecord =>
  settled instanceof CleanedFinalizer
    ? {
      order: settled.order,
      id: began.ids.next(),
      typeName: nameOf(scope, settled.key),
      priority: CleanupPriority.defaultPriority,
      outcome: "cleaned",
      attempts: 1,
      waitMillis: Math.max(0, settled.startedAt - began.startedAt),
      runMillis: Math.max(0, settled.endedAt - settled.startedAt),
      trigger: "scope",
      forced: settled.forced,
      usedFallback: false,
      startedAt: Math.round(began.startedWall + settled.startedAt - began.startedAt)
    }
    : settled

/** The outcome of a scope's close, as a report for its first reader. Keeps nothing of the close. */
export class Ended {
  private made: CleanupReport.CleanupReport | undefined = undefined
  private readonly ids: Beginning["ids"]
  private readonly startedAt: number
  private readonly startedWall: number
  private readonly durationMillis: number
  private readonly deadlineMillis: number
  private readonly deadlineReached: boolean

  constructor(private readonly scope: ManagedScope, private records: ReadonlyArray<Settled>, host: ScopeClose) {
    this.ids = host.ids
    this.startedAt = host.startedAt
    this.startedWall = host.startedWall
    this.durationMillis = host.now() - host.startedAt
    this.deadlineMillis = host.deadline - host.startedAt
    this.deadlineReached = host.overrun
  }

  get report(): CleanupReport.CleanupReport {
    if (this.made === undefined) {
      const { deadlineMillis, deadlineReached, durationMillis, ids, scope, startedAt, startedWall } = this
      const records = this.records.map((settled) => recordFrom(settled, scope, { ids, startedAt, startedWall }))
      this.records = []
      this.made = CleanupReport.make({ records, durationMillis, deadlineMillis, deadlineReached })
    }
    return this.made
  }
}

const recordOf = ({ entry, forced, order }: GuardMember): CleanupReport.CleanupRecord => {
  const record = entry.run?.record() ?? idleRecord(entry, "disarmed", "scope")
  return { ...record, order, forced: forced || record.forced }
}

export class FinalizerQueue {
  isOver = false
  private readonly slots: Array<QueuedFinalizer>
  private next = 0
  private running = 0
  /** How many are going to start when their turn comes. */
  private starting = 0
  private hasForked = false
  /** Goes on by itself. */
  isQueued = false
  readonly limit: number
  private readonly records: Array<Settled> = []
  private readonly workers = new Few<FinalizerWorker>()
  private guards: Set<GuardMember> | undefined = undefined
  private inner: Array<FinalizerQueue> | undefined = undefined
  private onEnd: Array<() => void> | undefined = undefined
  private ended: Ended | undefined = undefined

  constructor(
    readonly host: ScopeClose,
    readonly scope: ManagedScope,
    readonly exit: Exit.Exit<unknown, unknown>,
    private readonly id: Fibers.Id
  ) {
    scope.drive = this
    this.slots = arrange(scope.takeFinalizers(exit), host.options.order)
    this.limit = parallelism(scope)
  }

  // --- starting ------------------------------------------------------------------------------------------------------

  /** Starts what may start. */
  advance(): void {
    const { host, slots } = this
    if (this.limit === 1 || host.forced || Fibers.startsForksAtOnce) this.startOne()
    else if (!this.hasForked && (slots.length > 0 || this.scope.isForked)) {
      // The fiber that forks the others is one, too; Effect's own forks one even for a scope of nothing.
      this.hasForked = true
      this.starting++
      host.later(() => {
        this.starting--
        // Of nothing one fiber is forked.
        if (slots.length === 0) host.later(() => this.end(), 2)
        else this.spread()
      }, 2)
    } else this.spread()
  }

  /** So many as may run begin, each when its turn comes. */
  private spread(): void {
    const { host, limit, slots } = this
    while (this.next + this.starting < slots.length && this.running + this.starting < limit) {
      this.starting++
      host.later(() => {
        this.starting--
        this.startOne()
      }, 2)
    }
    this.endIfOver()
  }

  private startOne(): void {
    const { host } = this
    if (this.next < this.slots.length && (this.running < this.limit || host.forced)) {
      // Goes on after what is started now.
      if (this.limit === 1 || host.forced || Fibers.startsForksAtOnce) host.enqueue(this)
      this.start(this.take())
    }
    this.endIfOver()
  }

  private endIfOver(): void {
    if (this.next === this.slots.length && this.running === 0 && this.starting === 0) this.end()
  }

  private take(): QueuedFinalizer {
    const slot = this.slots[this.next]!
    // Nothing is kept of a finalizer that has run.
    this.slots[this.next++] = undefined as never
    return slot
  }

  /** The next, for who has just run the one before it; not where something else comes next, or a fiber of its own. */
  takeFinalizer(): QueuedFinalizer | undefined {
    if (this.next + this.starting >= this.slots.length) return undefined
    if (Fibers.startsForksAtOnce && this.limit !== 1) return undefined
    const [key] = this.slots[this.next]!
    return key instanceof ScopeKey || key instanceof CleanupTarget ? undefined : this.take()
  }

  /** Whose fiber a finalizer finds itself in: the closer's, or its own where it runs side by side with others. */
  fiberId(): Fibers.Id {
    return this.limit === 1 ? this.id : Fibers.newId()
  }

  private start(slot: QueuedFinalizer): void {
    const [key, finalizer] = slot
    if (key instanceof ScopeKey) {
      const scope = key.take()
      if (scope !== undefined) this.startScope(scope)
    } else if (key instanceof CleanupTarget) this.startGuard(key, finalizer)
    else {
      this.running++
      const worker = new FinalizerWorker(this, slot)
      this.workers.add(worker)
      this.host.works(worker)
      worker.start()
    }
  }

  private startScope(scope: ManagedScope): void {
    const drive = Scopes.isOpen(scope) ? this.host.open(scope, this.exit, this.fiberId()) : scope.drive
    if (drive === undefined) return
    ;(this.inner ??= []).push(drive)
    this.running++
    const { host } = this
    const isDirect = drive.limit === 1 || Fibers.startsForksAtOnce
    host.join(drive, isDirect ? this.ran : () => host.later(this.ran, 2))
  }

  private startGuard(entry: CleanupTarget, finalizer: Scope.Scope.Finalizer): void {
    // Moved to another scope by what was cleaned up before it.
    if (entry.isUsable && entry.scope !== this.scope) return
    const { host } = this
    const member = { entry, order: host.nextOrder(), forced: host.forced && entry.run?.hasStarted !== true }
    ;(this.guards ??= new Set()).add(member)
    this.running++
    host.startGuard(member, finalizer, this.exit, () => this.guardEnded(member))
  }

  readonly ran = (): void => {
    this.running--
    this.host.enqueue(this)
  }

  // --- ending --------------------------------------------------------------------------------------------------------

  /** Its record is made now, as there may be many; not that of one which was handed over. */
  guardEnded(member: GuardMember): void {
    const { entry } = member
    if (!this.isOver && (entry.run === undefined ? !entry.isUsable : entry.run.isDone)) {
      this.guards?.delete(member)
      this.records.push(recordOf(member))
    }
    this.ran()
  }

  /** A worker's finalizer ended well, and nobody has looked at it. */
  cleaned(key: object, worker: FinalizerWorker): void {
    this.finalized(new CleanedFinalizer(key, worker, this.host.now()))
  }

  finalized(record: Settled): void {
    if (!this.isOver) this.records.push(record)
  }

  workerEnded(worker: FinalizerWorker): void {
    this.workers.delete(worker)
    this.host.worked(worker)
    this.ran()
  }

  whenOver(then: () => void): void {
    if (this.isOver) then()
    else (this.onEnd ??= []).push(then)
  }

  /** It is over, or nobody waits for it any longer. */
  end(): void {
    if (this.isOver) return
    const { host, onEnd, scope } = this
    scope.ended = this.ended = new Ended(scope, this.settled(), host)
    scope.drive = undefined
    this.isOver = true
    this.guards = this.inner = this.onEnd = undefined
    scope.detach()
    // Before anybody goes on, who may do so within the call.
    const isLast = host.driveEnded(this)
    for (const then of onEnd ?? []) then()
    if (isLast) host.waiters.wakeAll()
  }

  /** What has become of everything in the scope and in those inside it. */
  reading(): CleanupReport.CleanupReport {
    if (this.ended !== undefined) return this.ended.report
    const { deadline, overrun, startedAt } = this.host
    return CleanupReport.make({
      records: this.allRecords(),
      durationMillis: this.host.now() - startedAt,
      deadlineMillis: deadline - startedAt,
      deadlineReached: overrun
    })
  }

  /** At its end, with what has not ended as it is now. */
  private settled(): ReadonlyArray<Settled> {
    const isQuiet = this.inner === undefined && this.workers.size === 0 && (this.guards?.size ?? 0) === 0
    return isQuiet ? this.records : this.allRecords()
  }

  private allRecords(): ReadonlyArray<CleanupReport.CleanupRecord> {
    const { host, scope } = this
    // Made once, so that each keeps its id.
    const records = this.records.map((settled, i) => this.records[i] = recordFrom(settled, scope, host))
    for (const { run } of this.workers) if (run?.isDone === false) records.push(run.record())
    for (const { entry, forced, order } of this.guards ?? []) {
      const { run } = entry
      // The registry has it now: handed over to run in the background, or to another scope.
      if (run === undefined ? entry.isUsable : run.trigger === "background" && !run.isDone) continue
      records.push(recordOf({ entry, forced, order }))
    }
    for (const drive of this.inner ?? []) for (const record of drive.reading().records) records.push(record)
    return records
  }
}
