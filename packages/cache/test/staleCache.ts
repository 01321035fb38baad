/** Caches that keep what is old. */
import { Deferred, Effect } from "effect"
import { ResourceCache } from "../src/index.js"
import { number, Source, type Value } from "./kit.js"

/** A cache whose lookups fail, wait for a gate, or succeed, as is said at the time. */
export const made = (options: Partial<ResourceCache.CacheOptions<string, Value, string>>) =>
  Effect.gen(function*() {
    const source = new Source()
    const world = { asked: 0, how: "succeed" as "succeed" | "fail" | "die" | "wait" | "hang" }
    const gate = yield* Deferred.make<void>()
    const cache = yield* ResourceCache.make((key: string): Effect.Effect<Value, string> =>
      Effect.suspend(() => {
        world.asked++
        if (world.how === "fail") return Effect.fail(`down ${world.asked}`)
        if (world.how === "die") return Effect.die("bug")
        if (world.how === "hang") return Effect.never
        return Effect.andThen(world.how === "wait" ? Deferred.await(gate) : Effect.void, source.lookup(key))
      }), { release: source.release, ...options })
    return { cache, gate, source, world, ask: cache.use("a", number) }
  })
