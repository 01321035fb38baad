/** What happens to a cache where other people's keys, values, lookups and releases do what they should not. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { TestClock, Untellable } from "@patinox/vitest"
import { Cause, Effect, Equal, Exit, Fiber, Hash, Option, Schedule } from "effect"
import { type CacheError, ResourceCache } from "../src/index.js"
import { atRest, inScope, listen, logging, Source, turns, type Value } from "./kit.js"

const using = (source: Source<any>) => (value: Value<any>) => source.using(value, Effect.succeed(value.number))

class Mutable implements Equal.Equal {
  constructor(public name: string) {}
  [Hash.symbol](): number {
    return Hash.string(this.name)
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Mutable && that.name === this.name
  }
}

describe("a key that is changed after its use", () => {
  const url = new URL("http://host/")
  const date = new Date(0)
  const mutable = new Mutable("")
  const changes: ReadonlyArray<readonly [string, (n: number) => unknown]> = [
    ["a URL", (n) => {
      url.pathname = `/${n}`
      return url
    }],
    ["a Date", (n) => {
      date.setTime(n)
      return date
    }],
    ["an object with a hash of its own", (n) => {
      mutable.name = `name ${n}`
      return mutable
    }]
  ]
  for (const [name, keyOf] of changes) {
    it.effect(`costs no room, and gives no value that is released: ${name}`, () =>
      inScope(Effect.gen(function*() {
        const source = new Source<unknown>()
        const cache = yield* ResourceCache.make(source.lookup, { maxEntries: 2, release: source.release })
        for (const n of [1, 2, 3, 1, 4, 2, 2]) yield* cache.use(keyOf(n), using(source))
        expect([yield* atRest(cache), source.alive, source.mostAlive]).toEqual([2, 2, 2])
        expect(yield* cache.invalidateAll).toBe(2)
        yield* turns
        expect([yield* atRest(cache), source.alive]).toEqual([0, 0])
      })))
  }

  it.effect("a key that is changed after its use while it is looked up has no part in what its lookup is told, nor others", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.plain((key: URL) => Effect.sync(() => key.pathname))
      const key = new URL("http://host/a")
      const first = yield* Effect.fork(cache.get(key))
      yield* Effect.yieldNow()
      key.pathname = "/b"
      expect(yield* Fiber.join(first)).toBe("/a")
      expect(yield* cache.get(key)).toBe("/b")
      expect(yield* cache.get(new URL("http://host/a"))).toBe("/a")
      expect((yield* cache.stats).loads).toBe(2)
    })))

  it.effect("a key that is changed after its use can still be refreshed, set and invalidated, as what it is now", () =>
    inScope(Effect.gen(function*() {
      const source = new Source<Mutable>()
      const cache = yield* ResourceCache.make((key: Mutable) => Effect.sync(() => source.open(key)), {
        release: source.release
      })
      const key = new Mutable("a")
      yield* cache.use(key, using(source))
      key.name = "b"
      yield* cache.refresh(key)
      yield* cache.set(key, source.open(key))
      expect(yield* cache.invalidate(key)).toBe(true)
      yield* turns
      expect(source.alive).toBe(1)
      key.name = "a"
      expect(yield* cache.use(key, using(source))).toBe(1)
      expect(yield* cache.invalidate(key)).toBe(true)
      expect([yield* atRest(cache), source.alive]).toEqual([0, 0])
    })))
})

describe("what throws wherever somebody looks at it", () => {
  for (const form of Untellable.forms) {
    it.effect(`what throws wherever somebody looks at it is a key, a value and an error as any other: ${form}`, () =>
      logging((lines) =>
        Effect.gen(function*() {
          const made = Untellable.make(form)
          // `Effect.fail` itself would look at it.
          const failing = Effect.failCause(Cause.fail(made))
          let releases = 0
          const cache = yield* ResourceCache.make(
            (key: unknown) => key === "bad" ? failing : Effect.succeed(key),
            {
              maxEntries: 2,
              staleOnError: "1 hour",
              timeToLive: "1 minute",
              onRemoval: () => failing,
              release: () => Effect.suspend(() => ++releases === 1 ? failing : Effect.void)
            }
          )
          const events = yield* listen(cache)
          expect(yield* cache.use(made, (value) => Effect.succeed(value === made))).toBe(true)
          expect(yield* cache.use(made, (value) => Effect.succeed(value === made))).toBe(true)
          expect((yield* cache.stats).loads).toBe(1)
          const failure = yield* Effect.exit(cache.use("bad", Effect.succeed))
          expect(Exit.isFailure(failure) && Option.getOrNull(Cause.failureOption(failure.cause)) === made).toBe(true)
          yield* cache.set("other", made)
          yield* cache.refresh(made)
          expect(yield* cache.invalidate(made)).toBe(true)
          yield* cache.use("a", Effect.succeed)
          yield* cache.use("b", Effect.succeed)
          yield* turns
          expect((yield* cache.stats).releasing).toBe(0)
          const { failed, stillRunning } = yield* cache.close
          expect([failed.length, stillRunning]).toEqual([0, 0])
          expect(events.length).toBeGreaterThan(5)
          expect(lines.every((line) => typeof line === "string")).toBe(true)
        })
      ))
  }

  it.effect("costs who asks for another key of the same hash nothing", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.plain(Effect.succeed<object>)
      const [one, other] = [Untellable.key({ hash: 1 }), Untellable.key({ hash: 1 })]
      expect((yield* cache.get(one)) === one && (yield* cache.get(other)) === other).toBe(true)
      expect((yield* cache.get(one)) === one).toBe(true)
      expect(yield* cache.stats).toMatchObject({ entries: 2, loads: 2, hits: 1 })
    })))

  it.effect("what throws wherever somebody looks at it has texts in the errors of a cache", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(() => Effect.never, { acquireTimeout: "1 seconds" })
      const asking = yield* Effect.fork(Effect.flip(cache.use(Untellable.proxy(), Effect.succeed)))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      const error = yield* Fiber.join(asking)
      expect(error.message).toMatch(
        /^Cache cache: timed out after 1 s waiting for the load of .* cannot be shown as text \(/
      )
    })))
})

describe("a release that has succeeded", () => {
  const finalizers: ReadonlyArray<readonly [string, Effect.Effect<void>]> = [
    ["dies", Effect.die("finalizer")],
    ["hangs", Effect.never],
    ["hangs interruptibly", Effect.interruptible(Effect.never)]
  ]
  const strategies = {
    default: {},
    retried: { recovery: { strategy: () => "Retry" as const, retry: Schedule.recurs(3) } }
  }
  for (const [how, finalizer] of finalizers) {
    for (const [name, recovery] of Object.entries(strategies)) {
      it.effect(`does not run again where a finalizer ${how} (${name}), which is a failure all the same`, () =>
        inScope(Effect.gen(function*() {
          let [releases, finalized] = [0, 0]
          const registry = yield* ResourceRegistry.ResourceRegistry
          const lookup = (key: string) =>
            Effect.as(Effect.addFinalizer(() => Effect.andThen(Effect.sync(() => finalized++), finalizer)), key)
          const cache = yield* ResourceCache.make(lookup, {
            releaseTimeout: "600 millis",
            release: () => Effect.sync(() => releases++),
            ...recovery
          })
          yield* cache.use("k", () => Effect.void)
          const closing = yield* Effect.fork(cache.close)
          yield* turns
          yield* TestClock.adjust("30 seconds")
          const { failed, released } = yield* Fiber.join(closing)
          expect([releases, finalized, released, failed.length]).toEqual([1, 1, 0, 1])
          for (const { id } of yield* registry.deadLetters.list) {
            expect(Exit.isFailure(yield* Effect.exit(registry.deadLetters.retry(id)))).toBe(true)
          }
          expect([releases, finalized]).toEqual([1, 1])
        })))
    }
  }

  it.effect("does not run again where it was itself retried, and the scope closes once", () =>
    inScope(Effect.gen(function*() {
      const done: Array<string> = []
      const lookup = (key: string) =>
        Effect.as(Effect.addFinalizer(() => Effect.sync(() => done.push("finalizer"))), key)
      const cache = yield* ResourceCache.make(lookup, {
        release: () => Effect.suspend(() => done.push("release") < 3 ? Effect.fail("not yet") : Effect.void),
        recovery: { strategy: () => "Retry" as const, retry: Schedule.recurs(5) }
      })
      yield* cache.use("k", () => Effect.void)
      const { failed, released } = yield* cache.close
      expect([failed.length, released]).toEqual([0, 1])
      expect(done).toEqual(["release", "release", "release", "finalizer"])
    })))
})

describe("what a function of the cache opens for its own sake", () => {
  const temporary = (open: { count: number }) =>
    Effect.acquireRelease(Effect.sync(() => open.count++), () => Effect.sync(() => open.count--))
  const cases: Record<string, (open: { count: number }) => object> = {
    release: (open) => ({ release: () => temporary(open) }),
    onRemoval: (open) => ({ onRemoval: () => temporary(open) }),
    fallback: (open) => ({
      release: () => Effect.fail("no"),
      recovery: { strategy: () => "Fallback", fallback: () => temporary(open) }
    })
  }
  for (const [name, options] of Object.entries(cases)) {
    it.effect(`what a function of the cache opens for its own sake is closed at its end: ${name}`, () =>
      inScope(Effect.gen(function*() {
        const open = { count: 0 }
        let most = 0
        const cache = yield* ResourceCache.make((key: number) =>
          Effect.sync(() => {
            most = Math.max(most, open.count)
            return key
          }), { maxEntries: 1, ...options(open) } as ResourceCache.CacheOptions<number, number>)
        for (let n = 0; n < 20; n++) yield* cache.use(n, () => Effect.void)
        yield* turns
        expect([open.count, most]).toEqual([0, 0])
        expect(yield* atRest(cache)).toBe(1)
      })))
  }
})

describe("a value that comes back", () => {
  interface File {
    isOpen: boolean
    closes: number
  }
  const files = (options: object = {}) => {
    const made: Array<File> = []
    const open = () =>
      Effect.sync((): File => {
        const file = { isOpen: true, closes: 0 }
        made.push(file)
        return file
      })
    const release = (file: File) =>
      Effect.sync(() => {
        file.isOpen = false
        file.closes++
      })
    return Effect.map(
      ResourceCache.make((_: string) => open(), { release, ...options } as ResourceCache.CacheOptions<string, File>),
      (cache) => ({ cache, made, isOpen: (key: string) => cache.use(key, (file) => Effect.succeed(file.isOpen)) })
    )
  }
  const once = (made: ReadonlyArray<File>) => expect(made.map(({ closes }) => closes)).toEqual(made.map(() => 1))

  it.effect("a value that comes back by its user, who sets it after it was invalidated, is not given again nor released twice", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const { cache, isOpen, made } = yield* files()
        yield* cache.use("a", (file) => Effect.andThen(cache.invalidate("a"), cache.set("a", file)))
        yield* turns
        expect([yield* isOpen("a"), made.length]).toEqual([true, 2])
        yield* cache.close
        once(made)
        expect(lines.filter((line) => line.includes("did not take the value set for a"))).toHaveLength(1)
      })
    ))

  it.effect("a value that comes back after its release, set for the same key and for others, is not given again nor released twice", () =>
    inScope(Effect.gen(function*() {
      const { cache, isOpen, made } = yield* files()
      const file = yield* cache.use("a", Effect.succeed)
      yield* cache.invalidate("a")
      yield* turns
      expect(file.isOpen).toBe(false)
      for (const key of ["a", "b"]) yield* cache.set(key, file)
      expect([yield* isOpen("a"), yield* isOpen("b")]).toEqual([true, true])
      yield* cache.close
      expect(Exit.isFailure(yield* Effect.exit(cache.set("a", file)))).toBe(true)
      once(made)
    })))

  it.effect("a value that comes back while another key has it is not that of two keys", () =>
    inScope(Effect.gen(function*() {
      const { cache, isOpen, made } = yield* files()
      yield* cache.use("a", (file) => cache.set("b", file))
      yield* cache.invalidate("b")
      yield* turns
      expect([yield* isOpen("a"), made.length]).toEqual([true, 1])
      yield* cache.close
      once(made)
    })))

  it.effect("a value that comes back from its removal listener is not given again, however it was removed", () =>
    inScope(Effect.gen(function*() {
      let resetting: (key: string, value: File) => Effect.Effect<void, CacheError.CacheError> = () => Effect.void
      const { cache, isOpen, made } = yield* files({
        maxEntries: 1,
        timeToLive: "50 millis",
        onRemoval: ({ key, value }: { readonly key: string; readonly value: File }) => resetting(key, value)
      })
      resetting = cache.set
      yield* isOpen("a")
      yield* TestClock.adjust("60 millis")
      expect(yield* isOpen("a")).toBe(true)
      yield* isOpen("b")
      yield* cache.invalidate("b")
      expect(yield* isOpen("b")).toBe(true)
      resetting = () => Effect.void
      yield* cache.close
      once(made)
    })))

  it.effect("a value that comes back from a lookup that gives what is there is as new, and released once", () =>
    inScope(Effect.gen(function*() {
      const file: File = { isOpen: true, closes: 0 }
      let finalized = 0
      const lookup = (_: string) => Effect.as(Effect.addFinalizer(() => Effect.sync(() => finalized++)), file)
      const cache = yield* ResourceCache.make(lookup, {
        timeToLive: "10 seconds",
        release: (file) =>
          Effect.sync(() => {
            file.isOpen = false
            file.closes++
          })
      })
      const isOpen = cache.use("a", ({ isOpen }) => Effect.succeed(isOpen))
      yield* isOpen
      yield* TestClock.adjust("9 seconds")
      yield* cache.refresh("a")
      yield* TestClock.adjust("9 seconds")
      expect([yield* isOpen, finalized, (yield* cache.stats).loads]).toEqual([true, 0, 2])
      yield* cache.close
      expect([file.closes, finalized]).toEqual([1, 2])
    })))

  it.effect("a value that comes back from a lookup while it is being released fails with CacheValueReleased, and later is as new", () =>
    inScope(Effect.gen(function*() {
      const file: File = { isOpen: true, closes: 0 }
      const cache = yield* ResourceCache.make((_: string) => Effect.succeed(file), {
        release: () => Effect.sync(() => file.closes++)
      })
      const error = yield* cache.use(
        "a",
        () => Effect.andThen(cache.invalidate("a"), Effect.flip(cache.use("a", Effect.succeed)))
      )
      expect(error).toMatchObject({ _tag: "CacheValueReleased", key: "a" })
      expect(error.message).toBe("Cache cache: the load of a gave a value that the cache is releasing")
      yield* turns
      expect(file.closes).toBe(1)
      expect(yield* cache.use("a", Effect.succeed)).toBe(file)
      yield* cache.close
      expect(file.closes).toBe(2)
    })))
})
