/** What a server and a network can do to a pool of connections. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Ref, type Scope, Stream } from "effect"
import { isPostgresThere, postgres } from "../../../scripts/testing/postgres.js"
import * as App from "../src/App.js"
import { Connections, transaction } from "../src/Connections.js"
import { Database, sql } from "../src/Database.js"
import type { OrderDesk } from "../src/OrderDesk.js"
import { Orders } from "../src/Orders.js"
import * as Postgres from "../src/Postgres.js"
import { applicationName, leftOf, network } from "./postgres.js"

const postgresIsThere = await isPostgresThere()
const nothing = { connections: 0, schemas: 0 }
/** What the registry and the pool log is not what is tested. */
const silent = Logger.remove(Logger.defaultLogger)

const times = <A>(count: number, make: (n: number) => A) => Array.from({ length: count }, (_, n) => make(n))
/** Lets sockets have their turn. */
const turn = Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)))
const order = (id: string) => ({ id, item: "tea", quantity: 1 })

describe.skipIf(!postgresIsThere)("connections to PostgreSQL", () => {
  type Services = Connections | Orders | OrderDesk | Database

  const scene = <E>(
    body: Effect.Effect<void, E, Services | Scope.Scope>,
    { via = postgres, ...options }: Parameters<typeof App.layer>[1] & { readonly via?: typeof postgres } = {}
  ) =>
    Effect.gen(function*() {
      const name = applicationName()
      const app = App.layer(Postgres.layer({ ...via, application_name: name }), options)
      yield* Effect.flatMap(Orders, ({ stock }) => stock("tea", 1_000)).pipe(
        Effect.andThen(body),
        Effect.scoped,
        Effect.provide(app),
        Effect.provide(silent)
      )
      expect(yield* leftOf(name)).toEqual(nothing)
    })

  it.live("connections to PostgreSQL that are terminated repeatedly under load are replaced: every order is placed, once", () =>
    scene(Effect.gen(function*() {
      const { events } = yield* Connections
      const { place, totals } = yield* Orders
      const { endConnections } = yield* Database
      const lost = yield* Ref.make(0)
      yield* Effect.forkScoped(
        Stream.runForEach(events, (event) =>
          event._tag === "Removed" && event.reason === "failedUse"
            ? Ref.update(lost, (n) => n + 1)
            : Effect.void)
      )
      const placed = yield* Ref.make(0)
      const placeOne = (id: string) => Effect.andThen(place(order(id)), Ref.update(placed, (n) => n + 1))
      const client = (client: number) => Effect.forEach(times(10, (n) => `${client}-${n}`), placeOne, { discard: true })
      const load = yield* Effect.forkScoped(Effect.all(times(20, client), { concurrency: "unbounded", discard: true }))
      let ended = 0
      for (const reached of [20, 60, 100, 140]) {
        const isReached = Effect.repeat(Effect.andThen(turn, Ref.get(placed)), { until: (now) => now >= reached })
        yield* Effect.raceFirst(isReached, Fiber.join(load))
        ended += yield* endConnections
      }
      yield* Fiber.join(load)
      expect(yield* totals).toEqual({ orders: 200, ordered: 200, inStock: 800 })
      expect({ areEnded: ended > 0, areReplaced: (yield* Ref.get(lost)) > 0 }).toEqual({
        areEnded: true,
        areReplaced: true
      })
    })))

  it.live("connections to PostgreSQL that are lost while idle are found out before they are lent", () =>
    scene(
      Effect.gen(function*() {
        const pool = yield* Connections
        const { endConnections } = yield* Database
        const unfit = yield* Ref.make(0)
        yield* Effect.forkScoped(Stream.runForEach(pool.events, (event) =>
          event._tag === "ItemFailed" && event.operation === "validate"
            ? Ref.update(unfit, (n) => n + 1)
            : Effect.void))
        const before = yield* pool.use(Effect.succeed)
        expect(yield* endConnections).toBe(1)
        expect(
          yield* pool.use((connection) =>
            Effect.as(connection.execute(sql`SELECT 1`), connection)
          )
        ).not.toBe(
          before
        )
        expect(yield* Ref.get(unfit)).toBe(1)
      }),
      { maxSize: 1, validateAfter: "1 millis" }
    ))

  it.live("an order whose connection is reset before the answer to its COMMIT is sent again, and placed once", () =>
    Effect.scoped(Effect.gen(function*() {
      const between = yield* network
      const test = Effect.gen(function*() {
        const { place, totals } = yield* Orders
        between.lostCommits = 2
        yield* place(order("a"))
        expect(between.lostCommits).toBe(0)
        expect(yield* totals).toEqual({ orders: 1, ordered: 1, inStock: 999 })
      })
      yield* scene(test, { via: between.settings as typeof postgres })
    })))

  it.live("a connection whose statement failed in a transaction reports no commit, and serves the next order", () =>
    scene(
      Effect.gen(function*() {
        const pool = yield* Connections
        const { totals } = yield* Orders
        const before = yield* pool.use(Effect.succeed)
        const insert = sql`INSERT INTO orders VALUES ('a', 'tea', 1)`
        const error = yield* Effect.flip(
          transaction(pool)(({ execute }) => Effect.andThen(execute(insert), Effect.ignore(execute(insert))))
        )
        expect(error).toMatchObject({ _tag: "DatabaseError", message: "A statement had failed: all was rolled back" })
        expect(yield* totals).toMatchObject({ orders: 0 })
        expect(yield* pool.use(Effect.succeed)).toBe(before)
      }),
      { maxSize: 1 }
    ))

  it.each([
    ["57P01", "lost"],
    ["08006", "lost"],
    ["ECONNRESET", "lost"],
    ["EPIPE", "lost"],
    [undefined, "lost"],
    ["40001", "conflict"],
    ["40P01", "conflict"],
    ["55P03", "conflict"],
    ["23505", "constraint"],
    ["23514", "constraint"],
    ["57014", "refused"],
    ["42601", "refused"]
  ])("code %s means %s", (code, reason) => expect(Postgres.reasonOf(code)).toBe(reason))
})
