/**
 * Where the application writes. A terminal has a status line that is drawn over; elsewhere there are lines only. A reader
 * that went away, or a full disk behind a redirection, must not end the process before it has cleaned up: the error is
 * kept, and asked for at the end.
 */
import { Context, Effect } from "effect"

export class Output extends Context.Tag("index-directory/Output")<Output, {
  readonly isTerminal: boolean
  readonly columns: () => number
  readonly line: (text: string) => Effect.Effect<void>
  /** Goes to standard error. */
  readonly problem: (text: string) => Effect.Effect<void>
  /** Is replaced by whatever is written next. Nothing where there is no terminal. */
  readonly status: (text: string) => Effect.Effect<void>
  /** Why something could not be written; not that the reader has had enough. */
  readonly failure: Effect.Effect<Error | undefined>
}>() {}

/** What is needed of a stream of Node's. */
export interface Sink {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): boolean
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown
}

const clearLine = "\r\u001b[K"

export const make = (out: Sink, problems: Sink): Output["Type"] => {
  let failure: Error | undefined
  let gone = false
  out.on("error", (error) => {
    gone = true
    if (error.code !== "EPIPE") failure ??= error
  })
  problems.on("error", () => {})
  const isTerminal = out.isTTY === true
  const write = (sink: Sink, text: string) =>
    Effect.sync(() => {
      if (!gone || sink !== out) sink.write(text)
    })
  const prefix = isTerminal ? clearLine : ""
  return {
    isTerminal,
    // 0 where a terminal does not know its width.
    columns: () => out.columns || 80,
    line: (text) => write(out, `${prefix}${text}\n`),
    problem: (text) => write(problems, `${prefix}${text}\n`),
    status: (text) => isTerminal ? write(out, prefix + text) : Effect.void,
    failure: Effect.sync(() => failure)
  }
}
