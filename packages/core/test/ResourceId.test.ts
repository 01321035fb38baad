import { assert, describe, it } from "@effect/vitest"
import { Arbitraries as arbitraries } from "@patinox/vitest"
import { Effect, Schema } from "effect"
import * as fc from "fast-check"
import * as ResourceId from "../src/ResourceId.js"

describe("ResourceId", () => {
  it.effect("1,000 ids are unique", () =>
    Effect.gen(function*() {
      const ids = yield* Effect.replicateEffect(ResourceId.generate, 1000)
      assert.strictEqual(new Set(ids).size, 1000)
    }))

  it.effect("an id's textual form is a version 4 UUID", () =>
    Effect.gen(function*() {
      const id = yield* ResourceId.generate
      assert.match(`${id}`, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
      assert.strictEqual(JSON.stringify(id), `"${id}"`)
      assert.isTrue(ResourceId.is(id))
    }))

  it("takes every UUID as it is written", () => {
    fc.assert(fc.property(fc.uuid(), fc.boolean(), (uuid, upper) => {
      const text = upper ? uuid.toUpperCase() : uuid
      assert.isTrue(ResourceId.is(text))
      assert.strictEqual(ResourceId.ResourceId(text) as string, text)
    }))
  })

  it("refuses everything else, naming what it got", () => {
    fc.assert(fc.property(fc.anything().filter((value) => typeof value !== "string"), (value) => {
      assert.isFalse(ResourceId.is(value))
    }))
    for (
      const text of [
        "",
        "x",
        "7b0a3a526b0f4c1e9d552f3a6c1b8e90",
        " 7b0a3a52-6b0f-4c1e-9d55-2f3a6c1b8e90",
        "7b0a3a52-6b0f-4c1e-9d55-2f3a6c1b8e90a"
      ]
    ) {
      assert.isFalse(ResourceId.is(text))
      assert.strictEqual(ResourceId.ResourceId.option(text)._tag, "None")
    }
    try {
      ResourceId.ResourceId("nonsense")
      assert.fail("did not throw")
    } catch (error) {
      assert.deepStrictEqual(error, [{
        message: "Expected a UUID as a resource id, got \"nonsense\"",
        meta: undefined
      }])
    }
  })

  it("goes through its schema and back", () => {
    fc.assert(fc.property(arbitraries.id, (id) => {
      const text: string = Schema.encodeSync(ResourceId.schema)(id)
      assert.strictEqual(Schema.decodeSync(ResourceId.schema)(text), id)
    }))
    assert.throws(() => Schema.decodeSync(ResourceId.schema)("nonsense"))
  })

  it.effect("generate asks the generator in context", () =>
    Effect.gen(function*() {
      const ids = yield* Effect.provideService(
        Effect.all([ResourceId.generate, ResourceId.generate]),
        ResourceId.Generator,
        ResourceId.sequential(0xab)
      )
      assert.deepStrictEqual(ids as Array<string>, [
        "000000ab-0000-4000-8000-000000000001",
        "000000ab-0000-4000-8000-000000000002"
      ])
    }))

  it("sequential ids are valid, distinct and in order, and two prefixes do not meet", () => {
    fc.assert(fc.property(fc.nat(), fc.nat(), fc.integer({ min: 2, max: 300 }), (a, b, count) => {
      const take = (prefix: number) => {
        const generator = ResourceId.sequential(prefix)
        return Array.from({ length: count }, generator.next)
      }
      const ids = take(a)
      assert.isTrue(ids.every(ResourceId.is))
      assert.deepStrictEqual([...ids].sort(ResourceId.Order), ids)
      assert.strictEqual(new Set([...ids, ...take(b)]).size, a === b ? count : count * 2)
    }))
  })

  it("Order and Equivalence agree", () => {
    fc.assert(fc.property(arbitraries.id, arbitraries.id, (a, b) => {
      assert.strictEqual(ResourceId.Equivalence(a, b), ResourceId.Order(a, b) === 0)
      assert.isTrue(ResourceId.Equivalence(a, a))
      assert.strictEqual(ResourceId.Order(a, b), -ResourceId.Order(b, a) + 0)
    }))
  })
})
