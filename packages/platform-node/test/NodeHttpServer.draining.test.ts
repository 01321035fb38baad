import { HttpRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { Readiness } from "@patinox/platform"
import { TestClock } from "@patinox/vitest"
import { Chunk, Deferred, Effect, Fiber, Stream } from "effect"
import * as Http from "node:http"
import { connect, request, responses } from "./rawHttp.js"
import { makeGate, outcomes, type Pool, serve, usePool, watchedServer } from "./served.js"

const allCleaned = { HttpServer: "cleaned", HttpListener: "cleaned", Pool: "cleaned" }

it.effect("a request in flight is answered, with Connection: close, before what it uses is released", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const app = HttpRouter.empty.pipe(
      HttpRouter.get("/", Effect.as(Effect.andThen(gate.pass, usePool), HttpServerResponse.text("done")))
    )
    const served = yield* serve(app)
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* gate.reached
    const closing = yield* served.drain
    expect(served.pool.isOpen).toBe(true)
    yield* gate.open
    const text = yield* client.closed
    expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    expect(text).toMatch(/\r\nConnection: close\r\n/)
    expect(text).toMatch(/done$/)
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 1, lateUses: 0, isOpen: false })
    expect(yield* outcomes(served)).toEqual(allCleaned)
  }))

it.effect("with no connection there is nothing to wait for", () =>
  Effect.gen(function*() {
    const served = yield* serve(HttpRouter.empty)
    yield* served.close
    expect(yield* outcomes(served)).toEqual(allCleaned)
  }))

/** An app whose response has its head sent, and one part of two. */
const streaming = (gate: Effect.Effect<unknown>) => {
  const last = Stream.fromEffect(Effect.as(Effect.andThen(gate, usePool), "last"))
  const body = Stream.encodeText(Stream.concat(Stream.make("first "), last))
  return HttpRouter.empty.pipe(HttpRouter.get(
    "/",
    Effect.map(Effect.context<Pool>(), (context) => HttpServerResponse.stream(Stream.provideContext(body, context)))
  ))
}

it.effect("a response that was being streamed is sent to its end", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const served = yield* serve(streaming(gate.pass))
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* client.until("first ")
    // Its head is sent, so that the client cannot be told: it is on a connection without a request afterwards.
    const closing = yield* served.drain
    yield* gate.open
    const text = yield* client.until("0\r\n\r\n")
    expect(text).toContain("Connection: keep-alive")
    expect(text).toContain("last")
    expect(served.pool.isOpen).toBe(true)
    yield* TestClock.adjust("5 seconds")
    yield* client.closed
    yield* Fiber.join(closing)
    expect(served.pool).toMatchObject({ uses: 1, lateUses: 0 })
  }))

it.effect("one that ends after the grace closes its connection", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const served = yield* serve(streaming(gate.pass))
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* client.until("first ")
    const closing = yield* served.drain
    yield* TestClock.adjust("6 seconds")
    expect(client.socket.readyState).toBe("open")
    yield* gate.open
    expect(yield* client.closed).toMatch(/last\r\n0\r\n\r\n$/)
    yield* Fiber.join(closing)
    expect(served.pool).toMatchObject({ uses: 1, lateUses: 0 })
  }))

it.effect("a connection without a request stays for the grace, and then is closed", () =>
  Effect.gen(function*() {
    const app = HttpRouter.empty.pipe(HttpRouter.get("/", Effect.as(usePool, HttpServerResponse.text("done"))))
    const served = yield* serve(app, { keepAliveGrace: "3 seconds" })
    const late = yield* connect(served.port)
    const idle = yield* connect(served.port)
    const fresh = yield* connect(served.port)
    for (const client of [late, idle]) {
      client.send(request("/"))
      expect(yield* client.until("done")).toContain("Connection: keep-alive")
    }
    const closing = yield* served.drain
    yield* TestClock.adjust("2999 millis")
    late.send(request("/"))
    expect((yield* late.closed).split("HTTP/1.1")[2]).toContain("Connection: close")
    expect([idle.socket.readyState, fresh.socket.readyState, served.pool.isOpen]).toEqual(["open", "open", true])
    yield* TestClock.adjust("1 millis")
    yield* idle.closed
    expect(yield* fresh.closed).toBe("")
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 3, lateUses: 0, isOpen: false })
  }))

it.effect("no connection is taken any more", () =>
  Effect.gen(function*() {
    const served = yield* serve(HttpRouter.empty)
    const open = yield* connect(served.port)
    const closing = yield* served.drain
    const refused = yield* connect(served.port).pipe(Effect.flip)
    expect(refused.code).toBe("ECONNREFUSED")
    open.socket.destroy()
    yield* Fiber.join(closing)
  }))

it.effect("pipelined requests are all answered, in order, and only the last response closes", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const app = HttpRouter.empty.pipe(
      HttpRouter.get("/first", Effect.as(Effect.andThen(gate.pass, usePool), HttpServerResponse.text("first"))),
      HttpRouter.get("/:name", Effect.flatMap(HttpRouter.params, ({ name }) => HttpServerResponse.text(name!)))
    )
    const served = yield* serve(app)
    const client = yield* connect(served.port)
    client.send(request("/first") + request("/second"))
    yield* gate.reached
    const closing = yield* served.drain
    // That one comes when the second was to be the last.
    client.send(request("/third"))
    const more = yield* connect(served.port).pipe(Effect.flip)
    expect(more.code).toBe("ECONNREFUSED")
    yield* gate.open
    const [, first, second, third] = (yield* client.closed).split("HTTP/1.1 ")
    expect([first, second, third].map((text) => /Connection: (\S+)/.exec(text!)![1])).toEqual([
      "keep-alive",
      "keep-alive",
      "close"
    ])
    expect([first, second, third].map((text) => text!.split("\r\n\r\n")[1])).toEqual(["first", "second", "third"])
    yield* Fiber.join(closing)
    expect(served.pool.lateUses).toBe(0)
  }))

it.effect("a request after the response that closes is not handled", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const begin = yield* makeGate
    let handled = 0
    const body = Stream.concat(Stream.make("begun "), Stream.fromEffect(Effect.as(gate.pass, "ended")))
    const app = HttpRouter.empty.pipe(HttpRouter.get(
      "/",
      Effect.as(
        Effect.andThen(Effect.sync(() => handled++), begin.pass),
        HttpServerResponse.stream(Stream.encodeText(body))
      )
    ))
    const { server, until } = watchedServer()
    const served = yield* serve(app, { server })
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* begin.reached
    const closing = yield* served.drain
    yield* begin.open
    expect(yield* client.until("begun ")).toContain("Connection: close")
    client.send(request("/"))
    yield* until("requests", 2)
    yield* gate.reached
    yield* gate.open
    expect(responses(yield* client.closed)).toBe(1)
    yield* Fiber.join(closing)
    expect(handled).toBe(1)
  }))

it.effect("a HEAD request in flight is answered", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const app = HttpRouter.empty.pipe(
      HttpRouter.head("/", Effect.as(Effect.andThen(gate.pass, usePool), HttpServerResponse.text("unseen")))
    )
    const served = yield* serve(app)
    const client = yield* connect(served.port)
    client.send(request("/").replace("GET", "HEAD"))
    yield* gate.reached
    const closing = yield* served.drain
    yield* gate.open
    expect(yield* client.closed).toMatch(/^HTTP\/1.1 200 OK\r\n.*Connection: close\r\n.*\r\n$/s)
    yield* Fiber.join(closing)
  }))

it.effect("half a request head counts as none, and half a body as a request", () =>
  Effect.gen(function*() {
    const reached = yield* Deferred.make<void>()
    const app = HttpRouter.empty.pipe(HttpRouter.post(
      "/",
      Effect.gen(function*() {
        const request = yield* HttpServerRequest.HttpServerRequest
        yield* Deferred.succeed(reached, undefined)
        const text = yield* request.text
        yield* usePool
        return HttpServerResponse.text(`got ${text}`)
      })
    ))
    const served = yield* serve(app)
    const [slow, uploading] = yield* Effect.all([connect(served.port), connect(served.port)])
    slow.send("GET / HTTP/1.1\r\nHost:")
    uploading.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n12345")
    yield* Deferred.await(reached)
    const closing = yield* served.drain
    yield* TestClock.adjust("5 seconds")
    expect(yield* slow.closed).toBe("")
    expect(uploading.socket.readyState).toBe("open")
    uploading.send("67890")
    expect(yield* uploading.closed).toMatch(/got 1234567890$/)
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 1, lateUses: 0, isOpen: false })
  }))

it.effect("half a request head that is completed within the grace is answered", () =>
  Effect.gen(function*() {
    const served = yield* serve(HttpRouter.empty.pipe(HttpRouter.get("/", HttpServerResponse.text("done"))))
    const client = yield* connect(served.port)
    client.send("GET / HTTP/1.1\r\nHo")
    const closing = yield* served.drain
    client.send("st: test\r\n\r\n")
    expect(yield* client.closed).toMatch(/Connection: close\r\n.*done$/s)
    yield* Fiber.join(closing)
  }))

it.effect("what a request has in its scope is released before what it uses", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const app = Effect.as(
      Effect.acquireRelease(usePool, () => Effect.andThen(gate.pass, Effect.orDie(usePool))),
      HttpServerResponse.text("done")
    )
    const served = yield* serve(app)
    const client = yield* connect(served.port)
    client.send(request("/", "Connection: close"))
    yield* client.closed
    yield* gate.reached
    const closing = yield* served.drain
    yield* TestClock.adjust("10 seconds")
    expect(served.pool.isOpen).toBe(true)
    yield* gate.open
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 2, lateUses: 0, isOpen: false })
  }))

it.effect("a middleware that answers by itself is waited for, too", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const served = yield* serve(HttpServerResponse.text("app"), {
      middleware: () => Effect.as(Effect.andThen(gate.pass, usePool), HttpServerResponse.text("none")) as never
    })
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* gate.reached
    const closing = yield* served.drain
    yield* gate.open
    expect(yield* client.closed).toMatch(/Connection: close\r\n.*none$/s)
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 1, lateUses: 0, isOpen: false })
  }))

it.effect("a handler that dies is answered with 500, and holds nothing up", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const served = yield* serve(Effect.andThen(gate.pass, Effect.die(new Error("a defect"))))
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* gate.reached
    const closing = yield* served.drain
    yield* gate.open
    expect(yield* client.closed).toMatch(/^HTTP\/1.1 500 .*Connection: close\r\n/s)
    yield* Fiber.join(closing)
    expect(yield* outcomes(served)).toEqual(allCleaned)
  }))

it.effect("of a thousand connections each request is answered, and none meets a closed pool", () =>
  Effect.gen(function*() {
    const count = 1_000
    const gate = yield* makeGate
    const allIn = yield* Deferred.make<void>()
    let entered = 0
    const app = HttpRouter.empty.pipe(HttpRouter.get(
      "/",
      Effect.gen(function*() {
        if (++entered === count) yield* Deferred.succeed(allIn, undefined)
        yield* gate.pass
        yield* usePool
        return HttpServerResponse.text("done")
      })
    ))
    const served = yield* serve(app)
    const clients = yield* Effect.forEach(Chunk.range(1, count), () => connect(served.port), { concurrency: 50 })
    for (const client of clients) client.send(request("/"))
    yield* Deferred.await(allIn)
    const closing = yield* served.drain
    yield* gate.open
    const texts = yield* Effect.forEach(clients, (client) => client.closed, { concurrency: "unbounded" })
    yield* Fiber.join(closing)
    expect(texts.filter((text) => /^HTTP\/1.1 200 .*Connection: close\r\n.*done$/s.test(text))).toHaveLength(count)
    expect(served.pool).toEqual({ uses: count, lateUses: 0, isOpen: false })
  }))

it.effect("clients that keep connections alive lose no request that was accepted", () =>
  Effect.gen(function*() {
    const half = yield* Deferred.make<void>()
    let handled = 0
    const app = HttpRouter.empty.pipe(HttpRouter.get(
      "/",
      Effect.gen(function*() {
        if (++handled === 200) yield* Deferred.succeed(half, undefined)
        yield* Effect.yieldNow()
        yield* usePool
        return HttpServerResponse.text("done")
      })
    ))
    const served = yield* serve(app)
    const agent = new Http.Agent({ keepAlive: true, maxSockets: 20 })
    let answered = 0
    // Asks again and again, until it cannot connect any more; another failure would be a request that was lost.
    const asking = Effect.async<string>((resume) => {
      const ask = () =>
        Http.get({ port: served.port, host: "127.0.0.1", agent }, (response) => {
          response.resume().on("end", () => {
            answered++
            ask()
          })
        }).on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code ?? "")))
      ask()
    })
    const clients = yield* Effect.forkAll(Array.from({ length: 20 }, () => asking))
    yield* Deferred.await(half)
    const closing = yield* served.drain
    expect(new Set(yield* Fiber.join(clients))).toEqual(new Set(["ECONNREFUSED"]))
    yield* Fiber.join(closing)
    agent.destroy()
    expect(answered).toBe(handled)
    expect(served.pool).toEqual({ uses: handled, lateUses: 0, isOpen: false })
  }))

it.effect("once the process drains, responses close their connections while the listener is still open", () =>
  Effect.gen(function*() {
    const readiness = yield* Readiness.make
    const gate = yield* makeGate
    const app = HttpRouter.empty.pipe(
      HttpRouter.get("/wait", Effect.as(gate.pass, HttpServerResponse.text("waited"))),
      HttpRouter.get("/", HttpServerResponse.text("done"))
    )
    const served = yield* serve(app).pipe(Effect.provideService(Readiness.Readiness, readiness))
    const [before, idle] = yield* Effect.all([connect(served.port), connect(served.port)])
    before.send(request("/wait"))
    idle.send(request("/"))
    expect(yield* idle.until("done")).toContain("Connection: keep-alive")
    yield* gate.reached
    yield* readiness.drain
    const after = yield* connect(served.port)
    after.send(request("/"))
    idle.send(request("/"))
    expect(yield* after.closed).toMatch(/Connection: close\r\n.*done$/s)
    expect((yield* idle.closed).split("HTTP/1.1")[2]).toContain("Connection: close")
    yield* gate.open
    expect(yield* before.closed).toMatch(/Connection: close\r\n.*waited$/s)
    yield* served.close
  }))
