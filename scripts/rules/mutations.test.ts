import { existsSync, readdirSync } from "node:fs"
import path from "node:path"
import { describe, expect, it } from "vitest"
import { locate } from "../mutations/anchors.js"
import { mutations } from "../mutations/index.js"
import { pureModules } from "../mutations/pure.js"
import { sampleOf } from "../mutations/sample.js"

describe("the mutations written by hand", () => {
  it("fit the sources: each names a member, and what it replaces stands there once", () => {
    expect(mutations.map(locate).filter((place) => typeof place === "string")).toEqual([])
  })

  it("have a description of their own each, and tests that exist", () => {
    expect(new Set(mutations.map(({ what }) => what)).size).toBe(mutations.length)
    expect(mutations.flatMap(({ tests }) => tests).filter((test) => !existsSync(test))).toEqual([])
    expect(mutations.filter(({ tests }) => tests.length === 0)).toEqual([])
  })

  it("break each promise, and change something", () => {
    const promises = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9"]
    expect(promises.filter((promise) => !mutations.some(({ breaks }) => breaks === promise))).toEqual([])
    expect(mutations.filter(({ find, replace }) => find === replace)).toEqual([])
  })

  it("are drawn by the commit: a tenth, the same for one commit, others for another", () => {
    const sample = sampleOf(mutations, "a commit")
    expect(sample).toHaveLength(Math.ceil(mutations.length / 10))
    expect(sampleOf(mutations, "a commit")).toEqual(sample)
    expect(sampleOf(mutations, "another")).not.toEqual(sample)
  })
})

describe("the pure modules", () => {
  it("are each one file of their package, whatever its folder", () => {
    const found = pureModules.map(({ folder, name }) => {
      const files = readdirSync(`packages/${folder}/src`, { recursive: true, encoding: "utf8" })
      return [name, files.filter((file) => path.basename(file) === `${name}.ts`).length]
    })
    expect(found.filter(([, files]) => files !== 1)).toEqual([])
  })
})
