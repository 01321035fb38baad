import { describe, expect, it } from "@effect/vitest"
import { TestLog } from "@patinox/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Schedule, Scope, TestClock } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
class First extends Context.Tag("First")<First, object>() {}
class Second extends Context.Tag("Second")<Second, object>() {}

const withRegistry = Effect.provide(ResourceRegistry.layerTest)

/** A guard of a Tag, in a scope that stays open. */
const tagged = <I>(tag: Context.Tag<I, object>, dependsOn: ResourceGuard.Dependencies, typeName: string) =>
  Effect.map(
    Effect.flatMap(Scope.make(), (scope) =>
      Layer.buildWithScope(
        ResourceGuard.layer(tag, Effect.sync(() => ({})), () => Effect.void, { dependsOn, typeName }),
        scope
      )),
    (context) => Context.get(context, tag)
  )

const refreshable = (
  dependsOn: ResourceGuard.Dependencies,
  typeName: string,
  acquire: Effect.Effect<string> = Effect.succeed("value")
) => ResourceGuard.refreshable(acquire, () => Effect.void, { dependsOn, typeName })

/** Everything can still be cleaned up, within its limits, and nothing is left. */
const ends = Effect.gen(function*() {
  const r = yield* registry
  const report = yield* r.shutdown
  expect(report.deadlineReached).toBe(false)
  expect(report.totals.cleaned).toBe(report.totals.total)
  expect((yield* r.accounts).live).toBe(0)
})

const circular = { _tag: "UnknownDependency", reason: "circular" }

describe("a refresh makes no circle of dependencies", () => {
  it.effect("a refresh makes no circle of dependencies where a Tag now means what depends on it", () =>
    Effect.gen(function*() {
      yield* tagged(First, [], "first 1")
      let acquired = 0
      const token = yield* refreshable([First], "token", Effect.sync(() => String(++acquired)))
      const id = token.id
      yield* tagged(First, [token], "first 2")
      expect(yield* Effect.flip(token.refresh)).toMatchObject(circular)
      expect(yield* token.snapshot).toMatchObject({ id, state: "inUse", refreshes: 0, failures: 1 })
      expect(acquired).toBe(1)
      yield* ends
    }).pipe(Effect.scoped, withRegistry))

  it.effect("a refresh makes no circle of dependencies over any number of steps", () =>
    Effect.gen(function*() {
      yield* tagged(First, [], "first 1")
      const token = yield* refreshable([First], "token")
      let last: ResourceGuard.Dependency = token
      for (let i = 0; i < 20; i++) {
        last = yield* ResourceGuard.make(Effect.void, () => Effect.void, { dependsOn: [last] })
      }
      yield* tagged(First, [last], "first 2")
      expect(yield* Effect.flip(token.refresh)).toMatchObject(circular)
      yield* ends
    }).pipe(Effect.scoped, withRegistry))

  it.effect("a refresh makes no circle of dependencies over other refreshables, which have been refreshed meanwhile", () =>
    Effect.gen(function*() {
      yield* tagged(First, [], "first 1")
      const token = yield* refreshable([First], "token")
      const other = yield* refreshable([token], "other")
      yield* other.refresh
      yield* tagged(First, [other], "first 2")
      yield* other.refresh
      expect(yield* Effect.flip(token.refresh)).toMatchObject(circular)
      yield* ends
    }).pipe(Effect.scoped, withRegistry))

  it.effect("a refresh makes no circle of dependencies where two refresh at once, each of which is fine by itself", () =>
    Effect.gen(function*() {
      yield* tagged(First, [], "first")
      yield* tagged(Second, [], "second")
      const gate = yield* Deferred.make<void>()
      let isFirst = true
      const acquire = Effect.suspend(() => isFirst ? Effect.succeed("one") : Effect.as(Deferred.await(gate), "two"))
      const a = yield* refreshable([Second], "a", acquire)
      const b = yield* refreshable([First], "b", acquire)
      // From now on First is what depends on `a`, and Second what depends on `b`.
      yield* tagged(First, [a], "of a")
      isFirst = false
      const refreshing = yield* Effect.fork(Effect.exit(b.refresh))
      yield* Effect.yieldNow()
      yield* tagged(Second, [b], "of b")
      const other = yield* Effect.fork(Effect.exit(a.refresh))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, undefined)
      const exits = [yield* Fiber.join(refreshing), yield* Fiber.join(other)]
      expect(exits.filter(Exit.isSuccess)).toHaveLength(1)
      yield* ends
    }).pipe(Effect.scoped, withRegistry))

  it.effect("a refresh makes no circle of dependencies on a schedule: it is told, the value stays, and the refreshing goes on", () => {
    const { layer, messages: lines } = TestLog.make()
    return Effect.gen(function*() {
      yield* tagged(First, [], "first 1")
      const token = yield* ResourceGuard.refreshable(Effect.succeed("value"), () => Effect.void, {
        dependsOn: [First],
        typeName: "token",
        schedule: Schedule.spaced("1 minutes")
      })
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(
        ResourceGuard.layer(First, Effect.sync(() => ({})), () => Effect.void, { dependsOn: [token] }),
        scope
      )
      yield* TestClock.adjust("2 minutes")
      expect(yield* token.snapshot).toMatchObject({ refreshes: 0, failures: 2 })
      expect(lines).toHaveLength(2)
      expect(lines[0]).toContain("The refresh of token")
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("1 minutes")
      expect(yield* token.snapshot).toMatchObject({ refreshes: 1, failures: 0 })
      yield* ends
    }).pipe(
      Effect.scoped,
      withRegistry,
      Effect.provide(layer)
    )
  })

  it.effect("a refresh makes no circle of dependencies of what depends on its own Tag: that is another service's, and never its own", () => {
    class Token extends Context.Tag("Token")<
      Token,
      ResourceGuard.Refreshable<string, ResourceGuard.DependencyError<[unknown]>>
    >() {}
    return Effect.gen(function*() {
      yield* Effect.flatMap(
        Scope.make(),
        (scope) =>
          Layer.buildWithScope(ResourceGuard.layerRefreshable(Token, Effect.succeed("outer"), () => Effect.void), scope)
      )
      const inner = yield* Effect.flatMap(Scope.make(), (scope) =>
        Layer.buildWithScope(
          ResourceGuard.layerRefreshable(Token, Effect.succeed("inner"), () => Effect.void, { dependsOn: [Token] }),
          scope
        ))
      const token = Context.get(inner, Token)
      yield* token.refresh
      yield* token.refresh
      expect(yield* token.snapshot).toMatchObject({ refreshes: 2, failures: 0 })
      yield* ends
    }).pipe(withRegistry)
  })

  it.effect("a refresh makes no circle of dependencies over guards that were moved to another scope", () =>
    Effect.gen(function*() {
      yield* tagged(First, [], "first 1")
      const token = yield* refreshable([First], "token")
      const between = yield* ResourceGuard.make(Effect.void, () => Effect.void, { dependsOn: [token] })
      const scope = yield* Scope.make()
      yield* between.transferTo(scope)
      yield* tagged(First, [between], "first 2")
      expect(yield* Effect.flip(token.refresh)).toMatchObject(circular)
      yield* Scope.close(scope, Exit.void)
      yield* token.refresh
      yield* ends
    }).pipe(Effect.scoped, withRegistry))
})
