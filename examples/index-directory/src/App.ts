/** The application: its layers, each of them a guard, and the program that they are for. */
import { ResourceRegistry } from "@patinox/core"
import { Duration, Effect, Layer, type Ref } from "effect"
import type { Settings } from "./Args.js"
import * as Classifier from "./Classifier.js"
import * as Faults from "./Faults.js"
import * as HashWorkers from "./HashWorkers.js"
import * as HttpServer from "./HttpServer.js"
import { index, type Summary } from "./Indexer.js"
import { Output } from "./Output.js"
import * as ProgressDisplay from "./ProgressDisplay.js"
import * as SqliteIndex from "./SqliteIndex.js"
import * as StagingDirectory from "./StagingDirectory.js"
import * as TargetFile from "./TargetFile.js"
import * as Timeline from "./Timeline.js"

/** Cleaned up from the top: first the server, then the other resources concurrently, so that none waits for another. */
const resources = ({ fault, target }: Settings) =>
  HttpServer.layer({ onClose: fault === "die" ? Faults.brokenHook : Effect.void }).pipe(
    Layer.provideMerge(Layer.mergeAll(
      TargetFile.layer(target),
      ProgressDisplay.layer,
      Layer.provideMerge(SqliteIndex.layer, StagingDirectory.layer),
      HashWorkers.layer({ deaf: fault === "ignore" }),
      Classifier.layer({ deaf: fault === "hang" })
    ))
  )

// The defaults are meant for services; who tries out a fault does not want to wait for them.
const registry = ({ fault }: Settings) =>
  ResourceRegistry.layerWith(fault === undefined ? {} : { cleanupTimeout: "1500 millis" })

export const shutdownTimeout = ({ fault }: Settings) => Duration.seconds(fault === undefined ? 25 : 5)

/** The registry is below all of them: when it closes, the timeline has seen everything. */
export const layer = (settings: Settings) =>
  resources(settings).pipe(
    Layer.provide(registry(settings)),
    Layer.provide(Timeline.layer(shutdownTimeout(settings)))
  )

export const main = (settings: Settings, published: Ref.Ref<Summary | undefined>) =>
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
      yield* output.line("serving until SIGINT, SIGTERM or SIGHUP")
      yield* Effect.never
    }
  })
