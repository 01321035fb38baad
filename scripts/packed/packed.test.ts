/** The packages as their users get them: packed, installed elsewhere, type-checked, and run without any tool of ours. */
import path from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { makeProject, type Project } from "./project.js"

let project: Project

beforeAll(async () => {
  project = await makeProject(path.join(import.meta.dirname, "user"))
})
afterAll(() => project?.remove())

it("a user's program type-checks, declarations of the packages included", async () => {
  const options = ["--strict", "--exactOptionalPropertyTypes", "--noEmit", "--skipLibCheck", "false"]
  const target = ["--module", "NodeNext", "--target", "ES2022", "--lib", "ES2022,DOM,ESNext.Disposable"]
  const result = await project.node(
    "node_modules/typescript/bin/tsc",
    ...options,
    ...target,
    "--types",
    "node",
    "main.ts",
    "kit.spec.ts"
  )
  expect(result).toEqual({ code: 0, output: "" })
})

it("a user's program runs on plain node", async () => {
  const compiled = await project.node(
    ..."node_modules/typescript/bin/tsc --module NodeNext --target ES2022 --skipLibCheck --types node main.ts".split(
      " "
    )
  )
  expect(compiled.output).toBe("")
  expect(await project.node("main.js")).toEqual({ code: 0, output: "opened\nanswer to a question\nclosed\n" })
})

it("every public module of its own path can be imported", async () => {
  const result = await project.node("--input-type=module", "--eval", `await import("@patinox/core/ResourceGuard")`)
  expect(result).toEqual({ code: 0, output: "" })
})

it.each(["@patinox/core/internal/Seam", "@patinox/core/dist/internal/Seam.js"])(
  "%s cannot be imported",
  async (name) => {
    const result = await project.node("--input-type=module", "--eval", `await import("${name}")`)
    expect(result.code).not.toBe(0)
    expect(result.output).toMatch(/ERR_PACKAGE_PATH_NOT_EXPORTED|ERR_MODULE_NOT_FOUND/)
  }
)

it("a user's test suite runs with the test kit", async () => {
  const result = await project.node("node_modules/vitest/vitest.mjs", "run", "--reporter=verbose", "kit.spec.ts")
  expect(result.output).toMatch(/Tests\s+1 passed \(1\)/)
  expect(result.code).toBe(0)
})
