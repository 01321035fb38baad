/** The client of `@effect/sql` on a pool of connections of `pg`. */
import { SqlClient, type SqlConnection, SqlError, Statement } from "@effect/sql"
import { Effect, Stream } from "effect"
import type { Client } from "pg"
import type { ResourcePool } from "../../src/index.js"
import * as Postgres from "./postgres.js"

const compiler = Statement.makeCompiler({
  dialect: "pg",
  placeholder: (index) => `$${index}`,
  onIdentifier: Statement.defaultEscape("\""),
  onCustom: () => ["", []],
  onRecordUpdate: (placeholders, alias, columns, values, returning) => [
    `(values ${placeholders}) as ${alias}${columns}${returning ? ` returning ${returning[0]}` : ""}`,
    returning ? [...values.flat(), ...returning[1]] : values.flat()
  ]
})

type Query = (
  client: Client,
  sql: string,
  values: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<Record<string, unknown>>, Postgres.PostgresError>

const connectionOf = (client: Client, query: Query): SqlConnection.Connection => {
  const rows = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.mapError(query(client, sql, params), (cause) => new SqlError.SqlError({ cause }))
  return {
    execute: (sql, params) => rows(sql, params),
    executeRaw: rows,
    executeUnprepared: (sql, params) => rows(sql, params),
    executeValues: (sql, params) => Effect.map(rows(sql, params), (all) => all.map((row) => Object.values(row))),
    executeStream: (sql, params) => Stream.fromIterableEffect(rows(sql, params))
  }
}

export const sqlClientOf = (
  pool: ResourcePool.ResourcePool<Client, Postgres.PostgresError>,
  query: Query = Postgres.query
) =>
  SqlClient.make({
    acquirer: Effect.mapBoth(pool.get, {
      onFailure: (cause) => new SqlError.SqlError({ cause, message: cause.message }),
      onSuccess: (client) => connectionOf(client, query)
    }),
    compiler,
    spanAttributes: []
  })
