/** What is cut off does not go on to the next borrower, and nothing of it is left on the server: a real PostgreSQL server. */
import * as Reactivity from "@effect/experimental/Reactivity"
import type { SqlClient } from "@effect/sql"
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { Cause, Effect, Exit, Fiber, Schedule } from "effect"
import type { Client } from "pg"
import { isPostgresThere } from "../../../../scripts/testing/postgres.js"
import { ResourcePool } from "../../src/index.js"
import * as Cancelling from "./cancelling.js"
import * as Postgres from "./postgres.js"
import { sqlClientOf } from "./sqlClient.js"

const isThere = await isPostgresThere()

let pools = 0

const pooled = <B, E>(
  given: { readonly maxSize: number; readonly validateAfter?: number },
  body: (
    pool: ResourcePool.ResourcePool<Client, Postgres.PostgresError>,
    settings: Postgres.Settings
  ) => Effect.Effect<B, E, Reactivity.Reactivity>
) => {
  const settings = { ...Postgres.shared, application_name: `patinox-cancel-${process.pid}-${++pools}` }
  return ResourcePool.make(Cancelling.connect(settings), { ...Cancelling.options(settings), ...given }).pipe(
    Effect.flatMap((pool) => body(pool, settings)),
    Effect.scoped,
    Effect.provide([ResourceRegistry.layer, Reactivity.layer])
  )
}

/** Other than idle ones, and those of the cancelling. */
const busy = (name: string) =>
  Effect.acquireUseRelease(
    Postgres.connect(Postgres.shared),
    (client) =>
      Effect.map(
        Postgres.query(
          client,
          "select count(*)::int as n from pg_stat_activity where application_name = $1 and state <> 'idle'",
          [name]
        ),
        ([row]) => row!["n"] as number
      ),
    (client) => Effect.ignore(Postgres.disconnect(client))
  )

/** Waits until a statement of the pool's runs on the server. */
const untilBusy = (name: string, n = 1) => Effect.repeat(busy(name), { until: (found) => found >= n })

describe.skipIf(!isThere)("a pool whose connections cancel on the server", () => {
  it.live("lends no connection with a statement in flight: the server stops working on it", () =>
    pooled({ maxSize: 1 }, (pool, settings) =>
      Effect.gen(function*() {
        const query = Cancelling.query(settings)
        const pid = pool.use((client) =>
          Effect.map(query(client, "select pg_backend_pid() as pid"), ([row]) => row!["pid"])
        )
        const first = yield* pid
        const cut = yield* Effect.fork(pool.use((client) => query(client, "select pg_sleep(60)")))
        yield* untilBusy(settings.application_name!)
        yield* Fiber.interrupt(cut)
        expect(yield* busy(settings.application_name!)).toBe(0)
        // The connection itself goes on.
        expect(yield* pid).toBe(first)
      })))

  it.live("cancels what a driver's bare promise has left running, too", () =>
    pooled({ maxSize: 1 }, (pool, settings) =>
      Effect.gen(function*() {
        const bare = (sql: string) => pool.use((client) => Effect.tryPromise(() => client.query(sql)))
        const cut = yield* Effect.fork(bare("select pg_sleep(60)"))
        yield* untilBusy(settings.application_name!)
        yield* Fiber.interrupt(cut)
        expect((yield* bare("select 1 as one")).rows).toEqual([{ one: 1 }])
        expect(yield* busy(settings.application_name!)).toBe(0)
      })))

  for (
    const [name, end] of Object.entries<Effect.Effect<never, unknown>>({
      "was interrupted": Effect.interrupt,
      "failed": Effect.fail("no"),
      "died": Effect.die("bug")
    })
  ) {
    it.live(`lends no connection inside of the transaction of a use that ${name}`, () =>
      pooled({ maxSize: 1 }, (pool, settings) =>
        Effect.gen(function*() {
          const query = Cancelling.query(settings)
          const transfer = pool.use((client) =>
            Effect.andThen(query(client, "begin; create temp table paid (n int)"), end)
          )
          expect(Exit.isFailure(yield* Effect.exit(transfer))).toBe(true)
          const [seen] = yield* pool.use((client) =>
            query(client, "select to_regclass('paid') is not null as inside, pg_current_xact_id_if_assigned() as xid")
          )
          expect(seen).toEqual({ inside: false, xid: null })
        })))
  }

  it.live("piles up no connections on the server under a storm of time limits", () =>
    pooled({ maxSize: 4 }, (pool, settings) =>
      Effect.gen(function*() {
        const query = Cancelling.query(settings)
        const slow = Effect.timeout(pool.use((client) => query(client, "select pg_sleep(30)")), "50 millis")
        let most = 0
        const watching = yield* Effect.fork(Effect.forever(Effect.map(
          Postgres.counted(Postgres.shared, settings.application_name!),
          (n) => {
            most = Math.max(most, n)
          }
        )))
        const exits = yield* Effect.forEach(Array.from({ length: 40 }), () => Effect.exit(slow), { concurrency: 8 })
        yield* Fiber.interrupt(watching)
        expect(exits.every(Exit.isFailure)).toBe(true)
        // Four of the pool's, and at most as many that cancel, each twice.
        expect(most).toBeLessThanOrEqual(16)
        yield* Effect.repeat(Postgres.counted(Postgres.shared, settings.application_name!), { until: (n) => n <= 4 })
        expect(yield* busy(settings.application_name!)).toBe(0)
        expect(yield* pool.use((client) => query(client, "select 1 as one"))).toEqual([{ one: 1 }])
      })))

  it.live("destroys an idle connection that the server has ended, as the driver says so", () =>
    pooled({ maxSize: 1 }, (pool, settings) =>
      Effect.gen(function*() {
        const query = Cancelling.query(settings)
        yield* pool.use((client) => query(client, "select 1"))
        yield* Effect.acquireUseRelease(
          Postgres.connect(Postgres.shared),
          (client) =>
            Postgres.query(
              client,
              "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1",
              [
                settings.application_name!
              ]
            ),
          (client) => Effect.ignore(Postgres.disconnect(client))
        )
        // Nobody borrows, and nothing is validated.
        yield* Effect.repeat(pool.snapshot, {
          until: ({ total }) => total === 0,
          schedule: Schedule.spaced("5 millis")
        })
      })))

  it.live("a pool whose connections cancel on the server as the client of @effect/sql leaves neither statement nor transaction to the next", () =>
    pooled({ maxSize: 1 }, (pool, settings) =>
      Effect.gen(function*() {
        const sql: SqlClient.SqlClient = yield* sqlClientOf(pool, Cancelling.query(settings))
        const inside = Effect.andThen(sql`create temp table paid (n int)`, sql`select pg_sleep(60)`)
        const cut = yield* Effect.fork(sql.withTransaction(inside))
        yield* Effect.repeat(
          Effect.map(busy(settings.application_name!), (n) => n),
          { until: (n) => n >= 1 }
        )
        yield* Effect.sleep("100 millis")
        yield* Fiber.interrupt(cut)
        const rows = yield* sql<{ readonly inside: boolean }>`select to_regclass('paid') is not null as inside`
        expect(rows).toEqual([{ inside: false }])
        expect(yield* busy(settings.application_name!)).toBe(0)
        const alone = yield* Effect.exit(Effect.timeout(sql`select pg_sleep(60)`, "50 millis"))
        expect(Exit.isFailure(alone) && Cause.isInterrupted(alone.cause)).toBe(false)
        expect(yield* busy(settings.application_name!)).toBe(0)
      })))
})
