/** Apps of layers as the process (`LimitedLayers`): their main program, layers that fail to build, and one that hangs inside. */
import { beforeAll, describe, expect, it } from "vitest"
import { compile, expectCode, makeFolder, start } from "./process.js"

const folder = makeFolder()
let script: string
beforeAll(async () => {
  script = await compile(new URL("fixtures/launch.ts", import.meta.url), folder)
})

const run = (name: string, options: object = {}) => start(script, [name, options]).ended

const terminated = async (name: string, options: object = {}) => {
  const started = start(script, [name, options])
  await started.printed("ready")
  started.kill("SIGTERM")
  return started.ended
}

const allClosed = "server closed\ncache closed\ndatabase closed\n"

describe.concurrent("a launched app", () => {
  for (const name of ["main", "data last"]) {
    it(`ends with its main program, and is released: ${name}`, async ({ expect }) => {
      const ended = await run(name)
      expectCode(ended, 0)
      expect(ended.stdout + ended.stderr).toBe(`listening\n${allClosed}`)
    })
  }

  it("gives its main program a scope that closes before the layers", async ({ expect }) => {
    expect((await run("scoped main")).stdout).toBe(`listening\nmain closed\n${allClosed}`)
  })

  it("ends in 1 where its main program fails", async ({ expect }) => {
    const ended = await run("failing main")
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(
      /^listening\n.*\n +Error: refused\n[^]*server closed\ncache closed\ndatabase closed\n$/
    )
  })

  it("a launched app without a main program runs until a signal", async ({ expect }) => {
    const ended = await terminated("no main")
    expectCode(ended, 0)
    expect(ended.stdout).toContain(allClosed)
    expect(ended.stdout).toMatch(/Shut down in .* after SIGTERM: 3 resources in .*: 3 cleaned\n$/)
  })

  it("a launched app that fails to build ends in 1, logged, with what was built released", async ({ expect }) => {
    const ended = await run("unbuilt")
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/Error: address in use\n/)
    expect(ended.stdout).toMatch(/cache closed\ndatabase closed\n/)
    expect(ended.stdout).not.toMatch(/server closed|listening/)
  })

  it("a launched app that fails to build and to be released has both logged", async ({ expect }) => {
    const ended = await run("unbuilt, unclean")
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/Error: address in use\n/)
    expect(ended.stdout).toMatch(/Cleanup of app\/Cache .* failed after 1 attempt: Error: cache is broken\n/)
  })

  it("hands the readiness to its layers", async ({ expect }) => {
    const ended = await terminated("readiness")
    expectCode(ended, 0)
    expect(ended.stdout).toContain("the layer drains\n")
    expect(ended.stdout).toContain("ready at close: false\n")
  })
})

it("fibers that a layer forks into its scope from callbacks run to their end, and end with it", async () => {
  const ended = await terminated("bridge")
  expectCode(ended, 0)
  expect(ended.stdout).toMatch(/^handled by a bridge\nready\n[^]*ended with its layer\n/)
  expect(ended.stdout).not.toContain("interrupted\n")
})

describe.concurrent("a layer that hangs inside of an app", () => {
  for (const name of ["hung", "built in runMain"]) {
    it(`a layer that hangs inside of an app is named, and does not keep what it is built on from its release: ${name}`, async ({ expect }) => {
      const ended = await terminated(name, { finalizerTimeout: 300 })
      expectCode(ended, 1)
      expect(ended.stdout).toMatch(
        /server closed\n[^]*Cleanup of app\/Cache .* timed out after 300 ms[^]*database closed\n/
      )
      expect(ended.stdout).toMatch(
        /not cleanly:\n#.*\n1 .* app\/Server +cleaned .*\n2 .* app\/Cache +failed .*\n3 .* app\/Database +cleaned /
      )
      expect(ended.millis).toBeLessThan(10_000)
    })
  }

  it("a layer that hangs inside of an app of its own scope, in runMain: is named, and makes the exit code 1", async ({ expect }) => {
    const ended = await terminated("hung in runMain")
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/Cleanup of app\/Cache .* timed out after 300 ms[^]*database closed\n/)
    expect(ended.stdout).toMatch(/Shut down in .*, not cleanly:\n/)
  })
})

describe.concurrent("a guard that fails to be released", () => {
  for (const name of ["failing guard", "failing guard in the background"]) {
    it(`makes the exit code 1: ${name}`, async ({ expect }) => {
      const ended = await run(name)
      expectCode(ended, 1)
      expect(ended.stdout).toMatch(/Cleanup of Guarded .* failed after .* refused/)
      expect(ended.stdout).toMatch(/Shut down in .*, not cleanly:\n/)
    })
  }
})
