/** Runs the application as a process of its own, in a world of its own, and looks at it from outside. */
import { Effect } from "effect"
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { bundle, type Ended, Process } from "../../process/src/Process.js"
import { Connection } from "../../sqlite/src/Connection.js"

const main = new URL("../src/main.ts", import.meta.url)
const sources = dirname(main.pathname)
const tsx = join(dirname(createRequire(import.meta.url).resolve("tsx/package.json")), "dist/loader.mjs")

/** From the sources. Not by the command `tsx`, which kills who does not tell it of a signal within 60 ms. */
export const asStarted = [process.execPath, "--import", tsx, "--conditions=source", main.pathname]

const root = new URL("../../../", import.meta.url).pathname
const built = join(root, ".tmp", `index-directory-${process.pid}`)

export const asBuilt = [process.execPath, join(built, "main.mjs")]

export const build = async (): Promise<void> => {
  await bundle(main, asBuilt[1]!)
  for (const name of await readdir(sources)) {
    if (name.endsWith(".mjs")) await copyFile(join(sources, name), join(built, name))
  }
}

export const removeBuild = (): Promise<void> => rm(built, { recursive: true, force: true })

/** A directory to index, one for the index, and one for temporary files, with nothing else in them. */
export interface World {
  readonly files: string
  readonly out: string
  readonly target: string
  readonly temporary: string
  readonly write: (files: Readonly<Record<string, string | Buffer>>) => Promise<void>
  readonly launch: (args: ReadonlyArray<string>, command?: ReadonlyArray<string>) => Process
  readonly run: (args: ReadonlyArray<string>, command?: ReadonlyArray<string>) => Promise<Ended>
  /** Kills what a test that failed has left running, and removes the directories. */
  readonly end: () => Promise<void>
}

const make = async (): Promise<World> => {
  const root = await mkdtemp(join(tmpdir(), "index-directory-test-"))
  const [files, out, temporary] = ["files", "out", "temporary"].map((name) => join(root, name)) as [
    string,
    string,
    string
  ]
  await Promise.all([files, out, temporary].map((path) => mkdir(path)))
  const target = join(out, "index.sqlite")
  const launched: Array<Process> = []
  const launch = (args: ReadonlyArray<string>, command: ReadonlyArray<string> = asBuilt) => {
    const application = new Process([...command, ...args], { TMPDIR: temporary, TSX_DISABLE_CACHE: "1" })
    launched.push(application)
    return application
  }
  return {
    files,
    out,
    target,
    temporary,
    write: async (contents) => {
      for (const [name, content] of Object.entries(contents)) {
        await mkdir(dirname(join(files, name)), { recursive: true })
        await writeFile(join(files, name), content)
      }
    },
    launch,
    run: (args, command) => launch(args, command).ended,
    end: async () => {
      for (const application of launched) application.abandon()
      await rm(root, { recursive: true })
    }
  }
}

/** A world for as long as the test takes. */
export const world = Effect.acquireRelease(Effect.promise(make), ({ end }) => Effect.promise(end))

/** What the first lines say of the running application. */
export const startedIn = (stdout: string): { readonly pid: number; readonly url: string } => {
  const match = /classifying in process (\d+), serving (http:\S+)/.exec(stdout)
  if (match === null) throw new Error(`did not start:\n${stdout}`)
  return { pid: Number(match[1]), url: match[2]! }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const isListening = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

/** Everything that a run has left behind, but for the index. */
export const leftBehind = async ({ out, target, temporary }: World, stdout: string): Promise<ReadonlyArray<string>> => {
  const started = stdout.includes("classifying in process") ? startedIn(stdout) : undefined
  return [
    ...await readdir(temporary),
    ...(await readdir(out)).filter((name) => join(out, name) !== target),
    ...(started !== undefined && isAlive(started.pid) ? [`process ${started.pid}`] : []),
    ...(started !== undefined && await isListening(started.url) ? [started.url] : [])
  ]
}

interface Contents {
  readonly integrity: unknown
  readonly journal: unknown
  readonly rows: ReadonlyArray<Record<string, unknown>>
}

export const openIndex = (target: string): Contents => {
  const connection = new Connection(target, { readOnly: true })
  try {
    return {
      integrity: connection.rows("SELECT json_quote(integrity_check) FROM pragma_integrity_check"),
      journal: connection.rows("SELECT json_quote(journal_mode) FROM pragma_journal_mode"),
      rows: connection.rows(
        "SELECT json_object('path', path, 'kind', kind, 'hash', hash, 'size', size, 'lines', lines) FROM files ORDER BY path"
      )
    }
  } finally {
    connection.close()
  }
}
