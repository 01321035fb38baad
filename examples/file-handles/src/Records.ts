/** What is read: a folder of small files, each with records of the same length, so that a record can be read by its place. */
import { ResourceGuard } from "@patinox/core"
import { Effect } from "effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readAt } from "./Files.js"

export const recordsPerFile = 16
const recordLength = 32

const recordOf = (file: number, record: number) => `file ${file} record ${record}`.padEnd(recordLength)

export const pathOf = (folder: string, file: number) => join(folder, `${file}.records`)

/** A folder for temporary files, which is gone at the end. */
export const folder = ResourceGuard.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "file-handles-"))),
  (path) => Effect.tryPromise(() => rm(path, { recursive: true })),
  { typeName: "file-handles/Folder" }
)

export const write = (folder: string, files: number) =>
  Effect.forEach(
    Array.from({ length: files }, (_, file) => file),
    (file) => {
      const records = Array.from({ length: recordsPerFile }, (_, record) => recordOf(file, record))
      return Effect.promise(() => writeFile(pathOf(folder, file), records.join("")))
    },
    { concurrency: 16, discard: true }
  )

/** Tells whether it is the right one. */
export const check = (folder: string, file: number, record: number) =>
  Effect.map(
    readAt(pathOf(folder, file), record * recordLength, recordLength),
    (found) => found.toString() === recordOf(file, record)
  )
