/** A pool of real PostgreSQL connections beside the driver's own; where no server answers there is nothing to measure. */
import { ResourceRegistry } from "@patinox/core"
import { ResourcePool } from "@patinox/pool"
import { Effect, Exit } from "effect"
import { Client, Pool } from "pg"
import { type Family, percentile } from "../figure.js"
import { times } from "../paired.js"

const settings = { host: "127.0.0.1", port: 5432, user: "postgres", database: "test" }
const size = 8
const fibers = 64

const connect = Effect.acquireRelease(
  Effect.tryPromise(async () => {
    const client = new Client(settings)
    client.on("error", () => {})
    await client.connect()
    return client
  }),
  (client) => Effect.promise(() => client.end())
)

const theirPool = Effect.acquireRelease(
  Effect.sync(() => new Pool({ ...settings, max: size })),
  (pool) => Effect.promise(() => pool.end())
)

type Query = Effect.Effect<unknown, unknown>

/** How many a millisecond there are, and of how many milliseconds each, from asking to the answer, 99 % are below. */
const run = (query: Query, each: number) =>
  Effect.gen(function*() {
    const millis: Array<number> = []
    const timed = () =>
      Effect.suspend(() => {
        const asked = performance.now()
        return Effect.map(query, () => millis.push(performance.now() - asked))
      })
    const started = performance.now()
    yield* Effect.all(Array.from({ length: fibers }, () => times(each, timed)), {
      concurrency: "unbounded",
      discard: true
    })
    return { throughput: millis.length / (performance.now() - started), p99: percentile(millis, 0.99) }
  })

const compare = (rounds: number, each: number) =>
  Effect.gen(function*() {
    const pool = yield* ResourcePool.make(connect, { minSize: size, maxSize: size, leakThreshold: "1 minute" })
    const theirs = yield* theirPool
    const queries = {
      ours: pool.use((client) => Effect.tryPromise(() => client.query("select 1"))),
      theirs: Effect.tryPromise(() => theirs.query("select 1"))
    }
    const throughput: Array<number> = []
    const p99: Array<number> = []
    for (let round = -2; round < rounds; round++) {
      const first = round % 2 === 0 ? "ours" as const : "theirs" as const
      const results = { ours: { throughput: 0, p99: 0 }, theirs: { throughput: 0, p99: 0 } }
      for (const side of [first, first === "ours" ? "theirs" as const : "ours" as const]) {
        results[side] = yield* run(queries[side], each)
      }
      if (round < 0) continue
      // As of any other figure, less is better.
      throughput.push(results.theirs.throughput / results.ours.throughput)
      p99.push(results.ours.p99 / results.theirs.p99)
    }
    return { "pool-postgres": throughput, "pool-postgres-p99": p99 }
  })

export const family: Family = {
  ids: ["pool-postgres", "pool-postgres-p99"],
  processes: 3,
  measure: async ({ quick }) => {
    const exit = await Effect.runPromiseExit(Effect.scoped(connect))
    if (Exit.isFailure(exit)) return {}
    return Effect.runPromise(
      compare(quick ? 3 : 5, quick ? 50 : 150).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer))
    )
  }
}
