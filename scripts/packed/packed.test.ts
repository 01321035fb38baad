/** The packages as their users get them: packed, installed elsewhere, type-checked, and run without the tools of this repository. */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import path from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, it } from "vitest"
import { root } from "../packages.mjs"
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

// Own frames are left out whatever the files are called that they are said to be in.
const places = (file: string): ReadonlyArray<string> =>
  readFileSync(file, "utf8").split("\n").flatMap((line, i) =>
    line.endsWith("// here") ? [`${path.basename(file)}:${i + 1}`] : []
  )
const source = path.join(import.meta.dirname, "user/names.ts")
const compile = "node_modules/typescript/bin/tsc --module NodeNext --target ES2022 --skipLibCheck --types node".split(
  " "
)
const esbuild = "node_modules/esbuild/bin/esbuild names.ts --bundle --platform=node --format=esm --target=es2022".split(
  " "
)

const namesIn = ({ output }: { readonly output: string }): unknown => {
  const line = output.match(/^names: (.*)$/m)
  return line === null ? output : JSON.parse(line[1]!)
}

it("a guard without a name is called by the line of the call (plain node)", async () => {
  expect(await project.node(...compile, "names.ts")).toEqual({ code: 0, output: "" })
  const expected = places(path.join(project.folder, "names.js"))
  expect(expected).toHaveLength(13)
  expect(namesIn(await project.node("names.js"))).toEqual(expected)
})

it.each([
  ["node --enable-source-maps", [...compile, "--sourceMap", "names.ts"], ["--enable-source-maps", "names.js"]],
  ["a bundle with a source map", [...esbuild, "--sourcemap", "--outfile=bundle.mjs"], [
    "--enable-source-maps",
    "bundle.mjs"
  ]],
  ["tsx", undefined, ["--import", "tsx", "names.ts"]],
  ["tsx and --enable-source-maps", undefined, ["--enable-source-maps", "--import", "tsx", "names.ts"]],
  ["vitest", undefined, ["node_modules/vitest/vitest.mjs", "run", "names.spec.ts"]]
])("a guard without a name is called by the line of the source (%s)", async (_, prepare, run) => {
  if (prepare !== undefined) expect((await project.node(...prepare)).code).toBe(0)
  expect(namesIn(await project.node(...run))).toEqual(places(source))
})

it("a guard without a name is called by the line of the source (from our sources)", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "--conditions=source", source], {
    cwd: root
  })
  expect(namesIn({ output: stdout })).toEqual(places(source))
})
