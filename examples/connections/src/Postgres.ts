/** A PostgreSQL server: connections of `pg`, in a schema of their own that is dropped at the end. */
import { ResourceGuard } from "@patinox/core"
import { Config, Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { Client, type ClientConfig } from "pg"
import {
  type Connection,
  connectionOf,
  Database,
  DatabaseError,
  quoted,
  type Reason,
  sql,
  type Statement
} from "./Database.js"

/** The reason for a code of the server's (an SQLSTATE) or of Node's; a connection that is simply gone has none. */
export const reasonOf = (code: string | undefined): Reason => {
  // A connection exception, an end by the administrator, or as ECONNRESET.
  if (code === undefined || /^(08|57P|E[A-Z])/.test(code)) return "lost"
  // A transaction that the server gave up for another, as in a deadlock, or a lock that it did not get.
  if (/^(40|55P03)/.test(code)) return "conflict"
  return code.startsWith("23") ? "constraint" : "refused"
}

const failed = (cause: unknown): DatabaseError => {
  const { code, message } = cause as { readonly code?: string; readonly message: string }
  // Node's error about several addresses has no message.
  return new DatabaseError({ reason: reasonOf(code), message: message || String(code), cause })
}

/** Numbered: `$1`, `$2`. */
const textOf = ({ parts }: Statement): string => parts.reduce((text, part, n) => `${text}$${n}${part}`)

const driverOf = (client: Client) => {
  // Not interrupted, as its outcome would then be unknown and the connection busy. It has its time limits.
  const query = (statement: Statement, text = textOf(statement)) =>
    Effect.uninterruptible(Effect.tryPromise({ try: () => client.query(text, [...statement.values]), catch: failed }))
  return connectionOf({
    execute: (statement) => Effect.map(query(statement), ({ rowCount }) => rowCount ?? 0),
    rows: (columns, statement) =>
      Effect.map(
        query(statement, `WITH query (${quoted(columns)}) AS (${textOf(statement)}) SELECT * FROM query`),
        ({ rows }) => rows
      ),
    begin: query(sql`BEGIN`),
    // Of a transaction in which a statement has failed the server says that it was rolled back, and that is no error to it.
    commit: Effect.filterOrFail(
      query(sql`COMMIT`),
      ({ command }) => command === "COMMIT",
      () => new DatabaseError({ reason: "refused", message: "A statement had failed: all was rolled back" })
    ),
    close: Effect.tryPromise({ try: () => client.end(), catch: failed })
  })
}

const connect = (settings: ClientConfig): Effect.Effect<Connection, DatabaseError> =>
  Effect.suspend(() => {
    const client = new Client({
      // So that its being created, which nothing interrupts, ends by itself.
      connectionTimeoutMillis: 5_000,
      // The server's limit; and ours, where nothing is heard of the server.
      statement_timeout: 5_000,
      query_timeout: 6_000,
      ...settings
    })
    // An idle connection that is lost says so here, and without a listener that would end the process.
    client.on("error", () => {})
    return Effect.tryPromise({ try: () => client.connect(), catch: failed }).pipe(
      Effect.as(driverOf(client)),
      Effect.tapError(() => Effect.ignore(Effect.tryPromise(() => client.end())))
    )
  })

const once = <A>(settings: ClientConfig, use: (connection: Connection) => Effect.Effect<A, DatabaseError>) =>
  Effect.acquireUseRelease(connect(settings), use, ({ close }) => Effect.ignore(close))

export const layer = (settings: ClientConfig) => {
  const name = settings.application_name ?? ""
  const schema = `${name}_${randomUUID().slice(0, 8)}`.replace(/\W/g, "_")
  const endConnections = sql`
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name = ${name} AND pid <> pg_backend_pid()`
  const own = { ...settings, options: `-c search_path=${schema}` }
  return ResourceGuard.layer(
    Database,
    once(settings, ({ execute }) => execute(sql([`CREATE SCHEMA ${schema}`]))).pipe(
      Effect.as({
        connect: connect(own),
        endConnections: once(
          own,
          ({ rows }) => Effect.map(rows(["ended"], endConnections), ([row]) => Number(row!.ended))
        )
      })
    ),
    () => once(settings, ({ execute }) => execute(sql([`DROP SCHEMA ${schema} CASCADE`]))),
    { timeout: "15 seconds", recovery: { strategy: () => "Retry" } }
  )
}

/** As the environment says, in PostgreSQL's own variables. */
export const layerConfig = Layer.unwrapEffect(Effect.map(
  Config.all({
    host: Config.withDefault(Config.string("PGHOST"), "127.0.0.1"),
    port: Config.withDefault(Config.integer("PGPORT"), 5432),
    user: Config.withDefault(Config.string("PGUSER"), "postgres"),
    database: Config.withDefault(Config.string("PGDATABASE"), "test"),
    application_name: Config.withDefault(Config.string("PGAPPNAME"), `connections-${process.pid}`)
  }),
  layer
))
