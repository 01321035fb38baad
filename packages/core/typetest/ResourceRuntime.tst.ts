import { type CleanupReport, ResourceRuntime, ResourceScope } from "@patinox/core"
import { type Effect, type Exit, type Fiber, type Layer, ManagedRuntime, type Runtime, type Scope } from "effect"
import { expect, test } from "tstyche"

interface A {
  readonly A: 1
}
interface B {
  readonly B: 1
}
type Disposed = ResourceRuntime.RuntimeDisposed
declare const layer: Layer.Layer<A, "not built">
declare const unmet: Layer.Layer<A, never, B>
declare const effect: Effect.Effect<number, "failed", A>
declare const runtime: ResourceRuntime.ResourceRuntime<A, "not built" | Disposed>

test("make takes a layer that needs nothing, and adds RuntimeDisposed to what it may fail with", () => {
  expect(ResourceRuntime.make(layer)).type.toBe<ResourceRuntime.ResourceRuntime<A, "not built" | Disposed>>()
  expect(ResourceRuntime.make).type.toBeCallableWith(layer, { timeout: "5 seconds", name: "app" })
  expect(ResourceRuntime.make).type.not.toBeCallableWith(unmet)
  expect(ResourceRuntime.make).type.not.toBeCallableWith(layer, { timeout: "5 apples" })
})

test("each way to run has the errors of the effect and of the layer", () => {
  expect(runtime.runFork(effect)).type.toBe<Fiber.RuntimeFiber<number, "failed" | "not built" | Disposed>>()
  expect(runtime.runSync(effect)).type.toBe<number>()
  expect(runtime.runSyncExit(effect)).type.toBe<Exit.Exit<number, "failed" | "not built" | Disposed>>()
  expect(runtime.runPromise(effect)).type.toBe<Promise<number>>()
  expect(runtime.runPromiseExit(effect)).type.toBe<Promise<Exit.Exit<number, "failed" | "not built" | Disposed>>>()
  expect(runtime.runCallback(effect)).type.toBe<Runtime.Cancel<number, "failed" | "not built" | Disposed>>()
  expect(runtime.runtime()).type.toBe<Promise<Runtime.Runtime<A>>>()
  expect(runtime.runtimeEffect).type.toBe<Effect.Effect<Runtime.Runtime<A>, "not built" | Disposed>>()
})

test("a run may need no more than the layer gives", () => {
  expect(runtime.runSync).type.not.toBeCallableWith({} as Effect.Effect<number, never, A | B>)
  expect(runtime.runSync).type.toBeCallableWith({} as Effect.Effect<number>)
})

test("a dispose gives the report, and a runtime can be used with `await using`", () => {
  expect(runtime.dispose()).type.toBe<Promise<CleanupReport.CleanupReport>>()
  expect(runtime.disposeEffect).type.toBe<Effect.Effect<CleanupReport.CleanupReport>>()
  expect(runtime).type.toBeAssignableTo<AsyncDisposable>()
})

test("its scope takes finalizers and fibers, and is closed by a dispose only", () => {
  expect(runtime.scope).type.toBe<Scope.Scope>()
  expect(runtime.scope).type.not.toBeAssignableTo<Scope.CloseableScope>()
  if (ResourceScope.isResourceScope(runtime.scope)) {
    expect(runtime.scope.report).type.toBe<CleanupReport.CleanupReport | undefined>()
  }
})

test("runs are those of a ManagedRuntime; it is no Effect", () => {
  type Run = "runCallback" | "runFork" | "runPromise" | "runPromiseExit" | "runSync" | "runSyncExit" | "runtime"
  expect(runtime).type.toBeAssignableTo<Pick<ManagedRuntime.ManagedRuntime<A, "not built" | Disposed>, Run>>()
  expect(ManagedRuntime.make(layer)).type.toBeAssignableTo<Effect.Effect<unknown, unknown>>()
  expect(runtime).type.not.toBeAssignableTo<Effect.Effect<unknown, unknown>>()
})

test("what it has and may fail with can be named", () => {
  expect<ResourceRuntime.Context<typeof runtime>>().type.toBe<A>()
  expect<ResourceRuntime.Error<typeof runtime>>().type.toBe<"not built" | Disposed>()
})
