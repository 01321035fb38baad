import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { ProgramFibers } from "../../src/internal/ProgramFibers.js"

const settle = Effect.repeatN(Effect.yieldNow(), 10)

it.effect("a forked fiber that was seen is listed for as long as it runs", () =>
  Effect.gen(function*() {
    let child: Fiber.RuntimeFiber<void> | undefined
    const main = yield* Effect.fork(Effect.gen(function*() {
      child = yield* Effect.fork(Effect.never)
      yield* Effect.never
    }))
    yield* settle
    const fibers = new ProgramFibers(main)
    expect(fibers.running()).toHaveLength(2)
    yield* Fiber.interrupt(child!)
    expect(fibers.running()).toHaveLength(1)
    yield* Fiber.interrupt(main)
    expect(fibers.running()).toHaveLength(0)
  }))

it.live("the program's end is waited for, but not for longer than the limit", () =>
  Effect.gen(function*() {
    const main = yield* Effect.fork(Effect.never)
    const fibers = new ProgramFibers(main)
    yield* fibers.awaitEnd(1)
    expect(fibers.running()).toHaveLength(1)
    const waiting = yield* Effect.fork(fibers.awaitEnd(Infinity))
    yield* Fiber.interrupt(main)
    yield* Fiber.join(waiting)
  }))
