import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Fiber, Stream } from "effect"
import { EventHub } from "../../../src/internal/kernel/EventHub.js"

const numbers = (capacity?: number) => new EventHub<number>((n) => n === -1, capacity)

/** Subscribes, and stays at its first event until the gate opens. */
const slowReader = (hub: EventHub<number>, gate: Deferred.Deferred<void>) =>
  Effect.gen(function*() {
    const subscribed = yield* Deferred.make<void>()
    const fiber = yield* Effect.fork(Stream.runCollect(Stream.tap(hub.stream, (n) =>
      n === 0 ? Effect.andThen(Deferred.succeed(subscribed, undefined), Deferred.await(gate)) : Effect.void)))
    while (!hub.hasSubscribers) {
      yield* Effect.yieldNow()
    }
    hub.emit(() =>
      0
    )
    yield* Deferred.await(subscribed)
    return fiber
  })

describe("internal/kernel/EventHub", () => {
  it.effect("a subscriber that falls behind loses its oldest events, sees the last one and ends", () =>
    Effect.gen(function*() {
      for (const capacity of [1, 2, 5, undefined]) {
        const hub = numbers(capacity)
        const gate = yield* Deferred.make<void>()
        const reader = yield* slowReader(hub, gate)
        for (let n = 1; n <= 5_000; n++) hub.emit(() => n)
        hub.emit(() => -1)
        hub.end()
        yield* Deferred.succeed(gate, undefined)
        const seen = Chunk.toReadonlyArray(yield* Fiber.join(reader))
        assert.strictEqual(seen.at(-1), -1)
        // The stream itself may hold one more batch than the queue.
        assert.isAtLeast(seen.length, capacity ?? 1_024)
        assert.isAtMost(seen.length, 2 * (capacity ?? 1_024) + 1)
        assert.deepStrictEqual(
          seen.slice(-(capacity ?? 1_024), -1),
          seen.slice(-(capacity ?? 1_024), -1).map((_, i, all) => 5_000 - all.length + 1 + i)
        )
      }
    }))

  it.effect("a subscriber that stopped listening costs the others nothing", () =>
    Effect.gen(function*() {
      const hub = numbers(2)
      const gate = yield* Deferred.make<void>()
      const left = yield* slowReader(hub, gate)
      const stays = yield* Effect.fork(Stream.runCollect(hub.stream))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(left)
      hub.emit(() => 1)
      hub.emit(() => -1)
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Fiber.join(stays)), [1, -1])
      assert.isFalse(hub.hasSubscribers)
    }))

  it.effect("a subscription after the end is empty", () =>
    Effect.gen(function*() {
      const hub = numbers()
      hub.end()
      assert.strictEqual(Chunk.size(yield* Stream.runCollect(hub.stream)), 0)
    }))

  it("an event is made only where somebody subscribes", () => {
    numbers().emit(() => assert.fail("made"))
  })
})
