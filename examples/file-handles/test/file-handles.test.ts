/** Real files. Every scene ends with none of them open. */
import { describe, expect } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { it } from "@patinox/vitest"
import { Deferred, Effect, Fiber, type Scope, TestClock } from "effect"
import { existsSync, readdirSync, readlinkSync } from "node:fs"
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { bundle, type Ended, Process } from "../../process/src/Process.js"
import { Files, Handles, layer, readAt } from "../src/Files.js"
import { check, folder, pathOf, recordsPerFile, write } from "../src/Records.js"

/** Lets the file system have its turn, whatever the clock says. */
const turn = Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)))
const until = (isReached: () => boolean): Effect.Effect<void> =>
  Effect.flatMap(turn, () => isReached() ? Effect.void : until(isReached))

/** What this process has open below a folder, where the system tells. */
const openBelow = (folder: string): number =>
  !existsSync("/proc/self/fd") ? 0 : readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder)
    } catch {
      return false
    }
  }).length

/** On as many files, with a few handles. */
const scene = <E>(
  { files, maxEntries }: { readonly files: number; readonly maxEntries: number },
  body: (path: string, handles: Handles) => Effect.Effect<void, E, Files | Scope.Scope>
) =>
  Effect.gen(function*() {
    const path = yield* folder
    yield* write(path, files)
    const handles = new Handles()
    yield* Effect.scoped(body(path, handles)).pipe(Effect.provide(layer(handles, { maxEntries })))
    expect({ counted: handles.open, open: openBelow(path) }).toEqual({ counted: 0, open: 0 })
    expect(handles.most).toBeLessThanOrEqual(maxEntries)
  }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer))

describe("files read through a few handles", () => {
  it.leakFree("files read through a few handles give each reader its own record, within the bound of open files", () =>
    scene({ files: 100, maxEntries: 8 }, (path, handles) =>
      Effect.gen(function*() {
        let most = 0
        const places = Array.from({ length: 1_000 }, (_, n) => [n % 100, n % recordsPerFile] as const)
        const answers = yield* Effect.forEach(places, ([file, record]) =>
          Effect.tap(check(path, file, record), () =>
            Effect.sync(() => {
              most = Math.max(most, openBelow(path))
            })), { concurrency: "unbounded" })
        expect(answers.every((isRight) =>
          isRight
        )).toBe(true)
        expect(most).toBeLessThanOrEqual(8)
        expect(handles).toMatchObject({ open: 8, most: 8 })
      })))

  it.leakFree("a file read by many at once through a few handles is opened once", () =>
    scene({ files: 1, maxEntries: 8 }, (path, handles) =>
      Effect.gen(function*() {
        const places = Array.from({ length: 100 }, (_, n) => n % recordsPerFile)
        yield* Effect.forEach(places, (record) => check(path, 0, record), { concurrency: "unbounded" })
        expect(handles).toMatchObject({ opened: 1, open: 1 })
      })))

  it.leakFree("files read through a few handles are not closed during a read: a reader without room waits until its deadline", () =>
    scene({ files: 2, maxEntries: 1 }, (path, handles) =>
      Effect.gen(function*() {
        const files = yield* Files
        const [began, done] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const reader = yield* Effect.fork(files.use(pathOf(path, 0), (handle) =>
          Effect.gen(function*() {
            yield* Deferred.succeed(began, undefined)
            yield* Deferred.await(done)
            return (yield* Effect.promise(() => handle.read(Buffer.alloc(6), 0, 6, 0))).buffer.toString()
          })))
        yield* Deferred.await(began)
        const late = yield* Effect.fork(Effect.flip(check(path, 1, 0)))
        yield* TestClock.adjust("30 seconds")
        expect(yield* Fiber.join(late)).toMatchObject({ _tag: "CacheTimeout", stage: "room", limitMillis: 30_000 })
        const patient = yield* Effect.fork(check(path, 1, 0))
        yield* Effect.yieldNow()
        expect(handles).toMatchObject({ opened: 1, open: 1 })
        yield* Deferred.succeed(done, undefined)
        expect(yield* Fiber.join(reader)).toBe("file 0")
        expect(yield* Fiber.join(patient)).toBe(true)
        expect(handles).toMatchObject({ opened: 2, open: 1 })
      })))

  it.leakFree("files read through a few handles that cannot be opened say why, and are tried again by the next", () =>
    scene({ files: 1, maxEntries: 8 }, (path, handles) =>
      Effect.gen(function*() {
        const late = pathOf(path, 1)
        const error = yield* Effect.flip(readAt(late, 0, 4))
        expect([error._tag, error.message]).toEqual(["FileError", `${late}: ENOENT`])
        expect(handles.open).toBe(0)
        yield* Effect.promise(() => writeFile(late, "here"))
        expect((yield* readAt(late, 0, 4)).toString()).toBe("here")
      })))

  it.leakFree("files read through a few handles are closed when the readers are interrupted in the middle", () =>
    scene({ files: 100, maxEntries: 8 }, (path, handles) =>
      Effect.gen(function*() {
        const places = Array.from({ length: 1_000 }, (_, n) => n % 100)
        const reading = yield* Effect.fork(
          Effect.forEach(places, (file) => check(path, file, 0), { concurrency: "unbounded" })
        )
        yield* until(() => handles.opened >= 20)
        yield* Fiber.interrupt(reading)
        expect(yield* check(path, 99, 0)).toBe(true)
      })))
})

describe("as a process that may have 120 files open", { concurrent: true }, () => {
  let shipped: string
  beforeAll(async () => {
    shipped = await mkdtemp(join(tmpdir(), "file-handles-test-"))
    await bundle(new URL("../src/main.ts", import.meta.url), join(shipped, "main.mjs"))
  })
  afterAll(() => rm(shipped, { recursive: true }))

  /** With a directory for temporary files of its own, which is empty again. */
  const run = (args: ReadonlyArray<string>, signalAt?: RegExp) =>
    Effect.acquireUseRelease(
      Effect.promise(() => mkdtemp(join(shipped, "tmp-"))),
      (TMPDIR) => {
        const program = [process.execPath, join(shipped, "main.mjs"), ...args]
        return Effect.acquireUseRelease(
          Effect.sync(() => new Process(["sh", "-c", `ulimit -n 120; exec "$0" "$@"`, ...program], { TMPDIR })),
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
        )
      },
      (path) => Effect.promise(() => rm(path, { recursive: true }))
    )

  it.live("file-handles as a process that may have 120 files open reads thousands of files through 64 handles, and closes them all", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run([])
      expect({ code, stderr, lines: stdout.split("\n") }).toEqual({
        code: 0,
        stderr: "",
        lines: [
          "3000 files are read 6000 times, at most 64 open",
          "  6000 records are right",
          expect.stringMatching(/^ {2}opened [1-5]\d{3} times, 64 at once; 0 open now$/),
          ""
        ]
      })
    }))

  it.live("a process that may have 120 files open fails without the bound, and closes them all", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run(["--max-open", "Infinity"])
      expect({ code, stderr, lines: stdout.split("\n") }).toEqual({
        code: 1,
        stderr: "",
        lines: [
          "3000 files are read 6000 times, at most Infinity open",
          expect.stringMatching(/^ {2}FileError: \/\d+\.records: EMFILE$/),
          expect.stringMatching(/^ {2}opened \d+ times, \d+ at once; 0 open now$/),
          ""
        ]
      })
    }))

  it.live("file-handles as a process that may have 120 files open leaves nothing when ended while it reads", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* run(["--reads", "1000000"], /files are read/)
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/, \d+ at once; 0 open now\n/) })
    }))
})
