/** The pipeline on real files, one of them on a full disk, and against a real server with prepared answers. */
import { describe, expect, it } from "@effect/vitest"
import { CleanupError, PatinoxError, ResourceRegistry } from "@patinox/core"
import { Effect, Layer, Logger, Option, type Scope } from "effect"
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { append, JournalError } from "../src/Journal.js"
import { make } from "../src/orders.js"

/** Answers with the statuses in turn. */
const serverThatAnswers = (...statuses: ReadonlyArray<number>) => {
  const left = [...statuses]
  const server = createServer((_, response) => response.writeHead(left.shift() ?? 418, { "retry-after": "7" }).end())
  return Effect.acquireRelease(
    Effect.async<{ readonly endpoint: string; readonly left: ReadonlyArray<number> }>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ endpoint: `http://127.0.0.1:${port}/orders`, left }))
      })
    }),
    () => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  )
}

const scene = (...statuses: ReadonlyArray<number>) =>
  Effect.gen(function*() {
    const directory = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "typed-pipeline-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true }))
    )
    const { endpoint, left } = yield* serverThatAnswers(...statuses)
    const config = { journal: join(directory, "journal"), spare: join(directory, "spare"), endpoint }
    return { config, left, contentOf: (path: string) => Effect.promise(() => readFile(path, "utf8")) }
  })

/** What the registry logs is not what is tested. */
const silent = Logger.remove(Logger.defaultLogger)

const live = (title: string, test: Effect.Effect<void, unknown, ResourceRegistry.ResourceRegistry | Scope.Scope>) =>
  it.scopedLive(title, () => Effect.provide(test, Layer.merge(ResourceRegistry.layer, silent)))

describe("ResourceGuard.use", () => {
  live(
    "a release that fails is a typed error of the pipeline, and can be caught by its tag",
    Effect.gen(function*() {
      const told = yield* append("/dev/full", ["one"]).pipe(
        Effect.as("written"),
        Effect.catchTag(
          "CleanupFailed",
          ({ error }) =>
            Effect.succeed(Option.match(error, { onNone: () => "a defect", onSome: (error) => error.message }))
        )
      )
      expect(told).toBe("/dev/full: ENOSPC: no space left on device, write")
    })
  )

  live(
    "becomes a PatinoxError that keeps the message and the error, and has a strategy",
    Effect.gen(function*() {
      const failed = yield* Effect.flip(append("/dev/full", ["one"]))
      if (!CleanupError.is(failed)) throw new Error("not a CleanupError")
      const error = CleanupError.toPatinoxError(failed)
      expect(error).toMatchObject({ _tag: "Execution", error: { _tag: "ResourceExhausted", resource: "Journal" } })
      expect(error.message).toBe(failed.message)
      expect(error.cause).toBe(failed)
      expect(PatinoxError.recoveryStrategy(error)).toBe("Fallback")
    })
  )

  live(
    "an acquire that fails is the acquire's own error",
    Effect.gen(function*() {
      expect(yield* Effect.flip(append("/does/not/exist", ["one"]))).toBeInstanceOf(JournalError)
    })
  )
})

describe("orders", () => {
  live(
    "nothing fails: the journal is written, and the other party told",
    Effect.gen(function*() {
      const { config, contentOf, left } = yield* scene(200)
      expect(yield* (yield* make(config))(["one", "two"])).toBe(2)
      expect(yield* contentOf(config.journal)).toBe("one\ntwo\n")
      expect(left).toEqual([])
    })
  )

  live(
    "Fallback: the disk is full, so the spare journal is written",
    Effect.gen(function*() {
      const { config, contentOf } = yield* scene(200)
      expect(yield* (yield* make({ ...config, journal: "/dev/full" }))(["one"])).toBe(1)
      expect(yield* contentOf(config.spare)).toBe("one\n")
    })
  )

  live(
    "Retry: a server that is unavailable is asked again, and the journal is not written again",
    Effect.gen(function*() {
      const { config, contentOf, left } = yield* scene(503, 503, 200)
      expect(yield* (yield* make(config))(["one"])).toBe(1)
      expect(yield* contentOf(config.journal)).toBe("one\n")
      expect(left).toEqual([])
    })
  )

  live(
    "CircuitBreak: a server that asks for a pause gets no further request",
    Effect.gen(function*() {
      const { config, left } = yield* scene(429, 200)
      const book = yield* make(config)
      const first = yield* Effect.flip(book(["one"]))
      expect(first.message).toBe(`${config.endpoint} limits the rate of requests; try again in 7 s`)
      expect(yield* Effect.flip(book(["two"]))).toBe(first)
      expect(left).toEqual([200])
    })
  )

  live(
    "Fail: an error that needs a person is reported at once",
    Effect.gen(function*() {
      const { config, left } = yield* scene(401, 200)
      const denied = yield* Effect.flip((yield* make(config))(["one"]))
      expect(denied).toMatchObject({ _tag: "Network", error: { _tag: "Unauthorized" } })
      const missing = yield* Effect.flip((yield* make({ ...config, journal: "/does/not/exist" }))(["one"]))
      expect(missing).toMatchObject({ _tag: "Configuration", message: "File not found: /does/not/exist" })
      expect(left).toEqual([200])
    })
  )

  it.live("the orders are booked, as far as they can be, in a process", () =>
    Effect.gen(function*() {
      const main = new URL("../src/main.ts", import.meta.url).pathname
      const args = ["--import", "tsx", "--conditions=source", main]
      const { stdout } = yield* Effect.promise(() => promisify(execFile)(process.execPath, args))
      const lines = stdout.split("\n").filter((line) => /^\w+: /.test(line))
      expect(lines).toEqual([
        "first: 1 booked (3 answers left)",
        "second: 1 booked (1 answers left)",
        expect.stringMatching(/^third: Network: .* limits the rate of requests; try again in 2 s \(0 answers left\)$/),
        expect.stringMatching(/^fourth: Network: .* \(0 answers left\)$/)
      ])
    }))
})
