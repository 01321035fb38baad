import { describe, expect, it } from "@effect/vitest"
import { DatabaseSync } from "@photostructure/sqlite"
import { Effect } from "effect"
import { existsSync, readdirSync, readlinkSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Connection, isBusy, sql } from "../src/Connection.js"

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "sqlite-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/** What this process has open below a directory, where the system tells. */
const openFiles = (directory: string): ReadonlyArray<string> =>
  !existsSync("/proc/self/fd") ? [] : readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(directory) ? [path] : []
    } catch {
      return []
    }
  })

describe("Connection", () => {
  it.scoped("a Connection reads all kinds of values in the order of the query", () =>
    Effect.gen(function*() {
      const connection = new Connection(join(yield* directory, "db"))
      connection.exec("CREATE TABLE names (name TEXT, n INTEGER)")
      const names = ["it's", "\"quoted\"", "'; DROP TABLE names; --", "line\nbreak", "ünïcode 🙂", ""]
      names.forEach((name, n) => connection.exec(sql`INSERT INTO names VALUES (${name}, ${n})`))
      const inOrder = (order: string) =>
        connection.rows<{ readonly name: string; readonly n: number }>(
          `SELECT json_object('name', name, 'n', n) FROM names ORDER BY n ${order}`
        )
      expect(inOrder("ASC")).toEqual(names.map((name, n) => ({ name, n })))
      expect(inOrder("DESC").map(({ name }) => name)).toEqual([...names].reverse())
      expect(connection.rows(sql`SELECT json_object('n', n) FROM names WHERE name = ${"it's"}`)).toEqual([{ n: 0 }])
      connection.close()
    }))

  it.scoped("a closed Connection leaves no handle open and no file beside the database", () =>
    Effect.gen(function*() {
      const path = yield* directory
      const connection = new Connection(join(path, "db"))
      connection.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (n); INSERT INTO t VALUES (1)")
      expect(connection.rows("SELECT json_object('n', n) FROM t")).toEqual([{ n: 1 }])
      expect(readdirSync(path)).toContain("db-wal")
      connection.close()
      expect(readdirSync(path)).toEqual(["db"])
      expect(openFiles(path)).toEqual([])
    }))

  it.scoped("the driver's own prepared statements keep the file open; when they no longer do, this is not needed", () =>
    Effect.gen(function*() {
      const path = yield* directory
      const database = new DatabaseSync(join(path, "db"))
      database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (n)")
      const statement = database.prepare("SELECT n FROM t")
      statement.all()
      database.close()
      expect(readdirSync(path)).toContain("db-wal")
      expect(statement).toBeDefined()
    }))

  it.scoped("a Connection fails while another process has the file", () =>
    Effect.gen(function*() {
      const path = join(yield* directory, "db")
      const [one, other] = [new Connection(path), new Connection(path)]
      one.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (n)")
      other.exec("BEGIN; SELECT n FROM t")
      const leaveWal = () => one.exec("PRAGMA journal_mode = DELETE")
      try {
        leaveWal()
        expect.unreachable()
      } catch (error) {
        expect(isBusy(error)).toBe(true)
      }
      other.close()
      leaveWal()
      one.close()
    }))
})
