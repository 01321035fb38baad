import { HttpRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { ResourceScope } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { Cause, Chunk, Deferred, Duration, Effect, Fiber, Logger, LogLevel, Option, Stream } from "effect"
import { connect, request } from "./rawHttp.js"
import { makeGate, outcomes, serve, usePool } from "./served.js"

const allCleaned = { HttpServer: "cleaned", HttpListener: "cleaned", Pool: "cleaned" }

/** The log lines of an effect, of warnings and above. */
const warnings = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ cause, logLevel, message }) => {
    if (logLevel.ordinal < LogLevel.Warning.ordinal) return
    lines.push([message, ...Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)]].flat().join(" "))
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

it.effect("a handler that hangs is interrupted at the limit, and its finalizers find what they use", () => {
  const log = warnings()
  return Effect.gen(function*() {
    const gate = yield* makeGate
    const app = HttpRouter.empty.pipe(
      HttpRouter.get(
        "/report",
        Effect.andThen(gate.pass, HttpServerResponse.text("never")).pipe(Effect.ensuring(usePool))
      )
    )
    const served = yield* serve(app)
    const client = yield* connect(served.port)
    yield* TestClock.adjust("1 seconds")
    client.send(request("/report?token=secret"))
    yield* gate.reached
    yield* TestClock.adjust("2 seconds")
    const closing = yield* served.drain
    yield* TestClock.adjust("14999 millis")
    expect(served.pool).toEqual({ uses: 0, lateUses: 0, isOpen: true })
    yield* TestClock.adjust("1 millis")
    expect(yield* client.closed).toMatch(/^HTTP\/1.1 503 .*Connection: close\r\n/s)
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 1, lateUses: 0, isOpen: false })
    expect(yield* outcomes(served)).toEqual(allCleaned)
    expect(log.lines.find((line) => line.startsWith("HTTP requests"))).toBe(
      "HTTP requests did not finish while draining and are interrupted: GET /report (17 s)"
    )
    expect(log.lines.join()).not.toContain("secret")
  }).pipe(Effect.provide(log.layer))
})

it.effect("a handler that ignores its interruption is let go a second later, and named in the failure", () => {
  const log = warnings()
  return Effect.gen(function*() {
    const gate = yield* makeGate
    const ended = yield* Deferred.make<void>()
    const app = HttpRouter.empty.pipe(HttpRouter.get(
      "/stubborn",
      Effect.as(
        Effect.uninterruptible(Effect.ensuring(gate.pass, Deferred.succeed(ended, undefined))),
        HttpServerResponse.text("late")
      )
    ))
    const served = yield* serve(app, { drainTimeout: "10 seconds" })
    const client = yield* connect(served.port)
    client.send(request("/stubborn"))
    yield* gate.reached
    const closing = yield* served.drain
    yield* TestClock.adjust("10500 millis")
    expect(yield* client.closed).toBe("")
    expect(served.pool.isOpen).toBe(true)
    yield* TestClock.adjust("500 millis")
    yield* Fiber.join(closing)
    expect(yield* outcomes(served)).toEqual({ ...allCleaned, HttpServer: "failed" })
    const { record } = yield* served.monitor.waitForTag("Failed")
    expect(record.error?._tag === "CleanupFailed" && Option.getOrUndefined(record.error.error)).toMatchObject({
      _tag: "RequestsLetGo",
      message: "Still running after they were interrupted: GET /stubborn (11 s)",
      requests: [{ method: "GET", path: "/stubborn" }]
    })
    expect(log.lines.join("\n")).toContain("Still running after they were interrupted: GET /stubborn (11 s)")
    yield* gate.open
    yield* Deferred.await(ended)
  }).pipe(Effect.provide(log.layer))
})

it.effect("a client that does not read is cut off at the limit", () =>
  Effect.gen(function*() {
    const served = yield* serve(HttpServerResponse.uint8Array(new Uint8Array(64 * 1024 * 1024)))
    const client = yield* connect(served.port)
    client.socket.pause()
    client.send(request("/"))
    yield* Effect.async<void>((resume) => {
      client.socket.once("readable", () => resume(Effect.void))
    })
    const closing = yield* served.drain
    yield* TestClock.adjust("15 seconds")
    expect(served.pool.isOpen).toBe(true)
    yield* TestClock.adjust("500 millis")
    yield* Fiber.join(closing)
    expect(yield* outcomes(served)).toEqual(allCleaned)
    client.socket.destroy()
  }))

it.effect("a stream without end is interrupted at the limit", () =>
  Effect.gen(function*() {
    const ended = yield* Deferred.make<void>()
    const body = Stream.concat(Stream.make("event"), Stream.fromEffect(Effect.as(Effect.never, "never"))).pipe(
      Stream.ensuring(Deferred.succeed(ended, undefined)),
      Stream.encodeText
    )
    const served = yield* serve(HttpServerResponse.stream(body))
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* client.until("event")
    const closing = yield* served.drain
    yield* TestClock.adjust("15 seconds")
    yield* Deferred.await(ended)
    yield* client.closed
    yield* Fiber.join(closing)
    expect(yield* outcomes(served)).toEqual(allCleaned)
  }))

it.effect("an upload that is never completed is given up at the limit", () =>
  Effect.gen(function*() {
    const reached = yield* Deferred.make<void>()
    const app = HttpRouter.empty.pipe(HttpRouter.post(
      "/",
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.andThen(Deferred.succeed(reached, undefined), Effect.as(request.text, HttpServerResponse.empty())))
    ))
    const served = yield* serve(app)
    const client = yield* connect(served.port)
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n12345")
    yield* Deferred.await(reached)
    const closing = yield* served.drain
    yield* TestClock.adjust("16 seconds")
    yield* client.closed
    yield* Fiber.join(closing)
    expect(yield* outcomes(served)).toEqual(allCleaned)
  }))

it.effect("three hundred handlers that hang are over at the limit, and the longest are named", () => {
  const log = warnings()
  return Effect.gen(function*() {
    const count = 300
    const allIn = yield* Deferred.make<void>()
    let entered = 0
    let ended = 0
    const app = HttpRouter.empty.pipe(HttpRouter.get(
      "/:n",
      Effect.andThen(
        Effect.suspend(() => ++entered === count ? Deferred.succeed(allIn, undefined) : Effect.void),
        Effect.never
      ).pipe(Effect.ensuring(Effect.andThen(usePool, Effect.sync(() => ended++))))
    ))
    const served = yield* serve(app, { drainTimeout: "1 seconds" })
    const clients = yield* Effect.forEach(
      Chunk.range(1, count),
      (n) => Effect.tap(connect(served.port), (client) => client.send(request(`/${n}`))),
      { concurrency: 50 }
    )
    yield* Deferred.await(allIn)
    const closing = yield* served.drain
    yield* TestClock.adjust("1 seconds")
    const texts = yield* Effect.forEach(clients, (client) => client.closed, { concurrency: "unbounded" })
    yield* Fiber.join(closing)
    expect(texts.filter((text) => text.startsWith("HTTP/1.1 503"))).toHaveLength(count)
    expect(ended).toBe(count)
    expect(served.pool).toEqual({ uses: count, lateUses: 0, isOpen: false })
    expect(log.lines.find((line) => line.startsWith("HTTP requests"))).toMatch(/\(1 s\) and 290 more$/)
  }).pipe(Effect.provide(log.layer))
})

it.effect("when a deadline of the scope is near, and everything is to start, requests are cut off", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    let isInterrupted = false
    const app = HttpRouter.empty.pipe(HttpRouter.get(
      "/",
      Effect.onInterrupt(
        Effect.as(gate.pass, HttpServerResponse.empty()),
        () => Effect.sync(() => void (isInterrupted = true))
      )
    ))
    const scope = yield* ResourceScope.make({ timeout: "4 seconds" })
    const served = yield* serve(app, { scope })
    const [client, idle] = yield* Effect.all([connect(served.port), connect(served.port)])
    client.send(request("/"))
    yield* gate.reached
    const closing = yield* served.drain
    // A fifth of the four seconds before their end.
    yield* TestClock.adjust("3199 millis")
    expect([isInterrupted, idle.socket.readyState]).toEqual([false, "open"])
    yield* TestClock.adjust("1 millis")
    yield* Fiber.join(closing)
    yield* client.closed
    yield* idle.closed
    expect(isInterrupted).toBe(true)
    expect(scope.report?.totals).toMatchObject({ total: 5, cleaned: 5 })
  }))

it.effect("without a limit a request is waited for, however long", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const served = yield* serve(Effect.as(Effect.andThen(gate.pass, usePool), HttpServerResponse.text("done")), {
      drainTimeout: Duration.infinity
    })
    const client = yield* connect(served.port)
    client.send(request("/"))
    yield* gate.reached
    const closing = yield* served.drain
    yield* TestClock.adjust("30 days")
    expect(served.pool.isOpen).toBe(true)
    yield* gate.open
    expect(yield* client.closed).toMatch(/done$/)
    yield* Fiber.join(closing)
    expect(served.pool).toMatchObject({ uses: 1, lateUses: 0 })
  }))
