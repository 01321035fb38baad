/** Keeps the log of an effect, in place of what Effect would print, so that a test can ask what was said. */
import { type Cause, type Layer, Logger } from "effect"
import * as Seam from "./internal/Seam.js"

/** One line of the log. */
export interface Entry {
  /** `DEBUG`, `INFO`, `WARN`, `ERROR` … */
  readonly level: string
  /** Its parts as one text. */
  readonly message: string
  /** Empty where none was logged. */
  readonly cause: Cause.Cause<unknown>
  readonly annotations: Readonly<Record<string, unknown>>
}

/** A log that is kept. */
export interface TestLog {
  /** Everything so far, in order. */
  readonly entries: ReadonlyArray<Entry>
  /** The messages so far, in order. */
  readonly messages: ReadonlyArray<string>
  /** Each line so far as its level and its message, such as `WARN Pool db: ...`. */
  readonly lines: ReadonlyArray<string>
  /** Replaces Effect's default logger. */
  readonly layer: Layer.Layer<never>
}

/**
 * A log in which nothing is yet.
 *
 * ```ts
 * import { TestLog } from "@patinox/vitest"
 * import { Effect } from "effect"
 *
 * const log = TestLog.make()
 * const program = Effect.annotateLogs(Effect.logWarning("the disk is", "full"), "disk", "sda")
 * await Effect.runPromise(Effect.provide(program, log.layer))
 * console.log(log.lines, log.entries[0]?.annotations) // => [ 'WARN the disk is full' ] { disk: 'sda' }
 * ```
 */
export const make = (): TestLog => {
  const entries: Array<Entry> = []
  const messages: Array<string> = []
  const lines: Array<string> = []
  const logger = Logger.make((line) => {
    const { cause, message } = line
    const text = [message].flat().map(String).join(" ")
    const level = Seam.levelOf(line)
    entries.push({ level, message: text, cause, annotations: Seam.annotationsOf(line) })
    messages.push(text)
    lines.push(`${level} ${text}`)
  })
  return { entries, messages, lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

/** No log at all, for effects whose log nobody asks about. */
export const silent: Layer.Layer<never> = Logger.remove(Logger.defaultLogger)
