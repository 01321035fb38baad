/**
 * Bursts of borrowers on pools of at most 10, each pool with its defaults: how long it takes until everybody has had a
 * query of 10 ms answered, connecting included. Prints the table of `packages/pool/BURSTS.md`; in real time, as the
 * others know no other.
 *
 *     node --import tsx --conditions=source bench/bursts.ts
 */
import { ResourceRegistry } from "@patinox/core"
import { ResourcePool } from "@patinox/pool"
import { Effect, Exit, Logger, Pool, Scope } from "effect"
import { createPool } from "generic-pool"
import { EventEmitter } from "node:events"
import { Pool as PgPool } from "pg"
import { Pool as Tarn } from "tarn"

const size = 10
const queryMillis = 10
/** The time after which borrowers are no longer waited for. */
const patience = 4_000

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

class Connection {
  isDead = false

  /** What is dead says so when it is asked. */
  async query(millis: number): Promise<void> {
    await sleep(this.isDead ? 1 : millis)
    if (this.isDead) throw new Error("ECONNRESET")
  }
}

type Connects = 1 | 100 | 1_000 | "hanging"

/** Where connections come from, at once while the pool is filled; later as slowly as is measured, or the first two never. */
class Server {
  readonly opened: Array<Connection> = []
  isMeasured = false
  private hung = 0

  constructor(readonly connects: Connects) {}

  async connect(): Promise<Connection> {
    if (this.isMeasured && this.connects === "hanging" && this.hung++ < 2) await new Promise<never>(() => {})
    if (this.isMeasured) await sleep(this.connects === "hanging" ? 1 : this.connects)
    const connection = new Connection()
    this.opened.push(connection)
    return connection
  }
}

/** Borrows, uses and gives back; rejects where the use does, or there was no item. */
interface Subject {
  readonly use: (f: (connection: Connection) => Promise<void>) => Promise<void>
  readonly close: () => void
}

const quiet = Logger.remove(Logger.defaultLogger)

const subjects: Record<string, (server: Server) => Promise<Subject>> = {
  ours: async (server) => {
    const scope = Effect.runSync(Scope.make())
    const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | ResourceRegistry.ResourceRegistry>) =>
      Effect.runPromise(
        effect.pipe(
          Effect.provideService(Scope.Scope, scope),
          Effect.provide(ResourceRegistry.layer),
          Effect.provide(quiet)
        )
      )
    const connect = Effect.promise(() => server.connect())
    const validate = (connection: Connection) => Effect.tryPromise(() => connection.query(0))
    // The registry of a pool has to outlive it: it is that of the one effect that goes on.
    return new Promise((resolve) => {
      void run(Effect.gen(function*() {
        const pool = yield* ResourcePool.make(connect, { maxSize: size, validate })
        const promises = ResourcePool.toPromisePool(pool, yield* Effect.runtime())
        resolve({ use: promises.use, close: () => void Effect.runFork(Scope.close(scope, Exit.void)) })
        yield* Effect.never
      }))
    })
  },
  effect: async (server) => {
    const scope = Effect.runSync(Scope.make())
    const pool = await Effect.runPromise(Scope.extend(
      Pool.makeWithTTL({ acquire: Effect.promise(() => server.connect()), min: 0, max: size, timeToLive: "1 hours" }),
      scope
    ))
    const use: Subject["use"] = (f) =>
      Effect.runPromise(Effect.scoped(Effect.flatMap(Pool.get(pool), (connection) =>
        Effect.tapError(
          Effect.tryPromise(() => f(connection)),
          () => Pool.invalidate(pool, connection)
        ))))
    return { use, close: () => void Effect.runFork(Scope.close(scope, Exit.void)) }
  },
  tarn: async (server) => {
    const pool = new Tarn<Connection>({
      create: () => server.connect(),
      // Its types know only of an answer at once.
      validate: ((connection: Connection) => connection.query(0).then(() => true)) as never,
      destroy: () => {},
      min: 0,
      max: size
    })
    const use: Subject["use"] = async (f) => {
      const connection = await pool.acquire().promise
      try {
        await f(connection)
      } finally {
        pool.release(connection)
      }
    }
    return { use, close: () => void pool.destroy() }
  },
  "generic-pool": async (server) => {
    const pool = createPool<Connection>({
      create: () => server.connect(),
      validate: (connection) => connection.query(0).then(() => true, () => false),
      destroy: async () => {}
    }, { max: size, testOnBorrow: true })
    return { use: (f) => Promise.resolve(pool.use(f)), close: () => {} }
  },
  "pg.Pool": async (server) => {
    /** As much of a client as the pool asks of one. */
    class FakeClient extends EventEmitter {
      readonly _queryable = true
      readonly _ending = false
      connection: Connection | undefined = undefined

      async connect(done: (error?: Error) => void): Promise<void> {
        this.connection = await server.connect()
        done()
      }

      end(done?: () => void): void {
        done?.()
      }
    }
    const pool = new PgPool({ max: size, Client: FakeClient } as never)
    const use: Subject["use"] = async (f) => {
      const client = await pool.connect()
      try {
        await f((client as unknown as FakeClient).connection!)
        client.release()
      } catch (error) {
        client.release(error as Error)
        throw error
      }
    }
    return { use, close: () => void pool.end() }
  }
}

interface Cell {
  readonly borrowers: number
  readonly connects: Connects
  readonly dead: "none is there" | "1 of 10" | "all 10"
}

/**
 * A pool that is ready to be measured: until everybody is answered, in milliseconds. What fails is tried again, as an
 * application does.
 */
const prepare = async (
  make: (server: Server) => Promise<Subject>,
  { borrowers, connects, dead }: Cell
): Promise<() => Promise<number>> => {
  const server = new Server(connects)
  const subject = await make(server)
  const over = new AbortController()
  const answered = async (): Promise<void> => {
    while (!over.signal.aborted) {
      try {
        return await subject.use((connection) => connection.query(queryMillis))
      } catch {
        // Once more.
      }
    }
  }
  if (dead !== "none is there") {
    await Promise.all(Array.from({ length: size }, answered))
    const victims = dead === "all 10" ? server.opened : server.opened.slice(-1)
    for (const victim of victims) victim.isDead = true
    // Idle for long enough to be validated.
    await sleep(600)
  }
  return async () => {
    server.isMeasured = true
    const since = performance.now()
    const all = Promise.all(Array.from({ length: borrowers }, answered)).then(() => performance.now() - since)
    const millis = await Promise.race([all, sleep(patience).then(() => Infinity)])
    over.abort()
    subject.close()
    return millis
  }
}

const names = Object.keys(subjects)

const row = async (cell: Cell): Promise<string> => {
  // Where a millisecond counts each is measured alone, and more often: the best of all is the least disturbed.
  const isShort = cell.connects === 1 || cell.connects === 100
  const rounds = cell.connects === 1 ? 5 : isShort ? 2 : 1
  const results = new Map<string, number>()
  const values = new Map(names.map((name) => [name, [] as Array<number>]))
  const ready = await Promise.all(
    Array.from({ length: rounds }, () => names).flat().map(async (name) => {
      const measured = await prepare(subjects[name]!, cell)
      return async () => void values.get(name)!.push(await measured())
    })
  )
  if (rounds > 1) { for (const run of ready) await run() }
  else await Promise.all(ready.map((run) => run()))
  for (const name of names) results.set(name, Math.min(...values.get(name)!))
  const ours = results.get("ours")!
  const best = Math.min(...names.filter((name) => name !== "ours").map((name) => results.get(name)!))
  const ratio = best === Infinity ? "alone" : `${(ours / best).toFixed(2)} x`
  const shown = names.map((name) => {
    const millis = results.get(name)!
    return millis === Infinity ? "not in 4 s" : `${Math.round(millis)} ms`
  })
  return `| ${
    [cell.borrowers, cell.connects === "hanging" ? "2 hang" : `${cell.connects} ms`, cell.dead, ...shown, ratio].join(
      " | "
    )
  } |`
}

const cells: Array<Cell> = []
for (const dead of ["none is there", "1 of 10", "all 10"] as const) {
  for (const connects of [1, 100, 1_000, "hanging"] as const) {
    for (const borrowers of [1, 10, 50, 200]) cells.push({ borrowers, connects, dead })
  }
}

console.log(`| borrowers | connecting | idle items dead | ${names.join(" | ")} | ours to the best |`)
console.log(`|${"---|".repeat(names.length + 4)}`)
const rows = new Map<Cell, string>()
const hanging = cells.filter(({ connects }) => connects === "hanging")
for (const cell of cells) if (cell.connects !== "hanging") rows.set(cell, await row(cell))
for (let i = 0; i < hanging.length; i += 4) {
  await Promise.all(hanging.slice(i, i + 4).map(async (cell) => rows.set(cell, await row(cell))))
}
for (const cell of cells) console.log(rows.get(cell))
process.exit(0)
