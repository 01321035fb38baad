import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Waiting, WaitQueue } from "../../src/internal/WaitQueue.js"

interface Waiter extends Waiting {
  readonly ticket: number
}

const waiter = (ticket: number, band = 1): Waiter => ({
  ticket,
  band,
  previous: undefined,
  next: undefined,
  isWaiting: false
})

const taken = (queue: WaitQueue<Waiter>): Array<number> => {
  const names: Array<number> = []
  for (let next = queue.take(); next !== undefined; next = queue.take()) names.push(next.ticket)
  return names
}

describe("the line of waiting borrowers", () => {
  it("serves who came first, first", () => {
    const queue = new WaitQueue<Waiter>()
    for (const name of [1, 2, 3]) queue.join(waiter(name))
    expect(queue.size).toBe(3)
    expect(taken(queue)).toEqual([1, 2, 3])
    expect(queue.size).toBe(0)
  })

  it("serves the most urgent band first, and keeps the order within a band", () => {
    const queue = new WaitQueue<Waiter>()
    const joining = [[1, 0], [2, 3], [3, 1], [4, 2], [5, 3], [6, 1], [7, 0]] as const
    for (const [name, band] of joining) queue.join(waiter(name, band))
    expect(taken(queue)).toEqual([2, 5, 4, 3, 6, 1, 7])
  })

  it("gives those who had been served already their places back, in their own band", () => {
    const queue = new WaitQueue<Waiter>()
    const all = [[1, 1], [2, 1], [3, 1], [4, 2], [5, 1]].map(([ticket, band]) => waiter(ticket!, band))
    for (const each of all) queue.join(each)
    expect([queue.take(), queue.take(), queue.take()].map((served) => served!.ticket)).toEqual([4, 1, 2])
    for (const again of [all[1]!, all[3]!, all[0]!]) queue.join(again)
    queue.join(waiter(6))
    expect(taken(queue)).toEqual([4, 1, 2, 3, 5, 6])
  })

  it("lets go of who leaves, wherever it stands, and of nobody twice", () => {
    const queue = new WaitQueue<Waiter>()
    const all = [1, 2, 3, 4].map((name) => waiter(name))
    for (const each of all) queue.join(each)
    for (const index of [1, 0, 3]) {
      queue.leave(all[index]!)
      queue.leave(all[index]!)
      expect(all[index]).toMatchObject({ isWaiting: false, previous: undefined, next: undefined })
    }
    expect(queue.size).toBe(1)
    expect(taken(queue)).toEqual([3])
  })

  it("is in step with four plain lists, whatever happens", () => {
    const step = fc.oneof(
      fc.record({ _tag: fc.constant("join" as const), band: fc.nat(3) }),
      fc.record({ _tag: fc.constant("joinAgain" as const), who: fc.nat(40) }),
      fc.record({ _tag: fc.constant("leave" as const), who: fc.nat(40) }),
      fc.constant({ _tag: "take" as const })
    )
    fc.assert(fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
      const queue = new WaitQueue<Waiter>()
      const model: ReadonlyArray<Array<Waiter>> = [[], [], [], []]
      const everybody: Array<Waiter> = []
      for (const each of steps) {
        if (each._tag === "join") {
          const joining = waiter(everybody.length, each.band)
          everybody.push(joining)
          queue.join(joining)
          model[each.band]!.push(joining)
        } else if (each._tag === "joinAgain") {
          const back = everybody[each.who % Math.max(1, everybody.length)]
          if (back === undefined || back.isWaiting) continue
          queue.join(back)
          model[back.band]!.push(back)
          model[back.band]!.sort((a, b) => a.ticket - b.ticket)
        } else if (each._tag === "leave") {
          const leaving = everybody[each.who % Math.max(1, everybody.length)]
          if (leaving === undefined) continue
          queue.leave(leaving)
          const band = model[leaving.band]!
          if (band.includes(leaving)) band.splice(band.indexOf(leaving), 1)
        } else {
          const expected = [...model].reverse().find((band) => band.length > 0)?.shift()
          expect(queue.take()).toBe(expected)
        }
        expect(queue.size).toBe(model.reduce((sum, band) => sum + band.length, 0))
        for (const each of everybody) expect(each.isWaiting).toBe(model[each.band]!.includes(each))
      }
      expect(taken(queue)).toEqual([...model].reverse().flat().map(({ ticket }) => ticket))
    }))
  })
})
