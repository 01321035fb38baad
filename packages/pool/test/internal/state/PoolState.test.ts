import { describe, expect, it } from "@effect/vitest"
import { type FakeItem, outcomes, withIdle, World } from "../poolWorld.js"

describe("borrowing", () => {
  it("takes the item that was used last, so that those not needed grow old", () => {
    const world = withIdle(3)
    expect(world.borrow().item).toBe(world.items[2])
    expect(world.borrow().item).toBe(world.items[1])
  })

  it("passes over items that are too old, and removes them", () => {
    const world = withIdle(2, {}, () => 100)
    world.now = 100
    const waiter = world.borrow()
    expect(waiter.outcome).toBe("waiting")
    expect(world.removals.map(([, reason]) => reason)).toEqual(["expired", "expired"])
    expect(world.creations.length).toBe(1)
  })

  it("lends what is in use, unless it is being released, was invalidated or the pool is closed", () => {
    const lendable = (spoil: (world: World, item: FakeItem) => void) => {
      const world = withIdle(1)
      const { item } = world.borrow()
      spoil(world, item!)
      return world.state.isLendable(item!)
    }
    expect(lendable(() => {})).toBe(true)
    expect(lendable((world) => world.state.drain(0, "fail"))).toBe(true)
    expect(lendable((world, item) => world.giveBack(item))).toBe(false)
    expect(lendable((world, item) => world.released(item))).toBe(false)
    expect(lendable((world, item) => world.condemn(item))).toBe(false)
    expect(lendable((world) => world.state.close(0))).toBe(false)
  })

  it("takes nothing while somebody waits", () => {
    const world = withIdle(1)
    world.state.suspend()
    const first = world.borrow()
    expect(world.state.idle.length).toBe(1)
    expect(world.state.take(0)).toBeUndefined()
    world.state.resume(0)
    expect(first.outcome).toBe("served")
  })

  it("serves borrowers that wait by urgency, then by age", () => {
    const world = withIdle(1)
    world.state.resize(0, 1, 0)
    const { item } = world.borrow()
    const [low, normal, critical, later] = [0, 1, 3, 1].map((band) => world.borrow(band))
    for (const next of [critical, normal, later, low]) {
      world.giveBack(item!)
      expect(next!.item).toBe(item)
    }
  })

  it("turns away who would wait beyond the limit, but not those for whom there is room", () => {
    const world = new World({ maxSize: 2, maxWaiters: 1 })
    for (let i = 0; i < 4; i++) world.borrow()
    expect(outcomes(world)).toEqual(["waiting", "waiting", "waiting", "turnedAway"])
    world.created()
    world.created()
    expect(world.state.waiting.size).toBe(1)
    expect(world.borrow().outcome).toBe("turnedAway")
  })

  it("creates for a borrower where none may wait, and turns away the next", () => {
    const world = new World({ maxSize: 1, maxWaiters: 0 })
    const first = world.borrow()
    world.created()
    expect(first.outcome).toBe("served")
    expect(world.borrow().outcome).toBe("turnedAway")
  })

  it("gives those whose items were unfit their places back, in whichever order they come back", () => {
    const world = withIdle(2, { maxSize: 2 })
    const [first, second] = [world.borrow(), world.borrow()]
    const third = world.borrow()
    world.unfit(second.item!)
    world.unfit(first.item!)
    expect(world.line()).toEqual([first, second, third])
  })

  it("lets who was served an unfit item wait again, however many may", () => {
    const world = withIdle(1, { maxSize: 1, maxWaiters: 0 })
    const { item } = world.borrow()
    world.unfit(item!)
    expect(outcomes(world).at(-1)).toBe("waiting")
  })
})

describe("returning", () => {
  it("hands the item to the borrower that waits, without its being idle in between", () => {
    const world = withIdle(1, { maxSize: 1 })
    const { item } = world.borrow()
    const waiter = world.borrow()
    world.giveBack(item!)
    expect(waiter.item).toBe(item)
    expect(world.state.idle).toEqual([])
  })

  it("does nothing for an item that is not in use", () => {
    const world = withIdle(2)
    const [idle] = world.state.idle
    world.state.giveBack(idle!, 0)
    expect(world.state.idle.length).toBe(2)
    expect(world.state.inUse).toBe(0)
  })

  it("removes an item that is too old, or was used often enough", () => {
    const old = withIdle(1, {}, () => 100)
    const { item } = old.borrow()
    old.now = 100
    old.giveBack(item!)
    expect(old.reasonOf(item!)).toBe("expired")
    const used = withIdle(1, { maxUses: 2 })
    const second = used.borrow().item!
    used.giveBack(second)
    expect(used.reasonOf(second)).toBe("maxUses")
  })

  it("says beforehand whether an item will be removed", () => {
    const world = withIdle(2, { maxUses: 3, maxSize: 2 }, () => 100)
    const { item } = world.borrow()
    expect(world.state.reasonToRetire(item!, 0)).toBeUndefined()
    expect(world.state.reasonToRetire(item!, 100)).toBe("expired")
    item!.uses = 3
    expect(world.state.reasonToRetire(item!, 0)).toBe("maxUses")
    item!.uses = 1
    world.borrow()
    world.state.resize(0, 1, 0)
    expect(world.state.reasonToRetire(item!, 0)).toBe("resized")
    world.state.resize(0, 2, 0)
    world.state.drain(0, "fail")
    expect(world.state.reasonToRetire(item!, 0)).toBe("drained")
  })
})

describe("an item that somebody else releases", () => {
  it("an item that somebody else releases is not lent any more, and counts until its end", () => {
    const world = withIdle(1)
    const [item] = world.items
    world.released(item!)
    expect([world.state.idle.length, world.state.destroying]).toEqual([0, 1])
    world.releaseEnded(item!)
    expect(world.state.total).toBe(0)
  })

  it("counts until its end where its holder returns it before", () => {
    const world = withIdle(1)
    const { item } = world.borrow()
    world.released(item!)
    expect(world.state.inUse).toBe(1)
    world.giveBack(item!)
    expect([world.state.inUse, world.state.destroying, world.removals]).toEqual([0, 1, []])
    world.releaseEnded(item!)
    expect(world.state.total).toBe(0)
  })

  it("makes room for another at its end, though its holder still has it", () => {
    const world = withIdle(1, { maxSize: 1 })
    const { item } = world.borrow()
    const waiter = world.borrow()
    world.released(item!)
    expect(world.creations.length).toBe(0)
    world.releaseEnded(item!)
    expect(world.creations.length).toBe(1)
    world.created()
    expect(waiter.outcome).toBe("served")
    world.giveBack(item!)
    expect(world.state.total).toBe(1)
  })
})

describe("idle items", () => {
  const at = (world: World, now: number) => {
    world.pass(now - world.now)
    return world.state.idle.length
  }

  it("go when they have been idle for long, the oldest first, down to minSize", () => {
    const world = withIdle(3, { idleTimeout: 100, minSize: 1 })
    expect(at(world, 99)).toBe(3)
    expect(at(world, 100)).toBe(1)
    expect(world.removals.map(([{ name }, reason]) => [name, reason])).toEqual([[0, "idle"], [1, "idle"]])
    expect(world.maintainDue).toBe(Infinity)
    expect(at(world, 10_000)).toBe(1)
  })

  it("go when they are too old, whatever minSize, and are made up for", () => {
    const world = withIdle(1, { minSize: 1 }, () => 50)
    expect(at(world, 50)).toBe(0)
    expect(world.removals.map(([, reason]) => reason)).toEqual(["expired"])
    expect(world.creations.length).toBe(1)
  })

  it("go as soon as minSize is lowered, where they have been idle for long", () => {
    const world = withIdle(2, { idleTimeout: 100, minSize: 2 })
    expect(at(world, 500)).toBe(2)
    world.state.resize(1, 3, world.now)
    expect(world.state.idle.length).toBe(1)
  })

  it("idle items are checked once an interval, while they are not used", () => {
    const world = withIdle(1, { keepAliveInterval: 100 })
    const [item] = world.items
    at(world, 100)
    expect(world.kept).toEqual([item])
    expect([world.state.inUse, world.state.idle.length, world.maintainDue]).toEqual([1, 0, Infinity])
    world.keptAlive(item!)
    expect([world.state.inUse, world.state.idle.length, world.maintainDue]).toEqual([0, 1, 200])
    at(world, 150)
    world.giveBack(world.borrow().item!)
    at(world, 249)
    expect(world.kept).toEqual([])
    at(world, 250)
    expect(world.kept).toEqual([item])
  })

  it("stay idle for as long as before when they are checked, in a full pool, too", () => {
    const world = withIdle(2, { keepAliveInterval: 40, idleTimeout: 100, maxSize: 2 })
    for (const now of [40, 80]) {
      at(world, now)
      // One after the other.
      while (world.kept.length > 0) {
        world.keptAlive(world.kept[0]!)
        world.pass(0)
      }
    }
    expect(world.state.idle.map(({ idleSince, name }) => [name, idleSince])).toEqual([[0, 0], [1, 0]])
    expect(at(world, 100)).toBe(0)
    expect(world.removals.map(([, reason]) => reason)).toEqual(["idle", "idle"])
  })

  it("take the place that they had when they are checked", () => {
    const world = new World({ keepAliveInterval: 100, createConcurrency: 9, maxSize: 8 })
    for (let i = 0; i < 8; i++) world.borrow()
    for (let i = 0; i < 8; i++) world.created()
    const items = world.items.slice()
    for (const item of items) {
      world.now += 10
      world.giveBack(item)
    }
    at(world, 120)
    expect(world.kept).toEqual(items.slice(0, 2))
    world.keptAlive(items[1]!)
    world.keptAlive(items[0]!)
    expect(world.state.idle).toEqual(items)
  })

  it("idle items are kept alive a quarter at a time, so that the others can be lent, and all of them in the end", () => {
    const world = withIdle(20, { keepAliveInterval: 100, maxSize: 20, createConcurrency: 20 })
    at(world, 100)
    expect([world.kept.length, world.state.idleItems.keeping, world.state.idle.length]).toEqual([5, 5, 15])
    expect(world.borrow().outcome).toBe("served")
    const seen = new Set(world.kept)
    for (let i = 0; i < 40 && world.kept.length > 0; i++) {
      world.keptAlive(world.kept[0]!)
      world.pass(0)
      for (const item of world.kept) seen.add(item)
      expect(world.state.idleItems.keeping).toBeLessThanOrEqual(5)
    }
    expect(seen.size).toBe(19)
    expect(world.state.idle.length).toBe(19)
  })

  it("idle items that hang while they are kept alive leave the others idle", () => {
    const world = withIdle(8, { keepAliveInterval: 100, maxSize: 8, createConcurrency: 8 })
    at(world, 100)
    at(world, 10_000)
    expect([world.state.idleItems.keeping, world.state.idle.length]).toEqual([2, 6])
  })

  it("serve the borrower that waits by the time they have been checked", () => {
    const world = withIdle(1, { keepAliveInterval: 100, maxSize: 1 })
    at(world, 100)
    const waiter = world.borrow()
    world.keptAlive(world.kept[0]!)
    expect(waiter.outcome).toBe("served")
  })

  it("go when their check fails", () => {
    const world = withIdle(1, { keepAliveInterval: 100 })
    at(world, 100)
    world.keptAlive(world.kept[0]!, false)
    expect(world.removals.map(([, reason]) => reason)).toEqual(["keepAliveFailed"])
  })

  it("idle items are removed by hand, and those in use are not", () => {
    const world = withIdle(3)
    world.borrow()
    expect(world.state.evictIdle(0, "evicted")).toBe(2)
    expect(world.state.inUse).toBe(1)
    expect(world.removals.map(([, reason]) => reason)).toEqual(["evicted", "evicted"])
  })
})

describe("other sizes", () => {
  it("remove the oldest idle items first, and of those in use at their return", () => {
    const world = withIdle(3)
    const { item } = world.borrow()
    world.state.resize(0, 1, 0)
    expect(world.removals.map(([{ name }, reason]) => [name, reason])).toEqual([[0, "resized"], [1, "resized"]])
    world.borrow()
    world.giveBack(item!)
    expect(world.reasonOf(item!)).toBeUndefined()
  })

  it("remove an item in use where others waiting for it are too many", () => {
    const world = withIdle(2, { maxSize: 2 })
    const items = [world.borrow().item!, world.borrow().item!]
    const waiter = world.borrow()
    world.state.resize(0, 1, 0)
    world.giveBack(items[0]!)
    expect([world.reasonOf(items[0]!), waiter.outcome]).toEqual(["resized", "waiting"])
    world.giveBack(items[1]!)
    expect(waiter.item).toBe(items[1])
  })

  it("remove what was being created and is too many now", () => {
    const world = new World({ createConcurrency: 3 })
    for (let i = 0; i < 3; i++) world.borrow()
    world.rest()
    world.state.resize(0, 1, 0)
    expect(world.reasonOf(world.created())).toBe("resized")
    expect(world.reasonOf(world.created())).toBe("resized")
    expect(world.reasonOf(world.created())).toBeUndefined()
  })

  it("create at once for those that wait, and for minSize", () => {
    const world = withIdle(1, { maxSize: 1 })
    world.borrow()
    world.borrow()
    world.state.resize(3, 5, 0)
    expect(world.creations.length).toBe(2)
  })
})

describe("a suspended pool", () => {
  it("lends nothing, keeps what comes back, and serves in order when it goes on", () => {
    const world = withIdle(2)
    const { item } = world.borrow()
    world.state.suspend()
    const waiters = [world.borrow(), world.borrow(), world.borrow()]
    world.giveBack(item!)
    expect(world.state.idle.length).toBe(2)
    expect(world.creations.length).toBe(0)
    world.state.resume(0)
    expect(waiters.map(({ outcome }) => outcome)).toEqual(["served", "served", "waiting"])
    expect(world.creations.length).toBe(1)
  })
})

describe("the end", () => {
  it("refuses borrowers that wait, removes idle items, and takes the others back when they return", () => {
    const world = withIdle(2, { maxSize: 2 })
    const { item } = world.borrow()
    world.borrow()
    const waiter = world.borrow()
    expect(world.state.drain(0, "fail")).toBe(1)
    expect(waiter.outcome).toBe("closed")
    world.giveBack(item!)
    expect(world.reasonOf(item!)).toBe("drained")
    expect(world.borrow().outcome).toBe("closed")
  })

  it("serves who waited already, where that is wanted, and no newcomer", () => {
    const world = withIdle(1, { maxSize: 1 })
    const { item } = world.borrow()
    const waiter = world.borrow()
    expect(world.state.drain(0, "serve")).toBe(0)
    expect(world.borrow().outcome).toBe("closed")
    world.giveBack(item!)
    expect(waiter.item).toBe(item)
    world.giveBack(item!)
    expect(world.reasonOf(item!)).toBe("drained")
  })

  it("creates for who waited already, and for nobody else", () => {
    const world = new World({ minSize: 1, createConcurrency: 3 })
    const waiter = world.borrow()
    world.borrow()
    world.state.drain(0, "serve")
    expect(world.creations.length).toBe(2)
    world.giveBack(world.created())
    expect(outcomes(world)).toEqual(["served", "served"])
    expect(world.reasonOf(world.created())).toBe("drained")
    world.giveBack(waiter.item!)
    expect(world.creations.length).toBe(0)
  })

  it("serves those that waited in a suspended pool with what is idle", () => {
    const world = withIdle(2)
    world.state.suspend()
    const waiter = world.borrow()
    world.state.drain(0, "serve")
    expect(waiter.outcome).toBe("served")
    expect(world.removals.map(([, reason]) => reason)).toEqual(["drained"])
  })

  it("gives another to who was served an unfit item, as long as it serves at all", () => {
    const serving = withIdle(1, { maxSize: 1 })
    const { item } = serving.borrow()
    serving.state.drain(0, "serve")
    serving.unfit(item!)
    expect(outcomes(serving).at(-1)).toBe("waiting")
    const refusing = withIdle(1, { maxSize: 1 })
    const other = refusing.borrow().item
    refusing.state.drain(0, "fail")
    refusing.unfit(other!)
    expect(outcomes(refusing).at(-1)).toBe("closed")
  })

  it("closes: no borrower is served, and nothing is due", () => {
    const world = withIdle(2, { idleTimeout: 100, minSize: 1 }, () => 1_000)
    world.borrow()
    world.state.drain(0, "serve")
    world.state.close(0)
    expect([world.growDue, world.maintainDue]).toEqual([Infinity, Infinity])
    world.giveBack(world.held[0]!.item)
    for (const [item] of world.removals) world.ended(item)
    expect([world.state.total, world.creations.length]).toEqual([0, 0])
  })

  it("removes an item whose creation was cancelled", () => {
    const world = new World()
    world.borrow()
    world.state.drain(0, "fail")
    world.creations[0]!.isStuck = true
    world.state.creations.becameUnwanted()
    expect(world.reasonOf(world.created())).toBe("late")
    expect(world.state.circuit.failures).toBe(0)
  })
})
