/** Programs as real processes: compiled once, started, signalled, and read until they end. */
import { build } from "esbuild"
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, expect, vi } from "vitest"
import { mutatedBundles } from "../../../scripts/mutations/inMemory.js"

// Processes that wait for one another's processor look slow.
vi.setConfig({ maxConcurrency: 3 })

const here = path.dirname(fileURLToPath(import.meta.url))

/** A directory of its own for a test file, removed after it. */
export const makeFolder = (): string => {
  const cache = path.join(here, "../../../node_modules/.cache")
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(path.join(cache, "platform-node-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A fixture as one file, `effect` and the packages included, as a bundler makes it for an application. */
export const compile = async (fixture: URL, folder: string): Promise<string> => {
  const source = fileURLToPath(fixture)
  const outfile = path.join(folder, `${path.basename(source, ".ts")}.mjs`)
  await build({
    entryPoints: [source],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["source"],
    keepNames: true,
    plugins: mutatedBundles,
    // What is left of CommonJS in it, as `ws`, asks for modules of Node's.
    banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url)` }
  })
  return outfile
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** From the first signal sent, or from the start, to the end. */
  readonly millis: number
}

export interface Started {
  readonly process: ChildProcess
  /** Waits for text on standard output. */
  readonly printed: (text: string) => Promise<void>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly ended: Promise<Ended>
}

export interface StartOptions {
  readonly node?: ReadonlyArray<string>
  readonly stdio?: StdioOptions
  readonly env?: Readonly<Record<string, string>>
  /** What hangs for so long has failed its test; a slow machine has not. Default 25 s. */
  readonly limitMillis?: number
}

export const start = (
  script: string,
  args: ReadonlyArray<unknown> = [],
  { env = {}, limitMillis = 25_000, node = [], stdio = ["ignore", "pipe", "pipe"] }: StartOptions = {}
): Started => {
  const child = spawn(process.execPath, [...node, script, ...args.map((arg) => JSON.stringify(arg))], {
    stdio,
    env: { PATH: process.env["PATH"], NO_COLOR: "1", ...env }
  })
  let from = performance.now()
  let hasSignal = false
  let stdout = ""
  let stderr = ""
  const waiting = new Set<() => void>()
  child.stdout?.setEncoding("utf8").on("data", (chunk) => {
    stdout += chunk
    for (const look of waiting) look()
  })
  child.stderr?.setEncoding("utf8").on("data", (chunk) => (stderr += chunk))
  const limit = setTimeout(() => child.kill("SIGKILL"), limitMillis)
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject)
    // No "close" comes where there was a channel that has been closed.
    const closed = [child.stdout, child.stderr].map((stream) =>
      new Promise<void>((then) => stream === null ? then() : stream.once("close", then))
    )
    child.on("exit", async (code, signal) => {
      await Promise.all(closed)
      clearTimeout(limit)
      resolve({ code, signal, stdout, stderr, millis: performance.now() - from })
    })
  })
  return {
    process: child,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!stdout.includes(text)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
        void ended.then(() => reject(new Error(`ended without "${text}":\n${stdout}\n${stderr}`)))
      }),
    kill: (signal) => {
      if (!hasSignal) from = performance.now()
      hasSignal = true
      child.kill(signal)
    },
    ended
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    // One that has ended and whose parent did not look has a number still.
    return !/^\d+ \(.*\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return true
  }
}

/** Waits until a process that was killed is gone. */
export const isGone = async (pid: number): Promise<boolean> => {
  for (let tries = 0; tries < 100 && isAlive(pid); tries++) await new Promise((resume) => setTimeout(resume, 50))
  return !isAlive(pid)
}

/** The exit code, with all that was printed where it is another. */
export const expectCode = (ended: Ended, code: number): void =>
  expect(ended.code, `${ended.signal}\n${ended.stdout}\n${ended.stderr}`).toBe(code)
