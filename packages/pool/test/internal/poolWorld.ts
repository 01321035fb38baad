/** A `PoolState` with a host that carries out orders only in its books, and checks every one. */
import { Doubt, type PoolItem } from "../../src/internal/state/PoolItem.js"
import type { PoolLimits, PoolPorts, PoolWaiter } from "../../src/internal/state/PoolPorts.js"
import { PoolState } from "../../src/internal/state/PoolState.js"
import type { Refusal, RemovalReason } from "../../src/internal/state/Vocabulary.js"
import type { Waiting } from "../../src/internal/state/WaitQueue.js"

/** As an assertion of vitest, at a hundredth of its time: there are millions of these. */
const same = (what: string, actual: unknown, expected: unknown): void => {
  if (!Object.is(actual, expected)) throw new Error(`${what}: ${String(actual)}, not ${String(expected)}`)
}

const must = (what: string, holds: boolean): void => {
  if (!holds) throw new Error(`It does not hold that ${what}`)
}

export class FakeItem implements PoolItem {
  status: PoolItem["status"] = "inUse"
  isReleased = false
  uses = 0
  idleSince: number
  doubts = 0

  constructor(readonly name: number, public usedAt: number, readonly expiresAt = Infinity) {
    this.idleSince = usedAt
  }
}

export class FakeWaiter implements PoolWaiter<FakeItem> {
  previous: Waiting | undefined = undefined
  next: Waiting | undefined = undefined
  isWaiting = false
  outcome: "waiting" | "served" | "closed" | "creation" | "left" | "turnedAway" = "waiting"
  item: FakeItem | undefined = undefined
  hasCheck = false
  readonly since: number

  constructor(private readonly world: World, readonly ticket: number, readonly band = 1, readonly limit = 80_000) {
    this.since = world.now
  }

  /** As urgent as those of which band: one more for each 5 seconds that it waits. */
  get urgency(): number {
    return Math.min(3, this.band + Math.floor((this.world.now - this.since) / 5_000))
  }

  serve(item: FakeItem): void {
    same("outcome of who is served", this.outcome, "waiting")
    must("the first in line is served", this.world.line()[0] === this)
    this.world.lines[this.band]!.shift()
    this.outcome = "served"
    this.item = item
    this.world.disown(this)
    this.world.held.push({ item, waiter: this })
    item.uses++
  }

  refuse(why: Exclude<Refusal, "exhausted">): void {
    same("outcome of who is refused", this.outcome, "waiting")
    this.outcome = why
    this.world.disown(this)
    this.world.forget(this)
  }
}

export const noLimits: PoolLimits = {
  maxUses: Infinity,
  idleTimeout: Infinity,
  keepAliveInterval: Infinity,
  createConcurrency: 2,
  maxWaiters: Infinity,
  failFastAfter: Infinity,
  backoffFrom: 10,
  backoffTo: 5_000
}

export class World implements PoolPorts<FakeItem, FakeWaiter> {
  now = 0
  readonly state: PoolState<FakeItem, FakeWaiter>
  readonly waiters: Array<FakeWaiter> = []
  readonly items: Array<FakeItem> = []
  /** Those that wait, as they should be served: by band. */
  readonly lines: ReadonlyArray<Array<FakeWaiter>> = [[], [], [], []]
  /** Creations that run, of which some have taken too long. */
  readonly creations: Array<{ isStuck: boolean; isSlow: boolean }> = []
  /** Validations that run beside those that wait, the oldest first. */
  readonly checks: Array<{ readonly item: FakeItem; waiter: FakeWaiter | undefined }> = []
  /** How long an item may be idle before it is validated. */
  validateAfter = Infinity
  private lastCheckFailed = false
  cutOffs = 0
  readonly held: Array<{ readonly item: FakeItem; readonly waiter: FakeWaiter | undefined }> = []
  readonly kept: Array<FakeItem> = []
  readonly removals: Array<readonly [item: FakeItem, reason: RemovalReason]> = []
  /** Releases that somebody else has begun. */
  readonly releases: Array<FakeItem> = []
  growDue = Infinity
  maintainDue = Infinity
  private firing: number | undefined = undefined
  private lastTotal = 0

  constructor(
    limits: Partial<PoolLimits> & { readonly minSize?: number; readonly maxSize?: number } = {},
    private readonly lifetime: () => number = () => Infinity
  ) {
    const { maxSize = 3, minSize = 0 } = limits
    this.state = new PoolState(this, { ...noLimits, ...limits }, minSize, maxSize)
  }

  // --- as the host ---------------------------------------------------------------------------------------------------

  create(): void {
    const { state } = this
    const running = this.creations.filter(({ isStuck }) => !isStuck)
    const usual = running.filter(({ isSlow }) => !isSlow).length
    must("nothing is created that nobody wants", running.length < this.wanted)
    must("nothing is created above maxSize", this.bookedTotal < state.maxSize)
    const most = state.circuit.failures === 0
      ? state.limits.createConcurrency
      : Math.min(2, state.limits.createConcurrency)
    must("so many are created at once", usual < most)
    must("nothing is created in a pause", this.now >= state.circuit.nextAt)
    this.creations.push({ isStuck: false, isSlow: false })
  }

  isDoubtful(item: FakeItem, now: number): boolean {
    return (item.doubts & Doubt.suspect) !== 0 || now - item.usedAt >= this.validateAfter
  }

  validate(item: FakeItem, waiter: FakeWaiter | undefined): void {
    same("status", item.status, "inUse")
    must("it is validated once at a time", !this.checks.some((check) => check.item === item))
    must("it is validated for a waiter without another validation", waiter?.hasCheck !== true)
    if (waiter !== undefined) waiter.hasCheck = true
    this.checks.push({ item, waiter })
  }

  cutOffCheck(): void {
    must("a validation is cut off where borrowers wait, and nothing else is on its way", this.line().length > 0)
    must("nothing is idle that could go instead", this.state.idle.length === 0)
    this.cutOffs++
  }

  destroy(item: FakeItem, reason: RemovalReason): void {
    same("status", item.status, "destroying")
    must("nothing is destroyed that is being released", !item.isReleased)
    must("nothing is destroyed twice", !this.removals.some(([other]) => other === item))
    this.removals.push([item, reason])
  }

  keepAlive(item: FakeItem): void {
    same("status", item.status, "inUse")
    this.kept.push(item)
  }

  growAt(at: number): void {
    this.growDue = this.asked(at)
  }

  maintainAt(at: number): void {
    this.maintainDue = this.asked(at)
  }

  /** What is done at an instant is not asked for again at that instant. */
  private asked(at: number): number {
    must("what was due is not due again at once", this.firing === undefined || at > this.firing)
    return at
  }

  changed(): void {
    this.check()
  }

  // --- the books -----------------------------------------------------------------------------------------------------

  /** Those that wait, the next to be served first; of each band its first comes before the others. */
  line(): ReadonlyArray<FakeWaiter> {
    const left = this.lines.map((line) => [...line])
    const line: Array<FakeWaiter> = []
    for (;;) {
      const firsts = left.flatMap(([first]) => first === undefined ? [] : [first])
      if (firsts.length === 0) return line
      const next = firsts.sort((a, b) => b.urgency - a.urgency || a.ticket - b.ticket)[0]!
      left[next.band]!.shift()
      line.push(next)
    }
  }

  forget(waiter: FakeWaiter): void {
    const line = this.lines[waiter.band]!
    must("a waiter that is refused waits", line.includes(waiter))
    line.splice(line.indexOf(waiter), 1)
  }

  private count(status: PoolItem["status"]): number {
    return this.items.filter((item) => item.status === status).length
  }

  private with(doubt: number): number {
    return this.items.filter(({ doubts }) => (doubts & doubt) !== 0).length
  }

  private get bookedTotal(): number {
    return this.creations.length + this.items.length - this.count("gone")
  }

  private get serves(): boolean {
    const { isSuspended, phase } = this.state
    return phase !== "closed" && !isSuspended
  }

  get wanted(): number {
    const { minSize, phase } = this.state
    if (phase === "draining") return 0
    const validated = this.lastCheckFailed || this.with(Doubt.overdue) > 0 ? 0 : this.with(Doubt.checking)
    const waiting = this.serves ? Math.max(0, this.lines.flat().length - validated) : 0
    return phase === "open" ? Math.max(waiting, minSize - this.count("idle") - this.count("inUse")) : waiting
  }

  /** What holds between any two transitions. */
  check(): void {
    const { state } = this
    same("in use", state.inUse, this.count("inUse"))
    same("being destroyed", state.destroying, this.count("destroying"))
    same("being created", state.creations.running, this.creations.length)
    same("stuck", state.creations.stuck, this.creations.filter(({ isStuck }) => isStuck).length)
    same("slow", state.creations.slow, this.creations.filter(({ isSlow, isStuck }) => isSlow && !isStuck).length)
    const checking = this.items.filter(({ doubts }) => (doubts & Doubt.checking) !== 0)
    same("being validated", state.checking, checking.length)
    for (const item of checking) must("what is being validated is in use", item.status === "inUse")
    same("overdue", state.overdue, this.with(Doubt.overdue))
    same("being kept alive", state.idleItems.keeping, this.with(Doubt.keeping))
    for (const { doubts, status } of this.items) {
      must("what is idle is not condemned", status !== "idle" || (doubts & Doubt.condemned) === 0)
    }
    same("idle", state.idle.length, this.count("idle"))
    for (const item of state.idle) must("idle items are idle", item.status === "idle" && !item.isReleased)
    same("items that are idle once", new Set(state.idle).size, state.idle.length)
    same("total", state.total, this.bookedTotal)
    must("there are never more than maxSize", state.total <= Math.max(state.maxSize, this.lastTotal))
    this.lastTotal = state.total
    const line = this.line()
    same("those that wait", state.waiting.size, line.length)
    for (const waiter of line) must("waiters in line wait", waiter.outcome === "waiting" && waiter.isWaiting)
  }

  /** What holds where nothing is half done. */
  rest(): void {
    this.check()
    const { state } = this
    const line = this.line()
    if (state.phase === "draining" || state.phase === "closed") {
      must("at the end nobody waits but for a validation", line.every(({ hasCheck }) => hasCheck))
      same("idle at the end", state.idle.length, 0)
      must("nothing is due at the end", this.growDue === Infinity && this.maintainDue === Infinity)
    }
    const { idleTimeout, keepAliveInterval } = state.limits
    const lasting = state.idle.length + state.inUse + state.creations.running - state.creations.stuck
    const isSurplus = lasting > state.minSize
    const isFull = state.idleItems.keeping >= Math.max(1, Math.floor(lasting / 4))
    for (const { expiresAt, idleSince, usedAt } of state.idle) {
      const keepAliveAt = isFull && usedAt + keepAliveInterval <= this.now ? Infinity : usedAt + keepAliveInterval
      const dueAt = Math.min(expiresAt, keepAliveAt, isSurplus ? idleSince + idleTimeout : Infinity)
      must("what is due is done then", this.maintainDue <= Math.max(this.now, dueAt))
    }
    if (!this.serves || line.length === 0) return
    must("nothing is idle while somebody waits for nothing", state.idle.length === 0 || state.checking > state.overdue)
    const isHelped = state.creations.running > state.creations.stuck || state.checking > 0 ||
      state.total >= state.maxSize ||
      this.growDue < Infinity
    must("no waiter is forgotten", isHelped)
    const isHopeless = state.circuit.isOpen && state.inUse === 0 && state.creations.running === state.creations.stuck
    must("nobody waits in vain", !isHopeless || this.now >= state.circuit.nextAt)
  }

  // --- what can happen -----------------------------------------------------------------------------------------------

  outcomesOf(waiters: ReadonlyArray<FakeWaiter>): ReadonlyArray<FakeWaiter["outcome"]> {
    return waiters.map(({ outcome }) => outcome)
  }

  borrow(band = 1): FakeWaiter {
    const waiter = new FakeWaiter(this, this.waiters.length, band)
    this.waiters.push(waiter)
    const taken = this.state.take(this.now)
    if (taken === undefined) return this.join(waiter)
    same("those who are overtaken", this.line().length, 0)
    taken.uses++
    waiter.outcome = "served"
    waiter.item = taken
    this.held.push({ item: taken, waiter })
    return waiter
  }

  join(waiter: FakeWaiter, isBack = false): FakeWaiter {
    // It may be served on the way.
    const line = this.lines[waiter.band]!
    line.push(waiter)
    line.sort((a, b) => a.ticket - b.ticket)
    const before = { waiting: this.state.waiting.size, total: this.state.total }
    const refused = this.state.join(waiter, this.now, isBack)
    if (refused !== "joined") {
      same("outcome of who may not join", waiter.outcome, "waiting")
      same("those that wait beside who may not join", this.state.waiting.size, before.waiting)
      same("total beside who may not join", this.state.total, before.total)
      this.forget(waiter)
      waiter.outcome = refused === "exhausted" ? "turnedAway" : refused
    }
    return waiter
  }

  leave(waiter: FakeWaiter): void {
    const check = this.disown(waiter)
    if (waiter.outcome === "waiting") {
      waiter.outcome = "left"
      this.forget(waiter)
    }
    this.state.leave(waiter)
    // No other borrower gets what was validated for the one that has left.
    if (check === undefined) return
    this.checks.splice(this.checks.indexOf(check), 1)
    this.state.giveBack(check.item, this.now, "unfit")
  }

  /** Its validation, which goes on for others. */
  disown(waiter: FakeWaiter) {
    const check = this.checks.find((one) => one.waiter === waiter)
    waiter.hasCheck = false
    if (check !== undefined) check.waiter = undefined
    return check
  }

  checked(index: number, isFit: boolean): void {
    const [check] = this.checks.splice(index, 1)
    const { item, waiter } = check!
    if (waiter !== undefined) waiter.hasCheck = false
    if ((item.doubts & Doubt.checking) !== 0) this.lastCheckFailed = !isFit
    this.state.checked(item, this.now, isFit, 0)
  }

  overdue(index: number): void {
    this.state.checkOverdue(this.checks[index]!.item, this.now)
  }

  createSlow(index: number): void {
    const creation = this.creations[index]!
    if (creation.isSlow || creation.isStuck) return
    creation.isSlow = true
    this.state.createSlow(this.now)
  }

  /** Its use has failed, or was interrupted. */
  giveBackSuspect(item: FakeItem): void {
    item.doubts |= Doubt.suspect
    this.giveBack(item)
  }

  condemn(item: FakeItem): void {
    this.state.condemn(item, this.now, 0)
  }

  giveBack(item: FakeItem, reason?: RemovalReason): void {
    const at = this.held.findIndex((holding) => holding.item === item)
    if (at !== -1) this.held.splice(at, 1)
    this.state.giveBack(item, this.now, reason)
  }

  /** The item is gone before its borrower goes on, which then joins again. */
  unfit(item: FakeItem): void {
    const waiter = this.held.find((holding) => holding.item === item)!.waiter!
    this.giveBack(item, "unfit")
    waiter.outcome = "waiting"
    this.join(waiter, true)
  }

  created(index = 0): FakeItem {
    const [creation] = this.creations.splice(index, 1)
    const item = new FakeItem(this.items.length, this.now, this.now + this.lifetime())
    this.items.push(item)
    this.lastCheckFailed = false
    this.notSlow(creation!)
    this.state.created(item, this.now, creation!.isStuck)
    return item
  }

  createFailed(index = 0, random = 0): void {
    const [creation] = this.creations.splice(index, 1)
    this.notSlow(creation!)
    if (creation!.isStuck) this.state.stuckEnded(this.now)
    else this.state.createFailed(this.now, random)
  }

  private notSlow({ isSlow, isStuck }: { readonly isSlow: boolean; readonly isStuck: boolean }): void {
    if (isSlow && !isStuck) this.state.creations.slowEnded()
  }

  createStuck(index = 0, random = 0): void {
    this.notSlow(this.creations[index]!)
    this.creations[index]!.isStuck = true
    this.state.createStuck(this.now, random)
  }

  /** The destroying that the pool has asked for is over. */
  ended(item: FakeItem): void {
    this.state.ended(item, this.now)
    same("status at the end", item.status, "gone")
  }

  released(item: FakeItem): void {
    this.releases.push(item)
    this.state.released(item)
  }

  releaseEnded(item: FakeItem): void {
    this.releases.splice(this.releases.indexOf(item), 1)
    this.ended(item)
  }

  keptAlive(item: FakeItem, isAlive = true): void {
    this.kept.splice(this.kept.indexOf(item), 1)
    this.state.keepAliveEnded(item, this.now, isAlive)
  }

  /** Time goes on, and what becomes due on the way is done. */
  pass(millis: number): void {
    const until = this.now + millis
    for (;;) {
      const at = Math.min(this.growDue, this.maintainDue)
      if (at > until) break
      this.now = Math.max(this.now, at)
      this.firing = this.now
      if (at === this.growDue) {
        this.growDue = Infinity
        this.state.grow(this.now)
      } else {
        this.maintainDue = Infinity
        this.state.maintain(this.now)
      }
      this.firing = undefined
    }
    this.now = until
  }

  reasonOf(item: FakeItem): RemovalReason | undefined {
    return this.removals.find(([other]) => other === item)?.[1]
  }
}

/** A world with so many items, all idle; the first was returned first. */
export const withIdle = (
  count: number,
  limits: Partial<PoolLimits> & { readonly minSize?: number; readonly maxSize?: number } = {},
  lifetime?: () => number
) => {
  const world = new World({ createConcurrency: 100, ...limits }, lifetime)
  for (let i = 0; i < count; i++) world.borrow()
  while (world.creations.length > 0) world.created()
  for (const { item } of Array.from(world.held)) world.giveBack(item)
  world.rest()
  return world
}

export const outcomes = ({ waiters }: World) => waiters.map(({ outcome }) => outcome)
