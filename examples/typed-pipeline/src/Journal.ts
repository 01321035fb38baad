/** A journal in a file, written when it is closed: the release is where the disk turns out to be full, with a type. */
import { ResourceGuard } from "@patinox/core"
import { Data, Effect } from "effect"
import { open } from "node:fs/promises"

export class JournalError extends Data.TaggedError("JournalError")<{ readonly path: string; readonly cause: unknown }> {
  override get message(): string {
    return `${this.path}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

const attempt = <A>(path: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new JournalError({ path, cause }) })

/** Fails with `JournalError` where the file cannot be opened, and with a `CleanupError` where it cannot be written. */
export const append = (path: string, entries: ReadonlyArray<string>) =>
  ResourceGuard.use(
    Effect.map(attempt(path, () => open(path, "a")), (handle) => ({ handle, pending: "" })),
    ({ handle, pending }) =>
      Effect.ensuring(attempt(path, () => handle.write(pending)), Effect.promise(() => handle.close())),
    { typeName: "Journal" }
  )((journal) =>
    Effect.sync(() => {
      journal.pending += entries.map((entry) => `${entry}\n`).join("")
      return entries.length
    })
  )
