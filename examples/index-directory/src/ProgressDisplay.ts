/**
 * Shows the progress: a bar on a terminal, lines elsewhere. The bar hides the cursor, and a cursor that is hidden is a
 * resource as any other.
 */
import { ResourceGuard } from "@patinox/core"
import { Context, Effect, Layer } from "effect"
import { Output } from "./Output.js"
import * as Progress from "./Progress.js"

export class ProgressDisplay extends Context.Tag("index-directory/ProgressDisplay")<ProgressDisplay, {
  readonly read: Effect.Effect<Progress.Progress>
  readonly update: (f: (progress: Progress.Progress) => Progress.Progress) => Effect.Effect<void>
}>() {}

const make = (show: (before: Progress.Progress, now: Progress.Progress) => Effect.Effect<void>) => {
  let progress = Progress.initial
  return ProgressDisplay.of({
    read: Effect.sync(() => progress),
    update: (f) =>
      Effect.suspend(() => {
        const before = progress
        progress = f(progress)
        return show(before, progress)
      })
  })
}

const hideCursor = "\u001b[?25l"
const showCursor = "\u001b[?25h"

const layerBar = ResourceGuard.layer(
  ProgressDisplay,
  Effect.gen(function*() {
    const output = yield* Output
    yield* output.status(hideCursor)
    return make((before, now) =>
      Progress.percent(now) > Progress.percent(before)
        ? output.status(Progress.bar(now, output.columns()))
        : Effect.void
    )
  }),
  () => Effect.flatMap(Output, (output) => output.status(showCursor)),
  { priority: "Low" }
)

const layerLines = Layer.effect(
  ProgressDisplay,
  Effect.map(Output, (output) =>
    make((before, now) => {
      const line = Progress.line(before, now)
      return line === undefined ? Effect.void : output.line(line)
    }))
)

export const layer = Layer.unwrapEffect(
  Effect.map(
    Output,
    (
      { isTerminal }
    ): Layer.Layer<ProgressDisplay, Layer.Layer.Error<typeof layerBar>, Layer.Layer.Context<typeof layerBar>> =>
      isTerminal ? layerBar : layerLines
  )
)
