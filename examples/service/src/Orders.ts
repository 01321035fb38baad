/** Orders are written down, paid, and marked as paid: what needs the database in several steps, with a wait between them. */
import { Context, Effect, Layer } from "effect"
import { sql } from "../../sqlite/src/Connection.js"
import { type NewOrder, type Order, OrderNotFound } from "./Api.js"
import { Database, type DatabaseError } from "./Database.js"
import { Payments } from "./Payments.js"

export class Orders extends Context.Tag("service/Orders")<Orders, {
  readonly place: (order: typeof NewOrder.Type) => Effect.Effect<typeof Order.Type, DatabaseError>
  readonly find: (id: number) => Effect.Effect<typeof Order.Type, DatabaseError | OrderNotFound>
}>() {}

const json = "json_object('id', id, 'item', item, 'quantity', quantity, 'status', status)"

export const layer = Layer.effect(
  Orders,
  Effect.gen(function*() {
    const { run } = yield* Database
    const { charge } = yield* Payments
    return {
      place: ({ item, quantity }) =>
        Effect.gen(function*() {
          const id = yield* run((database) => {
            database.exec(sql`INSERT INTO orders (item, quantity, status) VALUES (${item}, ${quantity}, 'pending')`)
            return database.rows<number>("SELECT last_insert_rowid()")[0]!
          })
          yield* charge(id)
          yield* run((database) => database.exec(sql`UPDATE orders SET status = 'paid' WHERE id = ${id}`))
          return { id, item, quantity, status: "paid" as const }
          // Whoever has paid has an order.
        }).pipe(Effect.uninterruptible),
      find: (id) =>
        Effect.flatMap(
          run((database) => database.rows<typeof Order.Type>(`SELECT ${json} FROM orders WHERE id = ${sql`${id}`}`)),
          ([order]) => order === undefined ? Effect.fail(new OrderNotFound({ id })) : Effect.succeed(order)
        )
    }
  })
)
