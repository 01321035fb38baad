/** What the clients of a draining server see: a response that was cut off looks so, one that never ends is ended. */
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpServerRequest } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { HttpDrain } from "@patinox/platform"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Fiber, HashMap, Logger, Metric, Stream } from "effect"
import * as Http from "node:http"
import { PassThrough } from "node:stream"
import { connect, request } from "./rawHttp.js"
import { makeGate, outcomes, serve } from "./served.js"

const hangs = Stream.fromEffect(Effect.as(Effect.never, "never"))
const begun = Stream.encodeText(Stream.concat(Stream.make("a part"), hangs))

/** What a client of Node makes of a response, once some of it has come: how much there was, and whether that was all. */
const fetching = (port: number) =>
  Effect.async<Promise<{ readonly body: string; readonly isComplete: boolean }>>((resume) => {
    Http.get({ port, path: "/", host: "127.0.0.1" }, (response) => {
      let body = ""
      const closed = new Promise<{ readonly body: string; readonly isComplete: boolean }>((resolve) => {
        response.on("close", () => resolve({ body, isComplete: response.complete }))
      })
      response.setEncoding("utf8").on("data", (chunk) => {
        body += chunk
        resume(Effect.succeed(closed))
      })
      response.on("error", () => {})
    }).on("error", () => {})
  })

const raw = () => {
  const stream = new PassThrough()
  stream.write("a part")
  return stream
}

/** The log lines of an effect at level Error, with the id of the resource that they are about. */
const errors = () => {
  const lines: Array<readonly [text: string, id: unknown]> = []
  const logger = Logger.make(({ annotations, logLevel, message }) => {
    if (logLevel.label !== "ERROR") return
    const id = HashMap.get(annotations, "patinox.resource.id")
    lines.push([[message].flat().join(" "), id._tag === "Some" ? id.value : undefined])
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

const silent = Effect.provide(Logger.remove(Logger.defaultLogger))
/** So far, in this process. */
const cutOffCount = Effect.map(Metric.snapshot, (pairs) => {
  const pair = pairs.find(({ metricKey }) => metricKey.name === "patinox_http_requests_cut_off_total")
  return (pair?.metricState as { readonly count: number } | undefined)?.count ?? 0
})

describe("a response that the drain cuts off is seen as cut off by its client", () => {
  const responses = {
    "in chunks": () => HttpServerResponse.stream(begun),
    "with a length": () => HttpServerResponse.stream(begun, { contentLength: 100 }),
    "of a stream of Node": () => HttpServerResponse.raw(raw()),
    "of a stream of Node with a length": () => HttpServerResponse.raw(raw(), { contentLength: 100 })
  }
  for (const [kind, response] of Object.entries(responses)) {
    it.effect(kind, () =>
      Effect.gen(function*() {
        const served = yield* serve(Effect.sync(response), { drainTimeout: "2 seconds" })
        const client = yield* connect(served.port)
        client.send(request("/"))
        yield* client.until("a part")
        const other = yield* fetching(served.port)
        const closing = yield* served.drain
        yield* TestClock.adjust("2500 millis")
        const text = yield* client.closed
        expect(text).toContain("a part")
        expect(text).not.toMatch(/\r\n0\r\n/)
        expect(yield* Effect.promise(() => other)).toEqual({ body: "a part", isComplete: false })
        yield* Fiber.join(closing)
        expect((yield* outcomes(served))["HttpServer"]).toBe("cleaned")
      }).pipe(silent))
  }

  it.effect("a response that the drain cuts off without chunks or a length, as in HTTP/1.0, ends by a reset", () =>
    Effect.gen(function*() {
      const served = yield* serve(Effect.sync(responses["in chunks"]), { drainTimeout: "2 seconds" })
      const client = yield* connect(served.port)
      let code: string | undefined
      client.socket.on("error", (error: NodeJS.ErrnoException) => (code = error.code))
      client.send("GET / HTTP/1.0\r\n\r\n")
      yield* client.until("a part")
      const closing = yield* served.drain
      yield* TestClock.adjust("2500 millis")
      yield* client.closed
      expect(code).toBe("ECONNRESET")
      yield* Fiber.join(closing)
    }).pipe(silent))

  it.effect("a response that had not begun when the drain ends it is a 503, and HEAD is as ever", () =>
    Effect.gen(function*() {
      const app = HttpRouter.empty.pipe(
        HttpRouter.get("/", Effect.never),
        HttpRouter.get("/ok", HttpServerResponse.stream(begun))
      )
      const served = yield* serve(app, { drainTimeout: "2 seconds" })
      const head = yield* connect(served.port)
      head.send("HEAD /ok HTTP/1.1\r\nHost: test\r\n\r\n")
      expect(yield* head.until("\r\n\r\n")).toMatch(/^HTTP\/1.1 200 /)
      const client = yield* connect(served.port)
      client.send(request("/"))
      const ready = yield* connect(served.port)
      ready.send(request("/ok"))
      yield* ready.until("a part")
      const closing = yield* served.drain
      yield* TestClock.adjust("2500 millis")
      expect(yield* client.closed).toMatch(/^HTTP\/1.1 503 .*Content-Length: 0|^HTTP\/1.1 503 [^]*\r\n0\r\n\r\n$/s)
      yield* Fiber.join(closing)
    }).pipe(silent))

  it.effect("a stream that an uninterruptible handler gives only after the limit is a 503, and no empty 200", () => {
    const log = errors()
    return Effect.gen(function*() {
      const gate = yield* makeGate
      const app = Effect.uninterruptible(Effect.as(gate.pass, HttpServerResponse.stream(begun)))
      const served = yield* serve(app, { drainTimeout: "2 seconds" })
      const client = yield* connect(served.port)
      client.send(request("/"))
      yield* gate.reached
      const closing = yield* served.drain
      yield* TestClock.adjust("2 seconds")
      yield* Effect.repeat(Effect.yieldNow(), { until: () => log.lines.length > 0 })
      yield* gate.open
      expect(yield* client.until("\r\n\r\n")).toMatch(/^HTTP\/1.1 503 /)
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(closing)
    }).pipe(Effect.provide(log.layer))
  })

  it.effect("a body that ends by itself within the limit is whole", () =>
    Effect.gen(function*() {
      const body = Stream.concat(
        Stream.make("a part"),
        Stream.fromEffect(Effect.delay(Effect.succeed(", and the rest"), "1 seconds"))
      )
      const served = yield* serve(Effect.succeed(HttpServerResponse.stream(Stream.encodeText(body))), {
        drainTimeout: "2 seconds"
      })
      const client = yield* connect(served.port)
      client.send(request("/"))
      yield* client.until("a part")
      const closing = yield* served.drain
      yield* TestClock.adjust("1 seconds")
      expect(yield* client.until("\r\n0\r\n")).toMatch(/, and the rest\r\n0\r\n\r\n$/)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(closing)
    }).pipe(silent))
})

it.effect("a request that is cut off is counted, and is an error in the log with the server's id", () => {
  const log = errors()
  return Effect.gen(function*() {
    const before = yield* cutOffCount
    const both = yield* Deferred.make<void>()
    let entered = 0
    const enter = Effect.suspend(() => ++entered === 2 ? Deferred.succeed(both, undefined) : Effect.void)
    const served = yield* serve(Effect.andThen(enter, Effect.interruptible(Effect.never)), {
      drainTimeout: "2 seconds"
    })
    const [client, other] = yield* Effect.all([connect(served.port), connect(served.port)])
    client.send(request("http://user:secret@host:80/a/path?token=secret"))
    // What it says of a protocol is no upgrade.
    other.send(request("//user:secret@host/b#secret", "Upgrade: websocket"))
    yield* Deferred.await(both)
    const closing = yield* served.drain
    yield* TestClock.adjust("2500 millis")
    yield* Effect.all([client.closed, other.closed])
    yield* Fiber.join(closing)
    const [[text, id]] = log.lines as [readonly [string, unknown]]
    expect(text).toMatch(/^HTTP requests did not finish while draining and are interrupted: GET \/[ab]/)
    expect(text).toContain("GET /a/path (2 s)")
    expect(text).toContain("GET /b (2 s)")
    expect(text).not.toMatch(/secret|user/)
    expect(id).toMatch(/^[\da-f-]{36}$/)
    expect((yield* cutOffCount) - before).toBe(2)
  }).pipe(Effect.provide(log.layer))
})

it.effect("a response that its client still reads at the limit is counted, and named, though its handler has ended", () => {
  const log = errors()
  const nextTurn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))
  return Effect.gen(function*() {
    const before = yield* cutOffCount
    const ended = yield* Deferred.make<void>()
    // Goes on until the client takes no more, and gives less after that than a handler would wait for.
    const app = Effect.gen(function*() {
      yield* Effect.addFinalizer(() => Deferred.succeed(ended, undefined))
      const response = NodeHttpServerRequest.toServerResponse(yield* HttpServerRequest.HttpServerRequest)
      const isRead = () => response.socket?.writableLength === 0
      const chunk = Effect.as(nextTurn, new Uint8Array(8 * 1024))
      return HttpServerResponse.stream(
        Stream.concat(Stream.make(new Uint8Array(1)), Stream.repeatEffect(chunk).pipe(Stream.takeWhile(isRead)))
      )
    })
    const served = yield* serve(app, { drainTimeout: "2 seconds" })
    const client = yield* connect(served.port)
    client.socket.pause()
    client.send(request("/big?token=secret"))
    yield* Deferred.await(ended)
    yield* nextTurn
    const closing = yield* served.drain
    yield* TestClock.adjust("2500 millis")
    client.socket.resume()
    expect(yield* client.closed).not.toMatch(/\r\n0\r\n\r\n$/)
    yield* Fiber.join(closing)
    expect(log.lines.map(([text]) => text)).toEqual([expect.stringMatching(/: GET \/big \(\d.*\)$/)])
    expect((yield* cutOffCount) - before).toBe(1)
  }).pipe(Effect.provide(log.layer))
})

describe("a response that never ends is ended by the drain", () => {
  const events = (contentType: string) =>
    HttpServerResponse.stream(Stream.encodeText(Stream.concat(Stream.make("data: 1\n\n"), hangs)), { contentType })

  for (
    const type of ["text/event-stream", "text/event-stream; charset=utf-8", "multipart/x-mixed-replace; boundary=x"]
  ) {
    it.effect(`properly, at once, and counted by nobody: ${type}`, () => {
      const log = errors()
      return Effect.gen(function*() {
        const before = yield* cutOffCount
        const served = yield* serve(Effect.succeed(events(type)))
        const client = yield* connect(served.port)
        client.send(request("/"))
        yield* client.until("data: 1")
        const closing = yield* served.drain
        expect(yield* client.until("\r\n0\r\n\r\n")).toMatch(/data: 1\n\n\r\n0\r\n\r\n$/)
        client.socket.destroy()
        yield* Fiber.join(closing)
        expect([log.lines, (yield* cutOffCount) - before]).toEqual([[], 0])
      }).pipe(Effect.provide(log.layer))
    })
  }

  it.effect("a response that never ends is ended by the drain and its connection is closed after it, though its head could not say so", () =>
    Effect.gen(function*() {
      const served = yield* serve(Effect.succeed(events("text/event-stream")))
      const client = yield* connect(served.port)
      client.send(request("/"))
      yield* client.until("data: 1")
      const closing = yield* served.drain
      expect(yield* client.closed).toMatch(/\r\n0\r\n\r\n$/)
      yield* Fiber.join(closing)
    }).pipe(silent))

  it.effect("a response that never ends is ended by the drain where it begins while the server drains, too", () =>
    Effect.gen(function*() {
      const served = yield* serve(Effect.succeed(events("text/event-stream")))
      const client = yield* connect(served.port)
      const closing = yield* served.drain
      client.send(request("/"))
      expect(yield* client.until("\r\n0\r\n\r\n")).toMatch(/^HTTP\/1.1 200 .*text\/event-stream.*\r\n\r\n0\r\n\r\n$/s)
      client.socket.destroy()
      yield* Fiber.join(closing)
    }).pipe(silent))

  it.effect("a response that never ends is ended by the drain of another type where its handler says so: a poll gets 503, a stream its end", () =>
    Effect.gen(function*() {
      const before = yield* cutOffCount
      const app = HttpRouter.empty.pipe(
        HttpRouter.get("/poll", HttpDrain.endWithDrain(Effect.never)),
        HttpRouter.get("/ticks", HttpDrain.endWithDrain(Effect.succeed(events("text/plain"))))
      )
      const served = yield* serve(app)
      const [poll, ticks] = yield* Effect.all([connect(served.port), connect(served.port)])
      poll.send(request("/poll"))
      ticks.send(request("/ticks"))
      yield* ticks.until("data: 1")
      const closing = yield* served.drain
      expect(yield* poll.until("\r\n\r\n")).toMatch(/^HTTP\/1.1 503 /)
      expect(yield* ticks.until("\r\n0\r\n\r\n")).toContain("data: 1")
      poll.socket.destroy()
      ticks.socket.destroy()
      yield* Fiber.join(closing)
      expect((yield* cutOffCount) - before).toBe(0)
    }).pipe(silent))
})
