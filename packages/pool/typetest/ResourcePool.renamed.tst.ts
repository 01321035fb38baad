/** What is written for Effect's pool and only renamed does not compile: no two functions change places. */
import { ResourcePool } from "@patinox/pool"
import { Context, type Effect, KeyedPool, Pool } from "effect"
import { expect, test } from "tstyche"

interface Connection {
  readonly query: string
}
class Connections extends Context.Tag("Connections")<Connections, ResourcePool.ResourcePool<Connection, never>>() {}
declare const create: Effect.Effect<Connection>
declare const createFor: (host: string) => Effect.Effect<Connection>
declare const destroy: (connection: Connection) => Effect.Effect<void>

test("make takes what creates, then its options; functions of an item stand there by name", () => {
  expect(Pool.make).type.toBeCallableWith({ acquire: create, size: 10 })
  expect(ResourcePool.make).type.not.toBeCallableWith({ acquire: create, size: 10 })
  expect(ResourcePool.make).type.toBeCallableWith(create, { destroy, maxSize: 10 })
  expect(ResourcePool.make).type.not.toBeCallableWith(create, destroy)
  expect(ResourcePool.make).type.not.toBeCallableWith(destroy, create)
  expect(ResourcePool.make).type.not.toBeCallableWith(create, destroy, { maxSize: 10 })
  expect(ResourcePool.make).type.not.toBeCallableWith({ create, destroy })
})

test("layer takes the Tag, then what creates, then options", () => {
  expect(ResourcePool.layer).type.toBeCallableWith(Connections, create, { destroy })
  expect(ResourcePool.layer).type.not.toBeCallableWith(create, Connections, { destroy })
  expect(ResourcePool.layer).type.not.toBeCallableWith(Connections, create, destroy)
  expect(ResourcePool.layer).type.not.toBeCallableWith(Connections, destroy, create)
})

test("a keyed pool takes what creates by key, then options", () => {
  expect(KeyedPool.make).type.toBeCallableWith({ acquire: createFor, size: 10 })
  expect(ResourcePool.keyed).type.not.toBeCallableWith({ acquire: createFor, size: 10 })
  expect(ResourcePool.keyed).type.not.toBeCallableWith(createFor, destroy)
  expect(ResourcePool.keyed).type.not.toBeCallableWith(destroy, createFor)
})
