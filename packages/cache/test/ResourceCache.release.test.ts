/** Shows `Registrar` and `Releaser`. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, FiberSet, Schedule, Scope, Stream } from "effect"
import { type CacheEvent, ResourceCache } from "../src/index.js"
import { after, atRest, inScope, listen, madeBehindGate, number, openScope, Source, turns } from "./kit.js"

const registry = ResourceRegistry.ResourceRegistry

describe("a release", () => {
  const broken: Record<string, () => Effect.Effect<void, string>> = {
    fails: () => Effect.fail("stuck"),
    dies: () => Effect.die(new Error("bug")),
    "throws before it is an effect": () => {
      throw new Error("thrown")
    }
  }
  for (const [how, release] of Object.entries(broken)) {
    it.effect(`a release that ${how} is told and kept as a dead letter, and frees its room all the same`, () =>
      inScope(Effect.gen(function*() {
        const source = new Source()
        const cache = yield* ResourceCache.make(source.lookup, { release, maxEntries: 1, name: "files" })
        const events = yield* listen(cache)
        yield* cache.use("a", number)
        expect(yield* cache.use("b", number)).toBe(2)
        yield* turns
        const released = events.filter((event) => event._tag === "Released")
        expect(released).toMatchObject([{ key: "a", error: { _tag: "CleanupFailed" } }])
        const letters = yield* Effect.flatMap(registry, ({ deadLetters }) => deadLetters.list)
        expect(letters).toMatchObject([{ record: { typeName: "files", outcome: "failed" } }])
        expect(yield* atRest(cache)).toBe(1)
      })))
  }

  it.effect("a release that fails is tried again as the policy says, with the value", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      let attempts = 0
      const cache = yield* ResourceCache.make(source.lookup, {
        release: (value) =>
          Effect.suspend(() => ++attempts < 3 ? Effect.fail("busy") : Effect.orDie(source.release(value))),
        recovery: { strategy: () => "Retry", retry: Schedule.recurs(5) }
      })
      const events = yield* listen(cache)
      yield* cache.use("a", number)
      yield* cache.invalidate("a")
      yield* turns
      expect([attempts, source.alive]).toEqual([3, 0])
      expect(events.filter((event) => event._tag === "Released")).toMatchObject([{ key: "a" }])
      expect(events.at(-1)).not.toHaveProperty("error")
    })))

  it.effect("a release that fails goes on to the fallback, which gets the value and the error", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const seen: Array<unknown> = []
      const cache = yield* ResourceCache.make(source.lookup, {
        release: () => Effect.fail("stuck"),
        recovery: {
          fallback: (value, error) =>
            Effect.andThen(source.release(value), Effect.sync(() => seen.push([value.key, error._tag])))
        }
      })
      yield* cache.use("a", number)
      yield* cache.invalidate("a")
      yield* turns
      expect(seen).toEqual([["a", "CleanupFailed"]])
      expect(source.alive).toBe(0)
      expect((yield* Effect.flatMap(registry, ({ accounts }) => accounts)).failed).toBe(0)
    })))

  it.effect("a release that hangs is let go of when its time is up, and then there is room", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, {
        release: ({ key }) => key === "a" ? Effect.never : Effect.void,
        maxEntries: 1,
        releaseTimeout: "3 seconds"
      })
      const events = yield* listen(cache)
      yield* cache.use("a", number)
      const next = yield* Effect.fork(cache.use("b", number))
      yield* turns
      yield* after("2999 millis")
      expect(yield* cache.stats).toMatchObject({ releasing: 1, waiting: 1 })
      yield* after("1 millis")
      expect(yield* Fiber.join(next)).toBe(2)
      expect(events.filter((event) => event._tag === "Released")).toMatchObject([
        { key: "a", error: { _tag: "CleanupTimeout" } }
      ])
    })))

  it.effect("a release of one value does not hold up another's", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const gate = yield* Deferred.make<void>()
      const cache = yield* ResourceCache.make(source.lookup, {
        release: (value) =>
          Effect.andThen(value.key === "a" ? Deferred.await(gate) : Effect.void, source.release(value))
      })
      yield* Effect.forEach(["a", "b", "c"], (key) => cache.use(key, number))
      yield* cache.invalidateAll
      yield* turns
      expect(source.log.slice(3).sort()).toEqual(["close b", "close c"])
      expect((yield* cache.stats).releasing).toBe(1)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("waits in the registry at the cache's priority", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const program = Effect.gen(function*() {
        const make = (name: string, priority: "Low" | "High") =>
          ResourceCache.make((key: string) => Effect.succeed(key), {
            name,
            priority,
            release: (key) =>
              Effect.andThen(
                key === "first" ? Deferred.await(gate) : Effect.void,
                Effect.sync(() => order.push(`${name} ${key}`))
              )
          })
        const low = yield* make("low", "Low")
        const high = yield* make("high", "High")
        yield* low.use("first", Effect.succeed)
        yield* low.use("a", Effect.succeed)
        yield* high.use("b", Effect.succeed)
        yield* low.invalidate("first")
        yield* turns
        yield* low.invalidate("a")
        yield* turns
        yield* high.invalidate("b")
        yield* turns
        yield* Deferred.succeed(gate, undefined)
        yield* turns
        expect(order).toEqual(["low first", "high b", "low a"])
      })
      yield* Effect.provide(Effect.scoped(program), ResourceRegistry.layerWith({ concurrency: 1 }))
    }))
})

describe("a scoped lookup", () => {
  it.effect("a scoped lookup has a scope of its own for each value, which closes after its release, the last in first", () =>
    inScope(Effect.gen(function*() {
      const log: Array<string> = []
      const noted = (line: string) => Effect.sync(() => log.push(line))
      const cache = yield* ResourceCache.make((key: string) =>
        Effect.gen(function*() {
          yield* Effect.addFinalizer(() => noted(`first of ${key}`))
          yield* Effect.acquireRelease(Effect.void, () => noted(`second of ${key}`))
          return key
        }), { release: (key) => noted(`release ${key}`) })
      yield* cache.use("a", Effect.succeed)
      yield* cache.use("b", Effect.succeed)
      yield* cache.invalidate("a")
      yield* turns
      expect(log).toEqual(["release a", "second of a", "first of a"])
    })))

  it.effect("a scoped lookup needs no release", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(
        (key: string) => Effect.acquireRelease(source.lookup(key), source.release),
        { maxEntries: 1 }
      )
      yield* Effect.forEach(["a", "b", "c"], (key) => cache.use(key, (value) => source.using(value, Effect.void)))
      expect(source.log).toEqual(["open a", "close a", "open b", "close b", "open c"])
    })))

  it.effect("a scoped lookup is closed though the release fails, and though one of its finalizers dies", () =>
    inScope(Effect.gen(function*() {
      const log: Array<string> = []
      const cache = yield* ResourceCache.make((key: string) =>
        Effect.gen(function*() {
          yield* Effect.addFinalizer(() => Effect.sync(() => log.push(`first of ${key}`)))
          if (key === "dies") yield* Effect.addFinalizer(() => Effect.die("bug"))
          return key
        }), { release: (key) => key === "fails" ? Effect.fail("stuck") : Effect.void, maxEntries: 5 })
      const events = yield* listen(cache)
      yield* cache.use("fails", Effect.succeed)
      yield* cache.use("dies", Effect.succeed)
      yield* cache.invalidateAll
      yield* turns
      expect(log.sort()).toEqual(["first of dies", "first of fails"])
      const released = events.filter((event) => event._tag === "Released")
      expect(released.map(({ error }) => error?._tag)).toEqual(["CleanupFailed", "CleanupFailed"])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a scoped lookup that fails closes what it has opened before its callers hear of it", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make((key: string) =>
        Effect.andThen(Effect.acquireRelease(source.lookup(key), source.release), Effect.fail("then failed"))
      )
      expect(yield* Effect.flip(cache.use("a", () => Effect.void))).toBe("then failed")
      expect(source.log).toEqual(["open a", "close a"])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a scoped lookup that is ended closes what it has opened", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make((key: string) =>
        Effect.andThen(Effect.acquireRelease(source.lookup(key), source.release), Effect.never)
      )
      const caller = yield* Effect.fork(cache.use("a", () => Effect.void))
      yield* turns
      expect(source.alive).toBe(1)
      yield* Fiber.interrupt(caller)
      yield* turns
      expect([source.alive, yield* atRest(cache)]).toEqual([0, 0])
    })))

  it.effect("a scoped lookup whose scope hangs is let go of when the time of its release is up", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(
        () => Effect.addFinalizer(() => Effect.never),
        { releaseTimeout: "2 seconds" }
      )
      yield* cache.use("a", () => Effect.void)
      yield* cache.invalidate("a")
      yield* turns
      expect((yield* cache.stats).releasing).toBe(1)
      yield* after("2 seconds")
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a scoped lookup whose scope hangs fails the release with the finalizer that did not end", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(
        () => Effect.addFinalizer(() => Effect.never),
        { releaseTimeout: "2 seconds" }
      )
      const events = yield* listen(cache)
      yield* cache.use("a", () => Effect.void)
      yield* cache.invalidate("a")
      yield* turns
      yield* after("2 seconds")
      const [released] = events.filter(({ _tag }) => _tag === "Released") as ReadonlyArray<CacheEvent.Released>
      const error = released?.error
      expect(error?._tag === "CleanupFailed" && Cause.squash(error.cause)).toMatchObject({ _tag: "FinalizersFailed" })
    })))
})

describe("a registry that cleans up by itself", () => {
  it.effect("gives who uses a value a moment, and the cache goes on with another", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, { release: source.release, releaseTimeout: "6 seconds" })
      const { close, scope } = yield* openScope
      const value = yield* Scope.extend(cache.get("a"), scope)
      yield* cache.use("idle", number)
      const forcing = yield* Effect.fork(Effect.flatMap(registry, ({ forceCleanupAll }) => forceCleanupAll))
      yield* turns
      expect([value.isOpen, source.log.includes("close idle")]).toEqual([true, true])
      // It is out of the cache from that moment.
      expect(yield* cache.use("a", number)).toBe(3)
      yield* after("999 millis")
      expect(value.isOpen).toBe(true)
      yield* after("1 millis")
      expect(value.isOpen).toBe(false)
      yield* Fiber.join(forcing)
      yield* close
      expect(yield* atRest(cache)).toBe(1)
      expect(source.alive).toBe(1)
    })))

  it.effect("releases at once what its users let go of in that moment", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, { release: source.release })
      const gate = yield* Deferred.make<void>()
      const user = yield* Effect.fork(cache.use("a", (value) => source.using(value, Deferred.await(gate))))
      yield* turns
      const forcing = yield* Effect.fork(Effect.flatMap(registry, ({ forceCleanupAll }) => forceCleanupAll))
      yield* turns
      expect(source.closed).toBe(0)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(user)
      yield* Fiber.join(forcing)
      expect(source.closed).toBe(1)
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a registry that cleans up by itself as it shuts down leaves nothing open, and callers hear why there is nothing any more", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, { release: source.release, name: "files" })
      yield* cache.use("a", number)
      yield* Effect.flatMap(registry, ({ shutdown }) => shutdown)
      yield* turns
      expect(source.alive).toBe(0)
      const error = yield* Effect.flip(cache.use("a", number))
      expect(error).toMatchObject({ _tag: "CacheClosed", reason: "registry shutting down" })
      expect(error.message).toBe("Cache files is closed: registry shutting down")
      const given = source.open("given")
      expect(yield* Effect.flip(cache.set("b", given))).toMatchObject({ _tag: "CacheClosed" })
      yield* turns
      expect([given.isOpen, source.alive, yield* atRest(cache)]).toEqual([false, 0, 0])
    })))

  it.effect("a registry that cleans up by itself that has shut down bounds the release of what comes afterwards all the same", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(new Source().lookup, {
        release: () => Effect.never,
        releaseTimeout: "2 seconds"
      })
      yield* Effect.flatMap(registry, ({ shutdown }) => shutdown)
      const setting = yield* Effect.fork(Effect.flip(cache.set("a", new Source().open("a"))))
      yield* turns
      expect((yield* Fiber.poll(setting))._tag).toBe("None")
      yield* after("2 seconds")
      expect((yield* Fiber.poll(setting))._tag).toBe("Some")
      expect(yield* Fiber.join(setting)).toMatchObject({ _tag: "CacheClosed", reason: "registry shutting down" })
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a registry that cleans up by itself while a value is looked up releases it when it comes", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate, source } = yield* madeBehindGate
      const caller = yield* Effect.fork(Effect.flip(cache.use("a", number)))
      yield* turns
      yield* Effect.flatMap(registry, ({ shutdown }) => shutdown)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(caller)).toMatchObject({ _tag: "CacheClosed", reason: "registry shutting down" })
      yield* turns
      expect([source.opened, source.alive]).toEqual([1, 0])
    })))

  it.effect("cleans one value up by its id, which the cache then has no more", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, { release: source.release })
      yield* cache.use("a", number)
      yield* cache.use("b", number)
      const [entry] = (yield* cache.snapshot).entries
      const exit = yield* Effect.exit(Effect.flatMap(registry, ({ cleanup }) => cleanup(entry!.id!)))
      expect(exit).toEqual(Exit.void)
      yield* turns
      expect(source.log.slice(2)).toEqual(["close a"])
      expect(yield* cache.keys).toEqual(["b"])
      expect(yield* cache.use("a", number)).toBe(3)
      expect(yield* atRest(cache)).toBe(2)
    })))
})

describe("a value that is set again", () => {
  it.effect("a value that is set again stays, with new times, and is released once", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, { release: source.release, timeToLive: "10 seconds" })
      const value = source.open("a")
      yield* cache.set("a", value)
      yield* TestClock.adjust("6 seconds")
      yield* cache.set("a", value)
      yield* TestClock.adjust("6 seconds")
      expect(yield* cache.use("a", (used) => source.using(used, Effect.succeed(used === value)))).toBe(true)
      expect([yield* atRest(cache), source.alive]).toEqual([1, 1])
      yield* TestClock.adjust("4 seconds")
      yield* turns
      expect([yield* atRest(cache), source.alive]).toEqual([0, 0])
    })))

  it.effect("a value that is set again goes, if it is not to be kept any more", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      let timeToLive = 1_000
      const cache = yield* ResourceCache.make(source.lookup, {
        release: source.release,
        timeToLive: () => timeToLive,
        staleWhileRevalidate: "1 minutes"
      })
      const value = source.open("a")
      yield* cache.set("a", value)
      timeToLive = 0
      yield* cache.set("a", value)
      yield* turns
      expect([yield* cache.keys, yield* atRest(cache), source.alive, source.closed]).toEqual([[], 0, 0, 1])
    })))

  it.effect("a value that is set again that is only equal is another, and the first is released", () =>
    inScope(Effect.gen(function*() {
      const released: Array<number> = []
      const cache = yield* ResourceCache.make((_: string) => Effect.succeed(1), {
        release: (value) => Effect.sync(() => released.push(value))
      })
      yield* cache.set("a", 3)
      yield* cache.set("a", 3)
      yield* turns
      expect(released).toEqual([3])
    })))
})

describe("what a lookup forks into its scope", () => {
  const ways: Record<string, (end: () => void) => Effect.Effect<unknown, never, Scope.Scope>> = {
    "by forkScoped": (end) => Effect.forkScoped(Effect.onInterrupt(Effect.never, () => Effect.sync(end))),
    "as a stream that goes into a queue": (end) => Stream.toQueue(Stream.ensuring(Stream.never, Effect.sync(end))),
    "into a FiberSet": (end) =>
      Effect.flatMap(
        FiberSet.make(),
        (fibers) => FiberSet.run(fibers, Effect.onInterrupt(Effect.never, () => Effect.sync(end)))
      )
  }
  for (const [name, fork] of Object.entries(ways)) {
    for (const kind of ["with a release", "without"]) {
      it.effect(`${name} runs as long as the value lives, and then ends (${kind})`, () =>
        inScope(Effect.gen(function*() {
          let ended = 0
          const cache = yield* ResourceCache.make(
            (key: string) => Effect.as(fork(() => ended++), key),
            kind === "without" ? { maxEntries: 1 } : { maxEntries: 1, release: () => Effect.void }
          )
          yield* cache.use("a", Effect.succeed)
          yield* turns
          expect(ended).toBe(0)
          expect(yield* cache.use("b", Effect.succeed)).toBe("b")
          expect(ended).toBe(1)
          expect(yield* cache.close).toMatchObject({ durationMillis: 0, released: 1, failed: [] })
          expect(ended).toBe(2)
        })))
    }
  }
})
