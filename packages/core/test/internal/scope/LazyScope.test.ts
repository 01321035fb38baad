import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { ResourceScope } from "../../../src/index.js"
import { LazyScope } from "../../../src/internal/scope/LazyScope.js"

const counted = () => {
  let made = 0
  const make = Effect.tap(ResourceScope.make(), () => Effect.sync(() => made++))
  return { scope: new LazyScope(make), made: () => made }
}

describe("a lazy scope", () => {
  it.effect("a lazy scope is made for the first that puts something there, and once", () =>
    Effect.gen(function*() {
      const { made, scope } = counted()
      expect([scope.isEmpty, made()]).toEqual([true, 0])
      const order: Array<string> = []
      yield* Scope.addFinalizer(scope, Effect.sync(() => order.push("first")))
      yield* Scope.addFinalizer(scope, Effect.sync(() => order.push("second")))
      const child = yield* Scope.fork(scope, scope.strategy)
      yield* Scope.addFinalizer(child, Effect.sync(() => order.push("child")))
      expect([scope.isEmpty, made()]).toEqual([false, 1])
      const report = yield* scope.close(Exit.void)
      expect(order).toEqual(["child", "second", "first"])
      expect(report.totals.cleaned).toBe(3)
      expect(scope.isEmpty).toBe(true)
    }))

  it.effect("runs at once what is added after its end, whether or not there was anything in it", () =>
    Effect.gen(function*() {
      const late: Array<string> = []
      const ends: ReadonlyArray<readonly [string, (scope: LazyScope) => Effect.Effect<unknown>]> = [
        ["never used", (scope) => Effect.sync(() => scope.end())],
        ["empty again", (scope) =>
          Effect.gen(function*() {
            const child = yield* Scope.fork(scope, scope.strategy)
            yield* Scope.close(child, Exit.void)
            scope.end()
          })],
        ["closed", (scope) => Effect.andThen(Scope.addFinalizer(scope, Effect.void), scope.close(Exit.void))]
      ]
      for (const [name, end] of ends) {
        const { scope } = counted()
        yield* end(scope)
        expect(scope.isEmpty).toBe(true)
        yield* Scope.addFinalizer(scope, Effect.sync(() => late.push(name)))
      }
      expect(late).toEqual(["never used", "empty again", "closed"])
    }))

  it.effect("holds the fibers that are forked into it, until they end or it does", () =>
    Effect.gen(function*() {
      const { made, scope } = counted()
      const ended = yield* Deferred.make<void>()
      const stopped = yield* Deferred.make<void>()
      yield* Effect.forkIn(Effect.onInterrupt(Effect.never, () => Deferred.succeed(stopped, undefined)), scope)
      const brief = yield* Effect.forkIn(Deferred.await(ended), scope)
      expect([scope.isEmpty, made()]).toEqual([false, 1])
      yield* Deferred.succeed(ended, undefined)
      yield* Fiber.join(brief)
      const report = yield* scope.close(Exit.void)
      expect(yield* Deferred.isDone(stopped)).toBe(true)
      expect(report.totals.cleaned).toBe(1)
    }))

  it.effect("interrupts at once what is forked into it after its end", () =>
    Effect.gen(function*() {
      const { scope } = counted()
      scope.end()
      const fiber = yield* Effect.forkIn(Effect.never, scope)
      const exit = yield* Fiber.await(fiber)
      expect(Exit.isInterrupted(exit)).toBe(true)
    }))
})
