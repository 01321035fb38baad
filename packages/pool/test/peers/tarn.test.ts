/**
 * What tarn's own tests promise to its users, asked of tarn and of ours in the same words. Where it takes a callback for
 * `create` ours has `Effect.async`; removing a listener is interrupting the fiber that runs `events`; its random runs,
 * which it leaves turned off, are our model's.
 */
import { Effect, Exit, Fiber, Stream } from "effect"
import { Pool } from "tarn"
import { describe, expect, it } from "vitest"
import { ResourcePool } from "../../src/index.js"
import { type Connection, inScope, listen, Server, turns } from "../kit.js"
import { acquire, closing, connections, numbers, opening } from "./connections.js"
import { type Manager, type Sleep, times, using, watch } from "./subject.js"
import { pools } from "./tarn.js"

describe("a bad option is refused before anything is created", () => {
  const bad: ReadonlyArray<readonly [theirs: string, ours: string, values: ReadonlyArray<unknown>]> = [
    ["min", "minSize", ["0", -1, 0.5, 2]],
    ["max", "maxSize", ["1", -1, 0]],
    ["acquireTimeoutMillis", "acquireTimeout", ["10", -10, 0]],
    ["createTimeoutMillis", "createTimeout", ["10", -10, 0]],
    ["destroyTimeoutMillis", "destroyTimeout", ["10", -10, 0]],
    ["idleTimeoutMillis", "idleTimeout", ["10", -10, 0]],
    // tarn's pause between two looks at what is idle has no counterpart: ours looks when something is due.
    ["createRetryIntervalMillis", "backoffFrom", ["10", -10, 0]]
  ]
  for (const [theirs, own, values] of bad) {
    for (const value of values) {
      it(`${theirs} of tarn's and ${own} of ours: ${JSON.stringify(value)}`, async () => {
        const server = new Server()
        const create = () => server.open()
        expect(() => new Pool({ create, destroy: () => {}, min: 0, max: 1, [theirs]: value })).toThrow(theirs)
        const options = { minSize: 0, maxSize: 1, [own]: value } as ResourcePool.PoolSettings
        const error = await Effect.runPromise(inScope(Effect.flip(ResourcePool.make(server.create, options))))
        expect(error.message).toContain(own)
        expect(server.opened).toBe(0)
      })
    }
  }

  it("one that there is none of, by tarn when it runs and by ours when it is compiled", () => {
    const options = { min: 0, max: 1, imUnreal: true }
    expect(() => new Pool({ create: () => 1, destroy: () => {}, ...options })).toThrow("imUnreal")
    // @ts-expect-error There is no such option.
    const made = ResourcePool.make(Effect.void, { imUnreal: true })
    expect(Effect.isEffect(made)).toBe(true)
  })
})

it("a listener that throws disturbs neither the others nor the borrower", async () => {
  const create = () => ({})
  const peer = new Pool({ create, destroy: () => {}, min: 0, max: 1 })
  let told = 0
  for (let i = 0; i < 3; i++) {
    peer.on("createSuccess", () => {
      told++
      throw new Error("listening")
    })
  }
  peer.release(await peer.acquire().promise)
  await peer.destroy()
  expect(told).toBe(3)

  const events = await Effect.runPromise(inScope(Effect.gen(function*() {
    const pool = yield* ResourcePool.make(Effect.sync(create))
    const dying = yield* Effect.fork(Stream.runForEach(pool.events, () => Effect.die("listening")))
    const others = yield* listen(pool)
    yield* pool.use(() => Effect.void)
    expect(Exit.isFailure(yield* Fiber.await(dying))).toBe(true)
    yield* pool.drain()
    yield* turns
    return others.map(({ _tag }) => _tag)
  })))
  expect(events).toEqual(["Created", "Draining", "Removed", "Destroyed", "Closed"])
})

for (const [name, { isTimeout, make }] of Object.entries(pools)) {
  describe(`${name}, asked for items`, () => {
    const ways: Record<string, (server: Server) => Manager<Connection>["create"]> = {
      "in the turn of the call": (server) => () => server.open(),
      "after a while": (server) => opening(server, 50)
    }
    for (const [when, create] of Object.entries(ways)) {
      it(`lends as many as there may be, created ${when}`, async () => {
        const server = new Server()
        const manager = { create: create(server), destroy: closing(server) }
        await using(make(manager, { max: 4 }), async (pool) => {
          const asked = acquire(pool, 4)
          expect(pool.counts()).toEqual({ idle: 0, inUse: 0, waiting: 4 })
          await pool.pass(50)
          expect(numbers(await asked)).toEqual([1, 2, 3, 4])
          expect(pool.counts()).toEqual({ idle: 0, inUse: 4, waiting: 0 })
          expect([server.opened, server.closed]).toEqual([4, 0])
        })
      })
    }

    it("creates again after a failed creation, and the borrower that waits gets the item", async () => {
      const server = new Server()
      let calls = 0
      const create = () => ++calls === 1 ? Promise.reject(new Error("the first fails")) : server.open()
      await using(make({ create, destroy: closing(server) }, { max: 4, retryAfter: 10 }), async (pool) => {
        const asked = pool.acquire()
        await pool.pass(10)
        expect((await asked).number).toBe(1)
        expect(calls).toBe(2)
        expect(pool.counts()).toEqual({ idle: 0, inUse: 1, waiting: 0 })
        expect(pool.told().creationFailed).toBe(1)
      })
    })

    it("creates again where a creation takes too long, and destroys what comes of that too late", async () => {
      const server = new Server()
      let calls = 0
      const create = (sleep: Sleep) => ++calls === 1 ? opening(server, 200)(sleep) : server.open()
      const settings = { max: 4, createTimeout: 100, retryAfter: 10 }
      await using(make({ create, destroy: closing(server) }, settings), async (pool) => {
        const asked = pool.acquire()
        await pool.pass(110)
        expect((await asked).number).toBe(1)
        expect(calls).toBe(2)
        await pool.pass(90)
        expect([server.opened, server.closed]).toEqual([2, 1])
        expect(pool.counts()).toEqual({ idle: 0, inUse: 1, waiting: 0 })
      })
    })

    it("lends no more than there may be, and what comes back to those that wait, in order", async () => {
      const server = new Server()
      await using(make(connections(server), { max: 5 }), async (pool) => {
        const asked = acquire(pool, 5)
        await pool.pass(0)
        const items = await asked
        const waiting = acquire(pool, 3)
        expect(pool.counts()).toEqual({ idle: 0, inUse: 5, waiting: 3 })
        await pool.pass(100)
        for (const item of items.slice(2)) await pool.release(item)
        expect(await waiting).toEqual(items.slice(2))
        expect(server.opened).toBe(5)
        expect(pool.counts()).toEqual({ idle: 0, inUse: 5, waiting: 0 })
      })
    })

    it("lets a borrower give up, and keeps what was being created for it", async () => {
      const server = new Server()
      await using(make({ create: opening(server, 50), destroy: closing(server) }, { max: 4 }), async (pool) => {
        const giving = new AbortController()
        const outcome = watch(pool.acquire({ signal: giving.signal }))
        await pool.pass(10)
        giving.abort()
        await pool.pass(0)
        expect(outcome().state).toBe("rejected")
        expect(pool.counts()).toEqual({ idle: 0, inUse: 0, waiting: 0 })
        await pool.pass(40)
        expect([server.opened, server.closed]).toEqual([1, 0])
        expect(pool.counts()).toEqual({ idle: 1, inUse: 0, waiting: 0 })
      })
    })
  })

  describe(`${name}, given items back`, () => {
    it("lends what came back last, before it creates another", async () => {
      const server = new Server()
      await using(make({ create: opening(server, 10), destroy: closing(server) }, { max: 4 }), async (pool) => {
        const asked = acquire(pool, 3)
        await pool.pass(10)
        const items = await asked
        await pool.release(items[2])
        await pool.release(items[1])
        expect(pool.counts()).toEqual({ idle: 2, inUse: 1, waiting: 0 })
        const again = acquire(pool, 3)
        await pool.pass(10)
        expect((await again).map(({ number }) => number)).toEqual([2, 3, 4])
        expect(pool.counts()).toEqual({ idle: 0, inUse: 4, waiting: 0 })
      })
    })

    it("lends them to who waits", async () => {
      const server = new Server()
      await using(make(connections(server), { max: 2 }), async (pool) => {
        const asked = acquire(pool, 2)
        await pool.pass(0)
        const [, second] = await asked
        const outcome = watch(pool.acquire())
        await pool.pass(100)
        expect(outcome().state).toBe("pending")
        await pool.release(second)
        await pool.pass(0)
        expect(outcome()).toEqual({ state: "fulfilled", value: second })
      })
    })

    it("takes none that it has not lent, be it equal to one", async () => {
      const manager = { create: () => ({ a: 1 }) }
      await using(make(manager, { max: 2 }), async (pool) => {
        const asked = acquire(pool, 2)
        await pool.pass(0)
        const [item] = await asked
        await Promise.allSettled([pool.release({ a: 1 }), pool.release({ a: 0 })])
        expect(pool.counts()).toEqual({ idle: 0, inUse: 2, waiting: 0 })
        await Promise.allSettled([pool.release(item), pool.release(item)])
        expect(pool.counts()).toEqual({ idle: 1, inUse: 1, waiting: 0 })
      })
    })
  })

  describe(`${name}, where a borrower waits for too long`, () => {
    it("says so to the borrower at its deadline, and to nobody else", async () => {
      const server = new Server()
      const settings = { max: 5, acquireTimeout: 100 }
      await using(make({ create: opening(server, 10), destroy: closing(server) }, settings), async (pool) => {
        const outcomes = times(6).map(() => watch(pool.acquire()))
        await pool.pass(99)
        expect(outcomes[5]().state).toBe("pending")
        await pool.pass(1)
        expect(outcomes.slice(0, 5).map((outcome) => outcome().state)).toEqual(times(5).map(() => "fulfilled"))
        expect(outcomes[5]()).toMatchObject({ state: "rejected", reason: expect.toSatisfy(isTimeout) })
        expect(server.opened).toBe(5)
        expect(pool.counts()).toEqual({ idle: 0, inUse: 5, waiting: 0 })
        expect(pool.told().timedOut).toBe(1)
      })
    })

    const failures: Record<string, (sleep: Sleep) => Promise<never>> = {
      rejects: async (sleep) => {
        await sleep(10)
        throw new Error("the server is down")
      },
      throws: () => {
        throw new Error("the server is down")
      }
    }
    for (const [how, create] of Object.entries(failures)) {
      it(`says why nothing was created, where that ${how}`, () =>
        using(make({ create }, { acquireTimeout: 100, retryAfter: 400 }), async (pool) => {
          const outcome = watch(pool.acquire())
          await pool.pass(100)
          const ended = outcome()
          expect(ended).toMatchObject({ state: "rejected", reason: expect.toSatisfy(isTimeout) })
          expect(ended.state === "rejected" && ended.reason.message).toContain("the server is down")
          expect(pool.told().creationFailed).toBe(1)
          expect(pool.counts()).toEqual({ idle: 0, inUse: 0, waiting: 0 })
        }))
    }

    it("says at once that creating failed, where that is wanted, and serves the next when it succeeds", async () => {
      let calls = 0
      const create = () => ++calls === 1 ? Promise.reject(new Error("refused")) : { call: calls }
      await using(make({ create }, { acquireTimeout: 1_000, retryAfter: 10, failFast: true }), async (pool) => {
        const outcome = watch(pool.acquire())
        await pool.pass(0)
        const ended = outcome()
        expect(ended.state === "rejected" && [isTimeout(ended.reason), ended.reason.message]).toEqual([
          false,
          expect.stringContaining("refused")
        ])
        await pool.pass(10)
        const asked = pool.acquire()
        await pool.pass(0)
        expect(await asked).toEqual({ call: 2 })
      })
    })
  })

  it(`${name} tells of each creation, borrow and destruction that takes too long`, async () => {
    let createMillis = 100
    let destroyMillis = 0
    const manager: Manager<object> = {
      create: async (sleep) => {
        await sleep(createMillis)
        return {}
      },
      destroy: (_, sleep) => sleep(destroyMillis)
    }
    const settings = {
      max: 1,
      createTimeout: 20,
      acquireTimeout: 50,
      destroyTimeout: 20,
      idleTimeout: 10,
      retryAfter: 400
    }
    await using(make(manager, settings), async (pool) => {
      const first = watch(pool.acquire())
      await pool.pass(50)
      expect(first().state).toBe("rejected")
      expect(pool.told()).toEqual({ creationFailed: 1, timedOut: 1, destroyFailed: 0 })
      createMillis = 1
      await pool.pass(1_000)
      const asked = pool.acquire()
      await pool.pass(10)
      const item = await asked
      const second = watch(pool.acquire())
      await pool.pass(50)
      expect(second().state).toBe("rejected")
      expect(pool.told()).toEqual({ creationFailed: 1, timedOut: 2, destroyFailed: 0 })
      destroyMillis = 100
      await pool.release(item)
      await pool.pass(50)
      expect(pool.told()).toEqual({ creationFailed: 1, timedOut: 2, destroyFailed: 1 })
    })
  })
}
