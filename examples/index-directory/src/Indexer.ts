/** The work itself: finds the files, has each hashed and classified, writes the rows, publishes the index. */
import { Effect, Ref, Stream } from "effect"
import { relative } from "node:path"
import { Classifier } from "./Classifier.js"
import type { FileError } from "./Errors.js"
import { HashWorkers } from "./HashWorkers.js"
import * as Progress from "./Progress.js"
import { ProgressDisplay } from "./ProgressDisplay.js"
import { type Row, SqliteIndex } from "./SqliteIndex.js"
import { StagingDirectory } from "./StagingDirectory.js"
import { TargetFile } from "./TargetFile.js"
import { filesBelow } from "./Walk.js"

export interface Summary {
  readonly indexed: number
  readonly bytes: number
  readonly unreadable: ReadonlyArray<FileError>
}

/** How many files are looked at side by side, and how many rows are written at a time. */
const concurrency = 16
const batch = 64

/** The row of a file. */
const rowOf = (directory: string, path: string) =>
  Effect.gen(function*() {
    const { hash } = yield* HashWorkers
    const { classify } = yield* Classifier
    const [hashed, classified] = yield* Effect.all([hash(path), classify(path)], { concurrency: 2 })
    return { path: relative(directory, path), ...hashed, ...classified } satisfies Row
  })

/** Sets `published` in the step in which the index takes its place: who is interrupted knows on which side it was. */
export const index = (directory: string, published: Ref.Ref<Summary | undefined>) =>
  Effect.gen(function*() {
    const database = yield* SqliteIndex
    const progress = yield* ProgressDisplay
    const staging = yield* StagingDirectory
    const target = yield* TargetFile

    const ours = [staging.path, target.path, target.partial]
    const found = yield* filesBelow(directory, (path) => ours.includes(path))
    yield* progress.update((now) => ({
      ...now,
      phase: "indexing",
      total: found.files.length + found.unreadable.length,
      unreadable: found.unreadable.length
    }))

    let bytes = 0
    const unreadable = [...found.unreadable]
    const lookAt = (path: string) =>
      Effect.matchEffect(rowOf(directory, path), {
        onSuccess: (row) => Effect.as(progress.update(Progress.oneIndexed), [row]),
        onFailure: (error) => {
          if (error._tag !== "FileError") return Effect.fail(error)
          unreadable.push(error)
          return Effect.as(progress.update(Progress.oneUnreadable), [])
        }
      })
    const write = (rows: Iterable<Row>) => {
      const written = [...rows]
      bytes += written.reduce((sum, { size }) => sum + size, 0)
      return database.insert(written)
    }
    const { watch } = yield* Classifier
    yield* Stream.fromIterable(found.files).pipe(
      Stream.mapEffect(lookAt, { concurrency, unordered: true }),
      Stream.mapConcat((rows) => rows),
      Stream.grouped(batch),
      Stream.runForEach(write),
      // Some file may take longer to hash than anybody asks the classifier again.
      Effect.raceFirst(watch)
    )
    const { indexed } = yield* progress.read
    const summary: Summary = { indexed, bytes, unreadable }
    yield* Effect.uninterruptible(Effect.andThen(target.publish(database.exportTo), Ref.set(published, summary)))
    yield* progress.update((now) => ({ ...now, phase: "complete" }))
    return summary
  })
