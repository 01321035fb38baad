/** Shows `Loader` and `Requester`. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, FiberRef } from "effect"
import { ResourceCache } from "../src/index.js"
import { atRest, inScope, madeBehindGate, Source, turns } from "./kit.js"

const number = ({ number }: { readonly number: number }) => Effect.succeed(number)

/** A cache whose lookups wait for a gate. */
const gated = (options: { readonly releases?: boolean; readonly timeToLive?: () => string } = {}) =>
  Effect.gen(function*() {
    const source = new Source()
    const gate = yield* Deferred.make<void>()
    let interrupted = 0
    const cache = yield* ResourceCache.make((key: string) =>
      Effect.andThen(
        Effect.onInterrupt(Effect.interruptible(Deferred.await(gate)), () => Effect.sync(() => interrupted++)),
        source.lookup(key)
      ), options.releases === false ? {} : { release: source.release })
    return { cache, gate, source, interrupted: () => interrupted }
  })

/** A second caller, after the first gave up and while its lookup is ending. */
const givenUp = Effect.gen(function*() {
  const ending = yield* Deferred.make<void>()
  let begun = 0
  const cache = yield* ResourceCache.make((key: string) =>
    Effect.suspend(() =>
      ++begun === 1
        ? Effect.onInterrupt(Effect.never, () => Deferred.await(ending))
        : Effect.succeed(`${key} ${begun}`)
    )
  )
  const first = yield* Effect.fork(cache.use("a", Effect.succeed))
  yield* turns
  yield* Fiber.interrupt(first)
  const second = yield* Effect.fork(cache.use("a", Effect.succeed))
  yield* turns
  return { begun: () => begun, cache, ending, second }
})

describe("a lookup", () => {
  it.effect("a lookup is one for ten thousand callers of a key, all of whom get its value", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate, source } = yield* gated()
      const callers = yield* Effect.forEach(
        Array.from({ length: 10_000 }),
        () => Effect.fork(cache.use("a", number))
      )
      yield* turns
      expect((yield* cache.snapshot).lookups).toMatchObject([{ key: "a", callers: 10_000 }])
      yield* Deferred.succeed(gate, undefined)
      expect(new Set(yield* Fiber.join(Fiber.all(callers)))).toEqual(new Set([1]))
      expect(source.opened).toBe(1)
      expect(yield* atRest(cache)).toBe(1)
      expect(yield* cache.stats).toMatchObject({ loads: 1, misses: 1, hits: 9_999 })
    })))

  it.effect("gives its failure to all who share it, and is one", () =>
    inScope(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let asked = 0
      const cache = yield* ResourceCache.make((key: string) =>
        Effect.andThen(Deferred.await(gate), Effect.suspend(() => Effect.fail(`${key} ${++asked}`)))
      )
      const callers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(Effect.flip(cache.use("a", Effect.succeed))))
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(Fiber.all(callers))).toEqual(["a 1", "a 1", "a 1"])
    })))

  it.effect("goes on for the others when one gives up, the first included", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate, interrupted, source } = yield* gated()
      const [first, second, third] = yield* Effect.forEach([1, 2, 3], () =>
        Effect.zipLeft(Effect.fork(cache.use("a", number)), turns))
      yield* Fiber.interrupt(first!)
      yield* Fiber.interrupt(third!)
      expect(interrupted()).toBe(0)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(second!)).toBe(1)
      expect(source.opened).toBe(1)
    })))

  it.effect("ends with the last who gives up", () =>
    inScope(Effect.gen(function*() {
      const { cache, interrupted, source } = yield* gated({ releases: false })
      const callers = yield* Effect.forEach([1, 2], () => Effect.zipLeft(Effect.fork(cache.use("a", number)), turns))
      for (const caller of callers) yield* Fiber.interrupt(caller)
      yield* turns
      expect([interrupted(), source.opened]).toEqual([1, 0])
      expect(yield* atRest(cache)).toBe(0)
    })))

  it.effect("begins again for who comes after the last gave up, while the first is ending", () =>
    inScope(Effect.gen(function*() {
      const { begun, cache, ending, second } = yield* givenUp
      expect(begun()).toBe(1)
      yield* Deferred.succeed(ending, undefined)
      expect(yield* Fiber.join(second)).toBe("a 2")
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("begins again for who came after the last gave up, though the key is invalidated meanwhile", () =>
    inScope(Effect.gen(function*() {
      const { cache, ending, second } = yield* givenUp
      yield* cache.invalidate("a")
      const third = yield* Effect.fork(cache.use("a", Effect.succeed))
      yield* turns
      yield* Deferred.succeed(ending, undefined)
      yield* turns
      expect(Exit.isSuccess(yield* Fiber.await(second))).toBe(true)
      expect(Exit.isSuccess(yield* Fiber.await(third))).toBe(true)
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("a lookup that nobody wants any more and succeeds all the same is kept for the next", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate, source } = yield* madeBehindGate
      const caller = yield* Effect.fork(cache.use("a", number))
      yield* turns
      yield* Fiber.interrupt(caller)
      expect(yield* cache.stats).toMatchObject({ loading: 1, inUse: 0 })
      yield* Deferred.succeed(gate, undefined)
      expect(yield* atRest(cache)).toBe(1)
      expect(yield* cache.use("a", number)).toBe(1)
      expect(source.opened).toBe(1)
    })))

  it.effect("a lookup that was ended is no failure that is kept", () =>
    inScope(Effect.gen(function*() {
      let begun = 0
      const cache = yield* ResourceCache.make(
        () => Effect.suspend(() => ++begun === 1 ? Effect.never : Effect.succeed(begun)),
        { timeToLive: () => "1 minutes" }
      )
      const first = yield* Effect.fork(cache.use("a", Effect.succeed))
      yield* turns
      yield* Fiber.interrupt(first)
      expect(yield* atRest(cache)).toBe(0)
      expect(yield* cache.use("a", Effect.succeed)).toBe(2)
    })))

  it.effect("a lookup that fails by itself after nobody wanted it any more is no failure that is kept either", () =>
    inScope(Effect.gen(function*() {
      let asked = 0
      const cache = yield* ResourceCache.make(
        () =>
          Effect.suspend(() => ++asked === 1 ? Effect.delay(Effect.fail("down"), "1 seconds") : Effect.succeed(asked)),
        { release: () => Effect.void, timeToLive: () => "1 minutes" }
      )
      const first = yield* Effect.fork(cache.use("a", Effect.succeed))
      yield* turns
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect(yield* cache.keys).toEqual([])
      expect(yield* cache.use("a", Effect.succeed)).toBe(2)
    })))

  it.effect("a lookup for which time ran out is no failure that is kept", () =>
    inScope(Effect.gen(function*() {
      let begun = 0
      const cache = yield* ResourceCache.make(
        () => Effect.suspend(() => ++begun === 1 ? Effect.never : Effect.succeed(begun)),
        { timeToLive: () => "1 minutes", acquireTimeout: "1 seconds" }
      )
      const first = yield* Effect.fork(Effect.flip(cache.use("a", Effect.succeed)))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.join(first)).toMatchObject({ _tag: "CacheTimeout", stage: "lookup" })
      yield* turns
      expect(yield* cache.use("a", Effect.succeed)).toBe(2)
    })))

  it.effect("serves each caller by its own deadline", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate } = yield* gated()
      const early = yield* Effect.fork(Effect.flip(cache.use("a", number)))
      yield* turns
      yield* TestClock.adjust("20 seconds")
      const late = yield* Effect.fork(cache.use("a", number))
      yield* turns
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(early)).toMatchObject({ _tag: "CacheTimeout", stage: "lookup", limitMillis: 30_000 })
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(late)).toBe(1)
    })))

  it.effect("serves a caller and the interruption that comes in the same moment: nothing stays in use", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate } = yield* gated()
      const caller = yield* Effect.fork(cache.use("a", () => Effect.die("must not run")))
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      // Some steps on, between being served and its turn.
      for (let step = 0; step < 20 && (yield* cache.stats).inUse === 0; step++) yield* Effect.yieldNow()
      const exit = yield* Fiber.interrupt(caller)
      expect(Exit.isFailure(exit)).toBe(true)
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("a lookup can be asked for by who is being interrupted, in its finalizer", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make((key: string) => Effect.zipRight(Effect.yieldNow(), source.lookup(key)))
      const results: Array<unknown> = []
      const asking = Effect.flatMap(
        Effect.exit(cache.use("a", number)),
        (exit) => Effect.sync(() => results.push(exit))
      )
      const fiber = yield* Effect.fork(Effect.onInterrupt(Effect.never, () => asking))
      yield* turns
      yield* Fiber.interrupt(fiber)
      expect(results).toEqual([Exit.succeed(1)])
    })))
})

describe("a circle of lookups", () => {
  it.effect("a circle of lookups that ask for themselves fails at once, and the cache goes on", () =>
    inScope(Effect.gen(function*() {
      const cache: ResourceCache.ResourceCache<string, string, any> = yield* ResourceCache.make(
        (key: string): Effect.Effect<string, any> => key === "a" ? cache.use("a", Effect.succeed) : Effect.succeed(key)
      )
      const error = yield* Effect.flip(cache.use("a", Effect.succeed))
      expect(error).toMatchObject({ _tag: "CacheCycle", cache: "cache", key: "a" })
      expect(error.message).toBe("Cache cache: the load of a waits for itself")
      expect(yield* cache.use("b", Effect.succeed)).toBe("b")
      expect(yield* atRest(cache)).toBe(1)
    })))

  it.effect("a circle of lookups over two caches and a fiber that one forks fails at once", () =>
    inScope(Effect.gen(function*() {
      type Strings = ResourceCache.ResourceCache<string, string, any>
      const one: Strings = yield* ResourceCache.make((key: string): Effect.Effect<string, any> =>
        Effect.flatMap(Effect.fork(two.use(key, Effect.succeed)), Fiber.join)
      )
      const two: Strings = yield* ResourceCache.make((key: string): Effect.Effect<string, any> =>
        Effect.scoped(one.get(key))
      )
      expect(yield* Effect.flip(one.use("a", Effect.succeed))).toMatchObject({ _tag: "CacheCycle", key: "a" })
      expect([yield* atRest(one), yield* atRest(two)]).toEqual([0, 0])
    })))

  it.effect("a circle of lookups begun from both ends at once fails, and a lookup that waits for another does not", () =>
    inScope(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const next: Record<string, string> = { a: "b", b: "a", c: "d" }
      const cache: ResourceCache.ResourceCache<string, string, any> = yield* ResourceCache.make(
        (key: string): Effect.Effect<string, any> =>
          Effect.andThen(
            Deferred.await(gate),
            Effect.suspend(() => next[key] === undefined ? Effect.succeed(key) : cache.use(next[key]!, Effect.succeed))
          )
      )
      const callers = yield* Effect.forEach(
        ["a", "b", "c", "d"],
        (key) => Effect.fork(Effect.exit(cache.use(key, Effect.succeed)))
      )
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      const [a, b, c, d] = yield* Fiber.join(Fiber.all(callers))
      expect([a, b]).toMatchObject([{ cause: { error: { _tag: "CacheCycle" } } }, {
        cause: { error: { _tag: "CacheCycle" } }
      }])
      expect([c, d]).toEqual([Exit.succeed("d"), Exit.succeed("d")])
    })))

  it.effect("a circle of lookups by a refresh of oneself fails, and a stale value may be asked for by its own lookup", () =>
    inScope(Effect.gen(function*() {
      let begun = 0
      const cache: ResourceCache.ResourceCache<string, number, any> = yield* ResourceCache.make(
        (key: string): Effect.Effect<number, any> =>
          Effect.suspend(() =>
            ++begun === 1 ? Effect.succeed(1) : Effect.map(cache.use(key, Effect.succeed), (old) => old + 1)
          )
      )
      yield* cache.use("a", Effect.succeed)
      yield* cache.refresh("a")
      expect(yield* cache.use("a", Effect.succeed)).toBe(2)
      const selfish: ResourceCache.ResourceCache<string, number, any> = yield* ResourceCache.make((key: string) =>
        Effect.as(selfish.refresh(key), 1)
      )
      expect(yield* Effect.flip(selfish.use("a", Effect.succeed))).toMatchObject({ _tag: "CacheCycle" })
    })))

  it.effect("a circle of lookups is seen after one of two fibers that waited for the same lookup gave up", () =>
    inScope(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const cache: ResourceCache.ResourceCache<string, string, any> = yield* ResourceCache.make(
        (key: string): Effect.Effect<string, any> =>
          key === "b"
            ? Effect.andThen(Deferred.await(gate), Effect.suspend(() => cache.use("a", Effect.succeed)))
            : Effect.gen(function*() {
              const one = yield* Effect.fork(cache.use("b", Effect.succeed))
              const other = yield* Effect.fork(cache.use("b", Effect.succeed))
              yield* turns
              yield* Fiber.interrupt(one)
              yield* Deferred.succeed(gate, undefined)
              return yield* Fiber.join(other)
            })
      )
      const caller = yield* Effect.fork(Effect.flip(cache.use("a", Effect.succeed)))
      yield* turns
      yield* turns
      expect((yield* Fiber.poll(caller))._tag).toBe("Some")
      expect(yield* Fiber.join(caller)).toMatchObject({ _tag: "CacheCycle" })
    })))

  it.effect("a circle of lookups is none where who waited has given up, though another still waits for the same lookup", () =>
    inScope(Effect.gen(function*() {
      const [interrupting, going, ending] = yield* Effect.all([1, 2, 3].map(() => Deferred.make<void>()))
      const cache: ResourceCache.ResourceCache<string, string, any> = yield* ResourceCache.make(
        (key: string): Effect.Effect<string, any> =>
          key === "b"
            ? Effect.andThen(Deferred.await(going!), Effect.suspend(() => cache.use("a", Effect.succeed)))
            : Effect.gen(function*() {
              const waiter = yield* Effect.fork(cache.use("b", Effect.succeed))
              yield* Deferred.await(interrupting!)
              yield* Fiber.interrupt(waiter)
              yield* Deferred.await(ending!)
              return key
            })
      )
      const callers = yield* Effect.forEach(["a", "b"], (key) => {
        const asking = Effect.fork(Effect.exit(cache.use(key, Effect.succeed)))
        return Effect.tap(asking, () => turns)
      })
      for (const gate of [interrupting!, going!, ending!]) {
        yield* Deferred.succeed(gate, undefined)
        yield* turns
      }
      expect(yield* Fiber.join(Fiber.all(callers))).toEqual([Exit.succeed("a"), Exit.succeed("a")])
      expect(yield* atRest(cache)).toBe(2)
    })))
})

describe("what a caller has", () => {
  it.effect("reaches the lookup: its span as the parent, its log annotations, its FiberRefs", () =>
    inScope(Effect.gen(function*() {
      const ref = yield* FiberRef.make("default")
      const seen: Array<unknown> = []
      const cache = yield* ResourceCache.make(() =>
        Effect.gen(function*() {
          seen.push((yield* Effect.currentSpan).name)
          seen.push([...yield* Effect.logAnnotations])
          seen.push(yield* FiberRef.get(ref))
        }), { release: () => Effect.void })
      yield* cache.use("a", () => Effect.void).pipe(
        Effect.locally(ref, "the caller's"),
        Effect.annotateLogs("request", "7"),
        Effect.withSpan("request")
      )
      expect(seen).toEqual(["request", [["request", "7"]], "the caller's"])
    })))

  it.effect("does not reach the release, nor the listener: they have what the cache was made with", () =>
    inScope(Effect.gen(function*() {
      const ref = yield* FiberRef.make("default")
      const seen: Array<unknown> = []
      const look = (what: string) =>
        Effect.gen(function*() {
          const span = yield* Effect.option(Effect.currentSpan)
          seen.push([what, yield* FiberRef.get(ref), [...yield* Effect.logAnnotations].length, span._tag])
        })
      const cache = yield* ResourceCache.make(() => Effect.void, {
        release: () => look("release"),
        onRemoval: () => look("listener")
      }).pipe(Effect.locally(ref, "the maker's"))
      yield* cache.use("a", () => Effect.void).pipe(
        Effect.locally(ref, "the caller's"),
        Effect.annotateLogs("request", "7"),
        Effect.withSpan("request")
      )
      yield* Effect.locally(cache.invalidate("a"), ref, "another's")
      yield* turns
      expect(seen).toEqual([["listener", "the maker's", 0, "None"], ["release", "the maker's", 0, "None"]])
    })))

  it.effect("what a caller has is not changed by the lookup", () =>
    inScope(Effect.gen(function*() {
      const ref = yield* FiberRef.make("caller's")
      const cache = yield* ResourceCache.make(() => FiberRef.set(ref, "lookup's"))
      yield* cache.use("a", () => Effect.void)
      expect(yield* FiberRef.get(ref)).toBe("caller's")
    })))
})
