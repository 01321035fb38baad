/**
 * `npx tsx --conditions=source examples/connections/src/main.ts --database postgres`: orders over a pool of connections. By
 * default, or as `DATABASE` says, the database is SQLite; where PostgreSQL is, its own variables say (`PGHOST`, ...).
 */
import * as NodeRuntime from "@patinox/platform-node/NodeRuntime"
import { Effect, Layer } from "effect"
import { parseArgs } from "node:util"
import * as App from "./App.js"
import { Connections } from "./Connections.js"
import { Database } from "./Database.js"
import { OrderDesk } from "./OrderDesk.js"
import { Orders } from "./Orders.js"
import * as Postgres from "./Postgres.js"
import * as Report from "./Report.js"
import * as Sqlite from "./Sqlite.js"

const say = (line: string) => Effect.sync(() => console.log(line))

const clients = 32
const ordersEach = 5

/** All of them at once, each one order after the other. */
const orderFromAll = (name: string) =>
  Effect.flatMap(OrderDesk, ({ catchUp, take }) => {
    const client = (client: number) =>
      Effect.forEach(
        Array.from({ length: ordersEach }, (_, n) => ({ id: `${name}-${client}-${n}`, item: "tea", quantity: 1 })),
        (order) => take(order),
        { discard: true }
      )
    const all = Array.from({ length: clients }, (_, n) => client(n))
    return Effect.andThen(Effect.all(all, { concurrency: "unbounded", discard: true }), catchUp)
  })

const story = Effect.gen(function*() {
  const pool = yield* Connections
  const orders = yield* Orders
  const desk = yield* OrderDesk
  const { endConnections } = yield* Database
  const sayTotals = Effect.flatMap(
    orders.totals,
    ({ inStock, ordered, orders }) => say(`  ${orders} orders; ${ordered} ordered and ${inStock} in stock: 1000`)
  )

  yield* orders.stock("tea", 1_000)
  yield* say(`${clients} clients place ${ordersEach} orders each`)
  yield* orderFromAll("first")
  const { maxSize, total } = yield* pool.snapshot
  yield* say(`  over ${total} connections`)
  yield* sayTotals

  yield* say("somebody orders more than there is")
  const refused = yield* Effect.flip(orders.place({ id: "too-much", item: "tea", quantity: 1_001 }))
  yield* say(`  ${refused._tag}: ${refused.message}`)
  yield* sayTotals

  yield* say("every connection is in use")
  yield* Effect.scoped(Effect.gen(function*() {
    for (let held = 0; held < maxSize; held++) yield* pool.get
    const late = { id: "late", item: "tea", quantity: 1 }
    yield* say(`  an order is ${yield* desk.take(late, { acquireTimeout: "150 millis" })}`)
  }))
  yield* say(`  ${(yield* desk.catchUp).placed} placed when there are connections again`)

  yield* say("an administrator ends the connections while orders are placed")
  const ending = Effect.repeat(endConnections, { times: 3 })
  yield* Effect.all([orderFromAll("second"), ending], { concurrency: "unbounded" })
  yield* sayTotals
})

const databases: Readonly<Record<string, Parameters<typeof App.layer<unknown>>[0]>> = {
  postgres: Postgres.layerConfig,
  sqlite: Sqlite.layer
}

const { values } = parseArgs({
  options: { database: { type: "string", default: process.env["DATABASE"] ?? "sqlite" } }
})
const database = databases[values.database]
if (database === undefined) {
  console.error(`--database is one of ${Object.keys(databases).join(", ")}, and not ${values.database}`)
  process.exitCode = 2
} else {
  const app = App.layer(database)
  NodeRuntime.launch(Layer.provideMerge(Report.layer(say), app), { main: story })
}
