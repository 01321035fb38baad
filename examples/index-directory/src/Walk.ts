/**
 * Finds the files below a directory. A symbolic link stands for the file that it leads to; to a directory it is not
 * followed, as that may lead in a circle. Pipes, sockets and devices are left alone. What cannot be looked at is listed.
 */
import { Effect } from "effect"
import type { Dirent } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { attemptFile, type FileError } from "./Errors.js"

export interface Found {
  readonly files: ReadonlyArray<string>
  readonly unreadable: ReadonlyArray<FileError>
}

const skipped = new Set(["node_modules", ".git"])

const nothing: Found = { files: [], unreadable: [] }

const merge = (found: ReadonlyArray<Found>): Found => ({
  files: found.flatMap(({ files }) => files),
  unreadable: found.flatMap(({ unreadable }) => unreadable)
})

const orUnreadable = (found: Effect.Effect<Found, FileError>): Effect.Effect<Found> =>
  Effect.catchAll(found, (error) => Effect.succeed({ files: [], unreadable: [error] }))

type IsOurs = (path: string) => boolean

const entriesOf = (directory: string) => attemptFile(directory, () => readdir(directory, { withFileTypes: true }))

const visit = (path: string, entry: Dirent, isOurs: IsOurs): Effect.Effect<Found> => {
  if (isOurs(path)) return Effect.succeed(nothing)
  if (entry.isFile()) return Effect.succeed({ files: [path], unreadable: [] })
  if (entry.isDirectory()) {
    return skipped.has(entry.name)
      ? Effect.succeed(nothing)
      : orUnreadable(Effect.flatMap(entriesOf(path), (entries) => visitAll(path, entries, isOurs)))
  }
  if (!entry.isSymbolicLink()) return Effect.succeed(nothing)
  return orUnreadable(Effect.map(
    attemptFile(path, () => stat(path)),
    (target) => target.isFile() ? { files: [path], unreadable: [] } : nothing
  ))
}

const visitAll = (directory: string, entries: ReadonlyArray<Dirent>, isOurs: IsOurs): Effect.Effect<Found> =>
  Effect.map(
    Effect.forEach(entries, (entry) => visit(join(directory, entry.name), entry, isOurs), { concurrency: 8 }),
    merge
  )

/** Fails only where the directory itself cannot be read. `isOurs` says what the application has put there. */
export const filesBelow = (directory: string, isOurs: IsOurs): Effect.Effect<Found, FileError> =>
  Effect.flatMap(entriesOf(directory), (entries) => visitAll(directory, entries, isOurs))
