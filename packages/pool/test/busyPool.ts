/** Pools of counted connections, idle or busy. */
import { ResourceRegistry } from "@patinox/core"
import { Deferred, Effect } from "effect"
import { ResourcePool } from "../src/index.js"
import { Server, turns } from "./kit.js"

export const registry = ResourceRegistry.ResourceRegistry

export const make = (server: Server, options: ResourcePool.PoolOptions<any> = {}) =>
  ResourcePool.make(server.create, { destroy: server.destroy, name: "db", ...options })

/** A pool with one item held until the gate opens, and one borrower that waits. */
export const busy = (options: ResourcePool.PoolOptions<any> = {}) =>
  Effect.gen(function*() {
    const server = new Server()
    const pool = yield* make(server, { maxSize: 1, ...options })
    const gate = yield* Deferred.make<void>()
    const holder = yield* Effect.fork(
      Effect.exit(pool.use((item) => server.holding(item, Effect.as(Deferred.await(gate), "held"))))
    )
    yield* turns
    const waiter = yield* Effect.fork(Effect.exit(pool.use((item) => server.holding(item, Effect.succeed("waited")))))
    yield* turns
    return { server, pool, gate, holder, waiter }
  })
