/** Runs each example where it belongs: in a plain process, in vitest where it is the test kit's, or as a test file. */
import { execFile } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import path from "node:path"
import type { Example } from "./examples.js"
import { root } from "./repository.js"

/** The test kit loads vitest, and that refuses to be loaded outside of a test. */
export const needsVitest = ({ file }: Example): boolean => file.startsWith("packages/vitest/")

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const node = (args: ReadonlyArray<string>, input: string): Promise<Ended> =>
  new Promise((resolve) => {
    // Nothing of the vitest that runs this may show in the process.
    const { NODE_OPTIONS, VITEST, VITEST_MODE, VITEST_POOL_ID, VITEST_WORKER_ID, ...inherited } = process.env
    const env = { ...inherited, NO_COLOR: "1" }
    const child = execFile(
      process.execPath,
      [...args],
      { cwd: root, env, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
    )
    child.stdin!.end(input)
  })

/** What is wrong with each, by its place; `null` where nothing is. */
export const inPlainNode = async (
  examples: ReadonlyArray<Example>,
  folder: string
): Promise<ReadonlyArray<string | null>> => {
  const script = path.join(import.meta.dirname, "plainNode.ts")
  const { code, stderr, stdout } = await node(
    ["--import", "tsx", "--conditions=source", "--expose-gc", script, folder],
    JSON.stringify(examples)
  )
  if (code !== 0) throw new Error(`The examples' process ended with ${code}: ${stderr}`)
  return JSON.parse(stdout)
}

const config = `
const conditions = ["source", "module", "node", "development|production"]
export default { resolve: { conditions }, ssr: { resolve: { conditions } }, test: { include: ["*.test.ts"], watch: false } }
`

/** Runs the example as the one test file of a vitest of its own; gives what that printed where it failed. */
export const asTestFile = async ({ code, file, line }: Example): Promise<string | null> => {
  const folder = path.join(root, ".tmp/examples", `${file.replaceAll(/\W/g, "-")}-${line}`)
  mkdirSync(folder, { recursive: true })
  try {
    writeFileSync(path.join(folder, "example.test.ts"), code)
    writeFileSync(path.join(folder, "vitest.config.mjs"), config)
    const vitest = path.join(root, "node_modules/vitest/vitest.mjs")
    const ended = await node([vitest, "run", "--root", folder, "--config", path.join(folder, "vitest.config.mjs")], "")
    return ended.code === 0 ? null : ended.stdout + ended.stderr
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
