import { describe, expect, it } from "@effect/vitest"
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import { TestMonitor, TestResource } from "../src/index.js"

describe("TestResource", () => {
  it.effect.each(
    [
      [{ _tag: "None" }, "Cleaned"],
      [{ _tag: "Fail", times: Infinity }, "Failed"],
      [{ _tag: "Die" }, "Failed"],
      [{ _tag: "Throw" }, "Failed"],
      [{ _tag: "Hang" }, "Failed"],
      [{ _tag: "IgnoreInterruption" }, "Abandoned"]
    ] as ReadonlyArray<[TestResource.Fault, string]>
  )("the fault %j ends as %s", ([fault, outcome]) =>
    Effect.gen(function*() {
      const monitor = yield* TestMonitor.make
      const resource = yield* TestResource.make("r", fault)
      yield* Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Scope.extend(ResourceGuard.make(resource.acquire, resource.release), scope)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(closing)
        const ended = yield* monitor.waitFor((event) => event._tag === outcome)
        expect(ended._tag).toBe(outcome)
        expect(resource.maxConcurrent()).toBeLessThanOrEqual(1)
        yield* resource.letGo
      }).pipe(Effect.provide(ResourceRegistry.layer.pipe(Layer.provide(monitor.layer))))
    }))
})
