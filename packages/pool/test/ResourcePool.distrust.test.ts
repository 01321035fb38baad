/** Shows `ItemList` and `RunningCheck`. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Metric, Option, Tracer } from "effect"
import { ResourcePool } from "../src/index.js"
import { type Connection, inScope, listen, Server, turns } from "./kit.js"

/** Items of an epoch: those of an older one are dead. */
const epochs = () => {
  const state = { epoch: 0, made: 0, validated: 0 }
  const create = Effect.sync(() => ({ epoch: state.epoch, number: ++state.made }))
  const isAlive = (item: { readonly epoch: number }) => item.epoch === state.epoch
  return { state, create, isAlive }
}

const ends: Record<string, Effect.Effect<unknown, unknown>> = {
  "fails": Effect.fail("no"),
  "dies": Effect.die("bug"),
  "throws": Effect.suspend(() => {
    throw new Error("bug")
  }),
  "is interrupted": Effect.interrupt,
  "is timed out": Effect.timeout(Effect.never, "1 millis")
}

describe("an item whose last use did not succeed", () => {
  for (const [name, use] of Object.entries(ends)) {
    for (const way of ["use", "tryUse", "get"] as const) {
      it.effect(`an item whose last use did not succeed is validated before it is lent again by ${way}, where that use ${name}`, () =>
        inScope(Effect.gen(function*() {
          let validated = 0
          const pool = yield* ResourcePool.make(Effect.succeed("item"), {
            maxSize: 1,
            validateAfter: Infinity,
            validate: () => Effect.sync(() => validated++)
          })
          const borrow = (f: Effect.Effect<unknown, unknown>) =>
            way === "get" ? Effect.scoped(Effect.andThen(pool.get, f)) : pool[way](() => f)
          yield* pool.use(() => Effect.void)
          const failing = yield* Effect.fork(Effect.exit(borrow(use)))
          yield* turns
          yield* TestClock.adjust("1 millis")
          expect(Exit.isFailure(yield* Fiber.join(failing))).toBe(true)
          expect(validated).toBe(0)
          yield* borrow(Effect.void)
          expect(validated).toBe(1)
          yield* borrow(Effect.void)
          expect(validated).toBe(1)
        })))
    }
  }

  it.effect("an item whose last use did not succeed is validated though it was recycled", () =>
    inScope(Effect.gen(function*() {
      const calls: Array<string> = []
      const note = (what: string) => () => Effect.sync(() => calls.push(what))
      const pool = yield* ResourcePool.make(Effect.void, { validate: note("validate"), recycle: note("recycle") })
      yield* Effect.flip(pool.use(() => Effect.fail("no")))
      yield* pool.use(() => Effect.void)
      yield* pool.use(() => Effect.void)
      expect(calls).toEqual(["recycle", "validate", "recycle", "recycle"])
    })))

  it.effect("an item whose last use did not succeed is lent after all others", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { minSize: 2, maxSize: 2 })
      yield* turns
      const bad = yield* pool.use(({ number }) => Effect.succeed(number))
      yield* Effect.flip(pool.use(() => Effect.fail("no")))
      const next = yield* pool.use(({ number }) => Effect.succeed(number))
      expect(next).not.toBe(bad)
      const [one, other] = yield* Effect.scoped(Effect.all([pool.get, pool.get]))
      expect([one.number, other.number]).toEqual([next, bad])
    })))

  it.effect("an item whose last use did not succeed is found out under steady load with its user's time limit, and replaced", () =>
    inScope(Effect.gen(function*() {
      const { create, isAlive, state } = epochs()
      const pool = yield* ResourcePool.make(create, {
        maxSize: 4,
        validate: (item) => isAlive(item) ? Effect.void : Effect.never
      })
      const counts = { ok: 0, failed: 0 }
      const query = pool.use((item) => isAlive(item) ? Effect.sleep("10 millis") : Effect.never)
      const request = Effect.map(
        Effect.exit(Effect.timeout(query, "500 millis")),
        (exit) => Exit.isSuccess(exit) ? counts.ok++ : counts.failed++
      )
      const load = (each: number) =>
        Effect.gen(function*() {
          const all = yield* Effect.fork(
            Effect.forEach(Array.from({ length: 8 }), () => Effect.replicateEffect(request, each), { concurrency: 8 })
          )
          for (let i = 0; i < 200 && Option.isNone(yield* Fiber.poll(all)); i++) yield* TestClock.adjust("250 millis")
          yield* Fiber.join(all)
        })
      yield* load(5)
      state.epoch++
      yield* load(5)
      const { failed } = counts
      expect(failed).toBeLessThan(20)
      yield* load(5)
      expect(counts.failed).toBe(failed)
    })))
})

describe("invalidateWhen", () => {
  for (const [name, use] of Object.entries(ends)) {
    it.effect(`sees the whole cause of a use that ${name}`, () =>
      inScope(Effect.gen(function*() {
        const seen: Array<Cause.Cause<unknown>> = []
        const server = new Server()
        const pool = yield* ResourcePool.make(server.create, {
          destroy: server.destroy,
          invalidateWhen: (cause) => {
            seen.push(cause)
            return Cause.isInterrupted(cause)
          }
        })
        const using = yield* Effect.fork(Effect.exit(pool.use(() => use)))
        yield* turns
        yield* TestClock.adjust("1 millis")
        const exit = yield* Fiber.join(using)
        expect(seen.length).toBe(1)
        expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toEqual(Cause.squash(seen[0]!))
        yield* turns
        expect(server.closed).toBe(name === "is interrupted" ? 1 : 0)
      })))
  }

  it.effect("sees that the user was interrupted from outside, and a failure beside that", () =>
    inScope(Effect.gen(function*() {
      const seen: Array<readonly [boolean, unknown]> = []
      const pool = yield* ResourcePool.make(Effect.void, {
        invalidateWhen: (cause) => {
          seen.push([Cause.isInterrupted(cause), Option.getOrUndefined(Cause.failureOption(cause))])
          return true
        }
      })
      const using = yield* Effect.fork(pool.use(() => Effect.never))
      yield* turns
      yield* Fiber.interrupt(using)
      yield* Effect.exit(pool.use(() => Effect.all([Effect.fail("no"), Effect.interrupt], { concurrency: 2 })))
      expect(seen[0]).toEqual([true, undefined])
      expect(seen[1]![1]).toBe("no")
    })))
})

describe("an idle item that is said to be dead", () => {
  const made = () => {
    const server = new Server()
    const handles: Array<ResourcePool.ItemHandle> = []
    const create = (handle: ResourcePool.ItemHandle) =>
      Effect.sync(() => {
        handles.push(handle)
        return server.open()
      })
    return { create, handles, server }
  }
  type Way = (pool: ResourcePool.ResourcePool<Connection>, item: Connection, handle: ResourcePool.ItemHandle) => unknown
  const ways: Record<string, Way> = {
    "by its handle": (_, __, handle) => handle.invalidate(),
    "by the pool": (pool, item) => Effect.runSync(pool.invalidate(item))
  }
  for (const [name, say] of Object.entries(ways)) {
    it.effect(`${name} is destroyed at once, and only it`, () =>
      inScope(Effect.gen(function*() {
        const { create, handles, server } = made()
        const pool = yield* ResourcePool.make(create, { destroy: server.destroy, maxSize: 2 })
        const events = yield* listen(pool)
        const [first, second] = yield* Effect.scoped(Effect.all([pool.get, pool.get]))
        say(pool, first, handles[first.number - 1]!)
        yield* turns
        expect([first.isOpen, second.isOpen]).toEqual([false, true])
        expect(events.filter(({ _tag }) => _tag === "Removed")).toMatchObject([{ reason: "invalidated" }])
        expect(yield* pool.use((item) => Effect.succeed(item))).toBe(second)
        // Again it says nothing new.
        say(pool, first, handles[first.number - 1]!)
        yield* turns
        expect([server.closed, (yield* pool.snapshot).total]).toEqual([1, 1])
      })))

    it.effect(`${name} while it is in use goes at its return`, () =>
      inScope(Effect.gen(function*() {
        const { create, handles, server } = made()
        const pool = yield* ResourcePool.make(create, { destroy: server.destroy, recycle: () => Effect.die("unused") })
        yield* pool.use((item) =>
          Effect.sync(() => {
            say(pool, item, handles[0]!)
            expect(item.isOpen).toBe(true)
          })
        )
        yield* turns
        expect(server.closed).toBe(1)
      })))

    it.effect(`${name} while it is validated is not lent`, () =>
      inScope(Effect.gen(function*() {
        const { create, handles, server } = made()
        const gate = yield* Deferred.make<void>()
        const pool = yield* ResourcePool.make(create, {
          destroy: server.destroy,
          maxSize: 1,
          validate: () => Deferred.await(gate)
        })
        const first = yield* pool.use((item) => Effect.succeed(item))
        yield* TestClock.adjust("1 seconds")
        const borrower = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
        yield* turns
        say(pool, first, handles[0]!)
        yield* Deferred.succeed(gate, undefined)
        expect(yield* Fiber.join(borrower)).toBe(2)
        expect(server.closed).toBe(1)
      })))
  }

  it.effect("an idle item that is said to be dead is not known to the pool afterwards, nor is what it never made", () =>
    inScope(Effect.gen(function*() {
      const { create, server } = made()
      const pool = yield* ResourcePool.make(create, { destroy: server.destroy })
      const item = yield* pool.use((item) => Effect.succeed(item))
      expect(yield* pool.invalidate(new Server().open())).toBe(false)
      expect(yield* pool.invalidate(item)).toBe(true)
      yield* turns
      expect(yield* pool.invalidate(item)).toBe(false)
    })))

  it.effect("an item whose handle says that it is dead before it is there counts as a failed creation, with a pause", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      let calls = 0
      const create = ({ invalidate }: ResourcePool.ItemHandle) =>
        Effect.sync(() => {
          if (++calls <= 3) invalidate()
          return server.open()
        })
      const pool = yield* ResourcePool.make(create, { destroy: server.destroy, failFastAfter: Infinity })
      const borrower = yield* Effect.fork(pool.use(({ number }) => Effect.succeed(number)))
      yield* turns
      expect([calls, (yield* pool.snapshot).creationFailures]).toEqual([1, 1])
      yield* TestClock.adjust("100 millis")
      expect(yield* Fiber.join(borrower)).toBe(4)
      expect([server.opened, server.closed]).toEqual([4, 3])
    })))

  it.effect(
    "an idle item that is said to be dead as soon as it is there, time and again, is created less and less often",
    () =>
      inScope(Effect.gen(function*() {
        const server = new Server()
        const create = ({ invalidate }: ResourcePool.ItemHandle) =>
          Effect.tap(
            server.create,
            () => Effect.forkDaemon(Effect.andThen(Effect.sleep("1 millis"), Effect.sync(invalidate)))
          )
        yield* ResourcePool.make(create, { destroy: server.destroy, minSize: 1 })
        for (let i = 0; i < 60; i++) yield* TestClock.adjust("1 seconds")
        expect(server.opened).toBeLessThan(40)
      })),
    60_000
  )

  it.effect("an idle item that is said to be dead of keyed pools and of a pool with promises goes the same way", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const handles: Array<ResourcePool.ItemHandle> = []
      const pools = yield* ResourcePool.keyed((_: string, handle) =>
        Effect.sync(() => {
          handles.push(handle)
          return server.open()
        }), { destroy: server.destroy })
      const [a, b] = yield* Effect.all([pools.use("a", Effect.succeed), pools.use("b", Effect.succeed)])
      expect(yield* pools.invalidate(b)).toBe(true)
      handles[0]!.invalidate()
      yield* turns
      expect([a.isOpen, b.isOpen, yield* pools.invalidate(a)]).toEqual([false, false, false])
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy })
      const promises = ResourcePool.toPromisePool(pool, yield* Effect.runtime())
      const item = yield* Effect.promise(() => promises.use(async (item) => item))
      expect(yield* Effect.promise(() => promises.invalidate(item))).toBe(true)
      yield* turns
      expect(item.isOpen).toBe(false)
    })))
})

describe("invalidateAll", () => {
  it.effect("destroys what is idle at once, what is in use at its return, and what was being created before it is lent", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const gate = yield* Deferred.make<void>()
      let isSlow = false
      const create = Effect.suspend(() => isSlow ? Effect.zipRight(Deferred.await(gate), server.create) : server.create)
      const pool = yield* ResourcePool.make(create, { destroy: server.destroy, maxSize: 3 })
      const held = yield* pool.get
      const idle = yield* Effect.scoped(pool.get)
      isSlow = true
      const waiters = yield* Effect.forEach(
        [1, 2],
        () => Effect.fork(Effect.scoped(Effect.andThen(pool.get, Effect.never)))
      )
      yield* turns
      expect((yield* pool.snapshot).creating).toBe(1)
      yield* Fiber.interruptAll(waiters)
      yield* turns
      expect(yield* pool.invalidateAll).toBe(2)
      yield* turns
      expect([held.isOpen, idle.isOpen]).toEqual([true, false])
      isSlow = false
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      // The one whose creation was begun before is gone, too.
      expect([server.opened, server.closed]).toEqual([3, 2])
      expect(yield* Effect.scoped(Effect.map(pool.get, ({ number }) => number))).toBe(4)
    })))

  it.effect("invalidateAll of keyed pools and of a pool with promises goes through all of them", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pools = yield* ResourcePool.keyed((_: string) => server.create, { destroy: server.destroy })
      for (const key of ["a", "b", "c"]) yield* pools.use(key, () => Effect.void)
      expect(yield* pools.use("a", () => pools.invalidateAll)).toBe(3)
      yield* turns
      expect(server.closed).toBe(3)
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy })
      yield* pool.use(() => Effect.void)
      const promises = ResourcePool.toPromisePool(pool, yield* Effect.runtime())
      expect(yield* Effect.promise(() => promises.invalidateAll())).toBe(1)
    })))
})

describe("a destroy that fails", () => {
  const failing: Record<string, Effect.Effect<void, string>> = {
    "fails": Effect.fail("half open"),
    "dies": Effect.die("bug"),
    "hangs": Effect.never
  }
  for (const [name, destroy] of Object.entries(failing)) {
    it.effect(`a destroy that fails and ${name} is followed by the forceful one, in the same time limit`, () =>
      inScope(Effect.gen(function*() {
        const forced: Array<readonly [string, string]> = []
        const pool = yield* ResourcePool.make(Effect.succeed("socket"), {
          destroy: () => destroy,
          forceDestroy: (item, error, { uses }) => Effect.sync(() => forced.push([`${item} ${uses}`, error._tag])),
          maxSize: 1
        })
        const events = yield* listen(pool)
        yield* pool.use((_, lease) => lease.invalidate)
        yield* turns
        yield* TestClock.adjust("5 seconds")
        yield* turns
        expect(forced).toEqual([["socket 1", name === "hangs" ? "CleanupTimeout" : "CleanupFailed"]])
        const destroyed = events.filter(({ _tag }) => _tag === "Destroyed")
        expect(destroyed.length).toBe(1)
        expect(destroyed[0]).not.toHaveProperty("error")
        expect((yield* pool.snapshot).total).toBe(0)
      })))
  }

  it.effect("beside others that hang holds up neither them nor other pools", () =>
    inScope(Effect.gen(function*() {
      let isDead = true
      const destroy = () => isDead ? Effect.never : Effect.void
      const hung = yield* ResourcePool.make(Effect.void, { minSize: 100, maxSize: 100, destroy })
      const server = new Server()
      const other = yield* ResourcePool.make(server.create, { minSize: 1, destroy: server.destroy })
      yield* Effect.all([hung.awaitReady, other.awaitReady])
      yield* hung.evictIdle
      yield* other.evictIdle
      yield* turns
      expect(server.closed).toBe(1)
      isDead = false
      yield* TestClock.adjust("5 seconds")
      yield* turns
      expect(yield* hung.snapshot).toMatchObject({ destroying: 0, idle: 100 })
    })))
})

describe("what is told", () => {
  it.effect("what is told has the time in line as a span of the borrower's, which fails where the borrow does", () =>
    inScope(Effect.gen(function*() {
      const spans: Array<readonly [string, string | undefined, string]> = []
      const tracer = Tracer.make({
        span: (name, parent, context, links, startTime, kind) => {
          const span: Tracer.Span = {
            _tag: "Span",
            spanId: name,
            traceId: "trace",
            sampled: true,
            status: { _tag: "Started", startTime },
            attributes: new Map(),
            name,
            parent,
            context,
            links,
            kind,
            end: (_, exit) => {
              const of = Option.getOrUndefined(Option.map(parent, (span) => span._tag === "Span" ? span.name : ""))
              spans.push([name, of, exit._tag])
            },
            attribute: () => {},
            event: () => {},
            addLinks: () => {}
          }
          return span
        },
        context: (f) => f()
      })
      const program = Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.void, { name: "db", maxSize: 1, acquireTimeout: "1 seconds" })
        yield* Effect.withSpan(pool.use(() => Effect.void), "first")
        yield* Effect.withSpan(pool.use(() => Effect.void), "at once")
        const gate = yield* Deferred.make<void>()
        yield* Effect.fork(pool.use(() => Deferred.await(gate)))
        yield* turns
        const late = yield* Effect.fork(Effect.withSpan(Effect.flip(pool.use(() => Effect.void)), "late"))
        yield* turns
        yield* TestClock.adjust("1 seconds")
        yield* Fiber.join(late)
        const served = yield* Effect.fork(Effect.withSpan(pool.use(() => Effect.void), "served"))
        yield* turns
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(served)
      })
      yield* Effect.withTracer(program, tracer)
      expect(spans.filter(([name]) => name === "patinox.pool.wait")).toEqual([
        ["patinox.pool.wait", "first", "Success"],
        ["patinox.pool.wait", "late", "Failure"],
        ["patinox.pool.wait", "served", "Success"]
      ])
      // Creating is a span of its own.
      expect(spans.filter(([name]) => name === "patinox.acquire")).toEqual([["patinox.acquire", undefined, "Success"]])
    })))

  it.effect("what is told has how long creating took, and when items can be created again", () =>
    inScope(Effect.gen(function*() {
      let isDown = true
      const create = Effect.suspend(() => isDown ? Effect.fail("down") : Effect.sleep("40 millis"))
      const pool = yield* ResourcePool.make(create, { name: "told", failFastAfter: 2 })
      const open = Effect.map(
        Metric.snapshot,
        (pairs) =>
          pairs.flatMap(({ metricKey, metricState }) =>
            metricKey.name === "patinox_pool_circuit_open" && metricKey.tags.some(({ value }) => value === "told")
              ? [(metricState as unknown as { readonly value: number }).value]
              : []
          )
      )
      const events = yield* listen(pool)
      const refused = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
      yield* turns
      yield* TestClock.adjust("20 millis")
      yield* Fiber.join(refused)
      expect(yield* open).toEqual([1])
      isDown = false
      yield* TestClock.adjust("1 seconds")
      const served = yield* Effect.fork(pool.use(() => Effect.void))
      yield* turns
      yield* TestClock.adjust("40 millis")
      yield* Fiber.join(served)
      yield* turns
      expect(yield* open).toEqual([0])
      const told = events.filter(({ _tag }) => _tag === "Created" || _tag === "CircuitClosed")
      expect(told).toMatchObject([{ createMillis: 40 }, { _tag: "CircuitClosed", failures: 2 }])
    })))
})
