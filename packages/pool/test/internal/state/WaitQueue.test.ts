import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Waiting, WaitQueue } from "../../../src/internal/state/WaitQueue.js"

interface Waiter extends Waiting {
  readonly ticket: number
}

const waiter = (ticket: number, band = 1, since = 0, limit = 8_000): Waiter => ({
  ticket,
  band,
  since,
  limit,
  previous: undefined,
  next: undefined,
  isWaiting: false
})

const taken = (queue: WaitQueue<Waiter>, now = 0): Array<number> => {
  const names: Array<number> = []
  for (let next = queue.take(now); next !== undefined; next = queue.take(now)) names.push(next.ticket)
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

  it("serves a waiter of a lower band like one band higher for each eighth of its limit that it has waited", () => {
    const queue = new WaitQueue<Waiter>()
    const joining = [[1, 0, 0], [2, 1, 500], [3, 3, 2_500], [4, 1, 2_600], [5, 2, 2_900]] as const
    for (const [name, band, since] of joining) queue.join(waiter(name, band, since))
    // The first is as urgent as band 3 by now, the second as band 3 too, the fifth still of band 2.
    expect(taken(queue, 3_000)).toEqual([1, 2, 3, 5, 4])
  })

  it("lets a waiter without a limit rise every 5 seconds", () => {
    const queue = new WaitQueue<Waiter>()
    for (const [name, band, since] of [[1, 0, 0], [2, 1, 4_000]] as const) {
      queue.join(waiter(name, band, since, Infinity))
    }
    expect(queue.take(4_999)?.ticket).toBe(2)
    queue.join(waiter(3, 1, 5_000, Infinity))
    expect(queue.take(5_000)?.ticket).toBe(1)
  })

  it("serves everybody in the end under a load of more urgent ones that never ends", () => {
    const queue = new WaitQueue<Waiter>()
    queue.join(waiter(0, 0))
    let servedAt = -1
    for (let now = 0; servedAt < 0 && now < 8_000; now += 10) {
      for (const each of [1, 2]) queue.join(waiter(now + each, 3, now))
      if (queue.take(now)?.ticket === 0) servedAt = now
    }
    expect(servedAt).toBe(3_000)
  })

  it("finds the first that is as wanted, the most urgent band before the others", () => {
    const queue = new WaitQueue<Waiter>()
    for (const [name, band] of [[1, 1], [2, 3], [3, 1], [4, 3]] as const) queue.join(waiter(name, band))
    expect(queue.find(({ ticket }) => ticket !== 2)?.ticket).toBe(4)
    expect(queue.find(({ ticket }) => ticket % 2 === 1)?.ticket).toBe(1)
    expect(queue.find(() => false)).toBeUndefined()
    expect(queue.size).toBe(4)
  })

  it("gives those who had been served already their places back, in their own band", () => {
    const queue = new WaitQueue<Waiter>()
    const all = [[1, 1], [2, 1], [3, 1], [4, 2], [5, 1]].map(([ticket, band]) => waiter(ticket!, band))
    for (const each of all) queue.join(each)
    expect([queue.take(0), queue.take(0), queue.take(0)].map((served) => served!.ticket)).toEqual([4, 1, 2])
    for (const again of [all[1]!, all[3]!, all[0]!]) queue.join(again)
    queue.join(waiter(6))
    expect(taken(queue)).toEqual([4, 1, 2, 3, 5, 6])
  })

  it("takes out a waiter that leaves, wherever it stands, and none twice", () => {
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

  it("the line of waiting borrowers is in step with four plain lists, whatever happens", () => {
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
      let now = 0
      for (const each of steps) {
        now += 150
        if (each._tag === "join") {
          const joining = waiter(everybody.length, each.band, now)
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
          const firsts = model.flatMap(([first]) => first === undefined ? [] : [first])
          const level = ({ band, since }: Waiter) => Math.min(3, band + Math.floor((now - since) / 1_000))
          const expected = firsts.sort((a, b) => level(b) - level(a) || a.ticket - b.ticket)[0]
          expect(queue.take(now)).toBe(expected)
          if (expected !== undefined) model[expected.band]!.shift()
        }
        expect(queue.size).toBe(model.reduce((sum, band) => sum + band.length, 0))
        for (const each of everybody) expect(each.isWaiting).toBe(model[each.band]!.includes(each))
      }
      expect(taken(queue, now).sort((a, b) => a - b)).toEqual(
        model.flat().map(({ ticket }) => ticket).sort((a, b) => a - b)
      )
    }))
  })
})
