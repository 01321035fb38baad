import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(Layer.provideMerge(ResourceRegistry.layer, Logger.remove(Logger.defaultLogger)))

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

/** What is still there after the collector had its turns. */
const kept = (refs: ReadonlyArray<WeakRef<object>>) =>
  Effect.gen(function*() {
    for (let i = 0; i < 20 && refs.some((ref) => ref.deref() !== undefined); i++) {
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      collect()
    }
    return refs.filter((ref) => ref.deref() !== undefined).length
  })

const tracked = (refs: Array<WeakRef<object>>, release: () => Effect.Effect<unknown, unknown> = () => Effect.void) =>
  ResourceGuard.make(
    Effect.sync(() => {
      const value = { bulk: Array.from({ length: 10 }) }
      refs.push(new WeakRef(value))
      return value
    }),
    release
  )

describe("nothing is kept for a resource that is gone", () => {
  it.live("whether cleaned early, disarmed, transferred and closed, or scheduled, while its scope is open", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const refs: Array<WeakRef<object>> = []
      const scope = yield* Scope.make()
      // The guards themselves are kept: what is gone is what they held.
      const guards: Array<ResourceGuard.Any> = []
      const guard = Effect.tap(tracked(refs), (made) => Effect.sync(() => guards.push(made)))
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
      expect(refs).toHaveLength(200)
      expect(yield* kept(refs)).toBe(0)
      expect((yield* r.snapshot).live).toEqual([])
      expect(guards).toHaveLength(200)
    }).pipe(provide))

  it.live("but for the value of a dead letter, which is kept until it is dropped", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const refs: Array<WeakRef<object>> = []
      yield* Effect.scoped(tracked(refs, () => Effect.fail("refused")))
      expect(yield* kept(refs)).toBe(1)
      const [letter] = yield* r.deadLetters.list
      yield* r.deadLetters.drop(letter!.id)
      expect(yield* kept(refs)).toBe(0)
    }).pipe(provide))

  it.live("nor for one whose acquire failed", () =>
    Effect.gen(function*() {
      const refs: Array<WeakRef<object>> = []
      const scope = yield* Scope.make()
      const failing = Effect.suspend(() => {
        const value = { bulk: [] }
        refs.push(new WeakRef(value))
        return Effect.fail(value)
      })
      yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.ignore(ResourceGuard.make(failing, () => Effect.void)),
        { discard: true }
      ).pipe(Scope.extend(scope))
      expect(yield* kept(refs)).toBe(0)
    }).pipe(provide))
})
