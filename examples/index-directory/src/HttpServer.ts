/** Serves the index on loopback while it is built. First to go, so that nobody asks for what is being closed. */
import { ResourceGuard } from "@patinox/core"
import { Context, Effect } from "effect"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { ServerError } from "./Errors.js"
import { ProgressDisplay } from "./ProgressDisplay.js"
import { respond } from "./Routes.js"
import { SqliteIndex } from "./SqliteIndex.js"

export class HttpServer extends Context.Tag("index-directory/HttpServer")<HttpServer, {
  readonly url: string
  readonly server: Server
}>() {}

const listener =
  (index: SqliteIndex["Type"], progress: ProgressDisplay["Type"]): RequestListener => (request, response) =>
    Effect.runFork(
      Effect.suspend(() => respond({ method: request.method!, url: request.url! }, index, progress.read)).pipe(
        Effect.catchAllCause(() => Effect.succeed({ status: 500, body: { error: "The index cannot be read" } })),
        Effect.map(({ body, status }) => {
          response.writeHead(status, { "content-type": "application/json" })
          response.end(JSON.stringify(body))
        })
      )
    )

const listen = (server: Server) =>
  Effect.async<HttpServer["Type"], ServerError>((resume) => {
    server.once("error", (cause) => resume(Effect.fail(new ServerError({ cause }))))
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, server }))
    })
  })

/** Takes no more connections, and waits for the answers that are under way. May be called again. */
const close = (server: Server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))

/** `onClose` is the application's; its defects are not the server's. */
export const layer = ({ onClose }: { readonly onClose: Effect.Effect<void> }) =>
  ResourceGuard.layer(
    HttpServer,
    Effect.gen(function*() {
      const index = yield* SqliteIndex
      const progress = yield* ProgressDisplay
      return yield* listen(createServer(listener(index, progress)))
    }),
    ({ server }) => Effect.andThen(onClose, close(server)),
    {
      priority: "Critical",
      dependsOn: [SqliteIndex],
      interruptible: true,
      recovery: {
        // Neither a client that holds its connection open nor a defect gets better by trying again.
        strategy: () => "Fallback",
        fallback: ({ server }) => Effect.andThen(Effect.sync(() => server.closeAllConnections()), close(server))
      }
    }
  )
