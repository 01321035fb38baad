/**
 * A resource that is replaced while it is in use. Each value is a guard of its own, the next is acquired before the
 * last is handed to cleanup, and none is released while somebody uses it. Not for values that need no release and
 * may be replaced while in use: a `Ref` will do.
 */
import { Cause, Effect, ExecutionStrategy, Exit, Fiber, Inspectable, Schedule, Scope } from "effect"
import type { AlreadyCleanedUp } from "../../CleanupError.js"
import { invalidOption, Validation } from "../../PatinoxError.js"
import type { ResourceId } from "../../ResourceId.js"
import { registryOf, ResourceRegistry } from "../../ResourceRegistry.js"
import * as Log from "../cleanup/CleanupLog.js"
import { attributesOf, type CleanupTarget, gone, type Holder, type State } from "../cleanup/CleanupTarget.js"
import { resolveGuard } from "../cleanup/GuardOptions.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Refs from "../effect3/Refs.js"
import * as Schedules from "../effect3/Schedules.js"
import * as Scopes from "../effect3/Scopes.js"
import * as StartCheck from "../effect3/StartCheck.js"
import * as Text from "../kernel/Text.js"
import * as UserFunction from "../kernel/UserFunction.js"
import type { Registry } from "../registry/Registry.js"
import { ManagedScope } from "../scope/ManagedScope.js"
import * as ScopeOptions from "../scope/ScopeOptions.js"
import * as Acquire from "./Acquire.js"
import { inScope } from "./FromScoped.js"
import type { Refreshable, RefreshableOptions, RefreshableSnapshot, RefreshFailure } from "./RefreshableTypes.js"

/** One of the values, and how many use it. */
class Held {
  users = 0
  /** Another has come in its place. */
  isReplaced = false

  constructor(readonly entry: CleanupTarget) {}
}

type AnyOptions = RefreshableOptions<any, any, any, any, any, any, any>
type Refreshed = Exit.Exit<any, any>
type Caller = (refreshed: Refreshed) => void

/** One refresh, for all who called for it. */
class Flight {
  fiber: Fiber.RuntimeFiber<void> | undefined = undefined
  landed: Refreshed | undefined = undefined
  /** Nobody waits for it any longer. */
  isCalledOff = false

  constructor(readonly callers: Set<Caller>) {}
}

interface Settings {
  readonly acquire: Effect.Effect<any, any, any>
  readonly plan: Acquire.AcquirePlan
  readonly registry: Registry
  readonly origin: Refs.Origin
  /** Holds a scope for each value, with what its acquire bound to its scope and with its guard. */
  readonly values: ManagedScope
}

/** What depends on the one value depends on the next from here on, and is not cleaned up with the first. */
const handOnDependents = (from: CleanupTarget, to: CleanupTarget): void => {
  if (from.dependents === undefined) return
  for (const dependent of from.dependents) {
    dependent.dependencies = dependent.dependencies!.map((dependency) => dependency === from ? to : dependency)
    ;(to.dependents ??= new Set()).add(dependent)
    // A dependent that is being acquired holds what it depends on.
    if (from.holders?.has(dependent) !== true) continue
    to.hold(dependent)
    from.endHold(dependent)
  }
  from.dependents = undefined
}

class Source extends Inspectable.Class implements Refreshable<any, any> {
  readonly #settings: Settings
  #current!: Held
  readonly #live = new Set<Held>()
  #flight: Flight | undefined = undefined
  #scheduled: Fiber.RuntimeFiber<void> | undefined = undefined
  #isClosed = false
  #refreshes = 0
  #failures = 0
  #lastFailure: RefreshFailure<any> | undefined = undefined

  constructor(settings: Settings) {
    super()
    this.#settings = settings
  }

  // --- using ---------------------------------------------------------------------------------------------------------

  get id(): ResourceId {
    return this.#current.entry.id
  }

  get typeName(): string {
    return this.#current.entry.typeName
  }

  readonly state: Effect.Effect<State> = Effect.sync(() => this.#current.entry.state)

  readonly value: Effect.Effect<any, AlreadyCleanedUp> = Effect.suspend(() => {
    const { entry } = this.#current
    return entry.isUsable ? Effect.succeed(entry.value) : Effect.fail(gone(entry))
  })

  readonly get: Effect.Effect<any, AlreadyCleanedUp, Scope.Scope> = Effect.uninterruptible(
    Fibers.withFiber((fiber): Effect.Effect<any, AlreadyCleanedUp, Scope.Scope> => {
      const held = this.#current
      const { entry } = held
      if (!entry.isUsable) return Effect.fail(gone(entry))
      const { value } = entry
      const holder = this.#hold(held, fiber)
      return Effect.as(
        Scope.addFinalizer(Refs.service(fiber, Scope.Scope), Effect.sync(() => this.#endUse(held, holder))),
        value
      )
    })
  )

  use<B, E2, R2>(f: (value: any) => Effect.Effect<B, E2, R2>): Effect.Effect<B, E2 | AlreadyCleanedUp, R2> {
    return Effect.uninterruptibleMask((restore) => {
      let held: Held
      let holder: Holder | undefined
      const endUse = () => {
        if (holder !== undefined) this.#endUse(held, holder)
      }
      // As `Effect.onExit`, in one step: this is called far more often than anything else here.
      return Effect.matchCauseEffect(
        restore(Fibers.withFiber((fiber): Effect.Effect<B, E2 | AlreadyCleanedUp, R2> => {
          held = this.#current
          const { entry } = held
          if (!entry.isUsable) return Effect.fail(gone(entry))
          holder = this.#hold(held, fiber)
          return UserFunction.effectOf(f, entry.value, undefined)
        })),
        {
          onFailure: (cause) => {
            endUse()
            return Effect.failCause(cause)
          },
          onSuccess: (result) => {
            endUse()
            return Effect.succeed(result)
          }
        }
      )
    })
  }

  #hold(held: Held, fiber: Fibers.CurrentFiber): Holder {
    const holder = {
      fiber,
      fiberId: Fibers.fiberNumber(fiber),
      since: this.#settings.registry.timers.now(),
      span: Fibers.spanOf(fiber)
    }
    held.users++
    held.entry.hold(holder)
    return holder
  }

  #endUse(held: Held, holder: Holder): void {
    held.users--
    held.entry.endHold(holder)
    this.#retire(held)
  }

  /** Its time limit begins when its last user is gone, and not when another value has come. */
  #retire(held: Held): void {
    if (held.isReplaced && held.users === 0) this.#settings.registry.schedule(held.entry, "background")
  }

  // --- acquiring -----------------------------------------------------------------------------------------------------

  /** Acquires the value that is current from then on, in a scope of its own. Must run in an uninterruptible region. */
  acquire(effect: Effect.Effect<any, any, any>): Effect.Effect<any, any, any> {
    const { origin, plan, registry, values } = this.#settings
    return Fibers.withFiber((fiber) =>
      Effect.flatMap(values.fork(ExecutionStrategy.sequential), (scope) => {
        const result = (_: Registry, entry: CleanupTarget, value: any): any => {
          const held = new Held(entry)
          this.#live.add(held)
          // However it ends: what its acquire bound to the scope is released after it.
          entry.watch(() => {
            this.#live.delete(held)
            if (Scopes.closedExit(scope) === undefined) {
              Fibers.forkNow(Effect.exit(scope.close(entry.run?.exit ?? Exit.void)), origin)
            }
          })
          // In the step in which the dependencies were looked at: whose are handed on can make no circle.
          if (!this.#isClosed) this.#replace(held)
          return value
        }
        return Effect.tapErrorCause(
          Acquire.acquire(fiber, inScope(effect, scope), {
            plan: { ...plan, replaces: this.#current?.entry },
            registry,
            scope,
            result
          }),
          (cause) => scope.close(Exit.failCause(cause))
        )
      })
    )
  }

  readonly #refreshed: Effect.Effect<any, any> = Fibers.callback<any, any>((resume) => {
    if (this.#isClosed) return resume(Effect.fail(gone(this.#current.entry)))
    const flight = this.#flight ?? this.#takeOff(new Set())
    if (flight.landed !== undefined) return resume(flight.landed)
    flight.callers.add(resume)
    return Effect.sync(() => {
      // The flight that it waited for may have been followed by another.
      const flight = this.#flight
      if (flight?.callers.delete(resume) === true && flight.callers.size === 0) this.#callOff(flight)
    })
  })

  readonly refresh: Effect.Effect<void, any> = Effect.asVoid(this.#refreshed)

  #takeOff(callers: Set<Caller>): Flight {
    const { acquire, origin } = this.#settings
    const flight = new Flight(callers)
    this.#flight = flight
    // Uninterruptible, but for what the acquire itself says.
    flight.fiber = Fibers.forkNow(
      Effect.map(Effect.exit(this.acquire(acquire)), (exit) => this.#land(flight, exit)),
      origin
    )
    return flight
  }

  #callOff(flight: Flight): void {
    flight.isCalledOff = true
    Fibers.interruptLater(flight.fiber!)
  }

  #land(flight: Flight, exit: Refreshed): void {
    const { callers } = flight
    this.#flight = undefined
    flight.landed = exit
    if (Exit.isSuccess(exit)) {
      for (const held of this.#live) this.#retire(held)
    } else if (!flight.isCalledOff || !Cause.isInterruptedOnly(exit.cause)) {
      this.#failures++
      this.#lastFailure = { at: this.#settings.registry.wallMillis(), cause: exit.cause }
    } else if (callers.size > 0) {
      // They came when it had been called off, and before it stopped.
      this.#takeOff(callers)
      return
    }
    for (const caller of callers) caller(exit)
  }

  #replace(next: Held): void {
    const previous = this.#current as Held | undefined
    this.#current = next
    if (previous === undefined) return
    this.#refreshes++
    this.#failures = 0
    previous.isReplaced = true
    if (previous.entry.isUsable) handOnDependents(previous.entry, next.entry)
  }

  // --- the schedule --------------------------------------------------------------------------------------------------

  start(schedule: Schedule.Schedule<unknown, Refreshed, any>, first: Refreshed): void {
    const refreshing = Effect.flatMap(Schedules.driver(schedule), (driver) => this.#goOn(driver, first))
    this.#scheduled = Fibers.forkNow<void>(
      Effect.catchAllCause(refreshing, (cause) => Effect.asVoid(this.#warn("stopped, as its schedule died", cause))),
      this.#settings.origin,
      { interruptible: true }
    )
  }

  #goOn(
    driver: Schedules.Driver<Refreshed, any>,
    last: Refreshed
  ): Effect.Effect<void, never, any> {
    return Effect.matchEffect(driver(last), {
      onFailure: () => Effect.void,
      onSuccess: () =>
        Effect.flatMap(Effect.exit(this.#refreshed), (exit) => {
          if (Exit.isSuccess(exit)) return this.#goOn(driver, exit)
          // A registry that shuts down will not take in another value.
          if (this.#isClosed || this.#settings.registry.phase !== "Running") return Effect.void
          const times = this.#failures > 1 ? `, ${this.#failures} times in a row` : ""
          return Effect.andThen(this.#warn(`failed${times}`, exit.cause), this.#goOn(driver, exit))
        })
    })
  }

  #warn(what: string, cause: Cause.Cause<unknown>): Effect.Effect<unknown> {
    const { entry } = this.#current
    const age = Text.duration(this.#settings.registry.timers.now() - entry.registeredAt)
    const left = entry.isUsable ? `its value of ${age} ago stays` : "it has no value"
    const line = Effect.logWarning(`The refresh of ${Text.resource(entry)} ${what}; ${left}`, Log.showable(cause))
    // A logger that throws must not end the refreshing.
    return Effect.exit(Effect.annotateLogs(line, attributesOf(entry)))
  }

  // --- closing -------------------------------------------------------------------------------------------------------

  /** Ends the refresh that runs and the schedule; callers that wait for a refresh fail at once. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.#isClosed = true
    const flight = this.#flight
    const callers = [...flight?.callers ?? []]
    flight?.callers.clear()
    for (const caller of callers) caller(Exit.fail(gone(this.#current.entry)))
    if (flight !== undefined) flight.isCalledOff = true
    return Fiber.interruptAll([flight?.fiber, this.#scheduled].filter((fiber) => fiber !== undefined))
  })

  // --- reading -------------------------------------------------------------------------------------------------------

  readonly snapshot: Effect.Effect<RefreshableSnapshot<any>> = Effect.sync(() => {
    const { entry, users } = this.#current
    return {
      id: entry.id,
      state: entry.state,
      acquiredAt: entry.createdAt,
      users,
      earlier: [...this.#live].filter(({ isReplaced }) => isReplaced).length,
      isRefreshing: this.#flight !== undefined,
      refreshes: this.#refreshes,
      failures: this.#failures,
      lastFailure: this.#lastFailure
    }
  })

  override toJSON() {
    const { id, state, typeName } = this.#current.entry
    return { _id: "Refreshable", id, typeName, state }
  }
}

/** The scope that holds all of it, at its place in the owner's. Its parts have a time limit each; three in all. */
const ownScope = (owner: Scope.Scope, timeout: number): Effect.Effect<ManagedScope> =>
  owner instanceof ManagedScope ? owner.fork(ExecutionStrategy.sequential) : Effect.sync(() => {
    StartCheck.checkScopes()
    const options = ScopeOptions.resolve({ timeout: 3 * timeout, finalizerTimeout: timeout })
    return new ManagedScope(options as ScopeOptions.ResolvedScope, ExecutionStrategy.sequential)
  })

const checked = (plan: Acquire.AcquirePlan, registry: Registry, options: AnyOptions | undefined) => {
  const schedule: unknown = options?.schedule
  return schedule === undefined || Schedule.isSchedule(schedule)
    ? resolveGuard(plan.options, registry.options.guardDefaults)
    : invalidOption("schedule", schedule, "a Schedule")
}

export const make = (
  acquire: Effect.Effect<any, any, any>,
  plan: Acquire.AcquirePlan,
  options: AnyOptions | undefined
): Effect.Effect<Refreshable<any, any>, any, any> =>
  Effect.uninterruptibleMask((restore) =>
    Fibers.withFiber((fiber) => {
      const registry = registryOf(Refs.service(fiber, ResourceRegistry))
      const resolved = checked(plan, registry, options)
      if (resolved instanceof Validation) return Effect.die(resolved)
      const owner = Refs.service(fiber, Scope.Scope)
      const isInterruptible = options?.interruptibleAcquire === true
      return Effect.gen(function*() {
        const scope = yield* ownScope(owner, resolved.settings.timeout)
        const source = new Source({
          acquire: isInterruptible ? Effect.interruptible(acquire) : acquire,
          plan,
          registry,
          origin: Refs.originOf(fiber),
          values: yield* scope.fork(ExecutionStrategy.parallel)
        })
        const value = yield* Effect.tapErrorCause(
          source.acquire(isInterruptible ? restore(acquire) : acquire),
          (cause) => scope.close(Exit.failCause(cause))
        )
        scope.label = `refresh of ${source.typeName}`
        if (options?.schedule !== undefined) source.start(options.schedule, Exit.succeed(value))
        yield* scope.addFinalizer(() => source.stop)
        if (!(owner instanceof ManagedScope)) {
          yield* Scope.addFinalizerExit(owner, (exit) => scope.close(exit))
        }
        return source
      })
    })
  )
