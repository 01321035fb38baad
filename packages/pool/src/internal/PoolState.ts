/**
 * What a pool knows and decides: how many items there are of each kind, who gets an item next, when to create one and
 * when to let one go. Plain data and synchronous decisions: instants and randomness are given, and what is to be done
 * about a decision is done by the host. Between any two calls the counts are right.
 */
import { Circuit, type CircuitLimits } from "./Circuit.js"
import { type Waiting, WaitQueue } from "./WaitQueue.js"

/** Why an item is let go of. */
export type RemovalReason =
  | "expired"
  | "idle"
  | "maxUses"
  | "unfit"
  | "invalidated"
  | "failedUse"
  | "recycleFailed"
  | "keepAliveFailed"
  | "reclaimed"
  | "resized"
  | "evicted"
  | "late"
  | "drained"
  | "released"

/** An item, as far as decisions go. Instants are milliseconds of a clock that never jumps. */
export interface PoolItem {
  status: "idle" | "inUse" | "destroying" | "gone"
  /** Its release runs or has run, though somebody still holds it. */
  isReleased: boolean
  readonly expiresAt: number
  uses: number
  /** Created, returned, or checked last. */
  usedAt: number
  idleSince: number
}

export interface PoolWaiter<I> extends Waiting {
  /** The item is in use by this waiter from now on. */
  serve(item: I, now: number): void
  /** There will be none: the pool closes, or nothing can be created. */
  refuse(why: "closed" | "creation"): void
}

export interface PoolHost<I> {
  create(): void
  destroy(item: I, reason: RemovalReason): void
  keepAlive(item: I): void
  /** `grow` is to be called then; `Infinity` where not. */
  growAt(at: number): void
  /** `maintain` is to be called then; `Infinity` where not. */
  maintainAt(at: number): void
  /** Something was counted down: whoever waits for an end looks again. */
  settled(): void
}

export interface PoolLimits extends CircuitLimits {
  readonly maxUses: number
  readonly idleTimeout: number
  /** Infinite where nothing keeps idle items alive. */
  readonly keepAliveInterval: number
  readonly createConcurrency: number
  readonly maxWaiters: number
}

export class PoolState<I extends PoolItem, W extends PoolWaiter<I>> {
  readonly idle: Array<I> = []
  readonly waiting = new WaitQueue<W>()
  inUse = 0
  creating = 0
  /** Of those being created: past their time limit, and not ended yet. */
  stuck = 0
  destroying = 0
  /** While it is serving only who waited already is, while it drains nobody; closed, it takes back what it can. */
  phase: "open" | "serving" | "draining" | "closed" = "open"
  isSuspended = false
  readonly circuit: Circuit
  private maintenance = Infinity
  private hadSurplus = false

  constructor(readonly host: PoolHost<I>, readonly limits: PoolLimits, public minSize: number, public maxSize: number) {
    this.circuit = new Circuit(limits)
  }

  get total(): number {
    return this.idle.length + this.inUse + this.creating + this.destroying
  }

  /** Items that are there or on their way, and not on their way out. */
  private get lasting(): number {
    return this.idle.length + this.inUse + this.creating - this.stuck
  }

  /** Whether it gives items to those that wait. */
  private get serves(): boolean {
    return (this.phase === "open" || this.phase === "serving") && !this.isSuspended
  }

  // --- borrowing -----------------------------------------------------------------------------------------------------

  /** An idle item, in use from now on: the one used last, so that those not needed grow old. Nobody is overtaken. */
  take(now: number): I | undefined {
    if (this.phase !== "open" || this.isSuspended || this.waiting.size > 0) return undefined
    return this.takeIdle(now)
  }

  /** Another, for who was served one that is unfit. */
  takeAgain(now: number): I | undefined {
    return this.serves ? this.takeIdle(now) : undefined
  }

  private takeIdle(now: number): I | undefined {
    for (;;) {
      const item = this.idle.pop()
      if (item === undefined) return undefined
      if (now < item.expiresAt) {
        item.status = "inUse"
        this.inUse++
        return item
      }
      this.retire(item, "expired")
    }
  }

  /** Whether a borrower may wait, and if not, why; creates for it where there is room. It may be back from waiting. */
  join(waiter: W, now: number, isBack = false): "joined" | "closed" | "exhausted" | "creation" {
    if (this.phase !== "open" && !(isBack && this.phase === "serving")) return "closed"
    if (!isBack && this.waiting.size >= this.limits.maxWaiters + this.coming) return "exhausted"
    // While the circuit is open only one borrower finds out whether it can close, when the pause is over.
    if (this.isHopeless && !this.circuit.allows(now, this.creating - this.stuck)) return "creation"
    this.waiting.join(waiter)
    this.serveIdle(now)
    this.grow(now)
    return "joined"
  }

  /** Items that those who wait need no other borrower for: they are being created, or there is room, now or soon. */
  private get coming(): number {
    return this.creating - this.stuck + Math.max(0, this.maxSize - this.lasting)
  }

  leave(waiter: W): void {
    this.waiting.leave(waiter)
    if (this.wanted <= 0) this.host.growAt(Infinity)
    this.host.settled()
  }

  /** No item will come back, and none can be created for now. */
  get isHopeless(): boolean {
    return this.circuit.isOpen && this.inUse === 0 && this.idle.length === 0
  }

  // --- returning -----------------------------------------------------------------------------------------------------

  /** An item in use is in use no longer; unless there is a reason to let it go it serves the next. */
  giveBack(item: I, now: number, reason?: RemovalReason): void {
    if (item.status !== "inUse") return
    const why = reason ?? this.reasonToRetire(item, now)
    this.inUse--
    item.usedAt = now
    if (item.isReleased) {
      item.status = "destroying"
      this.destroying++
    } else if (why === undefined) this.hand(item, now)
    else this.retire(item, why)
    this.settle(now)
  }

  /** Why an item in use will be let go of at its return, as far as is known now. */
  reasonToRetire(item: I, now: number): RemovalReason | undefined {
    if (now >= item.expiresAt) return "expired"
    if (item.uses >= this.limits.maxUses) return "maxUses"
    if (this.lasting > this.maxSize) return "resized"
    return this.phase !== "open" && this.waiting.size === 0 ? "drained" : undefined
  }

  /** To the next that waits, else it is idle. */
  private hand(item: I, now: number): void {
    const waiter = this.serves ? this.waiting.take() : undefined
    if (waiter !== undefined) {
      item.status = "inUse"
      this.inUse++
      return waiter.serve(item, now)
    }
    item.status = "idle"
    item.idleSince = now
    this.idle.push(item)
    this.planMaintenance(item)
  }

  private retire(item: I, reason: RemovalReason): void {
    item.status = "destroying"
    this.destroying++
    this.host.destroy(item, reason)
  }

  /** Somebody else has begun to release the item. */
  released(item: I): void {
    item.isReleased = true
    if (item.status !== "idle") return
    this.idle.splice(this.idle.indexOf(item), 1)
    item.status = "destroying"
    this.destroying++
  }

  /** The item's release is over, whatever became of it. */
  ended(item: I, now: number): void {
    if (item.status === "destroying") {
      this.destroying--
      item.status = "gone"
    } else if (item.status === "inUse") {
      // Its holder returns it to nowhere.
      this.inUse--
      item.status = "gone"
    }
    this.settle(now)
  }

  // --- creating ------------------------------------------------------------------------------------------------------

  /** Creates what is wanted and fits, as far as the circuit lets it. */
  grow(now: number): void {
    while (
      this.creating - this.stuck < Math.min(this.wanted, this.limits.createConcurrency) && this.total < this.maxSize
    ) {
      if (!this.circuit.allows(now, this.creating - this.stuck)) {
        // Else it is another attempt that is waited for.
        if (now < this.circuit.nextAt) this.host.growAt(this.circuit.nextAt)
        return
      }
      this.creating++
      this.host.create()
    }
  }

  /** For who does not wait, and may ask again: creates one where none is on its way. */
  prepare(now: number): void {
    const isWanted = this.phase === "open" && !this.isSuspended && this.creating === this.stuck
    if (!isWanted || this.total >= this.maxSize || !this.circuit.allows(now, 0)) return
    this.creating++
    this.host.create()
  }

  /** How many are to be created: one for each that waits, and as many as `minSize` lacks, of which they may be some. */
  private get wanted(): number {
    const waiting = this.serves ? this.waiting.size : 0
    return this.phase === "open" ? Math.max(waiting, this.minSize - this.idle.length - this.inUse) : waiting
  }

  /** An item was created. It comes too late where its time limit had passed. */
  created(item: I, now: number, isLate: boolean): void {
    const why = isLate ? "late" : this.reasonToRetire(item, now)
    this.creating--
    if (isLate) this.stuck--
    else this.circuit.succeeded()
    if (why === undefined) this.hand(item, now)
    else this.retire(item, why)
    this.settle(now)
  }

  /** Creating one failed. */
  createFailed(now: number, random: number): void {
    this.creating--
    this.circuit.failed(now, random)
    this.settle(now)
  }

  /** Creating one has failed or takes too long; it still counts until nothing of it is left. */
  createStuck(now: number, random: number): void {
    this.stuck++
    this.circuit.failed(now, random)
    this.settle(now)
  }

  /** Nobody wants what is being created any more; it still counts until it has ended. */
  createUnwanted(): void {
    this.stuck++
  }

  /** Of one that still counted nothing is left. */
  stuckEnded(now: number): void {
    this.creating--
    this.stuck--
    this.settle(now)
  }

  // --- what follows from a change ------------------------------------------------------------------------------------

  private settle(now: number): void {
    if (this.isHopeless && this.creating === this.stuck && !this.circuit.allows(now, 0)) this.refuseAll("creation")
    this.serveIdle(now)
    this.grow(now)
    this.host.settled()
  }

  private serveIdle(now: number): void {
    while (this.serves && this.waiting.size > 0) {
      const item = this.takeIdle(now)
      if (item === undefined) return
      this.waiting.take()!.serve(item, now)
    }
  }

  refuseAll(why: "closed" | "creation"): number {
    let refused = 0
    for (let waiter = this.waiting.take(); waiter !== undefined; waiter = this.waiting.take()) {
      waiter.refuse(why)
      refused++
    }
    return refused
  }

  // --- by hand -------------------------------------------------------------------------------------------------------

  suspend(): void {
    this.isSuspended = this.phase === "open"
  }

  resume(now: number): void {
    this.isSuspended = false
    this.settle(now)
  }

  resize(minSize: number, maxSize: number, now: number): void {
    this.minSize = minSize
    this.maxSize = maxSize
    while (this.idle.length > 0 && this.lasting > maxSize) this.retire(this.idle.shift()!, "resized")
    this.settle(now)
    this.maintain(now)
  }

  /** Lets go of every idle item; gives how many. */
  evictIdle(now: number, reason: RemovalReason): number {
    const evicted = this.idle.splice(0)
    for (const item of evicted) this.retire(item, reason)
    this.maintenance = Infinity
    this.host.maintainAt(Infinity)
    this.settle(now)
    return evicted.length
  }

  /** Takes no borrowers on any more; who waits already is served or refused. Gives how many were refused. */
  drain(now: number, waiters: "serve" | "refuse"): number {
    this.phase = waiters === "serve" ? "serving" : "draining"
    this.isSuspended = false
    return this.stopLending(now)
  }

  /** Serves nobody any more. */
  close(now: number): number {
    this.phase = "closed"
    return this.stopLending(now)
  }

  private stopLending(now: number): number {
    this.serveIdle(now)
    const refused = this.phase === "serving" ? 0 : this.refuseAll("closed")
    if (this.wanted <= 0) this.host.growAt(Infinity)
    this.evictIdle(now, "drained")
    return refused
  }

  // --- idle items ----------------------------------------------------------------------------------------------------

  private dueAt(item: I): number {
    const { idleTimeout, keepAliveInterval } = this.limits
    const kept = item.usedAt + keepAliveInterval
    const due = Math.min(item.expiresAt, kept)
    return this.hadSurplus ? Math.min(due, item.idleSince + idleTimeout) : due
  }

  /** With another idle item the instant for maintenance can only come nearer. */
  private planMaintenance(item: I): void {
    const hasSurplus = this.lasting > this.minSize
    if (hasSurplus !== this.hadSurplus) {
      this.hadSurplus = hasSurplus
      for (const other of this.idle) this.maintainBy(this.dueAt(other))
    } else this.maintainBy(this.dueAt(item))
  }

  private maintainBy(at: number): void {
    if (at >= this.maintenance) return
    this.maintenance = at
    this.host.maintainAt(at)
  }

  /** An idle item was checked: it serves the next, or is idle for as long as before. */
  keptAlive(item: I, now: number): void {
    const { idleSince } = item
    this.giveBack(item, now)
    if (item.status !== "idle") return
    // To the place that it had.
    this.idle.splice(this.idle.indexOf(item), 1)
    const younger = this.idle.findIndex((other) => other.idleSince > idleSince)
    this.idle.splice(younger === -1 ? this.idle.length : younger, 0, item)
    item.idleSince = idleSince
    this.planMaintenance(item)
  }

  /** Lets go of idle items that are too old or not needed, and checks on the others. */
  maintain(now: number): void {
    this.maintenance = Infinity
    for (const item of this.idle.slice()) {
      // What was begun for one may have served another.
      if (item.status !== "idle") continue
      const isSurplus = this.lasting > this.minSize && now >= item.idleSince + this.limits.idleTimeout
      if (now >= item.expiresAt) this.removeIdle(item, "expired")
      else if (isSurplus) this.removeIdle(item, "idle")
      else if (now >= item.usedAt + this.limits.keepAliveInterval) {
        this.idle.splice(this.idle.indexOf(item), 1)
        item.status = "inUse"
        this.inUse++
        this.host.keepAlive(item)
      }
    }
    this.hadSurplus = this.lasting > this.minSize
    for (const item of this.idle) this.maintainBy(this.dueAt(item))
    if (this.idle.length === 0) this.host.maintainAt(Infinity)
    this.settle(now)
  }

  private removeIdle(item: I, reason: RemovalReason): void {
    this.idle.splice(this.idle.indexOf(item), 1)
    this.retire(item, reason)
  }
}
