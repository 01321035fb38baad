/**
 * Clients bring their orders here. An order that cannot be placed now is noted, and placed when the database is back.
 * Notes are in memory: a desk that has to keep them over a restart writes them to a file.
 */
import type { PoolError, ResourcePool } from "@patinox/pool"
import { Context, Effect, Layer } from "effect"
import type { DatabaseError } from "./Database.js"
import { type Order, Orders, type OutOfStock, type UnknownItem } from "./Orders.js"

/** What is left to the client: its order cannot be met, or nobody knows what to do. */
type Refusal =
  | UnknownItem
  | OutOfStock
  | DatabaseError
  | Exclude<PoolError.PoolError<DatabaseError>, { readonly _tag: "PoolTimeout" | "PoolCreationFailed" }>

export class OrderDesk extends Context.Tag("connections/OrderDesk")<OrderDesk, {
  readonly take: (
    order: Order,
    options?: ResourcePool.BorrowOptions
  ) => Effect.Effect<"placed" | "noted", Refusal>
  readonly noted: Effect.Effect<ReadonlyArray<Order>>
  /**
   * Places what is noted, the oldest first; gives how many it was, and those that cannot be met. Where the database fails
   * it stops, and the rest stays noted.
   */
  readonly catchUp: Effect.Effect<
    { readonly placed: number; readonly refused: ReadonlyArray<UnknownItem | OutOfStock> },
    DatabaseError | PoolError.PoolError<DatabaseError>
  >
}>() {}

export const layer = Layer.effect(
  OrderDesk,
  Effect.gen(function*() {
    const { place } = yield* Orders
    const notes: Array<Order> = []
    const note = (order: Order, { message }: Error) =>
      Effect.as(
        Effect.andThen(Effect.sync(() => notes.push(order)), Effect.logInfo(`order ${order.id} is noted: ${message}`)),
        "noted" as const
      )

    return OrderDesk.of({
      take: (order, options) =>
        place(order, options).pipe(
          // Every connection is in use. Who has waited that long goes ahead of the others, once.
          Effect.catchTag("PoolTimeout", () => place(order, { ...options, priority: "High" })),
          Effect.as("placed" as const),
          Effect.catchTags({
            PoolTimeout: (busy) => note(order, busy),
            // The database cannot be reached, which the error knows the reason of.
            PoolCreationFailed: (down) => note(order, down)
          })
        ),
      noted: Effect.sync(() => [...notes]),
      catchUp: Effect.gen(function*() {
        let placed = 0
        const refused: Array<UnknownItem | OutOfStock> = []
        const refuse = (error: UnknownItem | OutOfStock) => Effect.sync(() => refused.push(error))
        for (let order = notes[0]; order !== undefined; order = notes[0]) {
          yield* Effect.catchTags(Effect.andThen(place(order), Effect.sync(() => placed++)), {
            UnknownItem: refuse,
            OutOfStock: refuse
          })
          notes.shift()
        }
        return { placed, refused }
      }).pipe((yield* Effect.makeSemaphore(1)).withPermits(1))
    })
  })
)
