/** Real servers and sockets, and a clock that the tests move. Every scene ends with no connection open. */
import { describe, expect } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { it } from "@patinox/vitest"
import { Effect, Fiber, Layer, Logger, type Scope, TestClock } from "effect"
import type { RequestListener, ServerResponse } from "node:http"
import { runMain } from "../../process/src/runMain.js"
import { until } from "../../process/src/until.js"
import { Agents, get, layer } from "../src/Agents.js"
import * as Origin from "../src/Origin.js"

/** What the pool logs is not what is tested. */
const silent = Logger.remove(Logger.defaultLogger)

/** Runs on its own servers: an origin answers with its name and the path, or as its listener says. */
const scene = <E>(
  body: (blue: Origin.Origin, green: Origin.Origin) => Effect.Effect<void, E, Agents | Scope.Scope>,
  blueAnswers: RequestListener = ({ url }, response) => response.end(`blue ${url}`)
) =>
  Effect.gen(function*() {
    const blue = yield* Origin.start(blueAnswers)
    const green = yield* Origin.start(({ url }, response) => response.end(`green ${url}`))
    yield* Effect.scoped(body(blue, green)).pipe(
      Effect.provide(layer()),
      Effect.provide(Layer.merge(ResourceRegistry.layer, silent))
    )
    yield* until(Effect.all([blue.connections, green.connections]), (all) => all.every(({ open }) => open === 0))
  }).pipe(Effect.scoped)

const at = ({ url }: Origin.Origin, path: string) => new URL(path, url)
const accepted = ({ connections }: Origin.Origin) => Effect.map(connections, ({ accepted }) => accepted)

/** A server that answers only on request of the test. */
const makeHesitant = () => {
  const waiting: Array<ServerResponse> = []
  return {
    listener: ((_, response) => void waiting.push(response)) satisfies RequestListener,
    hasAsked: (count: number) => until(Effect.sync(() => waiting.length), (length) => length === count),
    answer: Effect.sync(() => {
      for (const response of waiting.splice(0)) response.end("at last")
    })
  }
}

describe("agents", () => {
  it.leakFree("agents of each origin keep their connections: a hundred requests at once go over two", () =>
    scene((blue, green) =>
      Effect.gen(function*() {
        const paths = Array.from({ length: 100 }, (_, n) => `/${n}`)
        const all = (origin: Origin.Origin) =>
          Effect.forEach(paths, (path) => get(at(origin, path)), { concurrency: "unbounded" })
        const answers = yield* Effect.all([all(blue), all(green)], { concurrency: "unbounded" })
        const expected = (name: string) => paths.map((path) => ({ status: 200, body: `${name} ${path}` }))
        expect(answers).toEqual([expected("blue"), expected("green")])
        expect([yield* accepted(blue), yield* accepted(green)]).toEqual([2, 2])
      })
    ))

  it.leakFree("agents of a silent origin hold up only its own callers, until their deadline", () => {
    const { answer, hasAsked, listener } = makeHesitant()
    return scene((blue, green) =>
      Effect.gen(function*() {
        const first = yield* Effect.forkScoped(Effect.all([get(at(blue, "/1")), get(at(blue, "/2"))], {
          concurrency: "unbounded"
        }))
        yield* hasAsked(2)
        const late = yield* Effect.forkScoped(Effect.flip(get(at(blue, "/3"))))
        expect(yield* get(at(green, "/"))).toEqual({ status: 200, body: "green /" })
        yield* TestClock.adjust("5 seconds")
        expect(yield* Fiber.join(late)).toMatchObject({ _tag: "PoolTimeout", stage: "waiting", limitMillis: 5_000 })
        yield* answer
        expect(yield* Fiber.join(first)).toEqual([
          { status: 200, body: "at last" },
          { status: 200, body: "at last" }
        ])
      }), listener)
  })

  it.leakFree("agents of an unused origin close their connections, and open new ones for the next request", () =>
    scene((blue, green) =>
      Effect.gen(function*() {
        const { keys } = yield* Agents
        yield* get(at(blue, "/"))
        yield* TestClock.adjust("40 seconds")
        yield* get(at(green, "/"))
        yield* TestClock.adjust("20 seconds")
        yield* until(blue.connections, ({ open }) => open === 0)
        expect([yield* keys, (yield* green.connections).open]).toEqual([[green.url.origin], 1])
        yield* get(at(blue, "/"))
        expect(yield* accepted(blue)).toBe(2)
      })
    ))

  it.leakFree("agents of an origin with less load close their surplus connections", () => {
    const { answer, hasAsked, listener } = makeHesitant()
    return scene((blue) =>
      Effect.gen(function*() {
        const ask = (count: number) =>
          Effect.gen(function*() {
            const asked = yield* Effect.forEach(Array.from({ length: count }), () => Effect.forkScoped(get(blue.url)))
            yield* hasAsked(count)
            yield* answer
            yield* Fiber.joinAll(asked)
          })
        yield* ask(2)
        expect((yield* blue.connections).open).toBe(2)
        for (let seconds = 0; seconds < 40; seconds += 10) {
          yield* TestClock.adjust("10 seconds")
          yield* ask(1)
        }
        yield* until(blue.connections, ({ open }) => open === 1)
        expect(yield* accepted(blue)).toBe(2)
      }), listener)
  })

  it.leakFree("agents whose connection is cut open another: the request fails with the reason, the next one does not", () => {
    let cuts = 1
    return scene(
      (blue) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(get(blue.url))
          expect(error).toMatchObject({ _tag: "RequestFailed", code: "ECONNRESET", url: blue.url.href })
          expect(yield* get(blue.url)).toEqual({ status: 200, body: "whole" })
          expect(yield* accepted(blue)).toBe(2)
        }),
      (_, response) => {
        if (cuts-- <= 0) return void response.end("whole")
        response.write("half")
        setImmediate(() => response.socket!.resetAndDestroy())
      }
    )
  })

  it.leakFree("agents are kept after an answer that refuses the request", () =>
    scene((blue) =>
      Effect.gen(function*() {
        expect(yield* get(blue.url)).toEqual({ status: 503, body: "busy" })
        expect(yield* get(blue.url)).toEqual({ status: 503, body: "busy" })
        expect(yield* accepted(blue)).toBe(1)
      }), (_, response) => response.writeHead(503).end("busy")))

  it.leakFree("agents report an origin that does not listen", () =>
    scene(() =>
      Effect.gen(function*() {
        const url = yield* Effect.scoped(Effect.map(Origin.start(() => {}), ({ url }) => url))
        expect(yield* Effect.flip(get(url))).toMatchObject({ _tag: "RequestFailed", code: "ECONNREFUSED" })
      })
    ))

  it.leakFree("agents close the connection of a request that is interrupted, and serve the next", () => {
    const { answer, hasAsked, listener } = makeHesitant()
    return scene((blue) =>
      Effect.gen(function*() {
        const given = yield* Effect.forkScoped(get(blue.url))
        yield* hasAsked(1)
        yield* Fiber.interrupt(given)
        yield* until(blue.connections, ({ open }) => open === 0)
        yield* answer
        const next = yield* Effect.forkScoped(get(blue.url))
        yield* hasAsked(1)
        yield* answer
        expect(yield* Fiber.join(next)).toEqual({ status: 200, body: "at last" })
      }), listener)
  })
})

describe("as a process", () => {
  it.live("http-agents as a process prints its story, and ends by itself", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* runMain(import.meta.url)
      expect({ code, stderr, stdout }).toEqual({
        code: 0,
        stderr: "",
        stdout: `a hundred requests to each of two origins
  100 times blue over 2 connections
  100 times green over 2 connections
blue does not answer any more
  PoolTimeout: Pool http-agents/blue: timed out after 200 ms waiting for an item to be returned (total 2, idle 0, in use 2, waiting 1)
  and the other is green
nobody asks for a while
  every connection is closed
`
      })
    }))
})
