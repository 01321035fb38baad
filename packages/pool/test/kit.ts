/** What the tests of the pool share: connections that count themselves, a registry without log lines, and a few waits. */
import { TestRegistry } from "@patinox/vitest"
import { Effect } from "effect"
import { turns } from "../../../scripts/testing/effects.js"
import type { ResourcePool } from "../src/index.js"

export { listen, openScope, turns } from "../../../scripts/testing/effects.js"

export const quietly = TestRegistry.quiet
/** A scope and a registry around it, as an application has them. */
export const inScope = TestRegistry.scoped
/** A registry around the effect, and a log that is kept. */
export const logging = TestRegistry.scopedWithLog

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
