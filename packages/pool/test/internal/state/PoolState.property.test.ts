/**
 * What holds of a pool's decisions after any sequence of transitions. The world checks each order that it is given, and
 * its books against the counts, within each transition and after it.
 */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { RemovalReason } from "../../../src/internal/state/Vocabulary.js"
import { type FakeItem, World } from "../poolWorld.js"

type Step = (world: World) => void

const pick = <A>(from: ReadonlyArray<A>, n: number): A | undefined => from[n % Math.max(1, from.length)]

const on =
  <A>(n: number, from: (world: World) => ReadonlyArray<A>, act: (world: World, chosen: A) => void): Step => (world) => {
    const chosen = pick(from(world), n)
    if (chosen !== undefined) act(world, chosen)
  }

const anything = fc.nat(1_000)
const held = (world: World) => world.held.map(({ item }) => item)
const ending = (world: World) => world.removals.map(([item]) => item).filter(({ status }) => status === "destroying")
const releasable = ({ items, releases }: World) =>
  items.filter((item) => (item.status === "idle" || item.status === "inUse") && !releases.includes(item))

const steps: Record<string, fc.Arbitrary<Step>> = {
  borrow: fc.constantFrom(0, 1, 1, 1, 2, 3).map((band): Step => (world) => {
    world.borrow(band)
  }),
  leave: anything.map((n) => on(n, (world) => world.line(), (world, waiter) => world.leave(waiter))),
  leaveTwice: anything.map((n) => on(n, (world) => world.waiters, (world, waiter) => world.leave(waiter))),
  giveBack: anything.map((n) => on(n, held, (world, item) => world.giveBack(item))),
  condemn: fc.tuple(anything, fc.constantFrom<RemovalReason>("invalidated", "failedUse", "reclaimed")).map((
    [n, reason]
  ) => on(n, held, (world, item) => world.giveBack(item, reason))),
  giveBackTwice: anything.map((n) =>
    on(n, ({ items }) => items.filter(({ status }) => status !== "inUse"), (world, item) => {
      const { idle, inUse, total } = world.state
      const before = [...idle]
      world.state.giveBack(item, world.now)
      const isSame = world.state.inUse === inUse && world.state.total === total && idle.length === before.length &&
        idle.every((item, i) => item === before[i])
      if (!isSame) throw new Error("What is not in use was given back")
    })
  ),
  suspect: anything.map((n) => on(n, held, (world, item) => world.giveBackSuspect(item))),
  checked: fc.tuple(anything, fc.boolean()).map(([n, isFit]) =>
    on(n, ({ checks }) => [...checks.keys()], (world, i) => world.checked(i, isFit))
  ),
  overdue: anything.map((n) => on(n, ({ checks }) => [...checks.keys()], (world, i) => world.overdue(i))),
  slow: anything.map((n) => on(n, ({ creations }) => [...creations.keys()], (world, i) => world.createSlow(i))),
  condemnAny: anything.map((n) => on(n, ({ items }) => items, (world, item) => world.condemn(item))),
  condemnAll: fc.constant<Step>(({ items, now, state }) => {
    const count = state.idle.length + state.inUse
    expect(state.condemnAll(items, now)).toBe(count)
  }),
  unfit: anything.map((n) => on(n, held, (world, item) => world.unfit(item))),
  created: anything.map((n) => on(n, ({ creations }) => [...creations.keys()], (world, i) => world.created(i))),
  createFailed: fc.tuple(anything, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })).map(([n, random]) =>
    on(n, ({ creations }) => [...creations.keys()], (world, i) => world.createFailed(i, random))
  ),
  createStuck: anything.map((n) =>
    on(
      n,
      ({ creations }) => [...creations.keys()].filter((i) => !creations[i]!.isStuck),
      (world, i) => world.createStuck(i)
    )
  ),
  ended: anything.map((n) => on(n, ending, (world, item) => world.ended(item))),
  released: anything.map((n) => on(n, releasable, (world, item) => world.released(item))),
  releaseEnded: anything.map((n) => on(n, ({ releases }) => releases, (world, item) => world.releaseEnded(item))),
  keptAlive: fc.tuple(anything, fc.boolean()).map(([n, isAlive]) =>
    on(n, ({ kept }) => kept, (world, item) => world.keptAlive(item, isAlive))
  ),
  pass: fc.constantFrom(0.3, 1, 7, 10, 25, 100, 1_000).map((millis): Step => (world) => world.pass(millis)),
  suspend: fc.constant<Step>(({ state }) => state.suspend()),
  resume: fc.constant<Step>(({ now, state }) => state.resume(now)),
  resize: fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 6 })).map(([min, max]): Step => ({ now, state }) =>
    state.resize(Math.min(min, max), max, now)
  ),
  evict: fc.constant<Step>(({ now, state }) => {
    const idle = state.idle.length
    expect(state.evictIdle(now, "evicted")).toBe(idle)
  })
}

const ends: Record<string, fc.Arbitrary<Step>> = {
  serve: fc.constant<Step>(({ now, state }) => {
    if (state.phase === "open") expect(state.drain(now, "serve")).toBe(0)
  }),
  refuse: fc.constant<Step>((world) => {
    const waiting = world.line().filter(({ hasCheck }) => !hasCheck).length
    if (world.state.phase === "open") expect(world.state.drain(world.now, "fail")).toBe(waiting)
  }),
  close: fc.constant<Step>(({ now, state }) => {
    state.close(now)
  })
}

const named = (arbitraries: Record<string, fc.Arbitrary<Step>>, weight: (name: string) => number) =>
  Object.entries(arbitraries).map(([name, arbitrary]) => ({
    weight: weight(name),
    arbitrary: arbitrary.map((step) => ({ name, step, [fc.toStringMethod]: () => name }))
  }))

const often = new Set(["borrow", "giveBack", "created", "pass", "ended"])
const anyStep = fc.oneof(
  ...named(steps, (name) => often.has(name) ? 12 : 3),
  ...named(ends, () => 1)
)

const settings = fc.record({
  minSize: fc.nat(3),
  maxSize: fc.integer({ min: 3, max: 5 }),
  createConcurrency: fc.integer({ min: 1, max: 3 }),
  maxWaiters: fc.constantFrom(0, 2, Infinity),
  maxUses: fc.constantFrom(1, 3, Infinity),
  idleTimeout: fc.constantFrom(20, 100.7, Infinity),
  keepAliveInterval: fc.constantFrom(10, 33.3, Infinity),
  failFastAfter: fc.constantFrom(1, 2, 4, Infinity),
  lifetime: fc.constantFrom(15.2, 200, Infinity),
  validateAfter: fc.constantFrom(0, 8, Infinity, Infinity)
})

const met: Record<string, number> = {}

/** Everything that is on its way comes to a good end. */
const settle = (world: World): void => {
  for (let round = 0; round < 1_000; round++) {
    const { checks, creations, kept, now, releases, state } = world
    if (checks.length > 0) world.checked(0, true)
    else if (creations.length > 0) world.created()
    else if (kept.length > 0) world.keptAlive(kept[0]!)
    else if (releases.length > 0) world.releaseEnded(releases[0]!)
    else if (ending(world).length > 0) world.ended(ending(world)[0]!)
    else if (world.held.length > 0) world.giveBack(world.held[0]!.item)
    else if (world.growDue < Infinity && world.wanted > 0) world.pass(Math.max(0, world.growDue - now))
    else return expect(state.total).toBe(state.idle.length)
    world.rest()
  }
  throw new Error("the pool does not come to rest")
}

describe("the decisions of a pool, in any sequence", () => {
  it("the decisions of a pool, in any sequence, keep the counts, the order, the limits and everybody's turn", {
    timeout: 60_000
  }, () => {
    fc.assert(
      fc.property(
        settings,
        fc.array(anyStep, { minLength: 20, maxLength: 80 }),
        ({ lifetime, validateAfter, ...limits }, sequence) => {
          const world = new World(limits, () => lifetime)
          world.validateAfter = validateAfter
          world.state.grow(0)
          world.rest()
          for (const { name, step } of sequence) {
            met[name] = (met[name] ?? 0) + 1
            step(world)
            world.rest()
          }
          for (const waiter of world.waiters) {
            expect(world.line().includes(waiter)).toBe(waiter.outcome === "waiting")
          }
          world.state.resume(world.now)
          settle(world)
          const { idle, minSize, phase, waiting } = world.state
          expect(waiting.size, "everybody is served in the end").toBe(0)
          if (phase === "open") expect(idle.length).toBeGreaterThanOrEqual(minSize)
          else expect(idle).toEqual([])
        }
      ),
      { numRuns: 3_000, seed: Number(process.env["PATINOX_SEED"] ?? 20_240) }
    )
    expect([...Object.keys(steps), ...Object.keys(ends)].filter((name) => !(met[name]! > 100))).toEqual([])
  })

  it("never have an item in two places", () => {
    fc.assert(fc.property(fc.array(anyStep, { minLength: 20, maxLength: 60 }), (sequence) => {
      const world = new World({ maxSize: 4, minSize: 1 })
      world.state.grow(0)
      for (const { step } of sequence) {
        step(world)
        world.rest()
        const places: Array<FakeItem> = [
          ...world.state.idle,
          ...held(world).filter(({ status }) => status === "inUse"),
          ...world.kept.filter(({ status }) => status === "inUse"),
          ...world.checks.map(({ item }) => item).filter(({ status }) => status === "inUse"),
          ...world.items.filter(({ status }) => status === "destroying")
        ]
        expect(new Set(places).size).toBe(places.length)
        expect(places.length).toBe(world.items.filter(({ status }) => status !== "gone").length)
      }
    }))
  })
})
