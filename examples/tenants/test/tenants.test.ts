/** Real servers and sockets, and a clock that the tests move. Every scene ends with no connection open. */
import { describe, expect } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { it } from "@patinox/vitest"
import { Effect, Fiber, Layer, Ref, type Scope, TestClock } from "effect"
import type { RequestListener, ServerResponse } from "node:http"
import { runMain } from "../../process/src/runMain.js"
import * as Service from "../src/Service.js"
import { Directory, get, layer, Tenants, UnknownTenant } from "../src/Tenants.js"

interface World {
  readonly service: Service.Service
  /** The keys by name; who is not here is unknown. */
  readonly keys: Ref.Ref<Readonly<Record<string, string>>>
  /** How often the directory was asked. */
  readonly asked: Ref.Ref<number>
}

const answerWithKey: RequestListener = ({ headers, url }, response) => response.end(`${headers.authorization} ${url}`)

const scene = <E>(
  body: (world: World) => Effect.Effect<void, E, Tenants | Scope.Scope>,
  listener: RequestListener = answerWithKey
) =>
  Effect.gen(function*() {
    const service = yield* Service.make(listener)
    const keys = yield* Ref.make<Readonly<Record<string, string>>>({ ann: "a", bob: "b" })
    const asked = yield* Ref.make(0)
    const directory = Layer.succeed(Directory, {
      find: (name) =>
        Effect.gen(function*() {
          yield* Ref.update(asked, (count) => count + 1)
          const key = (yield* Ref.get(keys))[name]
          return key === undefined ? yield* new UnknownTenant({ name }) : { url: service.url, key }
        })
    })
    yield* Effect.scoped(body({ service, keys, asked })).pipe(Effect.provide(Layer.provide(layer(), directory)))
    yield* service.until(isOpen(service))
  }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer))

/** Whose connections are open, and nobody else's. */
const isOpen = ({ open }: Service.Service, ...keys: ReadonlyArray<string>) =>
  Effect.map(open, (now) => [...now].sort().join() === keys.join())

/** A server that answers only on request of the test. */
const makeHesitant = () => {
  const waiting: Array<ServerResponse> = []
  return {
    listener: ((_, response) => void waiting.push(response)) satisfies RequestListener,
    hasAsked: Effect.sync(() => waiting.length > 0),
    answer: Effect.sync(() => {
      for (const response of waiting.splice(0)) response.end("at last")
    })
  }
}

describe("a tenant's client", () => {
  it.leakFree("a tenant's client is made once, keeps its connections, and sends the tenant's key", () =>
    scene(({ asked, service }) =>
      Effect.gen(function*() {
        for (let n = 0; n < 10; n++) {
          expect(yield* get("ann", `/${n}`)).toEqual({ status: 200, body: `Bearer a /${n}` })
        }
        expect((yield* get("bob", "/")).body).toBe("Bearer b /")
        expect([yield* Ref.get(asked), yield* service.accepted]).toEqual([2, 2])
      })
    ))

  it.leakFree("a tenant's client is closed with its connections after a minute without requests", () =>
    scene(({ asked, service }) =>
      Effect.gen(function*() {
        yield* get("ann", "/")
        yield* TestClock.adjust("30 seconds")
        yield* get("bob", "/")
        yield* TestClock.adjust("29999 millis")
        expect(yield* isOpen(service, "a", "b")).toBe(true)
        yield* TestClock.adjust("1 millis")
        yield* service.until(isOpen(service, "b"))
        expect(yield* (yield* Tenants).keys).toEqual(["bob"])
        yield* get("ann", "/")
        expect([yield* Ref.get(asked), yield* service.accepted]).toEqual([3, 3])
      })
    ))

  it.leakFree("a tenant's client is not closed while an answer is waited for, however long that takes", () => {
    const { answer, hasAsked, listener } = makeHesitant()
    return scene(({ service }) =>
      Effect.gen(function*() {
        const slow = yield* Effect.fork(get("ann", "/"))
        yield* service.until(hasAsked)
        yield* TestClock.adjust("10 minutes")
        yield* answer
        expect(yield* Fiber.join(slow)).toEqual({ status: 200, body: "at last" })
        expect(yield* isOpen(service, "a")).toBe(true)
        yield* TestClock.adjust("1 minute")
        yield* service.until(isOpen(service))
      }), listener)
  })

  it.leakFree("a tenant's client whose key is refused is replaced for the next request", () => {
    const listener: RequestListener = ({ headers }, response) =>
      response.writeHead(headers.authorization === "Bearer new" ? 200 : 401).end()
    return scene(({ asked, keys }) =>
      Effect.gen(function*() {
        expect((yield* get("ann", "/")).status).toBe(401)
        yield* Ref.set(keys, { ann: "new" })
        expect((yield* get("ann", "/")).status).toBe(200)
        expect((yield* get("ann", "/")).status).toBe(200)
        expect(yield* Ref.get(asked)).toBe(2)
      }), listener)
  })

  it.leakFree("a tenant's client is replaced after an hour, even in constant use", () =>
    scene(({ asked, keys }) =>
      Effect.gen(function*() {
        yield* get("ann", "/")
        yield* Ref.set(keys, { ann: "new" })
        for (let minute = 1; minute < 120; minute++) {
          yield* TestClock.adjust("30 seconds")
          expect((yield* get("ann", "/")).body).toBe("Bearer a /")
        }
        yield* TestClock.adjust("30 seconds")
        expect((yield* get("ann", "/")).body).toBe("Bearer new /")
        expect(yield* Ref.get(asked)).toBe(2)
      })
    ))
})

describe("an unknown tenant", () => {
  it.leakFree("an unknown tenant is looked for once in ten seconds", () =>
    scene(({ asked, keys }) =>
      Effect.gen(function*() {
        for (let second = 0; second < 10; second++) {
          expect(yield* Effect.flip(get("cid", "/"))).toEqual(new UnknownTenant({ name: "cid" }))
          yield* TestClock.adjust("1 second")
        }
        expect(yield* Ref.get(asked)).toBe(1)
        yield* Ref.set(keys, { cid: "c" })
        expect((yield* get("cid", "/")).body).toBe("Bearer c /")
      })
    ))
})

describe("as a process", () => {
  it.live("tenants as a process prints its story, and ends by itself", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* runMain(import.meta.url)
      expect({ code, stderr, stdout }).toEqual({
        code: 0,
        stderr: "",
        stdout: `a hundred tenants send ten requests each
  1000 answers by 100 clients
one does not exist
  UnknownTenant: There is no tenant tenant-x
one goes on, the others leave
  connections of tenant-0 are open
all connections are closed
`
      })
    }))
})
