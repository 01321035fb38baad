import { Exit } from "effect"
import { describe, expect, it } from "vitest"
import { Held, Hold } from "../../src/internal/Held.js"
import { Loading, type LoadingPhase } from "../../src/internal/Loading.js"
import * as RoomCircle from "../../src/internal/RoomCircle.js"
import { Slot } from "../../src/internal/Slot.js"

/** A cache, as far as its places go. */
const makePlaces = () => ({
  running: new Set<Loading<any, any, any>>(),
  retired: [],
  releasing: [],
  slots: [] as Array<Slot<any, any, any>>,
  cached() {
    return this.slots
  }
})

let keys = 0
const keyed = () => ({ key: ++keys, hash: keys })

const lookupIn = (places: ReturnType<typeof makePlaces>, phase: LoadingPhase) => {
  const loading = new Loading<any, any, any>(keyed(), undefined, {} as never, places)
  loading.phase = phase
  loading.takesRoom = phase === "running"
  if (phase === "running") places.running.add(loading)
  return loading
}

/** Somebody who waits for a lookup, and uses a value meanwhile. */
const userWaiting = (loading: Loading<any, any, any>, places: ReturnType<typeof makePlaces>): RoomCircle.Waiter => {
  const fiber = {} as never
  const terms = { weight: 1, writtenAt: 0, expiresAt: Infinity, timeToIdle: Infinity }
  const slot = new Slot<any, any, any>({ due: () => {} }, keyed(), Exit.void, terms)
  slot.held = new Held<any>(undefined, {} as never)
  slot.held.add(new Hold(fiber, 0))
  slot.users = 1
  places.slots.push(slot)
  const waiter = { fiber, loading, within: [], sibling: undefined }
  RoomCircle.enter(waiter)
  return waiter
}

describe("a circle of waits for room", () => {
  it("is seen where whoever holds a place of a full cache waits for room in it", () => {
    const places = makePlaces()
    const waiter = userWaiting(lookupIn(places, "queued"), places)
    expect(RoomCircle.isClosedBy(waiter)).toBe(true)
    RoomCircle.leave(waiter)
  })

  it("is not seen where a lookup that ends is all that keeps another waiting, in whatever order that is found out", () => {
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
