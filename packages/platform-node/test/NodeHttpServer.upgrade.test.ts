import { HttpRouter, HttpServerRequest, HttpServerResponse, Socket } from "@effect/platform"
import { NodeSocket } from "@effect/platform-node"
import { expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Fiber, Queue } from "effect"
import { connect, request } from "./rawHttp.js"
import { makeGate, outcomes, serve, usePool } from "./served.js"

const allCleaned = { HttpServer: "cleaned", HttpListener: "cleaned", Pool: "cleaned" }

const upgrade = request(
  "/",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)

/** Sends back what it gets, each after a use of the pool. */
const echo = (before: Effect.Effect<void>) =>
  HttpRouter.empty.pipe(HttpRouter.get(
    "/",
    Effect.gen(function*() {
      const socket = yield* HttpServerRequest.upgrade
      const write = yield* socket.writer
      yield* socket.runRaw((text) => Effect.andThen(before, Effect.andThen(usePool, write(text)))).pipe(
        Effect.ensuring(usePool),
        Effect.ignore
      )
      return HttpServerResponse.empty()
    })
  ))

it.effect("a WebSocket is told that the server goes away, and its handler ends before what it uses", () =>
  Effect.gen(function*() {
    const served = yield* serve(echo(Effect.void))
    const received = yield* Queue.unbounded<string>()
    const client = yield* Socket.makeWebSocket(`ws://127.0.0.1:${served.port}/`, { closeCodeIsError: () => true })
    const running = yield* Effect.fork(client.runRaw((text) => Queue.offer(received, String(text))))
    const write = yield* client.writer
    yield* write("hello")
    expect(yield* Queue.take(received)).toBe("hello")
    const closing = yield* served.drain
    const error = yield* Effect.flip(Fiber.join(running))
    expect(error).toMatchObject({ reason: "Close", code: 1001, closeReason: "Server is going away" })
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 2, lateUses: 0, isOpen: false })
    expect(yield* outcomes(served)).toEqual(allCleaned)
  }).pipe(Effect.scoped, Effect.provide(NodeSocket.layerWebSocketConstructor)))

it.effect("a WebSocket that stays is interrupted and cut off at the limit", () =>
  Effect.gen(function*() {
    const served = yield* serve(echo(Effect.void))
    const client = yield* connect(served.port)
    client.send(upgrade)
    expect(yield* client.until("\r\n\r\n")).toContain("101 Switching Protocols")
    const closing = yield* served.drain
    // A close frame with code 1001.
    expect(yield* client.until("\x88")).toContain("\x03\xe9Server is going away")
    yield* TestClock.adjust("14999 millis")
    expect(served.pool).toEqual({ uses: 0, lateUses: 0, isOpen: true })
    yield* TestClock.adjust("501 millis")
    yield* client.closed
    yield* Fiber.join(closing)
    expect(served.pool).toEqual({ uses: 1, lateUses: 0, isOpen: false })
    expect(yield* outcomes(served)).toEqual(allCleaned)
  }))

it.effect("a message that is being handled when the limit comes is let go if it ignores its interruption", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const served = yield* serve(echo(Effect.uninterruptible(gate.pass)), { drainTimeout: "2 seconds" })
    const client = yield* connect(served.port)
    client.send(upgrade)
    yield* client.until("\r\n\r\n")
    // "x" in a masked text frame.
    client.socket.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]))
    yield* gate.reached
    const closing = yield* served.drain
    yield* TestClock.adjust("4 seconds")
    yield* client.closed
    yield* Fiber.join(closing)
    expect(yield* outcomes(served)).toEqual({ ...allCleaned, HttpServer: "failed" })
    yield* gate.open
  }))

it.effect("an upgrade is refused while draining", () =>
  Effect.gen(function*() {
    const reached = yield* Deferred.make<void>()
    const served = yield* serve(Effect.as(Deferred.succeed(reached, undefined), HttpServerResponse.empty()))
    const client = yield* connect(served.port)
    const closing = yield* served.drain
    client.send(upgrade)
    expect(yield* client.until("\r\n\r\n")).toMatch(/^HTTP\/1.1 503 .*Connection: close\r\n/s)
    client.socket.end()
    yield* Fiber.join(closing)
    expect(yield* Deferred.isDone(reached)).toBe(false)
  }))

it.effect("an upgrade that was answered otherwise is a response like any", () =>
  Effect.gen(function*() {
    const gate = yield* makeGate
    const served = yield* serve(Effect.as(Effect.andThen(gate.pass, usePool), HttpServerResponse.text("not here")))
    // Its client does not close.
    const client = yield* connect(served.port, { allowHalfOpen: true })
    client.send(upgrade)
    yield* gate.reached
    const closing = yield* served.drain
    yield* gate.open
    expect(yield* client.until("not here")).toMatch(/^HTTP\/1.1 200 /)
    expect(served.pool.isOpen).toBe(true)
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.join(closing)
    client.socket.destroy()
    expect(served.pool).toEqual({ uses: 1, lateUses: 0, isOpen: false })
  }))
