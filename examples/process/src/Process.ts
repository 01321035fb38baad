/** A program as a process of its own, as the tests of the examples run one: bundled, started, read, signalled, waited for. */
import { build } from "esbuild"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** In one file, as an application is shipped: it starts in a third of the time. */
export const bundle = async (main: URL, outfile: string): Promise<void> => {
  await build({
    entryPoints: [fileURLToPath(main)],
    outfile,
    bundle: true,
    conditions: ["source"],
    external: ["@photostructure/sqlite"],
    format: "esm",
    platform: "node",
    logLevel: "error",
    // What is left of CommonJS in it asks for modules of Node's.
    banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url)` }
  })
}

export interface Ended {
  /** Undefined where a signal ended it. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

export class Process {
  private readonly child: ChildProcess
  private stdout = ""
  private stderr = ""
  private readonly watchers = new Set<() => void>()
  private hasEnded = false
  /** Once its output is closed, and so every process that it has handed that to has ended, too. */
  readonly ended: Promise<Ended>

  constructor([program, ...args]: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(program!, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      // The leader of a group, which can be signalled with everything that it has started.
      detached: true
    })
    this.child.stdout!.on("data", (data) => this.changed(this.stdout += data))
    this.child.stderr!.on("data", (data) => this.changed(this.stderr += data))
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject)
      this.child.once("close", (code) => {
        resolve({ code: code ?? undefined, stdout: this.stdout, stderr: this.stderr })
        this.changed(this.hasEnded = true)
      })
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  private changed(_: unknown): void {
    for (const watcher of this.watchers) watcher()
  }

  /** Waits until the output matches; rejects where it has ended without. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(this.stdout)
        if (match === null && !this.hasEnded) return
        this.watchers.delete(look)
        if (match !== null) resolve(match)
        else reject(new Error(`never printed ${pattern}:\n${this.stdout}${this.stderr}`))
      }
      this.watchers.add(look)
      look()
    })
  }

  /** To it alone, as a supervisor does. */
  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Kills what a test that ran out of time has left running, and tells what that had printed: nobody else does. */
  abandon(): void {
    if (this.hasEnded) return
    console.error(`${this.child.spawnargs.join(" ")} was still running:\n${this.stdout}${this.stderr}`)
    this.killGroup("SIGKILL")
  }

  /** To it and everything that it has started, as a terminal does. */
  killGroup(signal: NodeJS.Signals): void {
    try {
      if (!this.hasEnded) process.kill(-this.pid, signal)
    } catch {
      // Gone in the meantime.
    }
  }
}
