/**
 * Requests of lookups that run side by side go out as one batch, as they would in one `Effect.forEach` with batching:
 * each lookup has a fiber of its own, where Effect sees no neighbours.
 */
import { type AppRuntime, forkFor, interruptLater, makeDeferred, withFiber } from "@patinox/core/kernel"
import { Deferred, Effect, Exit, Fiber, RequestBlock } from "effect"

interface Blocked {
  readonly requests: RequestBlock.RequestBlock
  readonly done: Deferred.Deferred<void>
}

/** Fibers that are ready now have their turn first. */
const turns = Effect.repeatN(Effect.yieldNow(), 2)

export class Batches {
  private blocked: Array<Blocked> = []

  constructor(private readonly runtime: AppRuntime<never>) {}

  /** The exit of a lookup, in an uninterruptible region. Its requests wait for those of others. */
  run<A, E, R>(lookup: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> {
    return Effect.flatMap(Effect.step(lookup), (result): Effect.Effect<Exit.Exit<A, E>, never, R> => {
      if (result._op !== "Blocked") return Effect.succeed(result)
      const { effect_instruction_i0: requests, effect_instruction_i1: rest } = result
      return Effect.flatMap(
        Effect.exit(Effect.interruptible(this.resolved(requests))),
        (exit) => Exit.isSuccess(exit) ? this.run(rest) : ended(rest)
      )
    })
  }

  private resolved(requests: RequestBlock.RequestBlock): Effect.Effect<void> {
    return withFiber((fiber) => {
      const done = makeDeferred<void>()
      this.blocked.push({ requests, done })
      if (this.blocked.length === 1) forkFor(fiber, this.runtime, this.flush)
      return Deferred.await(done)
    })
  }

  /** As soon as no other request comes. */
  private readonly flush: Effect.Effect<void> = Effect.suspend(() => {
    const { length } = this.blocked
    return Effect.andThen(turns, Effect.suspend(() => this.blocked.length > length ? this.flush : this.send()))
  })

  private send(): Effect.Effect<void> {
    const { blocked } = this
    this.blocked = []
    const requests = blocked.map(({ requests }) => requests).reduce(RequestBlock.parallel)
    return Effect.andThen(
      Effect.exit(Effect.interruptible(Effect.runRequestBlock(requests))),
      Effect.forEach(blocked, ({ done }) => Deferred.succeed(done, undefined), { discard: true })
    )
  }
}

/** The rest of a lookup that was interrupted while it waited: it is run only to its finalizers. */
const ended = <A, E, R>(rest: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.flatMap(Effect.forkDaemon(rest), (fiber) =>
    Effect.suspend(() => {
      interruptLater(fiber)
      return Fiber.await(fiber)
    }))
