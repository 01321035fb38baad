/**
 * Lookups that do not end, that wait for each other's room, that come too late for a write, and that could be one request.
 * Shows `AbandonedLookup` and `Batches`.
 */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Request, RequestResolver, Scope } from "effect"
import { ResourceCache } from "../src/index.js"
import { atRest, inScope, listen, logging, turns } from "./kit.js"

describe("a lookup that hangs and cannot be interrupted", () => {
  const hanging = (options: ResourceCache.CacheOptions<string, string> = {}) =>
    Effect.gen(function*() {
      const world = { isDown: true, attempts: 0, released: 0 }
      const gate = yield* Deferred.make<void>()
      const lookup = (host: string) =>
        Effect.acquireRelease(
          Effect.suspend(() => {
            world.attempts++
            return world.isDown ? Effect.as(Deferred.await(gate), host) : Effect.succeed(host)
          }),
          () => Effect.sync(() => world.released++)
        )
      const cache = yield* ResourceCache.make(lookup, {
        maxEntries: 2,
        acquireTimeout: "3 seconds",
        releaseTimeout: "2 seconds",
        closeTimeout: "10 seconds",
        ...options
      })
      return { world, gate, cache, ask: (host: string) => Effect.either(cache.use(host, Effect.succeed)) }
    })

  for (const [name, options] of [["none", {}], ["one", { release: () => Effect.void }]] as const) {
    it.effect(`gives its key and its place back, is named, and what it gives late is released (release: ${name})`, () =>
      logging((lines) =>
        Effect.gen(function*() {
          const { ask, cache, gate, world } = yield* hanging(options)
          const events = yield* listen(cache)
          const asking = yield* Effect.fork(Effect.all([ask("a"), ask("b")], { concurrency: 2 }))
          yield* turns
          yield* TestClock.adjust("3 seconds")
          expect((yield* Fiber.join(asking)).map(({ _tag }) => _tag)).toEqual(["Left", "Left"])
          expect((yield* cache.stats).loading).toBe(2)
          yield* TestClock.adjust("2 seconds")
          expect(yield* cache.stats).toMatchObject({ loading: 0, entries: 0 })
          expect((yield* cache.snapshot).abandoned).toMatchObject([{ key: "a", runningMillis: 5_000 }, { key: "b" }])
          expect(events.filter(({ _tag }) => _tag === "LoadAbandoned")).toMatchObject([{ key: "a" }, { key: "b" }])
          expect(lines.filter((line) => line.includes("abandoned the load of a, which does not stop after 5 s")))
            .toHaveLength(1)
          world.isDown = false
          expect((yield* Effect.all([ask("a"), ask("c"), ask("a")])).map(({ _tag }) => _tag)).toEqual([
            "Right",
            "Right",
            "Right"
          ])
          expect(world.attempts).toBe(4)
          yield* Deferred.succeed(gate, undefined)
          yield* turns
          expect([world.released, (yield* cache.snapshot).abandoned.length, yield* atRest(cache)]).toEqual([2, 0, 2])
          yield* cache.close
          expect(world.released).toBe(4)
        })
      ))
  }

  it.effect("does not keep those waiting who come one after the other", () =>
    inScope(Effect.gen(function*() {
      const { ask, world } = yield* hanging()
      // There is always somebody who waits.
      const asking = yield* Effect.fork(
        Effect.forEach([0, 2.5, 5, 7.5], (n) => Effect.delay(ask("a"), n * 1_000), { concurrency: "unbounded" })
      )
      yield* turns
      yield* TestClock.adjust("4900 millis")
      world.isDown = false
      yield* TestClock.adjust("10 seconds")
      expect((yield* Fiber.join(asking)).map(({ _tag }) => _tag)).toEqual(["Left", "Right", "Right", "Right"])
    })))

  it.effect("a lookup that hangs and cannot be interrupted is named in the report of the end, which comes by its deadline", () =>
    inScope(Effect.gen(function*() {
      const { ask, cache, gate, world } = yield* hanging()
      yield* Effect.fork(ask("a"))
      yield* turns
      const closing = yield* Effect.fork(cache.close)
      yield* turns
      yield* TestClock.adjust("10 seconds")
      const { abandoned, deadlineReached, stillRunning } = yield* Fiber.join(closing)
      expect([deadlineReached, stillRunning]).toEqual([true, 1])
      expect(abandoned).toMatchObject([{ key: "a", runningMillis: 10_000 }])
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      expect(world.released).toBe(1)
    })))
})

describe("a circle over room", () => {
  const isCircle = (error: unknown) => expect(error).toMatchObject({ _tag: "CacheFull", isCircle: true })

  it.effect("a circle over room of lookups that ask their full cache is seen at once: one fails, and all the others are served", () =>
    inScope(Effect.gen(function*() {
      for (
        const [children, maxEntries, failures] of [[64, 64, 1], [63, 64, 0], [1, 1, 1], [1, 2, 0], [
          10,
          3,
          undefined
        ]] as const
      ) {
        const cache: ResourceCache.ResourceCache<string, string, any> = yield* ResourceCache.make(
          (key: string): Effect.Effect<string, any, Scope.Scope> =>
            key === "parent" ? Effect.succeed(key) : Effect.as(cache.use("parent", Effect.succeed), key),
          { maxEntries } as ResourceCache.CacheOptions<string, string, any>
        )
        const asking = yield* Effect.fork(
          Effect.forEach(
            Array.from({ length: children }, (_, n) => `child ${n}`),
            (key) => Effect.either(cache.use(key, Effect.succeed)),
            { concurrency: "unbounded" }
          )
        )
        yield* Effect.repeatN(turns, 20)
        // No time has passed.
        const got = yield* Option.getOrElse(yield* Fiber.poll(asking), () => Exit.die("it waits"))
        const failed = got.flatMap((one) => one._tag === "Left" ? [one.left] : [])
        if (failures !== undefined) expect(failed).toHaveLength(failures)
        for (const error of failed) isCircle(error)
        if (failed.length > 0) {
          expect(failed[0].message).toMatch(
            /Cache cache: no room for parent, as what has it waits for more room in turn \(/
          )
        }
        expect(yield* atRest(cache)).toBeLessThanOrEqual(maxEntries)
      }
    })))

  const waits = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.exit(effect))
      yield* turns
      return yield* Option.getOrElse(yield* Fiber.poll(fiber), () => Exit.die("it waits"))
    })
  const full = ResourceCache.make(Effect.succeed<string>, { maxEntries: 1 })

  it.effect("a circle over room of a fiber that asks while it uses what is there is seen at once, by use and in a scope", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* full
      const ask = Effect.flip(cache.use("b", Effect.succeed))
      isCircle(Exit.isSuccess(yield* waits(cache.use("a", () => ask))) && (yield* cache.use("a", () => ask)))
      isCircle(yield* Effect.flatten(waits(Effect.scoped(Effect.andThen(cache.get("a"), Effect.flip(cache.get("b")))))))
      isCircle(yield* Effect.flatten(waits(cache.use("a", () => Effect.flip(Effect.scoped(cache.getAll(["c", "a"])))))))
      expect(yield* atRest(cache)).toBe(1)
      expect(yield* cache.use("b", Effect.succeed)).toBe("b")
    })))

  it.effect("a circle over room of two fibers, or of two caches, fails for the one that closes it, and the other goes on", () =>
    inScope(Effect.gen(function*() {
      const [one, other] = [yield* full, yield* full]
      const gate = yield* Deferred.make<void>()
      const first = yield* Effect.fork(
        one.use("a", () => Effect.andThen(Deferred.await(gate), other.use("b", Effect.succeed)))
      )
      const second = yield* Effect.fork(
        Effect.flip(other.use("c", () => Effect.andThen(Deferred.await(gate), one.use("d", Effect.succeed))))
      )
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      isCircle(yield* Fiber.join(second))
      expect(yield* Fiber.join(first)).toBe("b")
    })))

  it.effect("a circle over room of a release or a listener that asks its cache is seen at once, and holds nobody up", () =>
    inScope(Effect.gen(function*() {
      for (const option of ["release", "onRemoval"] as const) {
        const met: Array<unknown> = []
        const cache: ResourceCache.ResourceCache<string, string, any> = yield* ResourceCache.make(
          Effect.succeed<string>,
          {
            maxEntries: 1,
            [option]: () =>
              Effect.catchAll(cache.use("mine", Effect.succeed), (error) => Effect.sync(() => met.push(error)))
          } as ResourceCache.CacheOptions<string, string, any>
        )
        yield* cache.use("a", Effect.succeed)
        expect(yield* Effect.flatten(waits(cache.use("b", Effect.succeed)))).toBe("b")
        expect(met.length).toBeLessThanOrEqual(1)
        for (const error of met) isCircle(error)
        yield* turns
        expect(yield* atRest(cache)).toBe(1)
      }
    })))

  it.effect("a circle over room is none where somebody else gives room back: it is waited for", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(Effect.succeed<string>, { maxEntries: 2 })
      const gate = yield* Deferred.make<void>()
      const user = yield* Effect.fork(cache.use("a", () => Deferred.await(gate)))
      yield* turns
      const asking = yield* Effect.fork(cache.use("b", () => cache.use("c", Effect.succeed)))
      yield* turns
      expect(Option.isNone(yield* Fiber.poll(asking))).toBe(true)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(user)
      expect(yield* Fiber.join(asking)).toBe("c")
    })))

  it.effect("a circle over room is none where a scope of somebody else's holds the value", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* full
      const scope = yield* Scope.make()
      const asking = yield* Effect.fork(
        Effect.andThen(Scope.extend(cache.get("a"), scope), cache.use("b", Effect.succeed))
      )
      yield* turns
      expect(Option.isNone(yield* Fiber.poll(asking))).toBe(true)
      yield* Scope.close(scope, Exit.void)
      expect(yield* Fiber.join(asking)).toBe("b")
    })))
})

describe("a refresh", () => {
  for (const [name, options] of [["plain", true], ["with releases", false]] as const) {
    it.effect(`a refresh that begins after a write never gives what was there before it (${name})`, () =>
      inScope(Effect.gen(function*() {
        let database = "before"
        const read = (_: string) => Effect.suspend(() => Effect.delay(Effect.succeed(database), "100 millis"))
        const cache = options
          ? yield* ResourceCache.plain(read, { refreshAfter: "50 millis" })
          : yield* ResourceCache.make(read, { refreshAfter: "50 millis" })
        const get = cache.use("k", Effect.succeed)
        const first = yield* Effect.fork(get)
        yield* turns
        // The very first lookup runs.
        database = "after"
        const refreshing = yield* Effect.fork(cache.refresh("k"))
        yield* TestClock.adjust("100 millis")
        expect(yield* Fiber.join(first)).toBe("before")
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(refreshing)
        expect(yield* get).toBe("after")
        yield* TestClock.adjust("60 millis")
        // One begins behind a caller, and has read what there is.
        expect(yield* get).toBe("after")
        yield* turns
        database = "after 2"
        const both = yield* Effect.fork(Effect.all([cache.refresh("k"), cache.refresh("k")], { concurrency: 2 }))
        yield* turns
        database = "after 3"
        yield* TestClock.adjust("200 millis")
        yield* Fiber.join(both)
        expect(yield* get).toBe("after 3")
        // Those who ask before the next one begins share it.
        expect((yield* cache.stats).loads).toBe(4)
      })))
  }

  it.effect("a refresh that waits for another lookup is given up, invalidated and closed as any", () =>
    inScope(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let asked = 0
      const cache = yield* ResourceCache.plain((_: string) =>
        Effect.suspend(() => ++asked === 1 ? Effect.as(Deferred.await(gate), asked) : Effect.succeed(asked))
      )
      const first = yield* Effect.fork(cache.get("k"))
      yield* turns
      yield* Fiber.interrupt(yield* Effect.tap(Effect.fork(cache.refresh("k")), () => turns))
      expect((yield* cache.snapshot).lookups).toMatchObject([{ callers: 1 }])
      const waiting = yield* Effect.fork(cache.refresh("k"))
      yield* turns
      yield* cache.invalidate("k")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(waiting)
      expect([yield* Fiber.join(first), asked, yield* cache.keys]).toEqual([1, 2, []])
      const again = yield* Effect.fork(
        Effect.all([cache.get("k"), Effect.flip(cache.refresh("k"))], { concurrency: 2 })
      )
      yield* Effect.yieldNow()
      yield* cache.close
      yield* Fiber.interrupt(again)
    })))
})

class GetUser extends Request.TaggedClass("GetUser")<string, never, { readonly id: number }> {}

const users = Effect.gen(function*() {
  const queries: Array<number> = []
  const resolver = RequestResolver.makeBatched((requests: ReadonlyArray<GetUser>) => {
    queries.push(requests.length)
    return Effect.forEach(requests, (request) => Request.succeed(request, `user ${request.id}`), { discard: true })
  })
  const cache = yield* ResourceCache.plain((id: number) => Effect.request(new GetUser({ id }), resolver))
  return { queries, cache, ids: Array.from({ length: 20 }, (_, id) => id) }
})

/** Those who answer wait for the gate; what a lookup opens around its request is in the log. */
const slowUsers = Effect.gen(function*() {
  const log: Array<string> = []
  const gate = yield* Deferred.make<void>()
  const resolver = RequestResolver.makeBatched((requests: ReadonlyArray<GetUser>) =>
    Effect.andThen(
      Deferred.await(gate),
      Effect.forEach(requests, (request) => Request.succeed(request, `user ${request.id}`), { discard: true })
    )
  )
  const cache = yield* ResourceCache.plain((id: number) =>
    Effect.acquireUseRelease(
      Effect.sync(() => log.push(`open ${id}`)),
      () => Effect.request(new GetUser({ id }), resolver),
      () => Effect.sync(() => log.push(`close ${id}`))
    )
  )
  return { log, gate, cache, ids: [0, 1, 2] }
})

describe("requests of lookups", () => {
  it.effect("requests of lookups that run side by side are one batch where their callers have them so", () =>
    inScope(Effect.gen(function*() {
      const { cache, ids, queries } = yield* users
      yield* Effect.forEach(ids, (id) => cache.get(id), { batching: true, concurrency: "unbounded" })
      expect(queries.splice(0)).toEqual([20])
      yield* cache.invalidateAll
      yield* Effect.withRequestBatching(
        Effect.forEach(ids, (id) => cache.get(id), { batching: "inherit", concurrency: "unbounded" }),
        true
      )
      expect(queries.splice(0)).toEqual([20])
      yield* cache.invalidateAll
      yield* Effect.forEach(ids, (id) => cache.get(id), { concurrency: "unbounded" })
      expect(queries.splice(0)).toEqual(ids.map(() => 1))
      yield* cache.invalidateAll
      expect(yield* cache.getAll(ids)).toEqual(ids.map((id) => `user ${id}`))
      expect(queries.splice(0)).toEqual([20])
    })))

  it.effect("requests of lookups are finalized where they are interrupted, and others are answered", () =>
    inScope(Effect.gen(function*() {
      const { cache, gate, log, ids } = yield* slowUsers
      const asking = yield* Effect.fork(
        Effect.forEach(ids, (id) => Effect.exit(cache.get(id, id === 0 ? { acquireTimeout: "1 seconds" } : {})), {
          batching: true,
          concurrency: "unbounded"
        })
      )
      yield* turns
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect(log).toEqual(["open 0", "open 1", "open 2", "close 0"])
      yield* Deferred.succeed(gate, undefined)
      const exits = yield* Fiber.join(asking)
      expect(exits.map(({ _tag }) => _tag)).toEqual(["Failure", "Success", "Success"])
      expect(log).toHaveLength(6)
    })))
})
