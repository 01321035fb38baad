/** What the worlds of pool and cache share, on which random programs run: books, faults and the accounts at the end. */
import type { ResourceRegistry } from "@patinox/core"
import { Deferred, Effect, type Exit, Fiber, FiberId, Option, type Scope } from "effect"

class Violation extends Error {}

export const must: (holds: boolean, what: string) => asserts holds = (holds, what) => {
  if (!holds) throw new Violation(what)
}

/** What a function of a user's does in each kind of resource; a kind may add its own. */
type Fault = "none" | "fails" | "dies" | "throws" | "hangs" | "ignores" | "slow"

interface AnyProgram {
  readonly behaviour: Readonly<Record<string, ReadonlyArray<unknown>>>
  readonly commands: ReadonlyArray<{ readonly _tag: string }>
}

/** Somebody who asks for an item or a value, uses it and returns it. */
export interface Client {
  readonly number: number
  readonly startedAt: number
  /** Opens when the client should return it. */
  readonly gate: Deferred.Deferred<void>
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  stage: "asking" | "using" | "returning" | "over"
  /** When it came into its stage. */
  since: number
  interruptedAt: number | undefined
}

/** What a world needs from the run that it is in. */
export interface Surroundings {
  readonly registry: ResourceRegistry.Shape
  readonly now: () => number
  /** Ends whatever hangs. */
  readonly letGo: Deferred.Deferred<void>
}

export abstract class World<P extends AnyProgram, C extends Client = Client> {
  readonly clients: Array<C> = []
  readonly met = new Map<string, number>()
  violation: unknown = undefined
  protected areHealthy = false
  /** Calls that no command waits for. */
  protected readonly others: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
  protected readonly registry: ResourceRegistry.Shape
  protected readonly now: () => number
  protected readonly letGo: Deferred.Deferred<void>
  private readonly calls = new Map<string, number>()

  constructor(readonly program: P, { letGo, now, registry }: Surroundings) {
    this.registry = registry
    this.now = now
    this.letGo = letGo
  }

  /** Opens the pool or the cache. */
  abstract readonly open: Effect.Effect<void, never, Scope.Scope | ResourceRegistry.ResourceRegistry>
  abstract run(
    command: P["commands"][number],
    advance: (millis: number) => Effect.Effect<void>
  ): Effect.Effect<void>
  /** Dies where something does not hold at rest. */
  abstract readonly check: Effect.Effect<void>
  /** A healthy pool lends, a healthy cache loads. */
  abstract readonly works: Effect.Effect<void>
  /** Dies where something is left after the close. */
  abstract readonly checkEnd: Effect.Effect<void>

  /** Nothing is broken from now on, and what hung goes on. */
  heal(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.areHealthy = true
      return Effect.asVoid(Deferred.succeed(this.letGo, undefined))
    })
  }

  /** Everybody who holds something gives it back. */
  readonly returnAll: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.clients, ({ gate }) => Deferred.succeed(gate, undefined), { discard: true })
  )

  protected count(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1)
  }

  /** Runs what must not fail, wherever it is called from. */
  protected watch(f: () => void): void {
    try {
      f()
    } catch (violation) {
      this.violation ??= violation
    }
  }

  /** What the next call of a function does by the program, by default what it does first. */
  protected next<Name extends keyof P["behaviour"] & string>(
    operation: Name,
    healthy: P["behaviour"][Name][number]
  ): P["behaviour"][Name][number] {
    const planned = this.program.behaviour[operation]!
    const call = this.calls.get(operation) ?? 0
    if (!this.areHealthy) this.calls.set(operation, call + 1)
    const does = this.areHealthy ? healthy : planned[call % planned.length]
    this.count(`${String(does)}|${operation}`)
    return does
  }

  protected behaveAs(fault: Fault): Effect.Effect<void, string> {
    switch (fault) {
      case "none":
        return Effect.void
      case "fails":
        return Effect.fail("injected failure")
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

  protected fork(effect: Effect.Effect<unknown, unknown>, isInterrupted = false): Effect.Effect<void> {
    return Effect.flatMap(Effect.forkDaemon(effect), (fiber) => {
      this.others.push(fiber)
      return isInterrupted ? Effect.asVoid(Fiber.interruptFork(fiber)) : Effect.void
    })
  }

  /** A client that begins to ask now. */
  protected newClient(): Client {
    const now = this.now()
    return {
      number: this.clients.length + 1,
      startedAt: now,
      gate: Deferred.unsafeMake(FiberId.none),
      fiber: undefined,
      stage: "asking",
      since: now,
      interruptedAt: undefined
    }
  }

  protected enter(client: C, stage: Client["stage"]): void {
    client.stage = stage
    client.since = this.now()
  }

  /** Runs what a client asks for in a fiber of its own. */
  protected start<E>(client: C, asking: Effect.Effect<unknown, E>): Effect.Effect<void> {
    this.clients.push(client)
    return Effect.map(
      Effect.forkDaemon(Effect.onExit(asking, (exit) =>
        Effect.sync(() => {
          this.answered(client, exit)
          this.enter(client, "over")
        }))),
      (fiber) => {
        client.fiber = fiber
      }
    )
  }

  /** How a client may end. */
  protected abstract answered(client: C, exit: Exit.Exit<unknown, unknown>): void

  protected hold({ gate }: C, millis: number | undefined): Effect.Effect<void> {
    return millis === undefined ? Deferred.await(gate) : Effect.sleep(millis)
  }

  /** Tells one of those who hold something to return it, if there is one. */
  protected returnOne(which: number): Effect.Effect<void> {
    const holders = this.clients.filter(({ stage }) => stage === "using")
    const holder = holders[which % Math.max(1, holders.length)]
    return holder === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(holder.gate, undefined))
  }

  /** Interrupts one of the clients that are not over, if there is one. */
  protected interruptOne(which: number): Effect.Effect<void> {
    const left = this.clients.filter(({ stage }) => stage !== "over")
    const client = left[which % Math.max(1, left.length)]
    if (client === undefined) return Effect.void
    this.count(`interrupted ${client.stage}`)
    client.interruptedAt = this.now()
    return Effect.asVoid(Fiber.interruptFork(client.fiber!))
  }

  /** Clients and calls have ended, and the registry's accounts balance. Gives how many guards there were. */
  protected readonly checkAllOver: Effect.Effect<number> = Effect.gen(this, function*() {
    if (this.violation !== undefined) throw this.violation
    for (const { number, stage } of this.clients) must(stage === "over", `client ${number} never ends: ${stage}`)
    for (const fiber of this.others) must(Option.isSome(yield* Fiber.poll(fiber)), "a call never ends")
    const { abandoned, cleaned, disarmed, failed, live, recovered, registered } = yield* this.registry.accounts
    must(live === 0, "no guard is left")
    must(registered === cleaned + recovered + failed + abandoned + disarmed, "the accounts balance")
    return registered
  })
}
