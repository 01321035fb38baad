import { describe, expect, it } from "@effect/vitest"
import { idleRecord } from "../../../src/internal/cleanup/CleanupRecords.js"
import { CleanupTarget } from "../../../src/internal/cleanup/CleanupTarget.js"
import { endReservation, link, ResourceIndex, unlink } from "../../../src/internal/registry/ResourceIndex.js"
import { defaults } from "../../../src/internal/scope/ScopeOptions.js"
import { sequential } from "../../../src/ResourceId.js"

const ids = sequential()

const target = (tagKey?: string): CleanupTarget => {
  const entry = new CleanupTarget(ids.next(), "test", { settings: defaults.finalizer }, { origin: undefined as never })
  entry.tagKey = tagKey
  return entry
}

describe("internal/registry/ResourceIndex", () => {
  it("finds what is live by its id and its Tag, and keeps nothing of what is gone", () => {
    const index = new ResourceIndex()
    const [first, second, plain] = [target("Tag"), target("Tag"), target()]
    for (const entry of [first, second, plain]) index.add(entry)
    expect([...index.byTag.get("Tag")!]).toEqual([first, second])
    index.remove(first)
    expect([...index.byTag.get("Tag")!]).toEqual([second])
    index.remove(second)
    index.remove(plain)
    expect([index.entries.size, index.byTag.size]).toEqual([0, 0])
  })

  it("a dependency is held from before the acquire until the dependent is registered, and linked until one is gone", () => {
    const [dependency, dependent] = [target(), target()]
    dependent.dependencies = [dependency]
    link(dependent)
    expect([...dependency.holders!]).toEqual([dependent])
    expect([...dependency.dependents!]).toEqual([dependent])
    endReservation(dependent)
    expect(dependency.holders).toBe(undefined)
    expect([...dependency.dependents!]).toEqual([dependent])
    unlink(dependent)
    expect(dependency.dependents).toBe(undefined)
  })
})

it("what has no run is a record of no attempt", () => {
  const entry = target()
  expect(idleRecord(entry, "disarmed", "scope")).toMatchObject({
    order: -1,
    id: entry.id,
    outcome: "disarmed",
    attempts: 0,
    trigger: "scope"
  })
})
