/** Every example of the documentation compiles, runs, and shows what it says it shows. */
import path from "node:path"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { examplesOf } from "./examples.js"
import { documents, read, root, sources } from "./repository.js"
import { run } from "./run.js"
import { typeProblems } from "./types.js"

const examples = [...documents, ...sources].flatMap((file) => examplesOf(file, read(file)))
const problems = typeProblems(root, examples)

describe("example", () => {
  beforeEach(() => {
    vi.spyOn(console, "log").mockImplementation(() => {})
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  for (const example of examples) {
    it(`${example.file}:${example.line}`, async () => {
      expect(problems.get(example)).toEqual([])
      if (example.runs) await run(example, path.join(root, ".tmp/examples"))
    })
  }
})

it("there are examples", () => {
  expect(examples.length).toBeGreaterThan(0)
})
