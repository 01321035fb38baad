import { existsSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { mutations } from "../mutations/index.js"

describe("the mutation list", () => {
  it("has at least 30, each with a name and a test of its own", () => {
    expect(mutations.length).toBeGreaterThanOrEqual(30)
    expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length)
    expect(mutations.filter(({ tests }) => tests.length === 0 || !tests.every((test) => existsSync(test)))).toEqual([])
  })

  it("fits the sources: what each replaces stands there once", () => {
    const stale = mutations.filter(({ file, find, replace }) =>
      readFileSync(file, "utf8").split(find).length !== 2 || find === replace
    )
    expect(stale.map(({ name }) => name)).toEqual([])
  })
})
