/** The program as a process: its story on both databases, and its end at any moment. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { isPostgresThere } from "../../../scripts/testing/postgres.js"
import { bundle, type Ended, Process } from "../../process/src/Process.js"
import { applicationName, leftOf } from "./postgres.js"

const postgresIsThere = await isPostgresThere()
const nothing = { connections: 0, schemas: 0 }

describe("as a process", { concurrent: true }, () => {
  const folder = fileURLToPath(new URL(`../../../.tmp/connections-${process.pid}`, import.meta.url))
  const script = join(folder, "main.mjs")
  beforeAll(() => bundle(new URL("../src/main.ts", import.meta.url), script))
  afterAll(() => rm(folder, { recursive: true, force: true }))

  /** In a directory for temporary files of its own, which is empty again. */
  const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>, signalAt?: RegExp) =>
    Effect.acquireUseRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "connections-test-"))),
      (TMPDIR) =>
        Effect.acquireUseRelease(
          Effect.sync(() => new Process([process.execPath, script, ...args], { ...env, TMPDIR })),
          (main) =>
            Effect.promise(async (): Promise<Ended> => {
              if (signalAt !== undefined) {
                await main.printed(signalAt)
                main.kill("SIGTERM")
              }
              const ended = await main.ended
              expect(await readdir(TMPDIR)).toEqual([])
              return ended
            }),
          (main) => Effect.sync(() => main.killGroup("SIGKILL"))
        ),
      (folder) => Effect.promise(() => rm(folder, { recursive: true }))
    )

  const story = (destroyed: unknown) => [
    "32 clients place 5 orders each",
    expect.stringMatching(/^ {2}over [1-4] connections$/),
    "  160 orders; 160 ordered and 840 in stock: 1000",
    "somebody orders more than there is",
    "  OutOfStock: There is less tea than 1001",
    "  160 orders; 160 ordered and 840 in stock: 1000",
    "every connection is in use",
    expect.stringMatching(/order late is noted: Pool .*: timed out after 150 ms waiting for an item .*\(total 4, /),
    "  an order is noted",
    "  1 placed when there are connections again",
    "an administrator ends the connections while orders are placed",
    "  321 orders; 321 ordered and 679 in stock: 1000",
    expect.stringMatching(/^the pool is drained: [1-4] destroyed, 0 failed, 0 reclaimed, 0 refused$/),
    destroyed,
    ""
  ]
  const linesOf = ({ code, stderr, stdout }: Ended) => ({ code, stderr, lines: stdout.split("\n") })

  it.live("connections as a process tells its story on SQLite, where nobody ends connections", () =>
    Effect.gen(function*() {
      const ended = linesOf(yield* run([], {}))
      expect(ended).toEqual({ code: 0, stderr: "", lines: story("destroyed: 4 drained") })
    }))

  it.live("connections as a process says which databases there are", () =>
    Effect.gen(function*() {
      const ended = yield* run(["--database", "oracle"], {})
      expect(ended).toEqual({
        code: 2,
        stdout: "",
        stderr: "--database is one of postgres, sqlite, and not oracle\n"
      })
    }))

  it.live("connections as a process does not start where no server is, and says so", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* run([], { DATABASE: "postgres", PGPORT: "1" })
      expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining("ECONNREFUSED 127.0.0.1:1") })
    }))

  describe.skipIf(!postgresIsThere)("on PostgreSQL", () => {
    it.live("connections on PostgreSQL tells its story, with connections that are ended", () =>
      Effect.gen(function*() {
        const name = applicationName()
        const ended = linesOf(yield* run(["--database", "postgres"], { PGAPPNAME: name }))
        const destroyed = expect.stringMatching(/^destroyed: .*\d+ failedUse/)
        expect(ended).toEqual({ code: 0, stderr: "", lines: story(destroyed) })
        expect(yield* leftOf(name)).toEqual(nothing)
      }))

    it.live.each([[/32 clients place/], [/every connection is in use/]])(
      "connections on PostgreSQL, ended after %s, leaves no connection and no table on the server",
      ([moment]) =>
        Effect.gen(function*() {
          const name = applicationName()
          const { code, stdout } = yield* run(["--database", "postgres"], { PGAPPNAME: name }, moment)
          expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("the pool is drained: ") })
          expect(stdout).toMatch(/Shut down in .* after SIGTERM/)
          expect(yield* leftOf(name)).toEqual(nothing)
        })
    )
  })
})
