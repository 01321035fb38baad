/** Clients of raw sockets, that say and hear every byte: waits are for what comes, never for a time. */
import { Effect } from "effect"
import * as Net from "node:net"

export interface RawClient {
  readonly socket: Net.Socket
  readonly send: (...lines: ReadonlyArray<string>) => void
  /** All that has come so far. */
  readonly text: () => string
  /** Waits until what has come fits, or the server has closed. */
  readonly until: (fits: string | ((text: string) => boolean)) => Effect.Effect<string>
  /** Waits until the server has closed, and gives all that came. */
  readonly closed: Effect.Effect<string>
}

export const request = (path: string, ...headers: ReadonlyArray<string>): string =>
  ["GET " + path + " HTTP/1.1", "Host: test", ...headers, "", ""].join("\r\n")

/** How many responses have begun. */
export const responses = (text: string): number => text.split("HTTP/1.1 ").length - 1

export const connect = (
  port: number,
  options?: { readonly allowHalfOpen: boolean }
): Effect.Effect<RawClient, NodeJS.ErrnoException> =>
  Effect.async((resume) => {
    let received = ""
    let isClosed = false
    const waiting = new Set<() => void>()
    const changed = () => {
      for (const wake of waiting) wake()
    }
    const wait = (isOver: () => boolean): Effect.Effect<string> =>
      Effect.async((resume) => {
        const check = () => {
          if (!isOver()) return
          waiting.delete(check)
          resume(Effect.sync(() => received))
        }
        waiting.add(check)
        check()
      })
    const socket = Net.connect({ ...options, port, host: "127.0.0.1" }, () =>
      resume(Effect.succeed({
        socket,
        send: (...lines) => {
          for (const line of lines) socket.write(line)
        },
        text: () => received,
        until: (fits) => wait(() => isClosed || (typeof fits === "string" ? received.includes(fits) : fits(received))),
        closed: wait(() => isClosed)
      })))
    socket.setEncoding("latin1")
    socket.on("data", (text) => {
      received += String(text)
      changed()
    })
    // Before it is connected a failure; later what the end looks like.
    socket.on("error", (error) => resume(Effect.fail(error)))
    socket.on("close", () => {
      isClosed = true
      changed()
    })
  })
