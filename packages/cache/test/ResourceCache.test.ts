/** What a cache does, function by function of `CacheTypes`. Shows `GivenValues`. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { it as leakFree } from "@patinox/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import { ResourceCache } from "../src/index.js"
import { atRest, inScope, made, number, quietly, Source, turns, type Value } from "./kit.js"

class Files extends Context.Tag("test/Files")<Files, ResourceCache.ResourceCache<string, Value>>() {}
class Names extends Context.Tag("test/Names")<Names, ResourceCache.PlainCache<string, string>>() {}

describe("a cache", () => {
  it.effect("looks a key up once, gives its value to all who ask, and releases it in the end", () =>
    Effect.gen(function*() {
      const source = new Source()
      yield* inScope(Effect.gen(function*() {
        const cache = yield* ResourceCache.make(source.lookup, { release: source.release })
        expect(yield* cache.use("a", number)).toBe(1)
        expect(yield* cache.use("a", number)).toBe(1)
        expect(yield* Effect.scoped(Effect.flatMap(cache.get("a"), number))).toBe(1)
        expect(yield* cache.use("b", number)).toBe(2)
        expect(yield* atRest(cache)).toBe(2)
        expect(source.closed).toBe(0)
      }))
      expect([...source.log].sort()).toEqual(["close a", "close b", "open a", "open b"])
    }))

  it.effect("keeps a value in use for as long as the scope is open", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      const scope = yield* Scope.make()
      const value = yield* Scope.extend(cache.get("a"), scope)
      expect(yield* Scope.extend(cache.get("a"), scope)).toBe(value)
      expect((yield* cache.stats).inUse).toBe(1)
      expect((yield* cache.snapshot).entries[0]!.users.length).toBe(2)
      yield* cache.invalidate("a")
      yield* turns
      expect([value.isOpen, source.closed]).toEqual([true, 0])
      yield* Scope.close(scope, Exit.void)
      yield* turns
      expect([value.isOpen, source.closed]).toEqual([false, 1])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("a cache has nothing in use for a scope that is closed already", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made()
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      yield* Scope.extend(cache.get("a"), scope)
      yield* Scope.extend(cache.get("a"), scope)
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("interrupts who waits for a lookup with a scope that closes meanwhile, as the value may be released by then", () =>
    inScope(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const cache = yield* ResourceCache.make((key: string) => Effect.as(Deferred.await(gate), key))
      const scope = yield* Scope.make()
      const [one, both] = yield* Effect.all([
        Effect.fork(Scope.extend(cache.get("a"), scope)),
        Effect.fork(Scope.extend(cache.getAll(["a", "b"]), scope))
      ])
      yield* turns
      yield* Scope.close(scope, Exit.void)
      yield* Deferred.succeed(gate, undefined)
      const exits: Array<Exit.Exit<unknown, unknown>> = [yield* Fiber.await(one), yield* Fiber.await(both)]
      expect(exits.map((exit) => Exit.isInterrupted(exit))).toEqual([true, true])
      expect(yield* atRest(cache)).toBe(2)
    })))

  it.effect("gives what the lookup fails with to the caller, and asks again the next time", () =>
    inScope(Effect.gen(function*() {
      let asked = 0
      const cache = yield* ResourceCache.make((key: string) =>
        Effect.suspend(() => ++asked === 1 ? Effect.fail(`no ${key}`) : Effect.succeed(asked))
      )
      expect(yield* Effect.flip(cache.use("a", Effect.succeed))).toBe("no a")
      expect(yield* atRest(cache)).toBe(0)
      expect(yield* cache.use("a", Effect.succeed)).toBe(2)
      expect(yield* cache.use("a", Effect.succeed)).toBe(2)
    })))

  it.effect("gives a lookup's defect to the caller, thrown before it is an effect, too", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make((key: string): Effect.Effect<string> => {
        if (key === "throws") throw new Error("thrown")
        return Effect.die(new Error("died"))
      })
      expect(yield* Effect.exit(cache.use("throws", Effect.succeed))).toEqual(Exit.die(new Error("thrown")))
      expect(yield* Effect.exit(cache.use("dies", Effect.succeed))).toEqual(Exit.die(new Error("died")))
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("lets go of a value whose callback fails, dies, throws or is interrupted, and keeps it", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      expect(yield* Effect.flip(cache.use("a", () => Effect.fail("own")))).toBe("own")
      expect(yield* Effect.exit(cache.use("a", () => Effect.die("bug")))).toEqual(Exit.die("bug"))
      const thrown = cache.use("a", (): Effect.Effect<void> => {
        throw new Error("thrown")
      })
      expect(yield* Effect.exit(thrown)).toEqual(Exit.die(new Error("thrown")))
      const fiber = yield* Effect.fork(cache.use("a", () => Effect.never))
      yield* turns
      expect((yield* cache.stats).inUse).toBe(1)
      yield* Fiber.interrupt(fiber)
      expect(yield* atRest(cache)).toBe(1)
      expect(source.log).toEqual(["open a"])
    })))

  it.effect("gives a value that is there without looking it up, and none where it is not", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      expect(yield* Effect.scoped(cache.getIfPresent("a"))).toEqual(Option.none())
      yield* cache.use("a", number)
      const scope = yield* Scope.make()
      const found = yield* Scope.extend(cache.getIfPresent("a"), scope)
      expect(Option.getOrThrow(found).number).toBe(1)
      expect((yield* cache.stats).inUse).toBe(1)
      yield* Scope.close(scope, Exit.void)
      expect(yield* atRest(cache)).toBe(1)
      expect(source.opened).toBe(1)
    })))

  it.effect("takes a value given by hand, releases it as its own, and the one before it", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      const given = source.open("given")
      yield* cache.set("a", given)
      expect(yield* cache.use("a", Effect.succeed)).toBe(given)
      yield* cache.set("a", source.open("second"))
      yield* turns
      expect(source.log).toEqual(["open given", "open second", "close given"])
      expect(yield* cache.use("a", number)).toBe(2)
      yield* cache.invalidate("a")
      yield* turns
      expect(source.alive).toBe(0)
      expect((yield* cache.stats).removals).toMatchObject({ replaced: 1, invalidated: 1 })
    })))

  it.effect("looks a key up anew by hand: the new value is there before the old one goes", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      yield* cache.refresh("a")
      expect(yield* cache.use("a", number)).toBe(1)
      yield* cache.refresh("a")
      yield* turns
      expect(source.log).toEqual(["open a", "open a", "close a"])
      expect(yield* cache.use("a", number)).toBe(2)
    })))

  it.effect("invalidates one, those that are meant, or all, and tells how many there were", () =>
    inScope(Effect.gen(function*() {
      const { cache, source } = yield* made()
      yield* Effect.forEach(["a", "b", "c", "d"], (key) => cache.use(key, number))
      expect(yield* cache.invalidate("a")).toBe(true)
      expect(yield* cache.invalidate("a")).toBe(false)
      expect(yield* cache.invalidateWhere((key, value) => key === "b" || value.number === 3)).toBe(2)
      expect(yield* cache.keys).toEqual(["d"])
      yield* turns
      expect(source.alive).toBe(1)
      expect(yield* cache.invalidateAll).toBe(1)
      expect(yield* cache.invalidateAll).toBe(0)
      yield* turns
      expect([source.alive, yield* atRest(cache)]).toEqual([0, 0])
    })))

  it.effect("invalidates nothing where the choice throws", () =>
    inScope(Effect.gen(function*() {
      const { cache } = yield* made()
      yield* Effect.forEach(["a", "b"], (key) => cache.use(key, number))
      const choosing = cache.invalidateWhere((key) => {
        if (key === "b") throw new Error("no choice")
        return true
      })
      expect(yield* Effect.exit(choosing)).toEqual(Exit.die(new Error("no choice")))
      expect(yield* atRest(cache)).toBe(2)
    })))

  it.effect("reads as it is: counters, counts, entries with their users, lookups", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const gate = yield* Deferred.make<void>()
      const cache = yield* ResourceCache.make(
        (key: string) => Effect.andThen(key === "slow" ? Deferred.await(gate) : Effect.void, source.lookup(key)),
        { name: "files", release: source.release, weigher: () => 3, timeToLive: "1 minutes" }
      )
      yield* cache.use("a", number)
      yield* cache.use("a", number)
      const slow = yield* Effect.fork(cache.use("slow", () => Effect.void))
      yield* turns
      const snapshot = yield* Effect.withSpan(cache.use("a", () => cache.snapshot), "reading")
      expect(snapshot).toMatchObject({
        name: "files",
        state: "open",
        hits: 2,
        misses: 2,
        loads: 1,
        loadFailures: 0,
        counts: { entries: 1, inUse: 1, loading: 1, waiting: 0, releasing: 0, weight: 3 },
        entries: [{
          key: "a",
          ageMillis: 0,
          weight: 3,
          isFailure: false,
          expiresInMillis: 60_000,
          users: [{ heldMillis: 0, spanName: "reading" }]
        }],
        retired: [],
        lookups: [{ key: "slow", callers: 1, phase: "running", runningMillis: 0 }]
      })
      expect(typeof snapshot.entries[0]!.id).toBe("string")
      expect(yield* cache.stats).toMatchObject({ entries: 1, hits: 2, misses: 2, inUse: 0, weight: 3 })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(slow)
    })))

  leakFree.leakFree("and what it releases leaves nothing in the registry", () =>
    Effect.scoped(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, { release: source.release, maxEntries: 2 })
      yield* Effect.forEach(["a", "b", "c", "a"], (key) => cache.use(key, number))
      yield* cache.invalidate("a")
      yield* cache.close
      expect(source.alive).toBe(0)
    })).pipe(Effect.provide(quietly)))

  it.effect("a cache is one cache for two scopes of its users, and ends with the scope it was made in", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(quietly, scope)
      const source = new Source()
      const make = ResourceCache.make(source.lookup, { release: source.release })
      const cache = yield* Effect.provide(Scope.extend(make, scope), context)
      yield* Effect.scoped(cache.get("a"))
      yield* Effect.scoped(cache.get("a"))
      expect(source.opened).toBe(1)
      yield* Scope.close(scope, Exit.void)
      expect(source.alive).toBe(0)
      expect(yield* Effect.flip(cache.use("a", number))).toMatchObject({ _tag: "CacheClosed", reason: "closed" })
    }))

  it.effect("adds one finalizer to the scope it is made in, however many values it has", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const finalizers = () => (scope as any).state.finalizers.size
      const source = new Source<number>()
      const make = ResourceCache.make(source.lookup, { release: source.release })
      yield* Effect.gen(function*() {
        const cache = yield* Scope.extend(make, scope)
        yield* Effect.forEach([1, 2, 3], (key) => cache.use(key, number))
        yield* cache.set(4, source.open(4))
        expect(finalizers()).toBe(1)
        yield* Scope.close(scope, Exit.void)
        expect(source.alive).toBe(0)
      }).pipe(Effect.provide(quietly))
    }))
})

describe("a layer", () => {
  it.effect("a layer is a cache called as its Tag, which ends with it", () =>
    Effect.gen(function*() {
      const source = new Source()
      const layer = ResourceCache.layer(Files, source.lookup, { release: source.release })
      yield* Effect.gen(function*() {
        const files = yield* Files
        expect(files.name).toBe("test/Files")
        expect(yield* files.use("a", number)).toBe(1)
      }).pipe(Effect.provide(Layer.provide(layer, quietly)))
      expect(source.alive).toBe(0)
    }))

  it.effect("gives the lookup and the release the services that it was built with", () =>
    Effect.gen(function*() {
      class Host extends Context.Tag("test/Host")<Host, string>() {}
      const seen: Array<string> = []
      const layer = ResourceCache.layer(Files, (key: string) =>
        Effect.map(Host, (host) => {
          seen.push(`open ${key} at ${host}`)
          return new Source().open(key)
        }), {
        name: "files",
        release: (value) => Effect.map(Host, (host) => seen.push(`close ${value.key} at ${host}`)),
        onRemoval: ({ key, reason }) => Effect.map(Host, (host) => seen.push(`${reason} ${key} at ${host}`))
      }).pipe(Layer.provide(Layer.merge(Layer.succeed(Host, "home"), quietly)))
      yield* Effect.gen(function*() {
        const files = yield* Files
        expect(files.name).toBe("files")
        yield* Effect.provideService(files.use("a", () => Effect.void), Host, "elsewhere")
      }).pipe(Effect.provide(layer))
      expect(seen).toEqual(["open a at home", "shutdown a at home", "close a at home"])
    }))

  it.effect("a layer of plain values needs no registry", () =>
    Effect.gen(function*() {
      const names = yield* Names
      expect(names.name).toBe("test/Names")
      expect(yield* names.get("a")).toBe("name of a")
    }).pipe(Effect.provide(ResourceCache.layerPlain(Names, (key) => Effect.succeed(`name of ${key}`)))))
})

describe("a plain cache", () => {
  it.effect("looks a key up once, and nobody counts as using it", () =>
    Effect.scoped(Effect.gen(function*() {
      let asked = 0
      const cache = yield* ResourceCache.plain((key: string) => Effect.sync(() => `${key} ${++asked}`))
      expect(yield* cache.get("a")).toBe("a 1")
      expect(yield* cache.get("a")).toBe("a 1")
      expect(yield* cache.getIfPresent("a")).toEqual(Option.some("a 1"))
      expect(yield* cache.getIfPresent("b")).toEqual(Option.none())
      yield* cache.set("b", "given")
      expect(yield* cache.get("b")).toBe("given")
      yield* cache.refresh("a")
      expect(yield* cache.get("a")).toBe("a 2")
      expect(yield* cache.invalidate("a")).toBe(true)
      expect(yield* cache.get("a")).toBe("a 3")
      expect(yield* cache.stats).toMatchObject({ entries: 2, inUse: 0, hits: 4, misses: 3, loads: 3 })
      expect(yield* atRest(cache)).toBe(2)
    })))

  it.effect("a plain cache can be used with a callback, as any cache, without a count", () =>
    Effect.scoped(Effect.gen(function*() {
      const cache = yield* ResourceCache.plain((key: string) =>
        key === "no" ? Effect.fail("none") : Effect.succeed(key)
      )
      const inUse = (value: string) => Effect.map(cache.stats, (stats) => [value, stats.inUse])
      expect(yield* cache.use("a", inUse)).toEqual(["a", 0])
      expect(yield* Effect.flip(cache.use("a", () => Effect.fail("own")))).toBe("own")
      expect(yield* Effect.flip(cache.use("no", inUse))).toBe("none")
      expect(yield* cache.stats).toMatchObject({ hits: 1, misses: 2 })
    })))

  it.effect("holds no more than its bounds, the oldest use going first", () =>
    Effect.scoped(Effect.gen(function*() {
      const cache = yield* ResourceCache.plain((key: number) => Effect.succeed(key), { maxEntries: 2 })
      yield* Effect.forEach([1, 2, 1, 3], (key) => cache.get(key))
      expect([...yield* cache.keys].sort()).toEqual([1, 3])
      const weighed = yield* ResourceCache.plain((key: number) => Effect.succeed(key), {
        maxWeight: 10,
        weigher: (value) => value
      })
      yield* Effect.forEach([4, 5, 3], (key) => weighed.get(key))
      expect([...yield* weighed.keys].sort()).toEqual([3, 5])
      expect((yield* weighed.stats).weight).toBe(8)
    })))

  it.effect("never waits for room: lookups begin however many there are", () =>
    Effect.scoped(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const cache = yield* ResourceCache.plain((key: number) => Effect.as(Deferred.await(gate), key), { maxEntries: 1 })
      const callers = yield* Effect.forEach([1, 2, 3], (key) => Effect.fork(cache.get(key)))
      yield* turns
      expect(yield* cache.stats).toMatchObject({ loading: 3, waiting: 0 })
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(Fiber.all(callers))).toEqual([1, 2, 3])
      expect(yield* cache.stats).toMatchObject({ entries: 1, loading: 0 })
    })))

  it.effect("keeps what a scoped lookup opens until the scope closes that it is made in", () =>
    Effect.gen(function*() {
      const source = new Source()
      yield* Effect.scoped(Effect.gen(function*() {
        const cache = yield* ResourceCache.plain((key: string) =>
          Effect.acquireRelease(source.lookup(key), source.release)
        )
        yield* cache.get("a")
        yield* cache.invalidate("a")
        yield* turns
        expect(source.alive).toBe(1)
      }))
      expect(source.alive).toBe(0)
    }))

  it.effect("refuses who comes after its end", () =>
    Effect.scoped(Effect.gen(function*() {
      const cache = yield* ResourceCache.plain((key: string) => Effect.succeed(key))
      yield* cache.get("a")
      expect(yield* cache.close).toMatchObject({ released: 0, deadlineReached: false, stillHeld: 0 })
      const error = { _tag: "CacheClosed" }
      expect(yield* Effect.flip(cache.get("a"))).toMatchObject(error)
      expect(yield* Effect.flip(cache.set("a", "a"))).toMatchObject(error)
      expect(yield* Effect.flip(cache.refresh("a"))).toMatchObject(error)
      expect(yield* cache.getIfPresent("a")).toEqual(Option.none())
    })))
})

describe("the registry", () => {
  it.effect("knows each value by the cache's name, weight and priority", () =>
    inScope(Effect.gen(function*() {
      const registry = yield* ResourceRegistry.ResourceRegistry
      const { cache } = yield* made({ name: "files", weigher: () => 7, priority: "High" })
      yield* cache.use("a", number)
      const { live } = yield* registry.snapshot
      expect(live).toMatchObject([{ typeName: "files", priority: "High", sizeBytes: 7 }])
      expect((yield* cache.snapshot).entries[0]!.id).toBe(live[0]!.id)
      yield* cache.invalidate("a")
      yield* turns
      expect((yield* registry.snapshot).live).toEqual([])
    })))
})
