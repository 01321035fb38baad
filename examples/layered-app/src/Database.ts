/** The database, as a guard: others depend on it, so it is closed after them. */
import { ResourceGuard } from "@patinox/core"
import { Context, Data, Effect } from "effect"
import { Connection } from "../../sqlite/src/Connection.js"

export class Database extends Context.Tag("layered-app/Database")<Database, {
  readonly connection: Connection
  readonly exec: (sql: string) => Effect.Effect<void, DatabaseError>
  /** The rows of a query whose one column is JSON. */
  readonly rows: <A>(query: string) => Effect.Effect<ReadonlyArray<A>, DatabaseError>
  /** All of it or nothing. */
  readonly transaction: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | DatabaseError>
}>() {}

export class DatabaseError extends Data.TaggedError("DatabaseError")<{ readonly cause: unknown }> {
  override get message(): string {
    return `The database refuses: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

const attempt = <A>(run: () => A) => Effect.try({ try: run, catch: (cause) => new DatabaseError({ cause }) })

const serviceOf = (connection: Connection) => {
  const exec = (sql: string) => attempt(() => connection.exec(sql))
  return Database.of({
    connection,
    exec,
    rows: (query) => attempt(() => connection.rows(query)),
    transaction: (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.andThen(
          exec("BEGIN"),
          Effect.onError(Effect.zipLeft(restore(effect), exec("COMMIT")), () => Effect.ignore(exec("ROLLBACK")))
        )
      )
  })
}

export const layer = (path: string) =>
  ResourceGuard.layer(
    Database,
    Effect.map(attempt(() => new Connection(path)), serviceOf),
    ({ connection }) => attempt(() => connection.close()),
    { timeout: "5 seconds" }
  )
