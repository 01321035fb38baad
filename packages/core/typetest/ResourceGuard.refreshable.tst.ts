import { type CleanupError, ResourceGuard, type ResourceRegistry } from "@patinox/core"
import { Context, Data, Effect, type Exit, type Layer, pipe, Schedule, type Scope } from "effect"
import { expect, test } from "tstyche"

class FetchError extends Data.TaggedError("FetchError")<{}> {}
class RevokeError extends Data.TaggedError("RevokeError")<{ readonly code: number }> {}
interface Env1 {
  readonly Env1: 1
}
interface Env2 {
  readonly Env2: 1
}
interface Env3 {
  readonly Env3: 1
}
interface Token {
  readonly secret: string
}
interface LongToken extends Token {
  readonly long: true
}
class Tokens extends Context.Tag("Tokens")<Tokens, ResourceGuard.Refreshable<Token, FetchError>>() {}
class Base extends Context.Tag("Base")<Base, string>() {}
class Dependent extends Context.Tag("Dependent")<
  Dependent,
  ResourceGuard.Refreshable<Token, FetchError | CleanupError.UnknownDependency>
>() {}

declare const fetch: Effect.Effect<LongToken, FetchError, Env1>
declare const revoke: (token: Token) => Effect.Effect<void, RevokeError, Env2>
declare const scheduled: Schedule.Schedule<number, unknown, Env3>
type Registry = ResourceRegistry.ResourceRegistry
type Shutdown = CleanupError.RegistryShuttingDown
type Refused = CleanupError.AlreadyCleanedUp | Shutdown

test("refreshable infers the value, what a refresh can fail with and every requirement", () => {
  expect(ResourceGuard.refreshable(fetch, revoke, {
    schedule: scheduled,
    recovery: {
      fallback: (token, error) => {
        expect(token).type.toBe<LongToken>()
        expect(error).type.toBe<CleanupError.ReleaseError<RevokeError>>()
        return Effect.void
      }
    }
  })).type.toBe<
    Effect.Effect<
      ResourceGuard.Refreshable<LongToken, FetchError>,
      FetchError | Shutdown,
      Env1 | Env2 | Env3 | Scope.Scope | Registry
    >
  >()
})

test("dependsOn adds UnknownDependency to the acquire and to each refresh", () => {
  type Errors = FetchError | CleanupError.UnknownDependency
  expect(ResourceGuard.refreshable(fetch, revoke, { dependsOn: [Base] })).type.toBe<
    Effect.Effect<
      ResourceGuard.Refreshable<LongToken, Errors>,
      Errors | Shutdown,
      Env1 | Env2 | Scope.Scope | Registry
    >
  >()
})

test("the schedule is given what each refresh ended with", () => {
  type Refreshed = Exit.Exit<LongToken, FetchError | Refused>
  expect(ResourceGuard.refreshable).type.toBeCallableWith(fetch, revoke, {
    schedule: Schedule.identity<Refreshed>()
  })
  expect(ResourceGuard.refreshable).type.not.toBeCallableWith(fetch, revoke, {
    schedule: Schedule.identity<Exit.Exit<string, FetchError | Refused>>()
  })
})

test("what is done with a refreshable is typed", () => {
  const token = null as unknown as ResourceGuard.Refreshable<Token, FetchError>
  expect(token.value).type.toBe<Effect.Effect<Token, CleanupError.AlreadyCleanedUp>>()
  expect(token.get).type.toBe<Effect.Effect<Token, CleanupError.AlreadyCleanedUp, Scope.Scope>>()
  expect(token.refresh).type.toBe<Effect.Effect<void, FetchError | Refused>>()
  expect(token.use(() => fetch)).type.toBe<
    Effect.Effect<LongToken, FetchError | CleanupError.AlreadyCleanedUp, Env1>
  >()
  expect<ResourceGuard.Refreshable<LongToken>>().type.toBeAssignableTo<ResourceGuard.Refreshable<Token, FetchError>>()
  expect<ResourceGuard.Refreshable<Token, FetchError>>().type.not.toBeAssignableTo<ResourceGuard.Refreshable<Token>>()
})

test("layerRefreshable fits the Tag, and needs the registry and no scope", () => {
  expect(ResourceGuard.layerRefreshable(Tokens, fetch, revoke, { schedule: scheduled })).type.toBe<
    Layer.Layer<Tokens, FetchError | Shutdown, Env1 | Env2 | Env3 | Registry>
  >()
  expect(ResourceGuard.layerRefreshable(Tokens, Effect.succeed({ secret: "" }), revoke)).type.toBe<
    Layer.Layer<Tokens, Shutdown, Env2 | Registry>
  >()
  expect(ResourceGuard.layerRefreshable).type.not.toBeCallableWith(Tokens, Effect.succeed(1), () => Effect.void)
  expect(ResourceGuard.layerRefreshable).type.not.toBeCallableWith(Tokens, Effect.fail("other"), revoke)
})

test("layerRefreshable depends on something only where the service's type says that a refresh may fail so", () => {
  expect(ResourceGuard.layerRefreshable(Dependent, fetch, revoke, { dependsOn: [Base] })).type.toBe<
    Layer.Layer<Dependent, FetchError | Shutdown | CleanupError.UnknownDependency, Env1 | Env2 | Registry>
  >()
  expect(ResourceGuard.layerRefreshable).type.not.toBeCallableWith(Tokens, fetch, revoke, { dependsOn: [Base] })
})

test("fromScoped keeps the effect's types, and its cleanup fails with FinalizersFailed", () => {
  const scoped = null as unknown as Effect.Effect<Token, FetchError, Env1 | Scope.Scope>
  type Guarded = Effect.Effect<
    ResourceGuard.ResourceGuard<Token, ResourceGuard.FinalizersFailed>,
    FetchError | Shutdown,
    Env1 | Scope.Scope | Registry
  >
  expect(ResourceGuard.fromScoped(scoped)).type.toBe<Guarded>()
  expect(pipe(scoped, ResourceGuard.fromScoped)).type.toBe<Guarded>()
  expect(ResourceGuard.fromScoped(scoped, {
    dependsOn: [Base],
    recovery: {
      fallback: (token, error) => {
        expect(token).type.toBe<Token>()
        expect(error).type.toBe<CleanupError.ReleaseError<ResourceGuard.FinalizersFailed>>()
        return revoke(token)
      }
    }
  })).type.toBe<
    Effect.Effect<
      ResourceGuard.ResourceGuard<Token, ResourceGuard.FinalizersFailed>,
      FetchError | Shutdown | CleanupError.UnknownDependency,
      Env1 | Env2 | Scope.Scope | Registry
    >
  >()
  expect(ResourceGuard.fromScoped).type.not.toBeCallableWith(scoped, { interruptible: true })
})
