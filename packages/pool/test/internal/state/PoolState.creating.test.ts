import { describe, expect, it } from "@effect/vitest"
import type { PoolLimits } from "../../../src/internal/state/PoolPorts.js"
import { outcomes, withIdle, World } from "../poolWorld.js"

describe("creating", () => {
  it("makes no more than is wanted, so many at once", () => {
    const world = new World({ maxSize: 10, createConcurrency: 3 })
    for (let i = 0; i < 5; i++) world.borrow()
    expect(world.creations.length).toBe(3)
    const first = world.created()
    expect(world.creations.length).toBe(3)
    world.giveBack(first)
    world.created()
    expect(world.creations.length).toBe(2)
  })

  it("makes fewer than there are borrowers when items come back meanwhile", () => {
    const world = new World({ maxSize: 50, createConcurrency: 1 })
    for (let i = 0; i < 50; i++) world.borrow()
    const item = world.created()
    for (let i = 0; i < 48; i++) world.giveBack(item)
    expect(world.items.length + world.creations.length).toBe(2)
    world.created()
    expect(outcomes(world).every((outcome) => outcome === "served")).toBe(true)
  })

  it("makes no more for minSize than those that wait leave to be made", () => {
    const world = new World({ minSize: 2, createConcurrency: 5 })
    world.borrow()
    expect(world.creations.length).toBe(2)
    world.created()
    world.borrow()
    world.created()
    expect([world.state.inUse, world.creations.length]).toEqual([2, 0])
  })

  it("keeps minSize, and makes up for what goes", () => {
    const world = new World({ minSize: 2, createConcurrency: 5 })
    world.state.grow(0)
    expect(world.creations.length).toBe(2)
    world.created()
    world.created()
    world.state.evictIdle(0, "evicted")
    expect(world.creations.length).toBe(1)
    for (const [item] of world.removals) world.ended(item)
    expect(world.creations.length).toBe(2)
  })

  it("waits after a failure, and tries again when the pause is over", () => {
    const world = new World()
    world.borrow()
    world.createFailed()
    expect([world.creations.length, world.growDue]).toEqual([0, 10])
    world.pass(10)
    expect(world.creations.length).toBe(1)
  })

  it("does not try again when no borrower waits", () => {
    const world = new World()
    const waiter = world.borrow()
    world.createFailed()
    world.leave(waiter)
    expect(world.growDue).toBe(Infinity)
    world.pass(1_000)
    expect(world.creations.length).toBe(0)
  })

  it("counts a creation that takes too long until it has ended, and creates another beside it", () => {
    const world = new World({ maxSize: 2 })
    world.borrow()
    world.createStuck()
    world.pass(10)
    expect(world.creations.length).toBe(2)
    expect(world.state.total).toBe(2)
    world.borrow()
    expect(world.creations.length).toBe(2)
    world.createFailed(0)
    expect(world.state.total).toBe(2)
    expect(world.creations.map(({ isStuck }) => isStuck)).toEqual([false, false])
  })

  it("removes an item that comes too late", () => {
    const world = new World()
    const waiter = world.borrow()
    world.createStuck()
    expect(world.reasonOf(world.created())).toBe("late")
    expect(waiter.outcome).toBe("waiting")
  })
})

describe("failing fast", () => {
  const failing = (limits: Partial<PoolLimits> = {}) => {
    const world = new World({ failFastAfter: 2, ...limits })
    world.borrow()
    world.borrow()
    world.createFailed()
    return world
  }

  it("refuses everybody once it has failed so often and nothing is there", () => {
    const world = failing()
    expect(outcomes(world)).toEqual(["waiting", "waiting"])
    world.createFailed()
    expect(outcomes(world)).toEqual(["creation", "creation"])
    expect(world.borrow().outcome).toBe("creation")
  })

  it("waits for the attempt that still runs", () => {
    const world = new World({ failFastAfter: 1 })
    const waiters = [world.borrow(), world.borrow()]
    world.createFailed()
    expect(outcomes(world)).toEqual(["waiting", "waiting"])
    world.created()
    expect(waiters.map(({ outcome }) => outcome)).toEqual(["served", "waiting"])
  })

  it("lets borrowers wait for one attempt when the pause is over, and serves them when that succeeds", () => {
    const world = failing()
    world.createFailed()
    world.pass(world.state.circuit.nextAt)
    const waiters = [world.borrow(), world.borrow(), world.borrow()]
    expect([world.outcomesOf(waiters), world.creations.length]).toEqual([["waiting", "waiting", "waiting"], 1])
    world.created()
    expect(world.outcomesOf(waiters)).toEqual(["served", "waiting", "waiting"])
    expect([world.state.circuit.isOpen, world.creations.length]).toEqual([false, 2])
  })

  it("refuses those that wait for the one attempt when that fails, and newcomers until the next pause is over", () => {
    const world = failing()
    world.createFailed()
    world.pass(world.state.circuit.nextAt)
    const waiters = [world.borrow(), world.borrow()]
    world.createFailed()
    expect(world.outcomesOf(waiters)).toEqual(["creation", "creation"])
    expect(world.borrow().outcome).toBe("creation")
  })

  it("lets borrowers wait for an item that is in use", () => {
    const world = withIdle(1, { failFastAfter: 1, createConcurrency: 1 })
    const { item } = world.borrow()
    const waiter = world.borrow()
    world.createFailed()
    expect(waiter.outcome).toBe("waiting")
    expect(world.borrow().outcome).toBe("waiting")
    world.giveBack(item!)
    expect(waiter.item).toBe(item)
  })

  it("refuses them when that item does not come back", () => {
    const world = withIdle(1, { failFastAfter: 1, createConcurrency: 1 })
    const { item } = world.borrow()
    const waiter = world.borrow()
    world.createFailed()
    world.giveBack(item!, "invalidated")
    expect(waiter.outcome).toBe("creation")
  })

  it("tries again for minSize by itself", () => {
    const world = new World({ failFastAfter: 1, minSize: 1 })
    world.state.grow(0)
    world.createFailed()
    expect(world.growDue).toBe(10)
    world.pass(10)
    expect(world.creations.length).toBe(1)
  })
})
