import { expect, it } from "@effect/vitest"
import { Readiness } from "@patinox/platform"
import { Effect, Fiber } from "effect"

it.effect("readiness is on until it drains, for good, and tells who waits", () =>
  Effect.gen(function*() {
    const readiness = yield* Readiness.make
    expect(yield* readiness.isReady).toBe(true)
    const waiter = yield* Effect.fork(readiness.awaitDraining)
    yield* Effect.yieldNow()
    expect(yield* Fiber.poll(waiter)).toMatchObject({ _tag: "None" })
    yield* readiness.drain
    yield* readiness.drain
    expect(yield* readiness.isReady).toBe(false)
    yield* Fiber.join(waiter)
  }))

it.effect("without one, the process is ready for good", () =>
  Effect.gen(function*() {
    const readiness = yield* Readiness.Readiness
    yield* readiness.drain
    expect(yield* readiness.isReady).toBe(true)
  }))

it.effect("where nothing drains, waiting for it holds no timer", () =>
  Effect.gen(function*() {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
    const { awaitDraining } = yield* Readiness.Readiness
    const before = timers()
    const waiter = yield* Effect.fork(awaitDraining)
    yield* Effect.yieldNow()
    expect(timers()).toBe(before)
    expect(yield* Fiber.poll(waiter)).toMatchObject({ _tag: "None" })
    yield* Fiber.interrupt(waiter)
  }))
