/** Least recently used: one row, the oldest use first. Pure data. */
import { EntryList, type PolicyEntry } from "./EntryList.js"
import type { Bounds, PolicyState } from "./PolicyState.js"

export class Lru implements PolicyState {
  private readonly row = new EntryList()

  constructor(private readonly bounds: Bounds) {}

  added(entry: PolicyEntry): void {
    this.place(entry)
  }

  used(entry: PolicyEntry): void {
    // What can never fit keeps its place at the front.
    if (entry.weight <= this.bounds.maxWeight) this.row.moveToEnd(entry)
  }

  victim(): PolicyEntry | undefined {
    return this.row.first
  }

  pinned(entry: PolicyEntry): void {
    this.row.remove(entry)
  }

  /** It was in use until now, so it comes back as the one used last. */
  unpinned(entry: PolicyEntry): void {
    this.place(entry)
  }

  removed(entry: PolicyEntry): void {
    this.row.remove(entry)
  }

  replaced(old: PolicyEntry, entry: PolicyEntry): void {
    if (old.list !== undefined && this.isOrdinary(old) && this.isOrdinary(entry)) return this.row.replace(old, entry)
    this.row.remove(old)
    this.place(entry)
  }

  private place(entry: PolicyEntry): void {
    if (this.isOrdinary(entry)) this.row.append(entry)
    else if (entry.weight > 0) this.row.prepend(entry)
  }

  /** What can never fit goes first. And where only weight counts, nothing is won by evicting what has none. */
  private isOrdinary({ weight }: PolicyEntry): boolean {
    return weight <= this.bounds.maxWeight && (weight > 0 || this.bounds.maxEntries < Infinity)
  }
}
