/** Promises that ours keeps and generic-pool does not: each asked of both, so that the difference is seen. */
import { expect, it } from "vitest"
import { type Connection, Server } from "../kit.js"
import { acquire, closing, connections, opening, stock } from "./connections.js"
import { genericPool, ours } from "./generic.js"
import { makeOurs } from "./ours.js"
import { type MakeSubject, type Manager, times, using, watch } from "./subject.js"

const compare = async <B>(ask: (make: MakeSubject<"full">) => Promise<B>, own: MakeSubject<"full"> = ours) => ({
  generic: await ask(genericPool),
  ours: await ask(own)
})

it("a failed creation is followed by a pause: generic-pool tries 10,000 times in the same moment", async () => {
  const seen = await compare((make) => {
    let calls = 0
    const create = () => ++calls <= 10_000 ? Promise.reject(new Error("down")) : {}
    return using(make({ create }, { max: 1 }), async (pool) => {
      watch(pool.acquire())
      await pool.pass(0)
      return calls
    })
  })
  expect(seen).toEqual({ generic: 10_001, ours: 1 })
})

it("min comes about after a failed creation: generic-pool does not try again", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    let calls = 0
    const create = () => ++calls === 1 ? Promise.reject(new Error("down")) : server.open()
    return using(make({ create, destroy: closing(server) }, { min: 1, max: 2 }), async (pool) => {
      await pool.pass(3_600_000)
      return server.alive
    })
  })
  expect(seen).toEqual({ generic: 0, ours: 1 })
})

it("an item whose check hangs gives its place to another: generic-pool has one less from then on", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    let hangs = false
    const manager = { ...connections(server), validate: () => !hangs || new Promise<boolean>(() => {}) }
    return using(make(manager, { max: 1, acquireTimeout: 100 }), async (pool) => {
      await stock(pool, 1)
      hangs = true
      const first = watch(pool.acquire())
      await pool.pass(100)
      expect(first().state).toBe("rejected")
      hangs = false
      const later = watch(pool.acquire())
      await pool.pass(3_600_000)
      return later().state
    })
  })
  expect(seen).toEqual({ generic: "rejected", ours: "fulfilled" })
})

it("an item is back whose callback throws: generic-pool never has it again", async () => {
  const seen = await compare((make) =>
    using(make(connections(new Server()), { max: 1 }), async (pool) => {
      const used = watch(pool.use(() => {
        throw new Error("thrown")
      }))
      await pool.pass(0)
      expect(used()).toMatchObject({ state: "rejected", reason: { message: "thrown" } })
      return pool.counts().inUse
    })
  )
  expect(seen).toEqual({ generic: 1, ours: 0 })
})

it("the callback's own error is what the caller gets: generic-pool's is that of destroying the item", async () => {
  const destroy = () => {
    throw new Error("cannot be destroyed")
  }
  const seen = await compare((make) =>
    using(make({ create: () => ({}), destroy }, { max: 1 }), async (pool) => {
      const used = watch(pool.use(() => Promise.reject(new Error("own"))))
      await pool.pass(0)
      const outcome = used()
      return outcome.state === "rejected" && outcome.reason.message
    }), makeOurs({ invalidateWhen: () => true }))
  expect(seen).toEqual({ generic: "cannot be destroyed", ours: "own" })
})

it("items may be equal: generic-pool loses all but one of them", async () => {
  const seen = await compare((make) =>
    using(make({ create: () => 7 }, { max: 3 }), async (pool) => {
      const asked = acquire(pool, 3)
      await pool.pass(0)
      const answers = await Promise.allSettled((await asked).map((item) => pool.release(item)))
      return [pool.counts().idle, answers.filter(({ status }) => status === "rejected").length]
    })
  )
  expect(seen).toEqual({ generic: [1, 2], ours: [3, 0] })
})

it("no more are alive than there may be, those that are being destroyed included: generic-pool has 2 of 1", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    const manager: Manager<Connection> = {
      create: () => server.open(),
      destroy: (connection, sleep) => sleep(1_000).then(() => closing(server)(connection))
    }
    return using(make(manager, { max: 1 }), async (pool) => {
      const asked = pool.acquire()
      await pool.pass(0)
      const destroyed = pool.destroy(await asked)
      const next = watch(pool.acquire())
      await pool.pass(2_000)
      await destroyed
      expect(next()).toMatchObject({ state: "fulfilled", value: { number: 2 } })
      return server.mostAlive
    })
  })
  expect(seen).toEqual({ generic: 2, ours: 1 })
})

it("the end comes, though somebody never gives an item back: generic-pool's does not within an hour", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    return using(make(connections(server), { max: 1 }), async (pool) => {
      const asked = pool.acquire()
      await pool.pass(0)
      await asked
      const closed = watch(pool.close())
      await pool.pass(3_600_000)
      return [closed().state, server.alive]
    })
  })
  expect(seen).toEqual({ generic: ["pending", 1], ours: ["fulfilled", 0] })
})

it("a borrower has a deadline, whether it set one or not: generic-pool's waits for an hour", async () => {
  const seen = await compare((make) =>
    using(make(connections(new Server()), { max: 1 }), async (pool) => {
      const asked = pool.acquire()
      await pool.pass(0)
      await asked
      const outcome = watch(pool.acquire())
      await pool.pass(3_600_000)
      return outcome().state
    })
  )
  expect(seen).toEqual({ generic: "pending", ours: "rejected" })
})

it("who gets an item that is being created waits for nobody: generic-pool counts it among those that do", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    const manager = { create: opening(server, 50), destroy: closing(server) }
    return using(make(manager, { max: 2, maxWaiting: 1 }), async (pool) => {
      const outcomes = times(3).map(() => watch(pool.acquire()))
      await pool.pass(50)
      return outcomes.map((outcome) => outcome().state)
    })
  })
  expect(seen).toEqual({
    generic: ["fulfilled", "fulfilled", "rejected"],
    ours: ["fulfilled", "fulfilled", "pending"]
  })
})

it("min idle items are left alone until they are old: generic-pool replaces them over and over", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    return using(make(connections(server), { min: 2, max: 2, idleTimeout: 50 }), async (pool) => {
      await pool.pass(1_000)
      return server.opened
    })
  })
  expect(seen.generic).toBeGreaterThan(20)
  expect(seen.ours).toBe(2)
})
