/** Runs a job of a module in a process of its own, so that heap, timers and compiled code are its own. */
import { fork } from "node:child_process"

export interface Job {
  /** The URL of a module of `figures`, compiled. */
  readonly module: string
  /** What the module exports by this name: a function, or a family to measure. */
  readonly name: string
  readonly args: ReadonlyArray<unknown>
}

/** Arguments and result travel as JSON. `script` is the compiled `child.ts`: that of this process, where it is a child. */
export const inChild = <A>(job: Job, script = process.argv[1]): Promise<A> =>
  new Promise((resolve, reject) => {
    // A million waiting cleanups need more than the default.
    const child = fork(script, { execArgv: ["--expose-gc", "--max-old-space-size=6144"] })
    let result: { readonly value: A } | undefined
    child.on("message", (message) => {
      result = message as { readonly value: A }
    })
    child.on("error", reject)
    child.on("exit", (code) => {
      if (result === undefined) reject(new Error(`${job.name} of ${job.module} ended with ${code} and no result`))
      else resolve(result.value)
    })
    child.send(job)
  })
