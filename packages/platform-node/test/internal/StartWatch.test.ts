import { Effect, Fiber, Layer } from "effect"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { LoopTurns } from "../../src/internal/LoopTurns.js"
import type { BuildLine } from "../../src/internal/Messages.js"
import { StartWatch } from "../../src/internal/StartWatch.js"

const hanging = Layer.effectDiscard(Effect.never)

const watched = (startTimeout: number) => {
  const said: Array<string> = []
  const namesOf = (lines: ReadonlyArray<BuildLine>) => lines.length
  const watch = new StartWatch(startTimeout, {
    onSlow: (lines) => said.push(`slow ${namesOf(lines)}`),
    onTimeout: (lines) => said.push(`timeout ${namesOf(lines)}`)
  })
  const build = (layer: Layer.Layer<never>) =>
    Effect.runFork(
      Effect.scoped(Effect.flatMap(Effect.scope, (scope) =>
        Layer.buildWithMemoMap(layer, watch.watch(Effect.runSync(Layer.makeMemoMap), false), scope)))
    )
  return { build, said, watch }
}

describe("internal/StartWatch", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "hrtime"] }))
  afterEach(() => void vi.useRealTimers())

  it("a start that hangs is reported, each time twice as late, and ended by its limit", () => {
    const { build, said } = watched(60_000)
    build(hanging)
    vi.advanceTimersByTime(9_999)
    expect(said).toEqual([])
    vi.advanceTimersByTime(1)
    expect(said).toEqual(["slow 1"])
    vi.advanceTimersByTime(10_000)
    expect(said).toEqual(["slow 1", "slow 1"])
    vi.advanceTimersByTime(40_000)
    expect(said).toEqual(["slow 1", "slow 1", "slow 1", "timeout 1"])
  })

  it("after a layer is built, and none is for a moment, the start is over: nothing is reported", async () => {
    const { build, said } = watched(60_000)
    await Effect.runPromise(Fiber.join(build(Layer.effectDiscard(Effect.void))))
    vi.advanceTimersByTime(100)
    expect(vi.getTimerCount()).toBe(0)
    expect(said).toEqual([])
  })

  it("a start that is stopped holds no timer", () => {
    const { build, watch } = watched(60_000)
    build(hanging)
    expect(vi.getTimerCount()).toBe(2)
    watch.stop()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe("internal/LoopTurns", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "hrtime"] }))
  afterEach(() => void vi.useRealTimers())

  it("what is heard is dated by the turn before, for as long as it is watched", () => {
    const turns = new LoopTurns()
    const from = Number(process.hrtime.bigint()) / 1e6
    turns.watch(from, 200)
    expect(turns.before - from).toBe(0)
    vi.advanceTimersByTime(100)
    expect(turns.before - from).toBe(50)
    vi.advanceTimersByTime(1_000)
    expect(turns.before - from).toBe(200)
    expect(vi.getTimerCount()).toBe(0)
  })
})
