/**
 * A manager whose functions cannot be relied on: what is typed stays typed, and no item is lost or kept.
 * Shows `PoolManager`, `ItemHooks` and `ItemLifecycle`.
 */
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { Cause, Effect, Exit, Fiber, FiberSet, Option, Queue, Stream, Take } from "effect"
import { type PoolError, type PoolEvent, ResourcePool } from "../src/index.js"
import { atRest, inScope, listen, Server, turns } from "./kit.js"

const registry = ResourceRegistry.ResourceRegistry

const faults: Record<string, () => Effect.Effect<never, string>> = {
  fails: () => Effect.fail("broken"),
  dies: () => Effect.die(new Error("broken")),
  throws: () => {
    throw new Error("broken")
  }
}

const removals = (events: ReadonlyArray<PoolEvent.PoolEvent>) =>
  events.flatMap((event) => event._tag === "Removed" ? [event.reason] : [])

describe("creating", () => {
  for (const hasDestroy of [false, true]) {
    it.effect(`creating may fork into the item's scope, ${hasDestroy ? "with" : "without"} a destroy`, () =>
      inScope(Effect.gen(function*() {
        let beating = 0
        const heartbeat = Effect.acquireUseRelease(
          Effect.sync(() => beating++),
          () => Effect.never,
          () => Effect.sync(() => beating--)
        )
        const create = Effect.gen(function*() {
          yield* Effect.forkScoped(heartbeat)
          const fibers = yield* FiberSet.make()
          yield* FiberSet.run(fibers, heartbeat)
          return yield* Stream.toQueue(Stream.make(1, 2))
        })
        const settings = { maxSize: 1, failFastAfter: 1 }
        const pool = yield* ResourcePool.make(
          create,
          hasDestroy ? { ...settings, destroy: () => Effect.void } : settings
        )
        const first = pool.use((queue) => Effect.flatMap(Queue.take(queue), Take.done))
        expect(Array.from(yield* first)).toEqual([1, 2])
        yield* turns
        expect(beating).toBe(2)
        expect(yield* pool.drain()).toMatchObject({ destroyed: 1, failed: [], durationMillis: 0 })
        expect(beating).toBe(0)
      })))
  }

  it.effect("creating that works again leaves no failure to tell of", () =>
    inScope(Effect.gen(function*() {
      let calls = 0
      const create = Effect.suspend(() => calls++ === 0 ? Effect.fail("refused") : Effect.succeed("item"))
      const pool = yield* ResourcePool.make(create, { name: "db", maxSize: 1 })
      const first = yield* Effect.fork(pool.use(() => Effect.void))
      yield* turns
      expect((yield* pool.snapshot).lastCreationFailure).toEqual(Cause.fail("refused"))
      yield* TestClock.adjust("10 millis")
      yield* Fiber.join(first)
      const nested = pool.use(() => Effect.flip(pool.use(() => Effect.void, { acquireTimeout: "1 seconds" })))
      const late = yield* Effect.fork(nested)
      yield* turns
      yield* TestClock.adjust("1 seconds")
      const error = yield* Fiber.join(late)
      expect(error).toMatchObject({ total: 1, idle: 0, inUse: 1, waiting: 1, lastCreationFailure: Option.none() })
      expect((yield* pool.snapshot).lastCreationFailure).toBe(undefined)
    })))

  it.effect("a failure reaches the borrower with its type, once it is certain", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.fail({ code: 42 }), { failFastAfter: 2, name: "db" })
      const borrower = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
      yield* turns
      yield* TestClock.adjust("10 millis")
      const error = yield* Fiber.join(borrower)
      expect(error._tag).toBe("PoolCreationFailed")
      expect(Option.getOrThrow((error as PoolError.PoolCreationFailed<{ code: number }>).error)).toEqual({ code: 42 })
      expect(error.message).toBe("Pool db cannot create items (2 failures in a row): {\"code\":42}")
    })))

  it.effect("a defect is no typed failure, and neither ends the pool", () =>
    inScope(Effect.gen(function*() {
      let isBroken = true
      const server = new Server()
      const create = Effect.suspend(() => {
        if (isBroken) throw new Error("bug")
        return server.create
      })
      const pool = yield* ResourcePool.make(create, { destroy: server.destroy, failFastAfter: 1 })
      const error = yield* Effect.flip(pool.use(() => Effect.void))
      expect(Option.isNone((error as PoolError.PoolCreationFailed<never>).error)).toBe(true)
      expect(error.message).toContain("Error: bug")
      isBroken = false
      yield* TestClock.adjust("10 millis")
      expect(yield* pool.use(({ number }) => Effect.succeed(number))).toBe(1)
      expect((yield* pool.snapshot).isFailingFast).toBe(false)
    })))

  it.effect("what it has opened before its failure is closed, and counts until then", () =>
    inScope(Effect.gen(function*() {
      let open = 0
      const create = Effect.andThen(
        Effect.acquireRelease(
          Effect.sync(() => open++),
          () => Effect.andThen(Effect.sleep("1 seconds"), Effect.sync(() => open--))
        ),
        Effect.fail("handshake")
      )
      const pool = yield* ResourcePool.make(create, { maxSize: 1, failFastAfter: 1 })
      const error = yield* Effect.flip(pool.use(() => Effect.void))
      expect(error._tag).toBe("PoolCreationFailed")
      expect(yield* pool.snapshot).toMatchObject({ creating: 1, total: 1 })
      // The pause is over, but there is no room.
      yield* TestClock.adjust("500 millis")
      const next = yield* Effect.fork(Effect.flip(pool.use(() => Effect.void)))
      yield* turns
      expect(open).toBe(1)
      yield* TestClock.adjust("500 millis")
      yield* turns
      expect(open).toBe(1)
      yield* Fiber.join(next)
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect(open).toBe(0)
      expect(yield* atRest(pool)).toBe(0)
    })))
})

describe("validating", () => {
  for (const [name, fault] of Object.entries({ ...faults, "answers false": () => Effect.succeed(false) })) {
    it.effect(`an item whose check ${name} is not lent`, () =>
      inScope(Effect.gen(function*() {
        const server = new Server()
        const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, validate: fault })
        const events = yield* listen(pool)
        yield* pool.use(() => Effect.void)
        yield* TestClock.adjust("500 millis")
        expect(yield* pool.use(({ number }) => Effect.succeed(number))).toBe(2)
        yield* turns
        expect(server.closed).toBe(1)
        expect(removals(events)).toEqual(["unfit"])
        const failed = events.filter((event) => event._tag === "ItemFailed")
        expect(failed).toMatchObject([{ operation: "validate" }])
        if (name === "answers false") {
          expect(Cause.squash(failed[0]!.cause)).toBe("validate answered with false")
        }
      })))
  }

  it.effect("validating is left out for an item that was used a moment ago", () =>
    inScope(Effect.gen(function*() {
      let checks = 0
      const pool = yield* ResourcePool.make(Effect.void, { validate: () => Effect.sync(() => ++checks > 0) })
      yield* pool.use(() => Effect.void)
      yield* TestClock.adjust("499 millis")
      yield* pool.use(() => Effect.void)
      expect(checks).toBe(0)
      yield* TestClock.adjust("499 millis")
      yield* pool.use(() => Effect.void)
      expect(checks).toBe(0)
      yield* TestClock.adjust("500 millis")
      yield* pool.use(() => Effect.void)
      expect(checks).toBe(1)
    })))

  it.effect("a borrower that does not wait is told why no idle item is fit", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, {
        name: "db",
        destroy: server.destroy,
        validate: ({ number }) => number < 2 ? Effect.fail(`${number} is gone`) : Effect.void,
        minSize: 2
      })
      yield* pool.awaitReady
      yield* TestClock.adjust("1 seconds")
      // The one used last is fit, the other is not.
      expect(yield* pool.tryUse(({ number }) => Effect.succeed(number))).toBe(2)
      yield* pool.resize({ minSize: 0 })
      const holder = yield* Effect.fork(pool.use(() => Effect.never))
      yield* turns
      const error = yield* Effect.flip(pool.tryUse(() => Effect.void))
      expect(error.message).toBe("Pool db: no idle item passed its validation: 1 is gone")
      yield* Fiber.interrupt(holder)
    })))
})

describe("recycling", () => {
  for (const [name, fault] of Object.entries(faults)) {
    it.effect(`recycling that ${name} costs the item, and the use's own result stands`, () =>
      inScope(Effect.gen(function*() {
        const server = new Server()
        const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, recycle: fault })
        const events = yield* listen(pool)
        expect(yield* pool.use(() => Effect.succeed("result"))).toBe("result")
        expect(yield* Effect.flip(pool.use(() => Effect.fail("own")))).toBe("own")
        yield* turns
        expect(server.closed).toBe(2)
        expect(removals(events)).toEqual(["recycleFailed", "recycleFailed"])
      })))
  }

  it.effect("recycling is given the exit of the use, and false is a result as any", () =>
    inScope(Effect.gen(function*() {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const pool = yield* ResourcePool.make(Effect.void, {
        recycle: (_, exit) => Effect.as(Effect.sync(() => exits.push(exit)), false)
      })
      yield* pool.use(() => Effect.succeed(1))
      yield* Effect.flip(pool.use(() => Effect.fail("bad")))
      yield* Effect.scoped(pool.get)
      expect(exits).toEqual([Exit.succeed(1), Exit.fail("bad"), Exit.void])
      expect(yield* atRest(pool)).toBe(1)
    })))

  it.effect("recycling is left out for an item that will not be lent again", () =>
    inScope(Effect.gen(function*() {
      let recycled = 0
      const pool = yield* ResourcePool.make(Effect.void, {
        recycle: () => Effect.sync(() => recycled++),
        maxUses: 2,
        invalidateWhen: () => true
      })
      yield* pool.use(() => Effect.void)
      expect(recycled).toBe(1)
      yield* pool.use(() => Effect.void)
      yield* pool.use((_, lease) => lease.invalidate)
      yield* Effect.exit(pool.use(() => Effect.fail("condemned")))
      yield* pool.use(() => pool.drain())
      expect(recycled).toBe(1)
    })))
})

describe("keeping alive", () => {
  for (const [name, fault] of Object.entries({ ...faults, "answers false": () => Effect.succeed(false) })) {
    it.effect(`an idle item whose check ${name} is let go of, and made up for`, () =>
      inScope(Effect.gen(function*() {
        const server = new Server()
        const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, keepAlive: fault, minSize: 1 })
        const events = yield* listen(pool)
        yield* pool.awaitReady
        yield* TestClock.adjust("2 minutes")
        yield* turns
        expect(removals(events)).toEqual(["keepAliveFailed"])
        expect([server.opened, server.closed]).toEqual([2, 1])
        expect(yield* atRest(pool)).toBe(1)
      })))
  }

  it.effect("counts the item as in use, without a holder, and lends it to who waits", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, {
        keepAlive: () => Effect.sleep("1 seconds"),
        keepAliveInterval: "1 minutes",
        maxSize: 1
      })
      yield* pool.use(() => Effect.void)
      yield* TestClock.adjust("1 minutes")
      expect(yield* pool.snapshot).toMatchObject({ inUse: 1, idle: 0, holders: [] })
      const borrower = yield* Effect.fork(pool.use(() => Effect.succeed("lent")))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.join(borrower)).toBe("lent")
    })))
})

describe("spans", () => {
  it.effect("spans of what checks on an item are the borrower's, and of its creation nobody's", () =>
    inScope(Effect.gen(function*() {
      const seen: Array<string> = []
      const note = (what: string) =>
        Effect.map(Effect.option(Effect.currentSpan), (span) => {
          seen.push(`${what} ${Option.match(span, { onNone: () => "-", onSome: ({ name }) => name })}`)
        })
      const pool = yield* ResourcePool.make(note("create"), {
        validate: () => note("validate"),
        validateAfter: 0,
        recycle: () => note("recycle")
      }).pipe(Effect.withSpan("startup"))
      yield* pool.use(() => Effect.void).pipe(Effect.withSpan("first"))
      yield* pool.use(() => Effect.void).pipe(Effect.withSpan("second"))
      expect(seen).toEqual(["create -", "validate first", "recycle first", "validate second", "recycle second"])
    })))
})

describe("what the other functions open for themselves", () => {
  it.effect("what the other functions open for themselves is closed when they end", () =>
    inScope(Effect.gen(function*() {
      let open = 0
      let opened = 0
      const scoped = () => Effect.acquireRelease(Effect.sync(() => [open++, opened++]), () => Effect.sync(() => open--))
      const pool = yield* ResourcePool.make(Effect.succeed("item"), {
        validate: scoped,
        validateAfter: 0,
        recycle: scoped,
        destroy: scoped
      })
      for (let i = 0; i < 3; i++) yield* pool.use(() => Effect.void)
      yield* pool.drain()
      expect([open, opened]).toEqual([0, 7])
    })))
})

describe("destroying", () => {
  for (const [name, fault] of Object.entries(faults)) {
    it.effect(`destroying that ${name} frees the item's place all the same, and the report names it`, () =>
      inScope(Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.void, { destroy: fault, maxSize: 1 })
        const events = yield* listen(pool)
        yield* pool.use((_, lease) => lease.invalidate)
        yield* pool.use(() => Effect.void)
        yield* turns
        expect(events.find((event) => event._tag === "Destroyed")).toMatchObject({ error: { _tag: "CleanupFailed" } })
        const report = yield* pool.drain()
        expect(report).toMatchObject({ destroyed: 0, failed: [{ error: { _tag: "CleanupFailed" } }] })
      })))
  }

  it.effect("comes before the finalizers of what was created, and keeps none of them from running", () =>
    inScope(Effect.gen(function*() {
      const order: Array<string> = []
      const note = (what: string) => Effect.sync(() => order.push(what))
      const create = Effect.andThen(
        Effect.acquireRelease(Effect.void, () => note("socket")),
        Effect.acquireRelease(Effect.succeed("item"), () => Effect.andThen(note("session"), Effect.die("broken")))
      )
      const pool = yield* ResourcePool.make(create, {
        destroy: () => Effect.andThen(note("destroy"), Effect.fail("refused")),
        maxSize: 1
      })
      yield* pool.use((_, lease) => lease.invalidate)
      yield* turns
      expect(order).toEqual(["destroy", "session", "socket"])
      const events = yield* listen(pool)
      yield* pool.use((_, lease) => lease.invalidate)
      yield* turns
      const destroyed = events.find((event) => event._tag === "Destroyed")
      expect(destroyed?.error?.message).toContain("2 of 3 finalizers did not succeed")
      expect(destroyed?.error?.message).toContain("refused")
    })))

  it.effect("destroying that hangs does not keep the finalizers of what was created from running", () =>
    inScope(Effect.gen(function*() {
      let isClosed = false
      const create = Effect.acquireRelease(Effect.succeed("item"), () =>
        Effect.sync(() => {
          isClosed = true
        }))
      const pool = yield* ResourcePool.make(create, {
        destroy: () => Effect.never,
        maxSize: 1,
        destroyTimeout: "3 seconds"
      })
      yield* pool.use((_, lease) => lease.invalidate)
      yield* turns
      expect(isClosed).toBe(false)
      yield* TestClock.adjust("2.5 seconds")
      yield* turns
      expect(isClosed).toBe(true)
      yield* TestClock.adjust("500 millis")
      expect(yield* atRest(pool)).toBe(0)
      expect((yield* Effect.flatMap(registry, (r) => r.accounts)).live).toBe(0)
    })))

  it.effect("destroying is told of the item's age, idle time and uses", () =>
    inScope(Effect.gen(function*() {
      const infos: Array<ResourcePool.ItemInfo> = []
      const pool = yield* ResourcePool.make(Effect.void, {
        destroy: (_, info) => Effect.sync(() => infos.push(info)),
        idleTimeout: "1 minutes"
      })
      yield* pool.use(() => Effect.sleep("0 seconds"))
      const id = yield* Effect.scoped(Effect.map(pool.lease(), (lease) => lease.id))
      yield* TestClock.adjust("60 seconds")
      yield* turns
      expect(infos).toEqual([{ id, ageMillis: 60_000, idleMillis: 60_000, uses: 2 }])
    })))
})

describe("condemning an item by the failure of its use", () => {
  const condemning = (invalidateWhen: (cause: Cause.Cause<unknown>) => boolean) =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const pool = yield* ResourcePool.make(server.create, { destroy: server.destroy, invalidateWhen })
      yield* pool.use(() => Effect.void)
      yield* Effect.exit(pool.use(() => Effect.fail("harmless")))
      yield* turns
      const afterHarmless = server.closed
      yield* Effect.exit(pool.use(() => Effect.fail("fatal")))
      yield* turns
      return [afterHarmless, server.closed]
    }))

  it.effect("condemning an item by the failure of its use goes by the cause", () =>
    Effect.gen(function*() {
      expect(yield* condemning((cause) => Cause.squash(cause) === "fatal")).toEqual([0, 1])
    }))

  it.effect("takes a predicate that throws for a yes, as it does not say that the item is good", () =>
    Effect.gen(function*() {
      expect(
        yield* condemning(() => {
          throw new Error("bug")
        })
      ).toEqual([1, 2])
    }))
})
