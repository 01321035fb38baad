/**
 * `npx tsx --conditions=source examples/file-handles/src/main.ts`: thousands of files, read through 64 handles. Without that
 * bound, and with few files allowed, as by `ulimit -n 120`, it fails: `--max-open Infinity`.
 */
import { ResourceRegistry } from "@patinox/core"
import * as NodeRuntime from "@patinox/platform-node/NodeRuntime"
import { Effect, Random } from "effect"
import { parseArgs } from "node:util"
import { Handles, layer } from "./Files.js"
import { check, folder, recordsPerFile, write } from "./Records.js"

const { values } = parseArgs({
  options: {
    files: { type: "string", default: "3000" },
    reads: { type: "string", default: "6000" },
    "max-open": { type: "string", default: "64" }
  }
})
const [files, reads, maxOpen] = [Number(values.files), Number(values.reads), Number(values["max-open"])]

const say = (line: string) => Effect.sync(() => console.log(line))

const read = (folder: string) =>
  Effect.gen(function*() {
    const pick = Effect.gen(function*() {
      // Some files are read far more often than others.
      const file = Math.floor(files * (yield* Random.next) ** 6)
      return yield* check(folder, file, yield* Random.nextIntBetween(0, recordsPerFile))
    })
    const answers = yield* Effect.all(Array.from({ length: reads }, () => pick), { concurrency: 200 })
    yield* say(`  ${answers.filter((isRight) => isRight).length} records are right`)
  })

const program = Effect.gen(function*() {
  const path = yield* folder
  yield* write(path, files)
  yield* say(`${files} files are read ${reads} times, at most ${maxOpen} open`)
  const handles = new Handles()
  yield* read(path).pipe(
    Effect.provide(layer(handles, { maxEntries: maxOpen })),
    Effect.tapError((error) => say(`  ${error._tag}: ${error.message.replace(path, "")}`)),
    Effect.ensuring(
      Effect.suspend(() => say(`  opened ${handles.opened} times, ${handles.most} at once; ${handles.open} open now`))
    )
  )
})

NodeRuntime.runMain(
  program.pipe(Effect.scoped, Effect.withRandom(Random.make("reads")), Effect.provide(ResourceRegistry.layer)),
  { disableErrorReporting: true }
)
