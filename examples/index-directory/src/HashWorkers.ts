/** Threads that hash files, so that the one that writes and serves the index stays free. */
// oxlint-disable unicorn/require-post-message-target-origin -- that is for windows; a thread has no origin
import { ResourceGuard } from "@patinox/core"
import { Context, Effect } from "effect"
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { type FileError, HelperGone } from "./Errors.js"
import { Requests } from "./Requests.js"

/** What a worker says of a file. */
interface Hashed {
  readonly size: number
  readonly hash: string
}

export class HashWorkers extends Context.Tag("index-directory/HashWorkers")<HashWorkers, {
  readonly workers: ReadonlyArray<HashWorker>
  readonly hash: (path: string) => Effect.Effect<Hashed, FileError | HelperGone>
}>() {}

class HashWorker {
  readonly requests = new Requests<Hashed>()
  private readonly worker: Worker
  private exited = false

  constructor(deaf: boolean) {
    // Plain JavaScript, and none of the flags of this process: a worker starts in a fraction of the time.
    this.worker = new Worker(new URL("./hash-worker.mjs", import.meta.url), { execArgv: [], workerData: { deaf } })
    this.worker.on("message", (answer) => this.requests.answer(answer))
    this.worker.on("error", (error) => this.end(error.message))
    this.worker.on("exit", (code) => this.end(`exit code ${code}`))
  }

  private end(reason: string): void {
    this.exited = true
    this.requests.end(new HelperGone({ helper: "hashing worker", reason }))
  }

  hash(path: string) {
    return this.requests.ask(path, (question) => this.worker.postMessage(question))
  }

  /** Waits until it has ended by itself. */
  readonly stop = Effect.async<void>((resume) => {
    if (this.exited) return resume(Effect.void)
    this.worker.once("exit", () => resume(Effect.void))
    this.worker.postMessage("stop")
  })

  readonly terminate = Effect.promise(() => this.worker.terminate())
}

const all = (workers: ReadonlyArray<HashWorker>, run: (worker: HashWorker) => Effect.Effect<unknown>) =>
  Effect.forEach(workers, run, { concurrency: "unbounded", discard: true })

/** `deaf` workers ignore the request to stop. */
export const layer = ({ deaf }: { readonly deaf: boolean }) =>
  ResourceGuard.layer(
    HashWorkers,
    Effect.sync(() => {
      const workers = Array.from({ length: Math.min(4, availableParallelism()) }, () => new HashWorker(deaf))
      const idlest = () => workers.reduce((a, b) => b.requests.size < a.requests.size ? b : a)
      return HashWorkers.of({ workers, hash: (path) => Effect.suspend(() => idlest().hash(path)) })
    }),
    ({ workers }) => all(workers, (worker) => worker.stop),
    {
      priority: "High",
      // To terminate a worker is abrupt, and always works: it may run beside a stop that does not come to an end.
      recovery: { fallback: ({ workers }) => all(workers, (worker) => worker.terminate) }
    }
  )
