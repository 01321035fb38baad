/** The pool of threads, and a job for whichever is free. */
import { type PoolError, ResourcePool } from "@patinox/pool"
import { Context, Data, Duration, Effect } from "effect"
import { type HashWorker, type Job, start, type WorkerCrashed } from "./HashWorker.js"

export class HashWorkers
  extends Context.Tag("worker-pool/HashWorkers")<HashWorkers, ResourcePool.ResourcePool<HashWorker, WorkerCrashed>>()
{}

export const layer = (settings: ResourcePool.PoolSettings = {}) =>
  ResourcePool.layer(HashWorkers, start, {
    minSize: 1,
    maxSize: 2,
    destroy: ({ terminate }) => terminate,
    // For a worker that crashed while idle. The check costs nothing, so it runs whenever a worker has been idle at all.
    validate: (worker) => Effect.succeed(worker.isAlive),
    validateAfter: "1 millis",
    // However a job fails, its worker is dead or still at it.
    invalidateWhen: () => true,
    ...settings
  })

export class JobTimedOut extends Data.TaggedError("JobTimedOut")<{ readonly limit: Duration.Duration }> {
  override get message(): string {
    return `The worker has not answered within ${Duration.format(this.limit)}`
  }
}

/** The limit is that of the job, not of waiting for a worker, which is the pool's `acquireTimeout`. */
export const hash = (
  job: Job,
  limit: Duration.DurationInput = "10 seconds"
): Effect.Effect<string, WorkerCrashed | JobTimedOut | PoolError.PoolError<WorkerCrashed>, HashWorkers> =>
  Effect.flatMap(HashWorkers, (pool) =>
    pool.use((worker) =>
      Effect.timeoutFail(worker.hash(job), {
        duration: limit,
        onTimeout: () => new JobTimedOut({ limit: Duration.decode(limit) })
      })
    ))
