/** Shows `CallerContext` and `WaitGraph`. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const atConcurrency1 = Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 })))

/** Schedules a cleanup of one's own and waits for it. No clock moves meanwhile: it ends by itself or not at all. */
const run = <E>(cleanup: Effect.Effect<unknown, E, ResourceRegistry.ResourceRegistry>) =>
  Effect.gen(function*() {
    const r = yield* registry
    const scheduled = yield* r.schedule({ typeName: "outer", cleanup: Effect.provideService(cleanup, registry, r) })
    yield* scheduled.await
  })

describe("at concurrency 1, a cleanup may (P8)", () => {
  it.effect("at concurrency 1, a cleanup may use a guard (P8)", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      yield* run(
        ResourceGuard.use(
          Effect.succeed("tool"),
          (tool) => Effect.sync(() => order.push(`${tool} released`))
        )((tool) => Effect.sync(() => order.push(`${tool} used`)))
      )
      expect(order).toEqual(["tool used", "tool released"])
    }).pipe(atConcurrency1))

  it.effect("at concurrency 1, a cleanup may close a scope of guards, whose closes need no slot (P8)", () =>
    Effect.gen(function*() {
      const order: Array<number> = []
      yield* run(Effect.scoped(Effect.forEach(
        [1, 2, 3],
        (n) =>
          ResourceGuard.make(Effect.void, () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => order.push(n))))
      )))
      expect(order).toEqual([3, 2, 1])
    }).pipe(atConcurrency1))

  it.effect("at concurrency 1, a cleanup may interrupt a fiber which owns a guard, and wait for it (P8)", () =>
    Effect.gen(function*() {
      let released = false
      const owner = yield* Effect.fork(Effect.scoped(Effect.andThen(
        ResourceGuard.make(Effect.void, () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => released = true))),
        Effect.never
      )))
      yield* Effect.yieldNow()
      yield* run(Fiber.interrupt(owner))
      expect(released).toBe(true)
    }).pipe(atConcurrency1))

  for (const [when, step] of [["at once", Effect.void], ["later", Effect.yieldNow()]] as const) {
    it.effect(`at concurrency 1, a cleanup may clean up a guard whose release cleans up the first, ${when} (P8)`, () =>
      Effect.gen(function*() {
        const guards: Array<ResourceGuard.ResourceGuard<void>> = []
        const order: Array<string> = []
        const cleaning = (other: number, name: string) => () =>
          step.pipe(
            Effect.andThen(Effect.suspend(() => Effect.exit(guards[other]!.cleanup))),
            Effect.andThen(Effect.sync(() => order.push(name)))
          )
        guards.push(yield* ResourceGuard.make(Effect.void, cleaning(1, "first")))
        guards.push(yield* ResourceGuard.make(Effect.void, cleaning(0, "second")))
        yield* guards[0]!.cleanup
        expect(order).toEqual(["second", "first"])
      }).pipe(Effect.scoped, atConcurrency1))
  }

  it.effect("at concurrency 1, a cleanup may wait for a scheduled one, over three levels (P8)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<number> = []
      const nest = (level: number): Effect.Effect<unknown, any> =>
        level === 0
          ? Effect.sync(() => order.push(0))
          : Effect.flatMap(
            r.schedule({ typeName: `level ${level}`, cleanup: nest(level - 1) }),
            (inner) => Effect.andThen(inner.await, Effect.sync(() => order.push(level)))
          )
      yield* run(nest(3))
      expect(order).toEqual([0, 1, 2, 3])
    }).pipe(atConcurrency1))

  it.effect("at concurrency 1, a cleanup may wait for a fiber that waits for a scheduled one, and gives its slot back when slow (P8)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const asked = yield* Deferred.make<void>()
      let done = false
      const other = yield* Effect.fork(Effect.gen(function*() {
        yield* Deferred.await(asked)
        const inner = yield* r.schedule({ typeName: "inner", cleanup: Effect.void })
        yield* inner.await
      }))
      const outer = yield* Effect.fork(run(
        Effect.andThen(
          Deferred.succeed(asked, undefined),
          Effect.andThen(Fiber.join(other), Effect.sync(() => done = true))
        )
      ))
      yield* TestClock.adjust("999 millis")
      expect(done).toBe(false)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(outer)
      expect(done).toBe(true)
    }).pipe(atConcurrency1))

  it.effect("at concurrency 1, a cleanup may close the scope that is closing it (P8)", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      let ended = false
      yield* Scope.extend(
        ResourceGuard.make(
          Effect.void,
          () => Effect.andThen(Scope.close(scope, Exit.void), Effect.sync(() => ended = true))
        ),
        scope
      )
      yield* Scope.close(scope, Exit.void)
      expect(ended).toBe(true)
    }).pipe(atConcurrency1))

  it.effect("at concurrency 1, a cleanup may close its own scope when it was called for early (P8)", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const guard = yield* Scope.extend(
        ResourceGuard.make(Effect.void, () => Scope.close(scope, Exit.void)),
        scope
      )
      yield* guard.cleanup
      expect(yield* guard.state).toBe("cleaned")
    }).pipe(atConcurrency1))

  it.effect("at concurrency 1, a cleanup may call for its own cleanup: it gets AlreadyCleanedUp at once (P8)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const tags: Array<string> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const self: { guard?: ResourceGuard.Any } = {}
        const guard = yield* ResourceGuard.make(Effect.void, () =>
          Effect.gen(function*() {
            tags.push((yield* Effect.flip(self.guard!.cleanup))._tag)
            tags.push((yield* Effect.flip(r.cleanup(self.guard!.id)))._tag)
            const scheduled = yield* r.schedule({ resource: self.guard! })
            tags.push((yield* Effect.flip(scheduled.await))._tag)
          }))
        self.guard = guard
        yield* guard.cleanup
      }))
      expect(tags).toEqual(["AlreadyCleanedUp", "AlreadyCleanedUp", "AlreadyCleanedUp"])
    }).pipe(atConcurrency1))

  it.effect("at concurrency 1, a cleanup may call for that of what it depends on, which then waits for it no longer than it runs (P8)", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const base = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push("base")))
        const dependent = yield* ResourceGuard.make(
          Effect.void,
          () => Effect.andThen(base.cleanup, Effect.sync(() => order.push("dependent"))),
          { dependsOn: [base] }
        )
        yield* dependent.cleanup
      }))
      expect(order).toEqual(["base", "dependent"])
    }).pipe(atConcurrency1))

  it.effect("two cleanups at concurrency 1 may call for each other's: one of them sees the circle and goes on (P8)", () =>
    Effect.gen(function*() {
      const guards: Array<ResourceGuard.Any> = []
      const results: Array<string> = []
      const pair = (me: number, other: number) =>
        ResourceGuard.make(Effect.void, () =>
          Effect.andThen(
            Effect.yieldNow(),
            Effect.map(Effect.either(guards[other]!.cleanup), (result) => results.push(`${me} ${result._tag}`))
          ))
      yield* Effect.scoped(Effect.gen(function*() {
        guards.push(yield* pair(0, 1), yield* pair(1, 0))
        yield* Effect.all(guards.map((guard) => Effect.exit(guard.cleanup)), { concurrency: "unbounded" })
      }))
      expect(results).toHaveLength(2)
    }).pipe(atConcurrency1))

  it.effect("at concurrency 1, a cleanup may wait for the registry to be idle, all but itself (P8)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const order: Array<string> = []
      const outer = yield* r.schedule({
        typeName: "outer",
        cleanup: Effect.andThen(Effect.yieldNow(), Effect.andThen(r.awaitIdle, Effect.sync(() => order.push("outer"))))
      })
      yield* r.schedule({ typeName: "other", cleanup: Effect.sync(() => order.push("other")) })
      yield* outer.await
      expect(order).toEqual(["other", "outer"])
    }).pipe(atConcurrency1))

  it.effect("at concurrency 1, a cleanup may force the cleanup of everything, and shut the registry down (P8)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const totals: Array<number> = []
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.make(Effect.void, () => Effect.void)
        yield* run(Effect.gen(function*() {
          totals.push((yield* r.forceCleanupAll).totals.cleaned)
          totals.push((yield* r.shutdown).totals.cleaned)
        }))
      }))
      expect(totals).toEqual([1, 0])
      expect((yield* r.snapshot).phase).toBe("Closed")
    }).pipe(atConcurrency1))

  it.effect("at concurrency 1, a cleanup may wait for a cleanup in another registry, and gives its slot back in its own (P8)", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const other = yield* Effect.map(Layer.build(ResourceRegistry.layer), (context) => Context.get(context, registry))
      const gate = yield* Deferred.make<void>()
      const inner = yield* other.schedule({ typeName: "inner", cleanup: Deferred.await(gate) })
      const outer = yield* r.schedule({ typeName: "outer", cleanup: inner.await })
      // Ends at concurrency 1 only if the one that waits elsewhere needs no slot here.
      const next = yield* r.schedule({ typeName: "next", cleanup: Deferred.succeed(gate, undefined) })
      yield* next.await
      yield* outer.await
    }).pipe(Effect.scoped, atConcurrency1))

  it.effect("at concurrency 1, a cleanup may be nested a thousand deep (P8)", () =>
    Effect.gen(function*() {
      let deepest = 0
      const nest = (level: number): Effect.Effect<unknown, any, ResourceRegistry.ResourceRegistry> =>
        level === 1000
          ? Effect.void
          : Effect.scoped(ResourceGuard.make(Effect.void, () => {
            deepest = level
            return nest(level + 1)
          }))
      yield* nest(0)
      expect(deepest).toBe(999)
    }).pipe(atConcurrency1))
})

describe("a fiber that inherits the marker of an ended cleanup", () => {
  it.effect("a fiber that inherits the marker of an ended cleanup waits as any other", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      const idle = yield* Deferred.make<void>()
      // Forked inside a cleanup, and outlives it.
      yield* run(Effect.forkDaemon(
        Effect.andThen(Deferred.await(gate), Effect.andThen(r.awaitIdle, Deferred.succeed(idle, undefined)))
      ))
      const letGo = yield* Deferred.make<void>()
      yield* r.schedule({ typeName: "running", cleanup: Deferred.await(letGo) })
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.repeatN(Effect.yieldNow(), 5)
      expect(yield* Deferred.isDone(idle)).toBe(false)
      yield* Deferred.succeed(letGo, undefined)
      yield* Deferred.await(idle)
    }).pipe(atConcurrency1))
})
