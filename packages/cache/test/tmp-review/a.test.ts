import { describe, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { ResourceCache } from "../../src/index.js"
import { inScope, Source, turns } from "../kit.js"
const L = (...a: any[]) => console.log(...a.map((x) => typeof x === "string" ? x : JSON.stringify(x)))
describe("tmp", () => {
  it.effect("sets side by side", () =>
    inScope(Effect.gen(function*() {
      const log: any[] = []
      const cache = yield* ResourceCache.make((k: string) => Effect.succeed({ k }), { release: (v) => Effect.sync(() => { log.push("close") }) })
      const v = { k: "v" }
      yield* Effect.all([cache.set("a", v), cache.set("a", v)], { concurrency: 2 })
      yield* turns
      L("CS", log, yield* cache.keys)
    })))
  it.effect("close with a timeout around, holding for a scope", () =>
    inScope(Effect.gen(function*() {
      const s = new Source()
      const cache = yield* ResourceCache.make(s.lookup, { release: s.release, closeTimeout: "20 seconds" })
      const c = yield* Effect.fork(Effect.scoped(Effect.andThen(cache.get("a"), Effect.timeout(cache.close, "1 minutes"))))
      yield* TestClock.adjust("1 seconds")
      L("T", c.unsafePoll() !== null)
      yield* TestClock.adjust("20 seconds")
      L("T", yield* Fiber.join(c))
    })))
  it.effect("others are evicted, too; refresh of a key with an older value in use, exceeding none", () =>
    inScope(Effect.gen(function*() {
      const s = new Source()
      const cache = yield* ResourceCache.make(s.lookup, { maxEntries: 1, release: s.release, acquireTimeout: "5 seconds" })
      const holder = yield* Scope.make(), other = yield* Scope.make()
      yield* Scope.extend(cache.get("a"), holder)
      yield* cache.refresh("a")
      yield* Scope.extend(cache.get("a"), other) // v2 in use, v1 too
      const r = yield* Effect.fork(Effect.exit(cache.refresh("a")))
      yield* turns
      yield* Scope.close(other, Exit.void) // v2 unused
      yield* turns
      L("E1", yield* cache.keys, s.log)
      const g = yield* Effect.fork(Effect.exit(cache.use("a", () => Effect.void)))
      yield* TestClock.adjust("6 seconds")
      L("E1", (yield* Fiber.join(g))._tag, (yield* Fiber.join(r))._tag, yield* cache.keys)
      yield* Scope.close(holder, Exit.void)
    })))
})
