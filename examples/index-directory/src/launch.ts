/** Runs the application as this process. Effect's own runtime turns SIGINT and SIGTERM into an interruption. */
import { runMain } from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Logger } from "effect"
import { run } from "./App.js"
import type { Settings } from "./Args.js"
import * as Output from "./Output.js"

const logger = Logger.make(({ logLevel, message }) => {
  process.stderr.write(`${logLevel.label.toLowerCase()}: ${[message].flat().join(" ")}\n`)
})

export const launch = (settings: Settings): void =>
  runMain(
    Effect.provide(
      run(settings),
      Layer.merge(Output.layer(process.stdout, process.stderr), Logger.replace(Logger.defaultLogger, logger))
    ),
    {
      disableErrorReporting: true,
      disablePrettyLogger: true,
      // Once interrupted, the program has no value; it has set its exit code all the same.
      teardown: (_, exit) => exit(Number(process.exitCode ?? 1))
    }
  )
