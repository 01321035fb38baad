/**
 * An `HttpServer` that drains: what it serves is a guard, released before everything that the handlers use. Agnostic of
 * the platform: who binds one hands in its server and what can be done with its connections. On Node that is
 * `NodeHttpServer` of `@patinox/platform-node`, which is what an application uses.
 */
import {
  type HttpApp,
  type HttpMiddleware,
  HttpServer,
  type HttpServerError,
  HttpServerRequest
} from "@effect/platform"
import { type CleanupError, PatinoxError, ResourceGuard, ResourceRegistry } from "@patinox/core"
import { checkDuration, checkDurationIn, Text } from "@patinox/core/kernel"
import { Clock, Context, Data, type Duration, Effect, Exit, Fiber, Metric, Option, Scope } from "effect"
import { listed, Requests, type RunningRequest, type UnsentRequest } from "./internal/Requests.js"
import { Readiness } from "./Readiness.js"

export type { RunningRequest, UnsentRequest } from "./internal/Requests.js"

/** What can be done with the connections of a server. None of it waits, but for `awaitClosed`. */
export interface Connections {
  /** Takes new connections, and keeps them alive: as at first. */
  readonly open: Effect.Effect<void, HttpServerError.ServeError>
  /** From now on a response, the last one on its connection, carries `Connection: close`. */
  readonly announceClose: Effect.Effect<void>
  /** Takes no new connections, and tells the clients of upgraded connections that the server goes away. */
  readonly stopListening: Effect.Effect<void>
  /** From now on a connection is closed as soon as it has no request. */
  readonly closeIdle: Effect.Effect<void>
  /** Closes the connection of a request once its response is sent, as far as that is the last one on it. */
  readonly closeAfter?: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<void>
  /**
   * From now on a response whose body has begun and is not complete ends with its connection, so that its client sees that
   * it was cut off: the end of an interrupted handler's body would look like that of a whole one.
   */
  readonly breakOffBegun?: Effect.Effect<void>
  /** Requests whose responses are complete and not sent to the end yet, as their clients take their time. */
  readonly unsent?: Effect.Effect<ReadonlyArray<UnsentRequest>>
  /** Closes what is left, whatever it does. */
  readonly destroyAll: Effect.Effect<void>
  /** Waits until no connection is left. */
  readonly awaitClosed: Effect.Effect<void>
}

/** A server that listens, and its connections. */
export interface Listener {
  readonly server: HttpServer.HttpServer
  readonly connections: Connections
}

/** How a server drains. */
export interface DrainOptions {
  /**
   * How long requests may take to finish, from when the draining starts. Above 0; `Duration.infinity` is allowed. Default
   * 15 seconds: with the second that handlers then have to stop, and the 5 seconds before a process's deadline of 25 in
   * which everything starts, it leaves 4 for what the handlers used.
   */
  readonly drainTimeout?: Duration.DurationInput
  /**
   * How long a keep-alive connection without a request stays open, as its client may be about to send one. From 0 to
   * `drainTimeout`. Default 5 seconds, or `drainTimeout` where that is less.
   */
  readonly keepAliveGrace?: Duration.DurationInput
  /**
   * What the handlers use, where it may be cleaned up in another way than by its scope: the server drains before it.
   * Tags are looked up where the app is served.
   */
  readonly dependsOn?: ReadonlyArray<ResourceGuard.Dependency>
}

/** Handlers that ignored their interruption, and were abandoned: what they use may be released while they run. */
export class RequestsLetGo extends /* @__PURE__ */ Data.TaggedError("RequestsLetGo")<{
  readonly requests: ReadonlyArray<RunningRequest>
  /** When they were abandoned, in milliseconds since the epoch. */
  readonly at: number
}> {
  override get message(): string {
    return `Still running after they were interrupted: ${listed(this.requests, this.at)}`
  }
}

interface Limits {
  readonly drainTimeout: number
  readonly keepAliveGrace: number
}

/** Pure: the limits, or what is wrong with the options. */
const limitsOf = (options: DrainOptions): Limits | PatinoxError.Validation => {
  const drainTimeout = checkDuration("drainTimeout", options.drainTimeout ?? 15_000)
  if (drainTimeout instanceof PatinoxError.Validation) return drainTimeout
  const keepAliveGrace = checkDurationIn("keepAliveGrace", options.keepAliveGrace ?? Math.min(5_000, drainTimeout), {
    zero: true,
    max: drainTimeout,
    maxText: ` up to the drainTimeout of ${Text.duration(drainTimeout)}`
  })
  return keepAliveGrace instanceof PatinoxError.Validation ? keepAliveGrace : { drainTimeout, keepAliveGrace }
}

/** What handlers have to stop once they are interrupted, half of it before their connections are destroyed. */
const stopMillis = 1_000

/** Whether it ended in time; in an interrupted fiber nothing is waited for. */
const endsWithin = (wait: Effect.Effect<void>, millis: number): Effect.Effect<boolean> =>
  Effect.map(
    Effect.exit(Effect.interruptible(Effect.timeoutOption(wait, millis))),
    (exit) => Exit.isSuccess(exit) && Option.isSome(exit.value)
  )

const cutOff = /* @__PURE__ */ Metric.counter("patinox_http_requests_cut_off_total", {
  description: "Requests that a draining server has interrupted before they were answered in full",
  incremental: true
})

/** In the metrics, and in the log at a level that makes the exit code of a process 1: a client has got no answer. */
const reportCutOff = (requests: ReadonlyArray<RunningRequest>): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.andThen(
      Metric.incrementBy(cutOff, requests.length),
      Effect.logError(
        `HTTP requests did not finish while draining and are interrupted: ${listed(requests, now)}`
      )
    ))

const drain = (
  connections: Connections,
  requests: Requests,
  { drainTimeout, keepAliveGrace }: Limits
): Effect.Effect<void, RequestsLetGo> =>
  Effect.gen(function*() {
    yield* connections.announceClose
    yield* connections.stopListening
    yield* requests.drain(connections.closeAfter ?? (() => Effect.void))
    const over = Effect.andThen(connections.awaitClosed, requests.awaitNone)
    const isOver = yield* endsWithin(over, keepAliveGrace)
    yield* connections.closeIdle
    const rest = drainTimeout === Infinity ? Infinity : drainTimeout - keepAliveGrace
    if (!isOver && !(yield* endsWithin(over, rest))) {
      const late = yield* Effect.flatMap(connections.unsent ?? Effect.succeed([]), requests.listFinite)
      yield* connections.breakOffBegun ?? Effect.void
      yield* requests.interruptAll
      // A logger that throws must not keep the connections open.
      if (late.length > 0) yield* Effect.exit(reportCutOff(late))
      yield* endsWithin(over, stopMillis / 2)
    }
    // From here on no handler starts: not even one on a connection that was still to be secured.
    yield* connections.destroyAll
    yield* endsWithin(over, stopMillis / 2)
    // At the deadline of the whole there is no such time, only a turn for those who stop at once.
    yield* Effect.yieldNow()
    const left = yield* requests.list
    if (left.length > 0) {
      yield* Effect.fail(new RequestsLetGo({ requests: left, at: yield* Clock.currentTimeMillis }))
    }
  })

/** The server that a handler is run by, as far as it has to know. */
const Serving = /* @__PURE__ */ Context.Reference<Pick<Requests, "endWithDrain">>()("@patinox/platform/Serving", {
  defaultValue: () => ({ endWithDrain: Effect.void })
})

/**
 * A handler that may go on for ever, and ends with the drain: a long poll, a stream that never ends. When its server drains
 * it is interrupted at once, with its finalizers: what has begun is ended properly, what has not is answered with 503, and
 * nobody counts it as cut off. Server-sent events (`text/event-stream`) and `multipart/x-mixed-replace` need no such word,
 * and a WebSocket gets a close frame. Elsewhere, on a server that does not drain, it changes nothing.
 *
 * ```ts no-run
 * import { HttpRouter, HttpServerResponse } from "@effect/platform"
 * import { HttpDrain } from "@patinox/platform"
 * import { Effect, Schedule, Stream } from "effect"
 *
 * const ticks = Stream.repeat(Stream.make("tick\n"), Schedule.spaced("1 second")).pipe(Stream.encodeText)
 * const app = HttpRouter.empty.pipe(
 *   HttpRouter.get("/ticks", HttpDrain.endWithDrain(Effect.succeed(HttpServerResponse.stream(ticks)))),
 *   HttpRouter.get("/poll", HttpDrain.endWithDrain(Effect.never))
 * )
 * ```
 */
export const endWithDrain = <A, E, R>(handler: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Serving, (serving) => Effect.interruptible(Effect.andThen(serving.endWithDrain, handler)))

type App = HttpApp.Default<any, any>
type Served = readonly [Requests, Scope.CloseableScope]

/** Serves in a scope of its own, so that what ends it can be limited. */
const open = (
  { connections, server }: Listener,
  app: App,
  middleware: HttpMiddleware.HttpMiddleware | undefined
): Effect.Effect<Served, never, any> =>
  inOwnScope(Effect.gen(function*() {
    const requests = new Requests()
    const tracked = (app: App): App =>
      Effect.andThen(
        Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => requests.enter(request)),
        Effect.flatMap(Effect.provideService(app, Serving, requests), requests.respond)
      )
    yield* Effect.orDie(connections.open)
    // Around the middleware, which may answer without the app.
    yield* middleware === undefined
      ? server.serve(tracked(app))
      : server.serve(app, (app) => tracked(middleware(app)))
    const readiness = yield* Readiness
    const announce = Effect.andThen(readiness.awaitDraining, connections.announceClose)
    yield* Effect.forkScoped(Effect.interruptible(announce))
    return requests
  }))

/** Runs an acquire in a new scope and hands that over; a failed one leaves nothing. */
const inOwnScope = <A, E, R>(
  acquire: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, Scope.CloseableScope], E, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(Scope.make(), (scope) =>
    Effect.map(
      Effect.onExit(
        Scope.extend(acquire, scope),
        (exit) => Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void
      ),
      (value) => [value, scope] as const
    ))

/** Closes it in a fiber of its own: it would wait for handlers on upgraded connections that were abandoned. */
const closeBeside = (scope: Scope.CloseableScope): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.forkDaemon(Effect.uninterruptible(Scope.close(scope, Exit.void))),
    (fiber) => Effect.asVoid(endsWithin(Effect.asVoid(Fiber.await(fiber)), stopMillis / 2))
  )

const serving = (
  listener: Listener,
  limits: Limits,
  dependsOn: ReadonlyArray<ResourceGuard.Dependency>,
  registry: ResourceRegistry.Shape
) => {
  const timeout = limits.drainTimeout + 2 * stopMillis
  const options = {
    typeName: "HttpServer",
    timeout,
    attemptTimeout: timeout,
    // A drain takes its time, and it reports the outcome of the requests itself.
    slowAfter: timeout,
    recovery: { strategy: () => "Fail" as const },
    metadata: { address: HttpServer.formatAddress(listener.server.address) },
    dependsOn
  }
  return (app: App, middleware?: HttpMiddleware.HttpMiddleware): Effect.Effect<void, never, any> =>
    // The guard is in the registry of the server; the handlers have what they were given, be it another one.
    Effect.contextWithEffect((given: Context.Context<any>) => {
      let annotations: Record<string, string> = {}
      return ResourceGuard.makeInterruptible(
        Effect.mapInputContext(open(listener, app, middleware), () => given),
        ([requests, scope]: Served) =>
          Effect.ensuring(
            Effect.suspend(() => Effect.annotateLogs(drain(listener.connections, requests, limits), annotations)),
            closeBeside(scope)
          ),
        options
      ).pipe(
        Effect.tap(({ id }) => Effect.sync(() => (annotations = { "patinox.resource.id": id }))),
        Effect.orDie,
        Effect.asVoid,
        Effect.provideService(ResourceRegistry.ResourceRegistry, registry)
      )
    })
}

/**
 * A server whose `serve` is a guard of the registry at hand, called `HttpServer`. When its scope closes:
 *
 * 1. responses carry `Connection: close` (they do so from the moment that `Readiness` drains, while the listener is still
 *    open), and the listener closes;
 * 2. handlers that run go on, and their responses are sent to the end. A connection without a request is closed after
 *    `keepAliveGrace`; a request that comes before is answered;
 *    Server-sent events end at once, as their clients ask again (see `endWithDrain` for other endless responses);
 * 3. what is left at `drainTimeout`, complete responses included that their clients still read, is interrupted, counted
 *    in `patinox_http_requests_cut_off_total`, and named in the log at level Error, which makes the exit code of a
 *    process 1. A body that has begun ends with its connection, so that its client sees that it is cut off. Handlers
 *    have a second to stop, then connections are destroyed; a handler that still runs is abandoned, and the cleanup
 *    fails with `RequestsLetGo`.
 *
 * Serving again opens the listener again. The server itself, as `acquire` gives it, is a guard called `HttpListener`, in
 * the scope at hand. A bad option fails with a `Validation` before the acquire. As `serve` has no error, a registry that
 * shuts down, a dependency that it does not know and an address that was taken meanwhile are defects there.
 */
export const make = <E, R>(
  acquire: Effect.Effect<Listener, E, R>,
  options: DrainOptions = {}
): Effect.Effect<
  HttpServer.HttpServer,
  E | PatinoxError.Validation | CleanupError.RegistryShuttingDown,
  Exclude<R, Scope.Scope> | Scope.Scope | ResourceRegistry.ResourceRegistry
> =>
  Effect.gen(function*() {
    const limits = limitsOf(options)
    if (limits instanceof PatinoxError.Validation) return yield* Effect.fail(limits)
    const registry = yield* ResourceRegistry.ResourceRegistry
    const guard = yield* ResourceGuard.make(
      inOwnScope(acquire),
      ([{ connections }, scope]) => Effect.andThen(connections.destroyAll, Scope.close(scope, Exit.void)),
      { typeName: "HttpListener" }
    )
    const [listener] = yield* Effect.orDie(guard.value)
    const serve = serving(listener, limits, [guard, ...options.dependsOn ?? []], registry)
    return HttpServer.make({ address: listener.server.address, serve })
  })
