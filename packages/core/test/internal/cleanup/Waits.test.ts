/** The waits of runs, beside what they are given (`RunHost`). */
import { describe, expect, it } from "@effect/vitest"
import type { CleanupRun } from "../../../src/internal/cleanup/CleanupRun.js"
import type { RunHost } from "../../../src/internal/cleanup/RunHost.js"
import { block, follow, giveWay, isBlocked, unblock } from "../../../src/internal/cleanup/Waits.js"

const makeRun = (name: string, gaveBack: Array<string>): CleanupRun => {
  const host: Pick<RunHost, "giveBackSlot"> = { giveBackSlot: () => gaveBack.push(name) }
  return { blockedOn: undefined, followers: undefined, host } as unknown as CleanupRun
}

describe("internal/cleanup/Waits", () => {
  it("a run is blocked until each wait for the same thing was taken back", () => {
    const run = makeRun("a", [])
    const thing = {}
    block(run, thing)
    block(run, thing)
    unblock(run, thing)
    expect(isBlocked(run)).toBe(true)
    unblock(run, thing)
    expect(isBlocked(run)).toBe(false)
  })

  it("nothing is noted of a caller that is no cleanup", () => {
    block(undefined, {})
    unblock(undefined, {})
  })

  it("a run that waits gives back its slot, and so do all that cannot start before it has ended, each once", () => {
    const gaveBack: Array<string> = []
    const [a, b, c] = ["a", "b", "c"].map((name) => makeRun(name, gaveBack)) as [CleanupRun, CleanupRun, CleanupRun]
    follow(b, a)
    follow(c, b)
    follow(c, a)
    giveWay(a)
    expect(gaveBack).toEqual(["a", "b", "c"])
  })

  it("who follows a run that waits already gives back its slot at once", () => {
    const gaveBack: Array<string> = []
    const [a, b] = ["a", "b"].map((name) => makeRun(name, gaveBack)) as [CleanupRun, CleanupRun]
    block(a, {})
    follow(b, a)
    expect(gaveBack).toEqual(["b"])
  })
})
