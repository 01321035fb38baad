import {
  HttpApi,
  HttpApiBuilder,
  HttpApiClient,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSecurity,
  type HttpApp,
  HttpClient,
  HttpClientRequest,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { ResourceGuard, ResourceMonitor, ResourceRegistry } from "@patinox/core"
import { HealthApi, HealthCheck, Readiness } from "@patinox/platform"
import { TestClock, TestRegistry } from "@patinox/vitest"
import { Deferred, Effect, Fiber, Layer, Redacted, Schema } from "effect"
import { parse } from "./prometheus.js"

class Auth extends HttpApiMiddleware.Tag<Auth>()("Auth", {
  failure: HttpApiError.Unauthorized,
  security: { bearer: HttpApiSecurity.bearer }
}) {}

const authLive = Layer.succeed(Auth, {
  bearer: (token) => Redacted.value(token) === "letmein" ? Effect.void : Effect.fail(new HttpApiError.Unauthorized())
})

const users = HttpApiGroup.make("users").add(HttpApiEndpoint.get("list", "/users").addSuccess(Schema.String))

const api = HttpApi.make("app").add(users).add(HealthApi.open).add(HealthApi.guarded(Auth))

const usersLive = HttpApiBuilder.group(
  api,
  "users",
  (handlers) => handlers.handle("list", () => Effect.succeed("none"))
)

const server = NodeHttpServer.layerTest

const served = (options: HealthApi.ReadyOptions & HealthApi.ResourcesOptions = {}) =>
  HttpApiBuilder.serve().pipe(
    Layer.provide(HttpApiBuilder.api(api)),
    Layer.provide([usersLive, HealthApi.openLayer(api, options), HealthApi.guardedLayer(api, options)]),
    Layer.provide(authLive),
    Layer.provideMerge(server),
    Layer.provideMerge(Layer.mergeAll(HealthCheck.layerChecks, TestRegistry.layer))
  )

const get = (path: string, token?: string) =>
  Effect.flatMap(HttpClient.HttpClient, (client) => {
    const request = HttpClientRequest.get(path)
    return client.execute(token === undefined ? request : HttpClientRequest.bearerToken(request, token))
  }).pipe(Effect.flatMap((response) =>
    Effect.map(response.text, (text) => ({
      status: response.status,
      type: response.headers["content-type"],
      cache: response.headers["cache-control"],
      text,
      json: () => JSON.parse(text) as Record<string, any>
    }))
  ))

const add = (name: string, check: Effect.Effect<unknown, unknown>) =>
  Effect.flatMap(HealthCheck.HealthChecks, (checks) => checks.add(name, check))

describe("/health", () => {
  it.scoped("answers that the process is alive, whatever it lacks", () =>
    Effect.gen(function*() {
      const readiness = yield* Effect.tap(Readiness.make, (readiness) => readiness.drain)
      yield* Effect.gen(function*() {
        yield* add("database", Effect.die("asked"))
        const response = yield* get("/health")
        expect(response).toMatchObject({ status: 200, type: "application/json", cache: "no-store" })
        expect(response.json()).toEqual({ status: "alive" })
      }).pipe(Effect.provide(served()), Effect.provideService(Readiness.Readiness, readiness))
    }))
})

describe("/ready", () => {
  it.scoped("answers 200 while every check passes, and names them", () =>
    Effect.gen(function*() {
      expect((yield* get("/ready")).json()).toEqual({ status: "ready", checks: [] })
      yield* add("queue", Effect.void)
      yield* add("database", Effect.void)
      const response = yield* get("/ready")
      expect(response).toMatchObject({ status: 200, type: "application/json", cache: "no-store" })
      expect(response.json()).toEqual({
        status: "ready",
        checks: [
          { name: "database", status: "passing", durationMillis: 0 },
          { name: "queue", status: "passing", durationMillis: 0 }
        ]
      })
    }).pipe(Effect.provide(served())))

  it.scoped("answers 503 while one fails, without saying why", () =>
    Effect.gen(function*() {
      yield* add("database", Effect.fail(new Error("password wrong")))
      yield* add("queue", Effect.void)
      const response = yield* get("/ready")
      expect(response).toMatchObject({ status: 503, cache: "no-store" })
      expect(response.json()).toEqual({
        status: "failing",
        checks: [
          { name: "database", status: "failing", durationMillis: 0 },
          { name: "queue", status: "passing", durationMillis: 0 }
        ]
      })
    }).pipe(Effect.provide(served())))

  it.scoped("answers 503 where one does not end, nor stop", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      yield* add("queue", Effect.uninterruptible(Deferred.await(gate)))
      const asking = yield* Effect.fork(get("/ready"))
      yield* Effect.repeat(TestClock.adjust("100 millis"), { until: () => asking.unsafePoll() !== null })
      const response = yield* Fiber.join(asking)
      expect([response.status, response.json()]).toEqual([503, {
        status: "failing",
        checks: [{ name: "queue", status: "timed out", durationMillis: 500 }]
      }])
      yield* Deferred.succeed(gate, undefined)
    }).pipe(Effect.provide(served())))

  it.scoped("says why where that is enabled", () =>
    Effect.gen(function*() {
      yield* add("database", Effect.fail(new Error("password wrong")))
      expect((yield* get("/ready")).json().checks).toEqual([
        { name: "database", status: "failing", durationMillis: 0, error: "password wrong" }
      ])
    }).pipe(Effect.provide(served({ errors: true }))))

  it.scoped("answers 503 once the process drains, and checks nothing any more", () =>
    Effect.gen(function*() {
      const readiness = yield* Readiness.make
      yield* Effect.gen(function*() {
        let asked = 0
        yield* add("database", Effect.sync(() => asked++))
        expect((yield* get("/ready")).status).toBe(200)
        yield* readiness.drain
        yield* TestClock.adjust("1 minutes")
        const response = yield* get("/ready")
        expect([response.status, response.json(), asked]).toEqual([503, { status: "draining", checks: [] }, 1])
      }).pipe(Effect.provide(served()), Effect.provideService(Readiness.Readiness, readiness))
    }))

  it.scoped("a typed client has both answers", () =>
    Effect.gen(function*() {
      const client = yield* HttpApiClient.make(api)
      expect(yield* client.health.ready()).toEqual({ status: "ready", checks: [] })
      yield* add("database", Effect.fail("refused"))
      expect(yield* Effect.flip(client.health.ready())).toMatchObject({ status: "failing" })
      expect(yield* client.health.health()).toEqual({ status: "alive" })
      expect(yield* client.users.list()).toBe("none")
    }).pipe(Effect.provide(served())))
})

describe("/metrics and /resources", () => {
  it.scoped("/metrics and /resources are for those only whom the middleware lets in", () =>
    Effect.gen(function*() {
      for (const path of ["/metrics", "/resources", "/resources?limit=0"]) {
        expect((yield* get(path)).status).toBe(401)
        const refused = yield* get(path, "wrong")
        expect(refused.status).toBe(401)
        expect(refused.text).not.toMatch(/patinox|accounts/)
      }
      expect((yield* get("/metrics", "letmein")).status).toBe(200)
    }).pipe(Effect.provide(served())))

  it.scoped("metrics are in the format of Prometheus", () => {
    const watched = TestRegistry.layer.pipe(Layer.provide(ResourceMonitor.layerMetrics))
    return Effect.gen(function*() {
      yield* ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "HealthApi test" }).pipe(
        Effect.scoped,
        Effect.provide(watched)
      )
      const response = yield* get("/metrics", "letmein")
      expect(response).toMatchObject({ type: "text/plain; version=0.0.4; charset=utf-8", cache: "no-store" })
      const ended = parse(response.text).find(({ name }) => name === "patinox_resources_ended_total")
      expect(ended).toMatchObject({ kind: "counter", help: "Resources that have ended, by type and outcome" })
      expect(ended?.samples).toContainEqual({
        name: "patinox_resources_ended_total",
        labels: [["outcome", "cleaned"], ["type", "HealthApi test"]],
        value: 1
      })
    }).pipe(Effect.provide(served()))
  })

  it.scoped("resources are those of the registry, without their secrets", () =>
    Effect.gen(function*() {
      yield* ResourceGuard.make(Effect.succeed({ value: "secret" }), () => Effect.void, {
        typeName: "Connection",
        metadata: { password: "secret" }
      })
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.fail("secret"), { typeName: "Failing" }))
      const response = yield* get("/resources", "letmein")
      expect(response).toMatchObject({ status: 200, cache: "no-store" })
      expect(response.json()).toMatchObject({
        accounts: { registered: 2, live: 1, failed: 1 },
        resources: [{ typeName: "Connection", state: "inUse", priority: "Normal", holders: 0 }],
        newestDeadLetters: [{ typeName: "Failing", outcome: "failed" }]
      })
      expect(response.text).not.toMatch(/secret|HealthApi.test/)
      expect(response.json().next).toBeUndefined()
    }).pipe(Effect.provide(served())))

  it.scoped("metadata, stacks and errors are there where they are enabled", () =>
    Effect.gen(function*() {
      yield* ResourceGuard.make(Effect.succeed("value"), () => Effect.void, { metadata: { host: "a host" } })
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.fail("a failure")))
      const { text } = yield* get("/resources", "letmein")
      expect(text).toContain("a host")
      expect(text).toContain("a failure")
      expect(text).toContain("HealthApi.test.ts")
    }).pipe(Effect.provide(served({ metadata: true, stacks: true, errors: true }))))

  it.scoped("pages hold 1 to 1,000, and 100 where nothing is said", () =>
    Effect.gen(function*() {
      for (let n = 0; n < 1_010; n++) yield* ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "One" })
      const client = yield* HttpApiClient.make(api, {
        transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken("letmein"))
      })
      const page = (limit: number, after?: string) =>
        client.diagnostics.resources({ urlParams: { limit, ...(after === undefined ? undefined : { after }) } })
      expect((yield* get("/resources", "letmein")).json().resources).toHaveLength(100)
      const first = yield* page(1_000)
      const second = yield* page(1_000, first.next)
      expect([first.resources.length, second.resources.length, second.next]).toEqual([1_000, 10, undefined])
      expect(new Set([...first.resources, ...second.resources].map(({ id }) => id)).size).toBe(1_010)
      for (const query of ["limit=0", "limit=1001", "limit=1.5", "limit=x", "after=x", "after=1_x"]) {
        expect((yield* get(`/resources?${query}`, "letmein")).status).toBe(400)
      }
    }).pipe(Effect.provide(served())))
})

it.scoped("an api may prefix them", () => {
  const prefixed = HttpApi.make("ops").add(HealthApi.open.prefix("/ops")).add(HealthApi.guarded(Auth)).prefix("/v1")
  const layer = HttpApiBuilder.serve().pipe(
    Layer.provide(HttpApiBuilder.api(prefixed)),
    Layer.provide([HealthApi.openLayer(prefixed), HealthApi.guardedLayer(prefixed)]),
    Layer.provide([authLive, HealthCheck.layerChecks, ResourceRegistry.layer]),
    Layer.provideMerge(server)
  )
  return Effect.gen(function*() {
    expect((yield* get("/v1/ops/ready")).status).toBe(200)
    expect((yield* get("/v1/metrics")).status).toBe(401)
    expect((yield* get("/v1/metrics", "letmein")).status).toBe(200)
  }).pipe(Effect.provide(layer))
})

it.scoped("without an HttpApi they are routers", () => {
  const guard = <E, R>(app: HttpApp.Default<E, R>) =>
    Effect.flatMap(
      HttpServerRequest.HttpServerRequest,
      (request) =>
        request.headers["authorization"] === "Bearer letmein" ? app : HttpServerResponse.empty({ status: 401 })
    )
  const app = HttpRouter.empty.pipe(
    HttpRouter.concat(HealthApi.openRouter({ errors: true })),
    HttpRouter.concat(HealthApi.guardedRouter(guard))
  )
  const layer = HttpServer.serve(app).pipe(
    Layer.provideMerge(server),
    Layer.provideMerge(Layer.mergeAll(HealthCheck.layerChecks, TestRegistry.layer))
  )
  return Effect.gen(function*() {
    yield* add("database", Effect.fail("refused"))
    expect((yield* get("/health")).json()).toEqual({ status: "alive" })
    const ready = yield* get("/ready")
    expect([ready.status, ready.json().checks[0].error]).toEqual([503, "refused"])
    for (const path of ["/metrics", "/resources"]) {
      expect((yield* get(path)).status).toBe(401)
      expect((yield* get(path, "letmein")).status).toBe(200)
    }
    expect((yield* get("/resources?limit=1001")).status).toBe(401)
    expect((yield* get("/resources?limit=1001", "letmein")).status).toBe(400)
    expect((yield* get("/resources?limit=1", "letmein")).json().accounts.live).toBe(0)
  }).pipe(Effect.provide(layer))
})

it.scoped("HEAD is answered as GET, without the body", () =>
  Effect.gen(function*() {
    yield* add("database", Effect.fail("refused"))
    const response = yield* Effect.flatMap(HttpClient.HttpClient, (client) => client.head("/ready"))
    expect([response.status, yield* response.text]).toEqual([503, ""])
  }).pipe(Effect.provide(served())))
