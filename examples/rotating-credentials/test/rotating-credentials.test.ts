/** Real sockets, and a clock that the tests move for both sides. Every scene ends with no call refused and no token left. */
import { describe, expect } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { it } from "@patinox/vitest"
import {
  Cause,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberId,
  Layer,
  Logger,
  Option,
  Ref,
  type Scope,
  TestClock
} from "effect"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { promisify } from "node:util"
import { until } from "../../process/src/until.js"
import { AccessToken } from "../src/AccessToken.js"
import * as App from "../src/App.js"
import * as Server from "../src/AuthorizationServer.js"
import { Orders } from "../src/Orders.js"

const { AuthorizationServer } = Server
const registry = ResourceRegistry.ResourceRegistry
const unavailable = Effect.fail("unavailable" as const)
/** What the registry logs is not what is tested. */
const silent = Logger.remove(Logger.defaultLogger)

type Services = Orders | AccessToken | Server.AuthorizationServer | ResourceRegistry.ResourceRegistry | Scope.Scope

/** A client on a server of its own: a token is good for a minute, and replaced 10 s before that. */
const scene = <E>(
  test: Effect.Effect<void, E, Services>,
  behaviour: Partial<Server.Behaviour> = {},
  pace = { ahead: "10 seconds", retryAfter: "1 second" } as Parameters<typeof App.layer>[1]
) =>
  Effect.gen(function*() {
    const { ledger, url } = yield* AuthorizationServer
    yield* Effect.scoped(test).pipe(
      Effect.provide(App.layer(url, pace)),
      Effect.provide(Layer.merge(ResourceRegistry.layer, silent))
    )
    const { issued, live, refused } = yield* ledger
    expect(issued).toBeGreaterThan(0)
    expect({ left: [...live.keys()], refused }).toEqual({ left: [], refused: 0 })
  }).pipe(Effect.provide(Server.layer({ lifetime: "1 minute", ...behaviour })))

const page = (n: number) => Effect.flatMap(Orders, (orders) => orders.page(n))
const snapshot = Effect.flatMap(AccessToken, (token) => token.snapshot)
const ledger = Effect.flatMap(AuthorizationServer, (server) => server.ledger)
const live = Effect.map(ledger, ({ live }) => [...live.keys()])
const isRefreshed = (times: number) => until(snapshot, ({ refreshes }) => refreshes === times)
const isRevoked = (token: string) => until(live, (tokens) => !tokens.includes(token))

/** Callers wait here until it opens; it counts them. */
const makeGate = Effect.map(Deferred.make<void>(), (opened) => {
  let arrived = 0
  return {
    pass: Effect.suspend(() => {
      arrived++
      return Deferred.await(opened)
    }),
    open: Deferred.succeed(opened, undefined),
    arrived: (count: number) => until(Effect.sync(() => arrived), (now) => now === count)
  }
})

describe("the server", () => {
  const call = (url: string, token: string) =>
    Effect.promise(async () => {
      const response = await fetch(`${url}/orders/1`, { headers: { authorization: `Bearer ${token}` } })
      return response.status === 200 ? response.text() : response.status
    })
  const ask = (url: string, method: string, token = "") =>
    Effect.promise(async () =>
      (await fetch(`${url}/token`, { method, headers: { authorization: `Bearer ${token}` } })).text()
    )

  it.effect("the server refuses a token that it does not know, that has expired or is revoked", () =>
    Effect.gen(function*() {
      const { ledger, url } = yield* AuthorizationServer
      expect(yield* call(url, "token-1")).toBe(401)
      expect(JSON.parse(yield* ask(url, "POST"))).toEqual({ access_token: "token-1", expires_in: 60 })
      yield* TestClock.adjust("59 seconds")
      yield* ask(url, "POST")
      expect(yield* call(url, "token-1")).toBe("page 1 for token-1")
      yield* TestClock.adjust("1 second")
      expect(yield* call(url, "token-1")).toBe(401)
      expect(yield* call(url, "token-2")).toBe("page 1 for token-2")
      yield* ask(url, "DELETE", "token-2")
      expect(yield* call(url, "token-2")).toBe(401)
      expect(yield* ledger).toMatchObject({ issued: 2, answered: 2, refused: 3 })
    }).pipe(Effect.provide(Server.layer({ lifetime: "1 minute" }))))

  it.effect("the server refuses a call whose token is revoked during the call", () =>
    Effect.gen(function*() {
      const gate = yield* makeGate
      yield* Effect.gen(function*() {
        const { url } = yield* AuthorizationServer
        yield* ask(url, "POST")
        const calling = yield* Effect.fork(call(url, "token-1"))
        yield* gate.arrived(1)
        yield* ask(url, "DELETE", "token-1")
        yield* gate.open
        expect(yield* Fiber.join(calling)).toBe(401)
      }).pipe(Effect.provide(Server.layer({ lifetime: "1 minute", duringCall: gate.pass })))
    }))
})

describe("a token", () => {
  it.leakFree("a token is replaced ahead of its expiry, and the old one is revoked", () =>
    scene(Effect.gen(function*() {
      expect(yield* page(1)).toBe("page 1 for token-1")
      yield* TestClock.adjust("49999 millis")
      expect(yield* snapshot).toMatchObject({ refreshes: 0, isRefreshing: false })
      yield* TestClock.adjust("1 millis")
      yield* isRefreshed(1)
      expect(yield* page(2)).toBe("page 2 for token-2")
      yield* isRevoked("token-1")
      // The first would have expired by now.
      yield* TestClock.adjust("10 seconds")
      expect(yield* page(3)).toBe("page 3 for token-2")
      yield* TestClock.adjust("40 seconds")
      yield* isRefreshed(2)
      expect(yield* page(4)).toBe("page 4 for token-3")
    })))

  it.leakFree("a token that lives shorter than it is replaced ahead is not asked for without a pause", () =>
    scene(
      Effect.gen(function*() {
        yield* TestClock.adjust("999 millis")
        expect(yield* snapshot).toMatchObject({ refreshes: 0, isRefreshing: false })
        yield* TestClock.adjust("1 millis")
        yield* isRefreshed(1)
      }),
      { lifetime: "5 seconds" }
    ))

  it.leakFree("a token is revoked after its last user: a hundred calls in flight end with the one that they began with", () =>
    Effect.gen(function*() {
      const [gate, last] = [yield* makeGate, yield* makeGate]
      let calls = 0
      const duringCall = Effect.suspend(() => ++calls === 100 ? last.pass : gate.pass)
      const test = Effect.gen(function*() {
        const most = yield* Effect.fork(
          Effect.all(Array.from({ length: 99 }, () => page(1)), { concurrency: "unbounded" })
        )
        yield* gate.arrived(99)
        const slow = yield* Effect.fork(page(1))
        yield* last.arrived(1)
        yield* TestClock.adjust("50 seconds")
        yield* isRefreshed(1)
        const after = yield* Effect.fork(page(1))
        yield* gate.arrived(100)
        expect(yield* snapshot).toMatchObject({ users: 1, earlier: 1 })

        yield* gate.open
        expect(new Set(yield* Fiber.join(most))).toEqual(new Set(["page 1 for token-1"]))
        expect(yield* Fiber.join(after)).toBe("page 1 for token-2")
        expect(yield* (yield* registry).accounts).toMatchObject({ inUse: 2, cleaning: 0, cleaned: 0 })
        expect(yield* live).toEqual(["token-1", "token-2"])

        yield* last.open
        expect(yield* Fiber.join(slow)).toBe("page 1 for token-1")
        yield* isRevoked("token-1")
      })
      yield* scene(test, { duringCall })
    }))

  it.leakFree("a token serves an export from its first page to the last, while others come and go", () =>
    scene(Effect.gen(function*() {
      const written: Array<string> = []
      const { refresh } = yield* AccessToken
      const { export: exportTo } = yield* Orders
      yield* exportTo(3, (page) => Effect.andThen(Effect.sync(() => written.push(page)), refresh))
      expect(written).toEqual([1, 2, 3].map((page) => `page ${page} for token-1`))
      yield* isRevoked("token-1")
      expect(yield* live).toEqual(["token-4"])
    })))

  it.leakFree.live("a token is never refused, though calls do not pause while twenty come and go", () =>
    scene(
      Effect.raceFirst(
        until(ledger, ({ issued }) => issued >= 20),
        Effect.all(Array.from({ length: 10 }, () => Effect.forever(page(1))), { concurrency: "unbounded" })
      ),
      {},
      { ahead: "59990 millis", retryAfter: "1 millis" }
    ))
})

describe("a server without tokens", () => {
  const failures = (count: number) => until(snapshot, (now) => now.failures === count)
  const reason = Effect.map(
    snapshot,
    ({ lastFailure }) =>
      Option.map(Cause.failureOption(lastFailure!.cause), ({ message }) => message).pipe(Option.getOrThrow)
  )

  it.leakFree("a server without tokens leaves the old token in use, is retried, and shows in the snapshot", () =>
    Effect.gen(function*() {
      const isDown = yield* Ref.make(false)
      const test = Effect.gen(function*() {
        yield* Ref.set(isDown, true)
        yield* TestClock.adjust("50 seconds")
        yield* failures(1)
        expect(yield* reason).toBe("No token: the server answers 503")
        for (const count of [2, 3, 4]) {
          yield* TestClock.adjust("1 second")
          yield* failures(count)
        }
        expect(yield* page(1)).toBe("page 1 for token-1")
        expect(yield* snapshot).toMatchObject({ acquiredAt: 0, refreshes: 0, lastFailure: { at: 53_000 } })
        yield* Ref.set(isDown, false)
        yield* TestClock.adjust("1 second")
        yield* isRefreshed(1)
        expect(yield* snapshot).toMatchObject({ acquiredAt: 54_000, failures: 0, lastFailure: { at: 53_000 } })
        expect(yield* page(1)).toBe("page 1 for token-2")
      })
      yield* scene(test, { beforeToken: Effect.flatMap(Ref.get(isDown), (is) => is ? unavailable : Effect.void) })
    }))

  it.leakFree("a server without tokens is given up after 5 seconds where it does not answer", () =>
    Effect.gen(function*() {
      const gate = yield* makeGate
      const behaviour = yield* Ref.make<Effect.Effect<void>>(Effect.void)
      const test = Effect.gen(function*() {
        yield* Ref.set(behaviour, gate.pass)
        yield* TestClock.adjust("50 seconds")
        yield* gate.arrived(1)
        yield* TestClock.adjust("5 seconds")
        yield* failures(1)
        expect(yield* reason).toMatch(/^No token: .*5s/)
        yield* Ref.set(behaviour, Effect.void)
        yield* TestClock.adjust("1 second")
        yield* isRefreshed(1)
      })
      yield* scene(test, { beforeToken: Effect.flatten(Ref.get(behaviour)) })
    }))

  it.leakFree.each([["refuses", unavailable], ["does not answer", Effect.never]] as const)(
    "a server without tokens is asked again to revoke one where it %s",
    ([, answer]) =>
      Effect.gen(function*() {
        const isDown = yield* Ref.make(false)
        let askedInVain = 0
        const beforeToken = Effect.flatMap(Ref.get(isDown), (is) => {
          if (!is) return Effect.void
          askedInVain++
          return answer
        })
        const test = Effect.gen(function*() {
          const token = yield* AccessToken
          yield* token.use(() => Effect.andThen(token.refresh, Ref.set(isDown, true)))
          yield* until(Effect.sync(() => askedInVain), (count) => count === 1)
          expect(yield* live).toEqual(["token-1", "token-2"])
          yield* Ref.set(isDown, false)
          yield* until(Effect.andThen(TestClock.adjust("100 millis"), live), (tokens) => tokens.length === 1)
          expect(yield* live).toEqual(["token-2"])
        })
        yield* scene(test, { beforeToken })
      })
  )
})

describe("an end", () => {
  it.leakFree("an end waits for a refresh in flight: the token that the server then grants is revoked, too", () =>
    Effect.gen(function*() {
      const gate = yield* makeGate
      const behaviour = yield* Ref.make<Effect.Effect<void>>(Effect.void)
      const test = Effect.gen(function*() {
        const token = yield* AccessToken
        yield* Ref.set(behaviour, gate.pass)
        yield* TestClock.adjust("50 seconds")
        yield* gate.arrived(1)
        yield* Ref.set(behaviour, Effect.void)
        // Waiting callers fail as soon as the application closes.
        yield* Effect.forkDaemon(Effect.andThen(Effect.flip(token.refresh), gate.open))
      })
      yield* scene(test, { beforeToken: Effect.flatten(Ref.get(behaviour)) })
    }))

  it.leakFree("an end in the middle of the start revokes the token that the server then grants", () =>
    Effect.gen(function*() {
      const gate = yield* makeGate
      yield* Effect.gen(function*() {
        const { ledger, url } = yield* AuthorizationServer
        const starting = yield* page(1).pipe(
          Effect.provide(App.layer(url, { ahead: "10 seconds", retryAfter: "1 second" })),
          Effect.provide(ResourceRegistry.layer),
          Effect.fork
        )
        yield* gate.arrived(1)
        yield* Fiber.interruptAsFork(starting, FiberId.none)
        yield* gate.open
        expect(Exit.isInterrupted(yield* Fiber.await(starting))).toBe(true)
        expect(yield* ledger).toMatchObject({ issued: 1, answered: 0, live: new Map() })
      }).pipe(Effect.provide(Server.layer({ lifetime: "1 minute", beforeToken: gate.pass })))
    }))

  it.leakFree("an end with calls in flight interrupts them, and does not wait for their answers", () =>
    Effect.gen(function*() {
      const gate = yield* makeGate
      const test = Effect.gen(function*() {
        yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.forkScoped(page(1)))
        yield* gate.arrived(20)
        expect(yield* snapshot).toMatchObject({ users: 20 })
      })
      yield* scene(test, { duringCall: gate.pass })
    }))
})

describe("as a process", () => {
  const main = new URL("../src/main.ts", import.meta.url).pathname
  const args = ["--import", "tsx", "--conditions=source", main]

  it.live("rotating-credentials as a process prints its story", () =>
    Effect.gen(function*() {
      const { stderr, stdout } = yield* Effect.promise(() => promisify(execFile)(process.execPath, args))
      expect(stdout).toBe(`10 clients call without a pause, and an export begins
page 1: two newer tokens have come, the first is revoked; the export's is live
page 2: two newer tokens have come, the first is revoked; the export's is live
the export has ended; it used 1 token, now revoked
3 refreshes have failed. No token: the server answers 503
calls go on with the token there is
the server is back, and a refresh has succeeded
all is closed: 0 calls were refused, 0 tokens are left
`)
      expect(stderr).toMatch(
        /^The refresh of rotating-credentials\/AccessToken .* failed, 3 times in a row; its value/m
      )
    }), 60_000)

  it.live(
    "rotating-credentials, ended as a process while it calls, has revoked every token",
    () =>
      Effect.gen(function*() {
        const { ledger, url } = yield* AuthorizationServer
        const child = yield* Effect.acquireRelease(
          Effect.sync(() => spawn(process.execPath, [...args, url], { stdio: ["ignore", "inherit", "inherit"] })),
          (child) => Effect.sync(() => child.kill("SIGKILL"))
        )
        const ended = once(child, "exit")
        yield* until(ledger, ({ answered, issued }) => issued >= 3 && answered >= 20)
        child.kill("SIGTERM")
        expect(yield* Effect.promise(() => ended)).toEqual([0, null])
        expect(yield* ledger).toMatchObject({ live: new Map(), refused: 0 })
      }).pipe(Effect.scoped, Effect.provide(Server.layer({ lifetime: "1 minute" }))),
    60_000
  )
})
