/** A cache without values around a policy: it keeps the counts, the bounds and who is in use, as a real one does. */
import type { Bounds, CachePolicy, PolicyEntry, PolicyState } from "../src/CachePolicy.js"
import type { EntryList } from "../src/internal/policy/EntryList.js"

export class SimulatedEntry implements PolicyEntry {
  list: EntryList | undefined = undefined
  place = 0
  mark = 0
  uses = 0
  isPinned = false
  constructor(readonly key: number, readonly weight: number) {}

  get hash(): number {
    return this.key
  }
}

export class SimulatedCache {
  readonly state: PolicyState
  readonly entries = new Map<number, SimulatedEntry>()
  /** Keys in the order in which they were evicted. */
  readonly evicted: Array<number> = []
  weight = 0
  hits = 0
  misses = 0
  /** How often the policy was asked for a victim. */
  asked = 0

  constructor(
    policy: Pick<CachePolicy, "make">,
    readonly bounds: Bounds,
    /** Room is made for an entry before it is looked up, and not when it is there. */
    readonly makesRoom = false
  ) {
    this.state = policy.make(bounds)
  }

  get isOver(): boolean {
    return this.entries.size > this.bounds.maxEntries || this.weight > this.bounds.maxWeight
  }

  /** Looks the key up for somebody, who holds the entry until `release`. */
  get(key: number, weight = 1): SimulatedEntry {
    const known = this.entries.get(key)
    if (known !== undefined) {
      this.hits++
      known.uses++
      this.state.used(known)
      return known
    }
    const entry = this.add(key, weight)
    entry.uses = 1
    this.fit()
    return entry
  }

  /** Looks the key up as a cache of plain values does: nobody holds it. */
  peek(key: number, weight = 1): void {
    const known = this.entries.get(key)
    if (known === undefined) {
      this.add(key, weight)
      return this.fit()
    }
    this.hits++
    this.state.used(known)
  }

  release(entry: SimulatedEntry): void {
    entry.uses--
    if (entry.uses > 0 || this.entries.get(entry.key) !== entry) return
    if (entry.isPinned) {
      entry.isPinned = false
      this.state.unpinned(entry)
    }
    this.fit()
  }

  invalidate(key: number): void {
    const entry = this.entries.get(key)
    if (entry !== undefined) this.drop(entry)
  }

  /** The key's entry gives way to a new one, as in a refresh. */
  replace(key: number, weight: number): void {
    const old = this.entries.get(key)
    if (old === undefined) return
    const entry = new SimulatedEntry(key, weight)
    this.entries.set(key, entry)
    this.weight += weight - old.weight
    if (this.state.replaced === undefined) {
      this.state.removed(old)
      this.state.added(entry)
    } else this.state.replaced(old, entry)
    this.fit()
  }

  private add(key: number, weight: number): SimulatedEntry {
    this.misses++
    if (this.makesRoom) this.fit(1)
    const entry = new SimulatedEntry(key, weight)
    this.entries.set(key, entry)
    this.weight += weight
    this.state.added(entry)
    return entry
  }

  /** Evicts until the cache fits, or nobody is left who could go. */
  private fit(coming = 0): void {
    while (this.isOver || this.entries.size + coming > this.bounds.maxEntries) {
      this.asked++
      const victim = this.state.victim() as SimulatedEntry | undefined
      if (victim === undefined) return
      if (victim.isPinned || this.entries.get(victim.key) !== victim) {
        throw new Error(`${victim.key} was named, which ${victim.isPinned ? "is pinned" : "has gone"}`)
      }
      if (victim.uses > 0) {
        victim.isPinned = true
        this.state.pinned(victim)
      } else {
        this.evicted.push(victim.key)
        this.drop(victim)
      }
    }
  }

  private drop(entry: SimulatedEntry): void {
    this.entries.delete(entry.key)
    this.weight -= entry.weight
    this.state.removed(entry)
  }
}

export interface Simulation {
  readonly maxEntries?: number
  readonly maxWeight?: number
  readonly weigh?: (key: number) => number
  /** Each lookup holds its entry until so many more have come; 0 as a cache of plain values. */
  readonly held?: number
  /** Room is made for an entry before it is looked up, and not when it is there. */
  readonly makesRoom?: boolean
}

/** The share of the trace's lookups that were hits. */
export const hitRate = (
  policy: Pick<CachePolicy, "make">,
  trace: ReadonlyArray<number>,
  { held = 0, makesRoom = false, maxEntries = Infinity, maxWeight = Infinity, weigh = () => 1 }: Simulation
): number => {
  const cache = new SimulatedCache(policy, { maxEntries, maxWeight }, makesRoom)
  if (held === 0) { for (const key of trace) cache.peek(key, weigh(key)) }
  else {
    const inUse: Array<SimulatedEntry> = []
    trace.forEach((key, i) => {
      const leaving = inUse[i % held]
      inUse[i % held] = cache.get(key, weigh(key))
      if (leaving !== undefined) cache.release(leaving)
    })
  }
  return cache.hits / trace.length
}
