/** A cache that is closed by its own lookups, releases and listeners, or by what these start. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { ResourceCache } from "../src/index.js"
import { atRest, inScope, turns } from "./kit.js"

describe("the end of a cache from within", () => {
  type Strings = ResourceCache.ResourceCache<string, string>
  const atOnce = { durationMillis: 0, deadlineReached: false, stillRunning: 0 }

  const ways = {
    "its lookup": (close: (cache: Strings) => Effect.Effect<void>) =>
      Effect.gen(function*() {
        const cache: Strings = yield* ResourceCache.make(
          (key: string): Effect.Effect<string> => Effect.as(Effect.suspend(() => close(cache)), key),
          { release: () => Effect.void }
        )
        yield* Effect.fork(Effect.ignore(cache.use("a", Effect.succeed)))
        return cache
      }),
    "a release": (close: (cache: Strings) => Effect.Effect<void>) =>
      Effect.gen(function*() {
        const cache: Strings = yield* ResourceCache.make((key: string) => Effect.succeed(key), {
          release: (): Effect.Effect<void> => close(cache)
        })
        yield* Effect.forEach(["a", "b"], (key) => cache.use(key, Effect.succeed))
        yield* cache.invalidate("a")
        return cache
      }),
    "the fallback of a release": (close: (cache: Strings) => Effect.Effect<void>) =>
      Effect.gen(function*() {
        const cache: Strings = yield* ResourceCache.make((key: string) => Effect.succeed(key), {
          release: () => Effect.fail("stuck"),
          recovery: { strategy: () => "Fallback", fallback: (): Effect.Effect<void> => close(cache) }
        })
        yield* Effect.forEach(["a", "b"], (key) => cache.use(key, Effect.succeed))
        yield* cache.invalidate("a")
        return cache
      }),
    "a listener": (close: (cache: Strings) => Effect.Effect<void>) =>
      Effect.gen(function*() {
        const cache: Strings = yield* ResourceCache.make((key: string) => Effect.succeed(key), {
          onRemoval: (): Effect.Effect<void> => close(cache)
        })
        yield* Effect.forEach(["a", "b"], (key) => cache.use(key, Effect.succeed))
        yield* cache.invalidate("a")
        return cache
      })
  }

  for (const [name, way] of Object.entries(ways)) {
    it.effect(`${name} does not wait for itself`, () =>
      inScope(Effect.gen(function*() {
        const reports: Array<unknown> = []
        const close = (cache: Strings) => Effect.map(cache.close, (report) => void reports.push(report))
        const cache = yield* way(close)
        yield* turns
        expect(reports[0]).toMatchObject(atOnce)
        expect((reports[0] as ResourceCache.CacheReport).stillHeld).toBeGreaterThan(0)
        expect(yield* atRest(cache)).toBe(0)
      })))

    it.effect(`${name} does not wait for itself where a fiber that it forks closes it, and it waits for that`, () =>
      inScope(Effect.gen(function*() {
        const ends: Array<unknown> = []
        const close = (cache: Strings) =>
          Effect.flatMap(
            Effect.forkDaemon(Effect.flatMap(cache.close, (report) => Effect.sync(() => ends.push(report)))),
            (fiber) => Effect.asVoid(Fiber.join(fiber))
          )
        const cache = yield* way(close)
        yield* turns
        expect(ends[0]).toMatchObject(atOnce)
        expect(yield* atRest(cache)).toBe(0)
      })))
  }

  it.effect("the end of a cache from within its lookup, by the scope that it lives in, does not wait for itself", () =>
    inScope(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const cache: Strings = yield* Scope.extend(
        ResourceCache.make((key: string) => Effect.as(Scope.close(scope, Exit.void), key), {
          release: () => Effect.void
        }),
        scope
      )
      const caller = yield* Effect.fork(Effect.flip(cache.use("a", Effect.succeed)))
      expect(yield* atRest(cache)).toBe(0)
      expect(yield* Fiber.join(caller)).toMatchObject({ _tag: "CacheClosed" })
      expect(yield* cache.close).toMatchObject(atOnce)
    })))
})
