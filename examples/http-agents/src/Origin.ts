/** The other party: a server on loopback that knows its connections. */
import { Effect, type Scope } from "effect"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"

export interface Origin {
  readonly url: URL
  readonly connections: Effect.Effect<{ readonly open: number; readonly accepted: number }>
}

export const start = (listener: RequestListener): Effect.Effect<Origin, never, Scope.Scope> => {
  const server = createServer(listener)
  // It does not close idle connections: that is for those who have opened them.
  server.keepAliveTimeout = 0
  const connections = { open: 0, accepted: 0 }
  server.on("connection", (socket) => {
    connections.accepted++
    connections.open++
    socket.once("close", () => connections.open--)
  })
  return Effect.acquireRelease(
    Effect.async<Origin>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const url = new URL(`http://127.0.0.1:${port}`)
        resume(Effect.succeed({ url, connections: Effect.sync(() => ({ ...connections })) }))
      })
    }),
    () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
}
