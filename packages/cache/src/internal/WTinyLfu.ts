/**
 * W-TinyLFU: new entries pass through a small window by recency; who leaves it may stay only if it was asked for more
 * often lately than the one that would have to go. The main part is a segmented LRU: on probation until the next use,
 * then protected. So a scan or a loop passes through the window and leaves the main part alone, and as the window grows
 * with what it earns (`HillClimber`), callers who come back soon are served as by an LRU. Pure data.
 *
 * After "TinyLFU: A Highly Efficient Cache Admission Policy" by Einziger, Friedman and Manes, and its form in Caffeine.
 * Two things differ from there. Which entry must go is a question without consequences: the candidate stays where it is
 * until the next entry comes, so the cache may ask again if the one it was told is in use. And as a cache of resources
 * cannot turn away a candidate that is in use, one that lost waits as the next to go: it shields the main part from the
 * next ones, which otherwise would cost it an entry each.
 */
import type { Bounds, PolicyEntry, PolicyState } from "../CachePolicy.js"
import { EntryList } from "./EntryList.js"
import { FrequencySketch } from "./FrequencySketch.js"
import { HillClimber } from "./HillClimber.js"

const protectedShare = 0.8

/** The climber's samples are half as long as what the sketch remembers; shorter ones than 2,000 would be mostly chance. */
const sampleFactor = 5
const leastSample = 2_000

/** Out of a segment when an entry comes; more than the one that it takes, so that no backlog stays. */
const mostMoves = 16

/** A candidate this popular has a small chance against any incumbent, lest forged frequencies keep everybody out. */
const warm = 6
const luck = 1 / 128

/** What an entry that is pinned comes back as. */
const rejected = 1
const onProbation = 2
const isProtected = 3

/** A list with limits, to be kept by its owner. */
class Segment extends EntryList {
  weight = 0
  maxEntries = Infinity
  maxWeight = Infinity

  get isOver(): boolean {
    return this.size > this.maxEntries || this.weight > this.maxWeight
  }

  get isFull(): boolean {
    return this.size >= this.maxEntries || this.weight >= this.maxWeight
  }

  protected override entered(entry: PolicyEntry): void {
    super.entered(entry)
    this.weight += entry.weight
  }

  protected override left(entry: PolicyEntry): void {
    super.left(entry)
    // Weights may be fractions, whose sums drift.
    this.weight = this.size === 0 ? 0 : this.weight - entry.weight
  }
}

/** Only this policy puts its entries in lists. */
const segmentOf = (entry: PolicyEntry) => entry.list as Segment | undefined

/** Marsaglia's xorshift: as even as this needs, and the same in each run. */
const makeRandom = (): () => number => {
  let state = 0x2545f491
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

export class WTinyLfu implements PolicyState {
  readonly window = new Segment()
  readonly probation = new Segment(this.window)
  readonly protected = new Segment(this.window)
  readonly sketch = new FrequencySketch()
  readonly climber: HillClimber
  private entries = 0
  private weight = 0
  private hits = 0
  private misses = 0
  /** Somebody had to go. */
  private isFilled = false

  constructor(private readonly bounds: Bounds, private readonly random: () => number = makeRandom()) {
    this.climber = new HillClimber(1 / bounds.maxEntries)
    this.divide()
  }

  added(entry: PolicyEntry): void {
    this.entries++
    this.weight += entry.weight
    this.sketch.ensureCapacity(this.entries)
    this.sketch.increment(entry.hash)
    this.misses++
    const lookups = this.hits + this.misses
    if (lookups >= Math.max(leastSample, sampleFactor * this.sketch.capacity)) this.resize(this.hits / lookups)
    this.settle()
    this.toWindow(entry)
  }

  used(entry: PolicyEntry): void {
    this.sketch.increment(entry.hash)
    this.hits++
    const { list } = entry
    if (list === this.probation && entry.weight <= this.protected.maxWeight) this.protected.append(entry)
    else if (list !== undefined) this.usedIn(list, entry)
    else if (entry.mark === onProbation) entry.mark = isProtected
  }

  victim(): PolicyEntry | undefined {
    this.isFilled = true
    // Nothing is over: the room is for an entry that is still to come, and will find the window as it should be.
    if (this.entries <= this.bounds.maxEntries && this.weight <= this.bounds.maxWeight) this.settle()
    const candidate = this.window.first
    const incumbent = this.probation.first ?? this.protected.first
    if (candidate === undefined || incumbent === undefined) return candidate ?? incumbent
    if (this.neverFits(candidate)) return candidate
    // An unfilled window may have the room: it was made larger, or what was in it is gone.
    if (!this.window.isFull || this.neverFits(incumbent)) return incumbent
    return this.admits(candidate, incumbent) ? incumbent : candidate
  }

  pinned(entry: PolicyEntry): void {
    const { list } = entry
    if (list === undefined) return
    entry.mark = list === this.window ? rejected : list === this.probation ? onProbation : isProtected
    list.remove(entry)
  }

  unpinned(entry: PolicyEntry): void {
    const { mark } = entry
    entry.mark = 0
    if (this.hasNoWeight(entry)) return
    if (mark === rejected) this.probation.prepend(entry)
    else if (mark === isProtected && entry.weight <= this.protected.maxWeight) this.protected.append(entry)
    else this.toProbation(entry)
  }

  removed(entry: PolicyEntry): void {
    entry.list?.remove(entry)
    entry.mark = 0
    this.entries--
    this.weight = this.entries === 0 ? 0 : this.weight - entry.weight
  }

  replaced(old: PolicyEntry, entry: PolicyEntry): void {
    this.weight += entry.weight - old.weight
    const segment = segmentOf(old)
    if (segment !== undefined && this.isOrdinary(old) && this.isOrdinary(entry)) {
      segment.replace(old, entry)
      // Who is too heavy for a segment leaves it, lest all others have to.
      if (segment === this.protected && entry.weight > segment.maxWeight) this.probation.append(entry)
      if (segment === this.window && entry.weight > segment.maxWeight) segment.prepend(entry)
      return
    }
    if (old.mark === 0) this.toWindow(entry)
    else {
      entry.mark = old.mark
      this.unpinned(entry)
    }
    segment?.remove(old)
    old.mark = 0
  }

  /** A sample is over: the window changes in the direction that is good for the hit rate. */
  resize(rate: number): void {
    // Until somebody had to go, the hit rate says nothing about the window.
    if (this.isFilled) this.climber.climb(rate)
    this.hits = 0
    this.misses = 0
    this.divide()
  }

  /**
   * Makes room in the segments, for whoever was to leave one when the last entry came, and did not have to go. Not on a
   * hit, which so touches no entry but its own; and a few at a time, so that no caller pays for a great change.
   */
  private settle(): void {
    for (let left = mostMoves; left > 0 && this.protected.isOver; left--) this.toProbation(this.protected.first!)
    for (let left = mostMoves; left > 0 && this.window.isOver; left--) this.toProbation(this.window.first!)
  }

  private usedIn(list: EntryList, entry: PolicyEntry): void {
    // What can never fit keeps its place at the front.
    if (!this.neverFits(entry)) list.moveToEnd(entry)
  }

  /** Whether the candidate is worth more than the incumbent that would have to go for it. */
  private admits(candidate: PolicyEntry, incumbent: PolicyEntry): boolean {
    const frequency = this.sketch.frequency(candidate.hash)
    if (frequency > this.sketch.frequency(incumbent.hash)) return true
    return frequency >= warm && this.random() < luck
  }

  private neverFits(entry: PolicyEntry): boolean {
    return entry.weight > this.bounds.maxWeight
  }

  /** Where only weight counts, nothing is won by evicting what has none: it is in no segment. */
  private hasNoWeight(entry: PolicyEntry): boolean {
    return entry.weight === 0 && this.bounds.maxEntries === Infinity
  }

  private isOrdinary(entry: PolicyEntry): boolean {
    return !this.neverFits(entry) && !this.hasNoWeight(entry)
  }

  private toWindow(entry: PolicyEntry): void {
    if (this.hasNoWeight(entry)) return
    // Too heavy for the window, it is the next candidate, and pushes nobody else out.
    if (entry.weight > this.window.maxWeight) this.window.prepend(entry)
    else this.window.append(entry)
  }

  private toProbation(entry: PolicyEntry): void {
    if (this.neverFits(entry)) this.probation.prepend(entry)
    else this.probation.append(entry)
  }

  /** Gives the window its share; the entries follow by and by. */
  private divide(): void {
    const { maxEntries, maxWeight } = this.bounds
    const { share } = this.climber
    if (maxEntries < Infinity) {
      this.window.maxEntries = Math.max(1, Math.round(maxEntries * share))
      this.protected.maxEntries = Math.floor((maxEntries - this.window.maxEntries) * protectedShare)
    }
    if (maxWeight < Infinity) {
      this.window.maxWeight = maxWeight * share
      this.protected.maxWeight = (maxWeight - this.window.maxWeight) * protectedShare
    }
  }
}
