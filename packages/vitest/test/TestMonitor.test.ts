import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { Effect, Exit, Fiber, Layer } from "effect"
import { TestMonitor, TestRegistry, TestResource } from "../src/index.js"

describe("TestMonitor", () => {
  it.effect("TestMonitor keeps every event in order, and returns those of a kind", () =>
    Effect.gen(function*() {
      const monitor = yield* TestMonitor.make
      const resource = yield* TestResource.make("r")
      yield* Effect.scoped(resource.guard()).pipe(
        Effect.provide(ResourceRegistry.layer.pipe(Layer.provide(monitor.layer)))
      )
      expect((yield* monitor.events).map((event) => event._tag)).toEqual([
        "Registered",
        "Started",
        "Cleaned",
        "Draining",
        "Closed"
      ])
      expect((yield* monitor.eventsOf("Cleaned")).map(({ record }) => record.trigger)).toEqual(["scope"])
    }))

  it.effect("TestMonitor waits for a future event, and finds a past one", () =>
    Effect.gen(function*() {
      const monitor = yield* TestMonitor.make
      const resource = yield* TestResource.make("r")
      const waiting = yield* Effect.fork(monitor.waitForTag("Cleaned"))
      const byPredicate = yield* Effect.fork(monitor.waitFor((event) => "id" in event && event.typeName === "r"))
      yield* Effect.yieldNow()
      yield* Effect.scoped(resource.guard()).pipe(
        Effect.provide(ResourceRegistry.layer.pipe(Layer.provide(monitor.layer)))
      )
      expect((yield* Fiber.join(waiting)).typeName).toBe("r")
      expect((yield* Fiber.join(byPredicate))._tag).toBe("Registered")
      expect((yield* monitor.waitForTag("Closed")).report.totals.total).toBe(0)
    }))

  it.effect("TestMonitor stops waiting when it is interrupted", () =>
    Effect.gen(function*() {
      const monitor = yield* TestMonitor.make
      const waiting = yield* Effect.fork(monitor.waitForTag("Cleaned"))
      yield* Effect.yieldNow()
      expect(Exit.isInterrupted(yield* Fiber.interrupt(waiting))).toBe(true)
    }))
})

describe("TestRegistry", () => {
  const ids = Effect.scoped(Effect.gen(function*() {
    const resource = yield* TestResource.make("r")
    const first = yield* resource.guard()
    const second = yield* resource.guard()
    return [first.id, second.id]
  }))

  it.effect.each([TestRegistry.layer, Layer.orDie(TestRegistry.layerWith({ concurrency: 1 }))])(
    "gives the same ids in every run",
    (layer) =>
      Effect.gen(function*() {
        const first = yield* Effect.provide(ids, layer)
        expect(first[0]).toBe("00000000-0000-4000-8000-000000000001")
        expect(yield* Effect.provide(ids, layer)).toEqual(first)
      })
  )
})
