/**
 * The index while it is built: an SQLite database in the staging directory, in WAL mode, so that others can read it
 * meanwhile. Closing it fails with `IndexBusy` while somebody does; SQLite itself would say nothing, and the staging
 * directory would be pulled away under the reader.
 */
import { ResourceGuard } from "@patinox/core"
import { Context, Effect, Schedule } from "effect"
import { join } from "node:path"
import { Connection, isBusy, sql } from "../../sqlite/src/Connection.js"
import { IndexBusy, IndexError } from "./Errors.js"
import { StagingDirectory } from "./StagingDirectory.js"

/** What is known of a file. */
export interface Row {
  readonly path: string
  readonly size: number
  readonly hash: string
  readonly kind: "text" | "binary"
  /** 0 for a binary file. */
  readonly lines: number
}

export class SqliteIndex extends Context.Tag("index-directory/SqliteIndex")<SqliteIndex, {
  readonly path: string
  readonly connection: Connection
  /** All of them or none. */
  readonly insert: (rows: ReadonlyArray<Row>) => Effect.Effect<void, IndexError>
  readonly count: Effect.Effect<number, IndexError>
  readonly list: (page: { readonly limit: number; readonly offset: number }) => Effect.Effect<
    ReadonlyArray<Row>,
    IndexError
  >
  readonly byHash: (hash: string) => Effect.Effect<ReadonlyArray<Row>, IndexError>
  /** A compact copy in one file. `file` must be new or empty. */
  readonly exportTo: (file: string) => Effect.Effect<void, IndexError>
}>() {}

const attempt = <A>(operation: string, run: () => A): Effect.Effect<A, IndexError> =>
  Effect.try({ try: run, catch: (cause) => new IndexError({ operation, cause }) })

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER, hash TEXT, kind TEXT, lines INTEGER) WITHOUT ROWID;
  CREATE INDEX files_by_hash ON files (hash);
`

const row = "json_object('path', path, 'size', size, 'hash', hash, 'kind', kind, 'lines', lines)"

const valuesOf = ({ hash, kind, lines, path, size }: Row) => sql`(${path}, ${size}, ${hash}, ${kind}, ${lines})`

const serviceOf = (path: string, connection: Connection) =>
  SqliteIndex.of({
    path,
    connection,
    insert: (rows) =>
      attempt("written", () => {
        if (rows.length > 0) connection.exec(`INSERT INTO files VALUES ${rows.map(valuesOf).join()}`)
      }),
    count: attempt("read", () => connection.rows<number>("SELECT count(*) FROM files")[0]!),
    list: ({ limit, offset }) =>
      attempt(
        "read",
        () => connection.rows<Row>(`SELECT ${row} FROM files ORDER BY path ${sql`LIMIT ${limit} OFFSET ${offset}`}`)
      ),
    byHash: (hash) =>
      attempt(
        "read",
        () => connection.rows<Row>(`SELECT ${row} FROM files WHERE hash = ${sql`${hash}`} ORDER BY path`)
      ),
    exportTo: (file) => attempt("written", () => connection.exec(sql`VACUUM INTO ${file}`))
  })

const acquire = Effect.gen(function*() {
  const path = join((yield* StagingDirectory).path, "index.sqlite")
  const connection = yield* attempt("opened", () => new Connection(path))
  return yield* attempt("opened", () => {
    connection.exec(schema)
    return serviceOf(path, connection)
  }).pipe(
    // Nobody else knows of it yet.
    Effect.onError(() => Effect.sync(() => connection.close()))
  )
})

/** To leave WAL mode takes that nobody else has the file open. */
const leaveWal = ({ connection, path }: SqliteIndex["Type"]) =>
  Effect.try({
    try: () => connection.exec("PRAGMA journal_mode = DELETE"),
    catch: (cause) => isBusy(cause) ? new IndexBusy({ path }) : new IndexError({ operation: "closed", cause })
  })

const close = ({ connection }: SqliteIndex["Type"]) => attempt("closed", () => connection.close())

export const layer = ResourceGuard.layer(
  SqliteIndex,
  acquire,
  (index) => Effect.andThen(leaveWal(index), close(index)),
  {
    dependsOn: [StagingDirectory],
    recovery: {
      strategy: () => "Retry",
      retry: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(20)),
      // Better closed under a reader than left open.
      fallback: close
    }
  }
)
