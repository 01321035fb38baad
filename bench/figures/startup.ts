/** What `runMain` adds to the time from the start of a process to its end, beside Effect's. */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import path from "node:path"
import type { Family } from "../figure.js"

// The script of this process is in `node_modules/.cache/patinox/bench`.
const root = path.resolve(path.dirname(process.argv[1]), "../../../..")
const folder = path.join(root, "node_modules/.cache/patinox/startup")

const run = (command: string, args: ReadonlyArray<string>): void => {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" })
  if (status !== 0) throw new Error(stderr)
}

const esbuild = (...args: ReadonlyArray<string>): void =>
  run(path.join(root, "node_modules/.bin/esbuild"), [
    ...args,
    "--format=esm",
    "--platform=node",
    "--target=node20",
    "--log-level=error"
  ])

/** The packages as they are installed, file by file, where nothing else is found before them. */
const install = (): void => {
  for (const name of ["core", "platform", "platform-node"]) {
    const from = path.join(root, "packages", name)
    const to = path.join(folder, "node_modules/@patinox", name)
    mkdirSync(to, { recursive: true })
    cpSync(path.join(from, "package.json"), path.join(to, "package.json"))
    const files = readdirSync(path.join(from, "src"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => path.join(from, "src", file))
    esbuild(...files, `--outbase=${path.join(from, "src")}`, `--outdir=${path.join(to, "dist")}`)
  }
}

/** Imports as nearly every app does; and the runtimes by their own path, as an index loads a whole platform. */
const write = (name: string, from: string, effect: string): string => {
  const script = path.join(folder, `${name}.mjs`)
  writeFileSync(
    script,
    `import { Effect } from "effect"\nimport * as NodeRuntime from "${from}/NodeRuntime"\nNodeRuntime.runMain(${effect})\n`
  )
  return script
}

/** Each runtime as one file with its app, with Effect as it is installed. */
const bundle = (script: string): string => {
  const outfile = script.replace(".mjs", "-bundled.mjs")
  esbuild(script, "--bundle", `--outfile=${outfile}`, "--external:effect", "--external:effect/*")
  return outfile
}

const millisOf = (script: string): number => {
  const started = performance.now()
  run(process.execPath, [script])
  return performance.now() - started
}

const theirs = "@effect/platform-node"
const ours = "@patinox/platform-node"
const finalizer = "Effect.addFinalizer(() => Effect.void)"

export const family: Family = {
  ids: ["startup", "startup-closing", "startup-files"],
  measure: async ({ quick }) => {
    rmSync(folder, { recursive: true, force: true })
    install()
    const files = [write("theirs", theirs, "Effect.void"), write("ours", ours, "Effect.void")] as const
    const closing = [
      write("theirs-closing", theirs, `Effect.scoped(${finalizer})`),
      write("ours-closing", ours, finalizer)
    ] as const
    const pairs = {
      "startup": [bundle(files[0]), bundle(files[1])],
      "startup-closing": [bundle(closing[0]), bundle(closing[1])],
      "startup-files": files
    } as const
    const added: Record<string, Array<number>> = { "startup": [], "startup-closing": [], "startup-files": [] }
    for (let round = -1; round < (quick ? 5 : 15); round++) {
      for (const [id, [other, own]] of Object.entries(pairs)) {
        // Every round begins with the other side.
        const first = round % 2 === 0 ? millisOf(other) : 0
        const millis = millisOf(own)
        const difference = millis - (round % 2 === 0 ? first : millisOf(other))
        if (round >= 0) added[id].push(difference)
      }
    }
    return added
  }
}
