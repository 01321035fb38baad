import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware
} from "@effect/platform"
import type { ResourceRegistry } from "@patinox/core"
import { HealthApi, type HealthCheck } from "@patinox/platform"
import { Context, type Layer, Schema } from "effect"
import { expect, test } from "tstyche"

class Auth extends HttpApiMiddleware.Tag<Auth>()("Auth", { failure: HttpApiError.Unauthorized }) {}
class NoMiddleware extends Context.Tag("NoMiddleware")<NoMiddleware, string>() {}

const users = HttpApiGroup.make("users").add(HttpApiEndpoint.get("list", "/users").addSuccess(Schema.String))
const api = HttpApi.make("app").add(users).add(HealthApi.open).add(HealthApi.guarded(Auth))

test("the guarded group is not to be had without a middleware", () => {
  expect(HealthApi.guarded).type.toBeCallableWith(Auth)
  expect(HealthApi.guarded).type.not.toBeCallableWith()
  expect(HealthApi.guarded).type.not.toBeCallableWith(undefined)
  expect(HealthApi.guarded).type.not.toBeCallableWith(NoMiddleware)
})

test("its layer wants the middleware, and the registry", () => {
  expect(HealthApi.guardedLayer(api)).type.toBe<
    Layer.Layer<HttpApiGroup.ApiGroup<"app", "diagnostics">, never, ResourceRegistry.ResourceRegistry | Auth>
  >()
  expect(HealthApi.openLayer(api)).type.toBe<
    Layer.Layer<HttpApiGroup.ApiGroup<"app", "health">, never, HealthCheck.HealthChecks>
  >()
})

test("an api that lacks a group has no layer of it", () => {
  const none = HttpApi.make("none").add(users)
  expect(HealthApi.openLayer).type.not.toBeCallableWith(none)
  expect(HealthApi.guardedLayer).type.not.toBeCallableWith(none)
  expect(HealthApi.guardedLayer).type.not.toBeCallableWith(HttpApi.make("open").add(HealthApi.open))
  const namesake = HttpApi.make("other").add(HttpApiGroup.make("health").add(HttpApiEndpoint.get("health", "/health")))
  expect(HealthApi.openLayer).type.not.toBeCallableWith(namesake)
})

test("a group that is put together by hand, without a middleware, has no layer", () => {
  type Guarded = ReturnType<typeof HealthApi.guarded<Auth, unknown>>
  type Unguarded = HttpApiGroup.HttpApiGroup<"diagnostics", HttpApiGroup.HttpApiGroup.Endpoints<Guarded>>
  const unguarded = HttpApi.make("app").add({} as Unguarded)
  expect(HealthApi.guardedLayer).type.not.toBeCallableWith(unguarded)
})

test("a prefix, other groups and a middleware for all change nothing about it", () => {
  const more = HttpApi.make("more").add(HealthApi.open.prefix("/ops")).add(users).middleware(Auth).prefix("/v1")
  expect(HealthApi.openLayer(more)).type.toBe<
    Layer.Layer<HttpApiGroup.ApiGroup<"more", "health">, never, HealthCheck.HealthChecks>
  >()
})

test("the api wants both groups implemented", () => {
  expect(HttpApiBuilder.api(api)).type.toBe<
    Layer.Layer<
      HttpApi.Api,
      never,
      | HttpApiGroup.ApiGroup<"app", "users">
      | HttpApiGroup.ApiGroup<"app", "health">
      | HttpApiGroup.ApiGroup<"app", "diagnostics">
    >
  >()
})

test("the guarded router is not to be had without a middleware", () => {
  expect(HealthApi.guardedRouter).type.not.toBeCallableWith()
  expect(HealthApi.guardedRouter).type.not.toBeCallableWith({})
})
