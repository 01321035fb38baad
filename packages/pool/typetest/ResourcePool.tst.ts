import type { PatinoxError, ResourceRegistry } from "@patinox/core"
import { type PoolError, type PoolEvent, ResourcePool } from "@patinox/pool"
import {
  Context,
  type Deferred,
  Effect,
  type Layer,
  type Option,
  pipe,
  type Runtime,
  type Scope,
  type Stream
} from "effect"
import { expect, test } from "tstyche"

interface Connection {
  readonly query: string
}
interface Host {
  readonly Host: 1
}
interface D {
  readonly D: 1
}
interface V {
  readonly V: 1
}
interface R {
  readonly R: 1
}
interface K {
  readonly K: 1
}
type Registry = ResourceRegistry.ResourceRegistry
type Pool = ResourcePool.ResourcePool<Connection, "refused">

declare const create: Effect.Effect<Connection, "refused", Host>
declare const scopedCreate: Effect.Effect<Connection, "refused", Host | Scope.Scope>
declare const destroy: (connection: Connection) => Effect.Effect<void, "stuck", D>
declare const anyDestroy: (item: { readonly query: string }, info: ResourcePool.ItemInfo) => Effect.Effect<void>
declare const gate: Deferred.Deferred<void>
declare const pool: Pool

class Database extends Context.Tag("Database")<Database, Pool>() {}

test("make gives a pool of what create gives, which fails with what create fails with", () => {
  expect(ResourcePool.make(create)).type.toBe<
    Effect.Effect<Pool, PatinoxError.Validation, Host | Scope.Scope | Registry>
  >()
  expect(ResourcePool.make(scopedCreate)).type.toBe<
    Effect.Effect<Pool, PatinoxError.Validation, Host | Scope.Scope | Registry>
  >()
  expect(ResourcePool.make(create, { maxSize: 3, leakThreshold: "1 minutes" })).type.toBe<
    Effect.Effect<Pool, PatinoxError.Validation, Host | Scope.Scope | Registry>
  >()
})

test("create may be given the item's handle, and an item can be said to be dead by anybody", () => {
  const withHandle = ({ invalidate }: ResourcePool.ItemHandle) => Effect.tap(create, () => Effect.sync(invalidate))
  expect(ResourcePool.make(withHandle)).type.toBe<
    Effect.Effect<Pool, PatinoxError.Validation, Host | Scope.Scope | Registry>
  >()
  expect(pool.invalidate({ query: "another" })).type.toBe<Effect.Effect<boolean>>()
  expect(pool.invalidateAll).type.toBe<Effect.Effect<number>>()
})

test("the other functions' parameters are inferred from create, and what they need is needed", () => {
  const made = ResourcePool.make(create, {
    name: "database",
    destroy: (connection, info) => {
      expect(connection).type.toBe<Connection>()
      expect(info).type.toBe<ResourcePool.ItemInfo>()
      return Effect.context<D>()
    },
    validate: (connection, info) => {
      expect(connection).type.toBe<Connection>()
      expect(info.idleMillis).type.toBe<number>()
      return Effect.context<V>()
    },
    recycle: (connection, exit, info) => {
      expect(connection).type.toBe<Connection>()
      expect(exit._tag).type.toBe<"Success" | "Failure">()
      expect(info.uses).type.toBe<number>()
      return Effect.context<R>()
    },
    keepAlive: (connection) => {
      expect(connection).type.toBe<Connection>()
      return Effect.context<K>()
    },
    invalidateWhen: (cause) => cause._tag === "Die"
  })
  expect(made).type.toBe<
    Effect.Effect<Pool, PatinoxError.Validation, Host | D | V | R | K | Scope.Scope | Registry>
  >()
})

test("what the functions fail with does not reach the borrower", () => {
  expect(ResourcePool.make(create, { destroy })).type.toBe<
    Effect.Effect<Pool, PatinoxError.Validation, Host | D | Scope.Scope | Registry>
  >()
})

test("create is inferred where it is an expression, whether the functions are or not", () => {
  const expression = () => Effect.flatMap(Effect.succeed(gate), () => create)
  type Made = Effect.Effect<Pool, PatinoxError.Validation, Host | Scope.Scope | Registry>
  expect(ResourcePool.make(Effect.flatMap(Effect.succeed(gate), () => create), { destroy: anyDestroy })).type.toBe<
    Made
  >()
  expect(ResourcePool.make(Effect.andThen(Effect.succeed(gate), create), { validate: anyDestroy })).type.toBe<Made>()
  expect(ResourcePool.make(expression(), { destroy: (item) => Effect.succeed(item.query) })).type.toBe<Made>()
})

test("functions for other items are refused", () => {
  expect(ResourcePool.make).type.not.toBeCallableWith(create, {
    destroy: (item: { port: number }) => Effect.succeed(item)
  })
  expect(ResourcePool.make).type.not.toBeCallableWith(create, { validate: () => true })
  expect(ResourcePool.make).type.not.toBeCallableWith(create, { maxSize: "many" })
  expect(ResourcePool.make).type.not.toBeCallableWith(create, { drainWaiters: "drop" })
  expect(ResourcePool.make).type.not.toBeCallableWith({ create, destroy })
})

test("layer gives the service of a Tag, and keeps the scope to itself", () => {
  expect(ResourcePool.layer(Database, create)).type.toBe<
    Layer.Layer<Database, PatinoxError.Validation, Host | Registry>
  >()
  expect(ResourcePool.layer(Database, scopedCreate, { destroy, minSize: 1 })).type.toBe<
    Layer.Layer<Database, PatinoxError.Validation, Host | D | Registry>
  >()
  expect(ResourcePool.layer).type.not.toBeCallableWith(Database, Effect.succeed("another item"))
})

test("keyed creates by the key", () => {
  const made = ResourcePool.keyed((key: string) => Effect.andThen(Effect.succeed(key), create), {
    destroy: (connection) => {
      expect(connection).type.toBe<Connection>()
      return Effect.context<D>()
    },
    keyIdleTimeout: "1 minutes"
  })
  expect(made).type.toBe<
    Effect.Effect<
      ResourcePool.KeyedPool<string, Connection, "refused">,
      PatinoxError.Validation,
      Host | D | Scope.Scope | Registry
    >
  >()
  expect<ResourcePool.KeyedPool<string, Connection, "refused">["get"]>().type.toBe<
    (key: string) => Effect.Effect<Connection, PoolError.PoolError<"refused">, Scope.Scope>
  >()
})

test("a borrow fails with what the pool or the use fails with", () => {
  expect(pool.get).type.toBe<Effect.Effect<Connection, PoolError.PoolError<"refused">, Scope.Scope>>()
  expect(pool.tryGet).type.toBe<Effect.Effect<Connection, PoolError.PoolError<"refused">, Scope.Scope>>()
  expect(pool.lease({ priority: "High", acquireTimeout: "1 seconds" })).type.toBe<
    Effect.Effect<ResourcePool.Lease<Connection>, PoolError.PoolError<"refused">, Scope.Scope>
  >()
  const use = (connection: Connection, lease: ResourcePool.Lease<Connection>) =>
    Effect.andThen(lease.invalidate, Effect.flatMap(Effect.context<V>(), () => Effect.fail("own" as const)))
  expect(pool.use(use)).type.toBe<Effect.Effect<never, "own" | PoolError.PoolError<"refused">, V>>()
  expect(pool.tryUse(use)).type.toBe<Effect.Effect<never, "own" | PoolError.PoolError<"refused">, V>>()
  expect(pool.use(({ query }) => Effect.succeed(query))).type.toBe<
    Effect.Effect<string, PoolError.PoolError<"refused">>
  >()
})

test("each error of a borrow can be caught by its tag, and carries what creating fails with", () => {
  const caught = pipe(
    pool.use(() => Effect.void),
    Effect.catchTag("PoolCreationFailed", (error) => {
      expect(error.error).type.toBe<
        Option.Option<PoolError.CreationError<"refused">>
      >()
      return Effect.void
    }),
    Effect.catchTag("PoolTimeout", (error) => {
      expect(error.stage).type.toBe<"waiting" | "creating" | "validating">()
      return Effect.void
    })
  )
  expect(caught).type.toBe<
    Effect.Effect<
      void,
      PoolError.PoolExhausted | PoolError.PoolClosed | PoolError.PoolValidationFailed
    >
  >()
})

test("a pool of more can be used as one of less", () => {
  expect<ResourcePool.ResourcePool<Connection & { readonly port: number }, never>>().type.toBeAssignableTo<Pool>()
  expect<ResourcePool.ResourcePool<{ readonly port: number }, "refused">>().type.not.toBeAssignableTo<Pool>()
})

test("the rest is typed as it says", () => {
  expect(pool.events).type.toBe<Stream.Stream<PoolEvent.PoolEvent>>()
  expect(pool.drain()).type.toBe<Effect.Effect<ResourcePool.PoolReport>>()
  expect(pool.resize({ maxSize: 3 })).type.toBe<Effect.Effect<void, PatinoxError.Validation>>()
  expect(pool.awaitReady).type.toBe<
    Effect.Effect<void, PoolError.PoolClosed | PoolError.PoolCreationFailed<"refused">>
  >()
  expect(pool.evictIdle).type.toBe<Effect.Effect<number>>()
})

test("a promise pool is made of a pool and a runtime, in either order", () => {
  const runtime = null as unknown as Runtime.Runtime<never>
  expect(ResourcePool.toPromisePool(pool, runtime)).type.toBe<ResourcePool.PromisePool<Connection>>()
  expect(ResourcePool.toPromisePool(runtime)(pool)).type.toBe<ResourcePool.PromisePool<Connection>>()
  const promises = null as unknown as ResourcePool.PromisePool<Connection>
  expect(promises.use(({ query }) => query)).type.toBe<Promise<string>>()
  expect(promises.use(async ({ query }) => query.length)).type.toBe<Promise<number>>()
})
