/** The services of `it.effect`. */
import { Clock, Effect, Layer } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import { counting } from "./Sleeps.js"

export const TestContext = Layer.mergeAll(
  Layer.provideMerge(
    Layer.effect(Clock.Clock, Effect.map(Clock.Clock, counting)),
    TestClock.layer()
  ),
  TestConsole.layer
)
