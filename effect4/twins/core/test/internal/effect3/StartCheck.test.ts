/** What is named where the insides of Effect are not as `effect3` takes them to be. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import * as Fibers from "../../../src/internal/effect3/Fibers.js"
import * as StartCheck from "../../../src/internal/effect3/StartCheck.js"

describe("a ResourceScope", () => {
  it("names the version of Effect whose scopes are made in another way", () => {
    const unlike = { ...Scope.makeUnsafe(), state: { _tag: "Open", finalizers: new Map() } }
    expect(() => StartCheck.checkScopes(unlike as any)).toThrow(
      /^ResourceScope does not fit effect \d+\.\d+\.\d+: a new scope does not say that it is empty/
    )
    const frozen = Object.defineProperty(Scope.makeUnsafe(), "state", { get: () => ({ _tag: "Empty" }), set: () => {} })
    expect(() => StartCheck.checkScopes(frozen)).toThrow("a finalizer is not put into the map of an open scope")
    expect(() => StartCheck.checkScopes(Scope.makeUnsafe())).not.toThrow()
    const effect = Layer.effectContext(Effect.succeed(Context.empty()))
    const unasked = { effect: Layer.succeedContext(Context.empty()) }
    expect(() => StartCheck.checkScopes(Scope.makeUnsafe(), { effect })).not.toThrow()
    expect(() => StartCheck.checkScopes(Scope.makeUnsafe(), unasked)).toThrow(
      /does not fit effect .*: a layer does not ask its memo map/
    )
  })
})

describe("the fibers of another version of Effect", () => {
  const fiber = Effect.runSync(Fibers.withFiber((fiber) => Effect.succeed(fiber)))
  const unlike = (changes: object) => Object.assign(Object.create(fiber), changes)

  for (
    const [name, changes, what] of [
      ["cannot be started", { evaluate: undefined }, "a fiber has no evaluate"],
      ["cannot be given a context", { setContext: undefined }, "a fiber has no setContext"],
      ["cannot be told to end", { interruptUnsafe: undefined }, "a fiber has no interruptUnsafe"],
      ["have another context", { context: {} }, "a context has no map of its services"],
      ["keep what follows elsewhere", { _stack: undefined }, "a fiber has no stack of what follows"],
      ["do not say whether they can be interrupted", { interruptible: undefined }, "whether it is interruptible"],
      [
        "end later than at once",
        {
          constructor: class {
            evaluate() {}
            pollUnsafe() {}
          }
        },
        "does not end at once"
      ]
    ] as const
  ) {
    it(`the fibers of another version of Effect that ${name} are named, before anything is acquired`, () => {
      expect(Fibers.fiberMismatch(unlike(changes))).toContain(what)
    })
  }

  it("the fibers of another version of Effect that are as they should be are not refused", () => {
    expect(Fibers.fiberMismatch(fiber)).toBe(undefined)
    expect(() => Fibers.checkFibers()).not.toThrow()
  })
})
