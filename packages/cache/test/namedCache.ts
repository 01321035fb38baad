/** A cache of files, whose name is in what it logs. */
import { Effect } from "effect"
import { ResourceCache } from "../src/index.js"
import { Source, type Value } from "./kit.js"

export const made = (options: Partial<ResourceCache.CacheOptions<string, Value>> = {}) =>
  Effect.gen(function*() {
    const source = new Source()
    const cache = yield* ResourceCache.make(source.lookup, { release: source.release, name: "files", ...options })
    return { source, cache }
  })
