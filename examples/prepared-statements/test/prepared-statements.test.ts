/** A real database. Every scene ends with its file closed, which it is only if every statement was finalized. */
import { describe, expect } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { it } from "@patinox/vitest"
import { Deferred, Effect, Fiber, type Scope } from "effect"
import sqlite from "node-sqlite3-wasm"
import { existsSync, readdirSync, readlinkSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runMain } from "../../process/src/runMain.js"
import { all, type Database, forEach, layer, run, Statements } from "../src/Statements.js"

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "prepared-statements-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/** What this process has open below a folder, where the system tells. */
const openBelow = (folder: string): ReadonlyArray<string> =>
  !existsSync("/proc/self/fd") ? [] : readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(folder) ? [path] : []
    } catch {
      return []
    }
  })

const scene = <E>(
  settings: Parameters<typeof layer>[1],
  body: Effect.Effect<void, E, Database | Statements | Scope.Scope>
) =>
  Effect.gen(function*() {
    const path = yield* folder
    yield* Effect.scoped(body).pipe(Effect.provide(layer(join(path, "db"), settings)))
    expect(openBelow(path)).toEqual([])
    expect(readdirSync(path)).toEqual(["db"])
  }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer))

const stats = Effect.flatMap(Statements, ({ stats }) => stats)
/** Who evicts or invalidates a statement does not wait for its end. */
const isFinalized = (statement: sqlite.Statement): Effect.Effect<void> =>
  Effect.flatMap(Effect.yieldNow(), () => statement.isFinalized ? Effect.void : isFinalized(statement))
const invalidate = (sql: string) => Effect.flatMap(Statements, (statements) => statements.invalidate(sql))
/** The statement of a text, which may be finalized afterwards. */
const statementOf = (sql: string) =>
  Effect.flatMap(Statements, ({ use }) => use(sql, ({ statement }) => Effect.succeed(statement)))

const numbers = (count: number) =>
  Effect.andThen(
    run("CREATE TABLE numbers (n INTEGER)"),
    Effect.forEach(Array.from({ length: count }), (_, n) => run("INSERT INTO numbers VALUES (?)", n))
  )
const select = "SELECT n FROM numbers ORDER BY n"
const rowsOf = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))

describe("a prepared statement", () => {
  it.leakFree("a prepared statement is prepared once for all that use its text", () =>
    scene(
      {},
      Effect.gen(function*() {
        yield* numbers(100)
        expect(yield* all("SELECT count(*) AS count FROM numbers")).toEqual([{ count: 100 }])
        expect(yield* stats).toMatchObject({ hits: 99, misses: 3, loads: 3, entries: 3, inUse: 0 })
      })
    ))

  it.leakFree("a prepared statement is finalized when it is evicted, so that the bound holds", () =>
    scene(
      { maxEntries: 4 },
      Effect.gen(function*() {
        const first = yield* statementOf("SELECT 0 AS n")
        for (let n = 1; n < 4; n++) yield* all(`SELECT ${n} AS n`)
        expect(first.isFinalized).toBe(false)
        expect(yield* all("SELECT 4 AS n")).toEqual([{ n: 4 }])
        expect(first.isFinalized).toBe(true)
        expect(yield* stats).toMatchObject({ entries: 4, releasing: 0, removals: { evicted: 1 } })
        expect(yield* all("SELECT 0 AS n")).toEqual([{ n: 0 }])
      })
    ))

  it.leakFree("a prepared statement takes room by the length of its text", () =>
    scene(
      { maxWeight: 100 },
      Effect.gen(function*() {
        const first = yield* statementOf("SELECT 0 AS n")
        const other = yield* statementOf("SELECT 1 AS n")
        yield* all(`SELECT ${"1 + ".repeat(18)}2 AS n`)
        yield* isFinalized(first)
        expect(other.isFinalized).toBe(false)
        expect((yield* stats).weight).toBeLessThanOrEqual(100)
      })
    ))

  it.leakFree("a prepared statement is not finalized while a user reads its rows, even after an invalidation", () =>
    scene(
      {},
      Effect.gen(function*() {
        yield* numbers(10)
        const old = yield* statementOf(select)
        const [began, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const found: Array<unknown> = []
        const reader = yield* Effect.fork(forEach(select, (row) =>
          Effect.gen(function*() {
            found.push(row)
            yield* Deferred.succeed(began, undefined)
            yield* Deferred.await(goOn)
          })))
        yield* Deferred.await(began)
        expect(yield* invalidate(select)).toBe(true)
        expect(yield* all(select)).toEqual(rowsOf(10))
        expect(old.isFinalized).toBe(false)
        yield* Deferred.succeed(goOn, undefined)
        yield* Fiber.join(reader)
        yield* isFinalized(old)
        expect(found).toEqual(rowsOf(10))
      })
    ))

  it.leakFree("a prepared statement steps through its rows for one user at a time", () =>
    scene(
      {},
      Effect.gen(function*() {
        yield* numbers(10)
        const through = Effect.suspend(() => {
          const found: Array<unknown> = []
          return Effect.as(
            forEach(select, (row) => Effect.andThen(Effect.sync(() => found.push(row)), Effect.yieldNow())),
            found
          )
        })
        const both = yield* Effect.all([through, through], { concurrency: "unbounded" })
        expect(both).toEqual([rowsOf(10), rowsOf(10)])
      })
    ))

  it.leakFree("a prepared statement that is left halfway is finalized, and keeps no table locked", () =>
    scene(
      {},
      Effect.gen(function*() {
        yield* numbers(10)
        const statement = yield* statementOf(select)
        expect(yield* Effect.flip(forEach(select, () => Effect.fail("enough" as const)))).toBe("enough")
        yield* isFinalized(statement)
        yield* run("DROP TABLE numbers")
      })
    ))

  it.leakFree("a prepared statement that cannot be prepared says why, and is tried again by the next", () =>
    scene(
      {},
      Effect.gen(function*() {
        const error = yield* Effect.flip(all(select))
        expect([error._tag, error.message]).toEqual(["SqlError", `no such table: numbers: ${select}`])
        yield* numbers(1)
        expect(yield* all(select)).toEqual([{ n: 0 }])
      })
    ))

  it.leakFree("a prepared statement that was not evicted is finalized before the database is closed", () =>
    Effect.gen(function*() {
      let kept: sqlite.Statement | undefined
      yield* scene(
        {},
        Effect.gen(function*() {
          kept = yield* statementOf("SELECT 1 AS n")
          expect(kept.isFinalized).toBe(false)
        })
      )
      expect(kept!.isFinalized).toBe(true)
    }))

  it.scoped("a prepared statement that is never finalized keeps the file open after the database is closed", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const database = new sqlite.Database(join(path, "db"))
      database.run("CREATE TABLE t (n)")
      const statement = database.prepare("SELECT n FROM t")
      database.close()
      if (existsSync("/proc/self/fd")) expect(openBelow(path)).toEqual([join(path, "db")])
      statement.finalize()
      expect(openBelow(path)).toEqual([])
    }))
})

describe("as a process", () => {
  it.live("prepared-statements as a process prints how many searches find their statement prepared", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* runMain(import.meta.url)
      const found = expect.stringMatching(/^ {2}\d\d\.\d % of 2000 searches found theirs prepared$/)
      const kept = expect.stringMatching(/^ {2}32 statements are kept, \d+ characters; \d+ were finalized$/)
      expect({ code, stderr, lines: stdout.split("\n") }).toEqual({
        code: 0,
        stderr: "",
        lines: ["the policy is lru", found, kept, "the policy is w-tinylfu", found, kept, ""]
      })
      const rates = [...stdout.matchAll(/([\d.]+) %/g)].map(([, rate]) => Number(rate))
      expect(rates[1]).toBeGreaterThan(rates[0]!)
    }))
})
