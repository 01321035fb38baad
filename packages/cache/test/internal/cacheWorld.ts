/** A `CacheState` with a host that does what it is told only in its books, and checks every order that it is given. */
import { Exit } from "effect"
import { CachePolicy } from "../../src/index.js"
import { Lease } from "../../src/internal/Lease.js"
import { CacheEntry } from "../../src/internal/state/CacheEntry.js"
import type { CacheLimits, CachePorts } from "../../src/internal/state/CachePorts.js"
import { CacheState } from "../../src/internal/state/CacheState.js"
import type { Load, LoadRequester } from "../../src/internal/state/Load.js"
import type { RemovalReason } from "../../src/internal/state/Vocabulary.js"
import { checkCounts, checkFits, checkRest, must, same, weightOf } from "./cacheRules.js"

export type FakeSlot = CacheEntry<string, number, string>
export type FakeLoading = Load<string, number, string>

/** What has happened to a value. */
interface Book {
  readonly entry: FakeSlot
  /** Of its key: it rises when what was there is not for those who ask afterwards. */
  readonly epoch: number
  reason: RemovalReason | undefined
  isReleased: boolean
  /** Its users may lose it. */
  mayBeTaken: boolean
}

export class FakeCaller implements LoadRequester<string, number, string> {
  outcome: "waiting" | "served" | "refused" | "left" | "closed" | "full" = "waiting"
  entry: FakeSlot | undefined = undefined
  loading: FakeLoading | undefined = undefined

  constructor(
    private readonly world: World,
    readonly key: string,
    readonly takesOld: boolean,
    readonly epoch: number
  ) {}

  serve(entry: FakeSlot): void {
    same("outcome of who is served", this.outcome, "waiting")
    must("who asked after an invalidation is not served what was before", this.world.epochOf(entry) >= this.epoch)
    this.outcome = "served"
    this.entry = entry
    this.world.hold(entry)
  }

  goOn(): void {}

  refuse(): void {
    same("outcome of who is refused", this.outcome, "waiting")
    this.outcome = "refused"
  }
}

const noLimits: CacheLimits = {
  maxEntries: 3,
  maxWeight: Infinity,
  whenFull: "wait",
  policy: CachePolicy.lru,
  timeToIdle: Infinity,
  refreshAfter: Infinity,
  staleWhileRevalidate: 0,
  staleOnError: 0
}

export interface Answer {
  readonly weight?: number
  /** In milliseconds; 0 where it is not to be kept. */
  readonly ttl?: number
}

export class World implements CachePorts<string, number, string> {
  time = 0
  readonly limits: CacheLimits
  readonly state: CacheState<string, number, string>
  readonly books: Array<Book> = []
  readonly callers: Array<FakeCaller> = []
  /** One for each use, of values that are to be released. */
  readonly holds: Array<FakeSlot> = []
  /** Values that their removal listener has. */
  readonly hearing: Array<FakeSlot> = []
  /** Lookups that have begun and not ended. */
  readonly loads: Array<FakeLoading> = []
  /** Releases that have begun and not ended. */
  readonly releases: Array<FakeSlot> = []
  readonly dues = new Map<FakeSlot, number>()
  readonly met = new Map<string, number>()
  settledTimes = 0
  /** What was in the cache, in use, and its weight when that changed last. */
  gauges = { cached: 0, inUse: 0, weight: 0 }
  /** Whether somebody listens to removals, and uses the values for it. */
  isListening = false
  private readonly epochs = new Map<string, number>()
  private readonly loadEpochs = new Map<FakeLoading, number>()
  private readonly slotEpochs = new Map<FakeSlot, number>()
  private readonly aborted = new Set<FakeLoading>()
  private readonly failedAt = new Map<string, number>()
  private numbers = 0

  constructor(limits: Partial<CacheLimits> = {}, private readonly isPlain = false) {
    this.limits = { ...noLimits, ...limits }
    this.state = new CacheState(this, this.limits)
  }

  count(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1)
  }

  // --- as the host ---------------------------------------------------------------------------------------------------

  now(): number {
    return this.time
  }

  load(loading: FakeLoading): void {
    same("phase", loading.phase, "running")
    loading.hasAsked = true
    must("a closed cache looks nothing up", this.state.isOpen)
    must("a lookup that runs is not begun", !this.loads.includes(loading))
    if (this.aborted.delete(loading)) this.count("begun again")
    const { maxEntries, maxWeight, whenFull } = this.limits
    if (loading.old !== undefined) {
      if (loading.callers.size === 0) this.refreshing(loading.old)
      this.count(loading.callers.size > 0 ? "refresh that is waited for" : "refresh behind")
    }
    if (!this.needsRoom(loading.key, loading.old !== undefined)) return this.begun(loading)
    if (whenFull !== "exceed") {
      const length = this.coming
      must("a lookup begins only where there is room", this.alive().length + length < maxEntries)
      must("a lookup begins only where there is room by weight", this.countedWeight(this.alive()) < maxWeight)
    } else if (this.alive().length >= maxEntries) this.count("exceeds")
    this.begun(loading)
  }

  /** What replaces a value needs none, but where another that it has replaced before is still in use. */
  private needsRoom(key: string, hasOld: boolean): boolean {
    return !hasOld || this.with("retired").some((entry) => entry.isExempt && entry.key === key)
  }

  private begun(loading: FakeLoading): void {
    if (!this.loadEpochs.has(loading)) this.loadEpochs.set(loading, this.epoch(loading.key))
    this.loads.push(loading)
  }

  /** Nobody waits for it: it has to be time for it. */
  private refreshing({ expiresAt, failures, writtenAt, ...old }: FakeSlot): void {
    must("nothing is refreshed early", this.time >= Math.min(expiresAt, writtenAt + this.limits.refreshAfter))
    if (failures === 0) return
    const failedAt = this.failedAt.get(old.key)!
    const { staleOnError, staleWhileRevalidate } = this.limits
    const left = expiresAt + Math.max(staleOnError, staleWhileRevalidate) - failedAt
    const pause = Math.max(1_000, Math.min(60_000, 500 * 2 ** failures, left / 2))
    must("there is a pause after a failure", this.time >= failedAt + pause)
    this.count("refresh after a pause")
  }

  abort(loading: FakeLoading): void {
    same("phase", loading.phase, "aborted")
    must("what is aborted runs", this.loads.includes(loading))
    must("nothing is aborted that somebody waits for", loading.callers.size === 0)
    must("nothing is aborted twice", !this.aborted.has(loading))
    this.aborted.add(loading)
    this.count("aborted")
  }

  removed(entry: FakeSlot, reason: RemovalReason): void {
    const book = this.bookOf(entry)
    must("nothing is removed that is not in the cache", book !== undefined && this.slotEpochs.has(entry))
    must("nothing is removed twice", book!.reason === undefined)
    must("nothing is evicted that somebody uses", reason !== "evicted" || !this.holds.includes(entry))
    book!.reason = reason
    this.count(`removed as ${reason}`)
    if (!this.isListening || entry.lease === undefined) return
    this.state.entries.hear(entry)
    this.hearing.push(entry)
  }

  release(entry: FakeSlot): void {
    const book = this.bookOf(entry)!
    same("status", entry.status, "releasing")
    must("only what has to be released is", entry.lease !== undefined)
    must("nothing is released twice", !book.isReleased)
    must("nothing is released that somebody uses", book.mayBeTaken || !this.isUsed(entry))
    book.isReleased = true
    this.releases.push(entry)
  }

  dueAt(entry: FakeSlot, at: number): void {
    this.dues.set(entry, at)
  }

  updateGauges(): void {
    const { cached, inUse, weight } = this.state.occupancy
    this.gauges = { cached, inUse, weight }
  }

  notifyWaiters(): void {
    this.settledTimes++
    checkCounts(this)
  }

  // --- the books -----------------------------------------------------------------------------------------------------

  bookOf(entry: FakeSlot): Book | undefined {
    return this.books.find((book) => book.entry === entry)
  }

  epoch(key: string): number {
    return this.epochs.get(key) ?? 0
  }

  epochOf(entry: FakeSlot): number {
    return this.slotEpochs.get(entry)!
  }

  hold(entry: FakeSlot): void {
    if (entry.lease !== undefined) this.holds.push(entry)
  }

  with(...statuses: ReadonlyArray<FakeSlot["status"]>): Array<FakeSlot> {
    return this.books.map(({ entry }) => entry).filter(({ status }) => statuses.includes(status))
  }

  /** Values that are not released yet. */
  alive(): Array<FakeSlot> {
    return this.with("cached", "retired", "releasing")
  }

  get bookedWeight(): number {
    return weightOf(this.alive())
  }

  /** Nothing has to go for what would not fit all the same. */
  countedWeight(entries: ReadonlyArray<FakeSlot>): number {
    return weightOf(entries.filter(({ weight }) => weight <= this.limits.maxWeight))
  }

  isUsed(entry: FakeSlot): boolean {
    return this.holds.includes(entry) || this.hearing.includes(entry)
  }

  /** What counts as entries and is not on its way out: its listener keeps nobody's room. */
  lasting(): Array<FakeSlot> {
    return this.with("cached", "retired").filter((entry) => entry.status === "cached" || this.holds.includes(entry))
  }

  /** What could go for others. Where only weight counts, nothing is won by evicting what has none. */
  idle(): Array<FakeSlot> {
    const isOnlyWeight = this.limits.maxEntries === Infinity
    return this.with("cached").filter((entry) => !this.holds.includes(entry) && !(isOnlyWeight && entry.weight === 0))
  }

  /** Lookups that count as entries. */
  get coming(): number {
    return this.loads.filter(({ takesRoom }) => takesRoom).length
  }

  waiting(): Array<FakeCaller> {
    return this.callers.filter(({ outcome }) => outcome === "waiting")
  }

  /** From when on a value is of no use, if nobody uses it from now on. */
  lastInstant(entry: FakeSlot): number {
    const { staleOnError, staleWhileRevalidate } = this.limits
    return entry.isFailure ? entry.expiresAt : entry.expiresAt + Math.max(staleOnError, staleWhileRevalidate)
  }

  // --- what can happen -----------------------------------------------------------------------------------------------

  /** Gives who waits, or the value that was there, or who was turned away. */
  ask(key: string): FakeCaller | FakeSlot {
    const entry = this.state.take(key, this.time, {} as never)
    if (entry === undefined) return this.join(key, true)
    same("status of what is there", entry.status, "cached")
    must("nobody gets what was before an invalidation", this.epochOf(entry) === this.epoch(key))
    must("nobody gets what is too old", this.time < this.lastInstant(entry))
    const { staleOnError, staleWhileRevalidate } = this.limits
    if (this.time >= entry.expiresAt) {
      this.count("stale")
      const isAfterFailure = this.time < entry.expiresAt + staleOnError && entry.failures > 0
      must("stale is what may be", this.time < entry.expiresAt + staleWhileRevalidate || isAfterFailure)
    }
    this.hold(entry)
    this.count(entry.exit._tag === "Success" ? "hit" : "hit of a failure")
    return entry
  }

  /** Asks for a new value, whatever is there. */
  join(key: string, takesOld = false): FakeCaller {
    const caller = new FakeCaller(this, key, takesOld, this.epoch(key))
    const isComing = this.state.loads.get(key) !== undefined
    const mayBeFull = !isComing && this.needsRoom(key, this.state.entries.get(key) !== undefined) && !this.mayHaveRoom
    const joined = this.state.loads.join(caller, key, this.time, undefined as never)
    this.callers.push(caller)
    if (typeof joined === "string") {
      caller.outcome = joined
      same("whether it is closed", joined === "closed", !this.state.isOpen)
      if (joined === "full") must("it is full", mayBeFull)
    } else {
      caller.loading = joined
      if (!this.loadEpochs.has(joined)) this.loadEpochs.set(joined, this.epoch(key))
    }
    this.count(caller.outcome)
    return caller
  }

  private get mayHaveRoom(): boolean {
    const used = this.lasting().filter((entry) => this.holds.includes(entry))
    const length = this.coming
    const weight = weightOf(used)
    return used.length + length + this.state.loads.queued.size < this.limits.maxEntries &&
      weight < this.limits.maxWeight
  }

  private slotOf(key: string, epoch: number, exit: Exit.Exit<number, string>, { ttl = Infinity, weight = 1 }: Answer) {
    const hash = key.charCodeAt(0)
    const terms = { weight, writtenAt: this.time, expiresAt: this.time + ttl, timeToIdle: this.limits.timeToIdle }
    const entry: FakeSlot = new CacheEntry({ due: () => {} }, { key, hash }, exit, terms)
    if (Exit.isSuccess(exit) && !this.isPlain) entry.lease = new Lease(exit.value, undefined as never)
    this.slotEpochs.set(entry, epoch)
    return entry
  }

  private enter(entry: FakeSlot): void {
    const epoch = this.epochOf(entry)
    this.books.push({ entry, epoch, reason: undefined, isReleased: false, mayBeTaken: false })
  }

  private finish(loading: FakeLoading): number {
    this.loads.splice(this.loads.indexOf(loading), 1)
    return this.loadEpochs.get(loading)!
  }

  loaded(loading: FakeLoading = this.loads[0]!, answer: Answer = {}): FakeSlot {
    const entry = this.slotOf(loading.key, this.finish(loading), Exit.succeed(++this.numbers), answer)
    this.enter(entry)
    this.aborted.delete(loading)
    this.state.loaded(loading, entry, answer.ttl !== 0, this.time)
    must("what has no time to live is not kept", answer.ttl !== 0 || entry.status !== "cached")
    checkFits(this)
    return entry
  }

  failed(loading: FakeLoading = this.loads[0]!, ttl = 0): FakeSlot {
    const entry = this.slotOf(loading.key, this.finish(loading), Exit.fail("no"), { ttl, weight: 0 })
    const { old } = loading
    const isKept = ttl > 0 && !this.state.entries.keeps(old, this.time)
    const isAgain = this.aborted.has(loading) && loading.callers.size > 0
    if (!isAgain && !loading.isDetached) this.failedAt.set(loading.key, this.time)
    if (!isAgain || isKept) this.aborted.delete(loading)
    if (isKept) this.enter(entry)
    if (isKept) this.state.loaded(loading, entry, true, this.time)
    else this.state.failed(loading, entry, this.time)
    if (old?.status === "cached") this.count("keeps the old")
    if (isKept) this.count("keeps a failure")
    return entry
  }

  refused(loading: FakeLoading = this.loads[0]!): void {
    this.finish(loading)
    this.aborted.delete(loading)
    this.state.refused(loading, this.time)
  }

  leave(entry: FakeSlot): void {
    const at = this.holds.indexOf(entry)
    must("who leaves uses it", at >= 0)
    this.holds.splice(at, 1)
    this.state.leave(entry)
    if (entry.users === 0 && entry.status === "cached") checkFits(this)
  }

  /** The listener is done. */
  heard(entry: FakeSlot): void {
    this.hearing.splice(this.hearing.indexOf(entry), 1)
    this.state.heard(entry)
  }

  abandon(caller: FakeCaller): void {
    caller.outcome = "left"
    this.state.loads.leave(caller, caller.loading!)
  }

  private nothingBefore(key: string): void {
    this.epochs.set(key, this.epoch(key) + 1)
  }

  invalidate(key: string): boolean {
    const was = this.state.entries.get(key) !== undefined || this.state.loads.get(key) !== undefined
    this.nothingBefore(key)
    const gave = this.state.invalidate(key, this.time)
    same("whether anything was there", gave, was)
    return gave
  }

  invalidateAll(): void {
    const { length } = this.with("cached")
    for (
      const { key } of [
        ...this.books.map(({ entry }) => entry),
        ...this.state.loads.running,
        ...this.state.loads.queued
      ]
    ) {
      this.nothingBefore(key)
    }
    same("how many there were", this.state.invalidateAll(this.time), length)
  }

  set(key: string, answer: Answer = {}): FakeSlot {
    this.nothingBefore(key)
    const entry = this.slotOf(key, this.epoch(key), Exit.succeed(++this.numbers), answer)
    this.enter(entry)
    this.state.set(entry, answer.ttl !== 0, this.time)
    must("what has no time to live is not kept", answer.ttl !== 0 || entry.status !== "cached")
    checkFits(this)
    return entry
  }

  /** Somebody else begins to release it. */
  seize(entry: FakeSlot): void {
    const book = this.bookOf(entry)!
    this.count(`seized while ${entry.status}`)
    must("nothing is seized that is released", !book.isReleased)
    book.mayBeTaken = book.isReleased = true
    this.releases.push(entry)
    this.state.entries.seized(entry)
  }

  reclaim(entry: FakeSlot): void {
    this.bookOf(entry)!.mayBeTaken = true
    this.count("reclaimed")
    this.state.entries.reclaim(entry)
  }

  /** A release that has begun is over. */
  released(entry: FakeSlot = this.releases[0]!): void {
    this.releases.splice(this.releases.indexOf(entry), 1)
    this.state.released(entry, this.time)
    same("status at the end", entry.status, "gone")
  }

  due(entry: FakeSlot): void {
    // Its timer is set no more when it has fired.
    this.dues.set(entry, Infinity)
    this.state.due(entry)
  }

  /** Time goes on; what is due on the way is done, unless timers are late. */
  pass(millis: number, isLate = false): void {
    const until = this.time + millis
    for (;;) {
      const [entry, at] = [...this.dues].reduce<readonly [FakeSlot | undefined, number]>(
        (first, next) => next[1] < first[1] ? next : first,
        [undefined, Infinity]
      )
      if (isLate || entry === undefined || at > until) break
      this.time = Math.max(this.time, at)
      this.due(entry)
      checkRest(this)
    }
    this.time = until
  }

  close(): void {
    const waiting = this.waiting().length
    same("callers that are refused", this.state.close(), waiting)
    while (this.state.closeSome(2)) same("what is in a closed cache for others", this.state.entries.get("a"), undefined)
  }
}
