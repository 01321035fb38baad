/** Real threads, and a clock that the tests move. Every scene ends with no worker alive. */
import { describe, expect } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import type { ResourcePool } from "@patinox/pool"
import { it } from "@patinox/vitest"
import { Effect, Fiber, Layer, Logger, type Scope, TestClock } from "effect"
import { createHash } from "node:crypto"
import { Process } from "../../process/src/Process.js"
import { until } from "../../process/src/until.js"
import type { HashWorker, Job } from "../src/HashWorker.js"
import { hash, HashWorkers, layer } from "../src/HashWorkers.js"

/** What the pool logs is not what is tested. */
const silent = Logger.remove(Logger.defaultLogger)

const scene = <E>(
  body: Effect.Effect<void, E, HashWorkers | Scope.Scope>,
  settings: ResourcePool.PoolSettings = { maxSize: 1 }
) =>
  Effect.scoped(body).pipe(
    Effect.provide(layer(settings)),
    Effect.provide(Layer.merge(ResourceRegistry.layer, silent))
  )

const pool = Effect.flatMap(HashWorkers, Effect.succeed)
const isBusy = until(Effect.flatMap(pool, ({ snapshot }) => snapshot), ({ inUse }) => inUse === 1)
/** The worker that the next job would be given. */
const next = Effect.flatMap(pool, ({ use }) => use(Effect.succeed))
const isGone = (worker: HashWorker) => until(Effect.sync(() => worker.isAlive), (isAlive) => !isAlive)

const endless: Job = { text: "text", rounds: Infinity }
const quick: Job = { text: "text", rounds: 1 }
const digestOf = ({ rounds, text }: Job): string => {
  let digest = text
  for (let round = 0; round < rounds; round++) digest = createHash("sha256").update(digest).digest("hex")
  return digest
}

describe("a pool of worker threads", () => {
  it.leakFree("a pool of worker threads gives every job its own answer", () =>
    scene(
      Effect.gen(function*() {
        const jobs = Array.from({ length: 20 }, (_, n): Job => ({ text: `text ${n}`, rounds: n + 1 }))
        const digests = yield* Effect.forEach(jobs, (job) => hash(job), { concurrency: "unbounded" })
        expect(digests).toEqual(jobs.map(digestOf))
      }),
      { maxSize: 2 }
    ))

  it.leakFree("a pool of worker threads works at one job for each worker, and the others wait", () =>
    scene(
      Effect.gen(function*() {
        const { snapshot } = yield* HashWorkers
        for (const job of [endless, endless, endless]) yield* Effect.forkScoped(hash(job))
        const busy = yield* until(snapshot, ({ inUse }) => inUse === 2)
        expect(busy).toMatchObject({ total: 2, waiting: 1 })
      }),
      { maxSize: 2 }
    ))

  it.leakFree("a pool of worker threads replaces a worker that crashes: its job fails with the reason, the next one does not", () =>
    scene(Effect.gen(function*() {
      const worker = yield* next
      const error = yield* Effect.flip(hash({ text: "text", rounds: 0 }))
      expect(error).toMatchObject({ _tag: "WorkerCrashed", reason: "rounds must be 1 or more, and not 0" })
      expect(yield* hash(quick)).toBe(digestOf(quick))
      expect(yield* next).not.toBe(worker)
    })))

  it.leakFree("a pool of worker threads terminates a worker that does not answer in time, and gives the next job another", () =>
    scene(Effect.gen(function*() {
      const worker = yield* next
      const job = yield* Effect.forkScoped(Effect.flip(hash(endless)))
      yield* isBusy
      yield* TestClock.adjust("9999 millis")
      expect(worker.isAlive).toBe(true)
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(job)
      expect([error._tag, error.message]).toEqual(["JobTimedOut", "The worker has not answered within 10s"])
      expect(yield* hash(quick)).toBe(digestOf(quick))
      yield* isGone(worker)
    })))

  it.leakFree("a pool of worker threads terminates the worker of a job that is interrupted, and does not wait for its answer", () =>
    scene(Effect.gen(function*() {
      const worker = yield* next
      const job = yield* Effect.forkScoped(hash(endless))
      yield* isBusy
      yield* Fiber.interrupt(job)
      expect(yield* hash(quick)).toBe(digestOf(quick))
      yield* isGone(worker)
    })))

  it.leakFree("a pool of worker threads gives no job to a worker that ended while idle", () =>
    scene(Effect.gen(function*() {
      const worker = yield* next
      yield* worker.terminate
      yield* TestClock.adjust("1 millis")
      expect(yield* hash(quick)).toBe(digestOf(quick))
      expect(yield* next).not.toBe(worker)
    })))

  it.leakFree("a pool of worker threads closes under an endless job: the job is interrupted, its worker terminated", () =>
    Effect.gen(function*() {
      let worker: HashWorker | undefined
      yield* scene(Effect.gen(function*() {
        worker = yield* next
        yield* Effect.forkScoped(hash(endless))
        yield* isBusy
      }))
      expect(worker!.isAlive).toBe(false)
    }))
})

describe("as a process", () => {
  const main = new URL("../src/main.ts", import.meta.url).pathname
  const process_ = Effect.acquireRelease(
    Effect.sync(() => new Process([process.execPath, "--import", "tsx", "--conditions=source", main])),
    (main) => Effect.sync(() => main.killGroup("SIGKILL"))
  )

  it.scopedLive("worker-pool as a process prints its story, and ends by itself", () =>
    Effect.gen(function*() {
      const { ended } = yield* process_
      const { code, stderr, stdout } = yield* Effect.promise(() => ended)
      expect({ code, stderr, lines: stdout.split("\n") }).toEqual({
        code: 0,
        stderr: "",
        lines: [
          "ten texts are hashed side by side",
          "  10 digests, 2 workers",
          "a job crashes its worker",
          "  WorkerCrashed: The worker has crashed: rounds must be 1 or more, and not 0",
          "  the next job: 982d9e3e",
          "a job never ends",
          "  JobTimedOut: The worker has not answered within 200ms",
          "  the next job: 982d9e3e",
          "the end",
          "  terminated 1, failed 0",
          "  workers were destroyed for: failedUse, failedUse, drained",
          ""
        ]
      })
    }))

  it.scopedLive("worker-pool, ended as a process while a job never ends, terminates its worker", () =>
    Effect.gen(function*() {
      const main = yield* process_
      yield* Effect.promise(() => main.printed(/a job never ends/))
      main.kill("SIGTERM")
      const { code, stdout } = yield* Effect.promise(() => main.ended)
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/Shut down in .* after SIGTERM/) })
    }))
})
