/** The service as layers. What is provided is closed after what it is provided to: the server drains first of all. */
import { HttpApiBuilder, HttpServer } from "@effect/platform"
import { ResourceMonitor, ResourceRegistry } from "@patinox/core"
import { HealthApi, HealthCheck } from "@patinox/platform"
import * as NodeHttpServer from "@patinox/platform-node/NodeHttpServer"
import { Config, Effect, Layer } from "effect"
import { createServer } from "node:http"
import { Api } from "./Api.js"
import * as Authorization from "./Authorization.js"
import * as Database from "./Database.js"
import * as Orders from "./Orders.js"
import * as Payments from "./Payments.js"
import * as Requests from "./Requests.js"

// A client can do nothing about a refusing database: it gets only the status 500.
const orders = HttpApiBuilder.group(Api, "orders", (handlers) =>
  Effect.map(Orders.Orders, ({ find, place }) =>
    handlers
      .handle("place", ({ payload }) => Effect.orDie(place(payload)))
      .handle("find", ({ path }) => Effect.catchTag(find(path.id), "DatabaseError", (error) => Effect.die(error)))))

const databaseCheck = HealthCheck.layer(
  "database",
  Effect.flatMap(Database.Database, ({ run }) => run((database) => database.exec("SELECT 1")))
)

const server = NodeHttpServer.layerConfig(() => createServer(), {
  host: Config.withDefault(Config.string("HOST"), "127.0.0.1"),
  port: Config.withDefault(Config.integer("PORT"), 3000),
  drainTimeout: Config.withDefault(Config.duration("DRAIN_TIMEOUT"), "15 seconds")
})

export const layer = HttpApiBuilder.serve(Requests.counted).pipe(
  HttpServer.withLogAddress,
  Layer.provide(HttpApiBuilder.api(Api)),
  Layer.provide([orders, HealthApi.openLayer(Api), HealthApi.guardedLayer(Api)]),
  Layer.provide([server, databaseCheck, Authorization.layer, Orders.layer, Requests.layer]),
  Layer.provide(HealthCheck.layerChecks),
  Layer.provide([Database.layer, Payments.layer]),
  Layer.provide(ResourceRegistry.layer),
  Layer.provide(ResourceMonitor.layerMetrics)
)
