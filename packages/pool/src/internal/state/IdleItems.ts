/**
 * The idle items of a pool: in which order they are lent, and when one needs attention because it has become too old, is
 * no longer needed, or is due to be kept alive. The pool's state carries out what is due. Pure data: instants are given.
 */
import { Doubt, type PoolItem } from "./PoolItem.js"
import type { PoolLimits, PoolPorts } from "./PoolPorts.js"
import type { DueWork } from "./Vocabulary.js"

/** How many items the pool has and keeps. */
interface Occupancy {
  /** Items that exist or are being created, and are not being destroyed. */
  readonly lasting: number
  readonly minSize: number
}

export class IdleItems<I extends PoolItem> {
  /** The last is lent first, so that those not needed grow old. */
  readonly list: Array<I> = []
  /** Items that are being kept alive, which count as in use. */
  keeping = 0
  private nextAt = Infinity
  private hadSurplus = false
  /** Some that are due to be kept alive wait for others to be. */
  private hasPostponed = false

  constructor(
    private readonly limits: PoolLimits,
    private readonly pool: Occupancy,
    private readonly host: Pick<PoolPorts<I, never>, "maintainAt">
  ) {}

  // --- the order -----------------------------------------------------------------------------------------------------

  add(item: I, now: number): void {
    item.status = "idle"
    item.idleSince = now
    item.doubts &= ~Doubt.fresh
    // A suspect is lent when there is no other.
    if ((item.doubts & Doubt.suspect) === 0) this.list.push(item)
    else this.list.unshift(item)
    this.plan(item, now)
  }

  remove(item: I): void {
    this.list.splice(this.list.indexOf(item), 1)
  }

  /** Puts an item that was checked to the place that it had, as idle as before. */
  restore(item: I, idleSince: number, now: number): void {
    this.remove(item)
    const younger = this.list.findIndex((other) => other.idleSince > idleSince)
    this.list.splice(younger === -1 ? this.list.length : younger, 0, item)
    item.idleSince = idleSince
    this.plan(item, now)
  }

  /** Takes all out; gives them. */
  clear(): ReadonlyArray<I> {
    this.nextAt = Infinity
    this.host.maintainAt(Infinity)
    return this.list.splice(0)
  }

  // --- what is due ---------------------------------------------------------------------------------------------------

  private get hasSurplus(): boolean {
    return this.pool.lasting > this.pool.minSize
  }

  /** How many are kept alive at once, so that there are others to lend. */
  private get mostKept(): number {
    return Math.max(1, Math.floor(this.pool.lasting / 4))
  }

  private dueAt(item: I, now: number): number {
    const { idleTimeout, keepAliveInterval } = this.limits
    const keepAliveAt = item.usedAt + keepAliveInterval
    // An item that waits for others to be kept alive has its turn when one of these has ended.
    const isPostponed = keepAliveAt <= now && this.keeping >= this.mostKept
    const due = isPostponed ? item.expiresAt : Math.min(item.expiresAt, keepAliveAt)
    return this.hadSurplus ? Math.min(due, item.idleSince + idleTimeout) : due
  }

  private wakeBy(at: number): void {
    if (at >= this.nextAt) return
    this.nextAt = at
    this.host.maintainAt(at)
  }

  /** With another idle item the next instant can only come nearer. */
  private plan(item: I, now: number): void {
    if (!this.planSurplus(now)) this.wakeBy(this.dueAt(item, now))
  }

  /** Plans again for each item where a surplus over `minSize` has come or gone; gives whether it has. */
  planSurplus(now: number): boolean {
    const { hasSurplus } = this
    if (hasSurplus === this.hadSurplus) return false
    this.hadSurplus = hasSurplus
    for (const item of this.list) this.wakeBy(this.dueAt(item, now))
    return true
  }

  /** The planned instant has come: `due` is called for each item, then `planAll`. */
  begin(): void {
    this.nextAt = Infinity
    this.hasPostponed = false
  }

  /** What is due for an idle item now. */
  due(item: I, now: number): DueWork | undefined {
    if (now >= item.expiresAt) return "expired"
    if (this.hasSurplus && now >= item.idleSince + this.limits.idleTimeout) return "idle"
    if (now < item.usedAt + this.limits.keepAliveInterval) return undefined
    if (this.keeping < this.mostKept) return "keepAlive"
    this.hasPostponed = true
    return undefined
  }

  planAll(now: number): void {
    this.hadSurplus = this.hasSurplus
    for (const item of this.list) this.wakeBy(this.dueAt(item, now))
    if (this.list.length === 0) this.host.maintainAt(Infinity)
  }

  keepAliveEnded(now: number): void {
    this.keeping--
    // By halves, as looking for the postponed goes through all that are idle.
    if (this.hasPostponed && this.list.length > 0 && this.keeping <= this.mostKept / 2) this.wakeBy(now)
  }
}
