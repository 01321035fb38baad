/** Shows `Seam`. */
import { HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { HttpDrain, Readiness } from "@patinox/platform"
import { TestClock, TestMonitor, TestRegistry } from "@patinox/vitest"
import { Clock, Context, Deferred, Effect, Exit, Fiber, Layer, Runtime, Scope } from "effect"
import { listed, type RunningRequest } from "../src/internal/Requests.js"

/** A platform without sockets: requests are handed in, and what is asked of its connections is written down. */
const makePlatform = Effect.gen(function*() {
  const calls: Array<string> = []
  const closed = yield* Deferred.make<void>()
  const call = (name: string) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sync(() => calls.push(`${now} ${name}`)))
  let handle: ((url: string) => Fiber.RuntimeFiber<unknown, unknown>) | undefined
  const server = HttpServer.make({
    address: { _tag: "TcpAddress", hostname: "here", port: 80 },
    serve: (app, middleware) =>
      Effect.gen(function*() {
        const run = Runtime.runFork(yield* Effect.runtime<never>())
        const handled = Effect.scoped(middleware === undefined ? app : middleware(app as never))
        handle = (url) =>
          run(Effect.provideService(
            handled as Effect.Effect<unknown, unknown, HttpServerRequest.HttpServerRequest>,
            HttpServerRequest.HttpServerRequest,
            HttpServerRequest.fromWeb(new Request(`http://here${url}`))
          ))
        yield* Effect.addFinalizer(() => call("not served"))
      })
  })
  const connections: HttpDrain.Connections = {
    open: call("open"),
    announceClose: call("announceClose"),
    stopListening: call("stopListening"),
    closeIdle: call("closeIdle"),
    destroyAll: Effect.andThen(call("destroyAll"), Deferred.succeed(closed, undefined)),
    awaitClosed: Deferred.await(closed)
  }
  const acquire = Effect.acquireRelease(
    Effect.as(call("acquired"), { server, connections }),
    () => call("released")
  )
  return { acquire, calls, close: Deferred.succeed(closed, undefined), request: (url: string) => handle!(url) }
})

const serving = (options?: HttpDrain.DrainOptions, app: HttpApp = Effect.succeed(HttpServerResponse.empty())) =>
  Effect.gen(function*() {
    const platform = yield* makePlatform
    const scope = yield* Scope.make()
    const server = yield* Scope.extend(HttpDrain.make(platform.acquire, options), scope)
    yield* Scope.extend(server.serve(app), scope)
    platform.calls.length = 0
    return { ...platform, scope, closeScope: Scope.close(scope, Exit.void) }
  })
type HttpApp = Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest>

describe("what is asked of the connections", () => {
  it.effect("what is asked of the connections where all are closed in time: no more than it takes", () =>
    Effect.gen(function*() {
      const { calls, close, closeScope } = yield* serving()
      const closing = yield* Effect.fork(closeScope)
      yield* TestClock.adjust("1 seconds")
      expect(calls).toEqual(["0 announceClose", "0 stopListening"])
      yield* close
      yield* Fiber.join(closing)
      expect(calls.slice(2)).toEqual([
        "1000 closeIdle",
        "1000 destroyAll",
        "1000 not served",
        "1000 destroyAll",
        "1000 released"
      ])
    }).pipe(Effect.provide(TestRegistry.layer)))

  it.effect("what is asked of the connections where none is closed: one after the other, each at its time", () =>
    Effect.gen(function*() {
      const { calls, closeScope } = yield* serving({ drainTimeout: "10 seconds", keepAliveGrace: "2 seconds" })
      const closing = yield* Effect.fork(closeScope)
      yield* TestClock.adjust("1 minutes")
      yield* Fiber.join(closing)
      expect(calls).toEqual([
        "0 announceClose",
        "0 stopListening",
        "2000 closeIdle",
        "10500 destroyAll",
        "10500 not served",
        "10500 destroyAll",
        "10500 released"
      ])
    }).pipe(Effect.provide(TestRegistry.layer)))

  it.effect("once the process drains: responses are to close, no more", () =>
    Effect.gen(function*() {
      const readiness = yield* Readiness.make
      const { calls, close, closeScope } = yield* Effect.provideService(serving(), Readiness.Readiness, readiness)
      yield* Effect.yieldNow()
      expect(calls).toEqual([])
      yield* readiness.drain
      yield* TestClock.adjust("1 minutes")
      expect(calls).toEqual(["0 announceClose"])
      yield* close
      yield* closeScope
    }).pipe(Effect.provide(TestRegistry.layer)))
})

describe("a handler", () => {
  it.effect("a handler is waited for though every connection is closed", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { calls, close, closeScope, request } = yield* serving(
        {},
        Effect.as(Deferred.await(gate), HttpServerResponse.empty())
      )
      const handler = request("/")
      yield* close
      const closing = yield* Effect.fork(closeScope)
      yield* TestClock.adjust("14 seconds")
      expect(calls.at(-1)).toBe("5000 closeIdle")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      expect(Exit.isSuccess(yield* Fiber.await(handler))).toBe(true)
    }).pipe(Effect.provide(TestRegistry.layer)))

  it.effect("a handler that is interrupted has half a second to stop before its connection is destroyed", () =>
    Effect.gen(function*() {
      const app = Effect.onInterrupt(Effect.never, () => Effect.sleep("400 millis"))
      const { calls, close, closeScope, request } = yield* serving({ drainTimeout: "10 seconds" }, app)
      const handler = request("/")
      const closing = yield* Effect.fork(closeScope)
      yield* TestClock.adjust("10399 millis")
      yield* close
      expect(handler.unsafePoll()).toBeNull()
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      expect(calls.slice(2)).toEqual([
        "5000 closeIdle",
        "10400 destroyAll",
        "10400 not served",
        "10400 destroyAll",
        "10400 released"
      ])
    }).pipe(Effect.provide(TestRegistry.layer)))

  it.effect("a handler has what it was given, be it another registry, which knows nothing of the server", () =>
    Effect.gen(function*() {
      class Given extends Context.Tag("Given")<Given, string>() {}
      const platform = yield* makePlatform
      const own = Context.get(yield* Layer.build(Layer.fresh(TestRegistry.layer)), ResourceRegistry.ResourceRegistry)
      const server = yield* HttpDrain.make(platform.acquire)
      const app = Effect.all([Given, ResourceRegistry.ResourceRegistry])
      const seen = yield* Deferred.make<readonly [string, ResourceRegistry.Shape]>()
      yield* server.serve(
        Effect.as(Effect.flatMap(app, (all) => Deferred.succeed(seen, all)), HttpServerResponse.empty())
      ).pipe(
        Effect.provideService(Given, "given"),
        Effect.provideService(ResourceRegistry.ResourceRegistry, own)
      )
      platform.request("/")
      expect(yield* Deferred.await(seen)).toEqual(["given", own])
      expect(yield* own.activeCount).toBe(0)
      yield* platform.close
    }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))
})

it.effect("an acquire that fails half-way leaves nothing", () =>
  Effect.gen(function*() {
    const { acquire, calls } = yield* makePlatform
    const error = yield* Effect.flip(HttpDrain.make(Effect.andThen(acquire, Effect.fail("no port"))))
    expect([error, calls]).toEqual(["no port", ["0 acquired", "0 released"]])
    expect(yield* Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.activeCount)).toBe(0)
  }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))

it.effect("a bad option is refused before anything is acquired", () =>
  Effect.gen(function*() {
    const { acquire, calls } = yield* makePlatform
    const error = yield* Effect.flip(HttpDrain.make(acquire, { drainTimeout: -1 }))
    expect([error._tag, calls]).toEqual(["Validation", []])
  }).pipe(Effect.scoped, Effect.provide(TestRegistry.layer)))

it.effect("a grace that is not given is never longer than the limit", () =>
  Effect.gen(function*() {
    const { calls, closeScope } = yield* serving({ drainTimeout: "2 seconds" })
    const closing = yield* Effect.fork(closeScope)
    yield* TestClock.adjust("3 seconds")
    yield* Fiber.join(closing)
    expect(calls.slice(2, 4)).toEqual(["2000 closeIdle", "2500 destroyAll"])
  }).pipe(Effect.provide(TestRegistry.layer)))

it.effect("the guards say what they are of", () =>
  Effect.gen(function*() {
    const { close, closeScope } = yield* serving()
    const registry = yield* ResourceRegistry.ResourceRegistry
    const [listener, server] = yield* registry.list
    expect(listener).toMatchObject({ typeName: "HttpListener" })
    expect(server).toMatchObject({
      typeName: "HttpServer",
      metadata: { address: "http://here:80" },
      dependencies: [listener!.id]
    })
    yield* close
    yield* closeScope
  }).pipe(Effect.provide(TestRegistry.layer)))

it.effect("cleaned up by hand the listener drains first, and then nothing is left for the scope", () =>
  Effect.gen(function*() {
    const monitor = yield* TestMonitor.make
    yield* Effect.gen(function*() {
      const { calls, close, closeScope } = yield* serving()
      const registry = yield* ResourceRegistry.ResourceRegistry
      const [listener] = yield* registry.list
      yield* close
      yield* registry.cleanup(listener!.id)
      const all = calls.length
      yield* closeScope
      expect(calls).toHaveLength(all)
      expect((yield* monitor.eventsOf("Cleaned")).map(({ typeName }) => typeName)).toEqual([
        "HttpServer",
        "HttpListener"
      ])
    }).pipe(Effect.provide(TestRegistry.layer.pipe(Layer.provide(monitor.layer))))
  }))

it.effect("at a nearer deadline it is over, whatever still runs, and nothing is served any more", () =>
  Effect.gen(function*() {
    const gate = yield* Deferred.make<void>()
    const app = Effect.flatMap(
      HttpServerRequest.HttpServerRequest,
      ({ url }) => url === "/hangs" ? Effect.uninterruptible(Deferred.await(gate)) : Effect.interruptible(Effect.never)
    )
    const { calls, request } = yield* serving({}, Effect.as(app, HttpServerResponse.empty()))
    const [hangs] = ["/hangs", "/stops", "/hangs"].map(request)
    const registry = yield* ResourceRegistry.ResourceRegistry
    const shutdown = yield* Effect.fork(registry.shutdown)
    yield* TestClock.adjust("5 seconds")
    const report = yield* Fiber.join(shutdown)
    expect(report.durationMillis).toBe(5_000)
    // A second before the deadline everything starts: that of the listener, too.
    expect(calls).toEqual([
      "0 announceClose",
      "0 stopListening",
      "4000 destroyAll",
      "4000 released",
      "5000 closeIdle",
      "5000 destroyAll",
      "5000 not served"
    ])
    const [server, listener] = report.records
    expect(listener).toMatchObject({ typeName: "HttpListener", outcome: "cleaned" })
    expect(server).toMatchObject({ typeName: "HttpServer", outcome: "failed" })
    expect(server?.error?.message).toContain("interrupted: GET /hangs (5 s), GET /hangs (5 s)")
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.await(hangs!)
  }).pipe(Effect.provide(TestRegistry.layerWith({ shutdownTimeout: "5 seconds" }))))

it.effect("what the server depends on by id is cleaned up after it", () =>
  Effect.gen(function*() {
    const order: Array<string> = []
    yield* Effect.scoped(Effect.gen(function*() {
      const pool = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push("pool")))
      const { calls, close } = yield* serving({ dependsOn: [pool] })
      yield* close
      yield* pool.cleanup
      expect([order, calls.at(-1)]).toEqual([["pool"], "0 not served"])
    }))
  }).pipe(Effect.provide(TestRegistry.layer)))

it("requests are listed by how long they run, and as many as are of use", () => {
  const request = (path: string, since: number): RunningRequest => ({ method: "GET", path, since })
  expect(listed([request("/b", 900), request("/a", 100), request("/c", 5_000)], 1_000)).toBe(
    "GET /a (900 ms), GET /b (100 ms), GET /c (0 ms)"
  )
  expect(listed([request("/a", 0), request("/b", 1), request("/c", 2)], 2_000, 1)).toBe("GET /a (2 s) and 2 more")
  const { message } = new HttpDrain.RequestsLetGo({ requests: [request("/a", 0)], at: 1_500 })
  expect(message).toBe("Still running after they were interrupted: GET /a (1.5 s)")
})
