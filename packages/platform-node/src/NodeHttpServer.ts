/**
 * `NodeHttpServer` of `@effect/platform-node` whose serving drains: change the import. Layers and `make` give the same
 * services; R gains `ResourceRegistry`, E gains `Validation` and `RegistryShuttingDown`. What draining is, and its limits,
 * are those of `HttpDrain` in `@patinox/platform`. Not for HTTP/2 servers, as Effect's is not.
 *
 * A WebSocket gets a close frame (1001, going away) when the draining starts; a handler that has not ended by the limit
 * is interrupted. A request that meets no handler, as the app is not served yet, is answered with 503.
 */
import { type Etag, type HttpClient, type HttpPlatform, HttpServer, type HttpServerError } from "@effect/platform"
import { type NodeContext, NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import type { CleanupError, PatinoxError, ResourceRegistry } from "@patinox/core"
import { HttpDrain } from "@patinox/platform"
import { Config, type ConfigError, Effect, Layer, type Scope } from "effect"
import * as Http from "node:http"
import type * as Net from "node:net"
import { HttpConnections } from "./internal/HttpConnections.js"

/** Where to listen, and how to drain. */
export interface ServerOptions extends Net.ListenOptions, HttpDrain.DrainOptions {}

/** Why a server cannot be made. */
export type ServerError = HttpServerError.ServeError | PatinoxError.Validation | CleanupError.RegistryShuttingDown

type Context = HttpPlatform.HttpPlatform | Etag.Generator | NodeContext.NodeContext

/** A server that listens until the scope closes. */
export const make = (
  evaluate: () => Http.Server,
  options: ServerOptions
): Effect.Effect<HttpServer.HttpServer, ServerError, Scope.Scope | ResourceRegistry.ResourceRegistry> => {
  const { dependsOn: _, drainTimeout: _1, keepAliveGrace: _2, ...listenOptions } = options
  return HttpDrain.make(
    Effect.suspend(() => {
      const connections = new HttpConnections(evaluate(), listenOptions)
      return Effect.map(
        NodeHttpServer.make(() => connections.facade, listenOptions),
        (server): HttpDrain.Listener => ({ server, connections })
      )
    }),
    options
  )
}

/** The server alone. */
export const layerServer = (
  evaluate: () => Http.Server,
  options: ServerOptions
): Layer.Layer<HttpServer.HttpServer, ServerError, ResourceRegistry.ResourceRegistry> =>
  Layer.scoped(HttpServer.HttpServer, make(evaluate, options))

/**
 * The server with the platform's services. `evaluate` makes the server, once.
 *
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { ResourceRegistry } from "@patinox/core"
 * import { NodeHttpServer } from "@patinox/platform-node"
 * import { Effect, Layer } from "effect"
 * import { createServer } from "node:http"
 *
 * const live = HttpServer.serve(HttpServerResponse.text("hello")).pipe(
 *   Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1", keepAliveGrace: 0 })),
 *   Layer.provide(ResourceRegistry.layer)
 * )
 * const program = HttpServer.addressFormattedWith((url) => Effect.promise(async () => (await fetch(url)).text()))
 * console.log(await Effect.runPromise(Effect.provide(program, live))) // => hello
 * ```
 */
export const layer = (
  evaluate: () => Http.Server,
  options: ServerOptions
): Layer.Layer<HttpServer.HttpServer | Context, ServerError, ResourceRegistry.ResourceRegistry> =>
  Layer.merge(layerServer(evaluate, options), NodeHttpServer.layerContext)

/** As `layer`, with options from a `Config`. */
export const layerConfig = (
  evaluate: () => Http.Server,
  options: Config.Config.Wrap<ServerOptions>
): Layer.Layer<
  HttpServer.HttpServer | Context,
  ServerError | ConfigError.ConfigError,
  ResourceRegistry.ResourceRegistry
> => Layer.unwrapEffect(Effect.map(Config.unwrap(options), (options) => layer(evaluate, options)))

/** A server on a free port, and a client of it. No connection is kept, so that nothing waits for a clock. */
export const layerTest: Layer.Layer<
  HttpServer.HttpServer | Context | HttpClient.HttpClient,
  ServerError,
  ResourceRegistry.ResourceRegistry
> = /* @__PURE__ */ (() =>
  HttpServer.layerTestClient.pipe(
    Layer.provide(NodeHttpClient.layerWithoutAgent),
    Layer.provide(NodeHttpClient.makeAgentLayer({ keepAlive: false })),
    Layer.provideMerge(layer(() => Http.createServer(), { port: 0, keepAliveGrace: 0 }))
  ))()
