import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { nextRandom } from "../../../src/internal/effect3/Randoms.js"

describe("nextRandom", () => {
  it.effect("gives what the service gives, from 0 to 1", () =>
    Effect.gen(function*() {
      const random = yield* Effect.randomWith(Effect.succeed)
      for (let i = 0; i < 100; i++) {
        const next = nextRandom(random)
        expect(next >= 0 && next <= 1).toBe(true)
      }
    }))

  it("gives the middle where the service throws", () => {
    expect(nextRandom({} as never)).toBe(0.5)
  })
})
