/** The other party: a server on loopback that knows whose its connections are. */
import { Effect, type Scope } from "effect"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo, Socket } from "node:net"

export interface Service {
  readonly url: URL
  /** Who has connections. */
  readonly open: Effect.Effect<ReadonlySet<string>>
  /** How many there have been. */
  readonly accepted: Effect.Effect<number>
  /** Waits for something that comes about when a connection is opened, used or closed. */
  readonly until: <E, R>(isReached: Effect.Effect<boolean, E, R>) => Effect.Effect<void, E, R>
}

const keyOf = (authorization = "") => authorization.replace(/^Bearer /, "")

export const make = (listener: RequestListener): Effect.Effect<Service, never, Scope.Scope> => {
  const connections = new Map<Socket, string>()
  const watchers = new Set<() => void>()
  const changed = () => {
    for (const watcher of watchers) watcher()
  }
  const change = Effect.async<void>((resume) => {
    const watcher = () => {
      watchers.delete(watcher)
      resume(Effect.void)
    }
    watchers.add(watcher)
    return Effect.sync(() => watchers.delete(watcher))
  })
  let accepted = 0
  const server = createServer((request, response) => {
    connections.set(request.socket, keyOf(request.headers.authorization))
    listener(request, response)
    changed()
  })
  // It does not close idle connections: that is for those who have opened them.
  server.keepAliveTimeout = 0
  server.on("connection", (socket) => {
    accepted++
    socket.once("close", () => {
      connections.delete(socket)
      changed()
    })
  })
  const until: Service["until"] = (isReached) =>
    Effect.flatMap(isReached, (is) => is ? Effect.void : Effect.andThen(change, until(isReached)))
  return Effect.acquireRelease(
    Effect.async<Service>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({
          url: new URL(`http://127.0.0.1:${port}`),
          open: Effect.sync(() => new Set(connections.values())),
          accepted: Effect.sync(() => accepted),
          until
        }))
      })
    }),
    () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
}

/** It answers with the key. */
export const start = make(({ headers }, response) => response.end(keyOf(headers.authorization)))
