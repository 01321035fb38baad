import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpClient,
  HttpLayerRouter,
  HttpRouter,
  HttpServer,
  HttpServerResponse
} from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { PatinoxError, ResourceGuard, ResourceRegistry, ResourceScope } from "@patinox/core"
import * as NodeHttpServer from "@patinox/platform-node/NodeHttpServer"
import { interruptionSweep, TestClock, TestMonitor, TestRegistry } from "@patinox/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Schema,
  Scope
} from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"
import * as Tls from "node:tls"
import { connect, request } from "./rawHttp.js"
import { makeGate, outcomes, portOf, serve, usePool } from "./served.js"

const local = { port: 0, host: "127.0.0.1" }
const hello = HttpRouter.empty.pipe(HttpRouter.get("/", HttpServerResponse.text("hello")))
const sockets: NodeHttpServer.ServerOptions = { ...local, keepAliveGrace: 0 }

/** A request by a client that wants its connection closed. */
const ask = (port: number, path = "/") =>
  Effect.flatMap(connect(port), (client) => {
    client.send(request(path, "Connection: close"))
    return client.closed
  })

const askServer = Effect.flatMap(HttpServer.HttpServer, (server) => ask(portOf(server)))

// --- where it is served ---------------------------------------------------------------------------------------------

it.effect("made and served in one plain scope, it drains", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const scope = yield* Scope.make()
    let isReleased = false
    const port = yield* Effect.gen(function*() {
      yield* Effect.addFinalizer(() => Effect.sync(() => void (isReleased = true)))
      const server = yield* NodeHttpServer.make(() => Http.createServer(), local)
      yield* server.serve(Effect.as(gate.pass, HttpServerResponse.text("done")))
      return portOf(server)
    }).pipe(Scope.extend(scope))
    const client = yield* connect(port)
    client.send(request("/"))
    yield* gate.reached
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* Effect.yieldNow()
    expect(isReleased).toBe(false)
    yield* gate.open
    expect(yield* client.closed).toMatch(/done$/)
    yield* Fiber.join(closing)
    expect(isReleased).toBe(true)
  }).pipe(Effect.provide(ResourceRegistry.layer)))

it.effect("layers that are built in a ResourceScope drain, and are in its report", () =>
  Effect.gen(function*() {
    const layer = HttpServer.serve(hello).pipe(Layer.provideMerge(NodeHttpServer.layerServer(Http.createServer, local)))
    const [exit, report] = yield* ResourceScope.withReport(
      Effect.flatMap(ResourceScope.build(layer), (context) => Effect.provide(askServer, context))
    )
    expect(exit).toMatchObject({ _tag: "Success", value: expect.stringMatching(/hello$/) })
    expect(report.records.map(({ outcome, typeName }) => `${typeName} ${outcome}`)).toEqual([
      "HttpServer cleaned",
      "HttpListener cleaned"
    ])
  }).pipe(Effect.provide(ResourceRegistry.layer)))

it.effect("an HttpApi is served", () =>
  Effect.gen(function*() {
    const api = HttpApi.make("api").add(
      HttpApiGroup.make("group").add(HttpApiEndpoint.get("hello", "/").addSuccess(Schema.String))
    )
    const group = HttpApiBuilder.group(api, "group", (handlers) =>
      handlers.handle("hello", () =>
        Effect.succeed("hello")))
    const layer = HttpApiBuilder.serve().pipe(
      Layer.provide(HttpApiBuilder.api(api)),
      Layer.provide(group),
      Layer.provideMerge(NodeHttpServer.layer(Http.createServer, sockets))
    )
    expect(yield* Effect.provide(askServer, layer)).toMatch(/200 OK.*"hello"$/s)
  }).pipe(Effect.provide(TestRegistry.layer)))

it.effect("an HttpLayerRouter is served", () =>
  Effect.gen(function*() {
    const route = HttpLayerRouter.use((router) => router.add("GET", "/", HttpServerResponse.text("hello")))
    const layer = HttpLayerRouter.serve(route, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(Http.createServer, sockets))
    )
    expect(yield* Effect.provide(askServer, layer)).toMatch(/200 OK.*hello$/s)
  }).pipe(Effect.provide(TestRegistry.layer)))

it.effect("layerTest has a client of the server", () =>
  Effect.gen(function*() {
    yield* HttpServer.serveEffect(hello)
    const response = yield* HttpClient.get("/")
    expect(yield* response.text).toBe("hello")
  }).pipe(Effect.scoped, Effect.provide(NodeHttpServer.layerTest), Effect.provide(TestRegistry.layer)))

it.effect("an app can be served again at the same port, and meanwhile nobody listens", () =>
  Effect.gen(function*() {
    const server = yield* HttpServer.HttpServer
    for (const text of ["one", "two", "three"]) {
      const scope = yield* Scope.make()
      yield* Scope.extend(server.serve(HttpServerResponse.text(text)), scope)
      const kept = yield* connect(portOf(server))
      kept.send(request("/"))
      expect(yield* kept.until(text)).toContain("Connection: keep-alive")
      yield* Scope.close(scope, Exit.void)
      expect((yield* Effect.flip(connect(portOf(server)))).code).toBe("ECONNREFUSED")
    }
  }).pipe(Effect.provide(NodeHttpServer.layer(Http.createServer, sockets)), Effect.provide(TestRegistry.layer)))

it.effect("a request that comes before an app is served is answered with 503", () =>
  Effect.gen(function*() {
    expect(yield* askServer).toMatch(/^HTTP\/1.1 503 .*connection: close\r\n/s)
    yield* HttpServer.serveEffect(hello)
    expect(yield* askServer).toMatch(/hello$/)
  }).pipe(
    Effect.scoped,
    Effect.provide(NodeHttpServer.layer(Http.createServer, sockets)),
    Effect.provide(TestRegistry.layer)
  ))

it.effect("other listeners of the server see what they saw", () =>
  Effect.gen(function*() {
    const server = Http.createServer((_, response) => response.end("from the other"))
    yield* NodeHttpServer.make(() => server, sockets)
    expect(yield* ask((server.address() as Net.AddressInfo).port)).toMatch(/from the other$/)
  }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))

// --- kinds of servers -----------------------------------------------------------------------------------------------

it.effect("an HTTPS server drains", () => {
  // A shared key instead of certificates, which would run out.
  const key = Buffer.from("00112233445566778899aabbccddeeff", "hex")
  const secure = { ciphers: "PSK-AES128-GCM-SHA256", maxVersion: "TLSv1.2" as const }
  return Effect.gen(function*() {
    const gate = yield* makeGate
    const app = Effect.as(Effect.andThen(gate.pass, usePool), HttpServerResponse.text("done"))
    const server = () => Https.createServer({ ...secure, pskCallback: () => key, pskIdentityHint: "test" })
    const served = yield* serve(app, { server, keepAliveGrace: "1 seconds" })
    // A handshake that goes on is no connection yet.
    const halfOpen = yield* connect(served.port)
    const secured = Effect.async<Tls.TLSSocket>((resume) => {
      const socket = Tls.connect({
        ...secure,
        port: served.port,
        host: "127.0.0.1",
        pskCallback: () => ({ psk: key, identity: "test" }),
        checkServerIdentity: () => undefined
      }, () => resume(Effect.succeed(socket)))
    })
    const [busy, idle] = yield* Effect.all([secured, secured])
    let received = ""
    busy.on("data", (data) => received += String(data))
    const closed = (socket: Tls.TLSSocket) =>
      Effect.async<void>((resume) => {
        socket.resume().once("close", () => resume(Effect.void))
      })
    busy.write(request("/"))
    yield* gate.reached
    const closing = yield* served.drain
    const [busyClosed, idleClosed] = yield* Effect.all([Effect.fork(closed(busy)), Effect.fork(closed(idle))])
    yield* TestClock.adjust("1 seconds")
    yield* Fiber.join(idleClosed)
    expect(busy.readyState).toBe("open")
    yield* gate.open
    yield* Fiber.join(busyClosed)
    expect(received).toMatch(/Connection: close\r\n.*done$/s)
    yield* halfOpen.closed
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 1, lateUses: 0, isOpen: false })
  })
})

it.effect("a server at a path is served again there", () =>
  Effect.gen(function*() {
    const folder = mkdtempSync(path.join(tmpdir(), "patinox-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
    const file = path.join(folder, "server.sock")
    const server = yield* NodeHttpServer.make(() => Http.createServer(), { path: file })
    expect(server.address).toEqual({ _tag: "UnixAddress", path: file })
    for (const text of ["one", "two"]) {
      const answer = Effect.async<string>((resume) => {
        Http.get({ socketPath: file, agent: false }, (response) => {
          let text = ""
          response.on("data", (data) => text += String(data)).on("end", () => resume(Effect.succeed(text)))
        })
      })
      expect(yield* Effect.scoped(Effect.andThen(server.serve(HttpServerResponse.text(text)), answer))).toBe(text)
    }
  }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))

// --- what can go wrong ----------------------------------------------------------------------------------------------

it.effect("a bad option is refused before there is a server", () =>
  Effect.gen(function*() {
    const cases: ReadonlyArray<readonly [Partial<NodeHttpServer.ServerOptions>, string]> = [
      [
        { drainTimeout: 0 },
        "Invalid option \"drainTimeout\": got 0, expected a duration above 0, or Duration.infinity"
      ],
      [
        { drainTimeout: "soon" as never },
        "Invalid option \"drainTimeout\": got \"soon\", expected a duration above 0, or Duration.infinity"
      ],
      [
        { drainTimeout: "2 seconds", keepAliveGrace: "3 seconds" },
        "Invalid option \"keepAliveGrace\": got \"3 seconds\", expected a duration from 0 up to the drainTimeout of 2 s"
      ],
      [
        { keepAliveGrace: "never" as never },
        "Invalid option \"keepAliveGrace\": got \"never\", expected a duration from 0 up to the drainTimeout of 15 s"
      ]
    ]
    for (const [options, message] of cases) {
      const error = yield* Effect.flip(NodeHttpServer.make(() => expect.unreachable(), { ...local, ...options }))
      expect(error).toBeInstanceOf(PatinoxError.Validation)
      expect((error as PatinoxError.Validation).message).toBe(message)
    }
  }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))

it.effect("where it cannot listen it fails with ServeError, and leaves nothing", () =>
  Effect.gen(function*() {
    const taken = yield* Effect.acquireRelease(
      Effect.async<Net.Server>((resume) => {
        const server = Net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    )
    const { port } = taken.address() as Net.AddressInfo
    const error = yield* Effect.flip(NodeHttpServer.make(() => Http.createServer(), { port, host: "127.0.0.1" }))
    expect(error).toMatchObject({ _tag: "ServeError", cause: { code: "EADDRINUSE" } })
    expect(yield* Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.activeCount)).toBe(0)
  }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))

it.effect("options come from a Config", () =>
  Effect.gen(function*() {
    const layer = NodeHttpServer.layerConfig(Http.createServer, {
      port: Config.integer("PORT"),
      host: Config.succeed("127.0.0.1"),
      drainTimeout: Config.duration("DRAIN_TIMEOUT"),
      keepAliveGrace: Config.succeed(Duration.zero)
    })
    const withEnv = (env: Record<string, string>) =>
      Effect.provide(
        Effect.andThen(HttpServer.serveEffect(hello), askServer),
        layer.pipe(Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env))))))
      )
    expect(yield* withEnv({ PORT: "0", DRAIN_TIMEOUT: "1 seconds" })).toMatch(/hello$/)
    expect(yield* Effect.flip(withEnv({ PORT: "0" }))).toMatchObject({ _op: "MissingData" })
    expect(yield* Effect.flip(withEnv({ PORT: "0", DRAIN_TIMEOUT: "0 seconds" }))).toMatchObject({ _tag: "Validation" })
  }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))

it.effect("a registry that shuts down takes no server, and no app", () =>
  Effect.gen(function*() {
    const registry = yield* ResourceRegistry.ResourceRegistry
    const scope = yield* Scope.make()
    const server = yield* Scope.extend(NodeHttpServer.make(() => Http.createServer(), sockets), scope)
    yield* registry.shutdown
    const error = yield* Effect.flip(NodeHttpServer.make(() => Http.createServer(), sockets))
    expect(error._tag).toBe("RegistryShuttingDown")
    const exit = yield* Effect.exit(server.serve(hello))
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ _tag: "RegistryShuttingDown" })
  }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))

it.effect("a forced cleanup of everything drains the server before what it depends on", () =>
  Effect.gen(function*() {
    class Database extends Context.Tag("Database")<Database, { isOpen: boolean }>() {}
    const gate = yield* makeGate
    const seen: Array<boolean> = []
    const monitor = yield* TestMonitor.make
    yield* Effect.gen(function*() {
      const database = yield* Database
      const server = yield* NodeHttpServer.make(() => Http.createServer(), { ...sockets, dependsOn: [Database] })
      const app = Effect.as(
        Effect.andThen(gate.pass, Effect.sync(() => seen.push(database.isOpen))),
        HttpServerResponse.text("done")
      )
      yield* server.serve(app)
      const client = yield* connect(portOf(server))
      client.send(request("/"))
      yield* gate.reached
      const registry = yield* ResourceRegistry.ResourceRegistry
      const report = yield* Effect.fork(registry.forceCleanupAll)
      yield* monitor.waitFor((event) => event._tag === "Started" && event.typeName === "HttpServer")
      yield* gate.open
      expect(yield* client.closed).toMatch(/done$/)
      expect((yield* Fiber.join(report)).records.map(({ typeName }) => typeName)).toEqual([
        "HttpServer",
        "HttpListener",
        "Database"
      ])
      expect(seen).toEqual([true])
    }).pipe(
      Effect.scoped,
      Effect.provide(ResourceGuard.layer(
        Database,
        Effect.sync(() => ({ isOpen: true as boolean })),
        (database) => Effect.sync(() => void (database.isOpen = false))
      )),
      Effect.provide(TestRegistry.layer.pipe(Layer.provide(monitor.layer)))
    )
  }))

it.effect("a server that depends on nothing known is a defect where it is served", () =>
  Effect.gen(function*() {
    class Nothing extends Context.Tag("Nothing")<Nothing, string>() {}
    const server = yield* NodeHttpServer.make(() => Http.createServer(), { ...sockets, dependsOn: [Nothing] })
    const exit = yield* Effect.exit(server.serve(hello))
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ _tag: "UnknownDependency" })
    expect(yield* askServer.pipe(Effect.provideService(HttpServer.HttpServer, server))).toMatch(/^HTTP\/1.1 503/)
  }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))

it.live("interrupted anywhere while it is built, it leaves no listener and no guard", () =>
  Effect.gen(function*() {
    const servers: Array<Http.Server> = []
    const registry = yield* ResourceRegistry.ResourceRegistry
    const evaluate = () => {
      const server = Http.createServer()
      servers.push(server)
      return server
    }
    const program = Effect.scoped(
      Effect.flatMap(NodeHttpServer.make(evaluate, sockets), (server) => server.serve(hello))
    )
    const nothingIsLeft = Effect.map(registry.activeCount, (live) => {
      expect([servers.filter((server) => server.listening).length, live]).toEqual([0, 0])
    })
    const points = yield* interruptionSweep(program, nothingIsLeft)
    expect(points).toBeGreaterThan(20)
  }).pipe(Effect.provide(TestRegistry.layer)))

it.effect("a drained server leaves no timer and no listening socket behind", () =>
  Effect.gen(function*() {
    const server = Http.createServer()
    const served = yield* serve(hello, { keepAliveGrace: 0, server: () => server })
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* client.until("hello")
    // Node's own, that looks for slow requests.
    const timer = Object.getOwnPropertySymbols(server)
      .map((key) => (server as unknown as Record<symbol, unknown>)[key])
      .find((value) => value?.constructor.name === "Timeout")
    expect(timer).toMatchObject({ _destroyed: false })
    yield* served.close
    yield* client.closed
    expect(timer).toMatchObject({ _destroyed: true })
    expect([server.listening, server.listenerCount("request")]).toEqual([false, 1])
    expect(yield* outcomes(served)).toMatchObject({ HttpServer: "cleaned" })
  }))

it.effect("the handlers of another server of the registry are left alone", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const ended = yield* Deferred.make<void>()
    const other = yield* Scope.extend(NodeHttpServer.make(() => Http.createServer(), sockets), yield* Effect.scope)
    yield* other.serve(
      Effect.as(Effect.ensuring(gate.pass, Deferred.succeed(ended, undefined)), HttpServerResponse.empty())
    )
    const client = yield* connect(portOf(other))
    client.send(request("/", "Connection: close"))
    yield* gate.reached
    yield* Effect.scoped(
      Effect.flatMap(NodeHttpServer.make(() => Http.createServer(), sockets), (server) => server.serve(hello))
    )
    expect(yield* Deferred.isDone(ended)).toBe(false)
    yield* gate.open
    expect(yield* client.closed).toMatch(/^HTTP\/1.1 204/)
  }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))
