/** Connections of a real PostgreSQL server, and what can happen to them. */
import { afterAll, describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { Cause, Effect, Exit, Fiber, Layer, Logger, Option, Schedule } from "effect"
import type { Client } from "pg"
import { isPostgresThere } from "../../../../scripts/testing/postgres.js"
import { type PoolError, ResourcePool } from "../../src/index.js"
import * as Postgres from "./postgres.js"

const isThere = await isPostgresThere()
const own = await Postgres.ownServer(8)
afterAll(() => own?.remove())

const quietly = Layer.merge(ResourceRegistry.layer, Logger.remove(Logger.defaultLogger))
let names = 0

/** A pool of connections under a name of its own, and then none of them on the server. */
const pooled = <A, E>(
  settings: Postgres.Settings,
  options: ResourcePool.PoolSettings,
  use: (pool: ResourcePool.ResourcePool<Client, Postgres.PostgresError>, name: string) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const name = `patinox-pool-${process.pid}-${++names}`
    const connect = Postgres.connect({ ...settings, application_name: name })
    const result = yield* ResourcePool.make(connect, {
      name,
      destroy: Postgres.disconnect,
      validate: (client) => Postgres.query(client, "select 1"),
      invalidateWhen: (cause) => Option.exists(Cause.failureOption(cause), (error) => Postgres.isLost(error as any)),
      ...options
    }).pipe(Effect.flatMap((pool) => use(pool, name)), Effect.scoped, Effect.provide(quietly))
    // A server needs a moment to notice that a connection is closed.
    const none = Effect.filterOrFail(Postgres.counted(settings, name), (n) => n === 0, (n) => `${n} connections left`)
    yield* Effect.retry(none, Schedule.recurs(100).pipe(Schedule.addDelay(() => "50 millis")))
    return result
  })

const select = (client: Client) => Postgres.query(client, "select 1 as one")

const times = (count: number) => Array.from({ length: count }, (_, i) => i)

describe.skipIf(!isThere)("a pool of PostgreSQL connections", () => {
  it.live("serves 64 fibers with 8 of them, and leaves none", () =>
    pooled(Postgres.shared, { maxSize: 8 }, (pool, name) =>
      Effect.gen(function*() {
        const queries = Effect.forEach(times(20), () => pool.use(select), { discard: true })
        yield* Effect.all(times(64).map(() => queries), { concurrency: "unbounded", discard: true })
        expect(yield* Postgres.counted(Postgres.shared, name)).toBeLessThanOrEqual(8)
        expect((yield* pool.snapshot).total).toBeLessThanOrEqual(8)
      })))

  it.live("recovers when the server kills them under load: errors are typed, nothing hangs", () =>
    pooled(Postgres.shared, { maxSize: 8 }, (pool, name) =>
      Effect.gen(function*() {
        const kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1"
        const killer = Effect.acquireUseRelease(
          Postgres.connect(Postgres.shared),
          (client) => Effect.repeat(Postgres.query(client, kill, [name]), Schedule.recurs(5)),
          (client) => Effect.ignore(Postgres.disconnect(client))
        )
        const sleeping = pool.use((client) => Postgres.query(client, "select pg_sleep(0.02)"))
        const load = yield* Effect.fork(
          Effect.forEach(times(200), () => Effect.exit(sleeping), { concurrency: 32 })
        )
        yield* pool.use(select).pipe(Effect.ignore)
        yield* killer
        const exits = yield* Fiber.join(load)
        const errors = exits.flatMap((exit) => Exit.isFailure(exit) ? [Cause.squash(exit.cause)] : [])
        expect(errors.length).toBeGreaterThan(0)
        for (const error of errors) expect(error).toBeInstanceOf(Postgres.PostgresError)
        // What was idle when it was killed fails at its next use, unless validated first.
        yield* pool.evictIdle
        yield* Effect.forEach(times(100), () => pool.use(select), { concurrency: 16, discard: true })
      })))

  it.live("a pool of PostgreSQL connections has a connection that was lost while idle validated before it is lent again", () =>
    pooled(Postgres.shared, { maxSize: 1, validateAfter: "1 millis" }, (pool, name) =>
      Effect.gen(function*() {
        yield* pool.use(select)
        const kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1"
        yield* Effect.acquireUseRelease(
          Postgres.connect(Postgres.shared),
          (client) => Postgres.query(client, kill, [name]),
          (client) => Effect.ignore(Postgres.disconnect(client))
        )
        yield* Effect.repeat(Postgres.counted(Postgres.shared, name), { until: (n) => n === 0 })
        expect(yield* pool.use(select)).toEqual([{ one: 1 }])
      })))
})

describe.skipIf(own === undefined)("a pool of a server that goes away", () => {
  const failure = (error: PoolError.PoolError<Postgres.PostgresError>) =>
    error._tag === "PoolCreationFailed"
      ? Option.getOrUndefined(error.error)
      : error._tag === "PoolTimeout"
      ? Option.getOrUndefined(Option.flatMap(error.lastCreationFailure, Cause.failureOption))
      : undefined

  it.live("fails at once and says why while it is down, and goes on when it is back", () =>
    Effect.gen(function*() {
      own!.start()
      yield* pooled(
        own!.settings,
        { maxSize: 4, failFastAfter: 3, acquireTimeout: "20 seconds", backoffTo: "100 millis" },
        (pool) =>
          Effect.gen(function*() {
            yield* Effect.forEach(times(16), () => pool.use(select), { concurrency: 8, discard: true })
            // One that is about to be there would be lent, and fail in use.
            yield* Effect.repeat(pool.snapshot, {
              until: ({ creating }) => creating === 0,
              schedule: Schedule.spaced("10 millis")
            })
            own!.stop()
            yield* pool.evictIdle
            const down = yield* Effect.flip(pool.use(() => Effect.void))
            expect(down._tag).toBe("PoolCreationFailed")
            expect(failure(down)).toMatchObject({ operation: "connect", code: "ECONNREFUSED" })
            own!.start()
            yield* Effect.retry(pool.use(select), Schedule.recurs(200).pipe(Schedule.addDelay(() => "50 millis")))
            yield* Effect.forEach(times(16), () => pool.use(select), { concurrency: 8, discard: true })
          })
      )
      own!.stop()
    }))

  it.live("waits where the server has no connection left, names that, and has one as soon as there is", () =>
    Effect.gen(function*() {
      own!.start()
      const others = yield* Effect.forEach(times(7), () => Postgres.connect(own!.settings))
      yield* pooled(
        own!.settings,
        { maxSize: 4, acquireTimeout: "500 millis", failFastAfter: Infinity, backoffTo: "50 millis" },
        (pool) =>
          Effect.gen(function*() {
            // One fits beside the others.
            const held = yield* Effect.fork(pool.use((client) => Postgres.query(client, "select pg_sleep(2)")))
            yield* Effect.repeat(pool.snapshot, {
              until: ({ inUse }) => inUse === 1,
              schedule: Schedule.spaced("10 millis")
            })
            const full = yield* Effect.flip(pool.use(select))
            expect(full).toMatchObject({ _tag: "PoolTimeout", stage: "creating" })
            expect(failure(full as never)).toMatchObject({ operation: "connect", code: "53300" })
            yield* Effect.forEach(others, Postgres.disconnect, { discard: true })
            expect(yield* Effect.retry(pool.use(select), Schedule.recurs(10))).toEqual([{ one: 1 }])
            yield* Fiber.join(held)
          })
      )
      own!.stop()
    }))
})
