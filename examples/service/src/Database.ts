/** The database that every request needs: open for as long as one runs. */
import { ResourceGuard } from "@patinox/core"
import { Config, Context, Data, Effect } from "effect"
import { Connection } from "../../sqlite/src/Connection.js"

/** It refuses, as it does once it is closed. */
export class DatabaseError extends Data.TaggedError("DatabaseError")<{ readonly cause: unknown }> {
  override get message(): string {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

export class Database extends Context.Tag("service/Database")<Database, {
  /** In one step, which nobody else comes between. */
  readonly run: <A>(use: (connection: Connection) => A) => Effect.Effect<A, DatabaseError>
  readonly close: Effect.Effect<void, DatabaseError>
}>() {}

const attempt = <A>(use: () => A) => Effect.try({ try: use, catch: (cause) => new DatabaseError({ cause }) })

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT, quantity INTEGER, status TEXT);
`

const open = Effect.gen(function*() {
  const path = yield* Config.string("DATABASE")
  const connection = yield* attempt(() => new Connection(path))
  const database = Database.of({
    run: (use) => attempt(() => use(connection)),
    close: attempt(() => connection.close())
  })
  yield* Effect.onError(database.run((connection) => connection.exec(schema)), () => Effect.ignore(database.close))
  return database
})

export const layer = ResourceGuard.layer(Database, open, ({ close }) => close)
