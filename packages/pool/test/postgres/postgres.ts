/** A real PostgreSQL server: the one that is there, or one of the test's own, and connections as an application opens them. */
import { Data, Effect } from "effect"
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client, type ClientConfig } from "pg"
import { postgres } from "../../../../scripts/testing/postgres.js"

export class PostgresError extends Data.TaggedError("PostgresError")<{
  readonly operation: "connect" | "query" | "end"
  /** PostgreSQL's, or Node's: `57P01`, `ECONNREFUSED`. Undefined where the connection is simply gone. */
  readonly code: string | undefined
  readonly message: string
}> {}

const failed = (operation: PostgresError["operation"]) => (cause: unknown): PostgresError => {
  const { code, message } = cause as { readonly code?: string; readonly message: string }
  return new PostgresError({ operation, code, message: message || String(code) })
}

export type Settings = ClientConfig

export const shared: Settings = postgres

/** A connection; when it is given up, what has been opened by then is closed. */
export const connect = (settings: Settings): Effect.Effect<Client, PostgresError> =>
  Effect.async((resume) => {
    const client = new Client(settings)
    // An idle connection that is lost says so here, and Node would end the process for it.
    client.on("error", () => {})
    client.connect().then(
      () => resume(Effect.succeed(client)),
      (error) => resume(Effect.fail(failed("connect")(error)))
    )
    return Effect.ignore(disconnect(client))
  })

export const disconnect = (client: Client): Effect.Effect<void, PostgresError> =>
  Effect.tryPromise({ try: () => client.end(), catch: failed("end") })

export const query = (
  client: Client,
  sql: string,
  values: ReadonlyArray<unknown> = []
): Effect.Effect<ReadonlyArray<Record<string, unknown>>, PostgresError> =>
  Effect.tryPromise({
    try: async () => (await client.query(sql, [...values])).rows as ReadonlyArray<Record<string, unknown>>,
    catch: failed("query")
  })

/** Whether a failed query leaves a connection that can be used. */
export const isLost = ({ code }: PostgresError): boolean => code === undefined || /^(08|57P|E[A-Z])/.test(code)

/** How many connections the server counts for an application. */
export const counted = (settings: Settings, name: string): Effect.Effect<number, PostgresError> =>
  Effect.acquireUseRelease(
    connect(settings),
    (client) =>
      Effect.map(
        query(client, "select count(*)::int as n from pg_stat_activity where application_name = $1", [name]),
        ([row]) => row!["n"] as number
      ),
    (client) => Effect.ignore(disconnect(client))
  )

const binaries = "/usr/lib/postgresql"

/** Where the server's programs are, as Debian installs them. */
const installed = (): string | undefined => {
  const newest = existsSync(binaries) ? readdirSync(binaries).sort().at(-1) : undefined
  return newest === undefined ? undefined : join(binaries, newest, "bin")
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })

export interface OwnServer {
  readonly settings: Settings
  readonly start: () => void
  /** At once, connections and all. */
  readonly stop: () => void
  readonly remove: () => void
}

/** A server of the test's own, stopped at first; undefined where its programs are not installed. */
export const ownServer = async (maxConnections: number): Promise<OwnServer | undefined> => {
  const bin = installed()
  if (bin === undefined) {
    if (process.env["PATINOX_REQUIRE_POSTGRES"] === "1") throw new Error(`No PostgreSQL programs in ${binaries}`)
    return undefined
  }
  // The server refuses to run as root.
  const isRoot = process.getuid?.() === 0
  const number = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }))
  const as = isRoot ? { uid: number("-u"), gid: number("-g") } : {}
  const folder = mkdtempSync(join(tmpdir(), "patinox-postgres-"))
  if (isRoot) execFileSync("chown", ["postgres", folder])
  const data = join(folder, "data")
  const run = (program: string, ...args: ReadonlyArray<string>) =>
    void execFileSync(join(bin, program), args, { ...as, cwd: folder, stdio: "ignore" })
  run("initdb", "--pgdata", data, "--username", "postgres", "--auth", "trust", "--no-sync")
  const port = await freePort()
  const limits = `-c max_connections=${maxConnections} -c superuser_reserved_connections=0 -c max_wal_senders=0`
  const options = `-p ${port} -h 127.0.0.1 -k ${folder} -c fsync=off ${limits}`
  let isRunning = false
  const stop = () => {
    if (!isRunning) return
    isRunning = false
    run("pg_ctl", "--pgdata", data, "--mode", "immediate", "--wait", "stop")
  }
  return {
    settings: { host: "127.0.0.1", port, user: "postgres", database: "postgres" },
    start: () => {
      run("pg_ctl", "--pgdata", data, "--wait", "--log", join(folder, "log"), "--options", options, "start")
      isRunning = true
    },
    stop,
    remove: () => {
      stop()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
