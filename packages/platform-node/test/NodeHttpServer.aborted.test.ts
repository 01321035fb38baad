/** Shows `HttpConnections`. */
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import type * as Http from "node:http"
import { connect, request } from "./rawHttp.js"
import { makeGate, outcomes, serve, usePool, watchedServer } from "./served.js"

/** What the server does once a connection is closed is done. */
const turn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

// No test here moves the clock: each drain ends without its limit.
const allCleaned = { HttpServer: "cleaned", HttpListener: "cleaned", Pool: "cleaned" }

it.effect("a handler whose client is gone is interrupted, and does not hold up", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const app = HttpRouter.empty.pipe(
      HttpRouter.get("/", Effect.as(Effect.ensuring(gate.pass, usePool), HttpServerResponse.empty()))
    )
    const served = yield* serve(app)
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* gate.reached
    const closing = yield* served.drain
    client.socket.destroy()
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 1, lateUses: 0, isOpen: false })
    expect(yield* outcomes(served)).toEqual(allCleaned)
  }))

it.effect("one that cannot be interrupted is waited for, and over once it answers nobody", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    // Without a router an app is uninterruptible.
    const app = Effect.gen(function*() {
      yield* Effect.addFinalizer(() => Effect.orDie(usePool))
      yield* gate.pass
      return HttpServerResponse.text("to nobody")
    })
    const { server, until } = watchedServer()
    const served = yield* serve(app, { server })
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* gate.reached
    const closing = yield* served.drain
    client.socket.destroy()
    yield* until("closed", 1)
    yield* turn
    expect(served.pool.isOpen).toBe(true)
    yield* gate.open
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 1, lateUses: 0, isOpen: false })
  }))

it.effect("a middleware that runs on by itself is waited for", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const { server, until } = watchedServer()
    const served = yield* serve(HttpServerResponse.text("app"), {
      server,
      middleware: () => Effect.as(Effect.andThen(gate.pass, usePool), HttpServerResponse.text("none")) as never
    })
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* gate.reached
    const closing = yield* served.drain
    client.socket.destroy()
    yield* until("closed", 1)
    yield* turn
    expect(served.pool.isOpen).toBe(true)
    yield* gate.open
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 1, lateUses: 0, isOpen: false })
  }))

it.effect("requests that wait behind an aborted one are over, answered or not", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const hanging = yield* makeGate
    let ended = 0
    const ending = Effect.addFinalizer(() => Effect.sync(() => ended++))
    const app = HttpRouter.empty.pipe(
      HttpRouter.get("/first", Effect.as(Effect.andThen(ending, gate.pass), HttpServerResponse.text("first"))),
      HttpRouter.get("/second", Effect.as(ending, HttpServerResponse.text("second"))),
      HttpRouter.get("/third", Effect.as(Effect.andThen(ending, hanging.pass), HttpServerResponse.text("third")))
    )
    const served = yield* serve(app)
    const client = yield* connect(served.port)
    client.send(request("/first") + request("/second") + request("/third"))
    yield* hanging.reached
    client.socket.destroy()
    yield* served.close
    expect(ended).toBe(3)
  }))

it.effect("a client that is gone while a large response is sent leaves no handler behind", () =>
  Effect.gen(function*() {
    let ended = 0
    const app = Effect.as(
      Effect.addFinalizer(() => Effect.sync(() => ended++)),
      HttpServerResponse.uint8Array(new Uint8Array(64 * 1024 * 1024))
    )
    const served = yield* serve(app)
    const clients = yield* Effect.all([connect(served.port), connect(served.port)])
    for (const client of clients) {
      client.socket.pause()
      client.send(request("/"))
      yield* Effect.async<void>((resume) => {
        client.socket.once("readable", () => resume(Effect.void))
      })
    }
    clients[0].socket.destroy()
    clients[1].socket.resetAndDestroy()
    yield* served.close
    expect(ended).toBe(2)
  }))

it.effect("an upload that breaks off does not hold up", () =>
  Effect.gen(function*() {
    const reached = yield* Deferred.make<void>()
    const app = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      Effect.andThen(Deferred.succeed(reached, undefined), Effect.as(request.text, HttpServerResponse.text("got"))))
    const served = yield* serve(app)
    const client = yield* connect(served.port)
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n12345")
    yield* Deferred.await(reached)
    const closing = yield* served.drain
    client.socket.destroy()
    yield* Fiber.join(closing)
    expect(yield* outcomes(served)).toEqual(allCleaned)
  }))

it.effect("a request on a connection that is gone is not handled, and does not hold up", () =>
  Effect.gen(function*() {
    const { server, until } = watchedServer()
    let handled = 0
    const served = yield* serve(Effect.sync(() => (handled++, HttpServerResponse.empty())), { server })
    const last = new Promise<Parameters<Http.RequestListener>>((resolve) => {
      server().once("request", (...all) => resolve(all))
    })
    const client = yield* connect(served.port)
    client.send(request("/", "Connection: close"))
    yield* client.closed
    yield* until("closed", 1)
    server().emit("request", ...yield* Effect.promise(() => last))
    yield* served.close
    expect(handled).toBe(1)
  }))
