/** What is written for Effect's caches and only renamed does not compile: no two functions change places. */
import { ResourceCache } from "@patinox/cache"
import { Cache, Context, type Effect, RcMap, ScopedCache } from "effect"
import { expect, test } from "tstyche"

interface File {
  readonly path: string
}
class Files extends Context.Tag("Files")<Files, ResourceCache.ResourceCache<string, File, never>>() {}
declare const lookup: (path: string) => Effect.Effect<File>
declare const release: (file: File) => Effect.Effect<void>

test("make takes the lookup, then its options; functions of a value stand there by name", () => {
  expect(Cache.make).type.toBeCallableWith({ lookup, capacity: 10, timeToLive: "1 minutes" })
  expect(ScopedCache.make).type.toBeCallableWith({ lookup, capacity: 10, timeToLive: "1 minutes" })
  expect(ResourceCache.make).type.not.toBeCallableWith({ lookup, capacity: 10, timeToLive: "1 minutes" })
  expect(RcMap.make).type.toBeCallableWith({ lookup })
  expect(ResourceCache.make).type.not.toBeCallableWith({ lookup })
  expect(ResourceCache.make).type.toBeCallableWith(lookup, { release })
  expect(ResourceCache.make).type.not.toBeCallableWith(lookup, release)
  expect(ResourceCache.make).type.not.toBeCallableWith(release, lookup)
})

test("layer takes the Tag, then the lookup, then options", () => {
  expect(ResourceCache.layer).type.toBeCallableWith(Files, lookup, { release })
  expect(ResourceCache.layer).type.not.toBeCallableWith(lookup, Files, { release })
  expect(ResourceCache.layer).type.not.toBeCallableWith(Files, lookup, release)
  expect(ResourceCache.layer).type.not.toBeCallableWith(Files, release, lookup)
})
