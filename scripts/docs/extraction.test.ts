/** The checks on examples are able to fail. */
import path from "node:path"
import { describe, expect, it } from "vitest"
import { type Example, examplesOf } from "./examples.js"
import { root } from "./repository.js"
import { run } from "./run.js"
import { asTestFile, inPlainNode } from "./running.js"
import { typeProblems } from "./types.js"

const markdown = (...lines: ReadonlyArray<string>) => lines.join("\n").replaceAll("~~~", "```")

describe("an example is found", () => {
  it("in Markdown, at the line of its fence", () => {
    const text = markdown("# Title", "", "~~~ts", "const a = 1", "~~~", "", "~~~sh", "ls", "~~~")
    expect(examplesOf("a.md", text)).toEqual([{ file: "a.md", line: 3, code: "const a = 1", runs: true }])
  })

  it("inside a list, without its indentation", () => {
    const text = markdown("- item", "", "  ~~~ts", "  if (x) {", "    y()", "  }", "  ~~~")
    expect(examplesOf("a.md", text)[0].code).toBe("if (x) {\n  y()\n}")
  })

  it("unless it is tagged no-check; tagged no-run it does not run", () => {
    const text = markdown("~~~ts no-check", "?", "~~~", "~~~ts no-run", "a()", "~~~")
    expect(examplesOf("a.md", text)).toEqual([{ file: "a.md", line: 4, code: "a()", runs: false }])
  })

  it("as a test file where it is tagged test", () => {
    const [example] = examplesOf("a.md", markdown("~~~ts test", "a()", "~~~"))
    expect(example).toEqual({ file: "a.md", line: 1, code: "a()", runs: true, isTest: true })
  })

  it("in JSDoc, with and without @example, and nowhere else in a source", () => {
    const text = markdown(
      "/** One line. */",
      "/**",
      " * ~~~ts",
      " * first()",
      " * ~~~",
      " * @example",
      " * ~~~ts",
      " * if (x) {",
      " *   second()",
      " * }",
      " * ~~~",
      " */",
      "const fence = `",
      "~~~ts",
      "third()",
      "~~~",
      "`"
    )
    expect(examplesOf("a.ts", text).map(({ code, line }) => [line, code])).toEqual([
      [3, "first()"],
      [7, "if (x) {\n  second()\n}"]
    ])
  })

  it("or refused, if it is an @example without a fence or a fence without an end", () => {
    expect(() => examplesOf("a.ts", "/**\n * @example\n * first()\n */")).toThrow("a.ts:3")
    expect(() => examplesOf("a.md", markdown("~~~ts", "first()"))).toThrow("a.md:1")
  })
})

describe("a type error", () => {
  it("is a problem of its example, at its line", () => {
    const wrong: Example = {
      file: "a.md",
      line: 10,
      code: "export const a = 1\nexport const b: string = a",
      runs: true
    }
    const right: Example = { ...wrong, code: `import { Effect } from "effect"\nawait Effect.runPromise(Effect.void)` }
    const problems = typeProblems(root, [wrong, right])
    expect(problems.get(wrong)).toEqual([expect.stringMatching(/^a\.md:12: .*not assignable/)])
    expect(problems.get(right)).toEqual([])
  })

  it("is a use of the DOM, and an element that may not be there", () => {
    const of = (code: string): Example => ({ file: "a.md", line: 1, code, runs: true })
    const dom = of("export const title = document.title")
    const body = of(`export const { rows } = await (await fetch("http://localhost")).json()`)
    const element = of("const list: Array<string> = []\nexport const length = list[0].length")
    const node = of(`export const text = (await fetch("http://localhost")).text()`)
    const problems = typeProblems(root, [dom, body, element, node])
    expect([dom, body, element, node].map((example) => problems.get(example)!.length > 0)).toEqual([
      true,
      true,
      true,
      false
    ])
  })
})

describe("an example", () => {
  let line = 100
  const runCode = (...code: ReadonlyArray<string>) =>
    run({ file: "self.md", line: line += 10, code: code.join("\n"), runs: true }, path.join(root, ".tmp/self"))
  const imports = `import { Console, Effect } from "effect"`

  it.each([
    ["a logged text", `console.log("a", { b: 1 }) // => a { b: 1 }`],
    ["a value", `[1, "two"] // => [1, "two"]`],
    ["a text, quoted or not", `"a".concat("b") // => ab\n"a".concat("b") // => "ab"`],
    ["an initializer", `const a = 1 + 1 // => 2`],
    ["an awaited value", `${imports}\nawait Effect.runPromise(Effect.succeed(1)) // => 1`],
    [
      "a yielded value",
      `${imports}\nawait Effect.runPromise(Effect.gen(function*() {\nyield* Effect.succeed(1) // => 1\n}))`
    ],
    [
      "an effectful log",
      `${imports}\nawait Effect.runPromise(Effect.void.pipe(\nEffect.andThen(Console.log("a")) // => a\n))`
    ],
    ["lines of text below", `console.log("a\\nb") // =>\n// a\n// b`]
  ])("asserts %s", async (_, code) => {
    await runCode(code)
    await expect(runCode(code.replace(/\/\/ =>.*/, "// => something else"))).rejects.toThrow("something else")
  })

  it("fails at the line of a false assertion", async () => {
    await expect(runCode("const a = 1", "console.log(a) // => 2")).rejects.toThrow(/self\.md:\d+2: expected \/\/ => 2/)
  })

  it("fails where an assertion is never reached", async () => {
    await expect(runCode(`const f = () => {`, `console.log(1) // => 1`, `}`)).rejects.toThrow("never reached")
  })

  it("fails where an assertion follows nothing", async () => {
    await expect(runCode("// => 1")).rejects.toThrow("line 1")
  })

  it("fails when it throws or what it awaits rejects", async () => {
    await expect(runCode(`throw new Error("thrown")`)).rejects.toThrow("thrown")
    await expect(runCode(`await Promise.reject(new Error("rejected"))`)).rejects.toThrow("rejected")
  })
})

describe("outside of this vitest", () => {
  const of = (line: number, ...code: ReadonlyArray<string>): Example => ({
    file: "outside.md",
    line,
    code: code.join("\n"),
    runs: true
  })

  it(
    "an example runs in vitest or in a plain process, and each failure names its example",
    { timeout: 60_000 },
    async () => {
      const wrong = await inPlainNode(
        [
          of(1, `console.log(process.env["VITEST"]) // => undefined`),
          of(10, "console.log(1) // => 2"),
          of(20, `import "@patinox/vitest"`),
          of(40, `import { make } from "@patinox/vitest/TestResource"`, "console.log(typeof make) // => function")
        ],
        path.join(root, ".tmp/self")
      )
      expect(wrong.map((problem) => problem === null)).toEqual([true, false, false, true])
      expect(wrong[1]).toMatch(/outside\.md:11: expected \/\/ => 2/)
      expect(wrong[2]).toMatch(/Vitest failed to access its internal state/)
    }
  )

  it("a test file passes where its tests do, and fails with what vitest says", { timeout: 60_000 }, async () => {
    const test = (line: number, expected: number) =>
      of(line, `import { expect, it } from "vitest"`, `it("adds", () => expect(1 + 1).toBe(${expected}))`)
    expect(await asTestFile(test(1, 2))).toBe(null)
    expect(await asTestFile(test(2, 3))).toMatch(/expected 2 to be 3/)
  })
})
