/** The name of a layer before it is built, and nothing of the application's run for it. */
import { expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { nameOf } from "../../src/internal/Seam.js"

class Database extends Context.Tag("app/Database")<Database, number>() {}

const never: Effect.Effect<number> = Effect.never

it("a layer of an effect is named by its Tag", () => {
  const layers = [
    Layer.effect(Database, never),
    Layer.scoped(Database, never),
    Layer.fresh(Layer.effect(Database, never))
  ]
  expect(layers.map(nameOf)).toEqual(["app/Database", "app/Database", "app/Database"])
})

it("a step that the application has written is not run to learn a name", () => {
  const seen: Array<unknown> = []
  const contextOf = (value: number) => {
    seen.push(value)
    return Context.make(Database, value)
  }
  const layers = [
    Layer.scopedContext(Effect.flatMap(never, (value) => Effect.succeed(contextOf(value)))),
    Layer.scopedContext(Effect.flatMap(never, (value) => Effect.sync(() => contextOf(value))))
  ]
  expect([layers.map(nameOf), seen]).toEqual([[undefined, undefined], []])
})
