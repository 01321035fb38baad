import { describe, expect, it } from "@effect/vitest"
import { TestClock, VirtualClock } from "@patinox/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer, Random, Scope } from "effect"
import { ResourceCache } from "../src/index.js"
import { after, atRest, inScope, listen, logging, made, number, quietly, Source, turns } from "./kit.js"

describe("a value expires", () => {
  it.effect("a value expires its time to live after it was looked up, whoever uses it, and is released at once", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ timeToLive: "10 seconds" })
      yield* cache.use("a", number)
      yield* after("5 seconds")
      yield* cache.use("a", number)
      yield* after("4999 millis")
      expect(source.closed).toBe(0)
      yield* after("1 millis")
      // Nobody asked.
      expect([source.closed, yield* atRest(cache)]).toEqual([1, 0])
      expect((yield* cache.stats).removals).toMatchObject({ expired: 1, evicted: 0 })
      expect(yield* cache.use("a", number)).toBe(2)
    })))

  it.effect("a value expires its time to idle after its last use, of whatever kind", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ timeToIdle: "10 seconds" })
      yield* cache.use("a", number)
      for (
        const use of [cache.use("a", number), Effect.scoped(cache.get("a")), Effect.scoped(cache.getIfPresent("a"))]
      ) {
        yield* after("9999 millis")
        yield* use
      }
      yield* cache.keys
      yield* cache.snapshot
      yield* after("9999 millis")
      expect(source.closed).toBe(0)
      yield* after("1 millis")
      expect([source.closed, yield* atRest(cache)]).toEqual([1, 0])
    })))

  it.live("a value expires its time to idle after its last use, without a timer while it is in use", () => {
    const { clock, pass, sleepers } = VirtualClock.make()
    let sleeps = 0
    const counting = {
      ...clock,
      sleep: (duration: Duration.Duration) => {
        sleeps++
        return clock.sleep(duration)
      }
    }
    return Effect.scoped(Effect.gen(function*() {
      const { cache, source } = yield* made({ timeToIdle: "10 millis" })
      const scope = yield* Scope.make()
      yield* Scope.extend(cache.get("a"), scope)
      // To have looked at it meanwhile is no use, and ends later.
      const looking = yield* Scope.make()
      yield* Scope.extend(cache.peek("a"), looking)
      yield* pass(1_000, turns)
      expect([source.closed, sleepers()]).toEqual([0, 0])
      expect(sleeps).toBeLessThan(5)
      yield* Scope.close(scope, Exit.void)
      yield* pass(1_000, turns)
      expect(source.closed).toBe(0)
      yield* Scope.close(looking, Exit.void)
      yield* pass(9, turns)
      expect(source.closed).toBe(0)
      yield* pass(1, turns)
      expect([source.closed, yield* atRest(cache), sleepers()]).toEqual([1, 0, 0])
    })).pipe(Effect.provide(Layer.provideMerge(quietly, Layer.setClock(counting))))
  })

  it.effect("a value expires its time to live after it was looked up, also while its time to idle waits for its use to end", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made({ timeToIdle: "1 seconds", timeToLive: "10 seconds" })
      const scope = yield* Scope.make()
      yield* Scope.extend(cache.get("a"), scope)
      yield* after("9999 millis")
      expect(yield* cache.keys).toEqual(["a"])
      yield* after("1 millis")
      expect(yield* cache.keys).toEqual([])
      yield* Scope.close(scope, Exit.void)
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a value expires at whichever of both comes first", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ timeToIdle: "10 seconds", timeToLive: "15 seconds" })
      yield* cache.use("idle", number)
      yield* cache.use("busy", number)
      yield* after("9 seconds")
      yield* cache.use("busy", number)
      yield* after("1 seconds")
      expect(source.log.slice(2)).toEqual(["close idle"])
      yield* after("5 seconds")
      expect(source.log.slice(2)).toEqual(["close idle", "close busy"])
    })))

  it.effect("a value expires at a time of its own, by key and outcome", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({
        timeToLive: (key, exit) => Exit.isSuccess(exit) && key === "short" ? "1 seconds" : Duration.infinity
      })
      yield* cache.use("long", number)
      yield* cache.use("short", number)
      yield* after("1 seconds")
      expect(source.log.slice(2)).toEqual(["close short"])
      yield* after("365 days")
      expect(source.closed).toBe(1)
      const [entry] = (yield* cache.snapshot).entries
      expect(entry).not.toHaveProperty("expiresInMillis")
    })))

  it.effect("a value expires at once where its time is 0: all who waited get it, and nobody else", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const gate = yield* Deferred.make<void>()
      const cache = yield* ResourceCache.make(
        (key: string) => Effect.andThen(Deferred.await(gate), source.lookup(key)),
        { release: source.release, timeToLive: () => 0 }
      )
      const callers = yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.fork(cache.use("a", (value) => source.using(value, Effect.as(turns, value.number))))
      )
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(Fiber.all(callers))).toEqual([1, 1, 1])
      yield* turns
      expect([source.closed, yield* atRest(cache)]).toEqual([1, 0])
      expect(yield* cache.use("a", number)).toBe(2)
      yield* cache.set("a", source.open("a"))
      yield* turns
      expect(source.alive).toBe(0)
    })))

  const noTimes = { "no duration": "soon", "below 0": -1, "below 0 in words": "-1 seconds", "not a number": Number.NaN }
  for (const [what, answer] of Object.entries(noTimes)) {
    it.effect(`a value expires never where its time is ${what}: its callers are told, and it is released`, () =>
      inScope(Effect.gen(function*() {
        const { cache, source } = yield* made({ timeToLive: () => answer as never })
        const cause = yield* Effect.flip(Effect.sandbox(cache.use("a", number)))
        expect(Cause.squash(cause)).toMatchObject({ _tag: "Validation" })
        expect(String(Cause.squash(cause))).toContain("Invalid option \"timeToLive\"")
        yield* turns
        expect([source.closed, yield* atRest(cache)]).toEqual([1, 0])
      })))
  }

  it.effect("a value expires never where the function for its time throws: that is what its callers get, and it is released", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({
        timeToLive: () => {
          throw new Error("no clock")
        }
      })
      expect(yield* Effect.exit(cache.use("a", number))).toEqual(Exit.die(new Error("no clock")))
      yield* turns
      expect([source.opened, source.closed, yield* atRest(cache)]).toEqual([1, 1, 0])
    })))

  it.effect("a value expires up to its share of jitter earlier, each at a time of its own", () =>
    inScope(Effect.gen(function*() {
      const source = new Source<number>()
      const cache = yield* ResourceCache.make(source.lookup, {
        release: source.release,
        timeToLive: "100 seconds",
        expiryJitter: 0.5,
        maxEntries: 200
      }).pipe(Effect.withRandom(Random.make("jitter")))
      yield* Effect.forEach(Array.from({ length: 200 }, (_, i) => i), (key) => cache.use(key, number))
      const lives = (yield* cache.snapshot).entries.map(({ expiresInMillis }) => expiresInMillis!)
      expect(Math.min(...lives)).toBeGreaterThanOrEqual(50_000)
      expect(Math.max(...lives)).toBeLessThanOrEqual(100_000)
      expect(new Set(lives).size).toBeGreaterThan(190)
      expect(Math.max(...lives) - Math.min(...lives)).toBeGreaterThan(40_000)
      yield* after("50 seconds")
      yield* after("25 seconds")
      expect(source.closed).toBeGreaterThan(60)
      expect(source.closed).toBeLessThan(140)
      yield* after("25 seconds")
      expect(source.closed).toBe(200)
    })))
})

describe("a failure", () => {
  const failing = (options: Partial<ResourceCache.CacheOptions<string, never, string>>) =>
    Effect.gen(function*() {
      let asked = 0
      const cache = yield* ResourceCache.make(
        (key: string) => Effect.suspend(() => Effect.fail(`${key} ${++asked}`)),
        options
      )
      return { cache, asked: () => asked, ask: Effect.flip(cache.use("a", () => Effect.void)) }
    })

  it.effect("a failure is not kept, whatever the time to live of values is", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache } = yield* failing({ timeToLive: "1 minutes", timeToIdle: "1 minutes" })
      expect([yield* ask, yield* ask]).toEqual(["a 1", "a 2"])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a failure is kept for as long as the function says", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache } = yield* failing({
        timeToLive: (_, exit) => Exit.isFailure(exit) ? "1 seconds" : "1 minutes"
      })
      expect([yield* ask, yield* ask]).toEqual(["a 1", "a 1"])
      expect((yield* cache.snapshot).entries).toMatchObject([{ key: "a", isFailure: true, expiresInMillis: 1_000 }])
      expect(yield* cache.stats).toMatchObject({ entries: 1, inUse: 0, hits: 1, misses: 1, loadFailures: 1 })
      yield* after("1 seconds")
      expect((yield* cache.stats).removals.expired).toBe(1)
      expect(yield* ask).toBe("a 2")
      expect(yield* cache.invalidate("a")).toBe(true)
      expect(yield* ask).toBe("a 3")
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("a failure that is kept is none for getIfPresent, and not meant by invalidateWhere", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache } = yield* failing({ timeToLive: () => "1 minutes" })
      yield* ask
      expect((yield* Effect.scoped(cache.getIfPresent("a")))._tag).toBe("None")
      expect(yield* cache.invalidateWhere(() => true)).toBe(0)
    })))

  it.effect("a failure that is kept is forgotten by invalidateWhere, as it may come from what is meant", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache } = yield* failing({ timeToLive: () => "1 minutes" })
      yield* ask
      yield* cache.invalidateWhere(() => false)
      expect(yield* cache.keys).toEqual([])
      expect(yield* ask).toBe("a 2")
    })))

  it.effect("a failure that is kept is of no use once it has expired, however long values may be stale", () =>
    inScope(Effect.gen(function*() {
      for (const staleness of ["staleWhileRevalidate", "staleOnError"]) {
        const { ask, cache } = yield* failing({
          timeToLive: (_, exit) => Exit.isFailure(exit) ? "1 seconds" : "1 hours",
          [staleness]: "10 minutes"
        })
        expect(yield* ask).toBe("a 1")
        yield* after("1 seconds")
        expect(yield* cache.keys).toEqual([])
        yield* after("5 minutes")
        expect(yield* ask).toBe("a 2")
      }
    })))

  it.effect("a failure that is kept is no old value where its key is looked up anew in vain", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const { cache } = yield* failing({ timeToLive: () => "1 minutes", staleOnError: "10 minutes" })
        const events = yield* listen(cache)
        yield* Effect.ignore(cache.refresh("a"))
        expect(yield* Effect.flip(cache.refresh("a"))).toBe("a 2")
        yield* turns
        expect(events).toMatchObject([{ keepsOld: false }, { keepsOld: false }, { _tag: "Removed" }])
        expect(lines).toEqual([])
        expect(yield* Effect.flip(cache.use("a", Effect.succeed))).toBe("a 2")
      })
    ))

  it.effect("a failure that is an interruption of the lookup by itself is not kept", () =>
    inScope(Effect.gen(function*() {
      let asked = 0
      const cache = yield* ResourceCache.make(
        () => Effect.suspend(() => ++asked === 1 ? Effect.interrupt : Effect.succeed(asked)),
        { timeToLive: () => "1 minutes" }
      )
      expect(Exit.isInterrupted(yield* Effect.exit(cache.use("a", Effect.succeed)))).toBe(true)
      expect(yield* cache.use("a", Effect.succeed)).toBe(2)
    })))

  it.effect("a failure that is kept gives way to a refresh that succeeds, and to a value given by hand", () =>
    inScope(Effect.gen(function*() {
      let asked = 0
      const cache = yield* ResourceCache.make(
        () => Effect.suspend(() => ++asked % 2 === 1 ? Effect.fail(asked) : Effect.succeed(asked)),
        { timeToLive: () => "1 minutes" }
      )
      expect(yield* Effect.flip(cache.use("a", Effect.succeed))).toBe(1)
      yield* cache.refresh("a")
      expect(yield* cache.use("a", Effect.succeed)).toBe(2)
      expect(yield* Effect.flip(cache.use("b", Effect.succeed))).toBe(3)
      yield* cache.set("b", 7)
      expect(yield* cache.use("b", Effect.succeed)).toBe(7)
      expect(yield* atRest(cache)).toBe(2)
    })))
})

const jumping = () => {
  const clock = VirtualClock.make()
  return {
    provide: Effect.provide(Layer.provideMerge(quietly, Layer.setClock(clock.clock))),
    sleepers: clock.sleepers,
    jump: clock.jump,
    pass: (millis: number) => clock.pass(millis, turns)
  }
}

describe("time", () => {
  const day = 86_400_000
  for (const [direction, by] of [["forward", day], ["back", -day]] as const) {
    it.live(`time that jumps ${direction} by a day makes nothing expire early or late`, () => {
      const { jump, pass, provide } = jumping()
      return Effect.scoped(Effect.gen(function*() {
        const { cache, source } = yield* made({ timeToLive: 3_000, timeToIdle: 1_000 })
        yield* cache.use("a", number)
        yield* pass(900)
        yield* jump(by)
        yield* pass(99)
        expect(source.closed).toBe(0)
        yield* cache.use("a", number)
        yield* pass(999)
        yield* jump(by)
        yield* cache.use("a", number)
        yield* pass(900)
        yield* cache.use("a", number)
        yield* pass(101)
        expect(source.closed).toBe(0)
        yield* pass(1)
        expect(source.closed).toBe(1)
      })).pipe(provide)
    })

    it.live(`time that jumps ${direction} by a day ends no caller's time early or late, nor a pause`, () => {
      const { jump, pass, provide } = jumping()
      return Effect.scoped(Effect.gen(function*() {
        let asked = 0
        const cache = yield* ResourceCache.make(
          () =>
            Effect.suspend(() => ++asked === 1 ? Effect.succeed(1) : asked === 2 ? Effect.fail("no") : Effect.never),
          { refreshAfter: 1_000, acquireTimeout: 500 }
        )
        yield* cache.use("a", Effect.succeed)
        yield* pass(1_000)
        yield* cache.use("a", Effect.succeed)
        yield* pass(500)
        expect(asked).toBe(2)
        yield* jump(by)
        yield* cache.use("a", Effect.succeed)
        yield* pass(0)
        expect(asked).toBe(2)
        const waiter = yield* Effect.fork(Effect.flip(cache.use("b", () => Effect.void)))
        yield* pass(400)
        yield* jump(by)
        yield* pass(99)
        expect((yield* Fiber.poll(waiter))._tag).toBe("None")
        yield* pass(1)
        expect(yield* Fiber.join(waiter)).toMatchObject({ _tag: "CacheTimeout" })
      })).pipe(provide)
    })
  }

  it.live("time is waited for with one timer for all that can expire, and none where nothing can", () => {
    const { pass, provide, sleepers } = jumping()
    return Effect.scoped(Effect.gen(function*() {
      const { cache } = yield* made({ maxEntries: 10_000 })
      yield* Effect.forEach(Array.from({ length: 1_000 }, (_, i) => `${i}`), (key) => cache.use(key, number))
      yield* pass(0)
      expect(sleepers()).toBe(0)
      const expiring = yield* made({ timeToLive: 10_000, timeToIdle: 5_000, maxEntries: 10_000 })
      yield* Effect.forEach(Array.from({ length: 1_000 }, (_, i) => `${i}`), (key) => expiring.cache.use(key, number))
      yield* pass(0)
      expect(sleepers()).toBe(1)
      yield* expiring.cache.invalidateAll
      yield* pass(0)
      expect(sleepers()).toBe(0)
    })).pipe(provide)
  })

  it.live("time that a use puts off costs no timer until it would have come", () => {
    const { pass, provide, sleepers } = jumping()
    return Effect.scoped(Effect.gen(function*() {
      const { cache, source } = yield* made({ timeToIdle: 1_000 })
      yield* cache.use("a", number)
      for (let i = 0; i < 100; i++) {
        yield* pass(100)
        yield* cache.use("a", number)
        expect(sleepers()).toBe(1)
      }
      yield* pass(999)
      expect(source.closed).toBe(0)
      yield* pass(1)
      expect([source.closed, sleepers()]).toEqual([1, 0])
    })).pipe(provide)
  })

  it.live("time of a fraction of a millisecond is waited for, and not asked for again and again", () => {
    const { pass, provide, sleepers } = jumping()
    return Effect.scoped(Effect.gen(function*() {
      const { cache, source } = yield* made({ timeToLive: "100300 micros", timeToIdle: "100200 micros" })
      yield* cache.use("a", number)
      yield* pass(101)
      expect([source.closed, sleepers()]).toEqual([1, 0])
      yield* atRest(cache)
    })).pipe(provide)
  })

  it.effect("time has come for a value though its timer has not: who asks does not get it", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ timeToLive: "1 seconds" })
      yield* cache.use("a", number)
      // The clock is set, and nobody who sleeps has had a turn yet.
      const asking = yield* Effect.fork(Effect.andThen(Effect.sleep("1 seconds"), cache.use("a", number)))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.join(asking)).toBe(2)
      yield* turns
      expect(source.alive).toBe(1)
    })))
})
