/** Real sockets, and a clock that the tests move for all sides. Every scene ends with no call refused and no token left. */
import type * as HttpClient from "@effect/platform/HttpClient"
import { describe, expect } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { it } from "@patinox/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Logger, Ref, type Scope, TestClock } from "effect"
import { runMain } from "../../process/src/runMain.js"
import { until } from "../../process/src/until.js"
import * as Server from "../../rotating-credentials/src/AuthorizationServer.js"
import * as App from "../src/App.js"
import { call, Tokens } from "../src/Tokens.js"

const { AuthorizationServer } = Server
type Api = Context.Tag.Service<typeof AuthorizationServer>

/** What the cache logs is not what is tested. */
const silent = Logger.remove(Logger.defaultLogger)

/** On APIs of its own: tokens are good for a minute; the first API has them only after `beforeToken`. */
const scene = <E>(
  body: (blue: Api, green: Api) => Effect.Effect<void, E, Tokens | HttpClient.HttpClient | Scope.Scope>,
  behaviour: Partial<Server.Behaviour> = {}
) =>
  Effect.gen(function*() {
    const serve = (own: Partial<Server.Behaviour>) =>
      Effect.map(Layer.build(Server.layer({ lifetime: "1 minute", ...own })), Context.get(AuthorizationServer))
    const [blue, green] = [yield* serve(behaviour), yield* serve({})]
    yield* Effect.scoped(body(blue, green)).pipe(
      Effect.provide(App.layer()),
      Effect.provide(Layer.merge(ResourceRegistry.layer, silent))
    )
    for (const { ledger } of [blue, green]) {
      const { live, refused } = yield* ledger
      expect({ left: [...live.keys()], refused }).toEqual({ left: [], refused: 0 })
    }
  }).pipe(Effect.scoped)

const page = ({ url }: Api) => call(url, "/orders/1")
const stats = Effect.flatMap(Tokens, ({ stats }) => stats)
const live = ({ ledger }: Api) => Effect.map(ledger, ({ live }) => [...live.keys()])
const hasTokens = (api: Api, ...tokens: ReadonlyArray<string>) =>
  until(live(api), (now) => now.join() === tokens.join())
const failures = (count: number) => until(stats, ({ loadFailures }) => loadFailures === count)

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

type Before = Effect.Effect<void, "unavailable">
/** What an API does before it issues or revokes a token, to be changed. */
const makeBehaviour = Effect.map(Ref.make<Before>(Effect.void), (now) => ({
  beforeToken: Effect.flatten(Ref.get(now)),
  set: (next: Before) => Ref.set(now, next)
}))
const down = Effect.fail("unavailable" as const)

describe("a token", () => {
  it.leakFree("a token is requested once for all callers of an API, and each API has its own", () =>
    scene((blue, green) =>
      Effect.gen(function*() {
        const pages = yield* Effect.all(Array.from({ length: 20 }, (_, n) => page(n % 2 === 0 ? blue : green)), {
          concurrency: "unbounded"
        })
        expect(new Set(pages)).toEqual(new Set(["page 1 for token-1"]))
        expect([(yield* blue.ledger).issued, (yield* green.ledger).issued]).toEqual([1, 1])
        expect(yield* stats).toMatchObject({ loads: 2, entries: 2, inUse: 0 })
      })
    ))

  it.leakFree("a token is refreshed behind the call that finds it half gone, and the old one is revoked", () =>
    scene((blue) =>
      Effect.gen(function*() {
        yield* page(blue)
        yield* TestClock.adjust("29999 millis")
        yield* page(blue)
        expect((yield* blue.ledger).issued).toBe(1)
        yield* TestClock.adjust("1 millis")
        expect(yield* page(blue)).toBe("page 1 for token-1")
        yield* hasTokens(blue, "token-2")
        expect(yield* page(blue)).toBe("page 1 for token-2")
      })
    ))

  it.leakFree("a token that is refreshed keeps nobody waiting, however long that takes", () =>
    Effect.gen(function*() {
      const [gate, behaviour] = [yield* makeGate, yield* makeBehaviour]
      yield* scene((blue) =>
        Effect.gen(function*() {
          yield* page(blue)
          yield* TestClock.adjust("30 seconds")
          yield* behaviour.set(gate.pass)
          for (let calls = 0; calls < 5; calls++) expect(yield* page(blue)).toBe("page 1 for token-1")
          yield* gate.arrived(1)
          yield* behaviour.set(Effect.void)
          yield* gate.open
          yield* hasTokens(blue, "token-2")
        }), behaviour)
    }))

  it.leakFree("a token is revoked after its last user: a call in flight ends with the one that it began with", () =>
    Effect.gen(function*() {
      const gate = yield* makeGate
      const first = yield* Ref.make(true)
      const duringCall = Effect.flatMap(Ref.getAndSet(first, false), (isFirst) => isFirst ? gate.pass : Effect.void)
      yield* scene((blue) =>
        Effect.gen(function*() {
          const slow = yield* Effect.fork(page(blue))
          yield* gate.arrived(1)
          yield* TestClock.adjust("30 seconds")
          yield* page(blue)
          yield* until(stats, ({ loads }) => loads === 2)
          expect(yield* page(blue)).toBe("page 1 for token-2")
          expect(yield* live(blue)).toEqual(["token-1", "token-2"])
          yield* gate.open
          expect(yield* Fiber.join(slow)).toBe("page 1 for token-1")
          yield* hasTokens(blue, "token-2")
        }), { duringCall })
    }))

  it.leakFree("an unused token is not refreshed, and revoked when it expires", () =>
    scene((blue) =>
      Effect.gen(function*() {
        yield* page(blue)
        yield* TestClock.adjust("59 seconds")
        expect(yield* live(blue)).toEqual(["token-1"])
        yield* TestClock.adjust("1 second")
        yield* hasTokens(blue)
        expect((yield* blue.ledger).issued).toBe(1)
      })
    ))
})

describe("an API that issues no tokens", () => {
  it.leakFree("an API that issues no tokens for a while is retried, and no call notices", () =>
    Effect.gen(function*() {
      const behaviour = yield* makeBehaviour
      yield* scene((blue, green) =>
        Effect.gen(function*() {
          yield* page(blue)
          yield* TestClock.adjust("30 seconds")
          yield* behaviour.set(down)
          // After the first failure it is left alone for a second, then for two, and so on.
          for (const [failed, pause] of [[1, 1], [2, 2], [3, 4]] as const) {
            expect(yield* page(blue)).toBe("page 1 for token-1")
            yield* failures(failed)
            expect(yield* page(blue)).toBe("page 1 for token-1")
            expect(yield* page(green)).toBe("page 1 for token-1")
            yield* TestClock.adjust(`${pause} seconds`)
          }
          expect((yield* stats).loadFailures).toBe(3)
          yield* behaviour.set(Effect.void)
          yield* page(blue)
          yield* hasTokens(blue, "token-2")
          expect(yield* page(blue)).toBe("page 1 for token-2")
        }), behaviour)
    }))

  it.leakFree("an API that issues no tokens is not waited for in the first half of the margin; in the second its failure is not seen", () =>
    Effect.gen(function*() {
      const [gate, behaviour] = [yield* makeGate, yield* makeBehaviour]
      yield* scene((blue) =>
        Effect.gen(function*() {
          yield* page(blue)
          yield* TestClock.adjust("54 seconds")
          yield* behaviour.set(Effect.andThen(gate.pass, down))
          expect(yield* page(blue)).toBe("page 1 for token-1")
          yield* gate.arrived(1)
          yield* TestClock.adjust("1 second")
          const waiting = yield* Effect.fork(page(blue))
          const { snapshot } = yield* Tokens
          yield* until(snapshot, ({ lookups }) => lookups[0]?.callers === 1)
          expect((yield* blue.ledger).answered).toBe(2)
          yield* gate.open
          expect(yield* Fiber.join(waiting)).toBe("page 1 for token-1")
          yield* behaviour.set(Effect.void)
        }), behaviour)
    }))

  it.leakFree("an API that issues no tokens until the token has expired is an error, and the next call retries", () =>
    Effect.gen(function*() {
      const behaviour = yield* makeBehaviour
      yield* scene((blue) =>
        Effect.gen(function*() {
          yield* page(blue)
          yield* behaviour.set(down)
          yield* TestClock.adjust("60 seconds")
          const error = yield* Effect.flip(page(blue))
          expect([error._tag, error.message]).toEqual([
            "TokenUnavailable",
            `No token for ${blue.url}: the server answers 503`
          ])
          yield* behaviour.set(Effect.void)
          expect(yield* page(blue)).toBe("page 1 for token-2")
          yield* until(Effect.andThen(TestClock.adjust("100 millis"), live(blue)), ({ length }) => length === 1)
        }), behaviour)
    }))
})

describe("an end", () => {
  it.leakFree("an end waits for a refresh in flight: the token that the server then grants is revoked, too", () =>
    Effect.gen(function*() {
      const [gate, behaviour] = [yield* makeGate, yield* makeBehaviour]
      yield* scene((blue) =>
        Effect.gen(function*() {
          yield* page(blue)
          yield* TestClock.adjust("30 seconds")
          yield* behaviour.set(gate.pass)
          yield* page(blue)
          yield* gate.arrived(1)
          yield* behaviour.set(Effect.void)
          const { close } = yield* Tokens
          const closing = yield* Effect.fork(close)
          yield* hasTokens(blue)
          yield* gate.open
          expect(yield* Fiber.join(closing)).toMatchObject({ released: 2, failed: [], deadlineReached: false })
          expect((yield* blue.ledger).issued).toBe(2)
        }), behaviour)
    }))
})

describe("as a process", () => {
  it.live("tokens as a process prints its story", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* runMain(import.meta.url)
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: `10 clients call two APIs without a pause, and tokens come and go
one API issues no tokens any more
  two refreshes have failed: its callers go on, and the other has new tokens
it does again
  it has a new token, and the old one is revoked
all is closed: 0 calls were refused, 0 tokens are left
`
      })
      // The first failure in a row is logged.
      const told =
        /^Cache tokens\/Tokens: refreshing .* failed \(.*: the server answers 503\); keeping the old value$/gm
      expect([...stderr.matchAll(told)]).toHaveLength(1)
    }))
})
