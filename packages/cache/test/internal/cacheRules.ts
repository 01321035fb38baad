/** What must hold of the counts and the limits of a cache, by the books of a world. */
import type { FakeSlot, World } from "./cacheWorld.js"

/** As an assertion of vitest, at a hundredth of its time: there are millions of these. */
export const same = (what: string, actual: unknown, expected: unknown): void => {
  if (!Object.is(actual, expected)) throw new Error(`${what}: ${String(actual)}, not ${String(expected)}`)
}

export const must = (what: string, holds: boolean): void => {
  if (!holds) throw new Error(`It does not hold that ${what}`)
}

export const weightOf = (entries: ReadonlyArray<FakeSlot>): number =>
  entries.reduce((sum, { weight }) => sum + weight, 0)

/** What holds between any two transitions. */
export const checkCounts = (world: World): void => {
  const { hearing, holds, loads, state } = world
  const cached = world.with("cached")
  const retired = world.with("retired")
  same("in the cache", state.occupancy.cached, cached.length)
  same("retired", state.entries.retired.size, retired.length)
  same("being released", state.occupancy.releasing, world.with("releasing").length)
  same("in use", state.occupancy.inUse, new Set([...holds, ...hearing]).size)
  same("weight", state.occupancy.weight, world.bookedWeight)
  same("in the cache, by its gauge", world.gauges.cached, cached.length)
  same("in use, by its gauge", world.gauges.inUse, state.occupancy.inUse)
  same("weight, by its gauge", world.gauges.weight, world.bookedWeight)
  same("lookups that run", state.loads.running.size, loads.length)
  for (const { entry } of world.books) {
    same("users", entry.users, [...holds, ...hearing].filter((held) => held === entry).length)
  }
  if (!state.isOpen) {
    for (const entry of cached) {
      must("what is left in a closed cache is for nobody", state.entries.get(entry.key) === undefined)
    }
  } else for (const entry of cached) must("what is cached is found by its key", state.entries.get(entry.key) === entry)
  same("values by key", state.entries.all().length, cached.length)
  for (const entry of retired) must("what is retired is in use", state.entries.retired.has(entry) && entry.users > 0)
  for (const entry of world.with("releasing")) {
    must("what is being released is in no hurry", world.releases.includes(entry))
  }
  const lookups = [...state.loads.running, ...state.loads.queued]
  const current = lookups.filter(({ isDetached }) => !isDetached).map(({ key }) => key)
  same("keys that are looked up once", new Set(current).size, current.length)
  // One may wait for the end of another, which runs.
  const behind = lookups.flatMap(({ next }) => next === undefined ? [] : [next])
  for (const { hasAsked, phase } of behind) must("what is behind has not begun", phase === "behind" && !hasAsked)
  if (behind.length > 0) world.count("behind another")
  const all = [...lookups, ...behind]
  for (const caller of world.waiting()) {
    same("lookups that a caller waits for", all.filter(({ callers }) => callers.has(caller)).length, 1)
  }
  const { size } = new Set(all.flatMap(({ callers }) => [...callers]))
  same("those that wait for lookups", size, world.waiting().length)
}

/** What holds where nothing is half done. */
export const checkRest = (world: World): void => {
  checkCounts(world)
  const { limits: { maxEntries, maxWeight, timeToIdle, whenFull }, state, time } = world
  for (const { reason, entry } of world.books) {
    if (world.dues.has(entry)) {
      must("what left the cache had a reason", (entry.status === "cached") === (reason === undefined))
    }
    const due = world.dues.get(entry) ?? Infinity
    if (entry.status !== "cached") same("when it is due", due, Infinity)
    else must("what expires is due then", due <= world.lastInstant(entry))
    const idleUntil = entry.usedAt + timeToIdle
    if (entry.status === "cached" && entry.users === 0) must("what idles is due then", due <= Math.max(time, idleUntil))
  }
  if (!state.isOpen) {
    same("in a closed cache", state.occupancy.cached + state.loads.queued.size, 0)
    return
  }
  if (state.loads.queued.size === 0) return
  world.count("waits for room")
  same("what waits where it may exceed", whenFull === "exceed", false)
  const { coming } = world
  const lasting = world.lasting()
  const weight = world.countedWeight(lasting)
  must(
    "nobody waits while there is room",
    world.alive().length + coming >= maxEntries || world.countedWeight(world.alive()) >= maxWeight
  )
  const queued = [...state.loads.queued]
  const older = [...world.with("retired"), ...world.with("releasing")].filter(({ isExempt }) => isExempt)
  const inUse = (key: string) => older.some((entry) => entry.key === key)
  must("a refresh waits only for an older value", queued.every(({ key, old }) => old === undefined || inUse(key)))
  const wanting = queued.filter(({ old }) => old === undefined).length
  const isComing = wanting === 0 || (lasting.length + coming + wanting <= maxEntries && weight < maxWeight)
  must("nobody waits while a value is idle", isComing || world.idle().length === 0)
}

/** A value came in, or is idle now: what does not fit and is not in use is gone. */
export const checkFits = (world: World): void => {
  const { maxEntries, maxWeight } = world.limits
  // What has another in its place is a moment's excess.
  const lasting = world.lasting().filter(({ isExempt, status }) => status === "cached" || !isExempt)
  const weight = world.countedWeight(lasting)
  const isOver = lasting.length + world.coming > maxEntries || weight > maxWeight
  must("only what is in use exceeds the limits", !isOver || world.idle().length === 0)
  if (isOver) world.count("over the limits")
}
