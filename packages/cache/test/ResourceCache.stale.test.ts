/** Shows `Expiry`. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Option } from "effect"
import { ResourceCache } from "../src/index.js"
import { after, atRest, inScope, listen, logging, number, Source, turns } from "./kit.js"
import { made } from "./staleCache.js"

describe("refreshAfter", () => {
  it.effect("gives the old value to all, while one lookup begins behind", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, gate, source, world } = yield* made({ refreshAfter: "1 seconds" })
      yield* ask
      yield* after("999 millis")
      yield* ask
      expect(world.asked).toBe(1)
      yield* after("1 millis")
      world.how = "wait"
      expect(yield* Effect.all([ask, ask, ask], { concurrency: "unbounded" })).toEqual([1, 1, 1])
      yield* turns
      expect([world.asked, yield* ask]).toEqual([2, 1])
      expect((yield* cache.snapshot).lookups).toMatchObject([{ key: "a", callers: 0, phase: "running" }])
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      expect(source.log).toEqual(["open a", "open a", "close a"])
      expect(yield* ask).toBe(2)
      expect(yield* cache.stats).toMatchObject({ misses: 1, loads: 2, removals: { replaced: 1, expired: 0 } })
      yield* after("999 millis")
      yield* ask
      expect(world.asked).toBe(2)
    })))

  it.effect("looks nothing up for getIfPresent, which gives the old value", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, world } = yield* made({ refreshAfter: "1 seconds", staleWhileRevalidate: "1 minutes" })
      yield* ask
      yield* after("2 seconds")
      expect(Option.map(yield* Effect.scoped(cache.getIfPresent("a")), (value) => value.number)).toEqual(Option.some(1))
      yield* turns
      expect(world.asked).toBe(1)
      const plain = yield* ResourceCache.plain(() => Effect.sync(() => ++world.asked), { refreshAfter: "1 seconds" })
      yield* plain.get("a")
      yield* after("2 seconds")
      expect(yield* plain.getIfPresent("a")).toEqual(Option.some(2))
      yield* turns
      expect(world.asked).toBe(2)
    })))

  it.effect("looks nothing up that nobody asks for", () =>
    inScope(Effect.gen(function*() {
      const { ask, world } = yield* made({ refreshAfter: "1 seconds" })
      yield* ask
      yield* after("1 days")
      expect(world.asked).toBe(1)
    })))

  it.effect("keeps the old value while the lookup fails, and pauses 1 second, then twice as long up to a minute", () =>
    inScope(Effect.gen(function*() {
      const { ask, source, world } = yield* made({ refreshAfter: "1 seconds" })
      yield* ask
      world.how = "fail"
      yield* after("1 seconds")
      const at: Array<number> = []
      for (let second = 0; second < 250; second++) {
        const before = world.asked
        expect(yield* ask).toBe(1)
        yield* turns
        if (world.asked > before) at.push(second)
        yield* TestClock.adjust("1 seconds")
      }
      expect(at).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183, 243])
      // It is well again: so are the pauses.
      world.how = "succeed"
      yield* after("60 seconds")
      yield* ask
      yield* turns
      expect(yield* ask).toBe(2)
      expect(source.alive).toBe(1)
      world.how = "fail"
      yield* after("1 seconds")
      yield* ask
      yield* turns
      const asked = world.asked
      yield* after("1 seconds")
      yield* ask
      yield* turns
      expect(world.asked).toBe(asked + 1)
    })))

  it.effect("pauses no longer than half of what is left of the value", () =>
    inScope(Effect.gen(function*() {
      const { ask, world } = yield* made({ refreshAfter: "30 seconds", timeToLive: "60 seconds" })
      yield* ask
      world.how = "fail"
      const begun: Array<number> = []
      for (let second = 1; second < 60; second++) {
        yield* after("1 seconds")
        const before = world.asked
        yield* ask
        yield* turns
        if (world.asked > before) begun.push(second)
      }
      // 1, 2, 4 and 8 seconds, then half of what is left, and every second in the end.
      expect(begun).toEqual([30, 31, 33, 37, 45, 53, 57, 59])
    })))

  it.effect("keeps nothing longer than its time to live, however its lookups fail", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, source, world } = yield* made({ refreshAfter: "1 seconds", timeToLive: "10 seconds" })
      yield* ask
      world.how = "fail"
      yield* after("1 seconds")
      yield* ask
      yield* after("9 seconds")
      expect([source.closed, yield* atRest(cache)]).toEqual([1, 0])
      expect(yield* Effect.flip(ask)).toMatch(/^down/)
    })))

  it.effect("ends a lookup for which nobody waits when it takes too long, and begins another after a pause", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, world } = yield* made({
        refreshAfter: "1 seconds",
        acquireTimeout: "5 seconds",
        releaseTimeout: "1 millis"
      })
      yield* ask
      world.how = "hang"
      yield* after("1 seconds")
      yield* ask
      yield* after("4999 millis")
      expect((yield* cache.stats).loading).toBe(1)
      yield* after("2 millis")
      expect((yield* cache.stats).loading).toBe(0)
      yield* ask
      yield* turns
      expect(world.asked).toBe(2)
      world.how = "succeed"
      yield* after("1 seconds")
      expect(yield* ask).toBe(1)
      yield* turns
      expect(yield* ask).toBe(2)
    })))

  it.effect("writes the first failure of a row to the log, and tells each as an event", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const { ask, cache, world } = yield* made({ refreshAfter: "1 seconds", name: "files" })
        const events = yield* listen(cache)
        yield* ask
        world.how = "fail"
        for (let i = 0; i < 3; i++) {
          yield* after("5 seconds")
          yield* ask
          yield* turns
        }
        expect(lines).toEqual(["WARN Cache files: refreshing a failed (down 2); keeping the old value"])
        expect(events.filter(({ _tag }) => _tag === "LoadFailed")).toMatchObject([
          { key: "a", keepsOld: true },
          { key: "a", keepsOld: true },
          { key: "a", keepsOld: true }
        ])
      })
    ))
})
/** To make a text of it throws. */
const textless = (): object => Object.assign(Object.create(null), { id: 1n })

describe("a failure that has no text", () => {
  it.effect("a failure that has no text is a failure as any", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const error = textless()
        let asked = 0
        const cache = yield* ResourceCache.make(
          () => Effect.suspend(() => ++asked === 1 ? Effect.succeed(1) : Effect.fail(error))
        )
        yield* cache.use("a", Effect.succeed)
        const refreshing = yield* Effect.fork(Effect.flip(cache.refresh("a")))
        yield* turns
        expect((yield* Fiber.poll(refreshing))._tag).toBe("Some")
        expect(yield* Fiber.join(refreshing)).toBe(error)
        expect(lines).toEqual([
          "WARN Cache cache: refreshing a failed (a value (object) that cannot be shown as text); keeping the old value"
        ])
        expect(yield* atRest(cache)).toBe(1)
      })
    ))
})

describe("staleWhileRevalidate", () => {
  it.effect("gives an expired value for so long, while it is looked up anew", () =>
    inScope(Effect.gen(function*() {
      const { ask, gate, source, world } = yield* made({ timeToLive: "10 seconds", staleWhileRevalidate: "5 seconds" })
      yield* ask
      yield* after("10 seconds")
      expect(source.closed).toBe(0)
      world.how = "wait"
      expect(yield* ask).toBe(1)
      yield* turns
      expect(world.asked).toBe(2)
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      expect(yield* ask).toBe(2)
      expect(source.log).toEqual(["open a", "open a", "close a"])
    })))

  it.effect("makes callers wait after that, for a lookup of their own: what was begun behind is not kept", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, gate, source, world } = yield* made({
        timeToLive: "10 seconds",
        staleWhileRevalidate: "5 seconds"
      })
      yield* ask
      yield* after("14 seconds")
      world.how = "wait"
      expect(yield* ask).toBe(1)
      // A second user, who has it until the lookup is over.
      const late = yield* Effect.fork(cache.use("a", (value) => source.using(value, Deferred.await(gate))))
      yield* turns
      yield* after("1 seconds")
      expect((yield* cache.stats).removals.expired).toBe(1)
      const waiter = yield* Effect.fork(cache.use("a", number))
      yield* turns
      expect((yield* Fiber.poll(waiter))._tag).toBe("None")
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(waiter)).toBe(3)
      yield* Fiber.join(late)
      yield* turns
      expect(source.alive).toBe(1)
    })))

  it.effect("releases a value that nobody asks for when that time is over", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, source, world } = yield* made({ timeToLive: "10 seconds", staleWhileRevalidate: "5 seconds" })
      yield* ask
      yield* after("14999 millis")
      expect(source.closed).toBe(0)
      expect((yield* cache.snapshot).entries).toMatchObject([{ expiresInMillis: -4_999 }])
      yield* after("1 millis")
      expect([source.closed, world.asked, yield* atRest(cache)]).toEqual([1, 1, 0])
    })))
})

describe("staleOnError", () => {
  const options = { timeToLive: "10 seconds", staleOnError: "5 seconds" } as const

  it.effect("gives an expired value for so long where looking it up anew fails or dies", () =>
    inScope(Effect.gen(function*() {
      const { ask, source, world } = yield* made(options)
      yield* ask
      world.how = "fail"
      yield* after("10 seconds")
      expect(yield* ask).toBe(1)
      expect(world.asked).toBe(2)
      world.how = "die"
      yield* after("1 seconds")
      expect(yield* ask).toBe(1)
      expect(world.asked).toBe(3)
      world.how = "fail"
      yield* after("4 seconds")
      expect(source.closed).toBe(1)
      expect(yield* Effect.flip(ask)).toMatch(/^down/)
    })))

  it.effect("makes callers wait for the lookup, and gives them the new value where there is one", () =>
    inScope(Effect.gen(function*() {
      const { ask, gate, source, world } = yield* made(options)
      yield* ask
      world.how = "wait"
      yield* after("10 seconds")
      const waiter = yield* Effect.fork(ask)
      yield* turns
      expect((yield* Fiber.poll(waiter))._tag).toBe("None")
      expect(source.closed).toBe(0)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(waiter)).toBe(2)
      yield* turns
      expect(source.alive).toBe(1)
    })))

  it.effect("gives it also where looking it up anew takes too long, and looks nothing up in the pause after that", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, source, world } = yield* made({
        ...options,
        acquireTimeout: "2 seconds",
        releaseTimeout: "1 seconds"
      })
      yield* ask
      world.how = "hang"
      yield* after("10 seconds")
      const waiter = yield* Effect.fork(ask)
      yield* after("2 seconds")
      expect(yield* Fiber.join(waiter)).toBe(1)
      expect([yield* ask, world.asked]).toEqual([1, 2])
      yield* after("1 seconds")
      expect((yield* cache.stats).loading).toBe(0)
      yield* after("2 seconds")
      expect(source.closed).toBe(1)
      const tooLate = yield* Effect.fork(Effect.flip(ask))
      yield* after("2 seconds")
      expect(yield* Fiber.join(tooLate)).toMatchObject({ _tag: "CacheTimeout", stage: "lookup" })
      yield* after("1 seconds")
    })))

  it.effect("gives it in the pause after that at once, though the lookup cannot be ended and goes on", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, gate, world } = yield* made({ ...options, acquireTimeout: "2 seconds" })
      yield* ask
      world.how = "wait"
      yield* after("10 seconds")
      const waiter = yield* Effect.fork(ask)
      yield* after("2 seconds")
      expect(yield* Fiber.join(waiter)).toBe(1)
      expect((yield* cache.stats).loading).toBe(1)
      const next = yield* Effect.fork(ask)
      yield* turns
      expect(yield* Fiber.poll(next)).toEqual(Option.some(Exit.succeed(1)))
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      expect([yield* ask, world.asked]).toEqual([2, 2])
    })))

  it.effect("counts a lookup that takes too long as one failure, however many wait for it", () =>
    inScope(Effect.gen(function*() {
      const { ask, world } = yield* made({
        timeToLive: "10 seconds",
        staleOnError: "1 hours",
        acquireTimeout: "2 seconds",
        releaseTimeout: "500 millis"
      })
      yield* ask
      world.how = "hang"
      yield* after("10 seconds")
      const waiters = yield* Effect.replicateEffect(Effect.fork(ask), 12)
      yield* after("2 seconds")
      expect(yield* Fiber.joinAll(waiters)).toEqual(Array(12).fill(1))
      yield* after("999 millis")
      yield* ask
      expect(world.asked).toBe(2)
      world.how = "succeed"
      yield* after("1 millis")
      expect([yield* ask, world.asked]).toEqual([2, 3])
    })))

  it.effect("looks nothing up in the pause after a failure", () =>
    inScope(Effect.gen(function*() {
      const { ask, world } = yield* made(options)
      yield* ask
      world.how = "fail"
      yield* after("10 seconds")
      for (let i = 0; i < 10; i++) expect(yield* ask).toBe(1)
      expect(world.asked).toBe(2)
    })))

  it.effect("keeps the old value, and no failure, whatever the time to live of failures is", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, world } = yield* made({ ...options, timeToLive: () => "10 seconds" })
      yield* ask
      world.how = "fail"
      yield* after("10 seconds")
      expect(yield* ask).toBe(1)
      expect((yield* cache.snapshot).entries).toMatchObject([{ isFailure: false }])
      yield* after("5 seconds")
      expect(yield* Effect.flip(ask)).toBe("down 3")
      expect(yield* Effect.flip(ask)).toBe("down 3")
    })))

  it.effect("gives the failure to a lookup's callers that ends when that time is over", () =>
    inScope(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const source = new Source()
      const cache = yield* ResourceCache.make(
        (key: string) =>
          Effect.suspend(() =>
            source.opened === 0 ? source.lookup(key) : Effect.andThen(Deferred.await(gate), Effect.fail("down"))
          ),
        { release: source.release, ...options }
      )
      yield* cache.use("a", number)
      yield* after("14 seconds")
      const waiter = yield* Effect.fork(Effect.flip(cache.use("a", number)))
      yield* after("1 seconds")
      expect(source.closed).toBe(1)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(waiter)).toBe("down")
      expect(yield* atRest(cache)).toBe(0)
    })))
})
