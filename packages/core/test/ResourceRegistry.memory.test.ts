import { describe, expect, it } from "@effect/vitest"
import { HeapProbe, TestRegistry } from "@patinox/vitest"
import { Effect, Exit, Scope } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(TestRegistry.quiet)

const tracked = (probe: HeapProbe.HeapProbe, release: () => Effect.Effect<unknown, unknown> = () => Effect.void) =>
  ResourceGuard.make(Effect.sync(() => probe.track({ bulk: Array.from({ length: 10 }) })), release)

describe("nothing is kept for a resource that is gone", () => {
  it.live("nothing is kept for a resource that is gone, whether cleaned early, disarmed, transferred or scheduled", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const probe = HeapProbe.make()
      const scope = yield* Scope.make()
      // The guards themselves are kept: what is gone is what they held.
      const guards: Array<ResourceGuard.Any> = []
      const guard = Effect.tap(tracked(probe), (made) => Effect.sync(() => guards.push(made)))
      yield* Effect.gen(function*() {
        const other = yield* Scope.make()
        for (let i = 0; i < 50; i++) {
          yield* Effect.flatMap(guard, (made) => made.cleanup)
          yield* Effect.flatMap(guard, (made) => made.disarm)
          yield* Effect.flatMap(guard, (made) => made.transferTo(other))
          yield* Effect.flatMap(guard, (made) => r.schedule({ resource: made }))
        }
        yield* Scope.close(other, Exit.void)
        yield* r.awaitIdle
      }).pipe(Scope.extend(scope))
      expect(probe.tracked()).toBe(200)
      expect(yield* probe.kept).toBe(0)
      expect((yield* r.snapshot).live).toEqual([])
      expect(guards).toHaveLength(200)
    }).pipe(provide))

  it.live("nothing is kept of a resource but the value of a dead letter, until that is dropped", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const probe = HeapProbe.make()
      yield* Effect.scoped(tracked(probe, () => Effect.fail("refused")))
      expect(yield* probe.kept).toBe(1)
      const [letter] = yield* r.deadLetters.list
      yield* r.deadLetters.drop(letter!.id)
      expect(yield* probe.kept).toBe(0)
    }).pipe(provide))

  it.live("nothing is kept for a resource whose acquire failed", () =>
    Effect.gen(function*() {
      const probe = HeapProbe.make()
      const scope = yield* Scope.make()
      const failing = Effect.suspend(() => {
        return Effect.fail(probe.track({ bulk: [] }))
      })
      yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.ignore(ResourceGuard.make(failing, () => Effect.void)),
        { discard: true }
      ).pipe(Scope.extend(scope))
      expect(yield* probe.kept).toBe(0)
    }).pipe(provide))
})
