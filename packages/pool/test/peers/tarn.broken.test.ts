/** Promises that ours keeps and tarn does not: each asked of both, so that the difference is seen. */
import { expect, it } from "vitest"
import { Server } from "../kit.js"
import { closing, connections, opening, stock } from "./connections.js"
import { makeOurs, ours } from "./ours.js"
import { type MakeSubject, type Sleep, using, watch } from "./subject.js"
import { tarn } from "./tarn.js"

const compare = async <B>(ask: (make: MakeSubject) => Promise<B>, own: MakeSubject = ours) => ({
  tarn: await ask(tarn),
  ours: await ask(own)
})

it("no more are alive than there may be, one that takes too long to create included: tarn has 2 of 1", async () => {
  const seen = await compare(async (make) => {
    const server = new Server()
    const create = async (sleep: Sleep) => {
      const connection = server.open()
      if (connection.number === 1) await sleep(200)
      return connection
    }
    const settings = { max: 1, createTimeout: 100, retryAfter: 10 }
    return using(make({ create, destroy: closing(server) }, settings), async (pool) => {
      const outcome = watch(pool.acquire())
      await pool.pass(1_000)
      expect(outcome()).toMatchObject({ state: "fulfilled", value: { number: 2 } })
      expect(server.alive).toBe(1)
      return server.mostAlive
    })
  })
  expect(seen).toEqual({ tarn: 2, ours: 1 })
})

it("no more are alive than there may be, those that are being destroyed included: tarn has 2 of 1", async () => {
  const seen = await compare(async (make) => {
    const server = new Server()
    const manager = {
      create: () => server.open(),
      destroy: (connection: ReturnType<typeof server.open>, sleep: Sleep) =>
        sleep(1_000).then(() => closing(server)(connection))
    }
    return using(make(manager, { max: 1, idleTimeout: 100 }), async (pool) => {
      await stock(pool, 1)
      const outcome = watch(pool.acquire())
      await pool.pass(2_000)
      expect(outcome()).toMatchObject({ state: "fulfilled", value: { number: 2 } })
      return server.mostAlive
    })
  })
  expect(seen).toEqual({ tarn: 2, ours: 1 })
})

it("the end comes, though somebody never gives an item back: tarn's does not within an hour", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    return using(make(connections(server)), async (pool) => {
      const asked = pool.acquire()
      await pool.pass(0)
      await asked
      const closed = watch(pool.close())
      await pool.pass(3_600_000)
      return [closed().state, server.alive]
    })
  })
  expect(seen).toEqual({ tarn: ["pending", 1], ours: ["fulfilled", 0] })
})

it("who comes after the end is told at once: tarn says nothing for 30 seconds", async () => {
  const seen = await compare((make) =>
    using(make(connections(new Server())), async (pool) => {
      await Promise.all([pool.close(), pool.pass(0)])
      const outcome = watch(pool.acquire())
      await pool.pass(29_000)
      const late = outcome().state
      await pool.pass(1_000)
      return [late, outcome().state]
    })
  )
  expect(seen).toEqual({ tarn: ["pending", "rejected"], ours: ["rejected", "rejected"] })
})

it("the end waits for a creation that takes too long: tarn's connection is opened after it", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    const manager = { create: opening(server, 500), destroy: closing(server) }
    return using(make(manager, { createTimeout: 100, retryAfter: 1_000 }), async (pool) => {
      watch(pool.acquire())
      await pool.pass(200)
      const openedByTheEnd = pool.close().then(() => server.opened)
      await pool.pass(1_000)
      expect([server.opened, server.closed]).toEqual([1, 1])
      return openedByTheEnd
    })
  })
  expect(seen).toEqual({ tarn: 0, ours: 1 })
})

it("min is there without anybody asking: tarn creates none", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    return using(make(connections(server), { min: 2 }), async (pool) => {
      await pool.pass(1_000)
      return server.opened
    })
  })
  expect(seen).toEqual({ tarn: 0, ours: 2 })
})

it("a spike of 50 on 10 creates no more than it needs, where two are created at once: tarn creates all 10", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    return using(make({ create: opening(server, 100), destroy: closing(server) }), async (pool) => {
      let served = 0
      for (let i = 0; i < 50; i++) {
        void pool.acquire().then(async (item) => {
          served++
          await pool.release(item)
        })
      }
      await pool.pass(1_000)
      expect(served).toBe(50)
      return server.opened
    })
  }, makeOurs({ createConcurrency: 2 }))
  expect(seen.tarn).toBe(10)
  // Two at once are being created, and two more while those that wait have not had their turns.
  expect(seen.ours).toBeLessThanOrEqual(4)
})

it("a server that is down is asked once a pause, and borrowers are told: tarn asks for each, and tells none", async () => {
  const seen = await compare((make) => {
    let calls = 0
    let told = 0
    const create = () => {
      calls++
      return Promise.reject(new Error("down"))
    }
    return using(make({ create }, { retryAfter: 100 }), async (pool) => {
      for (let i = 0; i < 100; i++) {
        pool.acquire().then(() => {}, () => told++)
        await pool.pass(10)
      }
      return { calls, told }
    })
  }, makeOurs({ failFastAfter: 3 }))
  expect(seen.tarn.calls).toBeGreaterThan(100)
  expect(seen.tarn.told).toBe(0)
  // The pauses are 50 to 100 ms, 100 to 200, 200 to 400, and so on.
  expect(seen.ours.calls).toBeLessThanOrEqual(5)
  expect(seen.ours.told).toBeGreaterThan(0)
})

it("a check that always fails costs a new item for a borrow: tarn creates one after the other without a pause", async () => {
  const seen = await compare((make) => {
    const server = new Server()
    let isStrict = false
    const manager = { ...connections(server), validate: () => !isStrict }
    return using(make(manager, { max: 1, acquireTimeout: 100 }), async (pool) => {
      await stock(pool, 1)
      isStrict = true
      const outcome = watch(pool.acquire())
      await pool.pass(100)
      return { opened: server.opened, state: outcome().state }
    })
  })
  expect(seen.tarn.opened).toBeGreaterThan(50)
  expect(seen.tarn.state).toBe("rejected")
  expect(seen.ours).toEqual({ opened: 2, state: "fulfilled" })
})

it("anything can be an item: tarn takes 0 for nothing", async () => {
  const seen = await compare((make) =>
    using(make({ create: () => Promise.resolve(0) }), async (pool) => {
      const outcome = watch(pool.acquire())
      await pool.pass(1_000)
      return outcome()
    })
  )
  expect(seen).toEqual({ tarn: { state: "pending" }, ours: { state: "fulfilled", value: 0 } })
})
