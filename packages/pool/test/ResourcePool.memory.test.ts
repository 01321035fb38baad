import { describe, expect, it } from "@effect/vitest"
import { HeapProbe } from "@patinox/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { ResourcePool } from "../src/index.js"
import { atRest, quietly, turns } from "./kit.js"

const within = <A, E>(effect: Effect.Effect<A, E, any>) =>
  Effect.provide(Effect.scoped(effect), quietly) as Effect.Effect<A, E>

describe("a pool keeps nothing", () => {
  for (const [name, make] of [["objects", () => ({})], ["numbers", () => 7]] as const) {
    it.live(`a pool keeps nothing of ${name} that were taken from callers with promises who never return them`, () =>
      within(Effect.gen(function*() {
        const leases = HeapProbe.make()
        const pool: ResourcePool.ResourcePool<unknown> = yield* ResourcePool.make(Effect.sync(make), {
          maxSize: 4,
          leaseTimeout: "2 millis",
          onLeaseTimeout: "reclaim"
        })
        const noted: typeof pool = Object.assign(Object.create(pool), {
          lease: (options?: ResourcePool.BorrowOptions) =>
            Effect.tap(pool.lease(options), (lease) => Effect.sync(() => leases.track(lease)))
        })
        const promises = ResourcePool.toPromisePool(noted, yield* Effect.runtime())
        yield* Effect.promise(async () => {
          for (let i = 0; i < 40; i++) await promises.acquire()
        })
        while ((yield* pool.snapshot).holders.length > 0) yield* Effect.sleep("1 millis")
        expect([leases.tracked(), yield* leases.kept]).toEqual([40, 0])
      })))
  }

  it.live("a pool keeps nothing of ten thousand borrows, in any way", () =>
    within(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.succeed("item"), {
        maxSize: 2,
        leakThreshold: "1 minutes",
        recycle: () => Effect.void
      })
      const probe = HeapProbe.make()
      const round = Effect.gen(function*() {
        yield* pool.use((_, lease) => Effect.sync(() => probe.track(lease)))
        yield* Effect.scoped(Effect.map(pool.lease(), (lease) => probe.track(lease)))
        yield* pool.tryUse((_, lease) => Effect.sync(() => probe.track(lease)))
        yield* Effect.all([pool.use(() => Effect.void), pool.use(() => Effect.void), pool.use(() => Effect.void)], {
          concurrency: "unbounded"
        })
      })
      const rounds = Effect.repeatN(round, 1_700)
      yield* rounds
      expect(probe.tracked()).toBeGreaterThan(5_000)
      expect(yield* probe.kept).toBe(0)
      const untracked = Effect.suspend(() => {
        probe.forget()
        return rounds
      })
      expect(yield* HeapProbe.growth(untracked)).toBeLessThan(256 * 1024)
    })), 60_000)

  it.live(
    "a pool keeps nothing of items that came and went, nor of borrowers that gave up",
    () =>
      within(Effect.gen(function*() {
        const probe = HeapProbe.make()
        const create = Effect.sync(() => probe.track({ bulk: Array.from({ length: 100 }) }))
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
        expect(probe.tracked()).toBe(501)
        // The last is idle.
        expect(yield* probe.kept).toBe(1)
      })),
    60_000
  )

  it.live(
    "a pool keeps nothing of items given back by promises, of failed creations, nor of those that waited for it to be ready",
    () =>
      within(Effect.gen(function*() {
        const probe = HeapProbe.make()
        const create = Effect.sync(() => probe.track({ bulk: Array.from({ length: 100 }) }))
        const pool = yield* ResourcePool.make(create, { maxSize: 1 })
        const promises = ResourcePool.toPromisePool(pool, yield* Effect.runtime())
        yield* Effect.promise(async () => {
          for (let i = 0; i < 100; i++) await promises.destroy(await promises.acquire())
        })
        // The pause is over by the next borrow.
        const failing = yield* ResourcePool.make(
          Effect.withFiberRuntime<never, string>((fiber) => {
            probe.track(fiber)
            return Effect.fail("down")
          }),
          { failFastAfter: 1, backoffFrom: "1 nanos", backoffTo: "1 nanos" }
        )
        for (let i = 0; i < 100; i++) yield* Effect.flip(failing.use(() => Effect.void))
        const unready = yield* ResourcePool.make(Effect.never, { minSize: 1 })
        for (let i = 0; i < 100; i++) {
          const waiting = probe.track(yield* Effect.fork(unready.awaitReady))
          yield* turns
          yield* Fiber.interrupt(waiting)
        }
        expect(probe.tracked()).toBe(300)
        // The last may be on a stack still.
        expect(yield* probe.kept).toBeLessThanOrEqual(2)
      })),
    60_000
  )

  it.live("a pool keeps nothing in the scope of its making, nor in one that only asked", () =>
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
    "a pool keeps nothing of keys that are not used any more, nor in a scope that only asked for them",
    () =>
      within(Effect.gen(function*() {
        const probe = HeapProbe.make()
        const track = () => probe.track({ bulk: Array.from({ length: 100 }) })
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
        expect(probe.tracked()).toBe(600)
        expect(yield* probe.kept).toBe(0)
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
  it.live("an idle item costs little beyond itself", () =>
    within(Effect.gen(function*() {
      const n = 10_000
      const warm = yield* ResourcePool.make(Effect.void, { minSize: 100, maxSize: 100, createConcurrency: 100 })
      yield* warm.awaitReady
      const before = yield* HeapProbe.bytesInUse
      const pool = yield* ResourcePool.make(Effect.void, { minSize: n, maxSize: n, createConcurrency: 1_000 })
      yield* pool.awaitReady
      yield* turns
      const each = ((yield* HeapProbe.bytesInUse) - before) / n
      console.log(`an idle item costs ${Math.round(each)} bytes`)
      expect(each).toBeLessThan(2_048)
    })), 60_000)
})

describe("events and names of metrics", () => {
  it.live("events and names of metrics are not made where nobody listens", () =>
    within(Effect.gen(function*() {
      let reads = 0
      const item = {
        get id() {
          reads++
          return "id"
        }
      }
      const { PoolReporter } = yield* Effect.promise(() => import("../src/internal/PoolReporter.js"))
      const reporter = new PoolReporter("db", yield* Effect.runtime(), undefined as never, undefined)
      reporter.emit(() => ({ _tag: "Removed", id: item.id as never, reason: "idle", ageMillis: 0, uses: 0 }))
      expect(reads).toBe(0)
    })))
})
