/** The progress on a terminal and elsewhere, with the streams of a terminal stood in for. */
import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { Effect, Layer } from "effect"
import * as Output from "../src/Output.js"
import * as Progress from "../src/Progress.js"
import { layer, ProgressDisplay } from "../src/ProgressDisplay.js"

const run = (isTTY: boolean) => {
  const written: Array<string> = []
  const sink: Output.Sink = { isTTY, columns: 40, on: () => sink, write: (text) => written.push(text) > 0 }
  const update = Effect.gen(function*() {
    const display = yield* ProgressDisplay
    yield* display.update((now) => ({ ...now, phase: "indexing", total: 8 }))
    for (let n = 0; n < 8; n++) yield* display.update((now) => ({ ...now, indexed: now.indexed + 1 }))
  })
  return Effect.as(
    Effect.provide(
      update,
      layer.pipe(
        Layer.provide(Layer.succeed(Output.Output, Output.make(sink, sink))),
        Layer.provide(ResourceRegistry.layer)
      )
    ),
    written
  )
}

describe("ProgressDisplay", () => {
  it.effect("a terminal shows a bar in one line, and gets its cursor back", () =>
    Effect.gen(function*() {
      const written = yield* run(true)
      expect(written.some((text) => text.includes("\n"))).toBe(false)
      expect(written[0]).toContain("\u001b[?25l")
      expect(written.at(-2)).toBe("\r\u001b[K[#################] 100 %  8 of 8 files")
      expect(written.at(-1)).toContain("\u001b[?25h")
    }))

  it.effect("a ProgressDisplay elsewhere than on a terminal has a line for each quarter, and no control characters", () =>
    Effect.gen(function*() {
      expect(yield* run(false)).toEqual([
        " 25 %  2 of 8 files\n",
        " 50 %  4 of 8 files\n",
        " 75 %  6 of 8 files\n",
        "100 %  8 of 8 files\n"
      ])
    }))

  it("the bar never exceeds the terminal, whatever its width", () => {
    const progress: Progress.Progress = { phase: "indexing", total: 1000, indexed: 500, unreadable: 1 }
    for (let columns = 1; columns < 120; columns++) {
      expect(Progress.bar(progress, columns).length).toBeLessThan(columns)
    }
    expect(Progress.percent(Progress.initial)).toBe(0)
  })
})
