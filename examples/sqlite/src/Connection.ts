/**
 * A connection to an SQLite file that is really closed when its close ends. The driver (1.2.1) cannot finalize a prepared
 * statement: until that is collected, its `close` leaves the file open, and `-wal` and `-shm` beside it. So
 * everything goes through `exec`, and rows come back through a function that the query calls.
 */
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite"

type Value = string | number

const literal = (value: Value): string =>
  typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(Number(value))

/** An SQL text with its values as literals. */
export const sql = (parts: TemplateStringsArray, ...values: ReadonlyArray<Value>): string =>
  parts.reduce((text, part, n) => text + literal(values[n - 1]!) + part)

export class Connection {
  private readonly database: DatabaseSyncInstance
  private found: Array<unknown> = []

  constructor(path: string, options: { readonly readOnly?: boolean } = {}) {
    this.database = new DatabaseSync(path, options)
    this.database.function("found", (json: string) => {
      this.found.push(JSON.parse(json))
      return 0
    })
  }

  /** Any number of statements. */
  exec(sql: string): void {
    this.database.exec(sql)
  }

  /** The rows of a query whose one column is JSON. */
  rows<A>(query: string): ReadonlyArray<A> {
    this.found = []
    // Materialized: called from within the query, the function would see the rows before they are put in order.
    this.database.exec(`WITH result (json) AS MATERIALIZED (${query}) SELECT found(json) FROM result`)
    return this.found as ReadonlyArray<A>
  }

  close(): void {
    this.database.close()
  }
}

// SQLITE_BUSY: somebody else has the file open, or locked.
export const isBusy = (error: unknown): boolean => error instanceof Error && "errcode" in error && error.errcode === 5
