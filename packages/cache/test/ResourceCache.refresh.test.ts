/** A refresh that is asked for by hand. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { ResourceCache } from "../src/index.js"
import { after, atRest, inScope, listen, turns } from "./kit.js"
import { made } from "./staleCache.js"

describe("a refresh by hand", () => {
  it.effect("a refresh by hand that fails fails for its caller, and keeps the old value and its times", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, source, world } = yield* made({ timeToLive: "10 seconds" })
      yield* ask
      yield* after("5 seconds")
      world.how = "fail"
      expect(yield* Effect.flip(cache.refresh("a"))).toBe("down 2")
      world.how = "die"
      expect(yield* Effect.exit(cache.refresh("a"))).toEqual(Exit.die("bug"))
      expect(yield* ask).toBe(1)
      yield* after("4 seconds")
      expect(yield* ask).toBe(1)
      yield* turns
      expect(world.asked).toBe(3)
      yield* after("1 seconds")
      expect(source.closed).toBe(1)
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("begins no lookup that nobody asked for, after it has failed", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, world } = yield* made({})
      yield* ask
      world.how = "fail"
      yield* Effect.flip(cache.refresh("a"))
      yield* after("1 days")
      expect(yield* ask).toBe(1)
      yield* turns
      expect(world.asked).toBe(2)
    })))

  it.effect("a refresh by hand that is interrupted ends its lookup, keeps the old value, and puts its next lookup off by no more than a pause", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, world } = yield* made({ refreshAfter: "10 seconds", releaseTimeout: "100 millis" })
      yield* ask
      world.how = "hang"
      const refreshing = yield* Effect.fork(cache.refresh("a"))
      yield* after("9500 millis")
      yield* Fiber.interrupt(refreshing)
      yield* after("100 millis")
      expect(yield* atRest(cache)).toBe(1)
      world.how = "succeed"
      yield* after("1 seconds")
      expect(yield* ask).toBe(1)
      yield* turns
      expect(yield* ask).toBe(2)
    })))

  it.effect("a refresh by hand is one lookup for all who ask for it, and for those who miss the key", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, gate, world } = yield* made({})
      world.how = "wait"
      const all = yield* Effect.forEach(
        [cache.refresh("a"), ask, cache.refresh("a")],
        (effect) => Effect.fork(effect as Effect.Effect<unknown, unknown>)
      )
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(all))
      expect(world.asked).toBe(1)
    })))

  it.effect("a refresh by hand that gives a value with no time to live leaves none", () =>
    inScope(Effect.gen(function*() {
      let left = 1
      const { ask, cache, source } = yield* made({ timeToLive: () => left-- > 0 ? "1 minutes" : 0 })
      yield* ask
      yield* cache.refresh("a")
      yield* turns
      expect([source.alive, yield* atRest(cache)]).toEqual([0, 0])
    })))

  it.effect("a refresh by hand of a key that is not there looks it up", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, world } = yield* made({})
      yield* cache.refresh("a")
      expect(yield* ask).toBe(1)
      expect(world.asked).toBe(1)
      world.how = "fail"
      expect(yield* Effect.flip(cache.refresh("b"))).toBe("down 2")
      expect(yield* atRest(cache)).toBe(1)
    })))

  for (const what of ["weigher", "timeToLive"] as const) {
    it.effect(`a refresh by hand whose ${what} throws fails, keeps the old value, and releases the new one`, () =>
      inScope(Effect.gen(function*() {
        let isBad = false
        const answer = (): number => {
          if (isBad) throw new Error("bad answer")
          return 1_000
        }
        const { ask, cache, source } = yield* made({ maxWeight: 5_000, staleOnError: "1 hours", [what]: answer })
        const events = yield* listen(cache)
        yield* ask
        isBad = true
        expect(Exit.isFailure(yield* Effect.exit(cache.refresh("a")))).toBe(true)
        yield* turns
        expect([yield* ask, yield* atRest(cache), source.alive]).toEqual([1, 1, 1])
        expect(yield* cache.stats).toMatchObject({ loads: 1, loadFailures: 1, removals: { replaced: 0 } })
        expect(events).toMatchObject([{ _tag: "Loaded" }, { _tag: "LoadFailed", keepsOld: true }, { _tag: "Released" }])
      })))
  }
})

describe("a value that nothing can be done with", () => {
  it.effect("a value that nothing can be done with is given to nobody where there is an old one that will do", () =>
    inScope(Effect.gen(function*() {
      let isBad = false
      const plain = yield* ResourceCache.plain((key: string) => Effect.succeed(key + isBad), {
        staleOnError: "1 hours",
        timeToLive: () => {
          if (isBad) throw new Error("bad answer")
          return "1 seconds"
        }
      })
      yield* plain.get("a")
      isBad = true
      yield* after("1 seconds")
      expect(yield* plain.get("a")).toBe("afalse")
      expect(yield* plain.stats).toMatchObject({ loads: 1, loadFailures: 1, entries: 1 })
    })))
})
