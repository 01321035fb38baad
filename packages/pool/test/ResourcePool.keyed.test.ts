import { describe, expect, it } from "@effect/vitest"
import { ResourceScope } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { Cause, Data, Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { ResourcePool } from "../src/index.js"
import { inScope, openScope, Server, turns } from "./kit.js"

const tenants = (options: ResourcePool.KeyedOptions<any> = {}) =>
  Effect.map(Effect.sync(() => new Map<string, Server>()), (servers) => {
    const serverOf = (key: string) => {
      const server = servers.get(key) ?? new Server()
      servers.set(key, server)
      return server
    }
    const make = ResourcePool.keyed((key: string) => Effect.map(serverOf(key).create, (item) => ({ key, item })), {
      name: "tenants",
      destroy: ({ item, key }) => serverOf(key).destroy(item),
      ...options
    })
    const alive = () => [...servers].reduce((sum, [, server]) => sum + server.alive, 0)
    return { make, serverOf, alive }
  })

describe("keyed pools", () => {
  it.effect("keyed pools have a pool for each key, with the sizes of each, made when it is first used", () =>
    inScope(Effect.gen(function*() {
      const { make, serverOf } = yield* tenants({ maxSize: 1 })
      const pools = yield* make
      expect(yield* pools.keys).toEqual([])
      const gate = yield* Deferred.make<void>()
      const blue = yield* Effect.fork(pools.use("blue", () => Deferred.await(gate)))
      yield* turns
      const next = yield* Effect.fork(pools.use("blue", ({ item }) => Effect.succeed(item.number)))
      expect(yield* pools.use("green", ({ item, key }) => Effect.succeed(`${key} ${item.number}`))).toBe("green 1")
      expect(yield* pools.keys).toEqual(["blue", "green"])
      const snapshots = yield* pools.snapshot
      expect(snapshots).toMatchObject([
        ["blue", { name: "tenants/blue", inUse: 1, waiting: 1 }],
        ["green", { name: "tenants/green", idle: 1 }]
      ])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(blue)
      expect(yield* Fiber.join(next)).toBe(1)
      expect(serverOf("blue").opened).toBe(1)
    })))

  it.effect("keyed pools compare keys by Equal", () =>
    inScope(Effect.gen(function*() {
      let created = 0
      const pools = yield* ResourcePool.keyed(() => Effect.sync(() => ++created))
      for (let i = 0; i < 3; i++) yield* pools.use(Data.struct({ host: "a", port: 1 }), () => Effect.void)
      expect(created).toBe(1)
    })))

  it.effect("offer each way to borrow", () =>
    inScope(Effect.gen(function*() {
      const { alive, make } = yield* tenants()
      const pools = yield* make
      expect((yield* Effect.flip(pools.tryUse("a", () => Effect.void)))._tag).toBe("PoolExhausted")
      expect((yield* Effect.flip(Effect.scoped(pools.tryGet("a"))))._tag).toBe("PoolExhausted")
      expect((yield* Effect.scoped(pools.get("a"))).key).toBe("a")
      expect((yield* Effect.scoped(pools.tryGet("a"))).item.number).toBe(1)
      expect(yield* pools.tryUse("a", ({ item }) => Effect.succeed(item.number))).toBe(1)
      yield* Effect.scoped(Effect.flatMap(pools.lease("a"), (lease) => lease.invalidate))
      expect((yield* Effect.scoped(pools.get("a"))).item.number).toBe(2)
      expect(alive()).toBe(1)
    })))

  it.effect("drain a key's pool when nobody has used it for so long, and make it anew", () =>
    inScope(Effect.gen(function*() {
      const { make, serverOf } = yield* tenants({ keyIdleTimeout: "1 minutes", minSize: 1 })
      const pools = yield* make
      yield* pools.use("a", () => Effect.void)
      yield* TestClock.adjust("59 seconds")
      yield* pools.use("a", () => Effect.void)
      yield* TestClock.adjust("59 seconds")
      expect(yield* pools.keys).toEqual(["a"])
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect(yield* pools.keys).toEqual([])
      expect(serverOf("a").alive).toBe(0)
      expect(yield* pools.use("a", ({ item }) => Effect.succeed(item.number))).toBe(2)
    })))

  it.effect("keyed pools keep a key's pool while somebody holds something of it, or waits for it", () =>
    inScope(Effect.gen(function*() {
      const { make, serverOf } = yield* tenants({ keyIdleTimeout: "1 minutes", maxSize: 1, acquireTimeout: "1 hours" })
      const pools = yield* make
      const held = yield* openScope
      yield* Scope.extend(pools.get("a"), held.scope)
      const waiter = yield* Effect.fork(pools.use("a", ({ item }) => Effect.succeed(item.number)))
      yield* turns
      yield* TestClock.adjust("10 minutes")
      expect(yield* pools.keys).toEqual(["a"])
      yield* held.close
      expect(yield* Fiber.join(waiter)).toBe(1)
      yield* TestClock.adjust("1 minutes")
      yield* turns
      expect([yield* pools.keys, serverOf("a").alive]).toEqual([[], 0])
    })))

  it.effect("keyed pools keep the pool of a key that somebody holds on to again, from before its time is over", () =>
    inScope(Effect.gen(function*() {
      const { make, serverOf } = yield* tenants({ keyIdleTimeout: "1 minutes" })
      const pools = yield* make
      yield* pools.use("a", () => Effect.void)
      yield* TestClock.adjust("59 seconds")
      const held = yield* openScope
      yield* Scope.extend(pools.get("a"), held.scope)
      yield* TestClock.adjust("10 minutes")
      yield* turns
      expect([yield* pools.keys, serverOf("a").alive]).toEqual([["a"], 1])
      yield* held.close
      yield* turns
      expect(yield* pools.use("a", ({ item }) => Effect.succeed(item.number))).toBe(1)
    })))

  it.effect("count who was refused or interrupted as gone", () =>
    inScope(Effect.gen(function*() {
      const { make } = yield* tenants({ keyIdleTimeout: "1 minutes" })
      const pools = yield* make
      const scope = yield* Scope.make()
      yield* Effect.exit(Scope.extend(pools.tryGet("a"), scope))
      yield* pools.use("a", () => Effect.void)
      const never = yield* Effect.fork(pools.use("a", () => Effect.never))
      yield* turns
      yield* Fiber.interrupt(never)
      yield* TestClock.adjust("1 minutes")
      yield* turns
      expect(yield* pools.keys).toEqual([])
      yield* Scope.close(scope, Exit.void)
    })))

  it.effect("never exceed the size of a key, not even when it comes back while its pool is being emptied", () =>
    inScope(Effect.gen(function*() {
      const { serverOf } = yield* tenants()
      const pools = yield* ResourcePool.keyed((key: string) => serverOf(key).create, {
        maxSize: 1,
        minSize: 1,
        keyIdleTimeout: "1 minutes",
        destroy: (connection) => Effect.andThen(Effect.sleep("1 seconds"), serverOf("a").destroy(connection))
      })
      const number = pools.use("a", ({ number }) => Effect.succeed(number))
      expect(yield* number).toBe(1)
      yield* TestClock.adjust("1 minutes")
      expect(yield* pools.keys).toEqual(["a"])
      const back = yield* Effect.fork(number)
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.join(back)).toBe(2)
      expect(serverOf("a").mostAlive).toBe(1)
      // It is as it was: what it is to keep, too.
      yield* pools.use("a", (_, lease) => lease.invalidate)
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect(yield* pools.snapshot).toMatchObject([["a", { minSize: 1, idle: 1 }]])
      yield* TestClock.adjust("61 seconds")
      yield* turns
      expect([yield* pools.keys, serverOf("a").alive, serverOf("a").mostAlive]).toEqual([[], 0, 1])
    })))

  it.effect("tell together what happens to each, to the end", () =>
    inScope(Effect.gen(function*() {
      const { make } = yield* tenants()
      const pools = yield* make
      const told = yield* Effect.fork(Stream.runCollect(pools.events))
      yield* turns
      yield* pools.use("a", () => Effect.void)
      yield* pools.use("b", () => Effect.void)
      yield* pools.drain()
      const events = Array.from(yield* Fiber.join(told))
      const of = (name: string) => events.flatMap(({ _tag, pool }) => pool === name ? [_tag] : [])
      for (const name of ["tenants/a", "tenants/b"]) {
        expect(of(name)).toEqual(["Created", "Draining", "Removed", "Destroyed", "Closed"])
      }
      expect(events.map(({ pool }) => pool).indexOf("tenants")).toBe(events.length - 1)
      expect(of("tenants")).toEqual(["Closed"])
      expect(yield* Stream.runCollect(pools.events)).toHaveLength(0)
    })))

  it.effect("a use that drains them all is not waited for", () =>
    inScope(Effect.gen(function*() {
      const { alive, make } = yield* tenants()
      const pools = yield* make
      yield* pools.use("b", () => Effect.void)
      const reports = yield* pools.use("a", () => pools.drain())
      expect(reports.map(({ reclaimed, stillHeld }) => [reclaimed, stillHeld])).toEqual([[0, 0], [0, 1]])
      yield* turns
      expect(alive()).toBe(0)
    })))

  it.effect("a bad option of a drain closes nothing", () =>
    inScope(Effect.gen(function*() {
      const { make } = yield* tenants()
      const pools = yield* make
      const exit = yield* Effect.exit(pools.drain({ timeout: -1 }))
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ _tag: "Validation" })
      expect(yield* pools.use("a", () => Effect.succeed("open"))).toBe("open")
    })))

  it.effect("drain all together, with those that are leaving, and refuse from then on", () =>
    inScope(Effect.gen(function*() {
      const { alive, make } = yield* tenants({ keyIdleTimeout: "1 minutes" })
      const pools = yield* make
      for (const key of ["a", "b", "c"]) yield* pools.use(key, () => Effect.void)
      const gate = yield* Deferred.make<void>()
      const holder = yield* Effect.fork(pools.use("c", () => Deferred.await(gate)))
      yield* turns
      const draining = yield* Effect.fork(pools.drain())
      yield* turns
      const error = yield* Effect.flip(pools.use("d", () => Effect.void))
      expect(error.message).toBe("Pool tenants is closed")
      yield* Deferred.succeed(gate, undefined)
      const reports = yield* Fiber.join(draining)
      expect(reports.map(({ destroyed, pool }) => [pool, destroyed])).toEqual([
        ["tenants/a", 1],
        ["tenants/b", 1],
        ["tenants/c", 1]
      ])
      expect(yield* pools.drain()).toEqual(reports)
      expect([yield* pools.keys, alive()]).toEqual([[], 0])
      yield* Fiber.join(holder)
    })))

  it.effect("drain when their scope closes", () =>
    inScope(Effect.gen(function*() {
      const { alive, make } = yield* tenants({ minSize: 2 })
      const { close, scope } = yield* openScope
      const pools = yield* Scope.extend(make, scope)
      for (const key of ["a", "b"]) yield* pools.use(key, () => Effect.void)
      yield* turns
      expect(alive()).toBe(4)
      yield* close
      expect(alive()).toBe(0)
    })))

  it.effect("know the place in the user's code that borrows", () =>
    inScope(Effect.gen(function*() {
      const { make } = yield* tenants({ captureStacks: "all" })
      const pools = yield* make
      const ways = [
        pools.use("a", () => Effect.never),
        Effect.scoped(Effect.andThen(pools.get("b"), Effect.never))
      ]
      const fibers = yield* Effect.forEach(ways, Effect.fork)
      yield* turns
      for (const [, { holders: [holder] }] of yield* pools.snapshot) {
        expect(holder!.stack!.split("\n")[0]).toContain("ResourcePool.keyed.test.ts")
      }
      yield* Fiber.interruptAll(fibers)
    })))

  it.effect("a key whose creating throws fails that key alone", () =>
    inScope(Effect.gen(function*() {
      const pools = yield* ResourcePool.keyed((key: string) => {
        if (key === "bad") throw new Error("no such tenant")
        return Effect.succeed(key)
      }, { failFastAfter: 1 })
      const error = yield* Effect.flip(pools.use("bad", () => Effect.void))
      expect(error.message).toBe("Pool pool/bad cannot create items (1 failure in a row): Error: no such tenant")
      expect(yield* pools.use("good", (key) => Effect.succeed(key))).toBe("good")
    })))
})

describe("keyed pools in a ResourceScope", () => {
  for (
    const [title, timeout, use, expected] of [
      ["have the time of a drain, which is longer than that of a finalizer", "25 seconds", "15 seconds", 15_000],
      [
        "take their items back before the deadline of the scope, where that is earlier (P3)",
        "10 seconds",
        "1 hours",
        7_600
      ]
    ] as const
  ) {
    it.effect(title, () =>
      inScope(Effect.gen(function*() {
        const { alive, make } = yield* tenants({ drainTimeout: "20 seconds" })
        const scope = yield* ResourceScope.make({ timeout })
        const pools = yield* Scope.extend(make, scope)
        const users = yield* Effect.fork(
          Effect.forEach(["blue", "green"], (key) => pools.use(key, () => Effect.sleep(use)), {
            concurrency: "unbounded"
          })
        )
        yield* turns
        const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
        yield* turns
        yield* TestClock.adjust(timeout)
        yield* turns
        const { durationMillis, records } = yield* Fiber.join(closing)
        expect([durationMillis, records.map(({ outcome }) => outcome), alive()]).toEqual([expected, ["cleaned"], 0])
        yield* Fiber.interrupt(users)
      })))
  }
})
