/**
 * Open files, kept for their next reader. Thousands of files are read through a few handles: to open one for each read
 * costs more than the read, and to keep all of them open runs into the limit of the process.
 */
import { type CacheError, ResourceCache } from "@patinox/cache"
import { Context, Data, Effect } from "effect"
import { type FileHandle, open } from "node:fs/promises"

export class FileError extends Data.TaggedError("FileError")<{
  readonly path: string
  /** Node's: `ENOENT`, `EMFILE`. */
  readonly code: string | undefined
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.path}: ${this.code ?? String(this.cause)}`
  }
}

const attempt = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, FileError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new FileError({ path, code: (cause as NodeJS.ErrnoException).code, cause })
  })

/** Opens files and closes them, and counts: a file is open from just before it is opened until it is closed. */
export class Handles {
  open = 0
  /** At once. */
  most = 0
  opened = 0

  readonly acquire = (path: string): Effect.Effect<FileHandle, FileError> =>
    Effect.suspend(() => {
      this.open++
      this.most = Math.max(this.most, this.open)
      return attempt(path, () => open(path)).pipe(
        Effect.tap(() => Effect.sync(() => this.opened++)),
        Effect.tapError(() => Effect.sync(() => this.open--))
      )
    })

  /** Node waits for the reads that run: a read that was interrupted does not read from a file that is another's by now. */
  readonly release = (handle: FileHandle, path: string): Effect.Effect<void, FileError> =>
    Effect.tap(attempt(path, () => handle.close()), () => Effect.sync(() => this.open--))
}

export class Files
  extends Context.Tag("file-handles/Files")<Files, ResourceCache.ResourceCache<string, FileHandle, FileError>>()
{}

export const layer = (
  handles: Handles,
  settings: ResourceCache.CacheSettings & ResourceCache.ReleaseSettings = {}
) => ResourceCache.layer(Files, handles.acquire, { maxEntries: 64, release: handles.release, ...settings })

/** Fewer bytes where the file ends. Any number of readers share a handle, as each says where it reads. */
export const readAt = (
  path: string,
  position: number,
  length: number
): Effect.Effect<Buffer, FileError | CacheError.CacheError, Files> =>
  Effect.flatMap(Files, (files) =>
    files.use(path, (handle) =>
      attempt(path, async () => {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position)
        return buffer.subarray(0, bytesRead)
      })))
