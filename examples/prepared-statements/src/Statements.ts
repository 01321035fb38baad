/**
 * Prepared statements, kept by their SQL text for their next user. A statement that is not finalized keeps its memory, and
 * the file open after the database is closed; a finalized statement cannot be used. So it is finalized when it
 * is evicted, but not before its last user is done, and all are before the database is closed.
 *
 * On a driver that can finalize statements, which that of `../sqlite` cannot.
 */
import { type CacheError, ResourceCache } from "@patinox/cache"
import { ResourceGuard } from "@patinox/core"
import { Context, Data, Effect, Exit, Layer } from "effect"
import sqlite, { type Database as Driver, type QueryResult, type Statement } from "node-sqlite3-wasm"

export class SqlError extends Data.TaggedError("SqlError")<{
  readonly sql: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.cause instanceof Error ? this.cause.message : this.cause}: ${this.sql}`
  }
}

const attempt = <A>(sql: string, run: () => A): Effect.Effect<A, SqlError> =>
  Effect.try({ try: run, catch: (cause) => new SqlError({ sql, cause }) })

export class Database extends Context.Tag("prepared-statements/Database")<Database, Driver>() {}

const database = (path: string) =>
  ResourceGuard.layer(
    Database,
    attempt("", () => new sqlite.Database(path)),
    (database) => attempt("", () => database.close())
  )

/** A statement that steps through its rows has one user at a time. */
export interface Prepared {
  readonly statement: Statement
  readonly turn: Effect.Semaphore
}

export class Statements extends Context.Tag("prepared-statements/Statements")<
  Statements,
  ResourceCache.ResourceCache<string, Prepared, SqlError>
>() {}

const prepare = (sql: string) =>
  Effect.gen(function*() {
    const database = yield* Database
    const statement = yield* attempt(sql, () => database.prepare(sql))
    return { statement, turn: yield* Effect.makeSemaphore(1) }
  })

export const layer = (path: string, settings: ResourceCache.CacheSettings & ResourceCache.ReleaseSettings = {}) =>
  ResourceCache.layer(Statements, prepare, {
    maxEntries: 32,
    // A long text is a large statement, about.
    weigher: (_, sql) => sql.length,
    maxWeight: 16_384,
    release: ({ statement }, sql) => attempt(sql, () => statement.finalize()),
    ...settings
  }).pipe(Layer.provideMerge(database(path)))

type Value = string | number | null

const use = <A, E, R>(
  sql: string,
  f: (statement: Statement) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError | CacheError.CacheError, R | Statements> =>
  Effect.flatMap(
    Statements,
    (statements) => statements.use(sql, ({ statement, turn }) => turn.withPermits(1)(f(statement)))
  )

/** A statement that gives no rows: how many there are that it has changed. */
export const run = (sql: string, ...values: ReadonlyArray<Value>) =>
  use(sql, (statement) => attempt(sql, () => statement.run([...values]).changes))

export const all = (sql: string, ...values: ReadonlyArray<Value>) =>
  use(sql, (statement) => attempt(sql, () => statement.all([...values])))

/**
 * Row by row, each after the previous one is processed: the statement is in use all the while. A statement that stops halfway
 * would keep its table locked, so it is finalized and not used again.
 */
export const forEach = <E, R>(
  sql: string,
  f: (row: QueryResult) => Effect.Effect<unknown, E, R>,
  ...values: ReadonlyArray<Value>
) =>
  Effect.flatMap(Statements, (statements) =>
    use(sql, (statement) => {
      const rows = statement.iterate([...values])
      const rest: Effect.Effect<void, E | SqlError, R> = Effect.flatMap(
        attempt(sql, () => rows.next()),
        ({ done, value }) => done === true ? Effect.void : Effect.andThen(f(value), rest)
      )
      return Effect.onExit(rest, (exit) => Exit.isSuccess(exit) ? Effect.void : statements.invalidate(sql))
    }))
