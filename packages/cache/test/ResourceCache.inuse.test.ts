import { describe, expect, it } from "@effect/vitest"
import { ResourceScope } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { ResourceCache } from "../src/index.js"
import { atRest, inScope, madeBehindGate, number, Source, turns, type Value } from "./kit.js"

type Options = Partial<ResourceCache.CacheOptions<string, Value>>

/** A cache with a value of "a" in use until the gate opens. */
const using = (options: Options = {}) =>
  Effect.gen(function*() {
    const source = new Source()
    const cache = yield* ResourceCache.make(source.lookup, { release: source.release, ...options })
    const gate = yield* Deferred.make<void>()
    const user = yield* Effect.fork(
      cache.use("a", (value) => source.using(value, Effect.as(Deferred.await(gate), value)))
    )
    yield* turns
    return { source, cache, gate, user }
  })

const ways: Record<
  string,
  readonly [Options, (cache: ResourceCache.ResourceCache<string, Value>, source: Source) => Effect.Effect<unknown, any>]
> = {
  evicted: [{ maxEntries: 1, whenFull: "exceed" }, (cache) => cache.use("b", number)],
  "expired after its time to live": [{ timeToLive: "1 seconds" }, () => TestClock.adjust("1 seconds")],
  invalidated: [{}, (cache) => cache.invalidate("a")],
  "invalidated with those that are meant": [{}, (cache) => cache.invalidateWhere((key) => key === "a")],
  "invalidated with all": [{}, (cache) => cache.invalidateAll],
  "replaced by hand": [{}, (cache, source) => cache.set("a", source.open("a"))],
  "replaced by a refresh": [{}, (cache) => cache.refresh("a")],
  "replaced by a refresh behind": [
    { refreshAfter: "1 seconds" },
    (cache) => Effect.andThen(TestClock.adjust("1 seconds"), cache.use("a", number))
  ]
}

describe("a value in use", () => {
  it.effect("a value in use by a scope of any kind is so until that closes, whether it was there or had to be looked up", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, { release: source.release })
      const users = Effect.map(cache.stats, ({ inUse }) => inUse)
      const held = Effect.andThen(Effect.andThen(cache.get("a"), cache.get("a")), users)
      expect(yield* Effect.scoped(held)).toBe(1)
      expect(yield* ResourceScope.scoped(held)).toBe(1)
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      expect(yield* Scope.extend(Effect.andThen(cache.get("a"), users), scope)).toBe(0)
      expect([yield* users, source.alive]).toEqual([0, 1])
    })))

  for (const [name, [options, remove]] of Object.entries(ways)) {
    it.effect(`a value in use is not released though it is ${name}, but right after its last user is done`, () =>
      inScope(Effect.gen(function*() {
        const { cache, gate, source, user } = yield* using(options)
        // A second user, and a first that ends earlier.
        const early = yield* Deferred.make<void>()
        const other = yield* Effect.fork(cache.use("a", (value) => source.using(value, Deferred.await(early))))
        yield* turns
        yield* remove(cache, source)
        yield* turns
        const closed = source.log.filter((line) => line === "close a").length
        const isOut = name !== "evicted" || (yield* cache.keys).every((key) => key !== "a")
        expect(closed).toBe(0)
        yield* Deferred.succeed(early, undefined)
        yield* Fiber.join(other)
        yield* turns
        expect(source.log.filter((line) => line === "close a").length).toBe(0)
        expect((yield* cache.stats).inUse).toBe(1)
        yield* Deferred.succeed(gate, undefined)
        const value = yield* Fiber.join(user)
        yield* turns
        if (isOut) expect(value.isOpen).toBe(false)
        else expect(source.alive).toBe(1)
        yield* atRest(cache)
      })))
  }

  it.effect("does not expire for lack of use, but that long after its last user is done", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate, source, user } = yield* using({ timeToIdle: "1 seconds" })
      yield* TestClock.adjust("1 minutes")
      expect(yield* cache.keys).toEqual(["a"])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(user)
      yield* TestClock.adjust("999 millis")
      yield* turns
      expect(source.closed).toBe(0)
      yield* TestClock.adjust("1 millis")
      yield* turns
      expect(source.closed).toBe(1)
      expect((yield* cache.stats).removals.expired).toBe(1)
    })))

  it.effect("a value in use is seen among the retired, and what asks for the key meanwhile gets another", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate, source, user } = yield* using()
      yield* cache.invalidate("a")
      yield* turns
      expect(yield* cache.snapshot).toMatchObject({
        counts: { entries: 0, inUse: 1, weight: 1 },
        entries: [],
        retired: [{ key: "a", users: [{ heldMillis: 0 }] }]
      })
      expect(yield* cache.use("a", number)).toBe(2)
      expect(yield* cache.stats).toMatchObject({ entries: 1, inUse: 1, weight: 2 })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(user)
      yield* turns
      // Identity decides what is released, not the key.
      expect(source.log).toEqual(["open a", "open a", "close a"])
      expect(yield* cache.use("a", number)).toBe(2)
      expect(yield* cache.stats).toMatchObject({ entries: 1, inUse: 0, weight: 1 })
    })))

  it.effect("counts as one however many use it", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate: first, user } = yield* using()
      const gate = yield* Deferred.make<void>()
      const users = yield* Effect.forEach(
        Array.from({ length: 100 }),
        () => Effect.fork(cache.use("a", () => Deferred.await(gate)))
      )
      yield* turns
      expect((yield* cache.stats).inUse).toBe(1)
      expect((yield* cache.snapshot).entries[0]!.users.length).toBe(101)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(users))
      expect((yield* cache.snapshot).entries[0]!.users.length).toBe(1)
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(user)
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("a value in use is known with each use that goes on, whichever ends first", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate: first, user } = yield* using()
      const gates = yield* Effect.all([1, 2, 3].map(() => Deferred.make<void>()))
      const users: Array<Fiber.RuntimeFiber<void, unknown>> = []
      for (const gate of gates) {
        users.push(yield* Effect.fork(cache.use("a", () => Deferred.await(gate))))
        yield* TestClock.adjust("1 seconds")
      }
      const held = Effect.map(cache.snapshot, ({ entries }) => entries[0]!.users.map(({ heldMillis }) => heldMillis))
      expect(yield* held).toEqual([3_000, 3_000, 2_000, 1_000])
      const left = [[3_000, 3_000, 1_000], [3_000, 3_000], [3_000]]
      for (const [index, nth] of [1, 2, 0].entries()) {
        yield* Deferred.succeed(gates[nth]!, undefined)
        yield* Fiber.join(users[nth]!)
        expect(yield* held).toEqual(left[index])
      }
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(user)
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("a value in use is let go of once for each use in its own callback, and for each scope", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate, source, user } = yield* using()
      yield* cache.use(
        "a",
        () => Effect.scoped(Effect.andThen(cache.get("a"), cache.use("a", () => cache.invalidate("a"))))
      )
      yield* turns
      expect(source.closed).toBe(0)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(user)
      yield* turns
      expect(source.closed).toBe(1)
      expect(yield* atRest(cache)).toBe(0)
    })))
})

describe("a value whose lookup keeps another in use", () => {
  /** A statement is there for as long as its connection, which is in the same cache. */
  const nested = (options: Options) =>
    Effect.gen(function*() {
      const source = new Source()
      const cache: ResourceCache.ResourceCache<string, Value, any> = yield* ResourceCache.make((
        key: string
      ): Effect.Effect<Value, any, Scope.Scope> =>
        Effect.zipRight(
          key === "statement" ? Effect.asVoid(cache.get("connection")) : Effect.void,
          source.lookup(key)
        ), { release: source.release, ...options } as ResourceCache.CacheOptions<string, Value, any>)
      return { cache, source }
    })

  it.effect("keeps it in use until its own release, though nobody else uses either", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* nested({})
      yield* cache.use("statement", number)
      expect((yield* cache.stats).inUse).toBe(1)
      yield* cache.invalidate("connection")
      yield* turns
      expect(source.closed).toBe(0)
      yield* cache.invalidate("statement")
      yield* turns
      expect(source.log).toEqual(["open connection", "open statement", "close statement", "close connection"])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a value whose lookup keeps another in use is released before it at the end of the cache, which does not wait in vain", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* nested({})
      yield* cache.use("statement", number)
      expect(yield* cache.close).toMatchObject({ released: 2, reclaimed: 0, durationMillis: 0 })
      expect(source.log.slice(2)).toEqual(["close statement", "close connection"])
    })))

  it.effect("a value whose lookup keeps another in use is evicted in its place, as what is in use cannot be", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* nested({ maxEntries: 2 })
      yield* cache.use("statement", number)
      yield* cache.use("other", number)
      expect(source.log).toEqual(["open connection", "open statement", "close statement", "open other"])
      expect((yield* cache.keys).length).toBe(2)
    })))
})

describe("a get after an invalidation", () => {
  it.effect("a get after an invalidation of those that are meant does not get what was being looked up by then", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate, source } = yield* madeBehindGate
      const before = yield* Effect.fork(cache.use("a", number))
      yield* turns
      expect(yield* cache.invalidateWhere(() => false)).toBe(0)
      const after = yield* Effect.fork(cache.use("a", number))
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      expect([yield* Fiber.join(before), yield* Fiber.join(after)]).toEqual([1, 2])
      expect([yield* atRest(cache), source.alive]).toEqual([1, 1])
    })))

  /** A cache whose lookups of a key wait for the gate of their number. */
  const gated = Effect.gen(function*() {
    const source = new Source()
    const gates = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    let begun = 0
    const cache = yield* ResourceCache.make(
      (key: string) => Effect.suspend(() => Effect.andThen(Deferred.await(gates[begun++]!), source.lookup(key))),
      {
        release: source.release
      }
    )
    return { source, cache, gates }
  })

  for (const way of ["invalidate", "invalidateAll", "set"] as const) {
    it.effect(`never gets what was being looked up by then (${way})`, () =>
      inScope(Effect.gen(function*() {
        const { cache, gates, source } = yield* gated
        const before = yield* Effect.fork(cache.use("a", number))
        yield* turns
        if (way === "invalidate") expect(yield* cache.invalidate("a")).toBe(true)
        else if (way === "invalidateAll") yield* cache.invalidateAll
        else yield* cache.set("a", source.open("a"))
        const after = yield* Effect.fork(cache.use("a", number))
        yield* turns
        yield* Deferred.succeed(gates[0]!, undefined)
        yield* turns
        const [first, next] = way === "set" ? [2, 1] : [1, 2]
        // Who had asked before gets it, and it is released.
        expect(yield* Fiber.join(before)).toBe(first)
        yield* turns
        expect(source.closed).toBe(1)
        yield* Deferred.succeed(gates[1]!, undefined)
        expect(yield* Fiber.join(after)).toBe(next)
        expect(yield* cache.use("a", number)).toBe(next)
        expect(yield* atRest(cache)).toBe(1)
        expect(source.alive).toBe(1)
      })))
  }

  it.effect("does not get the value of a later lookup that ends earlier replaced by it", () =>
    inScope(Effect.gen(function*() {
      const { cache, gates, source } = yield* gated
      const before = yield* Effect.fork(cache.use("a", number))
      yield* turns
      yield* cache.invalidate("a")
      const after = yield* Effect.fork(cache.use("a", number))
      yield* turns
      yield* Deferred.succeed(gates[1]!, undefined)
      expect(yield* Fiber.join(after)).toBe(1)
      yield* Deferred.succeed(gates[0]!, undefined)
      expect(yield* Fiber.join(before)).toBe(2)
      yield* turns
      expect(yield* cache.use("a", number)).toBe(1)
      expect(source.alive).toBe(1)
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("does not get what a refresh brings that had begun by then", () =>
    inScope(Effect.gen(function*() {
      const { cache, gates, source } = yield* gated
      yield* Deferred.succeed(gates[0]!, undefined)
      yield* cache.use("a", number)
      const refreshing = yield* Effect.fork(cache.refresh("a"))
      yield* turns
      expect(yield* cache.invalidate("a")).toBe(true)
      yield* cache.set("a", source.open("a"))
      yield* Deferred.succeed(gates[1]!, undefined)
      yield* Fiber.join(refreshing)
      yield* turns
      expect(yield* cache.use("a", number)).toBe(2)
      expect(source.alive).toBe(1)
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("ends a refresh behind for which nobody waits", () =>
    inScope(Effect.gen(function*() {
      let interrupted = 0
      let begun = 0
      const cache = yield* ResourceCache.make((key: string) =>
        Effect.suspend(() =>
          ++begun === 1 ? Effect.succeed(key) : Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
        ), { refreshAfter: "1 seconds" })
      yield* cache.use("a", Effect.succeed)
      yield* TestClock.adjust("1 seconds")
      yield* cache.use("a", Effect.succeed)
      yield* turns
      expect((yield* cache.stats).loading).toBe(1)
      yield* cache.invalidate("a")
      expect(yield* atRest(cache)).toBe(0)
      expect([begun, interrupted]).toEqual([2, 1])
    })))
})
