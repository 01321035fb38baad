/** What the tests of Effect's `KeyedPool` promise to its users, asked of it and of our pools by key. */
import { TestClock } from "@patinox/vitest"
import { Effect, Exit, Fiber, KeyedPool, Option, Scope } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourcePool } from "../../src/index.js"
import { inScope, turns } from "../kit.js"

interface Item {
  readonly key: string
  readonly number: number
}

interface Subject {
  readonly get: (key: string) => Effect.Effect<Item, unknown, Scope.Scope>
  /** Borrows an item of the key for a while, and invalidates it where `isBad` says so. */
  readonly use: (key: string, isBad: (item: Item) => boolean) => Effect.Effect<Item, unknown>
}

type Part = (
  create: (key: string) => Effect.Effect<Item, unknown, Scope.Scope>,
  size: number
) => Effect.Effect<Subject, unknown, any>

const hold = Effect.sleep("10 millis")

const { differs, same } = beside<Part>({
  effects: (acquire, size) =>
    Effect.map(KeyedPool.make({ acquire, size }), (pool) => ({
      get: (key) => KeyedPool.get(pool, key),
      use: (key, isBad) =>
        Effect.scoped(Effect.tap(KeyedPool.get(pool, key), (item) =>
          Effect.andThen(isBad(item) ? KeyedPool.invalidate(pool, item) : Effect.void, hold)))
    })),
  ours: (create, size) =>
    Effect.map(ResourcePool.keyed(create, { minSize: size, maxSize: size }), (pools) => ({
      get: pools.get,
      use: (key, isBad) =>
        pools.use(key, (item, { invalidate }) =>
          Effect.as(Effect.andThen(isBad(item) ? invalidate : Effect.void, hold), item))
    }))
}, (effect) => inScope(effect as Effect.Effect<unknown, unknown, Scope.Scope>))

const counter = () => {
  const counts = { opened: 0, closed: 0 }
  const create = (key: string) =>
    Effect.acquireRelease(
      Effect.sync((): Item => ({ key, number: ++counts.opened })),
      () => Effect.sync(() => counts.closed++)
    )
  return { counts, create }
}

const never = () => false

same(
  "a key whose items are all lent does not hold up another key",
  (make) =>
    Effect.gen(function*() {
      const { create } = counter()
      const { get, use } = yield* make(create, 4)
      yield* Effect.repeatN(get("blue"), 3)
      const many = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 10 }), () => use("green", never), { concurrency: "unbounded" })
      )
      yield* turns
      for (let i = 0; i < 10; i++) yield* Effect.andThen(TestClock.adjust("10 millis"), turns)
      return (yield* Fiber.join(many)).every(({ key }) => key === "green")
    }),
  true
)

same(
  "borrowers are served while every other item is invalidated, and none gets an invalidated item",
  (make) =>
    Effect.gen(function*() {
      const { create } = counter()
      const { use } = yield* make(create, 4)
      const isBad = ({ number }: Item) => number % 2 === 0
      const many = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 16 }), () => use("blue", isBad), { concurrency: "unbounded" })
      )
      yield* turns
      for (let i = 0; i < 8; i++) yield* Effect.andThen(TestClock.adjust("10 millis"), turns)
      const bad = (yield* Fiber.join(many)).filter(isBad).map(({ number }) => number)
      return new Set(bad).size === bad.length
    }),
  true
)

differs(
  "an invalidated item is closed when it is returned: there not before the keyed pool closes",
  (make) =>
    Effect.gen(function*() {
      const { counts, create } = counter()
      const { use } = yield* make(create, 1)
      const borrowing = yield* Effect.fork(use("blue", () => true))
      yield* turns
      yield* Effect.andThen(TestClock.adjust("10 millis"), turns)
      yield* Fiber.join(borrowing)
      yield* Effect.andThen(TestClock.adjust("1 minutes"), turns)
      return counts.closed
    }),
  { effects: 0, ours: 1 }
)

same(
  "each key has its own items, up to the size of its pool",
  (make) =>
    Effect.gen(function*() {
      const { counts, create } = counter()
      const { get } = yield* make(create, 2)
      const items = yield* Effect.forEach(["blue", "green", "blue", "green"], get)
      const another = yield* Effect.fork(Effect.scoped(get("blue")))
      yield* turns
      const isServed = Option.isSome(yield* Fiber.poll(another))
      yield* Fiber.interrupt(another)
      return [items.map(({ key }) => key), isServed, counts.opened]
    }),
  [["blue", "green", "blue", "green"], false, 4]
)

same(
  "closing a keyed pool closes the items of every key",
  (make) =>
    Effect.gen(function*() {
      const { counts, create } = counter()
      const scope = yield* Scope.make()
      const { get } = yield* Scope.extend(make(create, 2), scope)
      yield* Effect.forEach(["blue", "green"], (key) => Effect.scoped(get(key)))
      yield* turns
      yield* Scope.close(scope, Exit.void)
      return { ...counts }
    }),
  { opened: 4, closed: 4 }
)

differs(
  "the items of an idle key are closed: there they stay open until the keyed pool closes",
  (make) =>
    Effect.gen(function*() {
      const { counts, create } = counter()
      const { get } = yield* make(create, 2)
      yield* Effect.scoped(get("blue"))
      yield* turns
      yield* Effect.andThen(TestClock.adjust("10 minutes"), turns)
      yield* Effect.andThen(TestClock.adjust("10 minutes"), turns)
      return { ...counts }
    }),
  { effects: { opened: 2, closed: 0 }, ours: { opened: 2, closed: 2 } }
)
