/**
 * The real pool that a program runs on, and books of our own beside it: every creation with what became of it, every
 * borrower with its deadline. What must never be is found when it happens; what must hold at rest, by `check`.
 */
import type { ResourceRegistry } from "@patinox/core"
import { Cause, Deferred, Effect, Exit, Fiber, Option, type Scope, Stream } from "effect"
import { PoolError, ResourcePool } from "../../src/index.js"
import type { Command, Fault, Operation, Program } from "./program.js"
import { limits } from "./program.js"

class Violation extends Error {}

const must: (holds: boolean, what: string) => asserts holds = (holds, what) => {
  if (!holds) throw new Violation(what)
}

const throwing = (): never => {
  throw new Error("this cannot be looked at")
}

/** Without the last failure, which may be untellable. */
const shown = ({ lastCreationFailure: _, ...counts }: ResourcePool.PoolSnapshot): string => JSON.stringify(counts)

/** Throws wherever it is looked at. */
const untellable: any = new Proxy({}, {
  get: throwing,
  // Effect itself asks this of what it fails with.
  has: () => false,
  ownKeys: throwing,
  getPrototypeOf: throwing,
  getOwnPropertyDescriptor: throwing
})

interface Running {
  readonly operation: Operation
  readonly fault: Fault
}

/** A creation: it counts from its start until nothing of it is left. */
class Made {
  state: "creating" | "created" | "over" = "creating"
  id: string | undefined = undefined
  holders = 0
  /** What runs on it now. */
  readonly running = new Set<Running>()
  destroyedAt: number | undefined = undefined
  /** Its creating has ended, and what its scope holds is released. */
  isScopeOpen = false
  hasFailed = false
  isDestroyed = false
  /** Somebody may take it from its holder. */
  mayBeTaken = false
  /** Its last use did not succeed, and it has not been found fit since. */
  isSuspect = false
  /** Somebody has said that it is bad. */
  isCondemned = false
  wasForced = false
  handle: ResourcePool.ItemHandle | undefined = undefined

  constructor(readonly number: number) {}

  toString = throwing
  toJSON = throwing
  readonly [Symbol.toPrimitive] = throwing

  /** What runs on it now, but for what was let go of as it does not stop. */
  get busy(): Running | undefined {
    return [...this.running].find(({ fault }) => fault !== "ignores")
  }
}

interface Borrower {
  readonly command: Command & { readonly _tag: "Borrow" }
  readonly number: number
  readonly startedAt: number
  readonly gate: Deferred.Deferred<void>
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  stage: "asking" | "using" | "returning" | "over"
  /** When it came into its stage. */
  since: number
  interruptedAt: number | undefined
}

export class World {
  readonly made: Array<Made> = []
  readonly borrowers: Array<Borrower> = []
  readonly met = new Map<string, number>()
  violation: unknown = undefined
  pool!: ResourcePool.ResourcePool<Made, string>
  private readonly calls = { create: 0, destroy: 0, validate: 0, recycle: 0, keepAlive: 0 }
  private areHealthy = false
  private mostAllowed = 0
  private drainedAt: number | undefined = undefined
  private readonly others: Array<Fiber.RuntimeFiber<unknown, unknown>> = []

  constructor(
    readonly program: Program,
    private readonly registry: ResourceRegistry.Shape,
    private readonly now: () => number,
    private readonly letGo: Deferred.Deferred<void>
  ) {}

  count(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1)
  }

  /** Runs what must not fail, wherever it is called from. */
  private watch<A>(f: () => A): A | undefined {
    try {
      return f()
    } catch (violation) {
      this.violation ??= violation
      return undefined
    }
  }

  // --- the manager ---------------------------------------------------------------------------------------------------

  private fault(operation: Operation): Fault {
    const faults = this.program.behaviour[operation]
    const fault = this.areHealthy ? "none" : faults[this.calls[operation]++ % faults.length]!
    this.count(`${fault}|${operation}`)
    return fault
  }

  private behave(fault: Fault): Effect.Effect<void, string> {
    switch (fault) {
      case "none":
        return Effect.void
      case "fails":
        return Effect.fail("injected failure")
      case "untellable":
        return Effect.fail(untellable)
      case "dies":
        return Effect.die(new Error("injected defect"))
      case "throws":
        throw new Error("injected throw")
      case "hangs":
        return Effect.interruptible(Deferred.await(this.letGo))
      case "ignores":
        return Effect.uninterruptible(Deferred.await(this.letGo))
      case "slow":
        return Effect.sleep(400)
    }
  }

  private get alive(): number {
    // A destruction that does not end in time is let go of.
    const gone = this.now() - limits.destroyTimeout * 0.95
    return this.made.filter(({ destroyedAt, state, wasForced }) =>
      state !== "over" && !wasForced && (destroyedAt === undefined || destroyedAt > gone)
    ).length
  }

  private checkAlive(): void {
    must(
      this.alive <= Math.max(this.mostAllowed, this.program.settings.maxSize),
      `${this.alive} are alive of ${this.mostAllowed}`
    )
  }

  private readonly create = (handle: ResourcePool.ItemHandle) =>
    Effect.suspend(() => {
      const made = new Made(this.made.length + 1)
      made.handle = handle
      this.made.push(made)
      this.watch(() => this.checkAlive())
      const fault = this.fault("create")
      const { releasedBy } = this.program.settings
      const open = releasedBy === "destroy" ? Effect.void : Effect.acquireRelease(
        Effect.sync(() => {
          made.isScopeOpen = true
        }),
        () =>
          Effect.sync(() => {
            made.isScopeOpen = false
            if (releasedBy === "scope" && made.state === "created") this.destroying(made)
            this.released(made)
          })
      )
      return Effect.onExit(
        Effect.as(Effect.andThen(open, Effect.suspend(() => this.behave(fault))), made),
        (exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) made.state = "created"
            else {
              made.hasFailed = true
              this.released(made)
            }
          })
      )
    })

  /** Nothing of it is left where its destruction has ended, or never begins, and its scope is closed. */
  private released(made: Made): void {
    const isBeing = [...made.running].some(({ operation }) => operation === "destroy")
    const isDestroyed = made.hasFailed || (made.destroyedAt !== undefined && !isBeing)
    if (isDestroyed && !made.isScopeOpen) made.state = "over"
  }

  /** Runs an operation on an item, which nobody else may be doing anything with. */
  private operate(operation: Operation, made: Made): Effect.Effect<void, string> {
    const fault = this.fault(operation)
    const running = { operation, fault }
    this.watch(() => {
      const before = made.busy
      must(
        before === undefined || (operation === "destroy" && this.isForced(made)),
        `${operation} of ${made.number} begins during its ${before?.operation}`
      )
      if (operation !== "destroy") {
        must(made.destroyedAt === undefined || made.mayBeTaken, `${operation} of ${made.number}, which is destroyed`)
        must(made.holders === 0 || made.mayBeTaken, `${operation} of ${made.number}, which somebody holds`)
      }
    })
    made.running.add(running)
    return Effect.ensuring(
      Effect.suspend(() => this.behave(fault)),
      Effect.sync(() => {
        made.running.delete(running)
        this.released(made)
      })
    )
  }

  private destroying(made: Made): void {
    this.watch(() => {
      must(!made.isDestroyed, `${made.number} is destroyed twice`)
      must(made.holders === 0 || this.mayTake(made), `${made.number} is destroyed, which somebody holds`)
    })
    // Another attempt is no other destruction.
    made.destroyedAt ??= this.now()
  }

  private readonly destroy = (made: Made, { id }: ResourcePool.ItemInfo) => {
    made.id ??= id
    this.destroying(made)
    return Effect.tap(this.operate("destroy", made), () => {
      made.isDestroyed = true
    })
  }

  /** Whether the registry may take an item, or a drain near its deadline. */
  private isForced(made: Made): boolean {
    return made.mayBeTaken ||
      (this.drainedAt !== undefined && this.now() >= this.drainedAt + limits.drainTimeout * 0.8)
  }

  /** Whether an item may be taken from its holder now. */
  private mayTake(made: Made): boolean {
    const { leaseTimeout, onLeaseTimeout } = this.program.settings
    return this.isForced(made) || (onLeaseTimeout === "reclaim" && leaseTimeout < Infinity)
  }

  readonly open: Effect.Effect<void, never, Scope.Scope | ResourceRegistry.ResourceRegistry> = Effect.gen(
    this,
    function*() {
      const { isForced, releasedBy, ...settings } = this.program.settings
      this.mostAllowed = settings.maxSize
      this.pool = yield* Effect.orDie(ResourcePool.make<Made, string, Scope.Scope>(this.create, {
        ...settings,
        ...limits,
        validate: (made) =>
          Effect.tap(this.operate("validate", made), () => {
            if (made.isSuspect) this.count("validated after a use that did not succeed")
            made.isSuspect = false
          }),
        recycle: (made) => this.operate("recycle", made),
        keepAlive: (made) => this.operate("keepAlive", made),
        invalidateWhen: (cause) => Cause.squash(cause) === "fatal",
        ...(releasedBy === "scope" ? undefined : { destroy: this.destroy }),
        ...(isForced
          ? {
            forceDestroy: (made) =>
              Effect.sync(() => {
                this.count("forced")
                made.wasForced = true
              })
          }
          : undefined)
      }))
      yield* Effect.forkScoped(Stream.runForEach(this.pool.events, (event) =>
        Effect.sync(() => {
          if (event._tag === "Removed" || event._tag === "Destroyed") this.count(event._tag)
          if (event._tag === "Removed") this.count(event.reason)
        })))
    }
  )

  // --- borrowers -----------------------------------------------------------------------------------------------------

  private borrow(command: Command & { readonly _tag: "Borrow" }): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const now = this.now()
      const borrower: Borrower = {
        command,
        number: this.borrowers.length + 1,
        startedAt: now,
        gate: yield* Deferred.make<void>(),
        fiber: undefined,
        stage: "asking",
        since: now,
        interruptedAt: undefined
      }
      this.borrowers.push(borrower)
      const enter = (stage: Borrower["stage"]) => {
        borrower.stage = stage
        borrower.since = this.now()
      }
      const body = (made: Made, invalidate: Effect.Effect<void>): Effect.Effect<void, string> =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            enter("using")
            this.watch(() => {
              must(made.state === "created", `borrower ${borrower.number} got ${made.number}, which is ${made.state}`)
              must(made.destroyedAt === undefined, `borrower ${borrower.number} got ${made.number}, which is destroyed`)
              must(++made.holders === 1, `${made.number} has two holders`)
              must(made.busy === undefined, `${made.number} is lent during its ${made.busy?.operation}`)
              must(
                !made.isSuspect,
                `${made.number} is lent, whose last use did not succeed, and was not validated since`
              )
              must(!made.isCondemned, `${made.number} is lent, though it is bad`)
            })
          }),
          () =>
            Effect.andThen(
              command.holdMillis === undefined ? Deferred.await(borrower.gate) : Effect.sleep(command.holdMillis),
              this.end(command.outcome, invalidate)
            ),
          (_, exit) =>
            Effect.sync(() => {
              made.holders--
              if (Exit.isFailure(exit)) {
                made.isSuspect = true
                this.count(Exit.isInterrupted(exit) ? "interrupted use" : "failed use")
              }
              enter("returning")
            })
        )
      const { pool } = this
      const options = { priority: command.priority }
      const scoped = <E>(get: Effect.Effect<readonly [Made, Effect.Effect<void>], E, Scope.Scope>) =>
        Effect.scoped(Effect.flatMap(get, ([made, invalidate]) => body(made, invalidate)))
      const ways = {
        use: () => pool.use((made, lease) => body(made, lease.invalidate), options),
        tryUse: () => pool.tryUse((made, lease) => body(made, lease.invalidate)),
        get: () => scoped(Effect.map(pool.get, (made) => [made, Effect.void] as const)),
        tryGet: () => scoped(Effect.map(pool.tryGet, (made) => [made, Effect.void] as const)),
        lease: () => scoped(Effect.map(pool.lease(options), ({ invalidate, value }) => [value, invalidate] as const))
      }
      borrower.fiber = yield* Effect.forkDaemon(Effect.onExit(ways[command.way](), (exit) =>
        Effect.sync(() => {
          this.answered(borrower, exit)
          enter("over")
        })))
    })
  }

  private end(outcome: string, invalidate: Effect.Effect<void>): Effect.Effect<void, string> {
    switch (outcome) {
      case "fails":
        return Effect.fail("harmless")
      case "fatal":
        return Effect.fail("fatal")
      case "dies":
        return Effect.die("bug")
      case "untellable":
        return Effect.fail(untellable)
      case "invalidates":
        return invalidate
      default:
        return Effect.void
    }
  }

  /** How a borrower may end: by its own outcome once it has had its item, else by an error of the pool's. */
  private answered({ command, interruptedAt, number, stage }: Borrower, exit: Exit.Exit<unknown, unknown>): void {
    const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
    this.count(stage === "asking" ? PoolError.is(error) ? error._tag : "interrupted while asking" : `ended in ${stage}`)
    this.watch(() => {
      if (interruptedAt !== undefined && Exit.isInterrupted(exit)) return
      if (stage === "asking") return must(PoolError.is(error), `borrower ${number} ends with ${exit._tag}`)
      const expected = {
        succeeds: undefined,
        invalidates: undefined,
        fails: "harmless",
        fatal: "fatal",
        dies: "bug",
        untellable
      }
      const own = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      must(own === expected[command.outcome], `borrower ${number} ends with ${exit._tag} instead of its own outcome`)
    })
  }

  // --- commands ------------------------------------------------------------------------------------------------------

  run(command: Command, advance: (millis: number) => Effect.Effect<void>): Effect.Effect<void> {
    const { pool } = this
    const pick = (from: ReadonlyArray<Borrower>, which: number) => from[which % Math.max(1, from.length)]
    switch (command._tag) {
      case "Borrow":
        return this.borrow(command)
      case "Return": {
        const holder = pick(this.borrowers.filter(({ stage }) => stage === "using"), command.which)
        return holder === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(holder.gate, undefined))
      }
      case "Interrupt": {
        const borrower = pick(this.borrowers.filter(({ stage }) => stage !== "over"), command.which)
        if (borrower === undefined) return Effect.void
        this.count(`interrupted ${borrower.stage}`)
        borrower.interruptedAt = this.now()
        return Effect.asVoid(Fiber.interruptFork(borrower.fiber!))
      }
      case "Advance":
        return advance(command.millis)
      case "Resize":
        this.mostAllowed = Math.max(command.maxSize, this.alive)
        return Effect.orDie(pool.resize(command))
      case "Invalidate": {
        const made = this.anItem(command.which)
        if (made === undefined) return Effect.void
        this.condemning(made)
        return Effect.map(
          pool.invalidate(made),
          (isThere) =>
            this.watch(() => must(isThere || made.destroyedAt !== undefined || made.state !== "created", "it is there"))
        )
      }
      case "Die":
        return Effect.sync(() => {
          const made = this.anItem(command.which)
          if (made === undefined) return
          this.condemning(made)
          made.handle!.invalidate()
        })
      case "InvalidateAll":
        for (const made of this.made) {
          if (made.holders > 0) this.count("distrusted while in use")
          if (made.state !== "over") made.isCondemned = true
        }
        return Effect.asVoid(pool.invalidateAll)
      case "Suspend":
        return pool.suspend
      case "Resume":
        return pool.resume
      case "EvictIdle":
        return Effect.asVoid(pool.evictIdle)
      case "AwaitReady":
        return Effect.map(Effect.forkDaemon(pool.awaitReady), (fiber) => {
          this.others.push(fiber)
        })
      case "Drain":
        this.drainedAt = this.now()
        return Effect.flatMap(Effect.forkDaemon(pool.drain({ waiters: command.waiters })), (fiber) => {
          this.others.push(fiber)
          return command.isInterrupted ? Effect.asVoid(Fiber.interruptFork(fiber)) : Effect.void
        })
      case "ForceCleanupAll":
      case "ShutDownRegistry": {
        for (const made of this.made) made.mayBeTaken = true
        const { registry } = this
        return Effect.map(
          Effect.forkDaemon(command._tag === "ForceCleanupAll" ? registry.forceCleanupAll : registry.shutdown),
          (fiber) => {
            this.others.push(fiber)
          }
        )
      }
    }
  }

  private anItem(which: number): Made | undefined {
    const left = this.made.filter(({ destroyedAt, state }) => state !== "over" && destroyedAt === undefined)
    return left[which % Math.max(1, left.length)]
  }

  private condemning(made: Made): void {
    // One that is being created is told by its handle only.
    if (made.state === "creating") return this.count("invalidated while it is created")
    made.isCondemned = true
    const isIdle = made.holders === 0 && made.running.size === 0
    this.count(`invalidated while ${isIdle ? "idle" : "in use"}`)
  }

  // --- what holds at rest --------------------------------------------------------------------------------------------

  readonly check: Effect.Effect<void> = Effect.gen(this, function*() {
    if (this.violation !== undefined) throw this.violation
    const now = this.now()
    const snapshot = yield* this.pool.snapshot
    const { creating, destroying, idle, inUse, total, waiting } = snapshot
    must(total === idle + inUse + creating + destroying, "the counts add up")
    this.checkAlive()
    this.mostAllowed = Math.max(snapshot.maxSize, Math.min(this.mostAllowed, this.alive))
    must(total >= this.alive, `${this.alive} are alive, and the pool knows of ${shown(snapshot)}`)
    const using = this.borrowers.filter(({ stage }) => stage === "using")
    must(snapshot.holders.length <= using.length, "who holds an item uses it")
    must(inUse >= snapshot.holders.length - this.taken, "what is held is in use")
    must(
      inUse <= using.length + this.made.filter(({ running }) => running.size > 0).length,
      `an item is lost: ${shown(snapshot)}`
    )
    if (waiting > 0 && snapshot.state === "open") {
      must(idle === 0 || snapshot.checking > 0, "nothing is idle while somebody waits for nothing")
    }
    must(waiting <= this.borrowers.filter(({ stage }) => stage === "asking").length, "who waits, asks")
    for (const { command, interruptedAt, number, since, stage, startedAt } of this.borrowers) {
      const patience = command.way.startsWith("try") ? limits.validateTimeout : limits.acquireTimeout
      if (stage === "asking") must(now <= startedAt + patience, `borrower ${number} has had no answer in time`)
      if (stage === "asking") must(interruptedAt === undefined, `borrower ${number} goes on asking, interrupted`)
      if (stage === "returning") must(now <= since + limits.recycleTimeout, `borrower ${number} is still returning`)
    }
  })

  /** Items that were taken from their holders. */
  private get taken(): number {
    return this.made.filter((made) => made.holders > 0 && made.destroyedAt !== undefined).length
  }

  // --- the end -------------------------------------------------------------------------------------------------------

  /** Nothing is broken any more, and what hung goes on. */
  readonly heal: Effect.Effect<void> = Effect.suspend(() => {
    this.areHealthy = true
    return Effect.andThen(Deferred.succeed(this.letGo, undefined), this.pool.resume)
  })

  readonly returnAll: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.borrowers, ({ gate }) => Deferred.succeed(gate, undefined), { discard: true })
  )

  /** A healthy pool lends. */
  readonly works: Effect.Effect<void> = Effect.gen(this, function*() {
    if ((yield* this.pool.snapshot).state !== "open") return
    yield* this.borrow({ _tag: "Borrow", way: "use", outcome: "succeeds", priority: "Normal", holdMillis: 0 })
  })

  readonly checkEnd: Effect.Effect<void> = Effect.gen(this, function*() {
    if (this.violation !== undefined) throw this.violation
    const { creating, destroying, holders, idle, inUse, state, total, waiting } = yield* this.pool.snapshot
    must(state === "closed", "it is closed")
    must(
      total + idle + inUse + creating + destroying + waiting + holders.length === 0,
      `something is left: ${shown(yield* this.pool.snapshot)}`
    )
    for (const { number, stage } of this.borrowers) must(stage === "over", `borrower ${number} never ends: ${stage}`)
    for (const fiber of this.others) must(Option.isSome(yield* Fiber.poll(fiber)), "a call never ends")
    for (const made of this.made) {
      must(made.holders === 0, `${made.number} is still held`)
      must(!made.isScopeOpen, `the scope of ${made.number} is still open`)
      must(made.state === "over" || made.destroyedAt !== undefined, `${made.number} is never destroyed`)
    }
    const { abandoned, cleaned, disarmed, failed, live, recovered, registered } = yield* this.registry.accounts
    must(live === 0, "no guard is left")
    must(registered === cleaned + recovered + failed + abandoned + disarmed, "the accounts balance")
    must(registered === this.made.filter(({ hasFailed }) => !hasFailed).length, "each item had a guard")
  })
}
