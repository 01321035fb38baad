import { type CleanupError, ResourceGuard, type ResourceRegistry } from "@patinox/core"
import { Context, Data, Effect, type Scope } from "effect"
import { expect, test } from "tstyche"

class OpenError extends Data.TaggedError("OpenError")<{}> {}
class CloseError extends Data.TaggedError("CloseError")<{ readonly code: number }> {}
interface Env1 {
  readonly Env1: 1
}
interface Env2 {
  readonly Env2: 1
}
interface Env3 {
  readonly Env3: 1
}
class File implements AsyncDisposable {
  readonly fd = 1
  async [Symbol.asyncDispose]() {}
}
class DbTag extends Context.Tag("Db")<DbTag, File>() {}
type Env = Scope.Scope | ResourceRegistry.ResourceRegistry
type Shutdown = CleanupError.RegistryShuttingDown

declare const open: Effect.Effect<File, OpenError, Env1>
declare const lock: Effect.Effect<Disposable>
declare const close: (file: File) => Effect.Effect<void, CloseError, Env2>
declare const destroy: (file: File) => Effect.Effect<void, never, Env3>
declare const guard: ResourceGuard.ResourceGuard<File, CloseError>

test("fromDisposable takes what can be disposed of, and its release may fail with anything", () => {
  expect(ResourceGuard.fromDisposable(open)).type.toBe<
    Effect.Effect<ResourceGuard.ResourceGuard<File, unknown>, OpenError | Shutdown, Env1 | Env>
  >()
  expect(ResourceGuard.fromDisposable(lock)).type.toBe<
    Effect.Effect<ResourceGuard.ResourceGuard<Disposable, unknown>, Shutdown, Env>
  >()
  expect(ResourceGuard.fromDisposable).type.not.toBeCallableWith(Effect.succeed({ close: () => {} }))
})

test("fromDisposable infers from its options", () => {
  expect(ResourceGuard.fromDisposable(open, {
    dependsOn: [DbTag],
    recovery: {
      fallback: (file, error) => {
        expect(file).type.toBe<File>()
        expect(error).type.toBe<CleanupError.ReleaseError<unknown>>()
        return destroy(file)
      }
    }
  })).type.toBe<
    Effect.Effect<
      ResourceGuard.ResourceGuard<File, unknown>,
      OpenError | Shutdown | CleanupError.UnknownDependency,
      Env1 | Env3 | Env
    >
  >()
})

test("toAsyncDisposable gives what `await using` takes, with the value", () => {
  expect(ResourceGuard.toAsyncDisposable(guard)).type.toBe<ResourceGuard.DisposableGuard<File>>()
  expect<ResourceGuard.DisposableGuard<File>>().type.toBeAssignableTo<AsyncDisposable>()
  expect<ResourceGuard.DisposableGuard<File>["value"]>().type.toBe<File>()
})

test("makeUnscoped needs no Scope, and gives a guard to use and to clean up", () => {
  expect(ResourceGuard.makeUnscoped(open, close, { recovery: { fallback: destroy }, onCollected: "cleanup" })).type
    .toBe<
      Effect.Effect<
        ResourceGuard.UnscopedGuard<File, CloseError>,
        OpenError | Shutdown,
        Env1 | Env2 | Env3 | ResourceRegistry.ResourceRegistry
      >
    >()
  type Unscoped = ResourceGuard.UnscopedGuard<File, CloseError>
  expect<Unscoped["cleanup"]>().type.toBe<Effect.Effect<void, CleanupError.CleanupError<CloseError>>>()
  expect<keyof Unscoped>().type.toBe<"id" | "info" | "state" | "use" | "cleanup">()
  expect(ResourceGuard.makeUnscoped(open, close, { dependsOn: [DbTag] })).type.toBe<
    Effect.Effect<
      Unscoped,
      OpenError | Shutdown | CleanupError.UnknownDependency,
      Env1 | Env2 | ResourceRegistry.ResourceRegistry
    >
  >()
})

test("makeUnscoped has no option for the close of a Scope", () => {
  expect(ResourceGuard.makeUnscoped).type.not.toBeCallableWith(open, close, { close: "background" })
  expect(ResourceGuard.makeUnscoped).type.not.toBeCallableWith(open, close, { onFailure: "die" })
  expect(ResourceGuard.makeUnscoped).type.not.toBeCallableWith(open, close, { onCollected: "ignore" })
})
