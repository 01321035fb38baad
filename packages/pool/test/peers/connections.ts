/** Connections of a counted server, for pools of promises. */
import { Effect } from "effect"
import type { Connection, Server } from "../kit.js"
import { type Manager, type Sleep, type Subject, times } from "./subject.js"

export const closing = (server: Server) => (connection: Connection) => Effect.runSync(server.destroy(connection))

/** Connections of a server, opened and closed in their turn. */
export const connections = (server: Server): Manager<Connection> => ({
  create: () => server.open(),
  destroy: closing(server)
})

export const opening = (server: Server, millis: number) => async (sleep: Sleep) => {
  await sleep(millis)
  return server.open()
}

export const acquire = <A>(pool: Subject<A>, n: number) => Promise.all(times(n).map(() => pool.acquire()))

/** Borrows so many, and gives them back to be idle for a while. */
export const stock = async <A>(pool: Subject<A>, n: number) => {
  const asked = acquire(pool, n)
  await pool.pass(100)
  for (const item of await asked) await pool.release(item)
  await pool.pass(1_000)
}

export const numbers = (items: ReadonlyArray<Connection>) => items.map(({ number }) => number).sort((a, b) => a - b)
