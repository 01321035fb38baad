/** Indexes every file of a directory: its size and SHA-256. The staging directory is a guard in a layer. */
import { CleanupReport, type ResourceEvent, ResourceGuard, ResourceMonitor, ResourceRegistry } from "@patinox/core"
import { Context, Data, Effect, Layer } from "effect"
import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

class FileError extends Data.TaggedError("FileError")<{ readonly path: string; readonly cause: unknown }> {
  override get message(): string {
    return `${this.path}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

const attempt = <A>(path: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new FileError({ path, cause }) })

class Staging extends Context.Tag("index-directory/Staging")<Staging, { readonly path: string }>() {}

const StagingLive = ResourceGuard.layer(
  Staging,
  attempt(tmpdir(), async () => ({ path: await mkdtemp(join(tmpdir(), "patinox-index-")) })),
  ({ path }) => attempt(path, () => rm(path, { recursive: true }))
)

const skipped = new Set(["node_modules", ".git", "dist"])

const filesIn = (directory: string): Effect.Effect<ReadonlyArray<string>, FileError> =>
  Effect.gen(function*() {
    const entries = yield* attempt(directory, () => readdir(directory, { withFileTypes: true }))
    const nested = yield* Effect.forEach(entries, (entry) => {
      const path = join(directory, entry.name)
      return entry.isDirectory()
        ? skipped.has(entry.name) ? Effect.succeed([]) : filesIn(path)
        : Effect.succeed(entry.isFile() ? [path] : [])
    })
    return nested.flat()
  })

const index = (directory: string) =>
  Effect.gen(function*() {
    const staging = yield* Staging
    const files = yield* filesIn(directory)
    const rows = yield* Effect.forEach(files, (path) =>
      attempt(path, () => readFile(path)).pipe(
        Effect.map((
          content
        ) => [{ path, size: content.length, hash: createHash("sha256").update(content).digest("hex") }]),
        Effect.catchTag("FileError", (error) => Effect.as(Effect.logWarning(`unreadable: ${error.message}`), []))
      ), { concurrency: 8 })
    const target = join(staging.path, "index.json")
    yield* attempt(target, () => writeFile(target, JSON.stringify(rows.flat())))
    console.log(`indexed ${rows.flat().length} of ${files.length} files in ${directory}`)
  })

const records: Array<CleanupReport.CleanupRecord> = []
const recorder = ResourceMonitor.make((event: ResourceEvent.ResourceEvent) =>
  Effect.sync(() => {
    if ("record" in event) records.push(event.record)
  })
)

const directory = resolve(process.argv[2] ?? ".")
const started = performance.now()

const program = index(directory).pipe(
  Effect.provide(StagingLive),
  Effect.provide(ResourceRegistry.layer.pipe(Layer.provide(ResourceMonitor.layer(recorder))))
)

const exit = await Effect.runPromiseExit(program)
console.log(CleanupReport.render(CleanupReport.make({
  records,
  durationMillis: performance.now() - started,
  deadlineMillis: Infinity,
  deadlineReached: false
})))
if (exit._tag === "Failure") {
  console.error(String(exit.cause))
  process.exitCode = 1
}
