import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { excluded, excludedTests } from "../excluded.js"
import { substitutions } from "../substitutions.js"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const at = (path: string): string => join(root, path)

describe("what is left out", () => {
  it("names files that are there, each with a reason", () => {
    const all = [...Object.entries(excluded), ...Object.entries(excludedTests)]
    expect(all.filter(([path]) => !existsSync(at(path))).map(([path]) => path)).toEqual([])
    expect(Object.values(excluded).filter((reason) => reason.length < 10)).toEqual([])
  })

  it("names no file twice: one that is left out has no tests to leave out", () => {
    expect(Object.keys(excludedTests).filter((path) => path in excluded)).toEqual([])
  })

  it("names titles that the file has, each with a reason", () => {
    for (const [path, titles] of Object.entries(excludedTests)) {
      const text = readFileSync(at(path), "utf8")
      for (const [title, reason] of Object.entries(titles)) {
        expect([path, title, text.includes(title.replaceAll(`"`, `\\"`))]).toEqual([path, title, true])
        expect(reason.length).toBeGreaterThan(9)
      }
    }
  })

  it("names no source", () => {
    expect(Object.keys(excluded).filter((path) => path.includes("/src/"))).toEqual([])
  })
})

describe("what is put for another text", () => {
  it("is met in its file, and has a reason", () => {
    for (const [path, all] of Object.entries(substitutions)) {
      const text = readFileSync(at(path), "utf8")
      for (const { of, why } of all) {
        expect([path, of, text.includes(of)]).toEqual([path, of, true])
        expect(why.length).toBeGreaterThan(9)
      }
    }
  })
})
