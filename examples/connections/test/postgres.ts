/** The PostgreSQL server that the tests need, what it knows of us, and a network between it and us that fails as told. */
import { Effect, Schedule } from "effect"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { Client } from "pg"
import { postgres } from "../../../scripts/testing/postgres.js"

let names = 0

/** Nobody else's, also where tests run at the same time. */
export const applicationName = (): string => `connections_test_${process.pid}_${++names}`

const count = async (client: Client, sql: string, name: string): Promise<number> =>
  (await client.query(sql, [name])).rows[0].count

interface Left {
  readonly connections: number
  readonly schemas: number
}

const reading = (name: string): Effect.Effect<Left> =>
  Effect.promise(async () => {
    const client = new Client(postgres)
    await client.connect()
    try {
      const connections = "SELECT count(*)::int FROM pg_stat_activity WHERE application_name = $1"
      const schemas = "SELECT count(*)::int FROM pg_namespace WHERE starts_with(nspname, $1 || '_')"
      return { connections: await count(client, connections, name), schemas: await count(client, schemas, name) }
    } finally {
      await client.end()
    }
  })

/** What the server still has of an application, once it has had a moment to notice which connections are closed. */
export const leftOf = (name: string): Effect.Effect<Left> =>
  Effect.filterOrFail(reading(name), ({ connections }) => connections === 0, (left) => left).pipe(
    Effect.retry(Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(100))),
    Effect.merge
  )

class Network {
  private server: Server | undefined
  private readonly sockets = new Set<Socket>()
  private port = 0
  /** How many answers to a COMMIT are still to be lost, each with its connection. */
  lostCommits = 0

  get settings() {
    return { ...postgres, port: this.port }
  }

  readonly up = Effect.async<void>((resume) => {
    this.server = createServer((client) => this.join(client)).listen(this.port, postgres.host, () => {
      this.port = (this.server!.address() as AddressInfo).port
      resume(Effect.void)
    })
  })

  /** Every connection is reset, and no other is accepted. */
  readonly down = Effect.async<void>((resume) => {
    this.server!.close(() => resume(Effect.void))
    for (const socket of this.sockets) socket.resetAndDestroy()
  })

  private join(client: Socket): void {
    const server = connect(postgres.port, postgres.host)
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.sockets.add(socket)
      socket.on("error", () => other.destroy())
      socket.on("close", () => {
        this.sockets.delete(socket)
        other.destroy()
      })
    }
    client.on("data", (data) => server.write(data))
    server.on("data", (data) => {
      if (this.lostCommits > 0 && data.includes("COMMIT\0")) {
        this.lostCommits--
        client.resetAndDestroy()
      } else client.write(data)
    })
  }
}

export const network = Effect.acquireRelease(
  Effect.suspend(() => {
    const made = new Network()
    return Effect.as(made.up, made)
  }),
  ({ down }) => down
)
