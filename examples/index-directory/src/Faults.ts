/** What makes a resource misbehave in its cleanup: each is something that happens. */
import { Effect } from "effect"
import { Connection } from "../../sqlite/src/Connection.js"
import type { Fault } from "./Args.js"
import { SqliteIndex } from "./SqliteIndex.js"

/** A hook of the application with a mistake in it. */
export const brokenHook: Effect.Effect<void> = Effect.sync(() => {
  const log: { readonly flush: () => void } | undefined = undefined
  log!.flush()
})

/** Somebody, a backup say, is still reading the index when it is closed, and goes on for a while. */
const lingeringReader = Effect.gen(function*() {
  const { path } = yield* SqliteIndex
  const reader = yield* Effect.sync(() => {
    const reader = new Connection(path, { readOnly: true })
    reader.exec("BEGIN; SELECT count(*) FROM files;")
    return reader
  })
  yield* Effect.forkDaemon(Effect.delay(Effect.sync(() => reader.close()), "250 millis"))
})

/** What comes just before the shutdown. */
export const beforeShutdown = (fault: Fault | undefined) => fault === "fail" ? lingeringReader : Effect.void
