/** A policy of a user's that is wrong costs room, and nothing else. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Effect } from "effect"
import { CachePolicy, ResourceCache } from "../src/index.js"
import { atRest, inScope, logging, number, Source } from "./kit.js"

describe("a policy of one's own that is wrong", () => {
  const fifo = (wrong: (line: ReturnType<typeof CachePolicy.makeList>) => Partial<CachePolicy.PolicyState>) => ({
    name: "own",
    make: () => {
      const line = CachePolicy.makeList()
      return {
        added: (entry: CachePolicy.PolicyEntry) => line.append(entry),
        used: () => {},
        victim: () => line.first,
        pinned: (entry: CachePolicy.PolicyEntry) => line.remove(entry),
        unpinned: (entry: CachePolicy.PolicyEntry) => line.prepend(entry),
        removed: (entry: CachePolicy.PolicyEntry) => line.remove(entry),
        ...wrong(line)
      }
    }
  })
  const bug = () => {
    throw new Error("a bug")
  }
  let gone: CachePolicy.PolicyEntry | undefined
  const wrongs: Record<string, CachePolicy.CachePolicy> = {
    "forgets what is pinned": fifo(() => ({ pinned: () => {} })),
    "names who has gone": fifo((line) => ({ victim: () => gone ??= line.first, removed: () => {} })),
    ...Object.fromEntries(
      ["added", "used", "victim", "pinned", "unpinned", "removed"].map((name) => [
        `throws in ${name}`,
        fifo(() => ({ [name]: bug }))
      ])
    )
  }

  for (const [name, policy] of Object.entries(wrongs)) {
    it.effect(`gives way to lru, as the log says once: it ${name}`, () =>
      logging((lines) =>
        Effect.gen(function*() {
          const source = new Source()
          const cache = yield* ResourceCache.make(source.lookup, {
            name: "files",
            release: source.release,
            maxEntries: 2,
            timeToLive: "1 seconds",
            policy
          })
          const use = (key: string) => cache.use(key, (value) => source.using(value, Effect.yieldNow()))
          yield* Effect.forEach(["a", "b", "a", "c", "b", "d"], use)
          // In use, and named more than once.
          yield* cache.use("d", () => Effect.forEach(["e", "f", "g", "e"], use))
          yield* use("h")
          yield* cache.invalidate("h")
          expect(yield* atRest(cache)).toBeLessThanOrEqual(2)
          yield* TestClock.adjust("1 seconds")
          expect(yield* atRest(cache)).toBe(0)
          expect([source.alive, source.mostAlive]).toEqual([0, 2])
          expect(lines).toHaveLength(1)
          expect(lines[0]).toContain("WARN Cache files: the policy own failed (Error: ")
        })
      ))
  }

  it.effect("does not keep its cache from its end", () =>
    inScope(Effect.gen(function*() {
      const source = new Source()
      const cache = yield* ResourceCache.make(source.lookup, {
        release: source.release,
        policy: fifo(() => ({ removed: bug }))
      })
      yield* cache.use("a", number)
      expect(yield* cache.close).toMatchObject({ released: 1, deadlineReached: false })
    })))
})
