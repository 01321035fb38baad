/** Shows `GuardedPolicy`, `LoadQueue` and `Refusals`. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Fiber, Scope } from "effect"
import { type CachePolicy, ResourceCache } from "../src/index.js"
import { atRest, hold, inScope, made, number, openScope, Source, turns } from "./kit.js"

describe("a full cache", () => {
  it.effect("lets go of who was used longest ago, before the new one is looked up", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 2 })
      yield* Effect.forEach(["a", "b", "a", "c"], (key) => cache.use(key, number))
      expect(source.log).toEqual(["open a", "open b", "close b", "open c"])
      expect(source.mostAlive).toBe(2)
      expect((yield* cache.stats).removals.evicted).toBe(1)
    })))

  it.effect("begins no lookup before the evicted one is released, however long that takes", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const gate = yield* Deferred.make<void>()
      const cache = yield* ResourceCache.make(source.lookup, {
        maxEntries: 1,
        release: (value) => Effect.andThen(Deferred.await(gate), source.release(value))
      })
      yield* cache.use("a", number)
      const next = yield* Effect.fork(cache.use("b", number))
      yield* turns
      expect(yield* cache.stats).toMatchObject({ entries: 0, releasing: 1, waiting: 1, loading: 0 })
      expect((yield* cache.snapshot).lookups).toMatchObject([{ key: "b", phase: "waiting for room" }])
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(next)).toBe(2)
      expect(source.mostAlive).toBe(1)
    })))

  it.effect("evicts as many as are waited for, and no more", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 4 })
      yield* Effect.forEach(["a", "b", "c", "d"], (key) => cache.use(key, number))
      yield* Effect.all([cache.use("e", number), cache.use("f", number)], { concurrency: "unbounded" })
      yield* turns
      expect([...yield* cache.keys].sort()).toEqual(["c", "d", "e", "f"])
      expect(source.mostAlive).toBe(4)
    })))

  it.effect("holds its bound with a hundred keys asked for at once", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 5 })
      const keys = Array.from({ length: 100 }, (_, i) => `${i}`)
      yield* Effect.forEach(
        keys,
        (key) => cache.use(key, (value) => source.using(value, Effect.yieldNow())),
        { concurrency: "unbounded", discard: true }
      )
      expect([source.opened, source.mostAlive]).toEqual([100, 5])
      expect(yield* atRest(cache)).toBe(5)
    })))

  it.effect("a full cache is not emptied by lookups that fail", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(
        (key: string) => key.startsWith("no") ? Effect.fail("none") : source.lookup(key),
        { release: source.release, maxEntries: 5 }
      )
      yield* Effect.forEach(["a", "b", "c", "d", "e"], (key) => cache.use(key, number))
      for (let i = 0; i < 50; i++) yield* Effect.flip(cache.use(`no ${i}`, number))
      // The room that the first one needed is there for all that follow.
      expect([...yield* cache.keys].sort()).toEqual(["b", "c", "d", "e"])
      expect(yield* atRest(cache)).toBe(4)
    })))

  it.effect("counts a kept failure as an entry, which can be evicted", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(
        (key: string) => key === "no" ? Effect.fail("none") : source.lookup(key),
        { release: source.release, maxEntries: 2, timeToLive: () => "1 minutes" }
      )
      yield* Effect.flip(cache.use("no", number))
      yield* cache.use("a", number)
      expect(yield* cache.stats).toMatchObject({ entries: 2, weight: 2 })
      yield* cache.use("b", number)
      expect([...yield* cache.keys].sort()).toEqual(["a", "b"])
    })))

  it.effect("asks the policy that it was given, to which a refresh is no use, but a value given by hand is", () =>
    inScope(Effect.gen(function*() {
      const told: Array<string> = []
      const entries: Array<CachePolicy.PolicyEntry> = []
      const name = (entry: CachePolicy.PolicyEntry) => {
        if (!entries.includes(entry)) entries.push(entry)
        return entries.indexOf(entry)
      }
      const policy: CachePolicy.CachePolicy = {
        name: "told",
        make: (bounds) => {
          told.push(`make ${bounds.maxEntries} ${bounds.maxWeight}`)
          return {
            added: (entry) => told.push(`added ${name(entry)}`),
            used: (entry) => told.push(`used ${name(entry)}`),
            victim: () => undefined,
            pinned: (entry) => told.push(`pinned ${name(entry)}`),
            unpinned: (entry) => told.push(`unpinned ${name(entry)}`),
            removed: (entry) => told.push(`removed ${name(entry)}`),
            replaced: (old, entry) => told.push(`replaced ${name(old)} ${name(entry)}`)
          }
        }
      }
      const { cache, source } = yield* made({ policy, maxEntries: 3 })
      yield* cache.use("a", number)
      yield* cache.use("a", number)
      yield* cache.refresh("a")
      yield* cache.set("a", source.open("a"))
      yield* cache.invalidate("a")
      expect(told).toEqual([
        "make 3 Infinity",
        "added 0",
        "used 0",
        "replaced 0 1",
        "replaced 1 2",
        "used 2",
        "removed 2"
      ])
    })))

  it.effect("tells a policy that knows of no replacement of a removal, and then of an addition", () =>
    inScope(Effect.gen(function*() {
      const told: Array<string> = []
      const policy: CachePolicy.CachePolicy = {
        name: "told",
        make: () => ({
          added: () => told.push("added"),
          used: () => {},
          victim: () => undefined,
          pinned: () => {},
          unpinned: () => {},
          removed: () => told.push("removed")
        })
      }
      const { cache } = yield* made({ policy })
      yield* cache.use("a", number)
      yield* cache.refresh("a")
      expect(told).toEqual(["added", "removed", "added"])
    })))

  it.effect("evicts by age of use, whatever was refreshed since", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made({ maxEntries: 2 })
      yield* Effect.forEach(["a", "b"], (key) => cache.use(key, number))
      yield* cache.refresh("a")
      yield* cache.use("c", number)
      expect([...yield* cache.keys].sort()).toEqual(["b", "c"])
    })))
})

describe("where everything is in use, \"wait\"", () => {
  it.effect("lets a lookup wait until something is not, in the order of asking", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 2 })
      const done = [yield* hold(cache, "a"), yield* hold(cache, "b")]
      const order: Array<string> = []
      const waiters = yield* Effect.forEach(["c", "d", "e"], (key) =>
        Effect.zipLeft(
          Effect.fork(cache.use(key, () => Effect.andThen(Effect.sync(() => order.push(key)), turns))),
          turns
        ))
      expect(yield* cache.stats).toMatchObject({ entries: 2, inUse: 2, waiting: 3, loading: 0 })
      yield* done[1]!
      yield* Fiber.join(Fiber.all(waiters))
      expect(order).toEqual(["c", "d", "e"])
      expect(source.mostAlive).toBe(2)
      expect((yield* cache.keys).includes("a")).toBe(true)
      yield* done[0]!
      yield* atRest(cache)
    })))

  it.effect("gives the room of who gives up to the next", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 1 })
      const done = yield* hold(cache, "a")
      const [first, second] = yield* Effect.forEach(["b", "c"], (key) =>
        Effect.zipLeft(Effect.fork(cache.use(key, number)), turns))
      yield* Fiber.interrupt(first!)
      expect((yield* cache.stats).waiting).toBe(1)
      yield* done
      expect(yield* Fiber.join(second!)).toBe(2)
      expect(source.log).toEqual(["open a", "close a", "open c"])
    })))

  it.effect("fails a caller whose time is up with the stage and the counts, and forgets its lookup", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made({ maxEntries: 1, acquireTimeout: "2 seconds", name: "files" })
      const done = yield* hold(cache, "a")
      const waiter = yield* Effect.fork(Effect.flip(cache.use("b", number)))
      yield* turns
      yield* TestClock.adjust("2 seconds")
      const error = yield* Fiber.join(waiter)
      expect(error).toMatchObject({
        _tag: "CacheTimeout",
        cache: "files",
        key: "b",
        stage: "room",
        limitMillis: 2_000,
        counts: { entries: 1, inUse: 1, loading: 0, waiting: 1, releasing: 0, weight: 1 }
      })
      expect(error.message).toBe(
        "Cache files: timed out after 2 s waiting for room for b, as everything is in use " +
          "(entries 1, in use 1, loading 0, waiting 1)"
      )
      expect((yield* cache.stats).waiting).toBe(0)
      yield* done
    })))

  it.effect("where everything is in use, \"wait\" is one deadline over the room and the lookup, and tells which it was", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(
        (key: string) => key === "slow" ? Effect.never : source.lookup(key),
        { maxEntries: 1, acquireTimeout: "2 seconds" }
      )
      const done = yield* hold(cache as never, "a")
      const waiter = yield* Effect.fork(Effect.flip(cache.use("slow", () => Effect.void)))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      yield* done
      yield* turns
      expect(yield* cache.stats).toMatchObject({ loading: 1, waiting: 0 })
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.join(waiter)).toMatchObject({ _tag: "CacheTimeout", stage: "lookup" })
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("waits for values that are out of the cache but still in use, too", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 1 })
      const done = yield* hold(cache, "a")
      yield* cache.invalidate("a")
      const waiter = yield* Effect.fork(cache.use("a", number))
      yield* turns
      expect(yield* cache.stats).toMatchObject({ entries: 0, inUse: 1, waiting: 1 })
      yield* done
      expect(yield* Fiber.join(waiter)).toBe(2)
      expect(source.mostAlive).toBe(1)
    })))

  it.effect("does not keep a refresh waiting: it exceeds by its one value", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 2 })
      yield* cache.use("b", number)
      const done = yield* hold(cache, "a")
      yield* cache.refresh("a")
      yield* turns
      // Nothing else has to go for it.
      expect([source.mostAlive, source.alive]).toEqual([3, 3])
      expect([...yield* cache.keys].sort()).toEqual(["a", "b"])
      expect(yield* cache.use("a", number)).toBe(3)
      yield* done
      yield* turns
      expect(source.alive).toBe(2)
      expect(yield* atRest(cache)).toBe(2)
    })))

  it.effect("keeps the new value of a refresh, though the old one is in use and there is room for one only", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 1 })
      const done = yield* hold(cache, "a")
      yield* cache.refresh("a")
      yield* turns
      expect([yield* cache.use("a", number), source.alive]).toEqual([2, 2])
      yield* done
      yield* turns
      expect([yield* cache.use("a", number), source.alive]).toEqual([2, 1])
    })))

  it.effect("does not keep a value waiting that is given by hand, and evicts what nobody uses", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 2 })
      yield* cache.use("a", number)
      const done = yield* hold(cache, "b")
      yield* cache.set("c", source.open("c"))
      yield* turns
      expect([...yield* cache.keys].sort()).toEqual(["b", "c"])
      const other = yield* hold(cache, "c")
      yield* cache.set("d", source.open("d"))
      yield* turns
      expect((yield* cache.keys).length).toBe(2)
      yield* done
      yield* other
      yield* atRest(cache)
    })))
})

describe("where everything is in use, \"exceed\"", () => {
  it.effect("looks up at once, and lets go of what is too much as soon as nobody uses it", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 2, whenFull: "exceed" })
      const done = yield* Effect.forEach(["a", "b", "c", "d"], (key) => hold(cache, key))
      expect(yield* cache.stats).toMatchObject({ entries: 4, inUse: 4, waiting: 0 })
      for (const [at, close] of done.entries()) {
        yield* close
        yield* turns
        expect((yield* cache.stats).entries).toBe(Math.max(2, 3 - at))
      }
      expect([...yield* cache.keys].sort()).toEqual(["c", "d"])
      expect(source.alive).toBe(2)
      yield* atRest(cache)
    })))

  it.effect("evicts nobody for a lookup that fails", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(
        (key: string) => key === "no" ? Effect.fail("none") : source.lookup(key),
        { release: source.release, maxEntries: 2, whenFull: "exceed" }
      )
      yield* Effect.forEach(["a", "b"], (key) => cache.use(key, number))
      yield* Effect.flip(cache.use("no", number))
      expect(yield* atRest(cache)).toBe(2)
    })))
})

describe("where everything is in use, \"fail\"", () => {
  it.effect("fails at once, and leaves no trace", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made({ maxEntries: 1, whenFull: "fail", name: "files" })
      const done = yield* hold(cache, "a")
      const error = yield* Effect.flip(cache.use("b", number))
      expect(error).toMatchObject({ _tag: "CacheFull", cache: "files", key: "b", counts: { entries: 1, inUse: 1 } })
      expect(error.message).toBe(
        "Cache files: no room for b, as everything is in use (entries 1, in use 1, loading 0, waiting 0)"
      )
      expect(yield* Effect.flip(Effect.scoped(cache.get("b")))).toMatchObject({ _tag: "CacheFull" })
      expect(yield* Effect.flip(cache.refresh("b"))).toMatchObject({ _tag: "CacheFull" })
      expect(yield* cache.use("a", number)).toBe(1)
      yield* cache.refresh("a")
      yield* done
      expect(yield* cache.use("b", number)).toBe(3)
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("fails also for what other lookups will fill, and not for what is being released", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const gate = yield* Deferred.make<void>()
      const releasing = yield* Deferred.make<void>()
      const cache = yield* ResourceCache.make(
        (key: string) => Effect.andThen(key === "slow" ? Deferred.await(gate) : Effect.void, source.lookup(key)),
        {
          release: (value) => Effect.andThen(Deferred.await(releasing), source.release(value)),
          maxEntries: 1,
          whenFull: "fail"
        }
      )
      const slow = yield* Effect.fork(cache.use("slow", number))
      yield* turns
      expect(yield* Effect.flip(cache.use("a", number))).toMatchObject({ _tag: "CacheFull", counts: { loading: 1 } })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(slow)
      const next = yield* Effect.fork(cache.use("a", number))
      yield* turns
      expect(yield* cache.stats).toMatchObject({ releasing: 1, waiting: 1 })
      // Its room is promised to another by now.
      expect(yield* Effect.flip(cache.use("b", number))).toMatchObject({ _tag: "CacheFull" })
      yield* Deferred.succeed(releasing, undefined)
      expect(yield* Fiber.join(next)).toBe(2)
      yield* atRest(cache)
    })))
})

describe("a value that is refreshed while it is in use", () => {
  it.effect("takes room for one more, however often it is refreshed", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 1, whenFull: "fail" })
      const errors: Array<unknown> = []
      yield* Effect.scoped(Effect.gen(function*() {
        for (let i = 0; i < 10; i++) {
          yield* cache.get("a")
          yield* Effect.catchAll(cache.refresh("a"), (error) => Effect.sync(() => errors.push(error)))
        }
      }))
      expect(source.mostAlive).toBe(2)
      expect(errors).toHaveLength(9)
      expect(errors[0]).toMatchObject({ _tag: "CacheFull", key: "a" })
      expect(yield* atRest(cache)).toBe(1)
      yield* cache.use("a", number)
      yield* cache.refresh("a")
    })))

  it.effect("waits where that is wanted, until the one before is not in use any more", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 1 })
      const first = yield* hold(cache, "a")
      yield* cache.refresh("a")
      const second = yield* hold(cache, "a")
      const refreshing = yield* Effect.fork(cache.refresh("a"))
      yield* turns
      expect(yield* cache.stats).toMatchObject({ waiting: 1, loading: 0 })
      yield* first
      yield* turns
      yield* Fiber.join(refreshing)
      expect([source.alive, source.mostAlive]).toEqual([2, 2])
      yield* second
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("costs no other its place, nor itself, by that: though the refresh fails", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      let isDown = false
      const lookup = (key: string) => Effect.suspend(() => isDown ? Effect.fail("down") : source.lookup(key))
      const cache = yield* ResourceCache.make(lookup, { maxEntries: 2, release: source.release })
      yield* cache.use("b", number)
      const holder = yield* openScope
      yield* Scope.extend(cache.get("a"), holder.scope)
      yield* cache.refresh("a")
      isDown = true
      const refreshing = yield* Effect.fork(Effect.flip(cache.refresh("a")))
      yield* turns
      expect([yield* cache.keys, source.alive]).toEqual([["b", "a"], 3])
      yield* holder.close
      expect(yield* Fiber.join(refreshing)).toBe("down")
      expect([yield* cache.keys, source.alive]).toEqual([["b", "a"], 2])
      expect(yield* cache.use("a", number)).toBe(3)
      expect([yield* atRest(cache), source.mostAlive]).toEqual([2, 3])
    })))

  it.effect("a value that is refreshed while it is in use is not looked up anew behind its callers while the one before is in use", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ maxEntries: 1, refreshAfter: "1 seconds" })
      const first = yield* hold(cache, "a")
      yield* cache.refresh("a")
      yield* TestClock.adjust("1 seconds")
      expect(yield* cache.use("a", (value) => source.using(value, Effect.as(turns, value.number)))).toBe(2)
      expect(source.opened).toBe(2)
      yield* first
      yield* turns
      expect(yield* cache.use("a", number)).toBe(2)
      yield* turns
      expect(yield* cache.use("a", number)).toBe(3)
    })))
})
