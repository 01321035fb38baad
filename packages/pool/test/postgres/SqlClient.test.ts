/** The client of `@effect/sql` on a pool of ours, against a real PostgreSQL server. */
import * as Reactivity from "@effect/experimental/Reactivity"
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { Deferred, Effect } from "effect"
import { isPostgresThere } from "../../../../scripts/testing/postgres.js"
import { ResourcePool } from "../../src/index.js"
import * as Postgres from "./postgres.js"
import { sqlClientOf } from "./sqlClient.js"

const isThere = await isPostgresThere()

describe.skipIf(!isThere)("@effect/sql on a pool", () => {
  it.live("runs statements, and pins a transaction to one connection", () =>
    Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Postgres.connect(Postgres.shared), {
        maxSize: 4,
        destroy: Postgres.disconnect
      })
      const sql = yield* sqlClientOf(pool)
      const pid = Effect.map(sql<{ pid: number }>`select pg_backend_pid() as pid`, ([row]) => row!.pid)
      const hasBegun = yield* Deferred.make<void>()
      const othersAreDone = yield* Deferred.make<void>()
      const [pids, others] = yield* Effect.all([
        sql.withTransaction(Effect.gen(function*() {
          yield* sql`create temporary table pinned (n int) on commit drop`
          yield* Effect.forEach([1, 2, 3], (n) => sql`insert into pinned values (${n})`)
          expect(yield* sql`select sum(n)::int as total from pinned`).toEqual([{ total: 6 }])
          const first = yield* pid
          yield* Deferred.succeed(hasBegun, undefined)
          // As long as the others run, the transaction holds its connection.
          yield* Deferred.await(othersAreDone)
          return [first, yield* pid, yield* pid]
        })),
        Deferred.await(hasBegun).pipe(
          Effect.andThen(Effect.forEach([1, 2, 3], () => pid)),
          Effect.ensuring(Deferred.succeed(othersAreDone, undefined))
        )
      ], { concurrency: "unbounded" })
      expect(new Set(pids).size).toBe(1)
      expect(others).not.toContain(pids[0])
      expect((yield* pool.snapshot).inUse).toBe(0)
    }).pipe(Effect.scoped, Effect.provide([ResourceRegistry.layer, Reactivity.layer])))

  it.live("rolls back a transaction that fails, and gives its connection back", () =>
    Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Postgres.connect(Postgres.shared), {
        maxSize: 1,
        destroy: Postgres.disconnect
      })
      const sql = yield* sqlClientOf(pool)
      const set = sql`select set_config('patinox.seen', 'yes', true)`
      const error = yield* Effect.flip(sql.withTransaction(Effect.andThen(set, Effect.fail("no" as const))))
      expect(error).toBe("no")
      expect(yield* sql`select current_setting('patinox.seen', true) as seen`).not.toEqual([{ seen: "yes" }])
      expect((yield* pool.snapshot).inUse).toBe(0)
    }).pipe(Effect.scoped, Effect.provide([ResourceRegistry.layer, Reactivity.layer])))
})
