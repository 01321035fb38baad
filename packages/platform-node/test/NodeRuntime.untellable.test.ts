/** An error that throws wherever somebody looks at it costs a process nothing: it cleans up, says a line, and ends in 1. */
import { beforeAll, describe, it } from "vitest"
import { compile, expectCode, makeFolder, start } from "./process.js"

const folder = makeFolder()
let script: string
beforeAll(async () => {
  script = await compile(new URL("fixtures/untellable.ts", import.meta.url), folder)
})

const run = (name: string, form: string, options: object = {}) => start(script, [name, form, options]).ended

const forms = ["getter", "error", "value"] as const
/** A proxy cannot be made a failure: Effect itself looks at it then. */
const thrown = [...forms, "proxy"] as const
const ways = {
  failure: forms,
  defect: forms,
  exception: thrown,
  rejection: thrown,
  finalizer: forms,
  release: forms,
  layer: forms,
  logger: forms
}

describe.concurrent("an error without a text", () => {
  for (const [name, each] of Object.entries(ways)) {
    for (const form of each) {
      it(`an error without a text of the form ${form} as ${name}: all is released, a line is said, and the exit code is 1`, async ({ expect }) => {
        const ended = await run(name, form, { shutdownTimeout: "20 seconds" })
        expectCode(ended, 1)
        expect(ended.stdout).toContain("closed\n")
        expect(ended.stdout.length + ended.stderr.length).toBeGreaterThan("closed\n".length)
        expect(ended.millis).toBeLessThan(15_000)
      })
    }
  }

  it("an error without a text as an option is refused with a line, as any other", async ({ expect }) => {
    for (const form of ["value", "proxy"]) {
      const ended = await run("option", form)
      expectCode(ended, 1)
      expect(ended.stderr).toMatch(
        /^NodeRuntime: Invalid option "shutdownTimeout": got .*, expected a duration above 0/
      )
    }
  })
})
