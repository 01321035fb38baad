/**
 * What a program builds for itself, layers and registries, keeps the limits and the order, and is in the report.
 * Shows `Cleanups`.
 */
import { beforeAll, describe, it } from "vitest"
import { compile, expectCode, makeFolder, start } from "./process.js"

const folder = makeFolder()
let script: string
beforeAll(async () => {
  script = await compile(new URL("fixtures/inside.ts", import.meta.url), folder)
})

const signalled = async (name: string, options: object = {}) => {
  const started = start(script, [name, options])
  await started.printed("ready")
  started.kill("SIGTERM")
  return started.ended
}

const run = (name: string, options: object = {}) => start(script, [name, options]).ended

describe.concurrent("layers that the program builds itself", () => {
  for (const name of ["Layer.launch", "Effect.provide", "ManagedRuntime", "retried"]) {
    it(`layers that the program builds itself have their finalizers limited and named, and what they depend on is released (P2, P3): ${name}`, async ({ expect }) => {
      const ended = await signalled(name, { shutdownTimeout: "60 seconds", finalizerTimeout: 500 })
      expectCode(ended, 1)
      expect(ended.stdout).toMatch(/Cleanup of app\/Queue \(.*\) timed out after 500 ms [^]*database closed\n/)
      expect(ended.stdout).toMatch(/^\d +Normal +app\/Queue +abandoned /m)
      expect(ended.stdout).toMatch(/^\d +Normal +app\/Database +cleaned /m)
      expect(ended.millis).toBeLessThan(15_000)
    })
  }

  it("start what is left before the deadline, however long a finalizer may take (P2)", async ({ expect }) => {
    const ended = await signalled("Layer.launch", { shutdownTimeout: "3 seconds", finalizerTimeout: "1 hour" })
    expectCode(ended, 1)
    expect(ended.stdout).toContain("database closed\n")
    expect(ended.stdout).toMatch(/app\/Queue/)
    expect(ended.millis).toBeLessThan(10_000)
  })

  it("layers that the program builds itself keep Effect's own scopes where that is asked for", async ({ expect }) => {
    const ended = await signalled("without limits", { shutdownTimeout: 1_500, finalizerTimeout: 200 })
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/Abandoned \d+ fibers? that ignored interruption for/)
    expect(ended.stdout).not.toContain("database closed")
  })

  it("layers that the program builds itself are Effect's own affair again after the program", async ({ expect }) => {
    expect((await run("as it was")).stdout).toBe("put back: true\n")
  })

  it("layers that the program builds itself are not built again by a memo map that is used after the program, too", async ({ expect }) => {
    expect((await run("a memo map that outlives it")).stdout).toBe("builds: 1\n")
  })
})

describe.concurrent("the report of the process", () => {
  it("counts guards in layers of the program's", async ({ expect }) => {
    const ended = await signalled("guards in layers")
    expectCode(ended, 0)
    expect(ended.stdout).toMatch(/Shut down in .* after SIGTERM: 3 resources in .*: 3 cleaned\n/)
  })

  it("names those that failed, and the exit code is 1", async ({ expect }) => {
    const ended = await signalled("guards in layers that fail")
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/^\d +Normal +app\/Queue +failed .*refused$/m)
    expect(ended.stdout).toMatch(/^\d +Normal +app\/Database +cleaned /m)
    expect(ended.stdout).toMatch(/3 resources in .*: 2 cleaned, 1 failed\n/)
  })

  it("the report of the process of very many is a summary with those that failed first", async ({ expect }) => {
    const ended = await run("many", { count: 2_000 })
    expectCode(ended, 1)
    const table = ended.stdout.slice(ended.stdout.indexOf(" #  priority"))
    expect(table).toMatch(/^ #  priority .*\n +1 +Normal +finalizer #2001 +failed /)
    expect(table.trim().split("\n")).toHaveLength(53)
    expect(table).toMatch(/\n\.\.\. and 1951 more\n2001 resources in .*: 2000 cleaned, 1 failed\n/)
  })
})

describe.concurrent("a registry that is provided inside the program", () => {
  for (const name of ["registry inside", "registry inside, signalled", "registry inside a part"]) {
    it(`keeps last in first out for guards of the process's scope (P4): ${name}`, async ({ expect }) => {
      const ended = await (name.endsWith("signalled") ? signalled(name) : run(name))
      expectCode(ended, 0)
      expect(ended.stdout).toMatch(/consumer stopped\ndatabase closed\n/)
      expect(ended.stdout + ended.stderr).not.toMatch(/WARN|ERROR/)
    })
  }

  it("ends with its part of the program where its guards do", async ({ expect }) => {
    const ended = await run("registry of a part of its own")
    expectCode(ended, 0)
    expect(ended.stdout).toBe("consumer stopped\ndatabase closed\nthe part is over\n")
  })
})
