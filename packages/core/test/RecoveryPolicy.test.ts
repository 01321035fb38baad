import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, Duration, Effect, Schedule } from "effect"
import * as CleanupError from "../src/CleanupError.js"
import * as RecoveryPolicy from "../src/RecoveryPolicy.js"
import * as ResourceId from "../src/ResourceId.js"

interface Socket {
  readonly destroy: () => void
}

describe("RecoveryPolicy", () => {
  it("make infers the resource and the error of a policy that stands alone", () => {
    const policy: RecoveryPolicy.RecoveryPolicy<Socket, string> = RecoveryPolicy.make({
      strategy: (error: CleanupError.ReleaseError<string>) => error._tag === "CleanupTimeout" ? "Retry" : "Fail",
      retry: Schedule.recurs(2),
      fallback: (socket: Socket) => Effect.sync(() => socket.destroy())
    })
    assert.deepStrictEqual(Object.keys(policy), ["strategy", "retry", "fallback"])
  })

  it("none fails, whatever the error", () => {
    const of = { id: ResourceId.sequential().next(), typeName: "Database", attempts: 1 }
    const strategy = RecoveryPolicy.none.strategy!
    assert.strictEqual(strategy(new CleanupError.CleanupTimeout({ ...of, limitMillis: 1, stopped: true })), "Fail")
    assert.strictEqual(strategy(new CleanupError.CleanupFailed({ ...of, cause: Cause.fail("x") })), "Fail")
  })

  it("the default policy leaves every part to its default, and suits any resource and error", () => {
    const suits: RecoveryPolicy.RecoveryPolicy<Socket, string> = RecoveryPolicy.defaultPolicy
    assert.deepStrictEqual(suits, {})
  })

  it.effect("defaultRetry allows three more attempts, after about 100, 200 and 400 ms", () =>
    Effect.gen(function*() {
      for (let run = 0; run < 50; run++) {
        const delays = yield* Schedule.run(
          Schedule.delays(RecoveryPolicy.defaultRetry),
          Date.now(),
          Array.from({ length: 10 })
        )
        // The last one out is that of stopping.
        const millis = Chunk.toReadonlyArray(delays).map(Duration.toMillis).slice(0, 3)
        assert.lengthOf(delays, 4)
        millis.forEach((delay, index) => assert.closeTo(delay, 100 * 2 ** index, 20.001 * 2 ** index))
      }
    }))
})
