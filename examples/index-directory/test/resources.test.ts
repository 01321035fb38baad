/** The application's resources one by one, each the real thing. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { Effect, Layer, Ref } from "effect"
import { execFile } from "node:child_process"
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import * as Classifier from "../src/Classifier.js"
import * as HashWorkers from "../src/HashWorkers.js"
import * as HttpServer from "../src/HttpServer.js"
import * as Output from "../src/Output.js"
import * as ProgressDisplay from "../src/ProgressDisplay.js"
import * as SqliteIndex from "../src/SqliteIndex.js"
import * as StagingDirectory from "../src/StagingDirectory.js"
import * as TargetFile from "../src/TargetFile.js"
import { filesBelow } from "../src/Walk.js"

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "index-resources-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)
const helpers = Layer.mergeAll(HashWorkers.layer({ deaf: false }), Classifier.layer({ deaf: false })).pipe(
  Layer.provide(ResourceRegistry.layer)
)
const isRoot = process.getuid?.() === 0

describe("HashWorkers and Classifier", () => {
  it.scopedLive("a file that has gone, or has become a pipe, is an error of that file, and never a wait", () =>
    Effect.gen(function*() {
      const path = yield* directory
      const pipe = join(path, "pipe")
      yield* Effect.promise(() => promisify(execFile)("mkfifo", [pipe]))
      const { hash } = yield* HashWorkers.HashWorkers
      const { classify } = yield* Classifier.Classifier
      const missing = join(path, "missing")
      for (
        const look of [(file: string) => Effect.asVoid(hash(file)), (file: string) => Effect.asVoid(classify(file))]
      ) {
        const message = (file: string) => Effect.map(Effect.flip(look(file)), (error) => error.message)
        expect(yield* message(missing)).toBe(`${missing}: ENOENT: no such file or directory`)
        expect(yield* message(pipe)).toBe(`${pipe}: not a regular file`)
      }
    }).pipe(Effect.provide(helpers)))

  it.scopedLive("a file without permission is an error of that file", () =>
    Effect.gen(function*() {
      const secret = join(yield* directory, "secret")
      yield* Effect.promise(() => writeFile(secret, "secret"))
      yield* Effect.promise(() => chmod(secret, 0))
      const { hash } = yield* HashWorkers.HashWorkers
      const told = yield* Effect.match(hash(secret), {
        onFailure: ({ message }) => message,
        onSuccess: ({ size }) => `${size} bytes`
      })
      // Nothing is closed to root.
      expect(told).toBe(isRoot ? "6 bytes" : `${secret}: EACCES: permission denied`)
    }).pipe(Effect.provide(helpers)))
})

describe("Walk", () => {
  it.scopedLive("Walk leaves out the files of the application itself", () =>
    Effect.gen(function*() {
      const path = yield* directory
      const [theirs, ours] = [join(path, "theirs"), join(path, "ours")]
      yield* Effect.promise(() => Promise.all([theirs, ours].map((file) => writeFile(file, ""))))
      expect(yield* filesBelow(path, (file) => file === ours)).toEqual({ files: [theirs], unreadable: [] })
    }))
})

describe("TargetFile", () => {
  const take = (path: string) =>
    Effect.map(TargetFile.TargetFile, ({ partial }) => partial).pipe(
      Effect.provide(Layer.provide(TargetFile.layer(path), ResourceRegistry.layer))
    )

  it.scopedLive("TargetFile is taken at once, and given back where nothing was published", () =>
    Effect.gen(function*() {
      const path = join(yield* directory, "index")
      expect(yield* take(path)).toContain(path)
      expect(yield* Effect.promise(() => readdir(dirname(path)))).toEqual([])
    }))

  it.effect.each([
    ["/dev/full", "/dev/full: is there already, and is not a regular file"],
    ["/proc/index", "/proc/index: ENOENT: no such file or directory"],
    [tmpdir(), `${tmpdir()}: is there already, and is not a regular file`]
  ])("%s is refused", ([path, message]) =>
    Effect.gen(function*() {
      expect((yield* Effect.flip(take(path!))).message).toBe(message)
    }))
})

describe("HttpServer", () => {
  const silent: Output.Sink = { on: () => silent, write: () => true }
  const closed = Ref.unsafeMake(false)
  const services = HttpServer.layer({ onClose: Ref.set(closed, true) }).pipe(
    Layer.provideMerge(Layer.merge(SqliteIndex.layer, ProgressDisplay.layer)),
    Layer.provideMerge(StagingDirectory.layer),
    Layer.provide(Layer.merge(ResourceRegistry.layer, Layer.succeed(Output.Output, Output.make(silent, silent))))
  )
  const row = (path: string) => ({ path, size: 1, hash: "0".repeat(64), kind: "text", lines: 0 }) as const

  it.live("HttpServer serves the index while it is built, and does not wait for a kept connection", () =>
    Effect.gen(function*() {
      const { count } = yield* Effect.gen(function*() {
        const { url } = yield* HttpServer.HttpServer
        const index = yield* SqliteIndex.SqliteIndex
        const count = Effect.promise(async () =>
          ((await (await fetch(`${url}/files`)).json()) as { count: number }).count
        )
        const before = yield* count
        yield* index.insert([row("a"), row("b")])
        const exit = yield* Effect.flip(index.insert([row("c"), row("a")]))
        expect(exit._tag).toBe("IndexError")
        return { count: [before, yield* count] }
      }).pipe(Effect.provide(services))
      expect(count).toEqual([0, 2])
      expect(yield* Ref.get(closed)).toBe(true)
    }))
})
