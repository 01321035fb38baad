/** The same program with plain Effect and with a guard, on real files: a writable file, and a file on a full disk. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { Effect, Exit, Layer } from "effect"
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as after from "../src/after.js"
import * as before from "../src/before.js"
import { LogFileLive } from "../src/layer.js"
import { LogFile } from "../src/LogFile.js"

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "guard-layer-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)
const contentOf = (path: string) => Effect.promise(() => readFile(path, "utf8"))
const sourceOf = (name: string) => contentOf(new URL(`../src/${name}.ts`, import.meta.url).pathname)

describe("guard-layer", () => {
  it.effect("the sources before and after guard-layer differ in two lines and an import", () =>
    Effect.gen(function*() {
      const code = (text: string) => text.split("\n").filter((line) => !/^(\/\*\*|import)/.test(line))
      const [old, changed] = [code(yield* sourceOf("before")), code(yield* sourceOf("after"))]
      expect(changed.filter((line) => !old.includes(line))).toHaveLength(2)
      expect(old.filter((line) => !changed.includes(line))).toHaveLength(2)
    }))

  it.scoped("the program writes the log before and after guard-layer", () =>
    Effect.gen(function*() {
      const path = join(yield* directory, "log")
      yield* before.program(path, Effect.void)
      yield* after.program(path, Effect.void)
      expect(yield* contentOf(path)).toBe("started\nstarted\n")
    }))

  it.effect("guard-layer: on a full disk plain Effect loses the program's own error to a defect, a guard keeps it", () =>
    Effect.gen(function*() {
      const caught = <E>(program: Effect.Effect<unknown, E>) => Effect.exit(Effect.catchAll(program, Effect.succeed))
      const work = Effect.fail("the program's own")
      const lost = yield* caught(before.program("/dev/full", work))
      expect(Exit.isFailure(lost)).toBe(true)
      expect(yield* caught(after.program("/dev/full", work))).toEqual(Exit.succeed("the program's own"))
    }))

  it.effect("a fallback of guard-layer gets the unwritten lines", () =>
    Effect.gen(function*() {
      const rescued: Array<string> = []
      const layer = LogFileLive("/dev/full", (lines) => Effect.sync(() => void rescued.push(...lines)))
      yield* Effect.flatMap(LogFile, (log) => log.write("important")).pipe(
        Effect.provide(Layer.provide(layer, ResourceRegistry.layer))
      )
      expect(rescued).toEqual(["important"])
    }))

  it.live("the program before and after guard-layer prints its own error", () =>
    Effect.gen(function*() {
      const main = new URL("../src/main.ts", import.meta.url).pathname
      const args = ["--import", "tsx", "--conditions=source", main]
      const { stdout } = yield* Effect.promise(() => promisify(execFile)(process.execPath, args))
      expect(stdout).toMatch(/^before: the program's own error can no longer be caught$/m)
      expect(stdout).toMatch(/^after: the program's own error is caught: the order is not valid$/m)
    }))
})
