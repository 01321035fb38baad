/** What the tests of the pool share: connections that count themselves, a registry without log lines, and a few waits. */
import { ResourceRegistry } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { Effect, Exit, Layer, Logger, Scope, Stream } from "effect"
import type { PoolEvent, ResourcePool } from "../src/index.js"

/** Lets everything go on that does not wait for the clock. */
export const turns = Effect.repeatN(Effect.yieldNow(), 50)

export const quietly = Layer.provideMerge(ResourceRegistry.layer, Logger.remove(Logger.defaultLogger))

/** A test that fails does not wait, with a clock that stands still, for what it has left open. */
const failing = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.tapErrorCause(
    effect,
    () => Effect.forkDaemon(Effect.repeatN(Effect.andThen(TestClock.adjust("1 hours"), turns), 5))
  )

/** A scope and a registry around it, as an application has them. */
export const inScope = <A, E>(
  effect: Effect.Effect<A, E, Scope.Scope | ResourceRegistry.ResourceRegistry>
): Effect.Effect<A, E> => Effect.provide(Effect.scoped(failing(effect)), quietly)

/** A registry around the effect, and a log that is kept. */
export const logging = <A, E>(
  effect: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, Scope.Scope | ResourceRegistry.ResourceRegistry>
): Effect.Effect<A, E> => {
  const lines: Array<string> = []
  const keep = Logger.make(({ logLevel, message }) => lines.push(`${logLevel.label} ${String(message)}`))
  const layer = Layer.provideMerge(ResourceRegistry.layer, Logger.replace(Logger.defaultLogger, keep))
  return Effect.provide(Effect.scoped(failing(Effect.suspend(() => effect(lines)))), layer)
}

export class Connection {
  isOpen = true
  holders = 0
  constructor(readonly number: number) {}
}

/** Connections, and what there has been of them. */
export class Server {
  opened = 0
  closed = 0
  mostAlive = 0

  get alive(): number {
    return this.opened - this.closed
  }

  readonly create: Effect.Effect<Connection> = Effect.sync(() => this.open())

  open(): Connection {
    const connection = new Connection(++this.opened)
    this.mostAlive = Math.max(this.mostAlive, this.alive)
    return connection
  }

  readonly destroy = (connection: Connection): Effect.Effect<void> =>
    Effect.sync(() => {
      if (!connection.isOpen) throw new Error(`Connection ${connection.number} is closed twice`)
      connection.isOpen = false
      this.closed++
    })

  /** Fails where another holds the connection, too, or it is closed. */
  readonly holding = <B, E, R>(connection: Connection, during: Effect.Effect<B, E, R>): Effect.Effect<B, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        if (!connection.isOpen) throw new Error(`Connection ${connection.number} is closed`)
        if (++connection.holders > 1) throw new Error(`Connection ${connection.number} has two holders`)
      }),
      () => during,
      () =>
        Effect.sync(() => {
          connection.holders--
        })
    )
}

/** Of a pool at rest: nothing in use, nothing waits, nothing under way. */
export const atRest = <A, E>(pool: ResourcePool.ResourcePool<A, E>): Effect.Effect<number> =>
  Effect.flatMap(Effect.andThen(turns, pool.snapshot), (snapshot) => {
    const { creating, destroying, holders, idle, inUse, total, waiting } = snapshot
    return inUse === 0 && waiting === 0 && creating === 0 && destroying === 0 && holders.length === 0 && total === idle
      ? Effect.succeed(idle)
      : Effect.die(new Error(`The pool is not at rest: ${JSON.stringify(snapshot)}`))
  })

/** What a pool tells, from now on. */
export const listen = (pool: { readonly events: Stream.Stream<PoolEvent.PoolEvent> }) =>
  Effect.gen(function*() {
    const events: Array<PoolEvent.PoolEvent> = []
    yield* Effect.forkScoped(
      Stream.runForEach(pool.events, (event) => Effect.sync(() => events.push(event)))
    )
    yield* turns
    return events
  })

/** A scope that is closed by hand, for what cannot be closed without moving the clock. */
export const openScope = Effect.map(Scope.make(), (scope) => ({
  scope,
  close: Scope.close(scope, Exit.void)
}))
