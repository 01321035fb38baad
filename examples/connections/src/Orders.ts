/** Orders and the stock that they are taken from. What is in stock and what is ordered always make up the same sum. */
import type { PoolError, ResourcePool } from "@patinox/pool"
import { Context, Data, Effect, Layer, Record, Schedule } from "effect"
import { Connections, transaction } from "./Connections.js"
import { type DatabaseError, sql } from "./Database.js"

export interface Order {
  /** The client's, and the same in every try: an order whose confirmation was lost is not placed twice. */
  readonly id: string
  readonly item: string
  readonly quantity: number
}

export class UnknownItem extends Data.TaggedError("UnknownItem")<{ readonly item: string }> {
  override get message(): string {
    return `There is no ${this.item}`
  }
}

export class OutOfStock extends Data.TaggedError("OutOfStock")<{ readonly order: Order }> {
  override get message(): string {
    const { item, quantity } = this.order
    return `There is less ${item} than ${quantity}`
  }
}

export interface Totals {
  readonly orders: number
  readonly ordered: number
  readonly inStock: number
}

type Unavailable = DatabaseError | PoolError.PoolError<DatabaseError>

export class Orders extends Context.Tag("connections/Orders")<Orders, {
  readonly stock: (item: string, quantity: number) => Effect.Effect<void, Unavailable>
  /** Once, however often it is asked for. */
  readonly place: (
    order: Order,
    options?: ResourcePool.BorrowOptions
  ) => Effect.Effect<void, UnknownItem | OutOfStock | Unavailable>
  readonly totals: Effect.Effect<Totals, Unavailable>
}>() {}

const createTables = [
  sql`CREATE TABLE stock (item TEXT PRIMARY KEY, remaining INTEGER NOT NULL CHECK (remaining >= 0))`,
  sql`CREATE TABLE orders (id TEXT PRIMARY KEY, item TEXT NOT NULL, quantity INTEGER NOT NULL)`
]

// One statement, as two would see different moments.
const selectTotals = sql`
  SELECT count(*), COALESCE(sum(quantity), 0), (SELECT COALESCE(sum(remaining), 0) FROM stock) FROM orders`

/** Less than 2 s in all: 5 ms, 10 ms, ... */
const pauses = Schedule.intersect(Schedule.jittered(Schedule.exponential("5 millis")), Schedule.recurs(8))

/** On another connection, or when somebody else is done. Only for what may be done twice. */
const again = <A, E extends UnknownItem | OutOfStock | Unavailable>(effect: Effect.Effect<A, E>) =>
  Effect.retry(effect, {
    schedule: pauses,
    while: (error) => error._tag === "DatabaseError" && (error.reason === "lost" || error.reason === "conflict")
  })

export const layer = Layer.effect(
  Orders,
  Effect.gen(function*() {
    const pool = yield* Connections
    const inTransaction = transaction(pool)
    yield* inTransaction(({ execute }) => Effect.forEach(createTables, execute, { discard: true }))

    return Orders.of({
      stock: (item, quantity) =>
        Effect.asVoid(pool.use(({ execute }) => execute(sql`INSERT INTO stock VALUES (${item}, ${quantity})`))),

      place: (order, options) => {
        const { id, item, quantity } = order
        return inTransaction(({ execute }) =>
          Effect.gen(function*() {
            const isNew = yield* execute(
              sql`INSERT INTO orders VALUES (${id}, ${item}, ${quantity}) ON CONFLICT (id) DO NOTHING`
            )
            if (isNew === 0) return
            const found = yield* Effect.mapError(
              execute(sql`UPDATE stock SET remaining = remaining - ${quantity} WHERE item = ${item}`),
              (error) => error.reason === "constraint" ? new OutOfStock({ order }) : error
            )
            if (found === 0) return yield* new UnknownItem({ item })
          }), options).pipe(again)
      },

      totals: Effect.map(
        again(pool.use(({ rows }) => rows(["orders", "ordered", "inStock"], selectTotals))),
        // What PostgreSQL counts may be more than a number can hold, so it is a text there.
        ([row]) => Record.map(row!, Number)
      )
    })
  })
)
