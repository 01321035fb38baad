/**
 * What a pool knows and decides: how many items there are of each kind, which borrower gets an item next, when to create
 * one and when to remove one. Plain data and synchronous decisions: instants and randomness are given, and the host
 * carries out what is decided. Between any two calls the counts are right.
 */
import type { CircuitBreaker } from "./CircuitBreaker.js"
import { Creations } from "./Creations.js"
import { IdleItems } from "./IdleItems.js"
import { drainPhases, type PhaseRules, rulesOf } from "./Phase.js"
import { Doubt, type PoolItem } from "./PoolItem.js"
import type { PoolLimits, PoolPorts, PoolWaiter } from "./PoolPorts.js"
import type { DrainWaiters, Phase, Refusal, RemovalReason } from "./Vocabulary.js"
import { WaitQueue } from "./WaitQueue.js"

const anybody = (): boolean => true
const isUnchecked = (waiter: { readonly hasCheck: boolean }): boolean => !waiter.hasCheck

/** For how long after its creation the death of an unused item counts as a failed creation. */
const earlyDeath = 1_000

export class PoolState<I extends PoolItem, W extends PoolWaiter<I>> {
  readonly waiting = new WaitQueue<W>()
  /** Those being validated, kept alive and made fit for reuse are in use, too. */
  inUse = 0
  destroying = 0
  /** Of those in use: being validated for borrowers that wait; and those of them whose answer is overdue. */
  checking = 0
  overdue = 0
  readonly creations: Creations
  readonly circuit: CircuitBreaker
  readonly idleItems: IdleItems<I>
  /** Those of `idleItems`. */
  readonly idle: Array<I>
  phase: Phase = "open"
  isSuspended = false
  private rules: PhaseRules = rulesOf.open
  /** The last item that was validated was unfit: another is created beside the next validation. */
  private hasFoundUnfit = false

  constructor(
    private readonly host: PoolPorts<I, W>,
    readonly limits: PoolLimits,
    public minSize: number,
    public maxSize: number
  ) {
    this.creations = new Creations(limits)
    this.circuit = this.creations.circuit
    this.idleItems = new IdleItems(limits, this, host)
    this.idle = this.idleItems.list
  }

  /** How a snapshot names the phase. */
  get shown(): PhaseRules["shown"] | "suspended" {
    return this.isSuspended ? "suspended" : this.rules.shown
  }

  get total(): number {
    return this.idle.length + this.inUse + this.creations.running + this.destroying
  }

  /** Items that exist or are being created, and are not being destroyed. */
  get lasting(): number {
    return this.idle.length + this.inUse + this.creations.active
  }

  /** Whether it gives items to those in line. */
  private get serves(): boolean {
    return this.rules.line !== "none" && !this.isSuspended
  }

  // --- borrowing -----------------------------------------------------------------------------------------------------

  /**
   * An idle item, in use from now on: the one used last, so that those not needed grow old. None where borrowers are in
   * line, as they are not overtaken, or where it would have to be validated first, unless `isEvenDoubtful`.
   */
  take(now: number, isEvenDoubtful = false): I | undefined {
    if (!this.rules.isOpen || this.isSuspended || this.waiting.size > 0) return undefined
    const item = this.lastIdle(now)
    if (item === undefined || (!isEvenDoubtful && this.host.isDoubtful(item, now))) return undefined
    this.idle.pop()
    item.status = "inUse"
    this.inUse++
    this.host.changed()
    return item
  }

  /** The idle item that was used last. Those that have expired go. */
  private lastIdle(now: number): I | undefined {
    for (;;) {
      const item = this.idle[this.idle.length - 1]
      if (item === undefined || now < item.expiresAt) return item
      this.idle.pop()
      this.retire(item, "expired")
      this.host.changed()
    }
  }

  /** Whether an item can be lent to the borrower that it is in use for: not once it is bad or released, or the pool closed. */
  isLendable(item: I): boolean {
    const isCondemned = (item.doubts & Doubt.condemned) !== 0
    return item.status === "inUse" && !item.isReleased && !isCondemned && this.rules.line !== "none"
  }

  /** Whether a borrower may wait, and if not, why; creates for it where there is room. It may be back from waiting. */
  join(waiter: W, now: number, isBack = false): "joined" | Refusal {
    if (!this.rules.isOpen && !(isBack && this.rules.line === "all")) return "closed"
    if (!isBack && this.waiting.size >= this.limits.maxWaiters + this.coming) return "exhausted"
    // While the circuit is open one attempt finds out whether it can close, when the pause is over; borrowers wait for it.
    if (this.isFailingFast && this.creations.active === 0 && !this.creations.allows(now)) return "creation"
    this.waiting.join(waiter)
    this.serveIdle(now)
    this.grow(now)
    this.host.changed()
    return "joined"
  }

  /** Items that those who wait need no other borrower for: they are being created or validated, or there is room. */
  private get coming(): number {
    return this.creations.active + this.checking + this.idle.length + Math.max(0, this.maxSize - this.lasting)
  }

  leave(waiter: W): void {
    this.waiting.leave(waiter)
    if (this.wanted <= 0) this.host.growAt(Infinity)
    this.host.changed()
  }

  /** No item will come back, and none can be created for now. */
  get isFailingFast(): boolean {
    return this.circuit.isOpen && this.inUse === 0 && this.idle.length === 0
  }

  // --- returning -----------------------------------------------------------------------------------------------------

  /** An item in use is in use no longer; unless there is a reason to remove it, it serves the next. */
  giveBack(item: I, now: number, reason?: RemovalReason): void {
    this.takeBack(item, now, reason, false)
  }

  /** An item that is proven need not be validated for the next. */
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
    if (wasKept) this.idleItems.keepAliveEnded(now)
  }

  /** Why an item in use will be removed at its return, as far as is known now. */
  reasonToRetire(item: I, now: number): RemovalReason | undefined {
    if ((item.doubts & Doubt.condemned) !== 0) return "invalidated"
    if (now >= item.expiresAt) return "expired"
    if (item.uses >= this.limits.maxUses) return "maxUses"
    if (this.lasting > this.maxSize) return "resized"
    return !this.rules.isOpen && this.waiting.size === 0 ? "drained" : undefined
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
    this.idleItems.add(item, now)
  }

  /** The item is bad: an idle one is removed at once, one in use at its return. */
  condemn(item: I, now: number, random: number): void {
    if (item.status === "inUse") item.doubts |= Doubt.condemned
    if (item.status !== "idle") return
    // Items that die as soon as they are created, time and again, cannot be created.
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
   * Where validations do not answer, and borrowers wait, an item that was not validated gives its place to a new one;
   * or, one at a time, a suspect whose validation has not answered for long.
   */
  makeRoom(): void {
    const { creations: { active }, destroying, idle, overdue, total, waiting } = this
    if (overdue === 0 || !this.serves || total < this.maxSize || waiting.size <= active + destroying) return
    if (idle.length > 0) {
      this.removeIdle(idle[0]!, "doubtful")
      this.host.changed()
    } else if (active + destroying === 0) this.host.cutOffCheck()
  }

  private retire(item: I, reason: RemovalReason): void {
    item.status = "destroying"
    this.destroying++
    this.host.destroy(item, reason)
  }

  /** The item's release has begun, and not because the pool asked for it. */
  released(item: I): void {
    item.isReleased = true
    if (item.status !== "idle") return
    this.idleItems.remove(item)
    item.status = "destroying"
    this.destroying++
    this.host.changed()
  }

  /** The item's release is over, whatever its outcome. */
  ended(item: I, now: number): void {
    switch (item.status) {
      case "destroying":
        this.destroying--
        item.status = "gone"
        break
      case "inUse":
        // Its holder returns it to nowhere.
        this.inUse--
        this.endOperation(item, now)
        item.status = "gone"
        break
      case "idle":
      case "gone":
        break
      default:
        item.status satisfies never
    }
    this.settle(now)
  }

  // --- creating ------------------------------------------------------------------------------------------------------

  /** Creates what is wanted and fits, as far as the circuit allows. */
  grow(now: number): void {
    const { circuit, creations } = this
    while (creations.active < this.wanted && !creations.isFull && this.total < this.maxSize) {
      if (!creations.allows(now)) {
        // Else another attempt is waited for.
        if (now < circuit.nextAt) this.host.growAt(circuit.nextAt)
        return
      }
      this.create(now)
    }
  }

  private create(now: number): void {
    this.creations.start()
    if (this.idle.length > 0) this.idleItems.planSurplus(now)
    this.host.create()
  }

  /** For a borrower that does not wait, and may come again: creates an item where none is being created. */
  prepare(now: number): void {
    const isWanted = this.rules.isOpen && !this.isSuspended && this.creations.active === 0
    if (isWanted && this.total < this.maxSize && this.creations.allows(now)) this.create(now)
  }

  /**
   * How many items it wants to create: one for each that waits and has no validation to wait for, and as many as `minSize`
   * lacks, of which they may be some.
   */
  private get wanted(): number {
    if (this.rules.line !== "all") return 0
    const validated = this.hasFoundUnfit || this.overdue > 0 ? 0 : this.checking
    const waiting = this.isSuspended ? 0 : Math.max(0, this.waiting.size - validated)
    return this.rules.isOpen ? Math.max(waiting, this.minSize - this.idle.length - this.inUse) : waiting
  }

  /** An item was created. It is late where its time limit had passed. */
  created(item: I, now: number, isLate: boolean): void {
    const why = isLate ? "late" : this.reasonToRetire(item, now)
    this.creations.succeeded(isLate)
    this.hasFoundUnfit = false
    item.doubts |= Doubt.fresh
    // An item that is validated at once counts as created when it is found fit.
    const isValidated = this.waiting.size > 0 && this.serves && this.host.isDoubtful(item, now)
    if (!isLate && !isValidated) this.circuit.succeeded(now)
    if (why === undefined) this.hand(item, now, false)
    else this.retire(item, why)
    this.settle(now)
    this.makeRoom()
  }

  /** A creation takes unusually long. */
  createSlow(now: number): void {
    this.creations.becameSlow()
    this.settle(now)
  }

  createFailed(now: number, random: number): void {
    this.creations.failed(now, random)
    this.settle(now)
  }

  /** A creation has failed or takes too long; it counts until nothing of it is left. */
  createStuck(now: number, random: number): void {
    this.creations.becameStuck(now, random)
    this.settle(now)
  }

  /** A stuck creation has ended and left nothing behind; it counts no longer. */
  stuckEnded(now: number): void {
    this.creations.stuckEnded()
    this.settle(now)
  }

  // --- what follows from a change ------------------------------------------------------------------------------------

  private settle(now: number): void {
    if (this.isFailingFast && this.creations.active === 0 && !this.creations.allows(now)) this.refuseAll("creation")
    // A borrower whose item was unfit, while the pool drains, gets no other.
    if (this.waiting.size > 0) this.refuseRest()
    this.serveIdle(now)
    this.grow(now)
    this.host.changed()
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

  /** Refuses those in line that are not served in this phase; gives how many. */
  private refuseRest(): number {
    const { line } = this.rules
    switch (line) {
      case "all":
        return 0
      case "validated":
        return this.refuseAll("closed", isUnchecked)
      case "none":
        return this.refuseAll("closed")
      default:
        return line satisfies never
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
    this.isSuspended = this.rules.isOpen
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

  /** Removes every idle item; gives how many. */
  evictIdle(now: number, reason: RemovalReason): number {
    const evicted = this.idleItems.clear()
    for (const item of evicted) this.retire(item, reason)
    this.settle(now)
    return evicted.length
  }

  /** Lets no borrower in from now on; those that wait are served or refused. Gives how many were refused. */
  drain(now: number, waiters: DrainWaiters): number {
    return this.stopLending(now, drainPhases[waiters])
  }

  /** Serves no borrower from now on. Gives how many were refused. */
  close(now: number): number {
    return this.stopLending(now, "closed")
  }

  private stopLending(now: number, phase: Phase): number {
    this.phase = phase
    this.rules = rulesOf[phase]
    this.isSuspended = false
    const refused = this.refuseRest()
    this.serveIdle(now)
    if (this.wanted <= 0) this.host.growAt(Infinity)
    this.evictIdle(now, "drained")
    return refused
  }

  // --- idle items ----------------------------------------------------------------------------------------------------

  /** Keeping an idle item alive has ended. */
  keepAliveEnded(item: I, now: number, isAlive: boolean): void {
    if (isAlive) this.keptAlive(item, now)
    else this.giveBack(item, now, "keepAliveFailed")
  }

  /** An idle item was checked: it serves the next, or is idle for as long as before. */
  private keptAlive(item: I, now: number): void {
    const { idleSince } = item
    this.takeBack(item, now, undefined, (item.doubts & Doubt.checking) !== 0)
    if (item.status === "idle") this.idleItems.restore(item, idleSince, now)
  }

  /** Removes idle items that are too old or not needed, and has the others kept alive. */
  maintain(now: number): void {
    const { idleItems } = this
    idleItems.begin()
    for (const item of this.idle.slice()) {
      // What was started for one may have served another.
      if (item.status !== "idle") continue
      const due = idleItems.due(item, now)
      switch (due) {
        case undefined:
          break
        case "expired":
        case "idle":
          this.removeIdle(item, due)
          break
        case "keepAlive":
          this.keepAlive(item)
          break
        default:
          due satisfies never
      }
    }
    idleItems.planAll(now)
    this.settle(now)
  }

  private keepAlive(item: I): void {
    this.idleItems.remove(item)
    item.status = "inUse"
    item.doubts |= Doubt.keeping
    this.inUse++
    this.idleItems.keeping++
    this.host.keepAlive(item)
  }

  private removeIdle(item: I, reason: RemovalReason): void {
    this.idleItems.remove(item)
    this.retire(item, reason)
  }
}
