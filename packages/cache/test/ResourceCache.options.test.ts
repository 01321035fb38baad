/** Shows `makeCache`, `CacheManager`, and how `CacheParts` are put together around a `CacheContext`. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Option } from "effect"
import { CachePolicy, ResourceCache } from "../src/index.js"
import { inScope } from "./kit.js"

const lookedUp: Array<string> = []
const lookup = (key: string) => Effect.sync(() => lookedUp.push(key))

const made = (options: Record<string, unknown>) => Effect.exit(ResourceCache.make(lookup, options))
const plain = (options: Record<string, unknown>) => Effect.exit(ResourceCache.plain(lookup, options))

const message = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) ? String((Cause.squash(exit.cause) as Error).message) : "no error"

const duration = "a duration above 0, or Duration.infinity"
const durations = [
  "acquireTimeout",
  "timeToIdle",
  "refreshAfter",
  "staleWhileRevalidate",
  "staleOnError",
  "releaseTimeout",
  "closeTimeout",
  "timeToLive"
]
/** They are nothing to a plain cache. */
const ofReleases = ["release", "releaseTimeout", "closeTimeout", "whenFull", "priority"]

const count = "an integer from 1, or Infinity"
const weight = "a number above 0, or Infinity"
const share = "a number from 0 to 1"

/** Given, they are functions. */
const functions = ["release", "weigher", "onRemoval"]

const bad: ReadonlyArray<readonly [option: string, value: unknown, got: string, expected: string]> = [
  ["name", "", "\"\"", "a text that is not empty"],
  ["name", 1, "1", "a text that is not empty"],
  ["maxEntries", 0, "0", count],
  ["maxEntries", 1.5, "1.5", count],
  ["maxEntries", -Infinity, "-Infinity", count],
  ["maxEntries", Number.NaN, "NaN", count],
  ["maxEntries", "many", "\"many\"", count],
  ["maxEntries", null, "null", count],
  ["maxWeight", 0, "0", weight],
  ["maxWeight", -1, "-1", weight],
  ["maxWeight", Number.NaN, "NaN", weight],
  ["maxWeight", "much", "\"much\"", weight],
  ["policy", "lru", "\"lru\"", "a CachePolicy"],
  ["whenFull", "drop", "\"drop\"", "one of wait, exceed, fail"],
  ["whenFull", null, "null", "one of wait, exceed, fail"],
  ["policy", null, "null", "a CachePolicy"],
  ...functions.flatMap((option) => [
    [option, 5, "5", "a function"] as const,
    [option, "x", "\"x\"", "a function"] as const,
    [option, null, "null", "a function"] as const
  ]),
  ["priority", "Urgent", "\"Urgent\"", "one of Low, Normal, High, Critical"],
  ["expiryJitter", 1.1, "1.1", share],
  ["expiryJitter", -0.1, "-0.1", share],
  ["expiryJitter", Number.NaN, "NaN", share],
  ["expiryJitter", "much", "\"much\"", share],
  ...durations.flatMap((option) => [
    [option, 0, "0", duration] as const,
    [option, -1, "-1", duration] as const,
    [option, "soon", "\"soon\"", duration] as const,
    [option, null, "null", duration] as const
  ])
]

describe("an option that is wrong", () => {
  for (const [option, value, got, expected] of bad) {
    it.effect(`${option}: ${got} is named with its range, before anything is looked up`, () =>
      inScope(Effect.gen(function*() {
        const text = `Invalid option "${option}": got ${got}, expected ${expected}`
        const exit = yield* made({ [option]: value })
        expect(Exit.isFailure(exit) && Option.getOrThrow(Cause.failureOption(exit.cause))).toMatchObject({
          _tag: "Validation"
        })
        expect(message(exit)).toBe(text)
        if (!ofReleases.includes(option)) expect(message(yield* plain({ [option]: value }))).toBe(text)
        expect(lookedUp).toEqual([])
      })))
  }

  for (
    const [name, make] of Object.entries({
      "makes nothing": (): unknown => undefined,
      "makes too little": () => ({ added: () => {} }),
      "throws": () => {
        throw new Error("no policy")
      }
    })
  ) {
    it.effect(`policy: one that ${name} is refused`, () =>
      inScope(Effect.gen(function*() {
        const expected = "expected a CachePolicy that makes added, used, victim, pinned, unpinned, removed"
        expect(message(yield* made({ policy: { name: "own", make } }))).toContain(expected)
      })))
  }

  it.effect("a lookup that is none is named as an option that is wrong", () =>
    inScope(Effect.gen(function*() {
      const none: any = undefined
      const text = "Invalid option \"lookup\": got undefined, expected a function"
      expect(message(yield* Effect.exit(ResourceCache.make<string, number, never, never>(none)))).toBe(text)
      expect(message(yield* Effect.exit(ResourceCache.plain<string, number, never, never>(none)))).toBe(text)
    })))

  it.effect("an option that is wrong of a layer fails its build", () =>
    inScope(Effect.gen(function*() {
      class Files extends Context.Tag("test/Files")<Files, ResourceCache.ResourceCache<string, number>>() {}
      const exit = yield* Effect.exit(Layer.build(ResourceCache.layer(Files, lookup, { maxEntries: 0 })))
      expect(message(exit)).toBe(`Invalid option "maxEntries": got 0, expected ${count}`)
    })))

  it.effect("leaves nothing in the scope", () =>
    inScope(Effect.gen(function*() {
      const scope = yield* Effect.scope
      const before = (scope as any).state.finalizers.size
      yield* made({ maxWeight: 0 })
      expect((scope as any).state.finalizers.size).toBe(before)
    })))
})

describe("options at their ends", () => {
  const least = {
    ...Object.fromEntries(durations.map((option) => [option, 1])),
    maxEntries: 1,
    maxWeight: Number.MIN_VALUE,
    expiryJitter: 0
  }
  const most = {
    ...Object.fromEntries(durations.map((option) => [option, Infinity])),
    maxEntries: Infinity,
    maxWeight: Infinity,
    expiryJitter: 1
  }
  const off = { staleWhileRevalidate: "off", staleOnError: "off", timeToLive: () => 0 }
  for (const [name, options] of Object.entries({ least, most, off })) {
    it.effect(`options at their ends are taken, and such a cache works: ${name}`, () =>
      inScope(Effect.gen(function*() {
        let asked = 0
        const options_ = options as ResourceCache.PlainOptions<string, number>
        const cache = yield* ResourceCache.make(() => Effect.sync(() => ++asked), options_)
        expect(yield* cache.use("a", Effect.succeed)).toBe(1)
        const other = yield* ResourceCache.plain(() => Effect.sync(() => ++asked), options_)
        expect(yield* other.get("a")).toBe(2)
      })))
  }

  for (const whenFull of ["wait", "exceed", "fail"] as const) {
    it.effect(`options at their ends without bounds nothing is ever evicted (${whenFull})`, () =>
      inScope(Effect.gen(function*() {
        const cache = yield* ResourceCache.make((key: number) => Effect.succeed(key), {
          maxEntries: Infinity,
          whenFull,
          policy: CachePolicy.wTinyLfu
        })
        yield* Effect.forEach(Array.from({ length: 2_000 }, (_, i) => i), (key) => cache.use(key, Effect.succeed))
        expect((yield* cache.keys).length).toBe(2_000)
      })))
  }

  it.effect("options at their ends that are undefined are as not given", () =>
    inScope(Effect.gen(function*() {
      const names = [...durations, "name", "maxEntries", "maxWeight", "policy", "whenFull", "priority", "expiryJitter"]
      const exit = yield* made(Object.fromEntries(names.map((name) => [name, undefined])))
      expect(message(exit)).toBe("no error")
    })))

  it.effect("a thousand entries are kept where nothing is said", () =>
    inScope(Effect.gen(function*() {
      const cache = yield* ResourceCache.make((key: number) => Effect.succeed(key))
      yield* Effect.forEach(Array.from({ length: 1_001 }, (_, i) => i), (key) => cache.use(key, Effect.succeed))
      expect(yield* cache.stats).toMatchObject({ entries: 1_000, removals: { evicted: 1 } })
    })))

  it.effect("a cache without a name is called cache", () =>
    inScope(Effect.gen(function*() {
      expect((yield* ResourceCache.make(lookup)).name).toBe("cache")
      expect((yield* ResourceCache.make(lookup, { name: "files" })).name).toBe("files")
      expect((yield* ResourceCache.plain(lookup)).name).toBe("cache")
    })))
})
