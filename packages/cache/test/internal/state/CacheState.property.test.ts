/**
 * What holds of a cache's decisions after any sequence of transitions. The world checks each order that it is given, and
 * its books against the counts, within each transition and after it.
 * Shows `Entries`, `Loads` and `Occupancy`.
 */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { CachePolicy } from "../../../src/index.js"
import type { CacheLimits } from "../../../src/internal/state/CachePorts.js"
import { removalReasons } from "../../../src/internal/state/Vocabulary.js"
import { checkRest } from "../cacheRules.js"
import { World } from "../cacheWorld.js"

type Step = (world: World) => void

const on =
  <A>(n: number, from: (world: World) => ReadonlyArray<A>, act: (world: World, chosen: A) => void): Step => (world) => {
    const candidates = from(world)
    if (candidates.length > 0) act(world, candidates[n % candidates.length]!)
  }

const anything = fc.nat(1_000)
const key = fc.constantFrom("a", "a", "b", "b", "c", "d", "e")
const answer = fc.record({
  weight: fc.constantFrom(0, 1, 1, 2, 3, 5),
  ttl: fc.constantFrom(0, 5, 40, 700.3, 5_000, Infinity, Infinity, Infinity)
})
const loads = ({ loads }: World) => loads
const seizable = (world: World) => world.with("cached", "retired").filter(({ lease }) => lease !== undefined)

const steps: Record<string, fc.Arbitrary<Step>> = {
  ask: key.map((key): Step => (world) => {
    world.ask(key)
  }),
  refresh: key.map((key): Step => (world) => {
    world.join(key)
  }),
  loaded: fc.tuple(anything, answer).map(([n, answer]) =>
    on(n, loads, (world, loading) => {
      world.loaded(loading, answer)
    })
  ),
  failed: fc.tuple(anything, fc.constantFrom(0, 0, 0, 30, Infinity)).map(([n, ttl]) =>
    on(n, loads, (world, loading) => {
      world.failed(loading, ttl)
    })
  ),
  /** Nothing is on its way any more, but for what waits for room. */
  catchUp: answer.map((answer): Step => (world) => {
    // What has room by then begins on the way.
    const { length } = world.loads
    for (let n = 0; n < length; n++) world.loaded(undefined, answer)
    while (world.releases.length > 0) world.released()
  }),
  failRefresh: anything.map((n) =>
    on(n, ({ loads }) => loads.filter(({ old }) => old !== undefined), (world, loading) => {
      world.failed(loading)
    })
  ),
  askAgain: anything.map((n) =>
    on(n, ({ loads }) => loads.filter(({ phase }) => phase === "aborted"), (world, { key }) => {
      world.join(key, true)
    })
  ),
  failWanted: anything.map((n) =>
    on(
      n,
      ({ loads }) => loads.filter(({ callers, phase }) => phase === "aborted" && callers.size > 0),
      (world, loading) => {
        world.failed(loading)
      }
    )
  ),
  /** When what it was to replace is too old by then, and its timer late. */
  failLate: anything.map((n) =>
    on(n, (world) => world.loads.filter(({ old }) => old && old.expiresAt < Infinity), (world, loading) => {
      world.pass(Math.max(0, world.lastInstant(loading.old!) - world.time), true)
      world.failed(loading)
    })
  ),
  askAfterPause: anything.map((n) =>
    on(n, (world) => world.with("cached").filter(({ failures }) => failures > 0), (world, { key, lookAt }) => {
      if (lookAt < Infinity) world.pass(Math.max(0, lookAt - world.time))
      world.ask(key)
    })
  ),
  refused: anything.map((n) => on(n, loads, (world, loading) => world.refused(loading))),
  abandon: anything.map((n) => on(n, (world) => world.waiting(), (world, caller) => world.abandon(caller))),
  abandonTwice: anything.map((n) =>
    on(
      n,
      ({ callers }) => callers.filter(({ loading, outcome }) => loading && outcome !== "waiting"),
      (world, caller) => world.state.loads.leave(caller, caller.loading!)
    )
  ),
  giveUp: anything.map((n) => on(n, loads, ({ state }, loading) => state.loads.endUnwanted(loading))),
  leave: anything.map((n) => on(n, ({ holds }) => holds, (world, entry) => world.leave(entry))),
  heard: anything.map((n) => on(n, ({ hearing }) => hearing, (world, entry) => world.heard(entry))),
  invalidate: key.map((key): Step => (world) => {
    world.invalidate(key)
  }),
  invalidateAll: fc.constant<Step>((world) => world.invalidateAll()),
  set: fc.tuple(key, answer).map(([key, answer]): Step => (world) => {
    world.set(key, answer)
  }),
  seize: anything.map((n) => on(n, seizable, (world, entry) => world.seize(entry))),
  released: anything.map((n) => on(n, ({ releases }) => releases, (world, entry) => world.released(entry))),
  due: anything.map((n) =>
    on(n, ({ books }) => books, (world, { entry }) => {
      // A timer that was taken back may fire all the same, but no other.
      if (entry.status === "cached") world.due(entry)
      else world.state.due(entry)
    })
  ),
  pass: fc.constantFrom(0.3, 1, 7, 30, 100, 1_000, 1_000, 3_000).map((millis): Step => (world) => world.pass(millis)),
  passLate: fc.constantFrom(5, 50, 1_500).map((millis): Step => (world) => world.pass(millis, true)),
  listen: fc.boolean().map((isListening): Step => (world) => {
    world.isListening = isListening
  })
}

const ends: Record<string, fc.Arbitrary<Step>> = {
  close: fc.constant<Step>((world) => {
    if (world.state.isOpen) world.close()
  }),
  reclaim: anything.map((n) =>
    on(n, ({ state }) => state.isOpen ? [] : [...state.entries.retired], (world, entry) => world.reclaim(entry))
  )
}

const named = (arbitraries: Record<string, fc.Arbitrary<Step>>, weight: (name: string) => number) =>
  Object.entries(arbitraries).map(([name, arbitrary]) => ({
    weight: weight(name),
    arbitrary: arbitrary.map((step) => ({ name, step, [fc.toStringMethod]: () => name }))
  }))

const weights: Record<string, number> = {
  ask: 30,
  loaded: 18,
  released: 12,
  pass: 8,
  refresh: 6,
  catchUp: 10,
  failRefresh: 8,
  failWanted: 10,
  askAgain: 8,
  askAfterPause: 12,
  leave: 18,
  failed: 6,
  refused: 1,
  invalidateAll: 1,
  heard: 6,
  seize: 2
}
const weight = (name: string): number => weights[name] ?? 3
const anyStep = fc.oneof(...named(steps, weight))
const anyEnd = fc.oneof(...named(steps, weight), ...named(ends, () => 12))

const settings = fc.record({
  maxEntries: fc.constantFrom(1, 2, 3, 5, 5, Infinity),
  maxWeight: fc.constantFrom(3, 6, Infinity, Infinity),
  whenFull: fc.constantFrom<CacheLimits["whenFull"]>("wait", "wait", "exceed", "fail"),
  policy: fc.constantFrom(CachePolicy.lru, CachePolicy.wTinyLfu),
  timeToIdle: fc.constantFrom(60, 900.5, Infinity, Infinity, Infinity),
  refreshAfter: fc.constantFrom(3, 3, 100, Infinity),
  staleWhileRevalidate: fc.constantFrom(0, 0, 30, 2_000),
  staleOnError: fc.constantFrom(0, 0, 50, 3_000)
})

/** Everything that is on its way comes to a good end. */
const settle = (world: World): void => {
  for (let round = 0; round < 1_000; round++) {
    const { hearing, holds, loads, releases, state } = world
    if (loads.length > 0) world.loaded()
    else if (releases.length > 0) world.released()
    else if (holds.length > 0) world.leave(holds[0]!)
    else if (hearing.length > 0) world.heard(hearing[0]!)
    else if (state.loads.queued.size > 0) throw new Error("a lookup waits while nothing is in use")
    else return
    checkRest(world)
  }
  throw new Error("the cache does not come to rest")
}

const reasons = removalReasons.map((why) => `removed as ${why}`)
const situations = [
  "hit",
  "hit of a failure",
  "stale",
  "waiting",
  "full",
  "closed",
  "waits for room",
  "exceeds",
  "over the limits",
  "refresh behind",
  "refresh that is waited for",
  "refresh after a pause",
  "keeps the old",
  "keeps a failure",
  "aborted",
  "begun again",
  "seized while cached",
  "seized while retired",
  "reclaimed"
]

describe("the decisions of a cache, in any sequence", () => {
  it("the decisions of a cache, in any sequence, keep the counts, the limits, everybody's use and everybody's answer", {
    timeout: 60_000
  }, () => {
    const met = new Map<string, number>()
    const add = (what: string, times = 1) => met.set(what, (met.get(what) ?? 0) + times)
    fc.assert(
      fc.property(
        settings,
        fc.constantFrom(false, false, false, true),
        fc.array(anyStep, { minLength: 30, maxLength: 80 }),
        fc.oneof(fc.constant([]), fc.array(anyEnd, { minLength: 10, maxLength: 30 })),
        (limits, isPlain, before, after) => {
          const world = new World(limits, isPlain)
          for (const { name, step } of [...before, ...after]) {
            add(name)
            step(world)
            checkRest(world)
          }
          settle(world)
          if (world.state.isOpen) {
            // Who asks now is served.
            world.ask("z")
            settle(world)
            world.close()
          }
          settle(world)
          const { entries, loads } = world.state
          const { cached, inUse, releasing, weight } = world.state.occupancy
          expect([cached, inUse, releasing, entries.retired.size, weight]).toEqual([0, 0, 0, 0, 0])
          expect([loads.running.size, loads.queued.size]).toEqual([0, 0])
          expect(world.waiting()).toEqual([])
          for (const { isReleased, entry } of world.books) {
            expect(entry.status).toBe("gone")
            expect(isReleased).toBe(entry.lease !== undefined)
          }
          world.met.forEach((times, what) => add(what, times))
        }
      ),
      { numRuns: 4_000, seed: Number(process.env["PATINOX_SEED"] ?? 20_240) }
    )
    const counted = [...reasons, ...situations, ...Object.keys(steps), ...Object.keys(ends)]
    console.log(counted.map((what) => `${what} ${met.get(what) ?? 0}`).join(", "))
    expect(counted.filter((what) => !(met.get(what)! >= 50))).toEqual([])
  })
})
