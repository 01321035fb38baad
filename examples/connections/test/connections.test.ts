/** The one program on both databases, each of them real; what only a server can do is in `postgres.test.ts`. */
import { describe, expect, it } from "@effect/vitest"
import type { ResourceRegistry } from "@patinox/core"
import type { ResourcePool } from "@patinox/pool"
import { Deferred, Effect, Fiber, type Layer, Logger, Option, Schedule, type Scope, Stream } from "effect"
import { mkdtemp, readdir, rename, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isPostgresThere } from "../../../scripts/testing/postgres.js"
import * as App from "../src/App.js"
import { Connections, transaction } from "../src/Connections.js"
import { type Database, DatabaseError, sql } from "../src/Database.js"
import { OrderDesk } from "../src/OrderDesk.js"
import { Orders } from "../src/Orders.js"
import * as Postgres from "../src/Postgres.js"
import * as Sqlite from "../src/Sqlite.js"
import { applicationName, leftOf, network } from "./postgres.js"

const postgresIsThere = await isPostgresThere()

interface Given {
  readonly database: Layer.Layer<Database, unknown, ResourceRegistry.ResourceRegistry>
  readonly down: Effect.Effect<void>
  readonly up: Effect.Effect<void>
}

const sqlite = Effect.gen(function*() {
  const before = process.env["TMPDIR"]
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "connections-test-"))),
    (folder) =>
      Effect.promise(async () => {
        if (before === undefined) delete process.env["TMPDIR"]
        else process.env["TMPDIR"] = before
        const left = await readdir(folder)
        await rm(folder, { recursive: true })
        expect(left).toEqual([])
      })
  )
  process.env["TMPDIR"] = folder
  const move = (from: string, to: string) => Effect.promise(() => rename(from, to))
  const away = `${folder}-away`
  return { database: Sqlite.layer, down: move(folder, away), up: move(away, folder) }
})

const postgres = Effect.gen(function*() {
  const name = applicationName()
  yield* Effect.addFinalizer(() =>
    Effect.map(leftOf(name), (left) => expect(left).toEqual({ connections: 0, schemas: 0 }))
  )
  const { down, settings, up } = yield* network
  return { database: Postgres.layer({ ...settings, application_name: name }), down, up }
})

type Services = Connections | Orders | OrderDesk | Database

/** What the registry and the desk log is not what is tested. */
const silent = Logger.remove(Logger.defaultLogger)

const order = (id: string, quantity = 1, item = "tea") => ({ id, item, quantity })
const times = <A>(count: number, make: (n: number) => A) => Array.from({ length: count }, (_, n) => make(n))
const atOnce = { concurrency: "unbounded", discard: true } as const
const insert = ({ id, item, quantity }: ReturnType<typeof order>) =>
  sql`INSERT INTO orders VALUES (${id}, ${item}, ${quantity})`
/** Lets what can go on do so, and sockets have their turn. */
const turn = Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)))

const testOn = (given: Effect.Effect<Given, never, Scope.Scope>) =>
(
  title: string,
  settings: ResourcePool.PoolSettings,
  body: (given: Given) => Effect.Effect<void, unknown, Services | Scope.Scope>
) =>
  it.scopedLive(title, () =>
    Effect.flatMap(given, (given) =>
      Effect.provide(
        Effect.andThen(Effect.flatMap(Orders, ({ stock }) => stock("tea", 1_000)), Effect.scoped(body(given))),
        App.layer(given.database, settings)
      )).pipe(Effect.provide(silent)))

const programOn = (given: Effect.Effect<Given, never, Scope.Scope>) => {
  const test = testOn(given)

  test(
    "every order is placed once; orders and stock make up the same sum at each moment",
    {},
    () =>
      Effect.gen(function*() {
        const { place, totals } = yield* Orders
        // Of ten orders four are for one, three for two and three for three.
        const ordersOf = (client: number) => times(10, (n) => order(`${client}-${n}`, n % 3 + 1))
        const client = (n: number) => Effect.forEach(ordersOf(n), (order) => place(order), { discard: true })
        const load = yield* Effect.forkScoped(Effect.all(times(20, client), atOnce))
        let seen = 0
        yield* Effect.repeat(totals, {
          while: ({ inStock, ordered, orders }) => {
            expect(ordered + inStock).toBe(1_000)
            seen++
            return orders < 200
          }
        })
        yield* Fiber.join(load)
        expect(seen).toBeGreaterThan(1)
        expect(yield* totals).toEqual({ orders: 200, ordered: 20 * 19, inStock: 1_000 - 20 * 19 })
        const { inUse, total } = yield* (yield* Connections).snapshot
        expect({ inUse, hasAny: total > 0 && total <= 4 }).toEqual({ inUse: 0, hasAny: true })
      })
  )

  test("an order that is asked for ten times at once is placed once", {}, () =>
    Effect.gen(function*() {
      const { place, totals } = yield* Orders
      yield* Effect.all(times(10, () => place(order("same"))), atOnce)
      expect(yield* totals).toEqual({ orders: 1, ordered: 1, inStock: 999 })
    }))

  test(
    "an order that cannot be met leaves nothing, and says nothing against its connection",
    { maxSize: 1 },
    () =>
      Effect.gen(function*() {
        const pool = yield* Connections
        const { place, totals } = yield* Orders
        const before = yield* pool.use(Effect.succeed)
        expect(yield* Effect.flip(place(order("much", 1_001)))).toMatchObject({ _tag: "OutOfStock" })
        expect(yield* Effect.flip(place(order("other", 1, "coffee")))).toMatchObject({ _tag: "UnknownItem" })
        yield* place(order("good"))
        const twice = yield* Effect.flip(pool.use(({ execute }) => execute(insert(order("good")))))
        expect(twice).toMatchObject({ _tag: "DatabaseError", reason: "constraint" })
        expect(yield* totals).toEqual({ orders: 1, ordered: 1, inStock: 999 })
        expect(yield* pool.use(Effect.succeed)).toBe(before)
      })
  )

  test(
    "a transaction interrupted halfway is rolled back, and its connection serves the next",
    { maxSize: 1 },
    () =>
      Effect.gen(function*() {
        const pool = yield* Connections
        const { totals } = yield* Orders
        const before = yield* pool.use(Effect.succeed)
        const halfway = yield* Deferred.make<void>()
        const wait = Effect.andThen(Deferred.succeed(halfway, undefined), Effect.never)
        const work = yield* Effect.forkScoped(
          transaction(pool)(({ execute }) => Effect.andThen(execute(insert(order("half"))), wait))
        )
        yield* Deferred.await(halfway)
        yield* Fiber.interrupt(work)
        expect(yield* totals).toEqual({ orders: 0, ordered: 0, inStock: 1_000 })
        expect(yield* pool.use(Effect.succeed)).toBe(before)
      })
  )

  const one = { maxSize: 1 } as const

  test("an order is noted while every connection is in use, and placed later", one, () =>
    Effect.gen(function*() {
      const { use } = yield* Connections
      const { place, totals } = yield* Orders
      const { catchUp, noted, take } = yield* OrderDesk
      const orders = [order("a"), order("b", 1_001)]
      const briefly = { acquireTimeout: "50 millis" } as const
      yield* use(() =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(place(order("a"), briefly))
          expect(error).toMatchObject({ _tag: "PoolTimeout", stage: "waiting" })
          expect(yield* Effect.forEach(orders, (order) => take(order, briefly))).toEqual(["noted", "noted"])
          expect(yield* noted).toEqual(orders)
        })
      )
      expect(yield* catchUp).toMatchObject({ placed: 1, refused: [{ _tag: "OutOfStock" }] })
      expect(yield* noted).toEqual([])
      expect(yield* totals).toMatchObject({ orders: 1 })
    }))

  test("an order that has waited its time goes ahead of the others", one, () =>
    Effect.gen(function*() {
      const { events, snapshot, use } = yield* Connections
      const { place } = yield* Orders
      const { take } = yield* OrderDesk
      const done: Array<string> = []
      const tell = (what: string) => Effect.sync(() => done.push(what))
      const others = Effect.andThen(place(order("others"), { acquireTimeout: "10 seconds" }), tell("others"))
      const own = Effect.andThen(take(order("own"), { acquireTimeout: "500 millis" }), tell)
      const timedOut = Stream.runHead(Stream.filter(events, ({ _tag }) => _tag === "TimedOut"))
      const placing = yield* use(() =>
        Effect.gen(function*() {
          const hasTimedOut = yield* Effect.forkScoped(timedOut)
          const placing = [yield* Effect.forkScoped(others), yield* Effect.forkScoped(own)]
          yield* Fiber.join(hasTimedOut)
          yield* Effect.repeat(Effect.andThen(turn, snapshot), { until: ({ waiting }) => waiting === 2 })
          return placing
        })
      )
      yield* Fiber.joinAll(placing)
      expect(done).toEqual(["placed", "others"])
    }))

  const unreachable = { minSize: 0, backoffTo: "50 millis" } as const

  test(
    "orders are noted while the database cannot be reached, and placed later",
    unreachable,
    (given) =>
      Effect.gen(function*() {
        const pool = yield* Connections
        const { place, totals } = yield* Orders
        const { catchUp, noted, take } = yield* OrderDesk
        yield* pool.evictIdle
        yield* given.down
        const error = yield* Effect.flip(place(order("a")))
        if (error._tag !== "PoolCreationFailed") throw new Error(`not expected: ${error}`)
        expect(Option.getOrThrow(error.error)).toBeInstanceOf(DatabaseError)
        expect(Option.getOrThrow(error.error)).toMatchObject({ reason: "lost" })
        expect(yield* Effect.forEach([order("a"), order("b")], (order) => take(order))).toEqual(["noted", "noted"])
        expect(yield* Effect.flip(catchUp)).toMatchObject({ _tag: "PoolCreationFailed" })
        expect(yield* noted).toHaveLength(2)
        yield* given.up
        const again = Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(100))
        expect(yield* Effect.retry(catchUp, again)).toMatchObject({ placed: 2 })
        expect(yield* totals).toEqual({ orders: 2, ordered: 2, inStock: 998 })
      })
  )
}

describe("orders in SQLite", () => {
  programOn(sqlite)

  testOn(sqlite)(
    "a writer in SQLite tries again until another writer has finished",
    {},
    () =>
      Effect.gen(function*() {
        const inTransaction = transaction(yield* Connections)
        const { place, totals } = yield* Orders
        const [begun, end] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const write = Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(end))
        const writing = yield* Effect.forkScoped(inTransaction(() => write))
        yield* Deferred.await(begun)
        const refused = yield* Effect.flip(inTransaction(() => Effect.void))
        expect(refused).toMatchObject({ _tag: "DatabaseError", reason: "conflict" })
        const waiting = yield* Effect.forkScoped(place(order("a")))
        yield* Effect.repeatN(turn, 3)
        expect(yield* Fiber.poll(waiting)).toEqual(Option.none())
        yield* Deferred.succeed(end, undefined)
        yield* Fiber.joinAll([writing, waiting])
        expect(yield* totals).toMatchObject({ orders: 1 })
      })
  )

  it.each([
    [5, "conflict"],
    [517, "conflict"],
    [6, "conflict"],
    [14, "lost"],
    [522, "lost"],
    [275, "constraint"],
    [1, "refused"],
    [undefined, "lost"]
  ])(
    "an order in SQLite that ends with the code %s is an error that means %s",
    (code, reason) => expect(Sqlite.reasonOf(code)).toBe(reason)
  )
})

describe.skipIf(!postgresIsThere)("orders in PostgreSQL", () => {
  programOn(postgres)
})
