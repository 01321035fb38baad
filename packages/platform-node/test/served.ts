/** An app on a real server, with a pool that its handlers use and a registry that watches both. */
import { type HttpApp, type HttpMiddleware, HttpServer } from "@effect/platform"
import { ResourceGuard, ResourceScope } from "@patinox/core"
import * as NodeHttpServer from "@patinox/platform-node/NodeHttpServer"
import { TestMonitor, TestRegistry } from "@patinox/vitest"
import { Context, Deferred, Effect, Exit, type Fiber, Layer, Scope } from "effect"
import * as Http from "node:http"

/** Something that handlers use: it counts uses while it is open, and those that come too late. */
export class Pool extends Context.Tag("Pool")<Pool, { readonly use: Effect.Effect<void> }>() {}

export const usePool = Effect.flatMap(Pool, (pool) => pool.use)

export interface Served {
  readonly port: number
  readonly pool: { readonly uses: number; readonly lateUses: number; readonly isOpen: boolean }
  readonly monitor: TestMonitor.TestMonitor
  /** Closes the scope of the app, as its end would. */
  readonly close: Effect.Effect<void>
  /** Begins to close it, and goes on once the server drains. */
  readonly drain: Effect.Effect<Fiber.Fiber<void>>
}

export const portOf = (server: HttpServer.HttpServer): number =>
  server.address._tag === "TcpAddress" ? server.address.port : -1

export interface ServeOptions extends Partial<NodeHttpServer.ServerOptions> {
  readonly middleware?: HttpMiddleware.HttpMiddleware
  readonly server?: () => Http.Server
  readonly scope?: Scope.CloseableScope
}

/** One that closes no connection by itself. */
const quietServer = () => Http.createServer({ keepAliveTimeout: 0 })

export const serve = <E>(
  app: HttpApp.Default<E, Pool | Scope.Scope>,
  { middleware, scope: given, server = quietServer, ...options }: ServeOptions = {}
): Effect.Effect<Served, NodeHttpServer.ServerError> =>
  Effect.gen(function*() {
    const state = { uses: 0, lateUses: 0, isOpen: true }
    const monitor = yield* TestMonitor.make
    const pool = ResourceGuard.layer(
      Pool,
      Effect.succeed({
        use: Effect.sync(() => {
          state.uses++
          if (!state.isOpen) state.lateUses++
        })
      }),
      () => Effect.sync(() => void (state.isOpen = false))
    )
    const serving: Layer.Layer<never, never, HttpServer.HttpServer | Pool> = middleware === undefined
      ? HttpServer.serve(app)
      : HttpServer.serve(app, middleware as never)
    const layer = serving.pipe(
      Layer.provide(pool),
      Layer.provideMerge(NodeHttpServer.layer(server, { port: 0, host: "127.0.0.1", ...options })),
      Layer.provide(TestRegistry.layer.pipe(Layer.provide(monitor.layer)))
    )
    const scope = given ?? (yield* Scope.make())
    const context = yield* Scope.extend(
      ResourceScope.isResourceScope(scope) ? ResourceScope.build(layer) : Layer.build(layer),
      scope
    )
    const close = Scope.close(scope, Exit.void)
    const draining = monitor.waitFor((event) => event._tag === "Started" && event.typeName === "HttpServer")
    return {
      port: portOf(Context.get(context, HttpServer.HttpServer)),
      pool: state,
      monitor,
      close,
      drain: Effect.zipLeft(Effect.fork(close), draining)
    }
  })

/** The outcome of each cleanup by the name of its resource. */
export const outcomes = (served: Served): Effect.Effect<Readonly<Record<string, string>>> =>
  Effect.map(
    served.monitor.events,
    (events) =>
      Object.fromEntries(events.flatMap((event) => "record" in event ? [[event.typeName, event.record.outcome]] : []))
  )

/** A place in a handler: it tells that it is reached, and waits there. */
export const makeGate = Effect.gen(function*() {
  const reached = yield* Deferred.make<void>()
  const opened = yield* Deferred.make<void>()
  return {
    pass: Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(opened)),
    reached: Deferred.await(reached),
    open: Deferred.succeed(opened, undefined)
  }
})

/** A server, and waits for what happens on its side. */
export const watchedServer = () => {
  const server = quietServer()
  const seen = { requests: 0, closed: 0 }
  const waiting = new Set<() => void>()
  const happened = (what: keyof typeof seen) => () => {
    seen[what]++
    for (const wake of waiting) wake()
  }
  server.on("request", happened("requests"))
  server.on("connection", (socket) => socket.once("close", happened("closed")))
  return {
    server: () => server,
    until: (what: keyof typeof seen, count: number): Effect.Effect<void> =>
      Effect.async((resume) => {
        const check = () => {
          if (seen[what] < count) return
          waiting.delete(check)
          resume(Effect.void)
        }
        waiting.add(check)
        check()
      })
  }
}
