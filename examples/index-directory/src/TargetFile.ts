/**
 * The place of the index. It is taken before the work begins, so that an unwritable target is known at once. An existing
 * index is replaced in one step by a complete one, or not at all.
 */
import { ResourceGuard } from "@patinox/core"
import { Context, Effect } from "effect"
import { lstat, open, rename, rm } from "node:fs/promises"
import { attemptFile, type FileError } from "./Errors.js"

export class TargetFile extends Context.Tag("index-directory/TargetFile")<TargetFile, {
  readonly path: string
  /** Beside the target, as only a rename within one file system is a single step. */
  readonly partial: string
  /** Moves what `write` has put into the partial file to the target. */
  readonly publish: <E>(write: (partial: string) => Effect.Effect<void, E>) => Effect.Effect<void, E | FileError>
}>() {}

const refuseOthers = async (target: string): Promise<void> => {
  const there = await lstat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })
  // A rename would put the index in place of a device, too.
  if (there !== undefined && !there.isFile()) throw new Error("is there already, and is not a regular file")
}

export const layer = (path: string) =>
  ResourceGuard.layer(
    TargetFile,
    Effect.gen(function*() {
      const partial = `${path}.${process.pid}.partial`
      yield* attemptFile(path, async () => {
        await refuseOthers(path)
        await (await open(partial, "wx")).close()
      })
      return TargetFile.of({
        path,
        partial,
        publish: (write) => Effect.andThen(write(partial), attemptFile(path, () => rename(partial, path)))
      })
    }),
    // Forced, as the file no longer exists if the index was published.
    ({ partial }) => attemptFile(partial, () => rm(partial, { force: true }))
  )
