/** Plain Effect: a release must not fail by its type, so it becomes a defect, and takes the program's error with it. */
import { Effect, Layer } from "effect"
import { close, LogFile, open } from "./LogFile.js"

const LogFileLive = (path: string) =>
  Layer.scoped(
    LogFile,
    Effect.acquireRelease(open(path), (log) => Effect.orDie(close(path)(log)))
  )

/** Logs a line, and then does what it is given. */
export const program = <A, E>(path: string, work: Effect.Effect<A, E>) =>
  Effect.flatMap(LogFile, (log) => Effect.andThen(log.write("started"), work)).pipe(
    Effect.provide(LogFileLive(path))
  )
