/** Runs an example as an ES module of its own and compares what it showed with what its `// =>` comments say. */
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import path from "node:path"
import { format, inspect } from "node:util"
import { type Expectation, instrument } from "./assertions.js"
import type { Example } from "./examples.js"

type Shown = ReadonlyArray<string>

/** What an instrumented example calls for its expectation `index`. */
interface Recorder {
  readonly value: (index: number) => <A>(value: A) => A
  readonly log: (index: number) => (...values: ReadonlyArray<unknown>) => void
  readonly effect: (index: number) => (...values: ReadonlyArray<unknown>) => Effect.Effect<void>
}

/**
 * By the path of the generated module, which takes its own on load.
 *
 * @public
 */
export const recorders = new Map<string, Recorder>()

/** Quotes and the spacing that `util.inspect` gives to lists and records are not what an example is about. */
const normalize = (text: string) =>
  text.replaceAll("'", "\"").replace(/\s+/g, " ").replace(/ ?([[\](){},]) ?/g, "$1").trim()

const mismatches = (example: Example, expectations: ReadonlyArray<Expectation>, shown: ReadonlyArray<Array<Shown>>) =>
  expectations.flatMap(({ line, text }, index) => {
    const at = `${example.file}:${example.line + line}`
    if (shown[index].length === 0) return [`${at}: never reached, so never // => ${text.trim()}`]
    return shown[index]
      .filter((renderings) => !renderings.map(normalize).includes(normalize(text)))
      .map(([rendering]) => `${at}: expected // => ${text.trim()}\n  but it is // => ${rendering}`)
  })

export const run = async (example: Example, folder: string): Promise<void> => {
  const { code, expectations } = instrument(example.code)
  const shown = expectations.map((): Array<Shown> => [])
  const log = (index: number) => (...values: ReadonlyArray<unknown>) => {
    shown[index].push([format(...values)])
  }
  const recorder: Recorder = {
    value: (index) => (value) => {
      shown[index].push([inspect(value, { breakLength: Number.POSITIVE_INFINITY }), format(value)])
      return value
    },
    log,
    effect: (index) => (...values) => Effect.sync(() => log(index)(...values))
  }

  const file = path.join(folder, `${example.file.replaceAll(/[^\w.]/g, "-")}-${example.line}.ts`)
  const recorderModule = path.relative(folder, import.meta.filename).replaceAll(path.sep, "/").replace(/\.ts$/, ".js")
  const header = `import { recorders as $recorders } from "${recorderModule}"; ` +
    `const $doc = $recorders.get(${JSON.stringify(file)})!`
  // The example keeps its line numbers, so that a stack trace points into the document.
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, `${header}${"\n".repeat(example.line)}${code}\n`)
  recorders.set(file, recorder)
  try {
    await import(/* @vite-ignore */ file)
  } finally {
    recorders.delete(file)
  }
  const wrong = mismatches(example, expectations, shown)
  if (wrong.length > 0) throw new Error(wrong.join("\n"))
}
