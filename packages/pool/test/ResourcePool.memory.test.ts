import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { ResourcePool } from "../src/index.js"
import { atRest, quietly, turns } from "./kit.js"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

const macrotask = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

const heap = Effect.gen(function*() {
  for (let i = 0; i < 5; i++) {
    yield* macrotask
    collect()
  }
  return process.memoryUsage().heapUsed
})

/** What is still there after the collector had its turns. */
const kept = (refs: ReadonlyArray<WeakRef<object>>) =>
  Effect.gen(function*() {
    for (let i = 0; i < 20 && refs.some((ref) => ref.deref() !== undefined); i++) {
      yield* macrotask
      collect()
    }
    return refs.filter((ref) => ref.deref() !== undefined).length
  })

const within = <A, E>(effect: Effect.Effect<A, E, any>) =>
  Effect.provide(Effect.scoped(effect), quietly) as Effect.Effect<A, E>

describe("a pool keeps nothing", () => {
  for (const [name, make] of [["objects", () => ({})], ["numbers", () => 7]] as const) {
    it.live(`of ${name} that were taken from callers with promises who never return them`, () =>
      within(Effect.gen(function*() {
        const leases: Array<WeakRef<object>> = []
        const pool: ResourcePool.ResourcePool<unknown> = yield* ResourcePool.make(Effect.sync(make), {
          maxSize: 4,
          leaseTimeout: "2 millis",
          onLeaseTimeout: "reclaim"
        })
        const noted: typeof pool = Object.assign(Object.create(pool), {
          lease: (options?: ResourcePool.BorrowOptions) =>
            Effect.tap(pool.lease(options), (lease) => Effect.sync(() => leases.push(new WeakRef(lease))))
        })
        const promises = ResourcePool.toPromisePool(noted, yield* Effect.runtime())
        yield* Effect.promise(async () => {
          for (let i = 0; i < 40; i++) await promises.acquire()
        })
        while ((yield* pool.snapshot).holders.length > 0) yield* Effect.sleep("1 millis")
        expect([leases.length, yield* kept(leases)]).toEqual([40, 0])
      })))
  }

  it.live("of ten thousand borrows, in any way", () =>
    within(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.succeed("item"), {
        maxSize: 2,
        leakThreshold: "1 minutes",
        recycle: () => Effect.void
      })
      const refs: Array<WeakRef<object>> = []
      const round = Effect.gen(function*() {
        yield* pool.use((_, lease) => Effect.sync(() => refs.push(new WeakRef(lease))))
        yield* Effect.scoped(Effect.map(pool.lease(), (lease) => refs.push(new WeakRef(lease))))
        yield* pool.tryUse((_, lease) => Effect.sync(() => refs.push(new WeakRef(lease))))
        yield* Effect.all([pool.use(() => Effect.void), pool.use(() => Effect.void), pool.use(() => Effect.void)], {
          concurrency: "unbounded"
        })
      })
      // The engine, too, keeps what it has learned.
      yield* Effect.repeatN(round, 2_500)
      refs.length = 0
      const before = yield* heap
      yield* Effect.repeatN(round, 1_700)
      expect(refs.length).toBeGreaterThan(5_000)
      expect(yield* kept(refs)).toBe(0)
      refs.length = 0
      expect((yield* heap) - before).toBeLessThan(256 * 1024)
    })), 60_000)

  it.live("of items that came and went, nor of borrowers that gave up", () =>
    within(Effect.gen(function*() {
      const refs: Array<WeakRef<object>> = []
      const create = Effect.sync(() => {
        const item = { bulk: Array.from({ length: 100 }) }
        refs.push(new WeakRef(item))
        return item
      })
      const pool = yield* ResourcePool.make(create, { maxSize: 1, destroy: () => Effect.void })
      for (let i = 0; i < 500; i++) yield* pool.use((_, lease) => lease.invalidate)
      yield* pool.use(() =>
        Effect.forEach(
          Array.from({ length: 500 }),
          () => Effect.ignore(pool.use(() => Effect.void, { acquireTimeout: "1 millis" })),
          { concurrency: "unbounded", discard: true }
        )
      )
      yield* turns
      yield* atRest(pool)
      expect(refs.length).toBe(501)
      // The last is idle.
      expect(yield* kept(refs)).toBe(1)
    })), 60_000)

  it.live(
    "of items given back by promises, of failed creations, nor of those that waited for it to be ready",
    () =>
      within(Effect.gen(function*() {
        const refs: Array<WeakRef<object>> = []
        const create = Effect.sync(() => {
          const item = { bulk: Array.from({ length: 100 }) }
          refs.push(new WeakRef(item))
          return item
        })
        const pool = yield* ResourcePool.make(create, { maxSize: 1 })
        const promises = ResourcePool.toPromisePool(pool, yield* Effect.runtime())
        yield* Effect.promise(async () => {
          for (let i = 0; i < 100; i++) await promises.destroy(await promises.acquire())
        })
        // The pause is over by the next borrow.
        const failing = yield* ResourcePool.make(
          Effect.withFiberRuntime<never, string>((fiber) => {
            refs.push(new WeakRef(fiber))
            return Effect.fail("down")
          }),
          { failFastAfter: 1, backoffFrom: "1 nanos", backoffTo: "1 nanos" }
        )
        for (let i = 0; i < 100; i++) yield* Effect.flip(failing.use(() => Effect.void))
        const unready = yield* ResourcePool.make(Effect.never, { minSize: 1 })
        for (let i = 0; i < 100; i++) {
          const waiting = yield* Effect.fork(unready.awaitReady)
          refs.push(new WeakRef(waiting))
          yield* turns
          yield* Fiber.interrupt(waiting)
        }
        expect(refs.length).toBe(300)
        // The last may be on a stack still.
        expect(yield* kept(refs)).toBeLessThanOrEqual(2)
      })),
    60_000
  )

  it.live("in the scope of its making, nor in one that only asked", () =>
    within(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const finalizers = () => (scope as any).state.finalizers.size
      const pool = yield* Scope.extend(ResourcePool.make(Effect.void, { maxSize: 1 }), scope)
      expect(finalizers()).toBe(1)
      for (let i = 0; i < 100; i++) yield* pool.use((_, lease) => lease.invalidate)
      yield* pool.suspend
      for (let i = 0; i < 100; i++) yield* Effect.exit(Scope.extend(pool.tryGet, scope))
      expect(finalizers()).toBe(1)
      yield* Scope.close(scope, Exit.void)
    })))

  it.live(
    "of keys that are not used any more, nor in a scope that only asked for them",
    () =>
      within(Effect.gen(function*() {
        const refs: Array<WeakRef<object>> = []
        const track = () => {
          const value = { bulk: Array.from({ length: 100 }) }
          refs.push(new WeakRef(value))
          return value
        }
        // A key is kept with its pool.
        const pools = yield* ResourcePool.keyed((_: object) => Effect.sync(track), {
          keyIdleTimeout: "1 millis",
          maxSize: 1
        })
        for (let i = 0; i < 300; i++) yield* Effect.suspend(() => pools.use(track(), () => Effect.void))
        yield* Effect.iterate(300, {
          while: (left) => left > 0,
          body: () => Effect.andThen(Effect.sleep("1 millis"), Effect.map(pools.keys, ({ length }) => length))
        })
        expect(refs.length).toBe(600)
        expect(yield* kept(refs)).toBe(0)
        const scope = yield* Scope.make()
        const key = {}
        const asking = Effect.exit(Scope.extend(pools.tryGet(key), scope))
        yield* pools.use(key, () => Effect.repeatN(asking, 99))
        expect((scope as any).state.finalizers.size).toBe(0)
      })),
    60_000
  )
})

describe("an idle item", () => {
  it.live("costs little beyond itself", () =>
    within(Effect.gen(function*() {
      const n = 10_000
      const warm = yield* ResourcePool.make(Effect.void, { minSize: 100, maxSize: 100, createConcurrency: 100 })
      yield* warm.awaitReady
      const before = yield* heap
      const pool = yield* ResourcePool.make(Effect.void, { minSize: n, maxSize: n, createConcurrency: 1_000 })
      yield* pool.awaitReady
      yield* turns
      const each = ((yield* heap) - before) / n
      console.log(`an idle item costs ${Math.round(each)} bytes`)
      expect(each).toBeLessThan(2_048)
    })), 60_000)
})

describe("events and names of metrics", () => {
  it.live("are not made where nobody listens", () =>
    within(Effect.gen(function*() {
      let reads = 0
      const item = {
        get id() {
          reads++
          return "id"
        }
      }
      const { Teller } = yield* Effect.promise(() => import("../src/internal/Teller.js"))
      const teller = new Teller("db", yield* Effect.runtime(), undefined as never, undefined)
      teller.emit(() => ({ _tag: "Removed", id: item.id as never, reason: "idle", ageMillis: 0, uses: 0 }))
      expect(reads).toBe(0)
    })))
})
