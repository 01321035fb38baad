/** Shows `ActiveWork` and `CacheClose`. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceScope } from "@patinox/core"
import { Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { whileShuttingDown } from "../../../scripts/testing/shutdownHost.js"
import { ResourceCache } from "../src/index.js"
import { after, atRest, inScope, listen, madeBehindGate, number, openScope, quietly, Source, turns } from "./kit.js"
import { made } from "./namedCache.js"

describe("the end of a cache", () => {
  it.effect("releases what nobody uses, and reports", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      yield* Effect.forEach(["a", "b", "c"], (key) => cache.use(key, number))
      expect(yield* cache.close).toEqual({
        cache: "files",
        abandoned: [],
        durationMillis: 0,
        deadlineMillis: 20_000,
        deadlineReached: false,
        refused: 0,
        reclaimed: 0,
        released: 3,
        failed: [],
        stillHeld: 0,
        stillRunning: 0
      })
      expect(source.alive).toBe(0)
      expect((yield* cache.snapshot).state).toBe("closed")
      expect((yield* cache.stats).removals.shutdown).toBe(3)
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("refuses who comes from the call on, before anything else has had a turn", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made()
      yield* cache.use("a", number)
      const [, errors] = yield* Effect.all([
        cache.close,
        Effect.all([
          Effect.flip(cache.use("a", number)),
          Effect.flip(Effect.scoped(cache.get("b"))),
          Effect.flip(cache.refresh("a"))
        ])
      ], { concurrency: "unbounded" })
      expect(errors).toMatchObject(errors.map(() => ({ _tag: "CacheClosed", cache: "files", reason: "closed" })))
      expect(yield* Effect.scoped(cache.getIfPresent("a"))).toMatchObject({ _tag: "None" })
      expect([yield* cache.invalidate("a"), yield* cache.invalidateAll, yield* cache.keys]).toEqual([false, 0, []])
    })))

  it.effect("refuses who waits for room or for a lookup, and ends the lookups", () =>
    inScope(Effect.gen(function*() {
      let interrupted = 0
      const cache = yield* ResourceCache.make(
        () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)),
        { maxEntries: 1 }
      )
      const callers = yield* Effect.forEach(["a", "a", "b"], (key) =>
        Effect.zipLeft(Effect.fork(Effect.flip(cache.use(key, () => Effect.void))), turns))
      expect(yield* cache.stats).toMatchObject({ loading: 1, waiting: 1 })
      expect(yield* cache.close).toMatchObject({ refused: 3, released: 0, deadlineReached: false, stillRunning: 0 })
      expect(yield* Fiber.join(Fiber.all(callers))).toMatchObject([{ _tag: "CacheClosed" }, {}, {
        _tag: "CacheClosed"
      }])
      expect(interrupted).toBe(1)
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("waits for who uses a value, which is released right after", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      const gate = yield* Deferred.make<void>()
      const user = yield* Effect.fork(cache.use("a", (value) => source.using(value, Deferred.await(gate))))
      yield* turns
      const closing = yield* Effect.fork(cache.close)
      yield* after("10 seconds")
      expect(source.closed).toBe(0)
      expect((yield* Fiber.poll(closing))._tag).toBe("None")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(user)
      expect(yield* Fiber.join(closing)).toMatchObject({ durationMillis: 10_000, released: 1, reclaimed: 0 })
      expect(source.alive).toBe(0)
    })))

  it.effect("takes values from their users shortly before its deadline, once", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, {
        release: (value) => Effect.sync(() => void (value.isOpen = false, source.closed++)),
        closeTimeout: "10 seconds"
      })
      const { close, scope } = yield* openScope
      const value = yield* Effect.flatMap(Effect.fork(Scope.extend(cache.get("a"), scope)), Fiber.join)
      const closing = yield* Effect.fork(cache.close)
      yield* after("7999 millis")
      expect(value.isOpen).toBe(true)
      yield* after("1 millis")
      expect(value.isOpen).toBe(false)
      expect(yield* Fiber.join(closing)).toMatchObject({
        durationMillis: 8_000,
        deadlineReached: false,
        reclaimed: 1,
        released: 1
      })
      yield* close
      yield* turns
      expect(source.closed).toBe(1)
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("forces 5 seconds before its deadline at the earliest", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, { closeTimeout: "1 minutes" })
      const { close, scope } = yield* openScope
      yield* Effect.flatMap(Effect.fork(Scope.extend(cache.get("a"), scope)), Fiber.join)
      const closing = yield* Effect.fork(cache.close)
      yield* after("55 seconds")
      expect(yield* Fiber.join(closing)).toMatchObject({ durationMillis: 55_000, reclaimed: 1 })
      yield* close
    })))

  it.effect("does not wait for who asks for it while using values, and says what is still held", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      yield* cache.use("idle", number)
      const report = yield* cache.use(
        "a",
        (value) => source.using(value, cache.use("b", (other) => source.using(other, cache.close)))
      )
      expect(report).toMatchObject({
        durationMillis: 0,
        released: 1,
        stillHeld: 2,
        reclaimed: 0,
        deadlineReached: false
      })
      yield* turns
      expect(source.alive).toBe(0)
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("does not wait for itself where a fiber inside of a use asks for it", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      const report = yield* cache.use("a", (value) =>
        source.using(value, Effect.flatMap(Effect.fork(cache.close), Fiber.join)))
      expect(report).toMatchObject({ stillHeld: 1, reclaimed: 0 })
      yield* turns
      expect(source.alive).toBe(0)
    })))

  const between: Record<string, (close: Effect.Effect<ResourceCache.CacheReport>) => Effect.Effect<unknown, unknown>> =
    {
      "a timeout": (close) => Effect.timeout(close, "1 minutes"),
      "a race": (close) => Effect.race(close, Effect.never),
      "a disconnect with a timeout": (close) => Effect.timeout(Effect.disconnect(close), "1 minutes"),
      "several side by side": (close) => Effect.all([close, close], { concurrency: "unbounded" }),
      "a daemon that it waits for": (close) => Effect.flatMap(Effect.forkDaemon(close), Fiber.join)
    }
  it.effect.each(Object.keys(between))(
    "does not wait for a use that it is asked for from, through %s",
    (name) =>
      inScope(Effect.gen(function*() {
        const { cache, source } = yield* made()
        yield* cache.use("a", (value) => source.using(value, Effect.orDie(between[name]!(cache.close))))
        expect(yield* cache.close).toMatchObject({ stillHeld: 1, reclaimed: 0, deadlineReached: false })
        yield* turns
        expect(source.alive).toBe(0)
      }))
  )

  it.effect("waits for what was got for a scope, and then takes it back, whoever has asked for the end", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, { release: source.release, closeTimeout: "10 seconds" })
      const { close, scope } = yield* openScope
      yield* Scope.extend(cache.get("a"), scope)
      const closing = yield* Effect.fork(cache.close)
      yield* after("7 seconds")
      expect([(yield* Fiber.poll(closing))._tag, source.alive]).toEqual(["None", 1])
      yield* after("1 seconds")
      expect(yield* Fiber.join(closing)).toMatchObject({ durationMillis: 8_000, reclaimed: 1, stillHeld: 0 })
      expect(source.alive).toBe(0)
      yield* close
    })))

  it.effect("waits for others that use what its own fiber has, too", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      const gate = yield* Deferred.make<void>()
      const other = yield* Effect.fork(cache.use("a", (value) => source.using(value, Deferred.await(gate))))
      yield* turns
      const begin = yield* Deferred.make<void>()
      const close = Effect.andThen(Deferred.await(begin), cache.close)
      const closers = yield* Effect.forEach(
        [Effect.scoped(Effect.andThen(cache.get("a"), close)), cache.use("a", () => close)],
        Effect.fork
      )
      yield* turns
      yield* Deferred.succeed(begin, undefined)
      yield* after("2 seconds")
      expect(source.alive).toBe(1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(other)
      for (const closer of closers) {
        expect(yield* Fiber.join(closer)).toMatchObject({ durationMillis: 2_000, deadlineReached: false })
      }
      yield* turns
      expect(source.alive).toBe(0)
    })))

  it.effect("interrupts a lookup at the end of its uninterruptible region, though that comes when it has forced", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const open = Effect.zipRight(Effect.sleep("17.5 seconds"), source.lookup("a"))
      const cache = yield* ResourceCache.make(
        () => Effect.andThen(Effect.acquireRelease(open, source.release), Effect.never),
        { release: () => Effect.void }
      )
      const asking = yield* Effect.fork(cache.use("a", number))
      yield* turns
      const closing = yield* Effect.fork(cache.close)
      for (let i = 0; i < 18; i++) yield* after("1 seconds")
      expect(yield* Fiber.join(closing)).toMatchObject({ durationMillis: 18_000, stillRunning: 0 })
      expect([source.opened, source.closed]).toEqual([1, 1])
      yield* Fiber.await(asking)
    })))

  it.effect("does not wait for what its own fiber has got for a scope, and takes that back", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      const report = yield* Effect.scoped(Effect.andThen(cache.get("a"), cache.close))
      expect(report).toMatchObject({ durationMillis: 0, reclaimed: 1, stillHeld: 0 })
      expect([source.alive, source.closed]).toEqual([0, 1])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("the end of a cache is one for all who ask, who get the same report, also later", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made({ release: () => Effect.sleep("1 seconds") })
      yield* cache.use("a", number)
      const both = yield* Effect.forEach([1, 2], () => Effect.fork(cache.close))
      yield* after("1 seconds")
      const [one, other] = yield* Fiber.join(Fiber.all(both))
      expect(other).toBe(one)
      expect(yield* cache.close).toBe(one)
      expect(one).toMatchObject({ released: 1, durationMillis: 1_000 })
    })))

  it.effect("goes on though who asked for it is interrupted", () =>
    inScope(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, {
        release: (value) => Effect.andThen(Deferred.await(gate), source.release(value))
      })
      yield* cache.use("a", number)
      const closing = yield* Effect.fork(cache.close)
      yield* turns
      yield* Fiber.interrupt(closing)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* cache.close).toMatchObject({ released: 1 })
      expect(source.alive).toBe(0)
    })))

  it.effect("ends at its deadline with a lookup that ignores interruption, whose value is released when it comes", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const gate = yield* Deferred.make<void>()
      const cache = yield* ResourceCache.make(
        (key: string) => Effect.uninterruptible(Effect.andThen(Deferred.await(gate), source.lookup(key))),
        { release: source.release, closeTimeout: "3 seconds" }
      )
      const caller = yield* Effect.fork(Effect.flip(cache.use("a", number)))
      yield* turns
      const closing = yield* Effect.fork(cache.close)
      yield* turns
      expect(yield* Fiber.join(caller)).toMatchObject({ _tag: "CacheClosed" })
      yield* after("3 seconds")
      expect(yield* Fiber.join(closing)).toMatchObject({
        durationMillis: 3_000,
        deadlineReached: true,
        refused: 1,
        stillRunning: 1
      })
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      expect([source.opened, source.alive]).toEqual([1, 0])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("interrupts a lookup whose value is to be released before its deadline, and not at once", () =>
    inScope(Effect.gen(function*() {
      let interruptions = 0
      const lookup = () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interruptions++))
      const cache = yield* ResourceCache.make(lookup, {
        release: () => Effect.void,
        releaseTimeout: "1 minutes",
        closeTimeout: "10 seconds"
      })
      yield* Effect.fork(Effect.flip(cache.use("a", Effect.succeed)))
      yield* turns
      const closing = yield* Effect.fork(cache.close)
      yield* after("7999 millis")
      expect(interruptions).toBe(0)
      yield* after("1 millis")
      expect(interruptions).toBe(1)
      expect(yield* Fiber.join(closing)).toMatchObject({
        durationMillis: 8_000,
        deadlineReached: false,
        stillRunning: 0
      })
    })))

  it.effect("waits for a lookup that ignores interruption and ends in time, and releases its value", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate, source } = yield* madeBehindGate
      const caller = yield* Effect.fork(Effect.flip(cache.use("a", number)))
      yield* turns
      const closing = yield* Effect.fork(cache.close)
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(closing)).toMatchObject({ released: 1, refused: 1, stillRunning: 0 })
      expect([source.opened, source.alive]).toEqual([1, 0])
      yield* Fiber.join(caller)
    })))

  it.effect("ends at its deadline with a release that hangs, and says so", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made({
        release: () => Effect.never,
        releaseTimeout: "1 minutes",
        closeTimeout: "3 seconds"
      })
      yield* cache.use("a", number)
      yield* cache.use("b", number)
      const closing = yield* Effect.fork(cache.close)
      yield* after("3 seconds")
      expect(yield* Fiber.join(closing)).toMatchObject({
        durationMillis: 3_000,
        deadlineReached: true,
        stillRunning: 2,
        released: 0
      })
      // The registry still lets go of them in time.
      yield* after("1 minutes")
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("lists what failed with its key and error", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(new Source().lookup, {
        release: ({ key }) => key === "a" ? Effect.fail("stuck") : Effect.void
      })
      yield* cache.use("a", number)
      yield* cache.use("b", number)
      const { id } = (yield* cache.snapshot).entries.find(({ key }) => key === "a")!
      expect(yield* cache.close).toMatchObject({
        released: 1,
        failed: [{ id, key: "a", error: { _tag: "CleanupFailed" } }]
      })
    })))

  it.effect("releases a value that is given by hand afterwards, and fails", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      yield* cache.close
      const value = source.open("a")
      expect(yield* Effect.flip(cache.set("a", value))).toMatchObject({ _tag: "CacheClosed" })
      yield* turns
      expect([value.isOpen, source.alive]).toEqual([false, 0])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("releases a value that is given by hand in the same moment", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      const setting = yield* Effect.fork(Effect.exit(cache.set("a", source.open("a"))))
      yield* Effect.yieldNow()
      yield* cache.close
      yield* Fiber.join(setting)
      yield* turns
      expect(source.alive).toBe(0)
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("waits for listeners, and is told as events, the last of all", () =>
    inScope(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { cache, source } = yield* made({ onRemoval: () => Deferred.await(gate) })
      const events = yield* listen(cache)
      yield* cache.use("a", number)
      const closing = yield* Effect.fork(cache.close)
      yield* turns
      expect((yield* Fiber.poll(closing))._tag).toBe("None")
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(closing)).toMatchObject({ released: 1, reclaimed: 0 })
      yield* turns
      expect(source.alive).toBe(0)
      expect(events.map(({ _tag }) => _tag)).toEqual(["Loaded", "Closing", "Removed", "Released", "Closed"])
    })))

  it.effect("comes with its scope: users in the same scope are done before, those outside keep it up to its deadline", () =>
    Effect.gen(function*() {
      const source = new Source()
      const { close: closeOuter, scope: outer } = yield* openScope
      const context = yield* Layer.buildWithScope(quietly, outer)
      const { close, scope } = yield* openScope
      const make = ResourceCache.make(source.lookup, { release: source.release, closeTimeout: "10 seconds" })
      const cache = yield* Effect.provide(Scope.extend(make, scope), context)
      yield* Scope.extend(cache.get("inside"), scope)
      const user = yield* Effect.fork(
        cache.use("outside", (value) => Effect.as(Effect.sleep("2 seconds"), value.isOpen))
      )
      yield* turns
      const closing = yield* Effect.fork(close)
      yield* turns
      expect(source.log.slice(2)).toEqual(["close inside"])
      yield* after("2 seconds")
      yield* Fiber.join(closing)
      expect(yield* Fiber.join(user)).toBe(true)
      expect(source.alive).toBe(0)
      yield* closeOuter
    }))

  it.effect("fails no program whose value cannot be released", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(inScope(Effect.gen(function*() {
        const { cache } = yield* made({ release: () => Effect.die("bug") })
        return yield* cache.use("a", number)
      })))
      expect(exit).toEqual(Exit.succeed(1))
    }))
})

describe("a cache in a ResourceScope", () => {
  for (
    const [title, timeout, use, expected] of [
      ["has its closeTimeout, which is longer than that of a finalizer", "25 seconds", "15 seconds", [15_000, 0]],
      [
        "releases what is in use before the deadline of the scope, where that is earlier (P3)",
        "10 seconds",
        "1 hours",
        [
          7_600,
          1
        ]
      ]
    ] as const
  ) {
    it.effect(title, () =>
      inScope(Effect.gen(function*() {
        const scope = yield* ResourceScope.make({ timeout })
        const { cache, source } = yield* Scope.extend(made({ closeTimeout: "20 seconds" }), scope)
        const user = yield* Effect.fork(cache.use("a", () => Effect.sleep(use)))
        yield* turns
        const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
        yield* turns
        yield* after(timeout)
        const { durationMillis, records } = yield* Fiber.join(closing)
        const { reclaimed } = yield* cache.close
        expect([durationMillis, reclaimed]).toEqual(expected)
        expect([records.map(({ outcome }) => outcome), source.alive]).toEqual([["cleaned"], 0])
        yield* Fiber.interrupt(user)
      })))
  }
})

describe("a cache of a process that shuts down", () => {
  it.effect("releases what is in use before the process ends (P3)", () => {
    return inScope(Effect.gen(function*() {
      const { close, scope } = yield* openScope
      const { cache, source } = yield* Scope.extend(made({ closeTimeout: "20 seconds" }), scope)
      const user = yield* Effect.fork(cache.use("a", () => Effect.never))
      yield* turns
      const closing = yield* Effect.fork(Effect.andThen(close, cache.close))
      yield* turns
      yield* after("4 seconds")
      const { deadlineMillis, durationMillis, reclaimed } = yield* Fiber.join(closing)
      expect([deadlineMillis, durationMillis, reclaimed, source.alive]).toEqual([5_000, 4_000, 1, 0])
      yield* Fiber.interrupt(user)
    })).pipe(whileShuttingDown(5_000))
  })
})
