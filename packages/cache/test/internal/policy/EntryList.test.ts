import { describe, expect, it } from "@effect/vitest"
import { HeapProbe } from "@patinox/vitest"
import * as fc from "fast-check"
import { makeEntry, type PolicyEntry } from "../../../src/CachePolicy.js"
import { EntryList } from "../../../src/internal/policy/EntryList.js"

const step = fc.record({
  op: fc.constantFrom("append" as const, "prepend" as const, "moveToEnd" as const, "remove" as const),
  list: fc.nat(2),
  entry: fc.nat(39)
})

const hashOf = (entry: PolicyEntry) => entry.hash

describe("a list of entries", () => {
  it("a list of entries is in step with a plain array, alone and beside others between which entries move", () => {
    fc.assert(fc.property(fc.array(step, { minLength: 20, maxLength: 300 }), (steps) => {
      const first = new EntryList()
      const lists = [first, new EntryList(first), new EntryList()]
      const model: ReadonlyArray<Array<PolicyEntry>> = [[], [], []]
      const entries = Array.from({ length: 40 }, (_, i) => makeEntry(i))
      for (const { entry: number, list, op } of steps) {
        const entry = entries[number]
        const inList = model[list].includes(entry)
        lists[list][op](entry)
        if (op === "append" || op === "prepend" || inList) {
          for (const row of model) if (row.includes(entry)) row.splice(row.indexOf(entry), 1)
          if (op === "prepend") model[list].unshift(entry)
          else if (op !== "remove") model[list].push(entry)
        }
        const readings = lists.map((list) => [list.size, list.first?.hash, list.last?.hash, [...list].map(hashOf)])
        expect(readings).toEqual(model.map((row) => [row.length, row[0]?.hash, row.at(-1)?.hash, row.map(hashOf)]))
        const isListed = entries.every((each) => each.list === lists[model.findIndex((row) => row.includes(each))])
        expect(isListed).toBe(true)
      }
    }))
  })

  it("gives an entry the place of the one that it replaces", () => {
    const list = new EntryList()
    const [first, second, third, other] = [1, 2, 3, 4].map((hash) => makeEntry(hash))
    for (const entry of [first, second, third]) list.append(entry)
    list.replace(second, other)
    expect([...list].map(hashOf)).toEqual([1, 4, 3])
    expect([list.size, second.list, other.list]).toEqual([3, undefined, list])
    list.replace(second, makeEntry(5))
    list.moveToEnd(other)
    expect([...list].map(hashOf)).toEqual([1, 3, 4])
  })

  it("keeps nothing of an entry that left it", async () => {
    const list = new EntryList()
    const beside = new EntryList(list)
    const refs: Array<WeakRef<PolicyEntry>> = []
    const comeAndGo = () => {
      for (let i = 0; i < 100; i++) {
        const entry = makeEntry(i)
        list.append(entry)
        if (i % 2 === 0) beside.prepend(entry)
        refs.push(new WeakRef(entry))
      }
      for (const row of [list, beside]) while (row.first !== undefined) row.remove(row.first)
    }
    comeAndGo()
    for (let i = 0; i < 20 && refs.some((ref) => ref.deref() !== undefined); i++) {
      await new Promise((resolve) => setImmediate(resolve))
      HeapProbe.collectNow()
    }
    expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([])
    expect([list.size, beside.size]).toEqual([0, 0])
  })

  it("gives the places of those who left to those who come", () => {
    const list = new EntryList()
    const places = new Set<number>()
    for (let i = 0; i < 10_000; i++) {
      const entry = makeEntry(i)
      list.append(entry)
      places.add(entry.place)
      if (list.size > 10) list.remove(list.first!)
    }
    expect(places.size).toBe(11)
  })
})
