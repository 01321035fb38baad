/** The application: its layers, each of them a guard, and the run from the first resource to the report. */
import { CleanupReport, ResourceMonitor, ResourceRegistry } from "@patinox/core"
import { Duration, Effect, Layer, Ref } from "effect"
import type { Settings } from "./Args.js"
import * as Classifier from "./Classifier.js"
import * as Faults from "./Faults.js"
import * as HashWorkers from "./HashWorkers.js"
import * as HttpServer from "./HttpServer.js"
import { index, type Summary } from "./Indexer.js"
import { decide } from "./Outcome.js"
import { Output } from "./Output.js"
import * as ProgressDisplay from "./ProgressDisplay.js"
import * as SqliteIndex from "./SqliteIndex.js"
import * as StagingDirectory from "./StagingDirectory.js"
import * as TargetFile from "./TargetFile.js"
import * as Timeline from "./Timeline.js"

const resources = ({ fault, target }: Settings) =>
  HttpServer.layer({ onClose: fault === "die" ? Faults.brokenHook : Effect.void }).pipe(
    Layer.provideMerge(Layer.mergeAll(
      SqliteIndex.layer,
      ProgressDisplay.layer,
      HashWorkers.layer({ deaf: fault === "ignore" }),
      Classifier.layer({ deaf: fault === "hang" })
    )),
    Layer.provideMerge(Layer.mergeAll(StagingDirectory.layer, TargetFile.layer(target)))
  )

// The defaults are meant for services; who tries out a fault does not want to wait for them.
const registry = ({ fault }: Settings) =>
  ResourceRegistry.layerWith(fault === undefined ? {} : { cleanupTimeout: "1500 millis", shutdownTimeout: "5 seconds" })

const work = (settings: Settings, published: Ref.Ref<Summary | undefined>) =>
  Effect.gen(function*() {
    const output = yield* Output
    const { pid } = yield* Classifier.Classifier
    const { workers } = yield* HashWorkers.HashWorkers
    const { url } = yield* HttpServer.HttpServer
    yield* output.line(`indexing ${settings.directory}`)
    yield* output.line(`hashing in ${workers.length} workers, classifying in process ${pid}, serving ${url}`)
    const [elapsed, summary] = yield* Effect.timed(index(settings.directory, published))
    const { bytes, indexed } = summary
    yield* output.line(
      `indexed ${indexed} files (${bytes} bytes) in ${
        elapsed.pipe(Duration.toMillis, Math.round)
      } ms: ${settings.target}`
    )
    yield* Faults.beforeShutdown(settings.fault)
    if (settings.serve) {
      yield* output.line("serving until SIGINT or SIGTERM")
      yield* Effect.never
    }
  })

/** Never fails: it tells what went wrong, and sets the exit code, also after it was interrupted. */
export const run = (settings: Settings): Effect.Effect<void, never, Output> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const output = yield* Output
      const timeline = yield* Timeline.make
      const published = yield* Ref.make<Summary | undefined>(undefined)
      const exit = yield* Layer.build(resources(settings)).pipe(
        Effect.flatMap((services) => Effect.provide(work(settings, published), services)),
        restore,
        // Before the scopes close: all resources together, by priority and dependency, inside one deadline.
        Effect.ensuring(Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.shutdown)),
        Effect.scoped,
        // Closing the registry waits until the timeline has seen everything.
        Effect.provide(Layer.provide(registry(settings), ResourceMonitor.layer(timeline.monitor))),
        Effect.exit
      )
      const report = yield* timeline.report
      if (report !== undefined) yield* output.line(`\n${CleanupReport.render(report)}`)
      const { code, problems } = decide({
        exit,
        report,
        summary: yield* Ref.get(published),
        unwritten: yield* output.failure,
        target: settings.target
      })
      yield* Effect.forEach(problems, (problem) => output.problem(`index-directory: ${problem}`), { discard: true })
      process.exitCode = code
    })
  )
