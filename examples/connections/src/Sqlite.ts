/** An SQLite file in a directory of its own, which is gone at the end. */
import { ResourceGuard } from "@patinox/core"
import { Context, Effect, Layer } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Connection, sql as literal } from "../../sqlite/src/Connection.js"
import { connectionOf, Database, DatabaseError, quoted, type Reason, sql, type Statement } from "./Database.js"

/** The reason for a result code of SQLite's; without one it is the driver that has no file. */
export const reasonOf = (code: number | undefined): Reason => {
  if (code === undefined) return "lost"
  // The rest of an extended code tells more than is needed here.
  switch (code & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return "conflict"
    case 10: // SQLITE_IOERR
    case 11: // SQLITE_CORRUPT
    case 14: // SQLITE_CANTOPEN
    case 26: // SQLITE_NOTADB
      return "lost"
    case 19: // SQLITE_CONSTRAINT
      return "constraint"
    default:
      return "refused"
  }
}

const attempt = <A>(run: () => A): Effect.Effect<A, DatabaseError> =>
  Effect.try({
    try: run,
    catch: (cause) => {
      const { errcode, message } = cause as { readonly errcode?: number; readonly message: string }
      return new DatabaseError({ reason: reasonOf(errcode), message, cause })
    }
  })

const textOf = ({ parts, values }: Statement): string => literal(parts as TemplateStringsArray, ...values)

const connect = (path: string) =>
  Effect.map(attempt(() => new Connection(path)), (file) => {
    const execute = (statement: Statement) =>
      attempt(() => {
        file.exec(textOf(statement))
        return file.rows<number>("SELECT changes()")[0]!
      })
    return connectionOf({
      execute,
      rows: (columns, query) => {
        const row = `json_object(${columns.map((name) => `'${name}', "${name}"`).join()})`
        return attempt(() =>
          file.rows(`WITH query (${quoted(columns)}) AS (${textOf(query)}) SELECT ${row} FROM query`)
        )
      },
      // A writer notices at once that it is not alone: a transaction that has read first could not go on.
      begin: execute(sql`BEGIN IMMEDIATE`),
      commit: execute(sql`COMMIT`),
      close: attempt(() => file.close())
    })
  })

class Directory extends Context.Tag("connections/Directory")<Directory, string>() {}

const directory = ResourceGuard.layer(
  Directory,
  Effect.promise(() => mkdtemp(join(tmpdir(), "connections-"))),
  (path) => Effect.tryPromise(() => rm(path, { recursive: true }))
)

export const layer = Layer.effect(
  Database,
  Effect.gen(function*() {
    const path = join(yield* Directory, "orders.sqlite")
    // So that those who read and the one who writes do not wait for each other. The file remembers it.
    const useWal = (connection: Connection) => attempt(() => connection.exec("PRAGMA journal_mode = WAL"))
    const close = (connection: Connection) => Effect.sync(() => connection.close())
    yield* Effect.acquireUseRelease(attempt(() => new Connection(path)), useWal, close)
    return { connect: connect(path), endConnections: Effect.succeed(0) }
  })
).pipe(Layer.provide(directory))
