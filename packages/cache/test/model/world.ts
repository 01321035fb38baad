/**
 * The real cache that a program runs on, and books of our own beside it: every value with what became of it, every
 * caller with its deadline. What must never be is found when it happens; what must hold at rest, by `check`.
 */
import type { ResourceRegistry } from "@patinox/core"
import { Untellable } from "@patinox/vitest"
import { Cause, Effect, Exit, Fiber, Option, type Scope } from "effect"
import { must, type Surroundings, World } from "../../../../scripts/testing/world.js"
import { CacheError, CachePolicy, ResourceCache } from "../../src/index.js"
import { type Caller, endingOf, isError, isUntellable, Made, outcomes } from "./books.js"
import { Keys } from "./keys.js"
import type { Command, Fault, Program } from "./program.js"
import { limits } from "./program.js"

export class CacheWorld extends World<Program, Caller> {
  readonly made: Array<Made> = []
  cache!: ResourceCache.ResourceCache<unknown, Made, unknown>
  private version = 0
  private readonly keys: Keys
  private readonly epochs = new Map<string, number>()
  /** By key: lookups that an invalidation found, which may begin, or begin again, beside those for others. */
  private readonly late = new Map<string, number>()
  private closedAt: number | undefined = undefined
  private isRegistryClosed = false
  /** The registry cleans up everything that there is. */
  private isForcing = false

  constructor(program: Program, surroundings: Surroundings) {
    super(program, surroundings)
    this.keys = new Keys(program.settings.keys)
    this.count(`keys: ${program.settings.keys}`)
  }

  private epoch(key: string): number {
    return this.epochs.get(key) ?? 0
  }

  // --- the manager ---------------------------------------------------------------------------------------------------

  /** `within` is the key that it is done for. */
  private behave(fault: Fault, within: string): Effect.Effect<void, unknown> {
    switch (fault) {
      case "asks":
        return this.askFrom(within)
      case "untellable":
        // `Effect.fail` itself would look at it.
        return Effect.failCause(
          Cause.fail(Untellable.make(Untellable.forms[this.made.length % Untellable.forms.length]!))
        )
      default:
        return this.behaveAs(fault)
    }
  }

  /** One key leads to the next, so that no lookup waits for itself but for room. */
  private askFrom(within: string): Effect.Effect<void> {
    const next = String.fromCharCode(within.charCodeAt(0) + 1)
    if (next > "h") return Effect.void
    return Effect.suspend(() => {
      const from = this.now()
      return Effect.match(this.cache.use(this.keys.of(next), () => Effect.void), {
        onSuccess: () => this.count("asked from inside"),
        onFailure: (error) => {
          if (!CacheError.is(error) || error._tag !== "CacheFull" || error.isCircle !== true) return
          this.count("CacheFull circle")
          this.watch(() => must(this.now() === from, "a circle is seen at once"))
        }
      })
    })
  }

  private answer<A>(operation: "weigher" | "timeToLive", good: A, wrong: A): A {
    const answer = this.next(operation, "none")
    if (answer === "throws") throw new Error("injected throw")
    return answer === "wrong" ? wrong : good
  }

  private readonly lookup = (given: unknown): Effect.Effect<Made, unknown, Scope.Scope> =>
    Effect.suspend(() => {
      const key = this.keys.nameOf(given)
      const { lookups, entries } = Effect.runSync(this.cache.snapshot)
      const way = entries.some((entry) => this.keys.nameOf(entry.key) === key) ? "refresh" : "lookup"
      const made = new Made(this.made.length + 1, key, this.epoch(key), way, this.version)
      this.watch(() => this.checkLookup(made, lookups.filter((other) => this.keys.nameOf(other.key) === key).length))
      this.made.push(made)
      const fault = this.next("lookup", "none")
      const { releasedBy } = this.program.settings
      const open = releasedBy === "release" ? Effect.void : Effect.acquireRelease(
        Effect.sync(() => {
          made.isScopeOpen = true
        }),
        () =>
          Effect.sync(() => {
            if (releasedBy === "scope" && made.state === "made") {
              this.releasing(made)
              made.isReleased = true
            }
            made.isScopeOpen = false
          })
      )
      return Effect.onExit(
        Effect.as(Effect.andThen(open, Effect.suspend(() => this.behave(fault, key))), made),
        (exit) =>
          Effect.sync(() => {
            made.state = Exit.isSuccess(exit) ? "made" : "failed"
            made.createdAt = this.now()
          })
      )
    })

  /** The rules that a lookup begins by. */
  private checkLookup({ epoch, key, name, way }: Made, known: number): void {
    // What has begun at that moment begins.
    const isClosed = this.closedAt !== undefined && this.now() > this.closedAt
    must(!isClosed, `${name} is looked up though the cache is closed`)
    must(known > 0, `${name} is looked up, and the cache does not know`)
    const { abandoned } = Effect.runSync(this.cache.snapshot)
    // What does not end is nobody's.
    const lost = abandoned.filter((lookup) => this.keys.nameOf(lookup.key) === key).length
    if (abandoned.length > 0) this.count("beside an abandoned lookup")
    const beside =
      this.made.filter((other) =>
        other.state === "coming" && other.key === key && other.epoch === epoch && other.way === "lookup" &&
        other.lastCaller === Infinity
      )[lost]
    const late = this.late.get(key) ?? 0
    if (beside !== undefined && late > 0) this.late.set(key, late - 1)
    else must(beside === undefined, `${name} is looked up beside ${beside?.name}`)
    const { maxEntries, whenFull } = this.program.settings
    // At its end what it was to replace may have gone before it began.
    if (way === "refresh" || whenFull === "exceed" || this.isForcing || this.closedAt !== undefined) return
    const taking = this.made.filter((other) =>
      other.way === "lookup" && (other.state === "coming" || (other.state === "made" && !this.isOver(other)))
    )
    must(
      taking.length - abandoned.length < maxEntries,
      `${name} is looked up where there is no room: ${taking.map((made) => made.name)}`
    )
  }

  /** As far as the cache can know: a release that does not stop is let go of; its users had a part of its time. */
  private isOver({ isBeingReleased, releasedAt }: Made): boolean {
    return releasedAt !== undefined && (!isBeingReleased || this.now() >= releasedAt + limits.releaseTimeout * 0.8)
  }

  private releasing(made: Made): void {
    this.watch(() => {
      must(!made.isReleased, `${made.name} is released twice`)
      must(!made.isBeingReleased, `${made.name} is released while it is released`)
      must(made.users === 0 || this.mayTake(made), `${made.name} is released while somebody uses it`)
      const isHeard = made.heardSince !== undefined && this.now() < made.heardSince + limits.releaseTimeout
      must(!isHeard || this.mayTake(made), `${made.name} is released while its listener runs`)
    })
    // Another attempt is no other release.
    made.releasedAt ??= this.now()
  }

  private readonly release = (made: Made, given: unknown): Effect.Effect<void, unknown> => {
    const key = this.keys.nameOf(given)
    this.watch(() => must(made.key === key, `${made.name} is released as ${key}`))
    this.releasing(made)
    made.isBeingReleased = true
    return Effect.onExit(
      Effect.suspend(() => this.behave(this.next("release", "none"), key)),
      (exit) =>
        Effect.sync(() => {
          made.isBeingReleased = false
          made.isReleased = Exit.isSuccess(exit)
        })
    )
  }

  /** Whether a value may be taken from its users now. */
  private mayTake(made: Made): boolean {
    return made.mayBeTaken || this.isForcing ||
      (this.closedAt !== undefined && this.now() >= this.closedAt + limits.closeTimeout * 0.8)
  }

  private readonly listener = ({ key: given, reason, value }: ResourceCache.Removal<unknown, Made>) => {
    const key = this.keys.nameOf(given)
    this.count(`heard of ${reason}`)
    this.watch(() => {
      must(value.key === key, `${value.name} is removed as ${key}`)
      must(++value.removals === 1, `${value.name} is removed twice`)
      must(value.releasedAt === undefined || this.mayTake(value), `${value.name} is released before it is removed`)
    })
    value.heardSince = this.now()
    return Effect.ensuring(
      Effect.suspend(() => this.behave(this.next("listener", "none"), key)),
      Effect.sync(() => {
        value.heardSince = undefined
      })
    )
  }

  private readonly timeToLive = (_key: unknown, exit: Exit.Exit<Made, unknown>): number => {
    const { failuresLive, timeToLive } = this.program.settings
    if (Exit.isFailure(exit)) return this.answer("timeToLive", failuresLive, NaN)
    exit.value.timeToLive = 0
    return exit.value.timeToLive = this.answer("timeToLive", timeToLive, 0)
  }

  readonly open: Effect.Effect<void, never, Scope.Scope | ResourceRegistry.ResourceRegistry> = Effect.gen(
    this,
    function*() {
      const { failuresLive, hasListener, keys: _keys, opsBeforeYield: _, policy, releasedBy, timeToLive, ...settings } =
        this.program.settings
      const isByValue = failuresLive > 0 || timeToLive === 0
      const off = (millis: number) => millis === 0 ? "off" as const : millis
      this.cache = yield* Effect.orDie(ResourceCache.make(this.lookup, {
        ...settings,
        ...limits,
        policy: policy === "lru" ? CachePolicy.lru : CachePolicy.wTinyLfu,
        staleWhileRevalidate: off(settings.staleWhileRevalidate),
        staleOnError: off(settings.staleOnError),
        timeToLive: isByValue ? this.timeToLive : timeToLive,
        ...(settings.maxWeight === Infinity
          ? undefined
          : { weigher: (made: Made) => this.answer("weigher", made.number % 4, NaN) }),
        ...(hasListener ? { onRemoval: this.listener } : undefined),
        ...(releasedBy === "scope" ? undefined : { release: this.release })
      }))
    }
  )

  // --- callers -------------------------------------------------------------------------------------------------------

  private ask(command: Command & { readonly _tag: "Ask" }): Effect.Effect<void> {
    const { key } = command
    const caller: Caller = { command, epoch: this.epoch(key), version: this.version, ...this.newClient() }
    const body = (made: Made): Effect.Effect<void, string> =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          this.enter(caller, "using")
          made.users++
          this.watch(() => this.checkGiven(caller, made))
        }),
        () =>
          Effect.andThen(
            this.hold(caller, command.holdMillis),
            endingOf(command.outcome)
          ),
        () =>
          Effect.sync(() => {
            made.users--
            this.enter(caller, "returning")
          })
      )
    const { cache } = this
    const ways = {
      use: () => cache.use(this.keys.of(key), body),
      get: () => Effect.scoped(Effect.flatMap(cache.get(this.keys.of(key)), body)),
      getAll: () =>
        Effect.scoped(Effect.flatMap(cache.getAll([this.keys.of(key)]), (all) => Effect.forEach(all, body))),
      peek: () =>
        Effect.scoped(Effect.flatMap(
          cache.peek(this.keys.of(key)),
          (found) => Option.isSome(found) ? body(found.value) : Effect.void
        )),
      getIfPresent: () =>
        Effect.scoped(Effect.flatMap(
          cache.getIfPresent(this.keys.of(key)),
          (found) => Option.isSome(found) ? body(found.value) : Effect.void
        )),
      refresh: () => Effect.tap(cache.refresh(this.keys.of(key)), () => this.checkRefreshed(caller))
    }
    return this.start(caller, ways[command.way]() as Effect.Effect<unknown, unknown>)
  }

  /** What there is after a refresh was read after it had begun. */
  private checkRefreshed({ command: { key }, number, version }: Caller): Effect.Effect<void> {
    return Effect.scoped(Effect.map(this.cache.peek(this.keys.of(key)), (found) => {
      if (Option.isNone(found) || found.value.way === "set") return
      if (version > 0) this.count("refreshed after a write")
      this.watch(() =>
        must(found.value.version >= version, `caller ${number} has refreshed ${found.value.name} in vain`)
      )
    }))
  }

  private checkGiven({ command, epoch, number }: Caller, made: Made): void {
    must(made.state === "made", `caller ${number} got ${made.name}, which is ${made.state}`)
    must(made.key === command.key, `caller ${number} asked for ${command.key} and got ${made.name}`)
    must(made.releasedAt === undefined || this.mayTake(made), `caller ${number} got ${made.name}, which is released`)
    must(number <= made.lastCaller, `caller ${number} got ${made.name}, which was on its way before an invalidation`)
    must(made.epoch >= epoch, `caller ${number} got ${made.name}, which is from before an invalidation`)
    const { staleOnError, staleWhileRevalidate } = this.program.settings
    const age = this.now() - made.createdAt
    const isNew = age < made.timeToLive + Math.max(staleOnError, staleWhileRevalidate)
    // With no time to live it is for those who wait for it.
    must(isNew || age === 0 || made.mayBeRenewed, `caller ${number} got ${made.name}, which is too old: ${age}`)
    if (age >= made.timeToLive && age > 0) this.count("stale")
    if (made.users > 1) this.count("shared")
  }

  /** How a caller may end: by its own outcome once it has had its value, else by what the lookup or the cache fails with. */
  protected answered({ command, interruptedAt, number, stage }: Caller, exit: Exit.Exit<unknown, unknown>): void {
    const own = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    const name = CacheError.is(own) ? own._tag === "CacheTimeout" ? `CacheTimeout ${own.stage}` : own._tag : undefined
    this.count(stage === "asking" ? name ?? (Exit.isSuccess(exit) ? "none" : "lookup failed") : `ended in ${stage}`)
    this.watch(() => {
      if (interruptedAt !== undefined && Exit.isInterrupted(exit)) return
      if (stage !== "asking") {
        return must(own === outcomes[command.outcome], `caller ${number} ends with ${exit} instead of its own outcome`)
      }
      if (Exit.isSuccess(exit)) {
        const mayBeNothing = command.way === "getIfPresent" || command.way === "refresh" || command.way === "peek"
        return must(mayBeNothing, `caller ${number} got nothing`)
      }
      const isLookups = own === "injected failure" || (isError(own) && !Exit.isInterrupted(exit))
      must(
        CacheError.is(own) || isLookups || isUntellable(own),
        `caller ${number} ends with what nobody has ended with`
      )
    })
  }

  // --- commands ------------------------------------------------------------------------------------------------------

  private nothingBefore(key: string): void {
    this.epochs.set(key, this.epoch(key) + 1)
  }

  /** Just before it is. */
  private invalidating(invalid?: string): void {
    for (const { callers, key: given } of Effect.runSync(this.cache.snapshot).lookups) {
      const key = this.keys.nameOf(given)
      const isMeant = callers > 0 && (invalid === undefined || key === invalid)
      if (isMeant) this.late.set(key, (this.late.get(key) ?? 0) + 1)
    }
  }

  private set(key: string): Effect.Effect<void> {
    const made = new Made(this.made.length + 1, key, this.epoch(key) + 1, "set")
    made.state = "made"
    made.createdAt = this.now()
    const { failuresLive, releasedBy, timeToLive } = this.program.settings
    if (failuresLive === 0 && timeToLive > 0) made.timeToLive = timeToLive
    made.hasNoRelease = releasedBy === "scope"
    this.made.push(made)
    this.invalidating(key)
    return this.fork(Effect.onExit(this.cache.set(this.keys.of(key), made), (exit) =>
      Effect.sync(() => {
        this.count(Exit.isSuccess(exit) ? "set" : "not set")
        this.epochs.set(key, Math.max(this.epoch(key), made.epoch))
      })))
  }

  run(command: Command, advance: (millis: number) => Effect.Effect<void>): Effect.Effect<void> {
    const { cache, registry } = this
    switch (command._tag) {
      case "Ask":
        return this.ask(command)
      case "Set":
        return this.set(command.key)
      case "SetAgain": {
        const made = this.made.filter(({ state }) => state === "made")[command.which % Math.max(1, this.made.length)]
        if (made === undefined) return Effect.void
        // The key's own is renewed: whatever is being looked up is not for others then.
        this.invalidating(command.key)
        this.count(
          made.releasedAt !== undefined ? "set after its release" : made.users > 0 ? "set in use" : "set again"
        )
        made.mayBeRenewed ||= made.key === command.key
        return this.fork(Effect.ignore(cache.set(this.keys.of(command.key), made)))
      }
      case "Write":
        this.version++
        return Effect.void
      case "Invalidate":
        this.invalidating(command.key)
        this.nothingBefore(command.key)
        return Effect.asVoid(cache.invalidate(this.keys.of(command.key)))
      case "InvalidateWhere": {
        const isMeant = (made: Made) => made.number % 2 === 0
        this.invalidating()
        // Those under way are for nobody else, whatever is meant.
        for (const made of this.made) {
          if (made.state === "coming") made.lastCaller = Math.min(made.lastCaller, this.clients.length)
        }
        return Effect.asVoid(cache.invalidateWhere((given, made) => {
          const key = this.keys.nameOf(given)
          this.watch(() => must(made.key === key, `${made.name} is at ${key}`))
          if (isMeant(made)) this.nothingBefore(key)
          return isMeant(made)
        }))
      }
      case "InvalidateAll":
        this.invalidating()
        for (const { key } of this.made) this.nothingBefore(key)
        return Effect.asVoid(cache.invalidateAll)
      case "Return":
        return this.returnOne(command.which)
      case "Interrupt":
        return this.interruptOne(command.which)
      case "Advance":
        return advance(command.millis)
      case "Close":
        this.closedAt = this.now()
        return this.fork(cache.close, command.isInterrupted)
      case "ForceCleanupAll":
      case "ShutDownRegistry":
        this.isForcing = true
        this.isRegistryClosed = command._tag === "ShutDownRegistry"
        return this.fork(
          // Interrupted, it goes on, and nobody tells until when.
          Effect.tap(this.isRegistryClosed ? registry.shutdown : registry.forceCleanupAll, () => {
            this.isForcing = false
            for (const made of this.made) made.mayBeTaken = true
          }),
          command.isInterrupted
        )
    }
  }

  // --- what holds at rest --------------------------------------------------------------------------------------------

  /** Keys by their names: some cannot be told. */
  private tell({ counts, ...keyed }: Record<string, unknown>): string {
    const lists = Object.values(keyed as Record<string, ReadonlyArray<{ readonly key: unknown }>>)
    const told = lists.map((list) => list.map((one) => ({ ...one, key: this.keys.nameOf(one.key) })))
    return JSON.stringify({ counts, told })
  }

  private isUsed({ heardSince, users }: Made): boolean {
    return users > 0 || (heardSince !== undefined && this.now() < heardSince + limits.releaseTimeout)
  }

  readonly check: Effect.Effect<void> = Effect.gen(this, function*() {
    if (this.violation !== undefined) throw this.violation
    const now = this.now()
    const { counts, entries, lookups, retired } = yield* this.cache.snapshot
    const told = this.tell({ counts, entries, lookups, retired })
    must(new Set(entries.map(({ key }) => this.keys.nameOf(key))).size === entries.length, "a key has one value")
    must(counts.entries === entries.length, `the entries are counted: ${told}`)
    must(counts.loading + counts.waiting === lookups.length, `the lookups are counted: ${told}`)
    must(counts.waiting === 0 || this.program.settings.whenFull !== "exceed", "nothing waits for room")
    const used = this.made.filter((made) => this.isUsed(made))
    must(counts.inUse === used.length, `in use are ${used.map(({ name }) => name)}: ${told}`)
    const users = used.reduce((sum, made) => sum + made.users, 0)
    const told2 = [...entries, ...retired].reduce((sum, entry) => sum + entry.users.length, 0)
    must(told2 <= users, `${users} users are told: ${told}`)
    const weight = [...entries, ...retired].reduce((sum, entry) => sum + entry.weight, 0)
    must(counts.releasing > 0 ? counts.weight >= weight : counts.weight === weight, `the weight is right: ${told}`)
    const values = entries.filter(({ isFailure }) => !isFailure).length + retired.length + counts.releasing
    const alive = this.made.filter(({ hasNoRelease, releasedAt, state }) =>
      state === "made" && releasedAt === undefined && !hasNoRelease
    )
    must(values + this.unknown >= alive.length, `${alive.map(({ name }) => name)} are alive: ${told}`)
    const undone = this.made.filter((made) => made.state === "made" && made.isBeingReleased && !this.isOver(made))
    must(
      counts.releasing >= undone.length - this.unknown,
      `${undone.map(({ name }) => name)} are being released: ${told}`
    )
    for (const { command, interruptedAt, number, stage, startedAt } of this.clients) {
      must(stage !== "returning", `caller ${number} does not return`)
      if (stage !== "asking") continue
      must(command.way !== "getIfPresent", `caller ${number} has to wait`)
      must(now <= startedAt + limits.acquireTimeout, `caller ${number} has had no answer in time`)
      must(interruptedAt === undefined, `caller ${number} goes on asking, interrupted`)
      must(this.closedAt === undefined, `caller ${number} goes on asking a closed cache`)
    }
  })

  /** Values that are released by nobody's order: the registry is closed, and does not take them. */
  private get unknown(): number {
    return this.isRegistryClosed ? this.made.length : 0
  }

  // --- the end -------------------------------------------------------------------------------------------------------

  /** A healthy cache gives what is asked for. */
  readonly works: Effect.Effect<void> = Effect.gen(this, function*() {
    if (this.closedAt !== undefined || this.isRegistryClosed) return
    const value = yield* Effect.fork(this.cache.use(this.keys.of("z"), (made) => Effect.succeed(made.key)))
    yield* Effect.repeatN(Effect.yieldNow(), 1_000)
    const exit = yield* Fiber.poll(value)
    must(Option.isSome(exit) && Exit.isSuccess(exit.value), `a healthy cache gives nothing: ${exit}`)
  })

  readonly checkEnd: Effect.Effect<void> = Effect.gen(this, function*() {
    const registered = yield* this.checkAllOver
    const { counts, entries, lookups, retired, state } = yield* this.cache.snapshot
    must(state === "closed", "it is closed")
    const left = Object.values(counts).reduce((sum, count) => sum + count, 0) + entries.length + lookups.length
    must(left + retired.length === 0, `something is left: ${this.tell({ counts, entries, lookups, retired })}`)
    for (const made of this.made) {
      must(made.state !== "coming", `the lookup of ${made.name} never ends`)
      must(made.users === 0, `${made.name} is still used`)
      must(!made.isScopeOpen, `the scope of ${made.name} is still open`)
      const isReleased = made.releasedAt !== undefined || made.hasNoRelease
      must(made.state !== "made" || isReleased, `${made.name} is never released`)
    }
    const made = this.made.filter(({ state }) => state === "made").length
    const isExact = !this.isRegistryClosed && this.program.settings.releasedBy !== "scope"
    must(isExact ? registered === made : registered <= made, `each value had a guard: ${registered} of ${made}`)
  })
}
