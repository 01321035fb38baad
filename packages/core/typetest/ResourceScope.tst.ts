import { type CleanupReport, ResourceScope } from "@patinox/core"
import { type Context, Effect, type Exit, type Layer, pipe, Scope } from "effect"
import { expect, test } from "tstyche"

interface A {
  readonly A: 1
}
interface B {
  readonly B: 1
}
declare const effect: Effect.Effect<number, "failed", A | B | Scope.Scope>
declare const layer: Layer.Layer<A, "not built", "needed">

test("a ResourceScope is a scope that can be closed", () => {
  expect(ResourceScope.make()).type.toBe<Effect.Effect<ResourceScope.ResourceScope>>()
  expect<ResourceScope.ResourceScope>().type.toBeAssignableTo<Scope.CloseableScope>()
  expect<Scope.CloseableScope>().type.not.toBeAssignableTo<ResourceScope.ResourceScope>()
})

test("scoped and withReport take the scope away, and leave the rest", () => {
  expect(ResourceScope.scoped(effect)).type.toBe<Effect.Effect<number, "failed", A | B>>()
  expect(pipe(effect, ResourceScope.scoped)).type.toBe<Effect.Effect<number, "failed", A | B>>()
  expect(ResourceScope.withReport(effect, { timeout: "5 seconds" })).type.toBe<
    Effect.Effect<readonly [Exit.Exit<number, "failed">, CleanupReport.CleanupReport], never, A | B>
  >()
})

test("build and provide are typed as those of Layer and Effect", () => {
  expect(ResourceScope.build(layer)).type.toBe<
    Effect.Effect<Context.Context<A>, "not built", "needed" | Scope.Scope>
  >()
  type Provided = Effect.Effect<number, "failed" | "not built", B | Scope.Scope | "needed">
  expect(ResourceScope.provide(effect, layer)).type.toBe<Provided>()
  expect(pipe(effect, ResourceScope.provide(layer, { order: "priority" }))).type.toBe<Provided>()
})

test("close takes scopes of ours only", () => {
  expect(ResourceScope.close).type.not.toBeCallableWith(Scope.make(), Effect.exit(Effect.void))
})
