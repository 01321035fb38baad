/** The same with a guard: the release keeps its error's type, has a time limit, and never takes the place of anything. */
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Effect, Layer } from "effect"
import { close, LogFile, open } from "./LogFile.js"

const LogFileLive = (path: string) =>
  Layer.scoped(
    LogFile,
    ResourceGuard.acquireRelease(open(path), close(path))
  )

/** Logs a line, and then does what it is given. */
export const program = <A, E>(path: string, work: Effect.Effect<A, E>) =>
  Effect.flatMap(LogFile, (log) => Effect.andThen(log.write("started"), work)).pipe(
    Effect.provide(LogFileLive(path).pipe(Layer.provide(ResourceRegistry.layer)))
  )
