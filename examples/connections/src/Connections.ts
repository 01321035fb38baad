/** The pool of connections, and a transaction: all of it or nothing, on one of them. */
import { ResourcePool } from "@patinox/pool"
import { Cause, Context, Effect, Option } from "effect"
import { type Connection, Database, DatabaseError, sql } from "./Database.js"

export class Connections
  extends Context.Tag("connections/Connections")<Connections, ResourcePool.ResourcePool<Connection, DatabaseError>>()
{}

const isLost = (error: unknown): boolean => error instanceof DatabaseError && error.reason === "lost"

export const layer = (settings: ResourcePool.PoolSettings = {}) =>
  ResourcePool.layer(Connections, Effect.flatMap(Database, ({ connect }) => connect), {
    minSize: 1,
    maxSize: 4,
    acquireTimeout: "2 seconds",
    // A database that cannot be reached is known to be so after a moment, and is asked again twice a second at least.
    failFastAfter: 3,
    backoffTo: "500 millis",
    drainTimeout: "10 seconds",
    destroy: ({ close }) => close,
    validate: ({ execute }) => execute(sql`SELECT 1`),
    // Whatever a use has left open when it failed or was interrupted.
    recycle: ({ rollback }) => rollback,
    // That an order is refused says nothing against the connection.
    invalidateWhen: (cause) => Option.exists(Cause.failureOption(cause), isLost),
    ...settings
  })

/** What fails or is interrupted before the end is rolled back when the pool has the connection back. */
export const transaction =
  (pool: Connections["Type"]) =>
  <A, E, R>(work: (connection: Connection) => Effect.Effect<A, E, R>, options?: ResourcePool.BorrowOptions) =>
    pool.use(
      (connection) => Effect.andThen(connection.begin, Effect.zipLeft(work(connection), connection.commit)),
      options
    )
