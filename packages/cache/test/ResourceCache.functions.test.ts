/** Functions of users that throw, also what Effect's own loop does not survive: a proxy whose every trap throws. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { Untellable } from "@patinox/vitest"
import { Effect, Exit, Logger } from "effect"
import { ResourceCache } from "../src/index.js"

const forms = ["error", "proxy", "revoked", "symbol"] as const

const throwing = (form: Untellable.Form) => (): never => {
  throw Untellable.make(form)
}

const lookup = (key: string) => Effect.succeed(key.length)
const used = (cache: ResourceCache.ResourceCache<string, number, unknown>) =>
  Effect.andThen(cache.use("key", (length) => Effect.succeed(length)), cache.invalidate("key"))

type Use = Effect.Effect<unknown, unknown>

/** What is done with such a cache, and whether that can come to a good end. */
const caches: Readonly<Record<string, (boom: () => never) => Effect.Effect<readonly [Use, boolean], unknown, any>>> = {
  "lookup": (boom) => Effect.map(ResourceCache.make(boom as typeof lookup), (cache) => [used(cache), false] as const),
  "use": (boom) => Effect.map(ResourceCache.make(lookup), (cache) => [cache.use("key", boom), false] as const),
  "release": (boom) =>
    Effect.map(ResourceCache.make(lookup, { release: boom }), (cache) => [used(cache), true] as const),
  "onRemoval": (boom) =>
    Effect.map(ResourceCache.make(lookup, { onRemoval: boom }), (cache) => [used(cache), true] as const),
  "use of a plain cache": (boom) =>
    Effect.map(ResourceCache.plain(lookup), (cache) => [cache.use("key", boom), false] as const),
  "invalidateWhere": (boom) =>
    Effect.map(
      ResourceCache.make(lookup),
      (cache) =>
        [Effect.andThen(used(cache), Effect.andThen(cache.set("key", 1), cache.invalidateWhere(boom))), false] as const
    ),
  "an iterable of keys": (boom) =>
    Effect.map(
      ResourceCache.plain(lookup),
      (cache) => [cache.getAll({ [Symbol.iterator]: boom }), false] as const
    ),
  "a getter of a call's options": (boom) =>
    Effect.map(
      ResourceCache.make(lookup),
      (cache) => [cache.refresh("key", Object.defineProperty({}, "acquireTimeout", { get: boom })), false] as const
    ),
  "a getter of a cache's options": (boom) =>
    Effect.succeed(
      [
        Effect.provide(
          Effect.scoped(
            ResourceCache.make(lookup, Object.defineProperty({}, "maxEntries", { get: boom, enumerable: true }))
          ),
          ResourceRegistry.layer
        ),
        false
      ] as const
    )
}

const cases = Object.keys(caches).flatMap((which) => forms.map((form) => [which, form] as const))

describe("a function of the user's", () => {
  it.live.each(cases)("%s that throws a value of the form %s hangs nobody", ([which, form]) =>
    Effect.gen(function*() {
      const [use, isGood] = yield* caches[which]!(throwing(form))
      // Not in the first turn of its fiber, where there would be somebody to catch what its loop lets out.
      const exit = yield* Effect.exit(Effect.andThen(Effect.yieldNow(), use))
      expect(Exit.isSuccess(exit)).toBe(isGood)
    }).pipe(
      Effect.scoped,
      Effect.provide(ResourceRegistry.layer),
      Effect.provide(Logger.remove(Logger.defaultLogger))
    ) as Effect.Effect<void>)
})
