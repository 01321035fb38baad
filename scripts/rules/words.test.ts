/** Phrases are found where they are read, at their line, and a folder's budget only shrinks. */
import { describe, expect, it } from "vitest"
import { phrases } from "./phrases.js"
import { countsOf, folderOf, overBudget, shrunk, wordsIn } from "./words.js"

const found = (file: string, text: string) => wordsIn(file, text).map(({ line, message }) => `${line} ${message}`)

const samples: Readonly<Record<string, string>> = {
  "who asks": "Who asks first is served first.",
  "let go of": "The pool lets the item go.",
  "of ours": "A scope of ours.",
  "nobody ... any more": "Nobody wants the value any more.",
  "is told": "The caller is told.",
  "is to": "Its release is to run twice.",
  "one that": "A fiber, and one that waits.",
  "what there is": "The cache gives what there is.",
  "what becomes of": "A report of what became of each.",
  "anew": "It is looked up anew.",
  "to be had": "No item can be had.",
  "told off": "The others are told off.",
  "by and by": "It closes by and by.",
  "in the midst of": "In the midst of a use."
}

describe("a phrase to leave out is found", () => {
  it.each(phrases)("in a document and in a comment: $name", ({ name }) => {
    const sample = samples[name]
    expect(found("a.md", `# Title\n\n${sample}`)).toContainEqual(
      expect.stringMatching(new RegExp(`^3 .*\\(${name}\\)`))
    )
    expect(found("a.ts", `const a = 1\n// ${sample}`)).toContainEqual(expect.stringMatching(/^2 /))
  })

  it("in a text and in a template, and across the lines of a comment", () => {
    expect(found("a.ts", `const a = "lets go of it"`)).toHaveLength(1)
    expect(found("a.ts", "const a = `${b} lets go of ${c}`")).toHaveLength(1)
    expect(found("a.ts", `/**\n * It lets\n * go of it.\n */\nexport {}`)).toEqual([expect.stringMatching(/^2 /)])
    expect(found("a.ts", `// It lets\n// go of it.\nexport {}`)).toHaveLength(1)
  })
})

describe("a phrase is not found", () => {
  it("in code, be it of a source, of a document or within a line", () => {
    expect(found("a.ts", `import { isTold } from "./is told.js"\nis.told(anew)`)).toEqual([])
    expect(found("a.md", "```ts\n// who asks\n```\nsee `who asks` and [this](who%20asks.md)")).toEqual([])
    expect(found("a.ts", "/**\n * ```ts\n * who(asks)\n * ```\n */\nexport {}")).toEqual([])
  })

  it("where its words are of two texts", () => {
    expect(found("a.ts", `const a = ["who", "asks"] // who\nconst b = asks // asks`)).toEqual([])
  })
})

describe("the budget of a folder", () => {
  const findings = wordsIn("packages/a/src/b.ts", "// who asks\n// is told")

  it("is of a package's sources, tests and documents each, and of other folders as a whole", () => {
    const files = ["packages/a/src/internal/b.ts", "packages/a/README.md", "docs/decisions/a.md", "README.md"]
    expect(files.map(folderOf)).toEqual(["packages/a/src", "packages/a", "docs", "."])
    expect(countsOf(findings)).toEqual({ "packages/a/src": 2 })
  })

  it("fails where a count rises, with each place", () => {
    const [head, ...places] = overBudget(findings, { "packages/a/src": 1 })
    expect(head.message).toBe("packages/a/src has 2 phrases to leave out, 1 are allowed")
    expect(places.map(({ file, line }) => `${file}:${line}`)).toEqual([
      "packages/a/src/b.ts:1",
      "packages/a/src/b.ts:2"
    ])
  })

  it("fails where a count is lower than stated, and holds where it is equal", () => {
    expect(overBudget(findings, { "packages/a/src": 3 })).toHaveLength(1)
    expect(overBudget([], { "packages/a/src": 3 })).toHaveLength(1)
    expect(overBudget(findings, { "packages/a/src": 2 })).toEqual([])
  })

  it("shrinks to what is left, and never grows", () => {
    expect(shrunk({ "packages/a/src": 3, docs: 2 }, findings)).toEqual({ "packages/a/src": 2 })
    expect(shrunk({ "packages/a/src": 1 }, findings)).toEqual({ "packages/a/src": 1 })
    expect(shrunk({}, findings)).toEqual({})
  })
})
