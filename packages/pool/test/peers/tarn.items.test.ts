/** What tarn's own tests promise of items that are idle, validated and destroyed, asked of tarn and of ours. */
import { describe, expect, it } from "vitest"
import { type Connection, Server } from "../kit.js"
import { acquire, closing, connections, numbers, opening, stock } from "./connections.js"
import { type Manager, type Sleep, type Subject, using, watch } from "./subject.js"
import { pools } from "./tarn.js"

for (const [name, { isTimeout, make }] of Object.entries(pools)) {
  describe(`${name}, validating idle items`, () => {
    const verdicts: Record<string, () => boolean | Promise<boolean>> = {
      "is answered with false": () => false,
      "is answered with false after a while": () => Promise.resolve(false),
      throws: () => {
        throw new Error("unfit")
      },
      rejects: () => Promise.reject(new Error("unfit"))
    }
    for (const [how, verdict] of Object.entries(verdicts)) {
      it(`destroys one whose check ${how}, and lends another`, async () => {
        const server = new Server()
        let isStrict = false
        const validate = ({ number }: Connection) => isStrict && number === 1 ? verdict() : true
        await using(make({ ...connections(server), validate }, { max: 2 }), async (pool) => {
          await stock(pool, 2)
          isStrict = true
          const asked = acquire(pool, 2)
          await pool.pass(10)
          expect(numbers(await asked)).toEqual([2, 3])
          expect([server.opened, server.closed]).toEqual([3, 1])
        })
      })
    }

    it("goes on to the next until one is fit, be it a new one", async () => {
      const server = new Server()
      let unfit = 0
      const validate = () => {
        if (unfit-- > 0) throw new Error("unfit")
        return true
      }
      await using(make({ ...connections(server), validate }, { max: 5 }), async (pool) => {
        await stock(pool, 5)
        unfit = 5
        const asked = pool.acquire()
        await pool.pass(10)
        expect((await asked).number).toBe(6)
        // After the first that is unfit ours creates one beside the next check.
        expect([server.opened, server.closed]).toEqual([6, name === "tarn" ? 5 : 2])
      })
    })

    /** One idle item, whose check hangs. */
    const hanging = async (body: (pool: Subject<Connection>, server: Server) => Promise<void>) => {
      const server = new Server()
      let hangs = false
      const validate = (_: Connection, sleep: Sleep) => hangs ? sleep(10_000).then(() => true) : true
      await using(make({ ...connections(server), validate }, { max: 1, acquireTimeout: 100 }), async (pool) => {
        await stock(pool, 1)
        hangs = true
        await body(pool, server)
      })
    }

    it("ends a check at the borrower's deadline, and destroys the item", () =>
      hanging(async (pool, server) => {
        const outcome = watch(pool.acquire())
        await pool.pass(99)
        expect(outcome().state).toBe("pending")
        await pool.pass(1)
        expect(outcome()).toMatchObject({ state: "rejected", reason: expect.toSatisfy(isTimeout) })
        expect([server.opened, server.closed]).toEqual([1, 1])
        expect(pool.counts()).toEqual({ idle: 0, inUse: 0, waiting: 0 })
      }))

    it("ends a check whose borrower gives up, and destroys the item", () =>
      hanging(async (pool, server) => {
        const giving = new AbortController()
        const outcome = watch(pool.acquire({ signal: giving.signal }))
        await pool.pass(20)
        giving.abort()
        await pool.pass(0)
        expect(outcome().state).toBe("rejected")
        expect([server.opened, server.closed]).toEqual([1, 1])
        expect(pool.counts()).toEqual({ idle: 0, inUse: 0, waiting: 0 })
      }))

    it("loses nothing where the borrower gives up in the moment in which the check ends", async () => {
      const server = new Server()
      let giving: AbortController | undefined
      const validate = async (_: Connection, sleep: Sleep) => {
        if (giving !== undefined) await sleep(20)
        giving?.abort()
        return true
      }
      await using(make({ ...connections(server), validate }, { max: 1 }), async (pool) => {
        await stock(pool, 1)
        giving = new AbortController()
        const outcome = watch(pool.acquire({ signal: giving.signal }))
        await pool.pass(20)
        expect(outcome().state).toBe("rejected")
        expect(pool.counts()).toEqual({ idle: server.alive, inUse: 0, waiting: 0 })
        giving = undefined
        const asked = pool.acquire()
        await pool.pass(10)
        expect((await asked).isOpen).toBe(true)
      })
    })

    it("serves a hundred borrowers of three items, a third of whose checks fail", async () => {
      const server = new Server()
      let checks = 0
      let failures = 0
      const validate = async (_: Connection, sleep: Sleep) => {
        const isFit = ++checks % 3 !== 0 || failures === 10
        if (!isFit) failures++
        await sleep(10)
        return isFit
      }
      await using(make({ ...connections(server), validate }, { max: 3 }), async (pool) => {
        let served = 0
        for (let wave = 0; wave < 10; wave++) {
          for (let i = 0; i < 10; i++) {
            void pool.acquire().then((item) => {
              served++
              return pool.release(item)
            })
          }
          await pool.pass(1_000)
        }
        expect(served).toBe(100)
        expect(failures).toBeGreaterThan(0)
        expect(server.closed).toBe(failures)
        expect(server.mostAlive).toBeLessThanOrEqual(3)
        expect(pool.counts()).toEqual({ idle: server.alive, inUse: 0, waiting: 0 })
      })
    })

    it("answers everybody where it ends during checks, and destroys everything", async () => {
      const server = new Server()
      const validate = (_: Connection, sleep: Sleep) => sleep(80).then(() => true)
      await using(make({ ...connections(server), validate }, { max: 3 }), async (pool) => {
        await stock(pool, 3)
        const answers = { lent: 0, refused: 0 }
        for (let i = 0; i < 20; i++) {
          pool.acquire().then(
            (item) => {
              answers.lent++
              return pool.release(item)
            },
            () => answers.refused++
          )
        }
        await pool.pass(20)
        const closed = watch(pool.close())
        await pool.pass(1_000)
        expect(closed().state).toBe("fulfilled")
        expect(answers).toEqual({ lent: 3, refused: 17 })
        expect([server.opened, server.closed]).toEqual([3, 3])
      })
    })
  })

  describe(`${name}, with idle items`, () => {
    /** Items in use; time goes on for as long as tarn looks after them late. */
    const lent = async (
      settings: { readonly min?: number; readonly max: number },
      body: (pool: Subject<Connection>, server: Server, items: ReadonlyArray<Connection>) => Promise<void>
    ) => {
      const server = new Server()
      await using(make(connections(server), { ...settings, idleTimeout: 100 }), async (pool) => {
        const asked = acquire(pool, settings.max)
        await pool.pass(0)
        await body(pool, server, await asked)
      })
    }

    it("destroys them after the idle timeout, and none that is in use", () =>
      lent({ max: 3 }, async (pool, server, items) => {
        await pool.release(items[0])
        await pool.release(items[1])
        await pool.pass(50)
        expect([server.closed, pool.counts()]).toEqual([0, { idle: 2, inUse: 1, waiting: 0 }])
        await pool.pass(60)
        expect(items.map(({ isOpen }) => isOpen)).toEqual([false, false, true])
        expect(pool.counts()).toEqual({ idle: 0, inUse: 1, waiting: 0 })
      }))

    it(`${name}, with idle items, keeps min of them`, () =>
      lent({ min: 2, max: 4 }, async (pool, server, items) => {
        for (const item of items.slice(0, 3)) await pool.release(item)
        await pool.pass(50)
        expect(server.closed).toBe(0)
        await pool.pass(60)
        expect(items.map(({ isOpen }) => isOpen)).toEqual([false, false, true, true])
        expect(pool.counts()).toEqual({ idle: 1, inUse: 1, waiting: 0 })
      }))

    it("destroys those that are not needed, though others are used again and again", () =>
      lent({ max: 4 }, async (pool, server, items) => {
        for (const item of items) await pool.release(item)
        for (let i = 0; i < 40; i++) {
          const asked = acquire(pool, 2)
          await pool.pass(3)
          for (const item of await asked) await pool.release(item)
          await pool.pass(2)
        }
        expect([server.opened, server.closed]).toEqual([4, 2])
        expect(pool.counts()).toEqual({ idle: 2, inUse: 0, waiting: 0 })
      }))

    it("holds no timer when the last is gone", () =>
      lent({ max: 1 }, async (pool, server, [item]) => {
        await pool.release(item)
        await pool.pass(50)
        expect(pool.timers()).toBe(1)
        await pool.pass(70)
        expect([server.closed, pool.timers()]).toEqual([1, 0])
      }))
  })

  describe(`${name}, at its end`, () => {
    for (const [how, millis] of [["in a moment", 0], ["for a while", 200]] as const) {
      it(`waits for what is being created and held, and for destroying ${how}`, async () => {
        const server = new Server()
        const destroy = async (connection: Connection, sleep: Sleep) => {
          await sleep(millis)
          closing(server)(connection)
        }
        await using(make({ create: opening(server, 50), destroy }, { max: 10 }), async (pool) => {
          const asked = acquire(pool, 2)
          await pool.pass(50)
          const [first, second] = await asked
          const refused = watch(pool.acquire())
          await pool.pass(0)
          const closed = watch(pool.close())
          await pool.pass(10)
          await pool.release(first)
          await pool.pass(90)
          expect(closed().state).toBe("pending")
          await pool.release(second)
          await pool.pass(millis)
          expect(closed().state).toBe("fulfilled")
          expect(refused().state).toBe("rejected")
          expect([server.opened, server.closed]).toEqual([3, 3])
          expect(pool.counts()).toEqual({ idle: 0, inUse: 0, waiting: 0 })
        })
      })
    }

    const faults: Record<string, () => unknown> = {
      throws: () => {
        throw new Error("refused")
      },
      rejects: () => Promise.reject(new Error("refused"))
    }
    for (const [how, destroy] of Object.entries(faults)) {
      it(`ends though destroying ${how}, and tells`, () =>
        using(make({ create: () => ({}), destroy }), async (pool) => {
          await stock(pool, 1)
          const closed = watch(pool.close())
          await pool.pass(0)
          expect(closed().state).toBe("fulfilled")
          expect(pool.told().destroyFailed).toBe(1)
        }))
    }

    it("ends though destroying takes too long, and tells", async () => {
      const manager: Manager<object> = { create: () => ({}), destroy: (_, sleep) => sleep(200) }
      await using(make(manager, { destroyTimeout: 100 }), async (pool) => {
        await stock(pool, 1)
        const closed = watch(pool.close())
        await pool.pass(100)
        expect(closed().state).toBe("fulfilled")
        expect(pool.told().destroyFailed).toBe(1)
      })
    })

    it("waits for what it had begun to destroy before", async () => {
      const server = new Server()
      const destroy = async (connection: Connection, sleep: Sleep) => {
        await sleep(250 - 50 * connection.number)
        closing(server)(connection)
      }
      await using(make({ create: () => server.open(), destroy }, { max: 4, idleTimeout: 10 }), async (pool) => {
        const asked = acquire(pool, 4)
        await pool.pass(0)
        for (const item of await asked) await pool.release(item)
        await pool.pass(30)
        expect([server.closed, pool.counts().idle]).toEqual([0, 0])
        const closed = watch(pool.close())
        await pool.pass(200)
        expect(closed().state).toBe("fulfilled")
        expect(server.closed).toBe(4)
      })
    })
  })
}
