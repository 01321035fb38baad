import { expect, it } from "@effect/vitest"
import { type Clock, type Duration, Effect } from "effect"
import * as Fibers from "../../../src/internal/effect3/Fibers.js"
import * as Refs from "../../../src/internal/effect3/Refs.js"
import * as DeadlineHeap from "../../../src/internal/kernel/DeadlineHeap.js"
import { Timers } from "../../../src/internal/kernel/Timers.js"

// A clock whose `sleep(0)` does not wait, as TestClock's does not, calls back while the timer is still being armed.
it.effect("a timer that is armed while another is due at once can be called off (P7)", () =>
  Effect.gen(function*() {
    const testClock = yield* Effect.clock
    let sleepers = 0
    const clock: Clock.Clock = Object.assign(Object.create(testClock), {
      sleep: (duration: Duration.Duration) =>
        Effect.acquireUseRelease(
          Effect.sync(() => sleepers++),
          () => testClock.sleep(duration),
          () => Effect.sync(() => sleepers--)
        )
    })
    const origin = yield* Fibers.withFiber((fiber) => Effect.succeed(Refs.originOf(fiber)))
    const timers = new Timers(clock, origin)
    const later = DeadlineHeap.make(() => {})
    const first = DeadlineHeap.make(() => timers.set(later, timers.now() + 1_000))
    timers.set(first, timers.now())
    timers.clear(later)
    yield* Effect.repeatN(Effect.yieldNow(), 20)
    expect(sleepers).toBe(0)
  }))
