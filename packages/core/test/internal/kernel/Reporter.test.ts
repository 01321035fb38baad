import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, HashMap, Logger, Option, Stream } from "effect"
import { EventHub } from "../../../src/internal/kernel/EventHub.js"
import { Reporter } from "../../../src/internal/kernel/Reporter.js"

type Event =
  | { readonly _tag: "Filled"; readonly at: number; readonly tank: string; readonly litres: number }
  | { readonly _tag: "Closed"; readonly at: number; readonly tank: string }

const make = Effect.map(Effect.clock, (clock) => {
  const hubs = [0, 1].map(() => new EventHub<Event>(({ _tag }) => _tag === "Closed"))
  const lines: Array<Effect.Effect<void>> = []
  const reporter = new Reporter<Event, "tank">({
    key: "tank",
    name: "north",
    clock,
    hubs,
    fork: (line) => lines.push(line)
  })
  return { hubs, lines, reporter }
})

describe("internal/kernel/Reporter", () => {
  it.effect("makes no event where nobody listens", () =>
    Effect.gen(function*() {
      const { reporter } = yield* make
      reporter.emit(() => {
        throw new Error("made")
      })
    }))

  it.effect("hands each event to every hub with its time and name, but none whose making throws", () =>
    Effect.gen(function*() {
      const { hubs, reporter } = yield* make
      const fibers = yield* Effect.forEach(hubs, (hub) => Effect.fork(Stream.runCollect(hub.stream)))
      while (!hubs.every((hub) => hub.hasSubscribers)) yield* Effect.yieldNow()
      reporter.emit(() => ({ _tag: "Filled", litres: 3 }))
      reporter.emit(() => {
        throw new Error("a getter of a user")
      })
      reporter.emit(() => ({ _tag: "Closed" }))
      for (const fiber of fibers) {
        expect(Chunk.toReadonlyArray(yield* Fiber.join(fiber))).toEqual([
          { _tag: "Filled", litres: 3, at: 0, tank: "north" },
          { _tag: "Closed", at: 0, tank: "north" }
        ])
      }
    }))

  it.effect("annotates a line with the name, and with the resource that it is about", () =>
    Effect.gen(function*() {
      const { lines, reporter } = yield* make
      reporter.warn("is full", "id-1")
      reporter.inform("has room")
      const seen: Array<unknown> = []
      const logger = Logger.make(({ annotations, logLevel, message }) => {
        const valueOf = (key: string) => Option.getOrUndefined(HashMap.get(annotations, key))
        seen.push([logLevel.label, message, valueOf("patinox.tank"), valueOf("patinox.resource.id")])
      })
      yield* Effect.provide(Effect.all(lines), Logger.replace(Logger.defaultLogger, logger))
      expect(seen).toEqual([
        ["WARN", ["is full"], "north", "id-1"],
        ["INFO", ["has room"], "north", undefined]
      ])
    }))
})
