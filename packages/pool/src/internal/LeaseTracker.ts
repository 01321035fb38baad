/**
 * The leases of a pool in the order of borrowing, where old ones are reported or reclaimed: so the next that grows too
 * old is the oldest, and one timer for all of them is enough.
 */
import { makeDeadline, type Timers } from "@patinox/core/kernel"
import type { LeaseHandle } from "./Lease.js"

interface Watch {
  /** In milliseconds; infinite where nothing is due. */
  readonly leakThreshold: number
  readonly leaseTimeout: number
  readonly onSuspected: (lease: LeaseHandle<any>) => void
  readonly onExpired: (lease: LeaseHandle<any>) => void
}

export class LeaseTracker {
  private oldest: LeaseHandle<any> | undefined = undefined
  private newest: LeaseHandle<any> | undefined = undefined
  /** The age at which a lease has to be looked at for the first time. */
  private readonly first: number
  private armedFor = Infinity
  private readonly deadline = makeDeadline(() => this.look())

  constructor(private readonly timers: Timers, private readonly watch: Watch) {
    this.first = Math.min(watch.leakThreshold, watch.leaseTimeout)
  }

  add(lease: LeaseHandle<any>): void {
    lease.older = this.newest
    if (this.newest === undefined) this.oldest = lease
    else this.newest.newer = lease
    this.newest = lease
    this.lookBy(lease.since + this.first)
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

  /** Looks no more, whatever leases are left. */
  stop(): void {
    this.armedFor = -Infinity
    this.timers.clear(this.deadline)
  }

  private lookBy(at: number): void {
    if (at >= this.armedFor) return
    this.armedFor = at
    this.timers.set(this.deadline, at)
  }

  private look(): void {
    const { leakThreshold, leaseTimeout, onExpired, onSuspected } = this.watch
    // A timer may fire a fraction of a millisecond before its time.
    const now = this.timers.now() + 0.5
    this.armedFor = Infinity
    for (const lease of this.all()) {
      const suspectedAt = lease.since + leakThreshold
      const expiredAt = lease.since + leaseTimeout
      if (!lease.isSuspected && suspectedAt <= now) {
        lease.isSuspected = true
        onSuspected(lease)
      }
      if (!lease.isExpired && expiredAt <= now) {
        lease.isExpired = true
        onExpired(lease)
      }
      if (lease.isOver) continue
      if (!lease.isSuspected) this.lookBy(suspectedAt)
      if (!lease.isExpired) this.lookBy(expiredAt)
      // Those that are younger come after it.
      if (!lease.isSuspected && !lease.isExpired) break
    }
  }
}
