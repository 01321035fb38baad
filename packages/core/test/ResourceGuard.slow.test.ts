/** When a release that takes its time is told of as slow, and that others do not wait for it meanwhile. */
import { expect, it } from "@effect/vitest"
import { TestClock, TestLog, TestMonitor, TestRegistry } from "@patinox/vitest"
import { Deferred, Effect, Layer } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"

it.effect("a release that may take its time is told of after its own time, and gives its slot back after the registry's", () => {
  const log = TestLog.make()
  return Effect.gen(function*() {
    const monitor = yield* TestMonitor.make
    yield* Effect.scoped(Effect.gen(function*() {
      const registry = yield* ResourceRegistry.ResourceRegistry
      const gate = yield* Deferred.make<void>()
      const patient = yield* ResourceGuard.make(Effect.void, () => Deferred.await(gate), {
        typeName: "Patient",
        slowAfter: "4 seconds"
      })
      const waiting = yield* ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "Waiting" })
      yield* registry.schedule({ resource: patient })
      yield* registry.schedule({ resource: waiting })
      yield* TestClock.adjust("999 millis")
      expect(yield* waiting.state).toBe("waiting")
      yield* TestClock.adjust("1 millis")
      expect(yield* waiting.state).toBe("cleaned")
      yield* TestClock.adjust("2999 millis")
      expect([yield* monitor.eventsOf("Slow"), log.lines]).toEqual([[], []])
      yield* TestClock.adjust("1 millis")
      expect(yield* monitor.eventsOf("Slow")).toHaveLength(1)
      expect(log.messages).toEqual(["Cleanup of Patient is slow: it has not ended after 4 s"])

      yield* Deferred.succeed(gate, undefined)
      yield* registry.awaitIdle
    })).pipe(Effect.provide(TestRegistry.layerWith({ concurrency: 1 }).pipe(Layer.provide(monitor.layer))))
  }).pipe(Effect.provide(log.layer))
})
