/**
 * How much of a cache is taken, and by what. Each value is counted by where it stands; a change of that takes it out
 * before and puts it in again after, so that no sum is ever kept by hand. Pure data.
 */
import type { EntryStatus } from "./Vocabulary.js"

/** What of a value counts. */
export interface Occupant {
  readonly status: EntryStatus
  readonly weight: number
  /** How many use it, its removal listener included. */
  readonly users: number
  /** Its removal listener is one of them. */
  readonly isHeard: boolean
  /** Another value has its place already, and it takes none until it goes. */
  readonly isExempt: boolean
}

/** Hears of each change, once all of it is counted. */
export interface Gauges {
  updateGauges(): void
}

export class Occupancy {
  /** Values that the next caller gets. */
  cached = 0
  /** Values that are being released. */
  releasing = 0
  /** Values in use, though they may be released by now. */
  inUse = 0
  /** Of all values that are not released yet. */
  weight = 0
  /** Loads that count as entries. */
  coming = 0
  /** Values that are not released yet; what they weigh, but for those that are heavier than all may be together. */
  private present = 0
  private presentWeight = 0
  /** Of those, what will not go by itself: it is cached, or in use by more than its listener. */
  private staying = 0
  private stayingWeight = 0
  /** Of those, what is not cached but has another in its place: a moment's excess that nothing else is evicted for. */
  private replaced = 0
  private replacedWeight = 0
  /** Of those that stay, what is in use: it cannot be evicted. */
  private busy = 0
  private busyWeight = 0

  constructor(
    private readonly maxEntries: number,
    private readonly maxWeight: number,
    private readonly gauges: Gauges
  ) {}

  putIn(value: Occupant): void {
    this.count(value, 1)
    this.gauges.updateGauges()
  }

  takeOut(value: Occupant): void {
    this.count(value, -1)
  }

  private count(value: Occupant, by: 1 | -1): void {
    const { status, users, weight } = value
    if (users > 0) this.inUse += by
    // Nothing else is evicted for what would not fit all the same.
    const counted = weight > this.maxWeight ? 0 : by * weight
    const hasUsers = users > (value.isHeard ? 1 : 0)
    switch (status) {
      case "cached":
        this.cached += by
        this.countPresent(weight, counted, by)
        return this.countStaying(counted, by, hasUsers)
      case "retired":
        this.countPresent(weight, counted, by)
        if (!hasUsers) return
        if (value.isExempt) {
          this.replaced += by
          this.replacedWeight += counted
        }
        return this.countStaying(counted, by, hasUsers)
      case "releasing":
        this.releasing += by
        return this.countPresent(weight, counted, by)
      case "gone":
        return this.settle()
      default:
        return status satisfies never
    }
  }

  private countPresent(weight: number, counted: number, by: 1 | -1): void {
    this.weight += by * weight
    this.present += by
    this.presentWeight += counted
  }

  private countStaying(counted: number, by: 1 | -1, hasUsers: boolean): void {
    this.staying += by
    this.stayingWeight += counted
    if (!hasUsers) return
    this.busy += by
    this.busyWeight += counted
  }

  /** Of nothing, sums are nothing: those of fractions come near it only. */
  private settle(): void {
    if (this.present === 0) this.weight = this.presentWeight = 0
    if (this.staying === 0) this.stayingWeight = 0
    if (this.replaced === 0) this.replacedWeight = 0
    if (this.busy === 0) this.busyWeight = 0
  }

  /** Whether values have to go until the rest fits. */
  get isOver(): boolean {
    return this.staying - this.replaced + this.coming > this.maxEntries ||
      this.stayingWeight - this.replacedWeight > this.maxWeight
  }

  /** Whether one load more may begin. */
  get hasRoom(): boolean {
    return this.present + this.coming < this.maxEntries && this.presentWeight < this.maxWeight
  }

  /** Whether one more than those that wait would find room though no use ended. */
  mayHaveRoom(waiting: number): boolean {
    return this.busy + this.coming + waiting < this.maxEntries && this.busyWeight < this.maxWeight
  }

  /** Whether there will be room for those that wait once what is on its way out is gone. */
  willHaveRoom(waiting: number): boolean {
    return this.maxEntries - this.staying - this.coming >= waiting && this.stayingWeight < this.maxWeight
  }
}
