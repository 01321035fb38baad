/** Single decisions of a cache, by name: what the property holds true but does not say. */
import { describe, expect, it } from "@effect/vitest"
import { FakeCaller, type FakeSlot, World } from "../cacheWorld.js"

const hit = (world: World, key: string): FakeSlot => {
  const entry = world.ask(key)
  if (entry instanceof FakeCaller) throw new Error(`Nothing is there for ${key}`)
  return entry
}

const miss = (world: World, key: string): FakeCaller => {
  const caller = world.ask(key)
  if (!(caller instanceof FakeCaller)) throw new Error(`Something is there for ${key}`)
  return caller
}

/** A value in the cache that somebody uses. */
const used = (world: World, key: string, answer = {}): FakeSlot => {
  const { loading } = miss(world, key)
  return world.loaded(loading, answer)
}

/** A value in the cache that nobody uses. */
const idle = (world: World, key: string, answer = {}): FakeSlot => {
  const entry = used(world, key, answer)
  world.leave(entry)
  return entry
}

const reasonOf = (world: World, entry: FakeSlot) => world.bookOf(entry)?.reason

describe("a refresh that fails", () => {
  it("a refresh that fails is followed by a pause that doubles from a second to a minute", () => {
    const world = new World({ refreshAfter: 10 })
    const entry = idle(world, "a")
    world.pass(10)
    const pauses: Array<number> = []
    for (let i = 0; i < 9; i++) {
      world.leave(hit(world, "a"))
      expect(world.loads.length).toBe(1)
      world.failed()
      pauses.push(entry.lookAt - world.time)
      world.pass(entry.lookAt - world.time - 0.1)
      world.leave(hit(world, "a"))
      expect(world.loads).toEqual([])
      world.pass(0.1)
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  it("starts from a second again after one that succeeds", () => {
    const world = new World({ refreshAfter: 10 })
    idle(world, "a")
    world.pass(10)
    world.leave(hit(world, "a"))
    world.failed()
    world.pass(1_000)
    world.leave(hit(world, "a"))
    const entry = world.loaded()
    world.pass(10)
    world.leave(hit(world, "a"))
    world.failed()
    expect(entry.lookAt - world.time).toBe(1_000)
  })

  it("does not have a value looked up again that is not old enough for it", () => {
    const world = new World()
    idle(world, "a", { ttl: 60_000 })
    const caller = world.join("a")
    world.failed()
    expect(caller.entry?.exit._tag).toBe("Failure")
    world.pass(30_000)
    world.leave(hit(world, "a"))
    expect(world.loads).toEqual([])
  })

  it("does not keep a value that is too old by then", () => {
    const world = new World({ staleOnError: 50 })
    const old = idle(world, "a", { ttl: 10 })
    world.pass(20)
    const early = miss(world, "a")
    world.pass(40, true)
    world.failed()
    expect(early.entry?.exit._tag).toBe("Failure")
    expect(reasonOf(world, old)).toBe("failed")
    expect(old.status).toBe("releasing")
  })

  it("gives the old value to who takes it, for as long as it may be stale", () => {
    const world = new World({ staleOnError: 5_000 })
    const old = idle(world, "a", { ttl: 10 })
    world.pass(20)
    const asking = miss(world, "a")
    const refreshing = world.join("a")
    world.failed()
    expect(asking.entry).toBe(old)
    // Its lookup is another: it has asked after the first one had begun.
    expect(refreshing.entry).toBe(undefined)
    world.failed()
    expect(refreshing.entry?.exit._tag).toBe("Failure")
    // In the pause nobody waits for another failure.
    expect(hit(world, "a")).toBe(old)
    expect(world.loads).toEqual([])
    world.pass(2_000)
    expect(miss(world, "a").outcome).toBe("waiting")
  })
})

describe("a refresh whose old value goes meanwhile", () => {
  it("a refresh whose old value goes meanwhile is ended where nobody waits for it, and what it gives all the same is released at once", () => {
    const world = new World({ refreshAfter: 5 })
    idle(world, "a", { ttl: 10 })
    world.pass(5)
    world.leave(hit(world, "a"))
    const [refresh] = world.loads
    world.pass(5)
    expect(refresh!.phase).toBe("aborted")
    expect(world.state.loads.get("a")).toBe(undefined)
    const caller = miss(world, "a")
    expect(caller.loading).not.toBe(refresh)
    const late = world.loaded(refresh)
    expect(late.status).toBe("releasing")
    expect(reasonOf(world, late)).toBe(undefined)
    expect(caller.outcome).toBe("waiting")
  })

  it("goes on where somebody waits for it, and takes room from then on", () => {
    const world = new World({ maxEntries: 1 })
    idle(world, "a", { ttl: 10 })
    const caller = world.join("a")
    world.pass(10)
    world.released()
    const other = miss(world, "b")
    expect(other.loading?.phase).toBe("queued")
    const entry = world.loaded()
    expect(caller.entry).toBe(entry)
    expect(entry.status).toBe("cached")
    world.leave(entry)
    expect(reasonOf(world, entry)).toBe("evicted")
    world.released()
    expect(other.loading?.phase).toBe("running")
  })
})

describe("a lookup of a key that is invalidated meanwhile", () => {
  it("a lookup of a key that is invalidated meanwhile is only for those who had asked by then", () => {
    const world = new World()
    const before = miss(world, "a")
    expect(world.invalidate("a")).toBe(true)
    const after = miss(world, "a")
    expect(after.loading).not.toBe(before.loading)
    const fresh = world.loaded(after.loading)
    const old = world.loaded(before.loading)
    expect(before.entry).toBe(old)
    expect(after.entry).toBe(fresh)
    expect(hit(world, "a")).toBe(fresh)
    world.leave(old)
    expect(old.status).toBe("releasing")
  })

  it("leaves the one that began after it to all who ask, however early it ends", () => {
    const world = new World()
    const before = miss(world, "a")
    world.invalidate("a")
    const after = miss(world, "a")
    world.loaded(before.loading)
    expect(miss(world, "a").loading).toBe(after.loading)
    expect(world.loads).toEqual([after.loading])
  })

  it("a lookup of a key that is invalidated meanwhile is ended where it is a refresh that nobody waits for", () => {
    const world = new World({ refreshAfter: 5 })
    idle(world, "a")
    world.pass(5)
    world.leave(hit(world, "a"))
    world.invalidate("a")
    expect(world.loads[0]!.phase).toBe("aborted")
  })

  it("waits for its room all the same, for those who wait for it", () => {
    const world = new World({ maxEntries: 1 })
    const first = used(world, "a")
    const before = miss(world, "b")
    world.invalidate("b")
    const after = miss(world, "b")
    world.leave(first)
    world.released()
    expect([before.loading?.phase, after.loading?.phase]).toEqual(["running", "queued"])
  })

  it("a lookup of a key that is invalidated meanwhile is what a value set by hand replaces", () => {
    const world = new World()
    const before = miss(world, "a")
    const given = world.set("a")
    const looked = world.loaded(before.loading)
    expect(before.entry).toBe(looked)
    expect(hit(world, "a")).toBe(given)
    expect(looked.status).toBe("retired")
  })
})

describe("a lookup that was ended as nobody wanted it", () => {
  it("begins again for who asked before its end", () => {
    const world = new World()
    const first = miss(world, "a")
    world.abandon(first)
    expect(world.loads[0]!.phase).toBe("aborted")
    const second = miss(world, "a")
    expect(second.loading).toBe(first.loading)
    world.failed()
    expect(second.outcome).toBe("waiting")
    expect(second.loading?.phase).toBe("running")
    const entry = world.loaded()
    expect(second.entry).toBe(entry)
  })

  it("begins again for them though the key is invalidated since", () => {
    const world = new World()
    world.abandon(miss(world, "a"))
    const second = miss(world, "a")
    world.invalidate("a")
    const third = miss(world, "a")
    world.failed(second.loading)
    expect(second.loading?.phase).toBe("running")
    const entry = world.loaded(second.loading)
    expect(second.entry).toBe(entry)
    expect(entry.status).toBe("retired")
    expect(third.outcome).toBe("waiting")
  })

  it("a lookup that was ended as nobody wanted it is kept where it ends with a value", () => {
    const world = new World()
    world.abandon(miss(world, "a"))
    const entry = world.loaded()
    expect(hit(world, "a")).toBe(entry)
  })
})

describe("a cache that is full and does not wait", () => {
  it("turns away who asks while everything is in use", () => {
    const world = new World({ maxEntries: 2, whenFull: "fail" })
    used(world, "a")
    miss(world, "b")
    expect(miss(world, "c").outcome).toBe("full")
    expect(hit(world, "a").key).toBe("a")
    expect(miss(world, "b").outcome).toBe("waiting")
  })

  it("takes on who finds something idle, but one for each", () => {
    const world = new World({ maxEntries: 2, whenFull: "fail" })
    used(world, "a")
    idle(world, "b")
    expect(miss(world, "c").outcome).toBe("waiting")
    expect(miss(world, "d").outcome).toBe("full")
  })

  it("counts a value that is being released as room, though somebody still uses it", () => {
    const world = new World({ maxEntries: 1, whenFull: "fail" })
    world.seize(used(world, "a"))
    expect(miss(world, "b").outcome).toBe("waiting")
    world.released()
    expect(world.loads.length).toBe(1)
  })

  it("turns away who would wait for weight that nobody can free", () => {
    const world = new World({ maxEntries: 10, maxWeight: 3, whenFull: "fail" })
    idle(world, "a", { weight: 0 })
    used(world, "b", { weight: 3 })
    expect(miss(world, "c").outcome).toBe("full")
  })
})

describe("room", () => {
  it("room is made by one value for one lookup, though its release takes time", () => {
    const world = new World({ maxEntries: 2 })
    const [a, b] = [idle(world, "a"), idle(world, "b")]
    const caller = miss(world, "c")
    expect([a.status, b.status]).toEqual(["releasing", "cached"])
    expect(caller.loading?.phase).toBe("queued")
    world.invalidate("x")
    expect(b.status).toBe("cached")
    world.released()
    expect(caller.loading?.phase).toBe("running")
  })

  it("goes to who has waited longest", () => {
    const world = new World({ maxEntries: 1 })
    const entry = used(world, "a")
    const line = [miss(world, "b"), miss(world, "c")]
    world.abandon(line[0]!)
    const last = miss(world, "d")
    world.leave(entry)
    world.released()
    expect([line[1]!.loading?.phase, last.loading?.phase]).toEqual(["running", "queued"])
  })

  it("room is found past values in use, which have their turn again afterwards", () => {
    const world = new World({ maxEntries: 2 })
    const first = used(world, "a")
    const second = idle(world, "b")
    miss(world, "c")
    expect([reasonOf(world, first), reasonOf(world, second)]).toEqual([undefined, "evicted"])
    expect(first.isPinned).toBe(true)
    world.released()
    world.leave(world.loaded())
    world.leave(first)
    expect(first.isPinned).toBe(false)
    miss(world, "d")
    miss(world, "e")
    expect(reasonOf(world, first)).toBe("evicted")
  })

  it("room is not kept by a removal listener once the last user is gone", () => {
    const world = new World({ maxEntries: 1 })
    world.isListening = true
    const entry = used(world, "a")
    world.invalidate("a")
    const caller = miss(world, "b")
    world.leave(entry)
    expect(entry.status).toBe("retired")
    world.heard(entry)
    expect(entry.status).toBe("releasing")
    expect(caller.loading?.phase).toBe("queued")
    world.released()
    expect(caller.loading?.phase).toBe("running")
  })
})

describe("expiry", () => {
  it("comes for whom the timer is a fraction of a millisecond early, and not for who has longer", () => {
    const world = new World()
    const [soon, later] = [idle(world, "a", { ttl: 10.4 }), idle(world, "b", { ttl: 11 })]
    world.pass(10, true)
    world.due(soon)
    world.due(later)
    expect([reasonOf(world, soon), reasonOf(world, later)]).toEqual(["expired", undefined])
    expect(world.dues.get(later)).toBe(11)
  })

  it("does not wait for a timer that is late", () => {
    const world = new World({ timeToIdle: 5 })
    const entries = [idle(world, "a"), idle(world, "b", { ttl: 3 })]
    world.pass(3, true)
    miss(world, "b")
    world.pass(2, true)
    miss(world, "a")
    expect(entries.map((entry) => reasonOf(world, entry))).toEqual(["expired", "expired"])
  })

  it("expiry by idleness does not come for what is in use, though its timer is late", () => {
    const world = new World({ timeToIdle: 5 })
    const entry = used(world, "a")
    world.pass(20, true)
    expect(hit(world, "a")).toBe(entry)
    expect(reasonOf(world, entry)).toBeUndefined()
  })

  it("expiry by idleness begins when the last use ends", () => {
    const world = new World({ timeToIdle: 5 })
    const entry = used(world, "a")
    world.pass(20)
    expect(entry.status).toBe("cached")
    world.pass(3)
    world.leave(entry)
    world.pass(4)
    expect(entry.status).toBe("cached")
    world.pass(1)
    expect(reasonOf(world, entry)).toBe("expired")
  })
})

describe("a value that is not to be kept", () => {
  it("a value that is not to be kept is only for those who wait for it, and what it was to replace goes all the same", () => {
    const world = new World()
    const old = idle(world, "a")
    const caller = world.join("a")
    const entry = world.loaded(undefined, { ttl: 0 })
    expect(caller.entry).toBe(entry)
    expect([reasonOf(world, old), entry.status]).toEqual(["replaced", "retired"])
    world.leave(entry)
    expect(entry.status).toBe("releasing")
    expect(miss(world, "a").outcome).toBe("waiting")
  })
})

describe("a release that somebody else begins", () => {
  it("takes the value out of the cache, and tells when its last user is gone", () => {
    const world = new World()
    const entry = used(world, "a")
    let unused = 0
    entry.lease!.onUnused = () => unused++
    world.seize(entry)
    expect(reasonOf(world, entry)).toBe("shutdown")
    expect(entry.status).toBe("releasing")
    expect(miss(world, "a").outcome).toBe("waiting")
    world.leave(entry)
    expect(unused).toBe(1)
  })
})

describe("a failure that is kept", () => {
  it("a failure that is kept is an entry as any other, but is neither used nor released", () => {
    const world = new World({ maxEntries: 1 })
    miss(world, "a")
    const entry = world.failed(world.loads[0], 100)
    expect(hit(world, "a")).toBe(entry)
    expect([world.state.occupancy.cached, world.state.occupancy.inUse]).toEqual([1, 0])
    miss(world, "b")
    expect([reasonOf(world, entry), entry.status]).toEqual(["evicted", "gone"])
    expect(world.loads.length).toBe(1)
  })
})

describe("the end", () => {
  it("refuses who waits, ends lookups, and lets go of what nobody uses", () => {
    const world = new World({ maxEntries: 3 })
    const [a, b] = [used(world, "a"), idle(world, "b")]
    const callers = [miss(world, "c"), world.join("c"), miss(world, "d")]
    world.close()
    expect(callers.map(({ outcome }) => outcome)).toEqual(["refused", "refused", "refused"])
    expect(world.loads.map(({ phase }) => phase)).toEqual(["aborted"])
    expect([a.status, b.status]).toEqual(["retired", "releasing"])
    expect(miss(world, "a").outcome).toBe("closed")
    world.reclaim(a)
    expect(a.status).toBe("releasing")
  })

  it("the end is also that of a value that comes afterwards", () => {
    const world = new World()
    miss(world, "a")
    world.close()
    expect(world.loaded().status).toBe("releasing")
    expect(world.set("b").status).toBe("releasing")
  })
})
