/**
 * The real pool that a program runs on, and books of our own beside it: every creation with what became of it, every
 * borrower with its deadline. What must never be is found when it happens; what must hold at rest, by `check`.
 */
import type { ResourceRegistry } from "@patinox/core"
import { Cause, Effect, Exit, Option, type Scope, Stream } from "effect"
import { type Client, must, World } from "../../../../scripts/testing/world.js"
import { PoolError, ResourcePool } from "../../src/index.js"
import { Made, untellable } from "./books.js"
import type { Command, Fault, Operation, Program } from "./program.js"
import { limits } from "./program.js"

/** Without the last failure, which may be untellable. */
const shown = ({ lastCreationFailure: _, ...counts }: ResourcePool.PoolSnapshot): string => JSON.stringify(counts)

interface Borrower extends Client {
  readonly command: Command & { readonly _tag: "Borrow" }
}

export class PoolWorld extends World<Program, Borrower> {
  readonly made: Array<Made> = []
  pool!: ResourcePool.ResourcePool<Made, string>
  private mostAllowed = 0
  private drainedAt: number | undefined = undefined

  // --- the manager ---------------------------------------------------------------------------------------------------

  private behave(fault: Fault): Effect.Effect<void, string> {
    return fault === "untellable" ? Effect.fail(untellable) : this.behaveAs(fault)
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
      const fault = this.next("create", "none")
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
    const fault = this.next(operation, "none")
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
    const borrower: Borrower = { command, ...this.newClient() }
    const body = (made: Made, invalidate: Effect.Effect<void>): Effect.Effect<void, string> =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          this.enter(borrower, "using")
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
            this.hold(borrower, command.holdMillis),
            this.end(command.outcome, invalidate)
          ),
        (_, exit) =>
          Effect.sync(() => {
            made.holders--
            if (Exit.isFailure(exit)) {
              made.isSuspect = true
              this.count(Exit.isInterrupted(exit) ? "interrupted use" : "failed use")
            }
            this.enter(borrower, "returning")
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
    return this.start(borrower, ways[command.way]())
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
  protected answered({ command, interruptedAt, number, stage }: Borrower, exit: Exit.Exit<unknown, unknown>): void {
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
    const { pool, registry } = this
    switch (command._tag) {
      case "Borrow":
        return this.borrow(command)
      case "Return":
        return this.returnOne(command.which)
      case "Interrupt":
        return this.interruptOne(command.which)
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
        return this.fork(pool.awaitReady)
      case "Drain":
        this.drainedAt = this.now()
        return this.fork(pool.drain({ waiters: command.waiters }), command.isInterrupted)
      case "ForceCleanupAll":
      case "ShutDownRegistry":
        for (const made of this.made) made.mayBeTaken = true
        return this.fork(command._tag === "ForceCleanupAll" ? registry.forceCleanupAll : registry.shutdown)
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
    const using = this.clients.filter(({ stage }) => stage === "using")
    must(snapshot.holders.length <= using.length, "who holds an item uses it")
    must(inUse >= snapshot.holders.length - this.taken, "what is held is in use")
    must(
      inUse <= using.length + this.made.filter(({ running }) => running.size > 0).length,
      `an item is lost: ${shown(snapshot)}`
    )
    if (waiting > 0 && snapshot.state === "open") {
      must(idle === 0 || snapshot.checking > 0, "nothing is idle while somebody waits for nothing")
    }
    must(waiting <= this.clients.filter(({ stage }) => stage === "asking").length, "who waits, asks")
    for (const { command, interruptedAt, number, since, stage, startedAt } of this.clients) {
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

  override heal(): Effect.Effect<void> {
    return Effect.andThen(super.heal(), Effect.suspend(() => this.pool.resume))
  }

  /** A healthy pool lends. */
  readonly works: Effect.Effect<void> = Effect.gen(this, function*() {
    if ((yield* this.pool.snapshot).state !== "open") return
    yield* this.borrow({ _tag: "Borrow", way: "use", outcome: "succeeds", priority: "Normal", holdMillis: 0 })
  })

  readonly checkEnd: Effect.Effect<void> = Effect.gen(this, function*() {
    const registered = yield* this.checkAllOver
    const { creating, destroying, holders, idle, inUse, state, total, waiting } = yield* this.pool.snapshot
    must(state === "closed", "it is closed")
    must(
      total + idle + inUse + creating + destroying + waiting + holders.length === 0,
      `something is left: ${shown(yield* this.pool.snapshot)}`
    )
    for (const made of this.made) {
      must(made.holders === 0, `${made.number} is still held`)
      must(!made.isScopeOpen, `the scope of ${made.number} is still open`)
      must(made.state === "over" || made.destroyedAt !== undefined, `${made.number} is never destroyed`)
    }
    must(registered === this.made.filter(({ hasFailed }) => !hasFailed).length, "each item had a guard")
  })
}
