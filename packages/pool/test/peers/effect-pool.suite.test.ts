/**
 * What the tests of Effect's `Pool` promise to its users, asked of it and of ours. Promises that only ours keeps are in
 * `effect-pool.test.ts`. Effect's items that several borrowers share (`concurrency`) have no counterpart.
 */
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Pool, Ref, Schedule, Scope } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourcePool } from "../../src/index.js"
import { inScope, turns } from "../kit.js"

interface Settings {
  readonly min: number
  readonly max: number
  /** How long an item above `min` may be idle, in milliseconds. */
  readonly idle?: number
  /** How old an item may become. */
  readonly age?: number
}

interface Subject<A> {
  readonly get: Effect.Effect<A, unknown, Scope.Scope>
  /** Borrows an item, invalidates it, and returns it. */
  readonly getBad: Effect.Effect<A, unknown>
  readonly invalidate: (item: A) => Effect.Effect<unknown, never, Scope.Scope>
  readonly self: unknown
}

type Part = <A>(
  acquire: Effect.Effect<A, unknown, Scope.Scope>,
  settings: Settings
) => Effect.Effect<Subject<A>, unknown, any>

const effects: Part = (acquire, { age, idle, max, min }) =>
  Effect.map(
    Pool.makeWithTTL({
      acquire,
      min,
      max,
      timeToLive: age ?? idle ?? "1 days",
      timeToLiveStrategy: age === undefined ? "usage" : "creation"
    }),
    (self) => ({
      self,
      get: Pool.get(self),
      invalidate: (item) => Pool.invalidate(self, item),
      getBad: Effect.scoped(Effect.tap(Pool.get(self), (item) => Pool.invalidate(self, item)))
    })
  )

const ours: Part = (create, { age, idle, max, min }) =>
  Effect.map(
    ResourcePool.make(create, {
      minSize: min,
      maxSize: max,
      ...idle !== undefined && { idleTimeout: idle },
      ...age !== undefined && { maxLifetime: age, lifetimeJitter: 0 }
    }),
    (self) => ({
      self,
      get: self.get,
      getBad: self.use((item, { invalidate }) => Effect.as(invalidate, item)),
      invalidate: self.invalidate
    })
  )

const { differs, same } = beside<Part>(
  { effects, ours },
  (effect) => inScope(effect as Effect.Effect<unknown, unknown, Scope.Scope>)
)

/** Items 1, 2, 3 .., and how many there are and have been. */
const counter = (release: Effect.Effect<unknown> = Effect.void) => {
  const counts = { opened: 0, closed: 0 }
  const acquire = Effect.acquireRelease(
    Effect.sync(() => ++counts.opened),
    () => Effect.andThen(Effect.sync(() => counts.closed++), release)
  )
  return { acquire, counts, alive: () => counts.opened - counts.closed }
}

/** A pool that creates its ten items at once, and no more. */
const ofTen = (make: Part, release?: Effect.Effect<unknown>) =>
  Effect.gen(function*() {
    const counted = counter(release)
    const pool = yield* make(counted.acquire, { min: 10, max: 10 })
    yield* turns
    return { ...counted, ...pool }
  })

/** Borrows so many items at once, each until the gate opens. */
const borrowers = (get: Effect.Effect<unknown, unknown, Scope.Scope>, n: number, gate: Deferred.Deferred<void>) =>
  Effect.zipLeft(
    Effect.replicateEffect(Effect.fork(Effect.scoped(Effect.andThen(get, Deferred.await(gate)))), n),
    turns
  )

const pass = (millis: number) => Effect.andThen(TestClock.adjust(millis), turns)

same(
  "a pool creates its minimum of items before the first borrow",
  (make) => Effect.map(ofTen(make), ({ alive }) => alive()),
  10
)

same(
  "a pool lends an idle item, and creates none for it",
  (make) =>
    Effect.gen(function*() {
      const { counts, get } = yield* ofTen(make)
      return [(yield* get) <= 10, counts.opened]
    }),
  [true, 10]
)

differs(
  "the item that was returned last is lent first, so that the others become idle: there the item returned first",
  (make) =>
    Effect.gen(function*() {
      const { acquire } = counter()
      const { get } = yield* make(acquire, { min: 3, max: 3 })
      yield* turns
      const seen = yield* Effect.replicateEffect(Effect.scoped(get), 4)
      return new Set(seen).size
    }),
  { effects: 3, ours: 1 }
)

for (const [what, release] of [["", Effect.void], [", also if its finalizer dies", Effect.die("reset")]] as const) {
  same(
    `closing the scope of a pool closes every item${what}`,
    (make) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const { counts } = yield* Scope.extend(ofTen(make, release), scope)
        yield* Scope.close(scope, Exit.void)
        return { ...counts }
      }),
    { opened: 10, closed: 10 }
  )
}

same(
  "a borrower waits while every item is lent",
  (make) =>
    Effect.gen(function*() {
      const { acquire, counts } = counter()
      const { get } = yield* make(acquire, { min: 10, max: 10 })
      const holding = yield* Scope.make()
      yield* Effect.repeatN(Scope.extend(get, holding), 9)
      const waiting = yield* Effect.fork(Effect.scoped(get))
      yield* turns
      const before = Option.isSome(yield* Fiber.poll(waiting))
      yield* Scope.close(holding, Exit.void)
      yield* Fiber.join(waiting)
      return [before, counts.opened]
    }),
  [false, 10]
)

same(
  "a pool lends returned items again",
  (make) =>
    Effect.gen(function*() {
      const { acquire, counts } = counter()
      const { get } = yield* make(acquire, { min: 10, max: 10 })
      yield* Effect.repeatN(Effect.scoped(get), 99)
      return { ...counts }
    }),
  { opened: 10, closed: 0 }
)

same(
  "an invalidated item is closed, and another is created in its place",
  (make) =>
    Effect.gen(function*() {
      const { alive, counts, get, getBad } = yield* ofTen(make)
      const bad = yield* getBad
      yield* turns
      const again = yield* Effect.replicateEffect(get, 10)
      return [counts.closed, alive(), again.includes(bad)]
    }),
  [1, 10, false]
)

same(
  "an idle item can be invalidated, and is replaced: no borrower gets it",
  (make) =>
    Effect.gen(function*() {
      const { alive, counts, get, invalidate } = yield* ofTen(make)
      yield* pass(10_000)
      yield* invalidate(3)
      yield* turns
      const items = yield* Effect.replicateEffect(get, 10)
      return [counts.closed, alive(), items.includes(3)]
    }),
  [1, 10, false]
)

differs(
  "an unused item invalidated right after its creation counts as a failed creation, and the next waits for a pause: there it is created at once",
  (make) =>
    Effect.gen(function*() {
      const { acquire, counts } = counter()
      const { invalidate } = yield* make(acquire, { min: 1, max: 1 })
      yield* turns
      yield* invalidate(1)
      yield* turns
      const before = counts.opened
      yield* pass(1_000)
      return [before, counts.opened]
    }),
  { effects: [2, 2], ours: [1, 2] }
)

same(
  "an item that another borrower invalidates stays open until it is returned",
  (make) =>
    Effect.gen(function*() {
      const { acquire, counts } = counter()
      const { get, invalidate } = yield* make(acquire, { min: 0, max: 1 })
      const holding = yield* Scope.make()
      const item = yield* Scope.extend(get, holding)
      yield* invalidate(item)
      yield* turns
      const during = counts.closed
      yield* Scope.close(holding, Exit.void)
      yield* turns
      return [during, counts.closed, (yield* Effect.scoped(get)) > item]
    }),
  [0, 1, true]
)

same(
  "a borrower gets a new item after every item was invalidated",
  (make) =>
    Effect.gen(function*() {
      const { acquire, counts } = counter()
      const { get, getBad } = yield* make(acquire, { min: 2, max: 2 })
      yield* turns
      // Each by its own borrower, so that both are bad at once.
      const both = yield* Effect.all([getBad, getBad], { concurrency: "unbounded" })
      yield* turns
      const item = yield* Effect.scoped(get)
      return [[...both].sort(), item > 2, { ...counts }]
    }),
  [[1, 2], true, { opened: 4, closed: 2 }]
)

same(
  "failed creations use up no place of the pool: a borrower that retries gets an item in the end",
  (make) =>
    Effect.gen(function*() {
      let tries = 0
      const { get } = yield* make(
        Effect.suspend(() => ++tries <= 10 ? Effect.fail("refused") : Effect.succeed("opened")),
        { min: 0, max: 1 }
      )
      const asking = yield* Effect.fork(Effect.retry(Effect.scoped(get), Schedule.spaced("1 seconds")))
      yield* turns
      yield* pass(60_000)
      return [yield* Fiber.join(asking), tries]
    }),
  ["opened", 11]
)

differs(
  "a creation that fails is tried again until the borrower's deadline: there the borrower gets the failure at once",
  (make) =>
    Effect.gen(function*() {
      let tries = 0
      const { get } = yield* make(
        Effect.suspend(() => ++tries < 3 ? Effect.fail(`refused ${tries}`) : Effect.succeed("opened")),
        { min: 0, max: 1 }
      )
      const asking = yield* Effect.fork(Effect.merge(Effect.scoped(get)))
      yield* turns
      yield* pass(20_000)
      return yield* Fiber.join(asking)
    }),
  { effects: "refused 1", ours: "opened" }
)

/** How many items there are while twenty borrow, and once these have been idle. */
const grown = (make: Part, min: number, max: number) =>
  Effect.gen(function*() {
    const { acquire, alive } = counter()
    const gate = yield* Deferred.make<void>()
    const { get } = yield* make(acquire, { min, max, idle: 60_000 })
    yield* borrowers(get, 20, gate)
    const most = alive()
    yield* Deferred.succeed(gate, undefined)
    yield* turns
    yield* pass(60_000)
    yield* pass(60_000)
    return [most, alive()]
  })

same(
  "a pool grows to its maximum while items are in use, and shrinks to its minimum when they have been idle",
  (make) => grown(make, 10, 15),
  [15, 10]
)

same("a pool with a minimum of 0 shrinks to nothing", (make) => grown(make, 0, 10), [10, 0])

same(
  "an item past its lifetime is closed when it is returned, and not before",
  (make) =>
    Effect.gen(function*() {
      const { acquire, counts } = counter()
      const { get } = yield* make(acquire, { min: 10, max: 15, age: 60_000 })
      const holding = yield* Scope.make()
      yield* Effect.repeatN(Scope.extend(get, holding), 14)
      const before = counts.closed
      yield* pass(60_000)
      const during = counts.closed
      yield* Scope.close(holding, Exit.void)
      yield* turns
      return [before, during, counts.closed]
    }),
  [0, 0, 15]
)

same(
  "closing a pool with a hundred borrowers ends, and leaves no item open",
  (make) =>
    Effect.gen(function*() {
      const { acquire, alive, counts } = counter()
      const scope = yield* Scope.make()
      const { get } = yield* Scope.extend(make(acquire, { min: 10, max: 10 }), scope)
      const fibers = yield* Effect.replicateEffect(Effect.fork(Effect.exit(Effect.scoped(get))), 100)
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.joinAll(fibers)
      yield* turns
      return [alive(), counts.opened <= 10]
    }),
  [0, true]
)

same(
  "closing the scope that holds a pool and its leases closes every item, and ends every borrower that waits",
  (make) =>
    Effect.gen(function*() {
      const { acquire, alive } = counter()
      const scope = yield* Scope.make()
      const { get } = yield* Scope.extend(make(acquire, { min: 10, max: 10 }), scope)
      const fibers = yield* Effect.replicateEffect(Effect.fork(Scope.extend(get, scope)), 100)
      yield* turns
      const held = alive()
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* pass(25_000)
      yield* Fiber.join(closing)
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      return [held, alive(), exits.length]
    }),
  [10, 0, 100]
)

for (const min of [10, 0]) {
  same(
    `a borrower that waits for an item can be interrupted (minimum ${min} of 10)`,
    (make) =>
      Effect.gen(function*() {
        const { acquire, counts } = counter()
        const { get } = yield* make(acquire, { min, max: 10 })
        yield* Effect.repeatN(get, 9)
        const waiting = yield* Effect.fork(Effect.scoped(get))
        yield* turns
        return [Exit.isInterrupted(yield* Fiber.interrupt(waiting)), counts.opened]
      }),
    [true, 10]
  )
}

same(
  "a failed creation closes what it had opened",
  (make) =>
    Effect.gen(function*() {
      const { acquire, counts } = counter()
      const { get } = yield* make(Effect.andThen(acquire, Effect.fail("refused")), { min: 1, max: 1 })
      const asking = yield* Effect.fork(Effect.exit(Effect.scoped(get)))
      yield* turns
      yield* pass(30_000)
      const exit = yield* Fiber.join(asking)
      return [Exit.isFailure(exit), counts.opened > 0, counts.opened === counts.closed]
    }),
  [true, true, true]
)

differs(
  "a ResourcePool is no Effect, and lends by `get` and `use`: Effect's is one, which borrows",
  (make) => Effect.map(make(Effect.succeed(1), { min: 1, max: 1 }), ({ self }) => Effect.isEffect(self)),
  { effects: true, ours: false }
)

same(
  "each item has one borrower at a time",
  (make) =>
    Effect.gen(function*() {
      const { acquire } = counter()
      const { get } = yield* make(acquire, { min: 0, max: 3 })
      const users = yield* Ref.make<ReadonlyArray<number>>([])
      const most = yield* Ref.make(0)
      yield* Effect.forEach(
        Array.from({ length: 60 }),
        () =>
          Effect.scoped(Effect.gen(function*() {
            const item = yield* get
            const now = yield* Ref.updateAndGet(users, (items) => [...items, item])
            yield* Ref.update(most, (before) => Math.max(before, now.filter((it) => it === item).length))
            yield* Effect.yieldNow()
            yield* Ref.update(users, (items) => items.toSpliced(items.indexOf(item), 1))
          })),
        { concurrency: "unbounded", discard: true }
      )
      return [yield* Ref.get(most), yield* Ref.get(users)]
    }),
  [1, []]
)
