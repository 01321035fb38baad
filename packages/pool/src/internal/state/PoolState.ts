/**
 * What a pool knows and decides: how many items there are of each kind, who gets an item next, when to create one and
 * when to let one go. Plain data and synchronous decisions: instants and randomness are given, and what is to be done
 * about a decision is done by the host. Between any two calls the counts are right.
 */
import { CircuitBreaker } from "./CircuitBreaker.js"
import { Doubt, type PoolItem, type RemovalReason } from "./PoolItem.js"
import type { PoolLimits, PoolPorts, PoolWaiter } from "./PoolPorts.js"
import { WaitQueue } from "./WaitQueue.js"

/** How many are created at once after one could not be. */
const fewCreated = 2

const anybody = (): boolean => true
const isUnchecked = (waiter: { readonly hasCheck: boolean }): boolean => !waiter.hasCheck

/** For how long after its creation the death of an item that nobody has used counts as a failed creation. */
const earlyDeath = 1_000

export class PoolState<I extends PoolItem, W extends PoolWaiter<I>> {
  readonly idle: Array<I> = []
  readonly waiting = new WaitQueue<W>()
  /** Those being validated, kept alive and made fit for reuse are in use, too. */
  inUse = 0
  creating = 0
  /** Of those being created: for unusually long, and not stuck. */
  slow = 0
  /** Of those being created: past their time limit, and not ended yet. */
  stuck = 0
  destroying = 0
  /** Of those in use: being validated for borrowers that wait; and those of them whose answer is overdue. */
  checking = 0
  overdue = 0
  /** Of those in use: being kept alive. */
  keeping = 0
  /**
   * While it is serving only who waited already is, while it drains only for whom an item is being validated; closed, it
   * takes back what it can.
   */
  phase: "open" | "serving" | "draining" | "closed" = "open"
  isSuspended = false
  readonly circuit: CircuitBreaker
  private maintenance = Infinity
  private hadSurplus = false
  /** The last item that was validated was unfit: another is created beside the next validation. */
  private hasFoundUnfit = false
  /** Some that are due to be kept alive wait for others to be. */
  private areDue = false

  constructor(
    readonly host: PoolPorts<I, W>,
    readonly limits: PoolLimits,
    public minSize: number,
    public maxSize: number
  ) {
    this.circuit = new CircuitBreaker(limits)
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
    // Those that are left in line while it drains are those for whom an item is being validated.
    return this.phase !== "closed" && !this.isSuspended
  }

  // --- borrowing -----------------------------------------------------------------------------------------------------

  /**
   * An idle item, in use from now on: the one used last, so that those not needed grow old. Nobody is overtaken. None
   * where it would have to be validated first, unless `isEvenDoubtful`.
   */
  take(now: number, isEvenDoubtful = false): I | undefined {
    if (this.phase !== "open" || this.isSuspended || this.waiting.size > 0) return undefined
    const item = this.lastIdle(now)
    if (item === undefined || (!isEvenDoubtful && this.host.isDoubtful(item, now))) return undefined
    this.idle.pop()
    item.status = "inUse"
    this.inUse++
    return item
  }

  /** The idle item that was used last. Those that have expired go. */
  private lastIdle(now: number): I | undefined {
    for (;;) {
      const item = this.idle[this.idle.length - 1]
      if (item === undefined || now < item.expiresAt) return item
      this.idle.pop()
      this.retire(item, "expired")
    }
  }

  /** Whether a borrower may wait, and if not, why; creates for it where there is room. It may be back from waiting. */
  join(waiter: W, now: number, isBack = false): "joined" | "closed" | "exhausted" | "creation" {
    if (this.phase !== "open" && !(isBack && this.phase === "serving")) return "closed"
    if (!isBack && this.waiting.size >= this.limits.maxWaiters + this.coming) return "exhausted"
    // While the circuit is open one attempt finds out whether it can close, when the pause is over; who comes waits for it.
    if (this.isFailingFast && this.active === 0 && !this.circuit.allows(now, 0)) return "creation"
    this.waiting.join(waiter)
    this.serveIdle(now)
    this.grow(now)
    return "joined"
  }

  /** Creations that may still come to something in time. */
  private get active(): number {
    return this.creating - this.stuck
  }

  /** Items that those who wait need no other borrower for: they are being created or validated, or there is room. */
  private get coming(): number {
    return this.active + this.checking + this.idle.length + Math.max(0, this.maxSize - this.lasting)
  }

  leave(waiter: W): void {
    this.waiting.leave(waiter)
    if (this.wanted <= 0) this.host.growAt(Infinity)
    this.host.notifyWaiters()
  }

  /** No item will come back, and none can be created for now. */
  get isFailingFast(): boolean {
    return this.circuit.isOpen && this.inUse === 0 && this.idle.length === 0
  }

  // --- returning -----------------------------------------------------------------------------------------------------

  /** An item in use is in use no longer; unless there is a reason to let it go it serves the next. */
  giveBack(item: I, now: number, reason?: RemovalReason): void {
    this.takeBack(item, now, reason, false)
  }

  /** One that is proven need not be validated for the next. */
  private takeBack(item: I, now: number, reason: RemovalReason | undefined, isProven: boolean): void {
    if (item.status !== "inUse") return
    const why = reason ?? this.reasonToRetire(item, now)
    this.inUse--
    if ((item.doubts & (Doubt.checking | Doubt.keeping)) !== 0) this.endOperation(item, now)
    item.usedAt = now
    if (item.isReleased) {
      item.status = "destroying"
      this.destroying++
    } else if (why === undefined) this.hand(item, now, isProven)
    else this.retire(item, why)
    this.settle(now)
  }

  /** What the pool did with the item is over. */
  private endOperation(item: I, now: number): void {
    if ((item.doubts & Doubt.checking) !== 0) this.checking--
    if ((item.doubts & Doubt.overdue) !== 0) this.overdue--
    const wasKept = (item.doubts & Doubt.keeping) !== 0
    item.doubts &= ~(Doubt.checking | Doubt.overdue | Doubt.keeping)
    if (!wasKept) return
    this.keeping--
    // By halves, as looking for them goes through all that are idle.
    if (this.areDue && this.idle.length > 0 && this.keeping <= this.mostKept / 2) this.maintainBy(now)
  }

  /** Why an item in use will be let go of at its return, as far as is known now. */
  reasonToRetire(item: I, now: number): RemovalReason | undefined {
    if ((item.doubts & Doubt.condemned) !== 0) return "invalidated"
    if (now >= item.expiresAt) return "expired"
    if (item.uses >= this.limits.maxUses) return "maxUses"
    if (this.lasting > this.maxSize) return "resized"
    return this.phase !== "open" && this.waiting.size === 0 ? "drained" : undefined
  }

  /** To the next that waits, validated first where it must be; else it is idle. */
  private hand(item: I, now: number, isProven: boolean): void {
    if (this.serves && this.waiting.size > 0) {
      item.status = "inUse"
      this.inUse++
      item.idleSince = now
      if (!isProven && this.host.isDoubtful(item, now)) return this.check(item)
      item.doubts &= ~Doubt.fresh
      return this.waiting.take(now)!.serve(item, now)
    }
    item.status = "idle"
    item.idleSince = now
    item.doubts &= ~Doubt.fresh
    // A suspect is lent when there is no other.
    if ((item.doubts & Doubt.suspect) === 0) this.idle.push(item)
    else this.idle.unshift(item)
    this.planMaintenance(item, now)
  }

  /** Somebody says that the item is bad: an idle one goes at once, one in use at its return. */
  condemn(item: I, now: number, random: number): void {
    if (item.status === "inUse") item.doubts |= Doubt.condemned
    if (item.status !== "idle") return
    // One that dies as soon as it is there, time and again, is one that cannot be created.
    if (item.uses === 0 && now < item.usedAt + earlyDeath) this.circuit.refuted(now, random)
    this.removeIdle(item, "invalidated")
    this.settle(now)
  }

  /** As of many at once; gives how many. */
  condemnAll(items: ReadonlyArray<I>, now: number): number {
    let inUse = 0
    for (const item of items) {
      if (item.status !== "inUse") continue
      item.doubts |= Doubt.condemned
      inUse++
    }
    return inUse + this.evictIdle(now, "invalidated")
  }

  // --- validating ----------------------------------------------------------------------------------------------------

  /** An item that counts as in use is validated, and then serves whoever is first in line. */
  private check(item: I): void {
    item.doubts |= Doubt.checking
    this.checking++
    this.host.validate(item, this.waiting.find((waiter) => !waiter.hasCheck))
  }

  /** The validation of an item has ended, in time or not. */
  checked(item: I, now: number, isFit: boolean, random: number): void {
    if ((item.doubts & Doubt.checking) === 0) return
    const isFresh = (item.doubts & Doubt.fresh) !== 0
    this.hasFoundUnfit = !isFit
    if (!isFit) {
      // What was created just now, and is no good, has not been created.
      if (isFresh) this.circuit.failed(now, random)
      return this.takeBack(item, now, "unfit", false)
    }
    if (isFresh) this.circuit.succeeded(now)
    item.doubts &= ~Doubt.suspect
    this.keptAlive(item, now)
  }

  /** A validation has not answered for a moment: borrowers are served beside it. */
  checkOverdue(item: I, now: number): void {
    if ((item.doubts & (Doubt.checking | Doubt.overdue)) !== Doubt.checking) return
    item.doubts |= Doubt.overdue
    this.overdue++
    this.settle(now)
    this.makeRoom()
  }

  /**
   * Where validations do not answer, and borrowers wait, an item that nobody has validated gives its place to a new one;
   * or, one at a time, a suspect whose validation has not answered for long.
   */
  makeRoom(): void {
    const { active, destroying, idle, overdue, total, waiting } = this
    if (overdue === 0 || !this.serves || total < this.maxSize || waiting.size <= active + destroying) return
    if (idle.length > 0) this.removeIdle(idle[0]!, "doubtful")
    else if (active + destroying === 0) this.host.cutOffCheck()
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
      this.endOperation(item, now)
      item.status = "gone"
    }
    this.settle(now)
  }

  // --- creating ------------------------------------------------------------------------------------------------------

  /** Creates what is wanted and fits, as far as the circuit lets it. */
  grow(now: number): void {
    while (
      this.active < this.wanted && this.active - this.slow < this.mostCreated && this.total < this.maxSize
    ) {
      if (!this.circuit.allows(now, this.active)) {
        // Else it is another attempt that is waited for.
        if (now < this.circuit.nextAt) this.host.growAt(this.circuit.nextAt)
        return
      }
      this.create(now)
    }
  }

  /** How many are created at once, those that take unusually long not counted. While creating fails it is tried with few. */
  private get mostCreated(): number {
    const { createConcurrency } = this.limits
    return this.circuit.failures === 0 ? createConcurrency : Math.min(fewCreated, createConcurrency)
  }

  /** For who does not wait, and may ask again: creates one where none is on its way. */
  prepare(now: number): void {
    const isWanted = this.phase === "open" && !this.isSuspended && this.creating === this.stuck
    if (!isWanted || this.total >= this.maxSize || !this.circuit.allows(now, 0)) return
    this.create(now)
  }

  /**
   * How many are to be created: one for each that waits and has no validation to wait for, and as many as `minSize`
   * lacks, of which they may be some.
   */
  private get wanted(): number {
    const validated = this.hasFoundUnfit || this.overdue > 0 ? 0 : this.checking
    if (this.phase === "draining") return 0
    const waiting = this.serves ? Math.max(0, this.waiting.size - validated) : 0
    return this.phase === "open" ? Math.max(waiting, this.minSize - this.idle.length - this.inUse) : waiting
  }

  /** An item was created. It comes too late where its time limit had passed. */
  created(item: I, now: number, isLate: boolean): void {
    const why = isLate ? "late" : this.reasonToRetire(item, now)
    this.creating--
    this.hasFoundUnfit = false
    item.doubts |= Doubt.fresh
    if (isLate) this.stuck--
    // Validated at once, it is created when it is found fit.
    else if (this.waiting.size === 0 || !this.serves || !this.host.isDoubtful(item, now)) this.circuit.succeeded(now)
    if (why === undefined) this.hand(item, now, false)
    else this.retire(item, why)
    this.settle(now)
    this.makeRoom()
  }

  /** Creating one takes unusually long; `slowEnded` comes before its end. */
  createSlow(now: number): void {
    this.slow++
    this.settle(now)
  }

  slowEnded(): void {
    this.slow--
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
    if (this.isFailingFast && this.creating === this.stuck && !this.circuit.allows(now, 0)) this.refuseAll("creation")
    // Whose item was unfit, while the pool drains, gets no other.
    if (this.phase === "draining" && this.waiting.size > 0) this.refuseAll("closed", isUnchecked)
    this.serveIdle(now)
    this.grow(now)
    this.host.notifyWaiters()
  }

  private serveIdle(now: number): void {
    while (this.serves && this.waiting.size > this.checking - this.overdue) {
      const item = this.lastIdle(now)
      if (item === undefined) return
      this.idle.pop()
      item.status = "inUse"
      this.inUse++
      if (this.host.isDoubtful(item, now)) this.check(item)
      else this.waiting.take(now)!.serve(item, now)
    }
  }

  private refuseAll(why: "closed" | "creation", who: (waiter: W) => boolean = anybody): number {
    let refused = 0
    for (let next = this.waiting.find(who); next !== undefined; next = this.waiting.find(who)) {
      this.waiting.leave(next)
      next.refuse(why)
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
    // For whom an item is being validated gets that.
    const who = this.phase === "draining" ? isUnchecked : anybody
    const refused = this.phase === "serving" ? 0 : this.refuseAll("closed", who)
    this.serveIdle(now)
    if (this.wanted <= 0) this.host.growAt(Infinity)
    this.evictIdle(now, "drained")
    return refused
  }

  // --- idle items ----------------------------------------------------------------------------------------------------

  private dueAt(item: I, now: number): number {
    const { idleTimeout, keepAliveInterval } = this.limits
    const kept = item.usedAt + keepAliveInterval
    // One that waits for others to be kept alive has its turn when one of these has ended.
    const isLater = kept <= now && this.keeping >= this.mostKept
    const due = isLater ? item.expiresAt : Math.min(item.expiresAt, kept)
    return this.hadSurplus ? Math.min(due, item.idleSince + idleTimeout) : due
  }

  /** With another idle item the instant for maintenance can only come nearer. */
  private planMaintenance(item: I, now: number): void {
    if (!this.planSurplus(now)) this.maintainBy(this.dueAt(item, now))
  }

  /** Whether there are more than `minSize` now, or are no longer: then something else is due for each that is idle. */
  private planSurplus(now: number): boolean {
    const hasSurplus = this.lasting > this.minSize
    if (hasSurplus === this.hadSurplus) return false
    this.hadSurplus = hasSurplus
    for (const item of this.idle) this.maintainBy(this.dueAt(item, now))
    return true
  }

  private create(now: number): void {
    this.creating++
    if (this.idle.length > 0) this.planSurplus(now)
    this.host.create()
  }

  private maintainBy(at: number): void {
    if (at >= this.maintenance) return
    this.maintenance = at
    this.host.maintainAt(at)
  }

  /** How many are kept alive at once, so that there are others to lend. */
  private get mostKept(): number {
    return Math.max(1, Math.floor(this.lasting / 4))
  }

  /** Keeping an idle item alive has ended. */
  keepAliveEnded(item: I, now: number, isAlive: boolean): void {
    if (isAlive) this.keptAlive(item, now)
    else this.giveBack(item, now, "keepAliveFailed")
  }

  /** An idle item was checked: it serves the next, or is idle for as long as before. */
  private keptAlive(item: I, now: number): void {
    const { idleSince } = item
    this.takeBack(item, now, undefined, (item.doubts & Doubt.checking) !== 0)
    if (item.status !== "idle") return
    // To the place that it had.
    this.idle.splice(this.idle.indexOf(item), 1)
    const younger = this.idle.findIndex((other) => other.idleSince > idleSince)
    this.idle.splice(younger === -1 ? this.idle.length : younger, 0, item)
    item.idleSince = idleSince
    this.planMaintenance(item, now)
  }

  /** Lets go of idle items that are too old or not needed, and checks on the others. */
  maintain(now: number): void {
    this.maintenance = Infinity
    this.areDue = false
    for (const item of this.idle.slice()) {
      // What was begun for one may have served another.
      if (item.status !== "idle") continue
      const isSurplus = this.lasting > this.minSize && now >= item.idleSince + this.limits.idleTimeout
      if (now >= item.expiresAt) this.removeIdle(item, "expired")
      else if (isSurplus) this.removeIdle(item, "idle")
      else if (now < item.usedAt + this.limits.keepAliveInterval) continue
      else if (this.keeping >= this.mostKept) this.areDue = true
      else {
        this.idle.splice(this.idle.indexOf(item), 1)
        item.status = "inUse"
        item.doubts |= Doubt.keeping
        this.inUse++
        this.keeping++
        this.host.keepAlive(item)
      }
    }
    this.hadSurplus = this.lasting > this.minSize
    for (const item of this.idle) this.maintainBy(this.dueAt(item, now))
    if (this.idle.length === 0) this.host.maintainAt(Infinity)
    this.settle(now)
  }

  private removeIdle(item: I, reason: RemovalReason): void {
    this.idle.splice(this.idle.indexOf(item), 1)
    this.retire(item, reason)
  }
}
