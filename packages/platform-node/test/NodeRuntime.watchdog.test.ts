/** What keeps the main thread busy is ended at the deadline too, and the line on standard error says where it is. */
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll, describe, it } from "vitest"
import { compile, expectCode, makeFolder, start } from "./process.js"

const require = createRequire(import.meta.url)
const fixture = new URL("fixtures/watchdog.ts", import.meta.url)
const folder = makeFolder()
let script: string
beforeAll(async () => {
  script = await compile(fixture, folder)
})

const quick = { shutdownTimeout: 800 }
const busy = "The deadline of 800 ms has passed and the main thread is busy in"

describe.concurrent("a finalizer that spins", () => {
  it("a finalizer that spins in the turn in which the shutdown begins is ended", async ({ expect }) => {
    const ended = await start(script, ["spin", quick]).ended
    expectCode(ended, 1)
    expect(ended.stderr).toMatch(
      /^The deadline of .* is busy in spinning \(file:.*\/watchdog\.mjs:\d+:\d+\), called by .*: exits with 1\.\n$/
    )
    expect(ended.stdout).toMatch(
      /ERROR .*The deadline of 800 ms has passed: exits with 1\.\nStill running: database for \d/
    )
    // Without the watchdog it would spin for good: that it ends at all is the upper bound, on any machine.
    expect(ended.millis).toBeGreaterThan(1_200)
  })

  it("a finalizer that spins in a context of its own is ended", async ({ expect }) => {
    const ended = await start(script, ["context", quick]).ended
    expectCode(ended, 1)
    expect(ended.stderr.startsWith(busy)).toBe(true)
  })

  it("a finalizer that spins in a regular expression is ended", async ({ expect }) => {
    const ended = await start(script, ["expression", quick]).ended
    expectCode(ended, 1)
    expect(ended.stderr).toMatch(/busy in expression \(|busy in finalizers?\.expression \(|busy in .*watchdog\.mjs/)
  })

  // Compiling takes its time, on a busy machine a lot of it: only one that is never ended fails by the limit.
  it(
    "a finalizer that spins is ended in a program that runs from its sources",
    { timeout: 200_000 },
    async ({ expect }) => {
      const node = ["--import", require.resolve("tsx"), "--conditions=source"]
      const ended = await start(fileURLToPath(fixture), ["spin", quick], { node, limitMillis: 180_000 }).ended
      expectCode(ended, 1)
      expect(ended.stderr).toMatch(/busy in spinning \(file:.*\/fixtures\/watchdog\.ts:\d+:\d+\)/)
    }
  )

  it("a finalizer that spins is ended as a listener of the exit, too", async ({ expect }) => {
    const started = start(script, ["none at exit", quick])
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 1)
    expect(ended.stderr).toMatch(/^The deadline of .* is busy in spinning .*\n$/)
  })

  it("a finalizer that spins and ends only after the deadline makes the exit code 1", async ({ expect }) => {
    const ended = await start(script, ["late", quick]).ended
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(
      /Shut down in .* not cleanly:\n#[^]* database +cleaned |The deadline of 800 ms has passed/
    )
  })
})

describe.concurrent("the watchdog", () => {
  it("kills a process whose main thread is blocked outside of JavaScript", async ({ expect }) => {
    const ended = await start(script, ["blocked", quick]).ended
    expect(ended).toMatchObject({ code: null, signal: "SIGKILL" })
    expect(ended.stderr).toBe(
      "The deadline of 800 ms has passed and the main thread does not answer: is killed.\n"
    )
  })

  it("takes nothing of what the process preloads", async ({ expect }) => {
    const preload = path.join(folder, "preload.cjs")
    writeFileSync(preload, `require("node:fs").writeSync(1, "preloaded\\n")`)
    const ended = await start(script, ["spin", quick], { env: { NODE_OPTIONS: `--require "${preload}"` } }).ended
    expectCode(ended, 1)
    expect(ended.stdout.match(/preloaded/g)).toHaveLength(1)
  })

  it("the watchdog that may not be started is missed in the log, and nowhere else", async ({ expect }) => {
    const node = ["--experimental-permission", "--allow-fs-read=*"]
    const started = start(script, ["none at signal", quick], { node })
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 0)
    expect(ended.stdout).toMatch(
      /WARN .*No watchdog thread, .*ERR_ACCESS_DENIED|WARN .*No watchdog thread, .*Access to this API/
    )
  })
})
