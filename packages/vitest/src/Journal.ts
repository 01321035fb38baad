/**
 * What happened to the resources of a test, in order, and how many of their releases ran at once. Resources that share a
 * journal can be compared with each other.
 */

/** One thing that happened to one resource. `attempted` is the start of a release, the last three its end. */
export interface JournalEntry {
  readonly what: "acquired" | "attempted" | "released" | "failed" | "interrupted"
  readonly resource: string
}

/** A record that several test resources write to. */
export interface Journal {
  /** Everything so far, in order. */
  readonly entries: () => ReadonlyArray<JournalEntry>
  /** The names of the resources that something happened to, in that order. */
  readonly of: (what: JournalEntry["what"]) => ReadonlyArray<string>
  /** How many releases are running. */
  readonly running: () => number
  /** The most releases that ever ran at once. */
  readonly maxConcurrent: () => number
  /** Writes one entry; `TestResource` does. */
  readonly write: (what: JournalEntry["what"], resource: string) => void
}

/**
 * An empty journal.
 *
 * ```ts
 * import { Journal, TestResource } from "@patinox/vitest"
 * import { Effect } from "effect"
 *
 * const journal = Journal.make()
 * const program = Effect.gen(function*() {
 *   const a = yield* TestResource.make("a", { journal })
 *   const b = yield* TestResource.make("b", { journal })
 *   yield* Effect.scoped(Effect.andThen(a.plain, b.plain))
 * })
 * await Effect.runPromise(program)
 * console.log(journal.of("released")) // => [ 'b', 'a' ]
 * console.log(journal.maxConcurrent()) // => 1
 * ```
 */
export const make = (): Journal => {
  const entries: Array<JournalEntry> = []
  let running = 0
  let maxConcurrent = 0
  return {
    entries: () => [...entries],
    of: (what) => entries.filter((entry) => entry.what === what).map((entry) => entry.resource),
    running: () => running,
    maxConcurrent: () => maxConcurrent,
    write: (what, resource) => {
      if (what === "attempted") maxConcurrent = Math.max(maxConcurrent, ++running)
      else if (what !== "acquired") running--
      entries.push({ what, resource })
    }
  }
}
