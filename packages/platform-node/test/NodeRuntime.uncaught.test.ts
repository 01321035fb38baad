/** What nobody catches starts the same shutdown, is logged with its stack, and ends in 1. */
import { beforeAll, describe, it } from "vitest"
import { compile, expectCode, makeFolder, start } from "./process.js"

const folder = makeFolder()
let script: string
beforeAll(async () => {
  script = await compile(new URL("fixtures/uncaught.ts", import.meta.url), folder)
})

const events = {
  exception: "uncaughtException",
  // Fibers run in the callback of a promise.
  observer: "unhandledRejection",
  rejection: "unhandledRejection",
  value: "unhandledRejection"
} as const

describe.concurrent("what nobody catches", () => {
  for (const how of ["exception", "observer", "rejection", "value"] as const) {
    for (const moment of ["starting", "running", "closing"] as const) {
      it(`${how} while ${moment}: is logged, all is released, and the exit code is 1`, async ({ expect }) => {
        const ended = await start(script, [how, moment]).ended
        expectCode(ended, 1)
        expect(ended.stdout).toMatch(new RegExp(`FATAL \\(#\\d+\\): ${events[how]}\n`))
        expect(ended.stdout).toContain("nobody catches this")
        // The stack.
        if (how !== "value") expect(ended.stdout).toMatch(/TypeError: nobody catches this\n +at .*failing /)
        expect(ended.stdout).toContain("closed\n")
        expect(ended.stdout).toMatch(/Shut down in .* after (an uncaught error|the end of the program): \d resource/)
        expect(ended.stderr).toBe("")
      })
    }
  }

  it("counts during a shutdown by a signal, too", async ({ expect }) => {
    const started = start(script, ["exception", "signalled"])
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/uncaughtException\n[^]*nobody catches this[^]*closed\n/)
  })

  it("counts while the modules are still loaded", async ({ expect }) => {
    const ended = await start(script, ["exception", "loading"]).ended
    expectCode(ended, 1)
    expect(ended.stdout).toContain("nobody catches this")
    expect(ended.stdout).toContain("closed\n")
  })
})
