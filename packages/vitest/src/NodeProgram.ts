/**
 * Runs the text of a module in a Node process of its own. For what only a process can show: that it ends by itself, with
 * which code, and what it has printed by then.
 */
import { callback } from "@patinox/core/kernel"
import { Data, Effect } from "effect"
import { spawn } from "node:child_process"

/** How a program ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What it wrote to its standard output. Its standard error goes to that of the test. */
  readonly output: string
}

/** How to run. */
export interface RunOptions {
  /** Options of Node's, such as `--import tsx`. Default none. */
  readonly nodeOptions?: ReadonlyArray<string>
  /** The folder that it runs in, and resolves packages from. Default that of the test. */
  readonly cwd?: string
  /** After so many milliseconds it is killed with SIGTERM, which `signal` says. Default 20,000. */
  readonly timeoutMillis?: number
}

/** No process could be started. */
export class NotStarted extends Data.TaggedError("NotStarted")<{ readonly cause: Error }> {
  override get message(): string {
    return `No process could be started: ${this.cause.message}`
  }
}

/**
 * Runs a module to its end. Interrupted, it kills the process.
 *
 * ```ts
 * import { NodeProgram } from "@patinox/vitest"
 * import { Effect } from "effect"
 *
 * const ended = await Effect.runPromise(NodeProgram.run("console.log(1 + 1)"))
 * console.log(ended.code, ended.signal, ended.output.trim()) // => 0 null 2
 * ```
 */
export const run = (source: string, options: RunOptions = {}): Effect.Effect<Ended, NotStarted> =>
  callback((resume) => {
    const { cwd, nodeOptions = [], timeoutMillis = 20_000 } = options
    const child = spawn(process.execPath, [...nodeOptions, "--input-type=module", "-e", source], {
      ...cwd !== undefined && { cwd },
      stdio: ["ignore", "pipe", "inherit"],
      timeout: timeoutMillis
    })
    let output = ""
    child.stdout.on("data", (chunk) => (output += chunk))
    child.on("error", (cause) => resume(Effect.fail(new NotStarted({ cause }))))
    child.on("close", (code, signal) => resume(Effect.succeed({ code, signal, output })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })
