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
    "connection.socket.destroySoon()\n    this.closeIfIdle(connection)",
    "connection.socket.destroySoon()",
    "NodeHttpServer.draining"
  ),
  mutation(
    "a server that is closed holds a timer",
    "internal/HttpConnections.ts",
    "    this.server.close()\n    for",
    "    for",
    "NodeHttpServer"
  ),
  mutation(
    "a response that the drain cuts off looks complete to its client",
    "internal/HttpConnections.ts",
    "      for (const exchange of exchanges) breakOffAtEnd(exchange, socket)\n",
    "      void [exchanges, socket, breakOffAtEnd]\n",
    "NodeHttpServer.cutoff"
  ),
  mutation(
    "a response without a length that is cut off looks complete to a client of HTTP/1.0",
    "internal/HttpConnections.ts",
    "  if (isFramed(response)) return socket.destroySoon()\n",
    "  if (isFramed(response) || !socket.destroyed) return socket.destroySoon()\n",
    "NodeHttpServer.cutoff"
  ),
  mutation(
    "a response that its client still reads at the limit is counted by nobody",
    "internal/HttpConnections.ts",
    "isLast || !response.writableEnded || response.writableFinished",
    "isLast || response.writableEnded",
    "NodeHttpServer.cutoff"
  )
]
