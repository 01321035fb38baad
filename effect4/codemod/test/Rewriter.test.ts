import { describe, expect, it } from "vitest"
import { type Place, Rewriter } from "../Rewriter.js"

const rewrite = (source: string, place: Place = "sources") =>
  new Rewriter(source, "a.ts", place, "../codemod/shims").rewrite().text

const problemsOf = (source: string) => new Rewriter(source, "a.ts", "sources", "../codemod/shims").rewrite().problems

describe("the codemod", () => {
  it("renames members by the name that the module has here", () => {
    expect(rewrite(`import { Effect as E } from "effect"\nE.catchAll(a, b)`))
      .toBe(`import { Effect as E } from "effect"\nE.catch(a, b)`)
  })

  it("leaves alone what is called as a module of Effect's and is not from it", () => {
    const source = `const Effect = { catchAll: 1 }\nEffect.catchAll`
    expect(rewrite(source)).toBe(source)
  })

  it("imports what it uses, types as types, and nothing else", () => {
    expect(rewrite(`import { Effect, Either, type Layer } from "effect"\nconst a: Layer.Layer<never> = Either.left(1)`))
      .toBe(`import { type Layer, Result } from "effect"\nconst a: Layer.Layer<never> = Result.fail(1)`)
  })

  it("imports from where a module is now", () => {
    expect(rewrite(`import { TestClock } from "effect"\nTestClock.adjust(1)`))
      .toBe(`import { TestClock } from "effect/testing"\nTestClock.adjust(1)`)
    expect(rewrite(`export { TestClock } from "effect"`)).toBe(`export { TestClock } from "effect/testing"`)
  })

  it("makes a service of a tag", () => {
    expect(rewrite(`import { Context } from "effect"\nclass A extends Context.Tag("a")<A, number>() {}`))
      .toBe(`import { Context } from "effect"\nclass A extends Context.Service<A, number>()("a") {}`)
  })

  it("rewrites a call within a call", () => {
    expect(rewrite(`import { Effect } from "effect"\nEffect.zipLeft(Effect.yieldNow(), Effect.catchAll(a, b))`))
      .toBe(`import { Effect } from "effect"\nEffect.tap(Effect.yieldNow, () => Effect.catch(a, b))`)
  })

  it("begins with the fields of a request", () => {
    expect(rewrite(`import { Request } from "effect"\nclass A extends Request.TaggedClass("A")<1, 2, { a: 3 }> {}`))
      .toBe(`import { Request } from "effect"\nclass A extends Request.TaggedClass("A")<{ a: 3 }, 1, 2> {}`)
  })

  it("gives a schedule its error", () => {
    expect(rewrite(`import type { Schedule } from "effect"\ntype A = Schedule.Schedule<1, 2, 3>`))
      .toBe(`import { type Schedule } from "effect"\ntype A = Schedule.Schedule<1, 2, never, 3>`)
  })

  it("renames methods of clocks, fibers and contexts by their name alone", () => {
    expect(rewrite(`clock.unsafeCurrentTimeMillis() + fiber.id() + fiber?.id()`))
      .toBe(`clock.currentTimeMillisUnsafe() + fiber.id + fiber?.id`)
  })

  it("looks nothing up that every object has", () => {
    const source = `a.toString() + b.valueOf() + c.constructor`
    expect(rewrite(source)).toBe(source)
  })

  it("gives shims to tests, and to sources a problem", () => {
    const source = `import { Fiber } from "effect"\nFiber.poll(fiber)`
    expect(rewrite(source, "tests")).toBe(`import * as Compat from "../codemod/shims/Compat.js"\nCompat.poll(fiber)`)
    expect(problemsOf(source)).toEqual(["a.ts:2 the shim poll is for tests"])
    expect(problemsOf(`import { FiberRef } from "effect"\nFiberRef.get(ref)`))
      .toEqual(["a.ts FiberRef is absent in Effect 4"])
  })

  it("rewrites programs in texts of tests", () => {
    expect(
      rewrite(
        "import { Effect } from \"effect\"\nrun(`import { Effect } from \"effect\"; Effect.catchAll(a)`)",
        "tests"
      )
    )
      .toContain("`import { Effect } from \"effect\"; Effect.catch(a)`")
  })

  it("leaves out tests by their titles, and says which it did not meet", () => {
    const rewriter = new Rewriter(
      `import { Effect } from "effect"\nit("a", () => Effect.void)\nit("b", () => Effect.void)`,
      "a.ts",
      "tests",
      "../codemod/shims",
      { a: "a reason", c: "another" }
    )
    const { problems, text } = rewriter.rewrite()
    expect(text).toBe(`import { Effect } from "effect"\n\nit("b", () => Effect.void)`)
    expect(problems).toEqual([`a.ts has no test "c" that could be left out`])
  })
})
