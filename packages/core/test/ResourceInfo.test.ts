import { assert, describe, it } from "@effect/vitest"
import { Arbitraries as arbitraries } from "@patinox/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import * as ResourceInfo from "../src/ResourceInfo.js"

describe("ResourceInfo", () => {
  it("goes through JSON and back, absent fields staying absent", () => {
    fc.assert(fc.property(arbitraries.resourceInfo, (info) => {
      const json = JSON.stringify(Schema.encodeSync(ResourceInfo.schema)(info))
      assert.deepStrictEqual(Schema.decodeUnknownSync(ResourceInfo.schema)(JSON.parse(json)), { ...info })
    }))
  })

  it("the JSON form of a ResourceInfo is itself", () => {
    fc.assert(fc.property(arbitraries.resourceInfo, (info) => {
      assert.deepStrictEqual(Schema.encodeSync(ResourceInfo.schema)(info) as unknown, { ...info })
    }))
  })

  it("refuses metadata that is not text", () => {
    const [info] = fc.sample(arbitraries.resourceInfo, 1)
    assert.throws(() => Schema.decodeUnknownSync(ResourceInfo.schema)({ ...info, metadata: { port: 5432 } }))
  })
})
