/**
 * The connections of a Node HTTP server, what of them may be closed, and when. It knows the requests on each, from the
 * first byte to the last of the response. It knows nothing of the handlers, but tells them what Node leaves out: that a
 * response which will never be sent is over.
 */
import { HttpServerError, type HttpServerRequest } from "@effect/platform"
import { callback, Condition } from "@patinox/core/kernel"
import type { HttpDrain } from "@patinox/platform"
import { Effect } from "effect"
import { EventEmitter } from "node:events"
import type * as Http from "node:http"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import * as Tls from "node:tls"
import * as Seam from "./Seam.js"

interface Exchange {
  readonly request: Http.IncomingMessage
  readonly response: Http.ServerResponse
  /** On a clock that never jumps. */
  readonly since: number
  /** The connection is closed after it, though the response may not have said so. */
  isLast: boolean
  /** Whether the connection would stay, for all that the client and the server's own settings say. */
  readonly keepAlive: boolean
  /** How many listeners of the response's end are Node's own; any further ones belong to a handler that waits. */
  readonly finishListeners: number
}

interface Connection {
  readonly socket: Net.Socket
  /** In the order of their requests, which is that of the responses. */
  readonly exchanges: Array<Exchange>
  /** Another protocol is spoken on it. */
  upgraded: boolean
}

/**
 * Whether a client can tell where the body ends: by its chunks or its length. To a client of HTTP/1.0 without a length the end
 * of the connection is the end of the body.
 */
const isFramed = ({ chunkedEncoding, useChunkedEncodingByDefault }: Http.ServerResponse): boolean =>
  chunkedEncoding || useChunkedEncodingByDefault

/** Ends a connection in the middle of a body, so that the client sees that the body is not complete. */
const breakOff = (response: Http.ServerResponse, socket: Net.Socket): void => {
  if (isFramed(response)) return socket.destroySoon()
  try {
    socket.resetAndDestroy()
  } catch {
    // No TCP socket of its own, as under TLS.
    socket.destroy()
  }
}

/** Calls the callbacks of a write that nobody will read. */
const callBack = (args: ReadonlyArray<unknown>): void => {
  for (const arg of args) if (typeof arg === "function") arg()
}

const unavailable = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

/** `ws` keeps its object at the socket, under a symbol of its own; without that object no close can be sent. */
const closeWebSocket = (socket: object): void => {
  const key = Object.getOwnPropertySymbols(socket).find(({ description }) => description === "websocket")
  const webSocket = key === undefined ? undefined : (socket as Record<symbol, { close?: unknown } | undefined>)[key]
  if (typeof webSocket?.close === "function") webSocket.close(1001, "Server is going away")
}

/**
 * Where the connection is gone, Node does not call the listeners of the response's end. The handler's fiber would wait
 * for good, with all that is in the request's scope.
 */
const endUnsent = ({ finishListeners, response }: Exchange): void => {
  for (const listener of response.rawListeners("finish").slice(finishListeners)) listener.call(response)
  response.end = (...args: ReadonlyArray<unknown>) => {
    callBack(args)
    return response
  }
}

/**
 * From now on the end of a body that has begun is the end of its connection: an interrupted handler would end the body
 * properly, and a part of a download would look like the whole. What is written until then is still sent.
 */
const breakOffAtEnd = ({ response }: Exchange, socket: Net.Socket): void => {
  if (!response.headersSent || response.writableEnded) return
  response.end = (...args: ReadonlyArray<unknown>) => {
    callBack(args)
    breakOff(response, socket)
    return response
  }
}

export class HttpConnections implements HttpDrain.Connections {
  /** What Effect attaches to the server, so that requests pass here first. */
  private readonly handlers = new EventEmitter()
  /** All that was accepted, those included that are no connection yet as their TLS handshake goes on. */
  private readonly accepted = new Set<Net.Socket>()
  private readonly connections = new Map<Duplex, Connection>()
  private readonly condition = new Condition()
  private announced = false
  private stopped = false
  private closesIdle = false

  constructor(private readonly server: Http.Server, private readonly listenOptions: Net.ListenOptions) {
    server.on("connection", (socket: Net.Socket) => {
      this.accepted.add(socket)
      socket.once("close", () => this.accepted.delete(socket))
    })
    server.on(server instanceof Tls.Server ? "secureConnection" : "connection", (socket) => this.track(socket))
    server.on("request", (request, response) => this.onRequest(request, response))
    server.on("upgrade", (request, socket, head) => this.onUpgrade(request, socket, head))
  }

  /** The server as the code that serves should see it. */
  readonly facade: Http.Server = new Proxy(this.server, {
    get: (server, key) => {
      if (key === "on" || key === "off") {
        return (event: string, listener: (...args: Array<any>) => void) => {
          if (event === "request" || event === "upgrade") this.handlers[key](event, listener)
          else server[key](event, listener)
        }
      }
      const value = Reflect.get(server, key) as unknown
      return typeof value === "function" ? value.bind(server) : value
    }
  })

  // --- what happens --------------------------------------------------------------------------------------------------

  private track(socket: Net.Socket): Connection {
    const connection: Connection = { socket, exchanges: [], upgraded: false }
    this.connections.set(socket, connection)
    // After those of Node, which tell the response that is being sent, and not those that wait behind it.
    socket.once("close", () => process.nextTick(() => this.closed(connection)))
    return connection
  }

  private closed(connection: Connection): void {
    for (const { response } of connection.exchanges.slice()) response.emit("close")
    this.connections.delete(connection.socket)
    this.condition.check()
  }

  private onRequest(request: Http.IncomingMessage, response: Http.ServerResponse): void {
    const { socket } = request
    if (socket.writableEnded || socket.destroyed) return
    const connection = this.connections.get(socket) ?? this.track(socket)
    // Nothing that comes after the last response can be answered; the connection closes once that is sent.
    if (this.announced && connection.exchanges.some(saysLast)) return
    if (this.handlers.listenerCount("request") === 0) {
      // Somebody else may answer at this server.
      if (this.server.listenerCount("request") === 1) response.writeHead(503, { connection: "close" }).end()
      return
    }
    const exchange: Exchange = {
      request,
      response,
      since: Seam.nowMillis(),
      isLast: false,
      keepAlive: response.shouldKeepAlive,
      finishListeners: response.listenerCount("finish")
    }
    connection.exchanges.push(exchange)
    response.once("close", () => this.ended(connection, exchange))
    this.mark(connection)
    this.handlers.emit("request", request, response)
  }

  private ended(connection: Connection, exchange: Exchange): void {
    connection.exchanges.splice(connection.exchanges.indexOf(exchange), 1)
    if (!exchange.response.writableFinished) endUnsent(exchange)
    if (exchange.isLast && connection.exchanges.length === 0) connection.socket.destroySoon()
    this.closeIfIdle(connection)
  }

  private onUpgrade(request: Http.IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.stopped || this.handlers.listenerCount("upgrade") === 0) {
      if (this.server.listenerCount("upgrade") === 1) socket.end(unavailable)
      return
    }
    const connection = this.connections.get(socket) ?? this.track(socket as Net.Socket)
    connection.upgraded = true
    socket.once("finish", () => {
      connection.upgraded = false
      this.closeIfIdle(connection)
    })
    this.handlers.emit("upgrade", request, socket, head)
  }

  /** Only the last response on a connection may close it: those before it are still to be sent. */
  private mark({ exchanges }: Connection): void {
    exchanges.forEach(({ keepAlive, response }, index) => {
      if (response.headersSent) return
      response.shouldKeepAlive = keepAlive && !(this.announced && index === exchanges.length - 1)
    })
  }

  private closeIfIdle({ exchanges, socket, upgraded }: Connection): void {
    if (this.closesIdle && exchanges.length === 0 && !upgraded) socket.destroySoon()
  }

  // --- what is asked for ---------------------------------------------------------------------------------------------

  readonly open = Effect.suspend(() => {
    this.announced = this.stopped = this.closesIdle = false
    return this.server.listening ? Effect.void : this.listen
  })

  private readonly listen = callback<void, HttpServerError.ServeError>((resume) => {
    const onError = (cause: Error) => resume(Effect.fail(new HttpServerError.ServeError({ cause })))
    this.server.once("error", onError)
    this.server.listen({ ...this.listenOptions, ...this.boundTo }, () => {
      this.server.off("error", onError)
      resume(Effect.void)
    })
  })

  /** The port that it was given, so that it is the same when it listens again. */
  private boundTo: { readonly port: number } | undefined

  readonly announceClose = Effect.sync(() => {
    this.announced = true
    for (const connection of this.connections.values()) this.mark(connection)
  })

  readonly stopListening = Effect.sync(() => {
    this.stopped = true
    const address = this.server.address()
    if (address !== null && typeof address === "object") this.boundTo = { port: address.port }
    // That of an HTTP server closes idle connections, too, which should have their grace.
    Net.Server.prototype.close.call(this.server)
    for (const { socket, upgraded } of this.connections.values()) if (upgraded) closeWebSocket(socket)
  })

  readonly closeIdle = Effect.sync(() => {
    this.closesIdle = true
    for (const connection of this.connections.values()) this.closeIfIdle(connection)
  })

  readonly closeAfter = (request: HttpServerRequest.HttpServerRequest) =>
    Effect.sync(() => {
      // By its socket: there may be as many of these as there are connections.
      const source = request.source as Http.IncomingMessage
      for (const exchange of this.connections.get(source.socket)?.exchanges ?? []) {
        if (exchange.request === source) exchange.isLast = true
      }
    })

  readonly breakOffBegun = Effect.sync(() => {
    for (const { exchanges, socket } of this.connections.values()) {
      for (const exchange of exchanges) breakOffAtEnd(exchange, socket)
    }
  })

  readonly unsent = Effect.sync(() =>
    [...this.connections.values()].flatMap(({ exchanges }) =>
      exchanges.flatMap(({ isLast, request, response, since }) =>
        // A response that the drain has ended itself is lost to nobody.
        isLast || !response.writableEnded || response.writableFinished
          ? []
          : [{
            source: request,
            method: request.method ?? "",
            url: request.url ?? "",
            ageMillis: Seam.nowMillis() - since
          }]
      )
    )
  )

  readonly destroyAll = Effect.sync(() => {
    // Ends the timer that looks for slow requests, too.
    this.server.close()
    for (const socket of [...this.accepted, ...this.connections.keys()]) socket.destroy()
  })

  readonly awaitClosed = Effect.asVoid(this.condition.until(() => this.connections.size === 0))
}

const saysLast = ({ response }: Exchange): boolean => response.headersSent && !response.shouldKeepAlive
