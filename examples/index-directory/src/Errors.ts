/** What can go wrong, as tagged values whose messages name the thing and the reason. */
import { Data, Effect } from "effect"

// Node repeats the call and the path after the reason: "ENOENT: no such file or directory, open '/x'".
const reasonOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message.replace(/, \w+( '.*)?$/s, "") : String(cause)

/** A file or directory cannot be read or written. */
export class FileError extends Data.TaggedError("FileError")<{ readonly path: string; readonly cause: unknown }> {
  override get message(): string {
    return `${this.path}: ${reasonOf(this.cause)}`
  }
}

export const attemptFile = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, FileError> =>
  Effect.tryPromise({ try: run, catch: (cause) => new FileError({ path, cause }) })

// SQLITE_FULL, and the write error that a limit on the size of files comes as.
const noRoom: ReadonlyArray<unknown> = [13, 778]

/** The database refuses. */
export class IndexError extends Data.TaggedError("IndexError")<{
  readonly operation: string
  readonly cause: unknown
}> {
  override get message(): string {
    const { cause, operation } = this
    const code = cause instanceof Error && "errcode" in cause ? cause.errcode : undefined
    const hint = noRoom.includes(code) ? " (no room left on the disk, or a limit on the size of files)" : ""
    return `The index cannot be ${operation}: ${reasonOf(cause)}${hint}`
  }
}

/** Somebody still reads the index. */
export class IndexBusy extends Data.TaggedError("IndexBusy")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path} is still being read`
  }
}

/** A process or thread that works for us has gone. */
export class HelperGone extends Data.TaggedError("HelperGone")<{ readonly helper: string; readonly reason: string }> {
  override get message(): string {
    return `The ${this.helper} has gone: ${this.reason}`
  }
}

/** The server cannot listen. */
export class ServerError extends Data.TaggedError("ServerError")<{ readonly cause: unknown }> {
  override get message(): string {
    return `The server cannot listen: ${reasonOf(this.cause)}`
  }
}
