/** A process that tries one change after the other in one Vitest, and tells its parent what the tests say. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { createVitest, type TestModule } from "vitest/node"
import type { Edit } from "./edit.js"
import { variable } from "./inMemory.js"

export interface Trial {
  /** `null`: the sources as they are. */
  readonly edit: Edit | null
  readonly tests: ReadonlyArray<string>
}

export interface Verdict {
  readonly isNoticed: boolean
  /** What noticed it, or what went wrong. */
  readonly by?: string | undefined
}

const folder = mkdtempSync(path.join(tmpdir(), "patinox-mutation-"))
const note = path.join(folder, "edit.json")
const change = (edit: Edit | null): void => writeFileSync(note, JSON.stringify(edit))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
process.on("disconnect", () => process.exit(0))

change(null)
process.env[variable] = note
const timeout = Number(process.argv[2] ?? 20_000)
// A file at a time: the parent decides how many of these processes there are.
const vitest = await createVitest("test", {
  watch: false,
  bail: 1,
  testTimeout: timeout,
  // A test that hangs leaves behind what hangs as it is taken down.
  hookTimeout: timeout,
  reporters: [{}],
  poolOptions: { forks: { minForks: 1, maxForks: 1, execArgv: ["--expose-gc"] } }
})

// Which project a test file belongs to is known after that only.
await vitest.globTestSpecifications()

const firstLine = (error: { readonly message: string } | undefined): string => error?.message.split("\n")[0] ?? ""

const verdictOf = (modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): Verdict => {
  const tests = modules.flatMap((module) => [...module.children.allTests()])
  const failed = tests.find((test) => test.result().state === "failed")
  if (failed !== undefined) {
    return {
      isNoticed: true,
      by: `${path.basename(failed.module.moduleId)}: ${failed.fullName}: ${firstLine(failed.result().errors?.[0])}`
    }
  }
  const outside = [...modules.flatMap((module) => module.errors()), ...errors as ReadonlyArray<Error>][0]
  if (outside !== undefined) return { isNoticed: true, by: `outside a test: ${firstLine(outside)}` }
  const hasRun = tests.some((test) => test.result().state === "passed")
  return hasRun ? { isNoticed: false } : { isNoticed: false, by: "no test has run" }
}

const attempt = async ({ edit, tests }: Trial): Promise<Verdict> => {
  change(edit)
  const files = tests.map((test) => path.resolve(test))
  if (edit !== null) vitest.invalidateFile(path.resolve(edit.file))
  // What failed before would end this run at its first test.
  vitest.state.filesMap.clear()
  vitest.state.idMap.clear()
  const specifications = files.flatMap((file) => vitest.getModuleSpecifications(file))
  if (specifications.length < files.length) throw new Error(`no project has all of ${tests.join(", ")}`)
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications)
  change(null)
  if (edit !== null) vitest.invalidateFile(path.resolve(edit.file))
  return verdictOf(testModules, unhandledErrors)
}

process.on("message", (trial: Trial) => {
  attempt(trial).then(
    (verdict) => process.send!(verdict),
    (error) => process.send!({ isNoticed: false, by: String(error) } satisfies Verdict)
  )
})
process.send!("ready")
