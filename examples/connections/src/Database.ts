/** What a program asks of a database, whichever it is: statements, connections, and errors sorted by what to do about them. */
import { Context, Data, Effect } from "effect"

export type Value = string | number

/** An SQL text and its values: each driver hands these over in its own way. */
export interface Statement {
  readonly parts: ReadonlyArray<string>
  readonly values: ReadonlyArray<Value>
}

export const sql = (parts: ReadonlyArray<string>, ...values: ReadonlyArray<Value>): Statement => ({ parts, values })

export const quoted = (names: ReadonlyArray<string>): string => names.map((name) => `"${name}"`).join()

/**
 * `lost`: the connection is of no use any more. `conflict`: somebody else was at it, another try may do. `constraint`: the
 * data do not allow it. `refused`: it will not get better by itself.
 */
export type Reason = "lost" | "conflict" | "constraint" | "refused"

export class DatabaseError extends Data.TaggedError("DatabaseError")<{
  readonly reason: Reason
  readonly message: string
  readonly cause?: unknown
}> {}

/** What a driver has to do itself. */
export interface Driver {
  /** Gives how many rows it has changed. */
  readonly execute: (statement: Statement) => Effect.Effect<number, DatabaseError>
  /** What a query gives, by names of its columns in their order. */
  readonly rows: <Column extends string>(
    columns: ReadonlyArray<Column>,
    query: Statement
  ) => Effect.Effect<ReadonlyArray<{ readonly [Name in Column]: Value }>, DatabaseError>
  readonly begin: Effect.Effect<unknown, DatabaseError>
  readonly commit: Effect.Effect<unknown, DatabaseError>
  readonly close: Effect.Effect<void, DatabaseError>
}

export interface Connection extends Driver {
  /** Where a transaction is open. */
  readonly rollback: Effect.Effect<void, DatabaseError>
}

export const connectionOf = (driver: Driver): Connection => {
  let isOpen = false
  // In one step with what it says, or an interruption between them would leave a transaction that nobody rolls back.
  const opens = (is: boolean) => (effect: Effect.Effect<unknown, DatabaseError>) =>
    Effect.uninterruptible(Effect.map(effect, () => void (isOpen = is)))
  return {
    ...driver,
    begin: opens(true)(driver.begin),
    commit: opens(false)(driver.commit),
    rollback: Effect.suspend(() => isOpen ? opens(false)(driver.execute(sql`ROLLBACK`)) : Effect.void)
  }
}

export class Database extends Context.Tag("connections/Database")<Database, {
  readonly connect: Effect.Effect<Connection, DatabaseError>
  /** What an administrator may do at any moment: ends every connection there is, and gives how many. A file has none. */
  readonly endConnections: Effect.Effect<number, DatabaseError>
}>() {}
