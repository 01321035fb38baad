/** No source is unknown to the tests, and ARCHITECTURE.md names each room. */
import path from "node:path"
import { expect, it } from "vitest"
import { unknownSources } from "./architecture.js"
import { filesIn, read, sources } from "./repository.js"

const isTest = (file: string) => /\/(test|typetest)\//.test(file) && file.endsWith(".ts")

it("each source is imported or named by a test of its package", () => {
  const tests = Object.fromEntries(filesIn("packages").filter(isTest).map((file) => [file, read(file)]))
  expect(unknownSources(sources, tests)).toEqual([])
})

it("an internal source that only tests of other packages know is unknown", () => {
  const tests = {
    "packages/a/test/a.test.ts": `import "../src/internal/Known.js"`,
    "packages/b/test/b.test.ts": "Public Other"
  }
  const known = ["packages/a/src/index.ts", "packages/a/src/internal/Known.ts", "packages/a/src/Public.ts"]
  const unknown = "packages/a/src/internal/Other.ts"
  expect(unknownSources([...known, unknown], tests)).toEqual([unknown])
})

it("ARCHITECTURE.md says of each room what is in it", () => {
  const text = read("ARCHITECTURE.md")
  const rooms = new Set(sources.map((file) => path.posix.dirname(file).replace(/^packages\//, "")))
  const known = [...rooms].filter((room) => /\/internal/.test(room) && !/^(platform|vitest)\//.test(room))
  expect(known.filter((room) => !text.includes(`\`${room}\``))).toEqual([])
})
