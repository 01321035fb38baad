/** Every example of the documentation compiles, runs where it belongs, and shows what it says it shows. */
import path from "node:path"
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { type Example, examplesOf } from "./examples.js"
import { documents, read, root, sources } from "./repository.js"
import { run } from "./run.js"
import { asTestFile, inPlainNode, needsVitest } from "./running.js"
import { typeProblems } from "./types.js"

const folder = path.join(root, ".tmp/examples")
const examples = [...documents, ...sources].flatMap((file) => examplesOf(file, read(file)))
const problems = typeProblems(root, examples)

describe("example", () => {
  const wrong = new Map<Example, string | null>()

  beforeAll(async () => {
    const plain = examples.filter((example) => example.runs && example.isTest !== true && !needsVitest(example))
    const found = await inPlainNode(plain, folder)
    plain.forEach((example, index) => wrong.set(example, found[index] ?? null))
  }, 120_000)
  beforeEach(() => {
    vi.spyOn(console, "log").mockImplementation(() => {})
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  for (const example of examples) {
    it(`${example.file}:${example.line}`, { timeout: 60_000 }, async () => {
      expect(problems.get(example)).toEqual([])
      if (!example.runs) return
      if (example.isTest === true) return expect(await asTestFile(example)).toBe(null)
      if (needsVitest(example)) return run(example, folder)
      expect(wrong.get(example)).toBe(null)
    })
  }
})

it("there are examples of each kind", () => {
  const having = (holds: (example: Example) => boolean) => examples.filter(holds).length
  expect(having(needsVitest)).toBeGreaterThan(0)
  expect(having((example) => !needsVitest(example))).toBeGreaterThan(0)
  expect(having(({ isTest }) => isTest === true)).toBeGreaterThan(0)
})
