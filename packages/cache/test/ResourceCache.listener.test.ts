/** Shows `RemovalListener`. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { ResourceCache } from "../src/index.js"
import { after, atRest, inScope, listen, logging, number, Source, turns, type Value } from "./kit.js"

type Removal = ResourceCache.Removal<string, Value>

/** A cache whose listener writes what it hears into the log of the values. */
const made = (
  options: Partial<ResourceCache.CacheOptions<string, Value>> = {},
  listener: (removal: Removal, source: Source) => Effect.Effect<unknown, unknown> = () => Effect.void
) =>
  Effect.gen(function*() {
    const source = new Source()
    const cache = yield* ResourceCache.make(source.lookup, {
      release: source.release,
      onRemoval: (removal) => {
        source.log.push(`${removal.reason} ${removal.key} ${removal.value.number}`)
        return listener(removal, source)
      },
      ...options
    })
    return { source, cache }
  })

describe("a removal listener", () => {
  it.effect("hears of each value that leaves, why, and before its release", () =>
    Effect.gen(function*() {
      const source = yield* inScope(Effect.gen(function*() {
        const { cache, source } = yield* made({ maxEntries: 2, timeToLive: "1 minutes" })
        yield* cache.use("a", number)
        yield* cache.invalidate("a")
        yield* turns
        yield* Effect.forEach(["b", "c", "d"], (key) => cache.use(key, number))
        yield* cache.refresh("c")
        yield* turns
        yield* cache.set("d", source.open("d"))
        yield* turns
        expect(source.log.splice(0)).toEqual([
          "open a",
          "invalidated a 1",
          "close a",
          "open b",
          "open c",
          "evicted b 2",
          "close b",
          "open d",
          "open c",
          "replaced c 3",
          "close c",
          "open d",
          "replaced d 4",
          "close d"
        ])
        yield* after("1 minutes")
        expect(source.log.splice(0).sort()).toEqual(["close c", "close d", "expired c 5", "expired d 6"])
        yield* cache.use("e", number)
        return source
      }))
      expect(source.log).toEqual(["open e", "shutdown e 7", "close e"])
    }))

  it.effect("a removal listener may use the value: it is not released before the listener is done", () =>
    inScope(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { cache, source } = yield* made({}, ({ value }, source) => source.using(value, Deferred.await(gate)))
      yield* cache.use("a", number)
      yield* cache.invalidate("a")
      yield* turns
      expect(source.closed).toBe(0)
      expect(yield* cache.stats).toMatchObject({ entries: 0, inUse: 1 })
      expect(yield* cache.use("a", number)).toBe(2)
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      expect(source.log.slice(-1)).toEqual(["close a"])
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("hears at once of a value that is in use, which waits for both", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      const gate = yield* Deferred.make<void>()
      const user = yield* Effect.fork(cache.use("a", (value) => source.using(value, Deferred.await(gate))))
      yield* turns
      yield* cache.invalidate("a")
      yield* turns
      expect(source.log).toEqual(["open a", "invalidated a 1"])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(user)
      yield* turns
      expect(source.log).toEqual(["open a", "invalidated a 1", "close a"])
    })))

  for (
    const [how, listener] of Object.entries<() => Effect.Effect<void, string>>({
      fails: () => Effect.fail("deaf"),
      dies: () => Effect.die("deaf"),
      "is interrupted": () => Effect.interrupt,
      "fails with what has no text": () => Effect.fail(Object.assign(Object.create(null), { id: 1n })),
      throws: () => {
        throw new Error("deaf")
      }
    })
  ) {
    it.effect(`a removal listener that ${how} is written to the log and told, and the value is released`, () =>
      logging((lines) =>
        Effect.gen(function*() {
          const { cache, source } = yield* made({ name: "files" }, listener)
          const events = yield* listen(cache)
          yield* cache.use("a", number)
          yield* cache.invalidate("a")
          yield* turns
          expect(source.closed).toBe(1)
          expect(lines).toHaveLength(1)
          expect(lines[0]).toMatch(/^WARN Cache files: the removal listener failed for a \(.*\); the release goes on$/)
          expect(events.filter(({ _tag }) => _tag === "ListenerFailed")).toMatchObject([{ cache: "files", key: "a" }])
          expect(yield* atRest(cache)).toBe(0)
        })
      ))
  }

  for (
    const [how, listener] of Object.entries({
      hangs: Effect.never,
      "hangs and ignores interruption": Effect.uninterruptible(Effect.never)
    })
  ) {
    it.effect(`a removal listener that ${how} has the time of a release, and then the value is released`, () =>
      inScope(Effect.gen(function*() {
        const { cache, source } = yield* made({ releaseTimeout: "3 seconds" }, () => listener)
        const events = yield* listen(cache)
        yield* cache.use("a", number)
        yield* cache.invalidate("a")
        yield* after("2999 millis")
        expect(source.closed).toBe(0)
        yield* after("1 millis")
        expect(source.closed).toBe(1)
        expect(events.filter(({ _tag }) => _tag === "ListenerFailed")).toHaveLength(1)
        expect(yield* atRest(cache)).toBe(0)
      })))
  }

  it.effect("hears nothing of what was never in the cache", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made({ timeToLive: () => 0 })
      yield* cache.use("a", number)
      yield* turns
      expect(source.log).toEqual(["open a", "close a"])
    })))

  it.effect("hears nothing of a kept failure", () =>
    inScope(Effect.gen(function*() {
      const heard: Array<unknown> = []
      const cache = yield* ResourceCache.make((): Effect.Effect<never, string> => Effect.fail("none"), {
        timeToLive: () => "1 seconds",
        onRemoval: (removal) => Effect.sync(() => heard.push(removal))
      })
      yield* Effect.flip(cache.use("a", () => Effect.void))
      yield* after("1 seconds")
      expect(heard).toEqual([])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a removal listener may ask the cache: it runs outside of its decisions", () =>
    inScope(Effect.gen(function*() {
      const seen: Array<unknown> = []
      const cache: ResourceCache.ResourceCache<string, string> = yield* ResourceCache.make(
        (key: string) => Effect.succeed(key),
        {
          maxEntries: 1,
          onRemoval: ({ key, reason }): Effect.Effect<void> =>
            reason === "shutdown" ? Effect.void : Effect.gen(function*() {
              seen.push([key, reason, yield* cache.keys])
              if (reason === "invalidated") yield* cache.invalidateWhere(() => false)
              yield* Effect.ignore(Effect.scoped(cache.getIfPresent(key)))
            })
        }
      )
      yield* cache.use("a", Effect.succeed)
      yield* cache.use("b", Effect.succeed)
      yield* cache.invalidate("b")
      yield* turns
      expect(seen).toEqual([["a", "evicted", []], ["b", "invalidated", []]])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a removal listener of a plain cache hears the same", () =>
    Effect.scoped(Effect.gen(function*() {
      const heard: Array<unknown> = []
      const cache = yield* ResourceCache.plain((key: string) => Effect.succeed(`value of ${key}`), {
        maxEntries: 1,
        onRemoval: (removal) => Effect.sync(() => heard.push(removal))
      })
      yield* cache.get("a")
      yield* cache.get("b")
      yield* cache.invalidate("b")
      yield* turns
      expect(heard).toEqual([
        { key: "a", value: "value of a", reason: "evicted" },
        { key: "b", value: "value of b", reason: "invalidated" }
      ])
    })))
})
