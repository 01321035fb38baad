import { expect, it } from "@effect/vitest"
import { IdleItems } from "../../../src/internal/state/IdleItems.js"
import { Doubt } from "../../../src/internal/state/PoolItem.js"
import { FakeItem, noLimits } from "../poolWorld.js"

/** So many idle items, added at 0, 1, 2 ... */
const idleItems = (
  count: number,
  { idleTimeout = Infinity, keepAliveInterval = Infinity, minSize = count }: {
    readonly idleTimeout?: number
    readonly keepAliveInterval?: number
    readonly minSize?: number
  } = {}
) => {
  const pool = { lasting: count, minSize }
  const wakes: Array<number> = []
  const host = { maintainAt: (at: number) => void wakes.push(at) }
  const idle = new IdleItems<FakeItem>({ ...noLimits, idleTimeout, keepAliveInterval }, pool, host)
  const items = Array.from({ length: count }, (_, at) => new FakeItem(at, at, 1_000 + at))
  for (const item of items) idle.add(item, item.usedAt)
  return { idle, items, pool, wakes }
}

it("lends the item that was added last, and a suspect after all others", () => {
  const { idle, items } = idleItems(2)
  const suspect = new FakeItem(2, 2)
  suspect.doubts = Doubt.suspect | Doubt.fresh
  idle.add(suspect, 2)
  expect(idle.list).toEqual([suspect, items[0], items[1]])
  expect([suspect.status, suspect.idleSince, suspect.doubts]).toEqual(["idle", 2, Doubt.suspect])
})

it("puts an item that was checked back to its place, as idle as before", () => {
  const { idle, items } = idleItems(3)
  const [first, second, third] = items
  idle.remove(second!)
  idle.add(second!, 50)
  idle.restore(second!, 1, 50)
  expect(idle.list).toEqual([first, second, third])
  expect(second!.idleSince).toBe(1)
})

it("wakes for the item that expires first, and for none once it is empty", () => {
  const { idle, wakes } = idleItems(3)
  expect(wakes).toEqual([1_000])
  expect(idle.clear()).toHaveLength(3)
  expect([wakes.at(-1), idle.list.length]).toEqual([Infinity, 0])
})

it("wakes for the idle timeout only where there are more items than are kept", () => {
  expect(idleItems(2, { idleTimeout: 100 }).wakes).toEqual([1_000])
  expect(idleItems(2, { idleTimeout: 100, minSize: 1 }).wakes).toEqual([100])
})

it("plans again when a surplus comes or goes", () => {
  const { idle, pool, wakes } = idleItems(2, { idleTimeout: 100 })
  expect(idle.planSurplus(5)).toBe(false)
  pool.lasting = 3
  expect(idle.planSurplus(5)).toBe(true)
  expect(wakes).toEqual([1_000, 100])
})

it("says what is due for an item: its lifetime first, then a surplus, then keeping it alive", () => {
  const { idle, items: [item], pool } = idleItems(1, { idleTimeout: 200, keepAliveInterval: 100, minSize: 0 })
  idle.begin()
  expect(idle.due(item!, 99)).toBeUndefined()
  expect(idle.due(item!, 100)).toBe("keepAlive")
  expect(idle.due(item!, 200)).toBe("idle")
  pool.minSize = 1
  expect(idle.due(item!, 200)).toBe("keepAlive")
  expect(idle.due(item!, 1_000)).toBe("expired")
})

it("keeps a quarter alive at once, and wakes for those that were postponed when half of it has ended", () => {
  const { idle, items, wakes } = idleItems(16, { keepAliveInterval: 100 })
  idle.keeping = 4
  idle.begin()
  expect(idle.due(items[0]!, 200)).toBeUndefined()
  idle.planAll(200)
  expect(wakes.at(-1)).toBe(1_000)
  idle.keepAliveEnded(201)
  expect(wakes.at(-1)).toBe(1_000)
  idle.keepAliveEnded(202)
  expect([idle.keeping, wakes.at(-1)]).toEqual([2, 202])
})
