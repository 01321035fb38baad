/** Functions of users that throw, also what Effect's own loop does not survive: a proxy whose every trap throws. */
import { ResourceRegistry } from "@patinox/core"
import { Effect } from "effect"
import { eachThrowing } from "../../../scripts/testing/userFunctions.js"
import { ResourceCache } from "../src/index.js"

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

eachThrowing("a cache", caches, "hangs nobody")
