/** What is named where the insides of Effect are not as `effect3` takes them to be. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import * as Fibers from "../../../src/internal/effect3/Fibers.js"
import * as StartCheck from "../../../src/internal/effect3/StartCheck.js"

describe("a ResourceScope", () => {
  it("names the version of Effect whose scopes are made in another way", () => {
    const unlike = { ...Effect.runSync(Scope.make()), state: { _tag: "Open", finalizers: new Set() } }
    expect(() => StartCheck.checkScopes(unlike as any)).toThrow(
      /^ResourceScope does not fit effect \d+\.\d+\.\d+: an open scope has no finalizers map/
    )
    const scope = () => Effect.runSync(Scope.make())
    expect(() => StartCheck.checkScopes(scope())).not.toThrow()
    const effect = Layer.effectContext(Effect.succeed(Context.empty()))
    const layers = { effect, scoped: Layer.scopedContext(Effect.succeed(Context.empty())), fresh: Layer.fresh(effect) }
    const renamed = (layer: object) => Object.assign(Object.create(layer), { _op_layer: "Renamed" })
    for (const part of ["effect", "scoped", "fresh"] as const) {
      expect(() => StartCheck.checkScopes(scope(), { ...layers, [part]: renamed(layers[part]) })).toThrow(
        /does not fit effect .*: a layer does not say what it is made of/
      )
    }
    expect(() => StartCheck.checkScopes(scope(), { ...layers, fresh: Layer.fresh(layers.scoped) })).toThrow("a layer")
  })
})

describe("the fibers of another version of Effect", () => {
  const fiber = Effect.runSync(Fibers.withFiber((fiber) => Effect.succeed(fiber)))
  const unlike = (changes: object) => Object.assign(Object.create(fiber), changes)

  for (
    const [name, changes, what] of [
      ["cannot be started", { start: undefined }, "a fiber has no start"],
      ["cannot be resumed", { resume: undefined }, "a fiber has no resume"],
      ["cannot be told to end", { unsafeInterruptAsFork: undefined }, "a fiber has no unsafeInterruptAsFork"],
      ["have another context", { currentContext: {} }, "a context has no map of its services"],
      ["keep their FiberRefs elsewhere", { getFiberRefs: () => ({}) }, "a FiberRef is kept or forked in another way"],
      [
        "end later than at once",
        {
          constructor: class {
            start() {}
            unsafePoll() {
              return null
            }
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
