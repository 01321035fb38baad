/** A log in a file, as a service. Lines are kept until there are enough of them, or the log is closed. */
import { Context, Data, Effect } from "effect"
import { type FileHandle, open as openFile } from "node:fs/promises"

export class LogFile extends Context.Tag("guard-layer/LogFile")<LogFile, {
  readonly handle: FileHandle
  readonly lines: Array<string>
  readonly write: (line: string) => Effect.Effect<void>
}>() {}

export class LogFileError extends Data.TaggedError("LogFileError")<{ readonly path: string; readonly cause: unknown }> {
  override get message(): string {
    return `${this.path}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

const attempt = <A>(path: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new LogFileError({ path, cause }) })

export const open = (path: string): Effect.Effect<LogFile["Type"], LogFileError> =>
  Effect.map(attempt(path, () => openFile(path, "a")), (handle) => {
    const lines: Array<string> = []
    return { handle, lines, write: (line) => Effect.sync(() => void lines.push(line)) }
  })

/** Writes what is left, and closes the file, whether or not that worked: on a full disk it does not. */
export const close = (path: string) => ({ handle, lines }: LogFile["Type"]): Effect.Effect<void, LogFileError> =>
  Effect.ensuring(
    attempt(path, () => handle.write(lines.map((line) => `${line}\n`).join(""))),
    Effect.promise(() => handle.close())
  )
