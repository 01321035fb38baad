/**
 * The leases of a pool in the order of borrowing, where somebody wants to know of old ones: so the next that grows too
 * old is the oldest, and one timer for all of them is enough.
 */
import { makeDeadline, type Timers } from "@patinox/core/Foundation"
import type { LeaseHandle } from "./Lease.js"

interface Watch {
  /** In milliseconds; infinite where nobody wants to know. */
  readonly leakThreshold: number
  readonly leaseTimeout: number
  readonly onSuspected: (lease: LeaseHandle<any>) => void
  readonly onExpired: (lease: LeaseHandle<any>) => void
}

export class Leases {
  private oldest: LeaseHandle<any> | undefined = undefined
  private newest: LeaseHandle<any> | undefined = undefined
  private readonly first: number
  private isArmed = false
  private readonly deadline = makeDeadline(() => this.look())

  constructor(private readonly timers: Timers, private readonly watch: Watch) {
    this.first = Math.min(watch.leakThreshold, watch.leaseTimeout)
  }

  add(lease: LeaseHandle<any>): void {
    lease.older = this.newest
    if (this.newest === undefined) this.oldest = lease
    else this.newest.newer = lease
    this.newest = lease
    if (this.isArmed || this.first === Infinity) return
    this.isArmed = true
    this.timers.set(this.deadline, lease.since + this.first)
  }

  remove(lease: LeaseHandle<any>): void {
    if (lease.older === undefined) this.oldest = lease.newer
    else lease.older.newer = lease.newer
    if (lease.newer === undefined) this.newest = lease.older
    else lease.newer.older = lease.older
    lease.older = lease.newer = undefined
  }

  /** The oldest first. */
  all(): ReadonlyArray<LeaseHandle<any>> {
    const all: Array<LeaseHandle<any>> = []
    for (let lease = this.oldest; lease !== undefined; lease = lease.newer) all.push(lease)
    return all
  }

  /** Looks no more; those that are left are nobody's concern. */
  stop(): void {
    this.timers.clear(this.deadline)
  }

  /** The instant at which a lease has to be looked at again. */
  private due(lease: LeaseHandle<any>): number {
    const { leakThreshold, leaseTimeout } = this.watch
    return lease.since +
      Math.min(lease.isSuspected ? Infinity : leakThreshold, lease.isExpired ? Infinity : leaseTimeout)
  }

  private look(): void {
    const now = this.timers.now()
    let next = Infinity
    for (const lease of this.all()) {
      // A timer may fire a fraction of a millisecond before its time.
      if (lease.since + this.first > now + 0.5) {
        next = Math.min(next, lease.since + this.first)
        break
      }
      const { leakThreshold, leaseTimeout, onExpired, onSuspected } = this.watch
      const held = now + 0.5 - lease.since
      if (!lease.isSuspected && held >= leakThreshold) {
        lease.isSuspected = true
        onSuspected(lease)
      }
      if (!lease.isExpired && held >= leaseTimeout) {
        lease.isExpired = true
        onExpired(lease)
      }
      next = Math.min(next, this.due(lease))
    }
    this.isArmed = next !== Infinity
    if (this.isArmed) this.timers.set(this.deadline, next)
  }
}
