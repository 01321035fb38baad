/** Connections of a server on Node. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("platform-node")

export const platformNode = [
  mutation(
    "each pipelined response closes its connection",
    "internal/HttpConnections.ts",
    " && index === exchanges.length - 1",
    "",
    "NodeHttpServer.draining"
  ),
  mutation(
    "a server that stops listening drops its idle connections",
    "internal/HttpConnections.ts",
    "Net.Server.prototype.close.call(this.server)",
    "this.server.close()",
    "NodeHttpServer.draining"
  ),
  mutation(
    "an aborted request keeps its handler's fiber",
    "internal/HttpConnections.ts",
    "    if (!exchange.response.writableFinished) endUnsent(exchange)\n",
    "",
    "NodeHttpServer.aborted"
  ),
  mutation(
    "a request after the response that closes is handled",
    "internal/HttpConnections.ts",
    "    if (this.announced && connection.exchanges.some(saysLast)) return\n",
    "",
    "NodeHttpServer.draining"
  ),
  mutation(
    "a connection without requests stays after the grace",
    "internal/HttpConnections.ts",
    "endUnsent(exchange)\n    this.closeIfIdle(connection)",
    "endUnsent(exchange)",
    "NodeHttpServer.draining"
  ),
  mutation(
    "a server that is closed holds a timer",
    "internal/HttpConnections.ts",
    "    this.server.close()\n    for",
    "    for",
    "NodeHttpServer"
  )
]
