import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"

type Guard = ResourceGuard.ResourceGuard<any, any>
type Inside = (
  r: ResourceRegistry.Shape,
  /** The release of what is waited for, which waits in turn for the cleanup that waits. */
  waitsBack: () => Effect.Effect<unknown>
) => Effect.Effect<Effect.Effect<unknown, unknown, ResourceRegistry.ResourceRegistry>, any, any>

/** What a release does that waits for another resource's end. Prepared before, and run inside of the release. */
const waits: Readonly<Record<string, Inside>> = {
  "guard.cleanup": (_, waitsBack) => Effect.map(ResourceGuard.make(Effect.void, waitsBack), (guard) => guard.cleanup),
  "ResourceGuard.use": (_, waitsBack) => Effect.succeed(ResourceGuard.use(Effect.void, waitsBack)(() => Effect.void)),
  "make in a closed scope": (_, waitsBack) =>
    Effect.gen(function*() {
      const closed = yield* Scope.make()
      yield* Scope.close(closed, Exit.void)
      return Scope.extend(ResourceGuard.make(Effect.void, waitsBack), closed)
    }),
  "transferTo a closed scope": (_, waitsBack) =>
    Effect.gen(function*() {
      const closed = yield* Scope.make()
      yield* Scope.close(closed, Exit.void)
      const guard = yield* ResourceGuard.make(Effect.void, waitsBack)
      return guard.transferTo(closed)
    }),
  "the close of a scope": (_, waitsBack) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.extend(ResourceGuard.make(Effect.void, waitsBack), scope)
      return Scope.close(scope, Exit.void)
    }),
  "deadLetters.retry": (r, waitsBack) =>
    Effect.gen(function*() {
      let attempts = 0
      const id = yield* r.register(() => attempts++ === 0 ? Effect.fail("refused") : waitsBack())
      yield* Effect.exit(r.cleanup(id))
      return r.deadLetters.retry(id)
    }),
  "schedule and await": (r, waitsBack) =>
    Effect.map(
      ResourceGuard.make(Effect.void, waitsBack),
      (guard) => Effect.flatMap(r.schedule(guard), (asked) => asked.await)
    ),
  "a refresh": (_, waitsBack) => Effect.map(ResourceGuard.refreshable(Effect.void, waitsBack), (token) => token.refresh)
}

describe("a release that waits for one which waits for it in turn ends at once (P8)", () => {
  const steps: Readonly<Record<string, Effect.Effect<void>>> = {
    "in the same step": Effect.void,
    "a turn later": Effect.yieldNow(),
    "some turns later": Effect.repeatN(Effect.yieldNow(), 5)
  }
  for (const [name, inside] of Object.entries(waits)) {
    for (const [when, before] of Object.entries(steps)) {
      it.effect(`${name}, ${when}`, () =>
        Effect.gen(function*() {
          const r = yield* ResourceRegistry.ResourceRegistry
          const box: { guard?: Guard; act?: Effect.Effect<unknown, unknown, any> } = {}
          const waitsBack = () =>
            Effect.andThen(
              before,
              Effect.suspend(() => box.guard === undefined ? Effect.void : Effect.exit(box.guard.cleanup))
            )
          box.act = yield* inside(r, waitsBack)
          const context = yield* Effect.context<ResourceRegistry.ResourceRegistry>()
          const guard = yield* ResourceGuard.make(
            Effect.void,
            () => Effect.andThen(before, Effect.exit(Effect.provide(Effect.suspend(() => box.act!), context)))
          )
          box.guard = guard
          const cleaning = yield* Effect.fork(guard.cleanup)
          const released = yield* Deferred.make<void>()
          yield* Effect.fork(Effect.andThen(Fiber.await(cleaning), Deferred.succeed(released, undefined)))
          // No time passes: neither limit nor slot is what lets it end.
          yield* Effect.repeatN(Effect.yieldNow(), 50)
          expect(yield* Deferred.isDone(released)).toBe(true)
          expect(yield* Fiber.await(cleaning)).toEqual(Exit.void)
          yield* r.awaitIdle
        }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))
    }
  }
})

/** Turns of the event loop, too, as a busy process does less in each. */
const settled = Effect.repeatN(
  Effect.andThen(Effect.repeatN(Effect.yieldNow(), 5), Effect.promise(() => new Promise<void>(setImmediate))),
  20
)

describe("what waits for the close of a scope that comes to wait for it in turn ends at once (P8)", () => {
  type Scopes = { readonly scope: ResourceScope.ResourceScope; readonly inner: Scope.CloseableScope }
  const close = (scope: Scope.CloseableScope) => Scope.close(scope, Exit.void)
  const closing = ({ scope }: Scopes) => Effect.suspend(() => close(scope))
  /** Puts it there, and gives how to begin it before its turn comes. */
  const members: Readonly<
    Record<string, (scopes: Scopes) => Effect.Effect<Effect.Effect<unknown>, any, ResourceRegistry.ResourceRegistry>>
  > = {
    "a guard that is being cleaned up": (scopes) =>
      Effect.map(
        Scope.extend(ResourceGuard.make(Effect.void, () => closing(scopes)), scopes.scope),
        (guard) => Effect.exit(guard.cleanup)
      ),
    "a guard in a scope inside of it that is being closed": (scopes) =>
      Effect.as(
        Scope.extend(ResourceGuard.make(Effect.void, () => closing(scopes)), scopes.inner),
        close(scopes.inner)
      ),
    "a finalizer in a scope inside of it that is being closed": (scopes) =>
      Effect.as(Scope.addFinalizer(scopes.inner, closing(scopes)), close(scopes.inner)),
    "a guard in a scope inside of it that gets to it later": (scopes) =>
      Effect.gen(function*() {
        const guard = yield* Scope.extend(ResourceGuard.make(Effect.void, () => closing(scopes)), scopes.inner)
        yield* Scope.addFinalizer(scopes.inner, Effect.repeatN(Effect.yieldNow(), 20))
        return Effect.zip(Effect.exit(guard.cleanup), close(scopes.inner), { concurrent: true })
      }),
    "a guard that a shutdown in a finalizer cleans up": (scopes) =>
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry.ResourceRegistry
        yield* Scope.extend(ResourceGuard.make(Effect.void, () => closing(scopes)), scopes.scope)
        yield* Scope.addFinalizer(scopes.scope, registry.shutdown)
        return Effect.void
      })
  }
  for (const [name, member] of Object.entries(members)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const scope = yield* ResourceScope.make()
        const inner = yield* Scope.fork(scope, scope.strategy)
        const begin = yield* member({ scope, inner })
        const gate = yield* Deferred.make<void>()
        yield* Scope.addFinalizer(scope, Deferred.await(gate))
        const over = yield* Effect.fork(close(scope))
        yield* Effect.repeatN(Effect.yieldNow(), 5)
        const begun = yield* Effect.fork(begin)
        yield* Effect.repeatN(Effect.yieldNow(), 5)
        yield* Deferred.succeed(gate, undefined)
        // No time passes.
        yield* settled
        expect(over.unsafePoll()).toEqual(Exit.void)
        expect(begun.unsafePoll()?._tag).toBe("Success")
        for (const { outcome } of scope.report!.records) expect(outcome).toBe("cleaned")
      }).pipe(Effect.provide(ResourceRegistry.layer)))
  }
})

describe("many releases that wait for all of them", () => {
  const waits: Readonly<Record<string, (r: ResourceRegistry.Shape, i: number) => Effect.Effect<unknown>>> = {
    "by a shutdown": (r) => r.shutdown,
    "by awaitIdle": (r) => r.awaitIdle,
    "by the one or the other": (r, i) => i % 2 === 0 ? r.shutdown : r.awaitIdle
  }
  for (const [name, wait] of Object.entries(waits)) {
    it.effect(`${name} end, and none has to be looked for through all the others`, () =>
      Effect.gen(function*() {
        const r = yield* ResourceRegistry.ResourceRegistry
        for (let i = 0; i < 150; i++) yield* r.register(() => Effect.andThen(Effect.yieldNow(), wait(r, i)))
        const { totals } = yield* r.shutdown
        expect(totals.cleaned).toBe(150)
      }).pipe(Effect.provide(ResourceRegistry.layer)))
  }
})
