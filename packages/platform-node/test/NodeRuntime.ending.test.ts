/**
 * Programs that end without a signal: exit codes, what they leave open, and options that are wrong.
 * Shows `Main`.
 */
import { beforeAll, describe, it } from "vitest"
import { compile, expectCode, makeFolder, start } from "./process.js"

const folder = makeFolder()
let script: string
beforeAll(async () => {
  script = await compile(new URL("fixtures/ending.ts", import.meta.url), folder)
})

const run = (name: string, options: object = {}) => start(script, [name, options]).ended

describe.concurrent("a program that ends by itself", () => {
  for (const name of ["done", "data last", "no options"]) {
    it(`adds nothing to what it prints: ${name}`, async ({ expect }) => {
      const ended = await run(name)
      expectCode(ended, 0)
      expect(ended.stdout + ended.stderr).toBe("done\n")
    })
  }

  it("does not wait for the delay of the readiness", async ({ expect }) => {
    const ended = await run("cleaned", { readinessDelay: "20 seconds" })
    expectCode(ended, 0)
    expect(ended.millis).toBeLessThan(10_000)
  })

  it("a program that ends by itself has its scope closed, and still adds nothing", async ({ expect }) => {
    const ended = await run("cleaned")
    expectCode(ended, 0)
    expect(ended.stdout + ended.stderr).toBe("done\nclosed\n")
  })

  it("a program that ends by itself tells its finalizers how", async ({ expect }) => {
    expect((await run("told")).stdout).toBe("a value\n")
    expect((await run("told", { fails: true })).stdout).toBe("Error: refused\n")
  })

  it("ends in 1 where it failed, with the error logged", async ({ expect }) => {
    const ended = await run("failed")
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/^\[.*\] ERROR \(#\d+\): ?\n +Error: refused\n +at /)
  })

  it("ends in 1 and says nothing where errors are not to be reported", async ({ expect }) => {
    const ended = await run("failed", { disableErrorReporting: true })
    expectCode(ended, 1)
    expect(ended.stdout + ended.stderr).toBe("")
  })

  it("logs without the pretty logger where that is not wanted", async ({ expect }) => {
    const ended = await run("failed", { disablePrettyLogger: true })
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/^timestamp=.* level=ERROR .*Error: refused/)
  })

  it("ends in 0 where it interrupts itself, as with Effect", async () => {
    expectCode(await run("interrupted"), 0)
  })

  it("ends in 1 where a cleanup failed", async ({ expect }) => {
    const ended = await run("unclean")
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/ERROR .* Shut down in .* after the end of the program, not cleanly:\n#[^]* failed /)
  })

  it("a program that ends by itself has its shutdown limited as well", async ({ expect }) => {
    const ended = await run("hanging", { shutdownTimeout: 1_500 })
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/Cleanup of finalizer #1 .* was abandoned|Still running: finalizer #1 for/)
    expect(ended.millis).toBeGreaterThan(1_200)
  })

  it("does not wait for ever for a fiber that it has forked", async ({ expect }) => {
    const ended = await run("hanging child", { shutdownTimeout: 1_500 })
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/Abandoned \d+ fibers? that ignored interruption for .*: .*fiber #\d+ in span "child"/)
  })

  it("a program that ends by itself gets a ResourceScope", async ({ expect }) => {
    expect((await run("scope")).stdout).toBe("a ResourceScope: true\n")
  })

  it("a program that ends by itself has all the time in the world where the limit is infinite", async ({ expect }) => {
    const ended = await run("unlimited")
    expectCode(ended, 0)
    expect(ended.stdout).toBe("done\nclosed\n")
  })
})

describe.concurrent("what others left open", () => {
  it("keeps the process no longer than the deadline, and is named", async ({ expect }) => {
    const ended = await run("leftovers", { shutdownTimeout: 600 })
    expectCode(ended, 0)
    expect(ended.millis).toBeGreaterThan(600)
    expect(ended.stderr).toBe(
      "The program ended 600 ms ago and the process is kept alive by TCPServerWrap, 2 x Timeout: exits.\n"
    )
  })

  it("keeps it alive until then", async ({ expect }) => {
    const ended = await run("leftover that ends", { shutdownTimeout: 60_000 })
    expectCode(ended, 0)
    expect(ended.stdout).toBe("late\n")
    expect(ended.stderr).toBe("")
  })

  it("leaves the exit code as the program set it", async () => {
    expectCode(await run("leftovers, coded", { shutdownTimeout: 200 }), 3)
  })

  it("does not keep a failed program at all", async ({ expect }) => {
    const ended = await run("leftovers after a failure", { shutdownTimeout: 60_000 })
    expectCode(ended, 1)
    expect(ended.millis).toBeLessThan(15_000)
  })
})

describe.concurrent("the exit code", () => {
  it("the exit code is the one that the program set, where all else was clean", async () => {
    expectCode(await run("coded"), 3)
  })

  it("the exit code is 1 where a cleanup failed, whatever the program set", async () => {
    expectCode(await run("coded, unclean"), 1)
  })

  it("the exit code is the one of the teardown for a program that failed", async () => {
    expectCode(await run("teardown"), 42)
  })

  it("the exit code of a teardown may come later", async () => {
    expectCode(await run("teardown that waits"), 7)
  })

  it("the exit code of a teardown does not hide a failed cleanup", async () => {
    expectCode(await run("teardown, unclean"), 1)
  })

  it("the exit code that a teardown never gives does not keep the process", async ({ expect }) => {
    const ended = await run("teardown that forgets", { shutdownTimeout: 500 })
    expectCode(ended, 0)
    expect(ended.millis).toBeGreaterThan(450)
  })

  it("the exit code that a teardown never gives is not waited for where nothing is open", async ({ expect }) => {
    const ended = await run("teardown that forgets, with nothing open", { shutdownTimeout: 60_000 })
    expectCode(ended, 0)
    expect(ended.stdout).toBe("done\nclosed\n")
    expect(ended.millis).toBeLessThan(15_000)
  })

  it("the exit code is 1 where the teardown throws", async ({ expect }) => {
    const ended = await run("teardown that throws")
    expectCode(ended, 1)
    expect(ended.stdout).toContain("no teardown today")
  })
})

describe.concurrent("a bad option", () => {
  const bad: ReadonlyArray<readonly [object, string]> = [
    [
      { shutdownTimeout: 0 },
      "\"shutdownTimeout\": got 0, expected a duration above 0, up to 24 days, or Duration.infinity"
    ],
    [{ shutdownTimeout: "soon" }, "\"shutdownTimeout\": got \"soon\", expected a duration above 0, up to 24 days, or"],
    [
      { shutdownTimeout: "5 seconds", readinessDelay: "5 seconds" },
      "\"readinessDelay\": got \"5 seconds\", expected a duration from 0 to below the shutdownTimeout of 5 s"
    ],
    [{ signals: ["SIGKILL"] }, "\"signals\": got [\"SIGKILL\"], expected a list of SIGTERM, SIGINT, SIGHUP, SIGQUIT"],
    [{ loggerLayer: 1 }, "\"loggerLayer\": got 1, expected a Layer"],
    [{ finalizerTimeout: -1 }, "\"finalizerTimeout\": got -1, expected a duration above 0"],
    [{ order: "fifo" }, "\"order\": got \"fifo\", expected one of lifo, priority"]
  ]
  for (const [options, message] of bad) {
    it(`ends the process with 1 and a line, before anything is started: ${JSON.stringify(options)}`, async ({ expect }) => {
      const ended = await run("done", options)
      expectCode(ended, 1)
      expect(ended.stdout).toBe("")
      expect(ended.stderr.startsWith(`NodeRuntime: Invalid option ${message}`)).toBe(true)
      expect(ended.stderr.trimEnd().split("\n")).toHaveLength(1)
    })
  }
})

describe.concurrent("a second program in the process", () => {
  it("a second program in the process is refused while the first runs, which shuts down", async ({ expect }) => {
    const ended = await run("twice")
    expectCode(ended, 1)
    expect(ended.stdout).toContain("NodeRuntime runs a program already")
    expect(ended.stdout).toContain("closed\n")
    expect(ended.stdout).not.toContain("the second")
  })

  it("runs after the first has ended", async ({ expect }) => {
    const ended = await run("one after the other", { shutdownTimeout: 300 })
    expectCode(ended, 0)
    expect(ended.stdout + ended.stderr).toBe("done\nthe second\n")
  })

  it("a second program in the process is not ended as a leftover of the first one", async ({ expect }) => {
    const ended = await run("twice, the second for longer")
    expectCode(ended, 0)
    expect(ended.stdout + ended.stderr).toBe("done\nclosed\n")
  })
})
