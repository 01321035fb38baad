/**
 * What generic-pool's own tests promise to its users, asked of generic-pool and of ours in the same words. The tests of its
 * lists and of its request object have their counterparts in those of `WaitQueue` and of `PoolState`.
 */
import { Effect } from "effect"
import { createPool } from "generic-pool"
import { describe, expect, it } from "vitest"
import { ResourcePool } from "../../src/index.js"
import { type Connection, inScope, Server } from "../kit.js"
import { acquire, closing, connections, opening, stock } from "./connections.js"
import { pools } from "./generic.js"
import { type Manager, times, turn, using, watch } from "./subject.js"

describe("sizes that are not given, or make no sense", () => {
  const generic = (options: Record<string, unknown>) => {
    const { max, min } = createPool({ create: async () => 1, destroy: async () => {} }, {
      autostart: false,
      ...options
    })
    return { min, max }
  }
  const ours = (options: Record<string, unknown>) =>
    Effect.runPromise(inScope(Effect.match(
      Effect.flatMap(ResourcePool.make(Effect.void, options), ({ snapshot }) => snapshot),
      {
        onFailure: (error) => error.message,
        onSuccess: ({ maxSize, minSize }) => ({ min: minSize, max: maxSize })
      }
    )))

  it("sizes that are not given, or make no sense have defaults: 1 at most in generic-pool, 10 in ours", async () => {
    expect(generic({})).toEqual({ min: 0, max: 1 })
    expect(await ours({})).toEqual({ min: 0, max: 10 })
  })

  it("sizes that are not given, or make no sense are refused, which generic-pool replaces by others", async () => {
    expect(generic({ min: "asf", max: [] })).toEqual({ min: 0, max: 1 })
    expect(await ours({ minSize: "asf" })).toContain("Invalid option \"minSize\": got \"asf\"")
    expect(await ours({ maxSize: [] })).toContain("Invalid option \"maxSize\"")
    expect(generic({ min: 5, max: 3 })).toEqual({ min: 3, max: 3 })
    expect(await ours({ minSize: 5, maxSize: 3 })).toContain("Invalid option \"minSize\": got 5")
  })
})

for (const [name, { isTimeout, make }] of Object.entries(pools)) {
  describe(`${name}, asked for items`, () => {
    it("serves the more urgent first, and equals in order", () =>
      using(make(connections(new Server()), { max: 1 }), async (pool) => {
        const served: Array<string> = []
        const borrow = async (who: string, priority: "High" | "Normal") => {
          const item = await pool.acquire({ priority })
          served.push(who)
          await pool.release(item)
        }
        const first = pool.acquire()
        await pool.pass(0)
        const all = [
          ...times(10).map((i) => borrow(`normal ${i}`, "Normal")),
          ...times(10).map((i) => borrow(`high ${i}`, "High"))
        ]
        await pool.release(await first)
        await pool.pass(0)
        await Promise.all(all)
        expect(served).toEqual([...times(10).map((i) => `high ${i}`), ...times(10).map((i) => `normal ${i}`)])
      }))

    it("counts what there is, what is idle and what is lent", async () => {
      const server = new Server()
      await using(make(connections(server), { max: 2 }), async (pool) => {
        expect([server.opened, pool.counts()]).toEqual([0, { idle: 0, inUse: 0, waiting: 0 }])
        const asked = acquire(pool, 2)
        await pool.pass(0)
        const [first, second] = await asked
        expect([server.opened, pool.counts()]).toEqual([2, { idle: 0, inUse: 2, waiting: 0 }])
        await pool.release(first)
        expect(pool.counts().idle).toBe(1)
        await pool.release(second)
        expect(pool.counts().idle).toBe(2)
        const again = pool.acquire()
        await pool.pass(0)
        expect(pool.counts()).toEqual({ idle: 1, inUse: 1, waiting: 0 })
        await pool.release(await again)
        expect(pool.counts()).toEqual({ idle: 2, inUse: 0, waiting: 0 })
        expect(server.opened).toBe(2)
      })
    })

    for (const failures of [1, 5]) {
      it(`creates until it succeeds, after ${failures} failures that are told, and nobody waits any more`, async () => {
        let calls = 0
        const create = () => ++calls <= failures ? Promise.reject(new Error("refused")) : { call: calls }
        await using(make({ create }, { max: 1 }), async (pool) => {
          const asked = pool.acquire()
          await pool.pass(10_000)
          const item = await asked
          expect(item.call).toBe(failures + 1)
          expect(pool.told().creationFailed).toBe(failures)
          await pool.release(item)
          expect(pool.counts()).toEqual({ idle: 1, inUse: 0, waiting: 0 })
        })
      })
    }

    it("turns away who would have to wait where nobody may", async () => {
      await using(make(connections(new Server()), { max: 2, maxWaiting: 0 }), async (pool) => {
        for (const inUse of [1, 2]) {
          const asked = pool.acquire()
          await pool.pass(0)
          await asked
          expect(pool.counts().inUse).toBe(inUse)
        }
        await expect(pool.acquire()).rejects.toThrow(/max|exhausted/)
      })
    })

    it(`${name}, asked for items, is ready when min are there`, async () => {
      const server = new Server()
      await using(make(connections(server), { min: 2, max: 4 }), async (pool) => {
        const ready = pool.ready()
        await pool.pass(100)
        await ready
        expect(pool.counts().idle).toBe(2)
        expect(server.opened).toBe(2)
      })
    })

    it("fails at the borrower's deadline, and keeps what was being created", async () => {
      const server = new Server()
      const manager = { create: opening(server, 100), destroy: closing(server) }
      await using(make(manager, { max: 1, acquireTimeout: 20 }), async (pool) => {
        const outcome = watch(pool.acquire())
        await pool.pass(20)
        expect(outcome()).toMatchObject({ state: "rejected", reason: expect.toSatisfy(isTimeout) })
        expect(pool.told().timedOut).toBe(1)
        const closed = watch(pool.close())
        await pool.pass(200)
        expect(closed().state).toBe("fulfilled")
        expect([server.opened, server.closed]).toEqual([1, 1])
      })
    })

    it("forgets the deadline of who is served in time", async () => {
      const server = new Server()
      const manager = { create: opening(server, 10), destroy: closing(server) }
      await using(make(manager, { max: 1, acquireTimeout: 400 }), async (pool) => {
        const asked = pool.acquire()
        await pool.pass(10)
        const item = await asked
        await pool.pass(1_000)
        expect([item.isOpen, pool.told().timedOut]).toEqual([true, 0])
        await pool.release(item)
      })
    })
  })

  describe(`${name}, given items back`, () => {
    it("takes only what it has lent, and says so", () =>
      using(make({ create: () => ({}) }, { max: 1 }), async (pool) => {
        const asked = pool.acquire()
        await pool.pass(0)
        const item = await asked
        await expect(pool.release({})).rejects.toThrow(/not currently part|has not lent/)
        await expect(pool.destroy({})).rejects.toThrow(/not currently part|has not lent/)
        expect(pool.counts()).toEqual({ idle: 0, inUse: 1, waiting: 0 })
        await pool.release(item)
        await expect(pool.release(item)).rejects.toThrow(/not currently part|has not lent/)
        expect(pool.counts()).toEqual({ idle: 1, inUse: 0, waiting: 0 })
      }))

    it("serves who waits with an item that comes back", () =>
      using(make(connections(new Server()), { max: 1 }), async (pool) => {
        const [first, second] = [pool.acquire(), pool.acquire()]
        await pool.pass(0)
        const item = await first
        expect(pool.counts()).toEqual({ idle: 0, inUse: 1, waiting: 1 })
        await pool.release(item)
        await pool.pass(0)
        expect(await second).toBe(item)
        expect(pool.counts()).toEqual({ idle: 0, inUse: 1, waiting: 0 })
      }))

    it("serves who waits with a new one where the item was bad", async () => {
      const server = new Server()
      await using(make(connections(server), { max: 1 }), async (pool) => {
        const [first, second] = [pool.acquire(), pool.acquire()]
        await pool.pass(0)
        await pool.destroy(await first)
        await pool.pass(0)
        expect((await second).number).toBe(2)
        expect([server.opened, server.closed]).toEqual([2, 1])
        expect(pool.counts()).toEqual({ idle: 0, inUse: 1, waiting: 0 })
      })
    })

    it("does so for a callback, when its promise has settled, and has its result", () =>
      using(make(connections(new Server()), { max: 1 }), async (pool) => {
        let finish: (value: string) => void = () => {}
        const used = watch(pool.use(() => new Promise<string>((resolve) => (finish = resolve))))
        await pool.pass(0)
        expect([used().state, pool.counts().inUse]).toEqual(["pending", 1])
        finish("value")
        await pool.pass(0)
        expect(used()).toEqual({ state: "fulfilled", value: "value" })
        expect(pool.counts()).toEqual({ idle: 1, inUse: 0, waiting: 0 })
      }))
  })

  describe(`${name}, destroying`, () => {
    it("does not lend an idle item that was found unfit", async () => {
      const server = new Server()
      let isStrict = false
      const validate = ({ number }: Connection) => !isStrict || number > 1
      await using(make({ ...connections(server), validate }, { max: 2 }), async (pool) => {
        await stock(pool, 1)
        isStrict = true
        const asked = pool.acquire()
        await pool.pass(0)
        expect((await asked).number).toBe(2)
        expect(server.closed).toBe(1)
      })
    })

    it("tells that it took too long, and only then", async () => {
      for (const [millis, failures] of [[100, 1], [10, 0]]) {
        const manager: Manager<object> = { create: () => ({}), destroy: (_, sleep) => sleep(millis) }
        await using(make(manager, { destroyTimeout: 20 }), async (pool) => {
          const asked = pool.acquire()
          await pool.pass(0)
          await pool.destroy(await asked)
          await pool.pass(50)
          expect(pool.told().destroyFailed).toBe(failures)
        })
      }
    })

    it("leaves idle items alone where they may be idle without end", async () => {
      const server = new Server()
      await using(make(connections(server), { max: 2, idleTimeout: Infinity }), async (pool) => {
        await stock(pool, 2)
        await pool.pass(60_000)
        expect([server.closed, pool.counts().idle]).toEqual([0, 2])
      })
    })

    it("holds no timer before it is used", () =>
      using(make(connections(new Server()), { max: 1 }), async (pool) => {
        await pool.pass(0)
        expect(pool.timers()).toBe(0)
      }))
  })

  describe(`${name}, drained`, () => {
    it("serves who waits, and then refuses", async () => {
      const server = new Server()
      await using(make(connections(server), { max: 2 }), async (pool) => {
        let served = 0
        for (let i = 0; i < 5; i++) {
          void pool.acquire().then(async (item) => {
            served++
            await turn()
            await pool.release(item)
          })
        }
        await pool.pass(0)
        const closed = watch(pool.close())
        await expect(pool.acquire()).rejects.toThrow(/draining|closed/)
        for (let i = 0; i < 5; i++) await pool.pass(1)
        expect([closed().state, served]).toEqual(["fulfilled", 5])
        expect(server.closed).toBe(2)
        await expect(pool.acquire()).rejects.toThrow(/draining|closed/)
      })
    })

    it("serves who waits for what is being created still", async () => {
      const server = new Server()
      const manager = { create: opening(server, 50), destroy: closing(server) }
      await using(make(manager, { min: 3, max: 3 }), async (pool) => {
        const asked = acquire(pool, 3)
        await pool.pass(0)
        expect(pool.counts().waiting).toBe(3)
        const closed = watch(pool.close())
        await pool.pass(50)
        for (const item of await asked) await pool.release(item)
        await pool.pass(0)
        expect(closed().state).toBe("fulfilled")
        expect([server.opened, server.closed]).toEqual([3, 3])
      })
    })

    it("destroys what was being created for min", async () => {
      const server = new Server()
      const manager = { create: opening(server, 10), destroy: closing(server) }
      await using(make(manager, { min: 1, idleTimeout: 30_000 }), async (pool) => {
        await pool.pass(5)
        const closed = watch(pool.close())
        await pool.pass(1_000)
        expect(closed().state).toBe("fulfilled")
        expect([server.opened, server.closed]).toEqual([1, 1])
      })
    })
  })
}
