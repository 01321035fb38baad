/** Runs the application as this process: the signals and the deadline are `NodeRuntime`'s, the last words are ours. */
import * as NodeRuntime from "@patinox/platform-node/NodeRuntime"
import { Cause, Effect, Layer, Logger, LogLevel, Ref } from "effect"
import * as App from "./App.js"
import type { Settings } from "./Args.js"
import type { Summary } from "./Indexer.js"
import { decide } from "./Outcome.js"
import * as Output from "./Output.js"

const loggerTo = ({ line, problem }: Output.Output["Type"]) =>
  Logger.make(({ cause, logLevel, message }) => {
    const text = [message, ...(Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)])].flat().join("\n")
    const isProblem = LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)
    Effect.runSync(isProblem ? problem(`${logLevel.label.toLowerCase()}: ${text}`) : line(text))
  })

export const launch = (settings: Settings): void => {
  const output = Output.make(process.stdout, process.stderr)
  const published = Effect.runSync(Ref.make<Summary | undefined>(undefined))
  NodeRuntime.launch(Layer.provideMerge(App.layer(settings), Layer.succeed(Output.Output, output)), {
    main: App.main(settings, published),
    shutdownTimeout: App.shutdownTimeout(settings),
    loggerLayer: Logger.replace(Logger.defaultLogger, loggerTo(output)),
    disableErrorReporting: true,
    // Once all is closed: that something was not cleaned up, the runtime has told.
    teardown: (exit, onExit) => {
      const { code, problems } = decide({
        exit,
        summary: Effect.runSync(Ref.get(published)),
        unwritten: Effect.runSync(output.failure),
        target: settings.target
      })
      for (const problem of problems) Effect.runSync(output.problem(`index-directory: ${problem}`))
      onExit(code)
    }
  })
}
