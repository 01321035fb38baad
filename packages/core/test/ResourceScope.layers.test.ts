/**
 * Layers built into a ResourceScope: the limits reach inside them, and what they share lives for as long as it is used.
 * Shows `LayerMemoMap`.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberRef,
  Layer,
  Logger,
  ManagedRuntime,
  Scope,
  TestClock
} from "effect"
import { ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"

class A extends Context.Tag("app/A")<A, string>() {}
class B extends Context.Tag("app/B")<B, string>() {}
class C extends Context.Tag("app/C")<C, string>() {}

const silent = Effect.provide(Logger.remove(Logger.defaultLogger))

/** Layers that note what they do. */
const parts = (release: Partial<Record<"a" | "b" | "c", Effect.Effect<unknown>>> = {}) => {
  const log: Array<string> = []
  const part = <I, S extends string>(tag: Context.Tag<I, S>, name: "a" | "b" | "c") =>
    Layer.scoped(
      tag,
      Effect.acquireRelease(
        Effect.sync(() => {
          log.push(`+${name}`)
          return name as unknown as S
        }),
        () => Effect.andThen(release[name] ?? Effect.void, Effect.sync(() => log.push(`-${name}`)))
      )
    )
  const a = part(A, "a")
  const on = <I, E>(layer: Layer.Layer<I, E>) => Layer.provide(Layer.unwrapEffect(Effect.as(A, layer)), a)
  return { log, a, b: on(part(B, "b")), c: on(part(C, "c")) }
}

describe("layers in a ResourceScope", () => {
  it.effect("share a dependency, which is released once, after both", () =>
    Effect.gen(function*() {
      const { b, c, log } = parts()
      expect(yield* ResourceScope.provide(Effect.all([B, C]), Layer.merge(b, c))).toEqual(["b", "c"])
      expect(log.filter((line) => line === "+a")).toEqual(["+a"])
      expect(log[0]).toBe("+a")
      expect(log.at(-1)).toBe("-a")
      expect(log.length).toBe(6)
    }))

  it.effect("layers in a ResourceScope are released side by side where they do not depend on each other", () =>
    Effect.gen(function*() {
      const both = yield* Deferred.make<void>()
      let running = 0
      const meet = Effect.suspend(() => ++running === 2 ? Deferred.succeed(both, undefined) : Deferred.await(both))
      const { b, c, log } = parts({ b: meet, c: meet })
      yield* ResourceScope.provide(Effect.all([B, C]), Layer.merge(b, c))
      expect(log.at(-1)).toBe("-a")
    }))

  it.effect("layers in a ResourceScope that hang are let go and named, and what they depend on is still released, after them", () =>
    Effect.gen(function*() {
      const { b, c, log } = parts({ b: Effect.never })
      const program = Effect.andThen(ResourceScope.build(Layer.merge(b, c)), Effect.sync(() => log.push("used")))
      const fiber = yield* Effect.fork(ResourceScope.withReport(program, { finalizerTimeout: "3 seconds" }))
      yield* TestClock.adjust("2999 millis")
      expect(log.slice(3)).toEqual(["used", "-c"])
      yield* TestClock.adjust("1 millis")
      const [, report] = yield* Fiber.join(fiber)
      expect(log.slice(3)).toEqual(["used", "-c", "-a"])
      expect(report.records.map(({ outcome, typeName }) => `${typeName} ${outcome}`).sort()).toEqual([
        "app/A cleaned",
        "app/B abandoned",
        "app/C cleaned"
      ])
    }).pipe(silent))

  it.effect("layers in a ResourceScope are all released by the deadline, though nothing in front of them ends", () =>
    Effect.gen(function*() {
      const { b, c, log } = parts({ b: Effect.never, c: Effect.never })
      const fiber = yield* Effect.fork(ResourceScope.provide(Effect.void, Layer.merge(b, c), {
        timeout: "10 seconds",
        finalizerTimeout: "1 hour"
      }))
      yield* TestClock.adjust("8 seconds")
      expect(log.at(-1)).toBe("-a")
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(fiber)
    }).pipe(silent))

  it.effect("layers in a ResourceScope that throw or die keep nothing else from being released, and nothing from the caller", () =>
    Effect.gen(function*() {
      const { b, c, log } = parts({ c: Effect.die("a defect") })
      const thrower = Layer.scopedDiscard(Effect.flatMap(Scope.Scope, (scope) =>
        Scope.addFinalizerExit(scope, () => {
          throw new Error("before an effect")
        })))
      const program = Effect.andThen(Effect.all([B, C]), Effect.fail("typed" as const))
      const exit = yield* Effect.exit(ResourceScope.provide(program, Layer.mergeAll(b, c, thrower)))
      expect(exit).toEqual(Exit.fail("typed"))
      expect(log.at(-1)).toBe("-a")
      expect(log).toContain("-b")
    }).pipe(silent))

  it.effect("layers in a ResourceScope made of guards are found as guards, under their own limits", () =>
    Effect.gen(function*() {
      const guarded = ResourceGuard.layer(A, Effect.succeed("a"), () => Effect.never, {
        timeout: "2 seconds",
        attemptTimeout: "2 seconds",
        recovery: { strategy: () => "Fail" }
      })
      const fiber = yield* Effect.fork(ResourceScope.withReport(ResourceScope.build(guarded)))
      yield* TestClock.adjust("2 seconds")
      const [, report] = yield* Fiber.join(fiber)
      expect(report.records.map(({ outcome, typeName }) => [typeName, outcome])).toEqual([["app/A", "abandoned"]])
    }).pipe(Effect.provide(ResourceRegistry.layer), silent))

  it.effect("layers in a ResourceScope built by one and used by another stay while anybody holds them (a second instance in a plain scope)", () =>
    Effect.gen(function*() {
      const { a, log } = parts()
      const memoMap = yield* ResourceScope.makeMemoMap()
      const [first, second, third] = yield* Effect.all([
        ResourceScope.make(),
        ResourceScope.make(),
        Scope.make()
      ])
      yield* Layer.buildWithMemoMap(a, memoMap, first)
      yield* Layer.buildWithMemoMap(a, memoMap, second)
      yield* Scope.close(first, Exit.void)
      expect(log).toEqual(["+a"])
      yield* Layer.buildWithMemoMap(a, memoMap, third)
      yield* Scope.close(second, Exit.void)
      expect(log).toEqual(["+a"])
      yield* Scope.close(third, Exit.void)
      expect(log).toEqual(["+a", "-a"])
      yield* Effect.scoped(
        Layer.build(a).pipe(() => Effect.flatMap(Scope.Scope, (scope) => Layer.buildWithMemoMap(a, memoMap, scope)))
      )
      expect(log).toEqual(["+a", "-a", "+a", "-a"])
    }))

  it.effect("layers in a ResourceScope whose first owner closes while another waits for them to be built are kept for that one", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const log: Array<string> = []
      const slow = Layer.scoped(
        A,
        Effect.acquireRelease(Effect.as(Deferred.await(gate), "a"), () => Effect.sync(() => log.push("-a")))
      )
      const memoMap = yield* ResourceScope.makeMemoMap()
      const first = yield* ResourceScope.make()
      const second = yield* ResourceScope.make()
      const building = yield* Effect.fork(
        Effect.andThen(Layer.buildWithMemoMap(slow, memoMap, first), Scope.close(first, Exit.void))
      )
      yield* Effect.yieldNow()
      const waiting = yield* Effect.fork(Layer.buildWithMemoMap(slow, memoMap, second))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(building)
      yield* Fiber.join(waiting)
      expect(log).toEqual([])
      yield* Scope.close(second, Exit.void)
      expect(log).toEqual(["-a"])
    }))

  it.effect("layers in a ResourceScope are not held by who was interrupted while waiting for them", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const log: Array<string> = []
      const slow = Layer.scoped(
        A,
        Effect.acquireRelease(Effect.as(Deferred.await(gate), "a"), () => Effect.sync(() => log.push("-a")))
      )
      const memoMap = yield* ResourceScope.makeMemoMap()
      const [first, second] = yield* Effect.all([ResourceScope.make(), ResourceScope.make()])
      const building = yield* Effect.fork(Layer.buildWithMemoMap(slow, memoMap, first))
      yield* Effect.yieldNow()
      const waiting = yield* Effect.fork(Layer.buildWithMemoMap(slow, memoMap, second))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(waiting)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(building)
      yield* Scope.close(first, Exit.void)
      expect(log).toEqual(["-a"])
    }))

  it.effect("layers in a ResourceScope built into a scope that is closed are released at once", () =>
    Effect.gen(function*() {
      const { a, log } = parts()
      const scope = yield* ResourceScope.make()
      yield* Scope.close(scope, Exit.void)
      yield* Scope.extend(ResourceScope.build(a), scope)
      expect(log).toEqual(["+a", "-a"])
    }))

  it.effect("set FiberRefs for each who uses them, as in a plain scope", () =>
    Effect.gen(function*() {
      const setting = yield* FiberRef.make("outer")
      const layer = Layer.scopedDiscard(Effect.locallyScoped(setting, "inner"))
      const memoMap = yield* ResourceScope.makeMemoMap()
      const scope = yield* ResourceScope.make()
      const read = Effect.andThen(Layer.buildWithMemoMap(layer, memoMap, scope), FiberRef.get(setting))
      const fibers = yield* Effect.all([Effect.fork(read), Effect.fork(read)])
      expect(yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))).toEqual(["inner", "inner"])
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.scoped))

  it.effect("layers in a ResourceScope that were interrupted while being built are built anew for the next", () =>
    Effect.gen(function*() {
      const memoMap = yield* ResourceScope.makeMemoMap()
      let builds = 0
      const layer = Layer.effect(A, Effect.suspend(() => ++builds === 1 ? Effect.never : Effect.succeed("a")))
      const scope = yield* ResourceScope.make()
      const building = yield* Effect.fork(Layer.buildWithMemoMap(layer, memoMap, scope))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(building)
      const context = yield* Layer.buildWithMemoMap(layer, memoMap, scope)
      expect(Context.get(context, A)).toBe("a")
    }))

  it.effect("layers in a ResourceScope whose builder is interrupted are built anew by who waits for them", () =>
    Effect.gen(function*() {
      const memoMap = yield* ResourceScope.makeMemoMap()
      let builds = 0
      const layer = Layer.effect(A, Effect.suspend(() => ++builds === 1 ? Effect.never : Effect.succeed("a")))
      const build = Effect.flatMap(ResourceScope.make(), (scope) => Layer.buildWithMemoMap(layer, memoMap, scope))
      const first = yield* Effect.fork(build)
      yield* Effect.yieldNow()
      const second = yield* Effect.fork(build)
      const third = yield* Effect.fork(build)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(first)
      for (const fiber of [second, third]) expect(Context.get(yield* Fiber.join(fiber), A)).toBe("a")
      expect(builds).toBe(2)
    }))

  it.effect("layers in a ResourceScope that are being built when the scope closes are released as far as they are built, and the rest later", () =>
    Effect.gen(function*() {
      const { a, log } = parts()
      const gate = yield* Deferred.make<void>()
      const slow = Layer.scoped(
        B,
        Effect.acquireRelease(
          Effect.as(Effect.andThen(A, Deferred.await(gate)), "b"),
          () => Effect.sync(() => log.push("-b"))
        )
      )
      const scope = yield* ResourceScope.make()
      const building = yield* Effect.fork(
        Scope.extend(ResourceScope.build(Layer.provide(slow, a)), scope)
      )
      yield* Effect.yieldNow()
      const report = yield* ResourceScope.close(scope, Exit.void)
      expect(report.totals).toMatchObject({ total: 1, cleaned: 1 })
      expect(log).toEqual(["+a", "-a"])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.await(building)
      expect(log).toEqual(["+a", "-a", "-b"])
    }))

  it.effect("layers in a ResourceScope that fail release what was built before, with limits, and the failure stays typed", () =>
    Effect.gen(function*() {
      const { a, log } = parts({ a: Effect.never })
      const failing = Layer.provide(Layer.effect(B, Effect.flatMap(A, () => Effect.fail("no" as const))), a)
      const fiber = yield* Effect.fork(Effect.exit(ResourceScope.provide(B, failing, { finalizerTimeout: "1 second" })))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toEqual(Exit.fail("no"))
      expect(log).toEqual(["+a"])
    }).pipe(silent))

  it.effect("layers in a ResourceScope behind Layer.fresh are built apart, and bounded too", () =>
    Effect.gen(function*() {
      const { a, b, log } = parts({ a: Effect.never })
      const fiber = yield* Effect.fork(ResourceScope.withReport(
        ResourceScope.build(Layer.merge(Layer.fresh(b), a)),
        { finalizerTimeout: "1 second" }
      ))
      yield* TestClock.adjust("1 second")
      const [, report] = yield* Fiber.join(fiber)
      expect(log.filter((line) => line === "+a").length).toBe(2)
      expect(report.totals).toMatchObject({ abandoned: 2, cleaned: 1 })
    }).pipe(silent))

  it.effect("layers in a ResourceScope in the scope of a plain one are bounded from the inside", () =>
    Effect.gen(function*() {
      const { b, c, log } = parts({ b: Effect.never })
      const fiber = yield* Effect.fork(Effect.scoped(ResourceScope.build(Layer.merge(b, c))))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      expect(log.at(-1)).toBe("-a")
    }).pipe(silent))

  it("layers in a ResourceScope of a ManagedRuntime with our memo map are bounded", async () => {
    const { b, log } = parts({ b: Effect.never })
    const memoMap = Effect.runSync(ResourceScope.makeMemoMap({ finalizerTimeout: "20 millis" }))
    const runtime = ManagedRuntime.make(Layer.provideMerge(b, Logger.remove(Logger.defaultLogger)), memoMap)
    expect(await runtime.runPromise(B)).toBe("b")
    await runtime.dispose()
    expect(log).toEqual(["+a", "+b", "-a"])
  })
})
