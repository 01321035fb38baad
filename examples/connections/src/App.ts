/** The program as layers, written once: which database it runs on comes from outside. */
import { ResourceRegistry } from "@patinox/core"
import type { ResourcePool } from "@patinox/pool"
import { Layer } from "effect"
import * as Connections from "./Connections.js"
import type { Database } from "./Database.js"
import * as OrderDesk from "./OrderDesk.js"
import * as Orders from "./Orders.js"

/** Closed from the top: the pool drains before its database goes. */
export const layer = <E>(
  database: Layer.Layer<Database, E, ResourceRegistry.ResourceRegistry>,
  settings?: ResourcePool.PoolSettings
) =>
  OrderDesk.layer.pipe(
    Layer.provideMerge(Orders.layer),
    Layer.provideMerge(Connections.layer(settings)),
    Layer.provideMerge(database),
    Layer.provide(ResourceRegistry.layer)
  )
