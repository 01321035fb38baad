/** A thread that does one job at a time. It listens only between jobs, so no message can stop it: it is terminated. */
// oxlint-disable unicorn/require-post-message-target-origin -- that is for windows; a thread has no origin
import { Data, Effect } from "effect"
import { Worker } from "node:worker_threads"

/** What takes the more of a processor, the more rounds there are. */
export interface Job {
  readonly text: string
  readonly rounds: number
}

export class WorkerCrashed extends Data.TaggedError("WorkerCrashed")<{ readonly reason: string }> {
  override get message(): string {
    return `The worker has crashed: ${this.reason}`
  }
}

export class HashWorker {
  /** Why it is no more, as far as that is so. */
  private crash: WorkerCrashed | undefined = undefined
  private answer: (result: Effect.Effect<string, WorkerCrashed>) => void = () => {}

  constructor(private readonly thread: Worker) {
    thread.on("message", (digest: string) => this.answer(Effect.succeed(digest)))
    // An exit follows, which has no reason.
    thread.on("error", (error) => this.end(error.message))
    thread.on("exit", (code) => this.end(`exit code ${code}`))
  }

  private end(reason: string): void {
    this.crash ??= new WorkerCrashed({ reason })
    this.answer(Effect.fail(this.crash))
  }

  get isAlive(): boolean {
    return this.crash === undefined
  }

  /** Interrupted, it goes on all the same: this worker is not to be given another job. */
  hash(job: Job): Effect.Effect<string, WorkerCrashed> {
    return Effect.async((resume) => {
      if (this.crash !== undefined) return resume(Effect.fail(this.crash))
      this.answer = resume
      this.thread.postMessage(job)
    })
  }

  readonly terminate = Effect.promise(() => this.thread.terminate())
}

export const start = Effect.async<HashWorker, WorkerCrashed>((resume) => {
  // None of the flags of this process: it is plain JavaScript, and starts in a fraction of the time.
  const thread = new Worker(new URL("./hash-worker.mjs", import.meta.url), { execArgv: [] })
  const failed = (reason: string) => resume(Effect.fail(new WorkerCrashed({ reason })))
  thread.once("error", ({ message }) => failed(message))
  thread.once("exit", (code) => failed(`exit code ${code}`))
  thread.once("online", () => resume(Effect.succeed(new HashWorker(thread))))
})
