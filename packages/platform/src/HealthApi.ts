/**
 * Health, metrics and resources as two groups to mount in an application's `HttpApi`, or as routers. Open to all:
 * `/health` and `/ready`. Behind a middleware that the application supplies, as they tell what it is made of:
 * `/metrics` and `/resources`. They show what is on a list and no more: never the value of a resource, and metadata,
 * stacks and errors only where that is asked for.
 */
import {
  type HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  type HttpApiMiddleware,
  HttpApiSchema,
  type HttpApp,
  HttpRouter,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { ResourceRegistry } from "@patinox/core"
import { type Context, Effect, type Layer, Metric, type Schema } from "effect"
import { type CheckResult, HealthChecks } from "./HealthCheck.js"
import { pageOf, pageOptionsOf, type Shown } from "./internal/ResourcePage.js"
import * as Schemas from "./internal/Schemas.js"
import * as PrometheusText from "./PrometheusText.js"
import { Readiness } from "./Readiness.js"

// --- what is said ---------------------------------------------------------------------------------------------------

/** What `/ready` shows. */
export interface ReadyOptions {
  /** What checks failed with. Anybody may read it. Default false. */
  readonly errors?: boolean
}

/** What `/resources` shows beside the list of fields that it always does. */
export type ResourcesOptions = Shown

const json = <A, I>(schema: Schema.Schema<A, I>, value: NoInfer<A>, status = 200) =>
  Effect.orDie(HttpServerResponse.schemaJson(schema)(value, { status, headers: { "cache-control": "no-store" } }))

const health = /* @__PURE__ */ json(Schemas.alive, { status: "alive" })

const shownCheck = ({ error, ...check }: CheckResult, options: ReadyOptions | undefined): CheckResult =>
  options?.errors === true && error !== undefined ? { ...check, error } : check

const ready = (options: ReadyOptions | undefined) =>
  Effect.gen(function*() {
    const readiness = yield* Readiness
    // What is checked may be closing, and the answer is known.
    if (!(yield* readiness.isReady)) return yield* json(Schemas.notReady, { status: "draining", checks: [] }, 503)
    const results = yield* Effect.flatMap(HealthChecks, (checks) => checks.results)
    const checks = results.map((result) => shownCheck(result, options))
    return yield* results.every(({ status }) => status === "passing")
      ? json(Schemas.ready, { status: "ready", checks })
      : json(Schemas.notReady, { status: "failing", checks }, 503)
  })

const metrics = /* @__PURE__ */ Effect.map(
  Metric.snapshot,
  (pairs) =>
    HttpServerResponse.text(PrometheusText.render(pairs), {
      contentType: PrometheusText.contentType,
      headers: { "cache-control": "no-store" }
    })
)

const resources = (query: Schema.Schema.Type<typeof Schemas.pageQuery>, options: ResourcesOptions | undefined) =>
  Effect.gen(function*() {
    const registry = yield* ResourceRegistry.ResourceRegistry
    const snapshot = yield* registry.snapshotPage(pageOptionsOf(query))
    const page = pageOf(snapshot, yield* registry.health, query, options ?? {})
    return yield* json(Schemas.resourcePage, page)
  })

// --- groups ---------------------------------------------------------------------------------------------------------

/**
 * The group `health`, open to all. Put no guard before it: its caller is a load balancer.
 *
 * `/health` answers 200 as long as the process answers at all. `/ready` answers 200 while new work is wanted and every
 * check passes, else 503: from the first signal on (`Readiness`), and while a check fails or times out. Both name what
 * they say, and are not to be cached.
 */
export const open = /* @__PURE__ */ (() =>
  HttpApiGroup.make("health")
    .add(HttpApiEndpoint.get("health", "/health").addSuccess(Schemas.alive))
    .add(
      HttpApiEndpoint.get("ready", "/ready").addSuccess(Schemas.ready).addError(Schemas.notReady, { status: 503 })
    ))()

const unguarded = () =>
  HttpApiGroup.make("diagnostics")
    .add(
      HttpApiEndpoint.get("metrics", "/metrics")
        .addSuccess(HttpApiSchema.Text({ contentType: PrometheusText.contentType }))
    )
    .add(
      HttpApiEndpoint.get("resources", "/resources")
        .setUrlParams(Schemas.pageQuery)
        .addSuccess(Schemas.resourcePage)
    )

/**
 * The group `diagnostics`, behind a middleware of the application that lets in who may see it. There is none without.
 *
 * `/metrics` has Effect's metrics in the text format of Prometheus. `/resources?limit=100&after=…` has the registry's
 * snapshot: totals, so many live resources (1 to 1,000) in the order of their creation, `next` to go on `after`, and the
 * newest dead letters.
 */
export const guarded = <I extends HttpApiMiddleware.HttpApiMiddleware.AnyId, S>(middleware: Context.Tag<I, S>) =>
  unguarded().middleware(middleware)

type Open = typeof open
type Unguarded = ReturnType<typeof unguarded>
type AnyGroup = HttpApiGroup.HttpApiGroup.Any
type EndpointsOf<Groups extends AnyGroup, Name extends string> = HttpApiGroup.HttpApiGroup.EndpointsWithName<
  Groups,
  Name
>

/** An api that has the group, endpoint for endpoint. */
type With<Groups extends AnyGroup, Name extends string, Group> = [HttpApiGroup.HttpApiGroup.Endpoints<Group>] extends
  [EndpointsOf<Groups, Name>] ? unknown
  : `The api has no such group: ${Name}`

/** An api whose group has a middleware. */
type Guarded<Groups extends AnyGroup, Name extends string> =
  [HttpApiGroup.HttpApiGroup.MiddlewareWithName<Groups, Name>] extends [never] ? `The group has no middleware: ${Name}`
    : unknown

/**
 * Implements the group `open` of an api.
 *
 * ```ts
 * import { HttpApi, HttpApiBuilder, HttpServer } from "@effect/platform"
 * import { HealthApi, HealthCheck } from "@patinox/platform"
 * import { Effect, Layer } from "effect"
 *
 * const api = HttpApi.make("app").add(HealthApi.open)
 * const live = HttpApiBuilder.api(api).pipe(
 *   Layer.provide(HealthApi.openLayer(api)),
 *   Layer.provide(HealthCheck.layer("database", Effect.fail("refused"))),
 *   Layer.provide(HealthCheck.layerChecks)
 * )
 * const { dispose, handler } = HttpApiBuilder.toWebHandler(Layer.merge(live, HttpServer.layerContext))
 * const response = await handler(new Request("http://localhost/ready"))
 * const { checks, status } = JSON.parse(await response.text())
 * console.log(response.status, status, checks[0].name) // => 503 failing database
 * await dispose()
 * ```
 */
export const openLayer = <Id extends string, Groups extends AnyGroup, E, R>(
  api: HttpApi.HttpApi<Id, Groups, E, R> & With<Groups, "health", Open>,
  options?: ReadyOptions
): Layer.Layer<HttpApiGroup.ApiGroup<Id, "health">, never, HealthChecks> =>
  HttpApiBuilder.group(
    api as unknown as HttpApi.HttpApi<Id, Open>,
    "health",
    (handlers) => handlers.handle("health", () => health).handle("ready", () => ready(options))
  )

/** Implements the group `guarded` of an api. The middleware that the group was given must be provided, too. */
export const guardedLayer = <Id extends string, Groups extends AnyGroup, E, R>(
  api: HttpApi.HttpApi<Id, Groups, E, R> & With<Groups, "diagnostics", Unguarded> & Guarded<Groups, "diagnostics">,
  options?: ResourcesOptions
): Layer.Layer<
  HttpApiGroup.ApiGroup<Id, "diagnostics">,
  never,
  ResourceRegistry.ResourceRegistry | HttpApiGroup.HttpApiGroup.MiddlewareWithName<Groups, "diagnostics">
> =>
  HttpApiBuilder.group(
    api as unknown as HttpApi.HttpApi<Id, Unguarded>,
    "diagnostics",
    (handlers) =>
      handlers
        .handle("metrics", () => metrics)
        .handle("resources", ({ urlParams }) => resources(urlParams, options))
  )

// --- routers --------------------------------------------------------------------------------------------------------

/** `/health` and `/ready` without an `HttpApi`: to be served as it is, or put together with other routers. */
export const openRouter = (options?: ReadyOptions): HttpRouter.HttpRouter<never, HealthChecks> =>
  HttpRouter.empty.pipe(HttpRouter.get("/health", health), HttpRouter.get("/ready", ready(options)))

/** `/metrics` and `/resources` without an `HttpApi`, inside a middleware that lets in who may see them. */
export const guardedRouter = <E, R>(
  middleware: (
    app: HttpApp.Default<never, ResourceRegistry.ResourceRegistry | HttpServerRequest.ParsedSearchParams>
  ) => HttpApp.Default<E, R>,
  options?: ResourcesOptions
): HttpRouter.HttpRouter<E, HttpRouter.HttpRouter.ExcludeProvided<R>> => {
  const queried = HttpServerRequest.schemaSearchParams(Schemas.pageQuery).pipe(
    Effect.matchEffect({
      onFailure: ({ message }) => HttpServerResponse.text(message, { status: 400 }),
      onSuccess: (query) => resources(query, options)
    })
  )
  return HttpRouter.empty.pipe(
    HttpRouter.get("/metrics", middleware(metrics)),
    HttpRouter.get("/resources", middleware(queried))
  )
}
