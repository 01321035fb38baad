import { describe, expect, it } from "@effect/vitest"
import type { ResourceRegistry } from "@patinox/core"
import { HeapProbe } from "@patinox/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { ResourceCache } from "../src/index.js"
import { atRest, quietly, turns } from "./kit.js"

const within = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | ResourceRegistry.ResourceRegistry>) =>
  Effect.provide(Effect.scoped(effect), quietly)

const bulky = () => ({ bulk: Array.from({ length: 100 }) })

/** Looks up values that are large, and known not to be kept. */
const tracking = () => {
  const probe = HeapProbe.make()
  return { probe, lookup: () => Effect.sync(() => probe.track(bulky())) }
}

describe("a cache keeps nothing", () => {
  it.live("a cache keeps nothing of ten thousand hits, in any way", () =>
    within(Effect.gen(function*() {
      const cache = yield* ResourceCache.make((key: number) => Effect.succeed(key), {
        release: () => Effect.void,
        timeToIdle: "1 minutes"
      })
      const round = Effect.gen(function*() {
        yield* cache.use(1, () => Effect.void)
        yield* Effect.scoped(cache.get(1))
        yield* Effect.scoped(cache.getIfPresent(1))
        yield* cache.use(1, () => cache.use(1, () => Effect.void))
      })
      expect(yield* HeapProbe.growth(Effect.repeatN(round, 2_500))).toBeLessThan(256 * 1024)
      expect(yield* atRest(cache)).toBe(1)
    })), 60_000)

  it.live(
    "a cache keeps nothing of ten thousand misses, whose values were evicted, nor of those that failed",
    () =>
      within(Effect.gen(function*() {
        const { lookup, probe } = tracking()
        const cache = yield* ResourceCache.make(
          (key: number) => key % 4 === 3 ? Effect.fail(new Error("none")) : lookup(),
          { maxEntries: 2, release: () => Effect.void, timeToLive: "1 minutes" }
        )
        const ask = (from: number) =>
          Effect.forEach(
            Array.from({ length: 2_000 }, (_, i) => from + i),
            (key) => Effect.ignore(cache.use(key, () => Effect.void)),
            { discard: true }
          )
        yield* ask(0)
        yield* turns
        expect(probe.tracked()).toBeGreaterThan(1_000)
        // Those that are in the cache.
        expect(yield* probe.kept).toBeLessThanOrEqual(2)
        let from = 0
        const round = Effect.suspend(() => {
          probe.forget()
          return Effect.andThen(ask(from += 2_000), turns)
        })
        expect(yield* HeapProbe.growth(round)).toBeLessThan(256 * 1024)
      })),
    120_000
  )

  it.live(
    "a cache keeps nothing of values that were replaced, though the new one knows the runtime that it was looked up in",
    () =>
      within(Effect.gen(function*() {
        const probe = HeapProbe.make()
        const lookup = () => Effect.map(Effect.runtime<never>(), (runtime) => probe.track({ runtime }))
        const cache = yield* ResourceCache.make(lookup, { release: () => Effect.void })
        yield* cache.use("a", () => Effect.void)
        yield* Effect.repeatN(cache.refresh("a"), 99)
        yield* turns
        expect(probe.tracked()).toBe(101)
        expect(yield* probe.kept).toBe(1)
        expect(yield* atRest(cache)).toBe(1)
      })),
    60_000
  )

  it.live(
    "a cache keeps nothing of values that were removed by hand, replaced, or expired",
    () =>
      within(Effect.gen(function*() {
        const { lookup, probe } = tracking()
        const cache = yield* ResourceCache.make((_: number) => lookup(), {
          release: () => Effect.void,
          maxEntries: Infinity,
          onRemoval: () => Effect.void
        })
        for (let key = 0; key < 500; key++) {
          yield* cache.use(key, () => Effect.void)
          yield* cache.refresh(key)
          yield* cache.set(key, yield* lookup())
          if (key % 2 === 0) yield* cache.invalidate(key)
        }
        yield* cache.invalidateWhere((key) => key % 3 === 0)
        yield* cache.invalidateAll
        yield* turns
        expect(yield* atRest(cache)).toBe(0)
        expect(probe.tracked()).toBe(1_500)
        expect(yield* probe.kept).toBe(0)
      })),
    60_000
  )

  it.live(
    "a cache keeps nothing of callers that gave up, and of lookups that were ended",
    () =>
      within(Effect.gen(function*() {
        const probe = HeapProbe.make()
        const cache = yield* ResourceCache.make((_: object) => Effect.never)
        const ask = Effect.suspend(() => {
          const key = probe.track(bulky())
          return Effect.flatMap(
            Effect.fork(cache.use(key, () => Effect.void)),
            (fiber) => Effect.andThen(Effect.yieldNow(), Fiber.interrupt(fiber))
          )
        })
        yield* Effect.repeatN(ask, 499)
        yield* turns
        yield* atRest(cache)
        expect(probe.tracked()).toBe(500)
        expect(yield* probe.kept).toBe(0)
      })),
    60_000
  )

  it.live(
    "a cache keeps nothing of who asked first: its FiberRefs and span are gone with it, though the value stays",
    () =>
      within(Effect.gen(function*() {
        const probe = HeapProbe.make()
        const cache = yield* ResourceCache.make((key: number) => Effect.as(Effect.yieldNow(), key), {
          release: () => Effect.void
        })
        const ask = (key: number) =>
          Effect.suspend(() => {
            const request = probe.track(bulky())
            return Effect.flatMap(
              Effect.fork(
                cache.use(key, () => Effect.void).pipe(
                  Effect.annotateLogs("request", request),
                  Effect.withSpan("request", { attributes: { request } })
                )
              ),
              Fiber.join
            )
          })
        for (let key = 0; key < 200; key++) yield* ask(key)
        yield* turns
        expect(yield* atRest(cache)).toBe(200)
        expect(yield* probe.kept).toBe(0)
      })),
    60_000
  )

  it.live("a cache keeps nothing in the scope of its making, nor in one that only asked", () =>
    within(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const finalizers = () => (scope as any).state.finalizers.size
      const cache = yield* Scope.extend(
        ResourceCache.make((key: number) => key < 0 ? Effect.fail("none") : Effect.succeed(key), { maxEntries: 3 }),
        scope
      )
      expect(finalizers()).toBe(1)
      for (let key = 0; key < 100; key++) yield* cache.use(key, () => Effect.void)
      for (let key = 0; key < 100; key++) yield* Scope.extend(cache.getIfPresent(key - 10), scope)
      const inUse = (yield* cache.stats).inUse
      expect(finalizers()).toBe(1 + inUse)
      for (let key = 1; key < 100; key++) yield* Effect.exit(Scope.extend(cache.get(-key), scope))
      expect(finalizers()).toBe(1 + inUse)
      yield* Scope.close(scope, Exit.void)
    })))

  it.live("a cache keeps nothing of a plain cache's values that it has let go of", () =>
    within(Effect.gen(function*() {
      const { lookup, probe } = tracking()
      const cache = yield* ResourceCache.plain((_: number) => lookup(), { maxEntries: 2, timeToLive: "1 minutes" })
      for (let key = 0; key < 5_000; key++) yield* cache.get(key)
      yield* turns
      expect(yield* probe.kept).toBe(2)
      yield* cache.invalidateAll
      expect(yield* probe.kept).toBe(0)
    })), 60_000)

  it.live("a cache keeps nothing of itself after its end, but for who holds it", () =>
    within(Effect.gen(function*() {
      const { lookup, probe } = tracking()
      for (let i = 0; i < 20; i++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const cache = yield* ResourceCache.make((_: number) => lookup(), { release: () => Effect.void })
          for (let key = 0; key < 20; key++) yield* cache.use(key, () => Effect.void)
        }))
      }
      expect(probe.tracked()).toBe(400)
      expect(yield* probe.kept).toBe(0)
    })), 60_000)
})
