/**
 * W-TinyLFU: new entries pass through a small window by recency; who leaves it may stay only if it was asked for more
 * often lately than the one that would have to go. The main part is a segmented LRU: on probation until the next use,
 * then protected. So a scan or a loop passes through the window and leaves the main part alone. Small caches without
 * values (`Miniatures`) tell which window would be best for the callers of late (`WindowChoice`); where that is the
 * whole cache, it is an LRU. Pure data.
 *
 * After "TinyLFU: A Highly Efficient Cache Admission Policy" by Einziger, Friedman and Manes, and its form in Caffeine.
 * Three things differ from there. Which entry must go is a question without consequences: the candidate stays where it
 * is until the next entry comes, so the cache may ask again if the named one is in use. As a cache of resources cannot
 * turn away a candidate that is in use, one that lost waits as the next to go: it shields the main part from the next
 * ones, which otherwise would cost it an entry each. And the window is chosen, not climbed to.
 */
import { EntryList, type PolicyEntry } from "./EntryList.js"
import { FrequencySketch } from "./FrequencySketch.js"
import { mixed } from "./KeyHash.js"
import { Miniatures, protectedShare } from "./Miniatures.js"
import type { Bounds, PolicyState } from "./PolicyState.js"
import { WindowChoice, windowShares } from "./WindowChoice.js"

/**
 * A miniature has about so many entries, or fewer where the cache has: up to half as many more, and not less than 3/4.
 */
const miniatureSize = 256

/** Miniatures are made again when there are so many times the entries that they were made for. */
const outgrown = 4

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
  /** Undefined until it is known for how many entries they are. */
  miniatures: Miniatures | undefined = undefined
  private choice = new WindowChoice(1)
  /** The miniatures see the keys whose mixed hash has none of these bits. */
  private unseen = -1
  private entries = 0
  private weight = 0
  private mostEntries = Infinity
  /** The next victim: the miniatures know its key on. */
  private named: PolicyEntry | undefined = undefined
  /** Of the cache, that the window has. */
  share = windowShares[0]

  constructor(private readonly bounds: Bounds, private readonly random: () => number = makeRandom()) {
    if (bounds.maxWeight === Infinity && bounds.maxEntries < Infinity) this.observe(bounds.maxEntries)
    this.divide()
  }

  added(entry: PolicyEntry): void {
    this.entries++
    this.weight += entry.weight
    if (this.entries > this.mostEntries) this.observe(this.entries)
    this.sketch.ensureCapacity(this.entries)
    this.count(entry, false)
    this.settle()
    this.toWindow(entry)
  }

  used(entry: PolicyEntry): void {
    this.count(entry, true)
    const { list } = entry
    if (list === undefined) {
      if (entry.mark === onProbation) entry.mark = isProtected
      return
    }
    // What can never fit keeps its place at the front.
    if (this.neverFits(entry)) return
    if (list === this.window) this.window.moveToEnd(entry)
    else if (this.share === 1) this.window.append(entry)
    else if (list === this.probation && entry.weight <= this.protected.maxWeight) this.protected.append(entry)
    else list.moveToEnd(entry)
  }

  victim(): PolicyEntry | undefined {
    if (this.miniatures === undefined) this.observe(this.entries)
    return this.named = this.next()
  }

  private next(): PolicyEntry | undefined {
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
    if (this.share === 1 && !this.neverFits(entry)) this.window.append(entry)
    else if (mark === rejected) this.probation.prepend(entry)
    else if (mark === isProtected && entry.weight <= this.protected.maxWeight) this.protected.append(entry)
    else this.toProbation(entry)
  }

  removed(entry: PolicyEntry): void {
    entry.list?.remove(entry)
    entry.mark = 0
    this.entries--
    this.weight = this.entries === 0 ? 0 : this.weight - entry.weight
    // Gone for any other reason, it is gone with every window.
    if (entry !== this.named && this.isSeen(entry.hash)) this.miniatures?.remove(entry.hash)
    this.named = undefined
  }

  replaced(old: PolicyEntry, entry: PolicyEntry): void {
    if (this.named === old) this.named = undefined
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

  /** Gives the window this share of the cache; the entries follow in steps. */
  resize(share: number): void {
    this.share = Math.max(share, windowShares[0])
    this.divide()
  }

  /** Makes miniatures of a cache of so many entries, which know nothing yet. */
  private observe(entries: number): void {
    let halvings = 0
    for (let size = entries; size > 1.5 * miniatureSize; size /= 2) halvings++
    const { maxEntries, maxWeight } = this.bounds
    const share = 2 ** -halvings
    // The upper bits; the sketch finds its blocks by the lower ones.
    this.unseen = halvings === 0 ? 0 : -1 << (32 - halvings)
    const bounds = { maxEntries: Math.max(1, Math.round(maxEntries * share)), maxWeight: maxWeight * share }
    this.miniatures = new Miniatures(windowShares, bounds, this.sketch)
    this.choice = new WindowChoice(entries * share, this.choice.current)
    this.mostEntries = Math.max(outgrown * entries, miniatureSize)
  }

  private isSeen(hash: number): boolean {
    return (mixed(hash) & this.unseen) === 0
  }

  /** The entry was requested. */
  private count(entry: PolicyEntry, isHit: boolean): void {
    const bits = this.sketch.increment(entry.hash)
    if ((bits & this.unseen) === 0) this.tryWindows(entry, isHit)
  }

  private tryWindows(entry: PolicyEntry, isHit: boolean): void {
    if (this.miniatures === undefined || this.hasNoWeight(entry) || this.neverFits(entry)) return
    const hits = this.miniatures.access(entry.hash, entry.weight)
    if (this.choice.saw(hits, isHit)) this.resize(this.choice.share)
  }

  /**
   * Makes room in the segments, for whoever was to leave one when the last entry came, and did not have to go. Not on a
   * hit, which so touches no entry but its own; and a few at a time, so that no caller pays for a great change.
   */
  private settle(): void {
    for (let left = mostMoves; left > 0 && this.protected.isOver; left--) this.toProbation(this.protected.first!)
    for (let left = mostMoves; left > 0 && this.window.isOver; left--) this.toProbation(this.window.first!)
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

  private divide(): void {
    const { bounds: { maxEntries, maxWeight }, share } = this
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
