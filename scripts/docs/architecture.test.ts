/** The index of ARCHITECTURE.md names every source file, and nothing that does not exist. */
import { describe, expect, it } from "vitest"
import { indexProblems } from "./architecture.js"
import { exists, filesIn, read, sources } from "./repository.js"

it("the index of ARCHITECTURE.md is true", () => {
  const text = exists("ARCHITECTURE.md") ? read("ARCHITECTURE.md") : ""
  const files = ["packages", "examples", "scripts", "bench"].flatMap(filesIn)
  expect(indexProblems(text, sources, files)).toEqual([])
})

describe("an index is wrong", () => {
  const index = (...rows: ReadonlyArray<string>) =>
    ["| Component | File | Tests |", "|---|---|---|", ...rows].join("\n")
  const files = ["packages/a/src/A.ts", "packages/a/test/A.use.test.ts"]
  const sources = ["packages/a/src/A.ts", "packages/a/src/index.ts"]

  it("if a file that it names does not exist", () => {
    const text = index("| A | `packages/a/src/A.ts` | [tests](packages/a/test/B.test.ts) |")
    expect(indexProblems(text, sources, files)).toEqual(["line 3: packages/a/test/B.test.ts does not exist"])
  })

  it("if a source file is missing from it", () => {
    expect(indexProblems("", sources, files)).toEqual(["packages/a/src/A.ts is not listed"])
  })

  it("if a row names no file", () => {
    const text = index("| A | `packages/a/src/A.ts` | |", "| B | later | |")
    expect(indexProblems(text, sources, files)).toEqual(["line 4 names no file"])
  })

  it("but not if all of it is there, by name or by pattern", () => {
    const text = index("| A | [A](./packages/a/src/A.ts) | `packages/a/test/A.*.test.ts` |")
    expect(indexProblems(text, sources, files)).toEqual([])
  })
})
