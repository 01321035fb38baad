/** What Effect 4 does to a scope by hand, done to one of ours. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceScope } from "@patinox/core"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"

const turns = Effect.gen(function*() {
  for (let i = 0; i < 5; i++) yield* Effect.yieldNow
})

class Part extends Context.Service<Part, string>()("app/Part") {}
class Whole extends Context.Service<Whole, string>()("app/Whole") {}

describe("a ResourceScope in the hands of Effect 4", () => {
  it.effect("a second plain close waits for the first, as does closeUnsafe", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const scope = yield* ResourceScope.make()
      yield* Scope.addFinalizer(scope, Deferred.await(gate))
      yield* Scope.addFinalizer(scope, Effect.void)
      const first = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* turns
      const second = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      const third = yield* Effect.forkChild(Scope.closeUnsafe(scope, Exit.void) ?? Effect.void)
      yield* turns
      expect([first, second, third].map((fiber) => fiber.pollUnsafe())).toEqual([undefined, undefined, undefined])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.joinAll([first, second, third])
      expect(scope.state._tag).toBe("Closed")
      expect(Scope.closeUnsafe(scope, Exit.void)).toBe(undefined)
    }))

  it.effect("while it closes, what is added runs before who adds it goes on, and a scope that is forked is closed", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const late = yield* Deferred.make<void>()
      const scope = yield* ResourceScope.make()
      yield* Scope.addFinalizer(scope, Deferred.await(gate))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.fail("why")))
      yield* turns
      const seen: Array<unknown> = []
      const adding = yield* Effect.forkChild(Effect.andThen(
        Scope.addFinalizerExit(
          scope,
          (exit) => Effect.andThen(Deferred.await(late), Effect.sync(() => seen.push(exit)))
        ),
        Effect.sync(() => seen.push("added"))
      ))
      yield* turns
      expect(seen).toEqual([])
      yield* Deferred.succeed(late, undefined)
      yield* Fiber.join(adding)
      expect(seen).toEqual([Exit.fail("why"), "added"])
      const child = yield* Scope.fork(scope)
      expect([ResourceScope.isResourceScope(child), child.state._tag]).toEqual([true, "Closed"])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
    }))

  it.effect("a scope that Effect forks from it is one, too", () =>
    Effect.gen(function*() {
      const scope = yield* ResourceScope.make()
      const child = Scope.forkUnsafe(scope, "parallel")
      expect(ResourceScope.isWithin(child, scope)).toBe(true)
      yield* Scope.addFinalizer(child, Effect.die("refused"))
      const report = yield* ResourceScope.close(scope, Exit.void)
      expect(report.records.map(({ outcome }) => outcome)).toEqual(["failed"])
    }).pipe(Effect.provide(Logger.layer([]))))

  it.live("limits and names reach through Layer.fresh", () =>
    Effect.gen(function*() {
      const released: Array<string> = []
      const part = Layer.effect(
        Part,
        Effect.acquireRelease(Effect.succeed("part"), () => Effect.sync(() => released.push("part")))
      )
      const whole = Layer.effect(Whole, Effect.andThen(Effect.addFinalizer(() => Effect.never), Part))
      const layer = Layer.fresh(Layer.provideMerge(whole, part))
      const scope = yield* ResourceScope.make({ finalizerTimeout: "20 millis" })
      yield* Scope.provide(ResourceScope.build(layer), scope)
      const report = yield* ResourceScope.close(scope, Exit.void)
      expect(report.records.map(({ outcome, typeName }) => `${typeName} ${outcome}`).sort()).toEqual([
        "app/Part cleaned",
        "app/Whole abandoned"
      ])
      expect(released).toEqual(["part"])
    }).pipe(Effect.provide(Logger.layer([]))))

  it("ten thousand finalizers, and as many that yield, close in one call", () => {
    let ran = 0
    const finalizer = Effect.andThen(Effect.yieldNow, Effect.sync(() => ran++))
    Effect.runSync(ResourceScope.scoped(Effect.forEach(
      Array.from({ length: 10_000 }, (_, n) => n),
      (n) => Effect.addFinalizer(() => n % 2 === 0 ? finalizer : Effect.sync(() => ran++)),
      { discard: true }
    )))
    expect(ran).toBe(10_000)
  })
})
