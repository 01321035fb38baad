/**
 * Connections of `pg` for a pool, as the README has them: what is cut off is cancelled on the server, and what is left
 * open is rolled back, so that the connection goes on and no work piles up behind it.
 */
import { Cause, Effect, Exit, Option } from "effect"
import { Client } from "pg"
import type { ResourcePool } from "../../src/index.js"
import { isLost, PostgresError, type Settings } from "./postgres.js"

const attempt = <A>(operation: PostgresError["operation"], run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause: any) => new PostgresError({ operation, code: cause.code, message: cause.message })
  })

/** The driver's own error event says that an idle connection is lost. */
export const connect = (settings: Settings) => ({ invalidate }: ResourcePool.ItemHandle) =>
  Effect.suspend(() => {
    const client = new Client({ ...settings, connectionTimeoutMillis: 5_000 })
    client.on("error", invalidate)
    client.on("end", invalidate)
    return Effect.as(attempt("connect", () => client.connect()), client).pipe(
      Effect.tapError(() => Effect.promise(() => client.end().catch(() => {})))
    )
  })

/** What `pg` has, and its types do not. */
interface Backend {
  readonly processID: number
  readonly readyForQuery: boolean
  readonly connection: { readonly stream: { readonly destroy: () => void } }
}

const backendOf = (client: Client) => client as unknown as Backend

/** Ends the statement that runs on the connection, if one does: over a second connection, which is closed at once. */
const cancel = (settings: Settings) => (client: Client) =>
  Effect.suspend(() =>
    backendOf(client).readyForQuery ? Effect.void : Effect.acquireUseRelease(
      Effect.sync(() => new Client({ ...settings, connectionTimeoutMillis: 2_000 })),
      (other) =>
        attempt("query", async () => {
          await other.connect()
          await other.query("select pg_cancel_backend($1)", [backendOf(client).processID])
        }),
      (other) => Effect.promise(() => other.end().catch(() => {}))
    )
  )

/** A statement that is cancelled on the server where its user is interrupted. */
export const query = (settings: Settings) => (client: Client, sql: string, values: ReadonlyArray<unknown> = []) =>
  Effect.onInterrupt(
    attempt("query", async () => (await client.query(sql, [...values])).rows as ReadonlyArray<Record<string, unknown>>),
    () => Effect.ignore(cancel(settings)(client))
  )

export const options = (settings: Settings) =>
  ({
    // A use that did not succeed may have left a statement that runs, or an open transaction.
    recycle: (client, exit) =>
      Exit.isSuccess(exit)
        ? Effect.void
        : Effect.andThen(cancel(settings)(client), attempt("query", () => client.query("rollback"))),
    validate: (client) => attempt("query", () => client.query("select 1")),
    invalidateWhen: (cause) =>
      Option.exists(Cause.failureOption(cause), (e) => e instanceof PostgresError && isLost(e)),
    // A statement that still runs would go on without its connection.
    destroy: (client) => Effect.andThen(Effect.ignore(cancel(settings)(client)), attempt("end", () => client.end())),
    forceDestroy: (client) => Effect.sync(() => backendOf(client).connection.stream.destroy())
  }) satisfies ResourcePool.PoolOptions<Client>
