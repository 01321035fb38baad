import { Exit } from "effect"
import { describe, expect, it } from "vitest"
import { Borrow, Lease } from "../../../src/internal/Lease.js"
import { CacheEntry } from "../../../src/internal/state/CacheEntry.js"
import { Load } from "../../../src/internal/state/Load.js"
import * as RoomCircle from "../../../src/internal/state/RoomCircle.js"
import type { LoadPhase } from "../../../src/internal/state/Vocabulary.js"

/** A cache, as far as its places go. */
const makePlaces = () => ({
  running: new Set<Load<any, any, any>>(),
  retired: [],
  releasing: [],
  entries: [] as Array<CacheEntry<any, any, any>>,
  cached() {
    return this.entries
  }
})

let keys = 0
const keyed = () => ({ key: ++keys, hash: keys })

const lookupIn = (places: ReturnType<typeof makePlaces>, phase: LoadPhase) => {
  const loading = new Load<any, any, any>(keyed(), undefined, {} as never, places)
  loading.phase = phase
  loading.takesRoom = phase === "running"
  if (phase === "running") places.running.add(loading)
  return loading
}

/** Somebody who waits for a lookup, and uses a value meanwhile. */
const userWaiting = (loading: Load<any, any, any>, places: ReturnType<typeof makePlaces>): RoomCircle.Waiter => {
  const fiber = {} as never
  const terms = { weight: 1, writtenAt: 0, expiresAt: Infinity, timeToIdle: Infinity }
  const entry = new CacheEntry<any, any, any>({ due: () => {} }, keyed(), Exit.void, terms)
  entry.lease = new Lease<any>(undefined, {} as never)
  entry.lease.add(new Borrow(fiber, 0))
  entry.users = 1
  places.entries.push(entry)
  const waiter = { fiber, load: loading, within: [], sibling: undefined }
  RoomCircle.enter(waiter)
  return waiter
}

describe("a circle of waits for room", () => {
  it("a circle of waits for room is seen where whoever holds a place of a full cache waits for room in it", () => {
    const places = makePlaces()
    const waiter = userWaiting(lookupIn(places, "queued"), places)
    expect(RoomCircle.isClosedBy(waiter)).toBe(true)
    RoomCircle.leave(waiter)
  })

  it("a circle of waits for room is not seen where only a lookup that ends keeps another waiting", () => {
    for (const isEndingFirst of [true, false]) {
      const first = makePlaces()
      const second = makePlaces()
      // It waits for a place of the first cache, which one of two lookups there will give back.
      const queued = lookupIn(first, "queued")
      const dependent = lookupIn(first, "running")
      lookupIn(first, "running")
      dependent.waits(queued, 1)
      // And for one of the second, where a user waits for what ends.
      const other = lookupIn(second, "queued")
      const root = lookupIn(makePlaces(), "running")
      for (const pending of isEndingFirst ? [queued, other] : [other, queued]) root.waits(pending, 1)
      const waiter = userWaiting(root, second)
      const user = userWaiting(dependent, second)
      expect(RoomCircle.isClosedBy(waiter)).toBe(false)
      RoomCircle.leave(waiter)
      RoomCircle.leave(user)
    }
  })
})
