/** Shows `Loader` and `LoadLimits`. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { interruptionSweep, TestClock } from "@patinox/vitest"
import { Deferred, Effect, Fiber, FiberSet } from "effect"
import { onAdjustableClock } from "../../../scripts/testing/adjustableClock.js"
import { ResourceCache } from "../src/index.js"
import { atRest, inScope, Source, turns, type Value } from "./kit.js"

type Cache = ResourceCache.ResourceCache<string, Value>

const registry = ResourceRegistry.ResourceRegistry

/** Nothing is in use or under way, what is open is in the cache, and the next caller is served. */
const sound = (cache: Cache, source: Source) =>
  Effect.gen(function*() {
    const entries = yield* atRest(cache)
    expect(source.alive).toBe(entries)
    expect((yield* cache.stats).weight).toBe(entries)
    yield* cache.use("a", (value) => source.using(value, Effect.void))
    const { live } = yield* Effect.flatMap(registry, ({ accounts }) => accounts)
    expect(live).toBe(source.alive)
    expect(source.mostAlive).toBeLessThanOrEqual(2)
  })

const using = (source: Source) => (value: Value) => source.using(value, Effect.yieldNow())

const sweeps: Record<string, (cache: Cache, source: Source) => Effect.Effect<unknown, unknown>> = {
  "use of what is there": (cache, source) => cache.use("a", using(source)),
  "get of what is there": (cache, source) => Effect.scoped(Effect.flatMap(cache.get("a"), using(source))),
  getIfPresent: (cache, source) =>
    Effect.scoped(
      Effect.flatMap(
        cache.getIfPresent("a"),
        (found) => found._tag === "Some" ? using(source)(found.value) : Effect.void
      )
    ),
  "use of what is not there": (cache, source) => Effect.andThen(cache.invalidate("a"), cache.use("a", using(source))),
  "get of what is not there": (cache, source) =>
    Effect.andThen(cache.invalidate("a"), Effect.scoped(Effect.flatMap(cache.get("a"), using(source)))),
  "use that evicts": (cache, source) =>
    Effect.forEach(["b", "c", "d"], (key) => cache.use(key, using(source)), { discard: true }),
  refresh: (cache) => cache.refresh("a"),
  "refresh under use": (cache, source) => cache.use("a", (value) => source.using(value, cache.refresh("a"))),
  "invalidate under use": (cache, source) => cache.use("a", (value) => source.using(value, cache.invalidate("a"))),
  // What is opened is to be given at once.
  set: (cache, source) => Effect.uninterruptible(Effect.flatMap(source.lookup("a"), (value) => cache.set("a", value))),
  "set that is waited for interruptibly": (cache, source) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        source.lookup("a"),
        (value) => Effect.flatMap(Effect.fork(cache.set("a", value)), (setting) => restore(Fiber.join(setting)))
      )
    )
}

describe("interrupted at any point", () => {
  for (const [name, sweep] of Object.entries(sweeps)) {
    for (
      const [kind, make] of Object.entries({
        "a release": (source: Source) =>
          ResourceCache.make((key: string) => Effect.zipRight(Effect.yieldNow(), source.lookup(key)), {
            release: (value) => Effect.zipRight(Effect.yieldNow(), source.release(value)),
            maxEntries: 2,
            whenFull: "wait"
          }),
        "a scoped lookup": (source: Source) =>
          ResourceCache.make(
            (key: string) =>
              Effect.zipLeft(Effect.acquireRelease(source.lookup(key), source.release), Effect.yieldNow()),
            { maxEntries: 2, whenFull: "wait" }
          )
      })
    ) {
      // What is given by hand is released by nothing else.
      if (name.startsWith("set") && kind !== "a release") continue
      it.effect(`${name} leaves nothing in use and nothing open (${kind})`, () =>
        inScope(Effect.gen(function*() {
          const source = new Source()
          const cache = yield* make(source)
          // A refresh may be the one more; bounds are looked at elsewhere.
          yield* cache.use("a", () => Effect.void)
          const after = Effect.andThen(
            Effect.sync(() => {
              if (name.includes("refresh") || name.startsWith("set")) source.mostAlive = 0
            }),
            sound(cache, source)
          )
          const points = yield* interruptionSweep(sweep(cache, source), after)
          expect(points).toBeGreaterThan(name.startsWith("set") ? 0 : 3)
          expect(source.opened - source.closed).toBe(source.alive)
        })), 60_000)
    }
  }

  it.effect(
    "callers that share a lookup, wait for room and give up leave the others theirs",
    () =>
      inScope(Effect.gen(function*() {
        const source = new Source()
        const cache = yield* ResourceCache.make(
          (key: string) => Effect.zipRight(Effect.yieldNow(), source.lookup(key)),
          { release: source.release, maxEntries: 1 }
        )
        const contended = Effect.gen(function*() {
          const others = yield* Effect.forEach(["b", "b", "c"], (key) => Effect.fork(cache.use(key, using(source))))
          yield* cache.use("d", using(source))
          for (const other of others) yield* Fiber.join(other)
        })
        const after = Effect.gen(function*() {
          yield* atRest(cache)
          yield* cache.use("a", using(source))
          yield* atRest(cache)
          expect([source.alive, source.mostAlive]).toEqual([1, 1])
        })
        expect(yield* interruptionSweep(contended, after)).toBeGreaterThan(30)
      })),
    60_000
  )

  it.effect(
    "a value that goes stale, is refreshed behind, and expires leaves nothing open",
    () =>
      onAdjustableClock(inScope(Effect.gen(function*() {
        const source = new Source()
        const cache = yield* ResourceCache.make(
          (key: string) => Effect.zipRight(Effect.yieldNow(), source.lookup(key)),
          {
            release: source.release,
            refreshAfter: "1 seconds",
            timeToLive: "3 seconds",
            onRemoval: () => Effect.yieldNow()
          }
        )
        const life = Effect.gen(function*() {
          yield* cache.use("a", using(source))
          yield* Effect.sleep("1 seconds")
          yield* cache.use("a", using(source))
          yield* Effect.sleep("3 seconds")
          yield* cache.use("a", using(source))
        })
        const after = Effect.gen(function*() {
          const entries = yield* atRest(cache)
          expect(source.alive).toBe(entries)
          yield* cache.invalidateAll
          yield* turns
          expect([source.alive, yield* atRest(cache)]).toEqual([0, 0])
        })
        expect(yield* interruptionSweep(life, after, { advance: "10 seconds" })).toBeGreaterThan(10)
      }))),
    60_000
  )

  it.effect("the making of a cache, its uses and its end leave nothing open", () =>
    Effect.gen(function*() {
      const source = new Source()
      const life = inScope(Effect.gen(function*() {
        const cache = yield* ResourceCache.make(
          (key: string) => Effect.zipLeft(Effect.acquireRelease(source.lookup(key), source.release), Effect.yieldNow()),
          { maxEntries: 2 }
        )
        yield* cache.use("a", using(source))
        yield* Effect.scoped(Effect.flatMap(cache.get("b"), using(source)))
        yield* cache.refresh("a")
        yield* cache.invalidate("b")
        yield* cache.close
        expect((yield* Effect.flatMap(registry, ({ accounts }) => accounts)).live).toBe(0)
      }))
      const points = yield* interruptionSweep(
        life,
        Effect.suspend(() => source.alive === 0 ? Effect.void : Effect.fail(`${source.alive} are left`))
      )
      expect(points).toBeGreaterThan(50)
      expect(source.opened).toBeGreaterThan(20)
    }), 120_000)

  it.effect("an end goes on, and whoever asks again gets its report", () =>
    Effect.gen(function*() {
      const source = new Source()
      const ended = inScope(Effect.gen(function*() {
        const cache = yield* ResourceCache.make(source.lookup, { release: source.release })
        yield* cache.use("a", () => Effect.void)
        const user = yield* Effect.fork(
          cache.use("a", (value) => source.using(value, Effect.repeatN(Effect.yieldNow(), 20)))
        )
        yield* Effect.yieldNow()
        yield* cache.close
        yield* Fiber.join(user)
        expect(yield* cache.close).toMatchObject({ released: 1 })
      }))
      yield* interruptionSweep(
        ended,
        Effect.suspend(() => source.alive === 0 ? Effect.void : Effect.fail(`${source.alive} are left`))
      )
    }), 120_000)

  it.effect("callers of a plain cache leave nothing waiting", () =>
    Effect.scoped(Effect.gen(function*() {
      const cache = yield* ResourceCache.plain((key: string) => Effect.as(Effect.yieldNow(), key), { maxEntries: 1 })
      const contended = Effect.gen(function*() {
        const others = yield* Effect.forEach(["b", "b", "c"], (key) => Effect.fork(cache.get(key)))
        yield* cache.get("d")
        yield* cache.refresh("d")
        for (const other of others) yield* Fiber.join(other)
      })
      const after = Effect.andThen(cache.get("a"), atRest(cache))
      expect(yield* interruptionSweep(contended, after)).toBeGreaterThan(20)
      yield* turns
      yield* TestClock.adjust("1 minutes")
      expect(yield* atRest(cache)).toBe(1)
    })), 60_000)
})

describe("a lookup whose value is to be released", () => {
  it.effect("a lookup whose value is to be released has the time of a release to end once nobody wants it, and is then interrupted", () =>
    inScope(Effect.gen(function*() {
      let interruptions = 0
      const lookup = (key: string) =>
        key === "hangs"
          ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => interruptions++))
          : Effect.succeed(key)
      const cache = yield* ResourceCache.make(lookup, {
        maxEntries: 1,
        release: () => Effect.void,
        releaseTimeout: "3 seconds"
      })
      const caller = yield* Effect.fork(cache.use("hangs", Effect.succeed))
      yield* turns
      yield* Fiber.interrupt(caller)
      const other = yield* Effect.fork(cache.use("a", Effect.succeed))
      yield* TestClock.adjust("2999 millis")
      expect([interruptions, (yield* cache.stats).loading]).toEqual([0, 1])
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(other)).toBe("a")
      expect(interruptions).toBe(1)
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("a lookup whose value is to be released is abandoned in an uninterruptible region, and what it opens then is released", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const gate = yield* Deferred.make<void>()
      const cache = yield* ResourceCache.make(
        (key: string) => Effect.uninterruptible(Effect.andThen(Deferred.await(gate), source.lookup(key))),
        { release: source.release, releaseTimeout: "1 seconds" }
      )
      const caller = yield* Effect.fork(cache.use("a", using(source)))
      yield* turns
      yield* Fiber.interrupt(caller)
      yield* TestClock.adjust("999 millis")
      expect((yield* cache.stats).loading).toBe(1)
      yield* TestClock.adjust("1 millis")
      expect((yield* cache.stats).loading).toBe(0)
      yield* TestClock.adjust("10 seconds")
      yield* Deferred.succeed(gate, undefined)
      expect([yield* atRest(cache), source.opened, source.alive]).toEqual([0, 1, 0])
    })))

  it.effect("keeps its value though it is interrupted in the very step that gives it", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(
        (key: string) =>
          Effect.withFiberRuntime<Value>((fiber) =>
            Effect.sync(() => {
              Effect.runSync(Fiber.interruptFork(fiber))
              return source.open(key)
            })
          ),
        { release: source.release }
      )
      expect(yield* cache.use("a", ({ number }) => Effect.succeed(number))).toBe(1)
      expect([yield* atRest(cache), source.alive]).toEqual([1, 1])
    })))

  it.effect("a lookup whose value is to be released has fibers that end with the scope of its value", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(
        (key: string) =>
          FiberSet.make().pipe(
            Effect.flatMap((fibers) => FiberSet.run(fibers, Effect.never)),
            Effect.as(key)
          ),
        { maxEntries: 1, release: () => Effect.void }
      )
      yield* cache.use("a", Effect.succeed)
      expect(yield* cache.use("b", Effect.succeed)).toBe("b")
      expect((yield* cache.close).failed).toEqual([])
    })))
})
