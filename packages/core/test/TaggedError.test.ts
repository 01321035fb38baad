import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Equal, Exit, Hash } from "effect"
import { inspect } from "node:util"
import { TaggedError } from "../src/internal/kernel/TaggedError.js"

class Computed extends TaggedError("Computed")<{ readonly n: number }> {
  override get message() {
    return `n is ${this.n}`
  }
}

class Given extends TaggedError("Given")<{ readonly message: string; readonly cause?: unknown }> {}

describe("internal/TaggedError", () => {
  it("cause and message take part in Equal and Hash", () => {
    const given = (message: string, cause: unknown) => new Given({ message, cause })
    assert.isTrue(Equal.equals(given("a", Cause.fail(1)), given("a", Cause.fail(1))))
    assert.strictEqual(Hash.hash(given("a", Cause.fail(1))), Hash.hash(given("a", Cause.fail(1))))
    assert.isFalse(Equal.equals(given("a", Cause.fail(1)), given("a", Cause.fail(2))))
    assert.isFalse(Equal.equals(given("a", 1), given("b", 1)))
    assert.isFalse(Equal.equals(given("a", 1), new Given({ message: "a" })))
  })

  it("a computed message is seen in JSON, text, the stack, inspection and a cause", () => {
    const error = new Computed({ n: 1 })
    assert.deepStrictEqual(JSON.parse(JSON.stringify(error)), { _tag: "Computed", n: 1, message: "n is 1" })
    for (const seen of [String(error), error.stack!, inspect(error), Cause.pretty(Cause.fail(error))]) {
      assert.isTrue(seen.startsWith("Computed: n is 1"), seen)
    }
  })

  it("a given cause is shown where causes are", () => {
    const error = new Given({ message: "outer", cause: new Computed({ n: 1 }) })
    assert.include(Cause.pretty(Cause.fail(error), { renderErrorCause: true }), "[cause]: Computed: n is 1")
    assert.include(inspect(error), "Computed: n is 1")
    assert.deepInclude(JSON.parse(JSON.stringify(error)), {
      message: "outer",
      cause: { _tag: "Computed", n: 1, message: "n is 1" }
    })
  })

  it("internal/TaggedError is an Effect that fails with itself", () => {
    const error = new Computed({ n: 1 })
    assert.deepStrictEqual(Effect.runSyncExit(error), Exit.fail(error))
  })
})
