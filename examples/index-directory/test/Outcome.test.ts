import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { FileError } from "../src/Errors.js"
import { decide, type End } from "../src/Outcome.js"

const end: End = {
  exit: Exit.void,
  summary: { indexed: 3, bytes: 9, unreadable: [] },
  unwritten: undefined,
  target: "/tmp/index.sqlite"
}
const interrupted = Effect.runSyncExit(Effect.interrupt)

describe("Outcome", () => {
  it("the exit code of a complete index is 0, also when serving it was stopped", () => {
    expect(decide(end)).toEqual({ code: 0, problems: [] })
    expect(decide({ ...end, exit: interrupted })).toEqual({ code: 0, problems: [] })
  })

  it("the exit code is 1 where the index is not complete", () => {
    expect(decide({ ...end, exit: interrupted, summary: undefined })).toEqual({
      code: 1,
      problems: ["Stopped before the index was complete; /tmp/index.sqlite is as it was"]
    })
  })

  it("an outcome prints a failure by its message, a defect in full", () => {
    const failed = Exit.fail(new FileError({ path: "/x", cause: new Error("EACCES: permission denied, open '/x'") }))
    expect(decide({ ...end, exit: failed, summary: undefined }).problems).toEqual(["/x: EACCES: permission denied"])
    const died = decide({ ...end, exit: Exit.die(new TypeError("a mistake")), summary: undefined })
    expect(died.code).toBe(1)
    expect(died.problems[0]).toContain("TypeError: a mistake")
  })

  it("an outcome counts many unreadable files instead of listing all", () => {
    const unreadable = Array.from({ length: 30 }, (_, n) => new FileError({ path: `/${n}`, cause: "gone" }))
    const { code, problems } = decide({ ...end, summary: { ...end.summary!, unreadable } })
    expect(code).toBe(1)
    expect(problems).toHaveLength(22)
    expect(problems.slice(-2)).toEqual(["and 10 more", "The index lacks 30 that could not be read"])
  })
})
