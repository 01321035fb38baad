/** A pool of connections to PostgreSQL. A use that was cut off costs its connection: its statement may still be running. */
import { ResourcePool } from "@patinox/pool"
import { Cause, Config, Context, Data, Effect, Layer, Option } from "effect"
import { Client } from "pg"
import { Faults } from "./Faults.js"

class DatabaseError extends Data.TaggedError("DatabaseError")<{ readonly reason: string }> {}

const attempt = <A>(run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (error) => new DatabaseError({ reason: (error as Error).message }) })

export class Database extends Context.Tag("chaos/Database")<Database, ResourcePool.ResourcePool<Client, unknown>>() {}

const connect = Effect.gen(function*() {
  const { untellable } = yield* Faults
  const application_name = yield* Effect.orDie(Config.string("APPLICATION"))
  yield* untellable(0.05)
  const options = `-c search_path=${application_name}`
  const client = new Client({ host: "127.0.0.1", user: "postgres", database: "test", application_name, options })
  // An idle connection that is lost says so here, and Node would end the process for it.
  client.on("error", () => {})
  yield* attempt(() => client.connect())
  return client
})

/** Ends the connection and what still runs on it. */
const destroy = (client: Client) => {
  const { processID } = client as unknown as { readonly processID: number }
  const closed = attempt(() => client.end())
  return Effect.timeout(Effect.interruptible(closed), "1 seconds").pipe(
    Effect.catchAll(() => Effect.sync(() => (client as any).connection.stream.destroy())),
    Effect.annotateLogs({ processID })
  )
}

export const layer = Layer.unwrapEffect(
  Effect.map(Faults, ({ throwing, untellable }) =>
    ResourcePool.layer(Database, connect, {
      name: "database",
      minSize: 1,
      maxSize: 6,
      acquireTimeout: "3 seconds",
      validateAfter: "50 millis",
      destroy,
      validate: (client) => {
        throwing(0.02)
        return Effect.andThen(untellable(0.02), attempt(() => client.query("SELECT 1")))
      },
      recycle: () => {
        throwing(0.02)
        return untellable(0.02)
      },
      // What is refused for what it is ("refused: ...") says nothing against the connection; everything else does.
      invalidateWhen: (cause) =>
        !Option.exists(
          Cause.failureOption(cause),
          (error) => error instanceof DatabaseError && error.reason.startsWith("refused")
        )
    }))
)

export interface Transfer {
  readonly nonce: string
  readonly from: number
  readonly to: number
  readonly amount: number
}

const statement = (client: Client, sql: string, values: ReadonlyArray<unknown>) =>
  attempt(() => client.query(sql, [...values]))

/** Once and whole, or not at all: the ledger and both balances. */
export const transfer = ({ amount, from, nonce, to }: Transfer) =>
  Effect.flatMap(Database, (pool) =>
    pool.use((client, { invalidate }) =>
      Effect.gen(function*() {
        const { untellable } = yield* Faults
        yield* statement(client, "BEGIN", [])
        yield* statement(client, "INSERT INTO ledger VALUES ($1, $2, $3, $4)", [nonce, from, to, amount])
        yield* untellable(0.02)
        const changes = [[from, -amount], [to, amount]].sort(([a], [b]) => a! - b!)
        for (const change of changes) {
          yield* statement(client, "UPDATE accounts SET balance = balance + $2 WHERE id = $1", change)
        }
        yield* statement(client, "SELECT pg_sleep(0.005)", [])
        yield* untellable(0.02)
        yield* statement(client, "COMMIT", [])
      }).pipe(Effect.onError(() => invalidate))
    ))

/** The server itself says which question it answers. */
export const balance = (account: number, nonce: string) =>
  Effect.flatMap(
    Database,
    (pool) =>
      pool.use((client, { invalidate }) =>
        statement(client, "SELECT $1 AS nonce, id, balance FROM accounts, pg_sleep(0.002) WHERE id = $2", [
          nonce,
          account
        ])
          .pipe(
            Effect.onError(() => invalidate),
            Effect.map(({ rows: [row] }) => ({ nonce: row.nonce, account: row.id, balance: Number(row.balance) }))
          )
      )
  )
