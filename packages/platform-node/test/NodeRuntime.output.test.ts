/**
 * What is written last arrives: in slow pipes, in files, and through the application's own logger, which closes last.
 * Shows `Stdio`.
 */
import { openSync, readFileSync } from "node:fs"
import path from "node:path"
import type { Readable } from "node:stream"
import { beforeAll, describe, expect, it } from "vitest"
import { compile, expectCode, makeFolder, start } from "./process.js"

const folder = makeFolder()
let script: string
beforeAll(async () => {
  script = await compile(new URL("fixtures/output.ts", import.meta.url), folder)
})

const mebibyte = 1_048_576

/** Reads nothing until told to, and then little by little. */
const slowly = (stream: Readable) => {
  stream.removeAllListeners("data")
  stream.pause()
  return async (): Promise<string> => {
    let text = ""
    let sincePause = 0
    for await (const chunk of stream) {
      text += String(chunk)
      sincePause += chunk.length
      if (sincePause < 100_000) continue
      sincePause = 0
      await new Promise((resume) => setTimeout(resume, 10))
    }
    return text
  }
}

const until = (millis: number) => new Promise((resume) => setTimeout(resume, millis))

describe.concurrent("a pipe that is read slowly", () => {
  it("gets every line that is logged after a signal", async ({ expect }) => {
    const started = start(script, ["much at a signal"])
    await started.printed("ready")
    const read = slowly(started.process.stdout!)
    started.kill("SIGTERM")
    await until(300)
    const text = await read()
    expectCode(await started.ended, 0)
    expect(text.length).toBeGreaterThan(mebibyte)
    expect(text).toMatch(/the last line\n.*Shut down in .* after SIGTERM: 1 resource.*\n$/)
  })

  it("gets every line before a failed program exits", async ({ expect }) => {
    const started = start(script, ["much at a failure"])
    const text = await slowly(started.process.stdout!)()
    expectCode(await started.ended, 1)
    expect(text).toContain("the last line\n")
    expect(text).toContain("Error: refused")
  })

  it("gets every line of standard error, too", async ({ expect }) => {
    const started = start(script, ["much at a failure, on standard error"])
    const text = await slowly(started.process.stderr!)()
    expectCode(await started.ended, 1)
    expect(text.endsWith("the last line\n")).toBe(true)
  })

  it("a pipe that is read slowly is waited for beyond the time of a shutdown, where nobody asked for one", async ({ expect }) => {
    const started = start(script, ["much at the end", { shutdownTimeout: 1_000 }])
    const read = slowly(started.process.stdout!)
    await until(3_000)
    const text = await read()
    expectCode(await started.ended, 0)
    expect(text.endsWith("the last line\n")).toBe(true)
  })

  it("a pipe that is not read at all does not keep a process past its deadline", async ({ expect }) => {
    const started = start(script, ["much at a signal", { shutdownTimeout: 1_500 }])
    await started.printed("ready")
    slowly(started.process.stdout!)
    const exited = new Promise<number | null>((resolve) => started.process.once("exit", resolve))
    const errors = new Promise<string>((resolve) => {
      let text = ""
      started.process.stderr!.on("data", (chunk) => (text += String(chunk))).on("end", () => resolve(text))
    })
    started.kill("SIGTERM")
    expect(await exited).toBe(1)
    expect(await errors).toMatch(/^\d+ bytes of output were not read in time\.\n$/)
    started.process.stdout!.destroy()
  })

  it("a pipe that is read slowly by a reader that goes away before the signal does not keep the process", async ({ expect }) => {
    const started = start(script, ["much at a signal"])
    await started.printed("ready")
    started.process.stdout!.destroy()
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 0)
    expect(ended.millis).toBeLessThan(15_000)
  })

  it("a pipe that is read slowly by a reader that goes away while the program writes ends it in 1, and standard error says why", async ({ expect }) => {
    const file = path.join(folder, "talking")
    const started = start(script, ["talking", {}, file])
    await started.printed("ready")
    started.process.stdout!.destroy()
    const ended = await started.ended
    expectCode(ended, 1)
    expect(ended.stderr).toMatch(/^uncaughtException\nError: write EPIPE\n/)
    expect(ended.stderr.match(/EPIPE/g)!.length).toBeLessThan(5)
    expect(readFileSync(file, "utf8")).toBe("closed")
  })
})

it("a file gets every line", async () => {
  const file = path.join(folder, "stdout")
  const fd = openSync(file, "w")
  const started = start(script, ["much at a failure"], { stdio: ["ignore", fd, "pipe"] })
  expectCode(await started.ended, 1)
  const text = readFileSync(file, "utf8")
  expect(text).toContain("the last line\n")
  expect(text).toContain("Error: refused")
})

describe.concurrent("the application's logger", () => {
  const run = async (name: string, options: object = {}) => {
    const file = path.join(folder, name)
    const started = start(script, [name, options, file])
    await started.printed("ready")
    started.kill("SIGTERM")
    return { ended: await started.ended, file: readFileSync(file, "utf8") }
  }

  it("gets the report and closes last", async ({ expect }) => {
    const { ended, file } = await run("file")
    expectCode(ended, 0)
    expect(ended.stdout).toBe("ready\n")
    expect(ended.stderr).toBe("")
    expect(file).toMatch(
      /^INFO opened .*\nINFO SIGTERM: shutting down, within 25 s .*\nINFO closed .*\nINFO Shut down in .*\nthe logger closes\n$/
    )
  })

  it("gets each failure, with its cause, and the table", async ({ expect }) => {
    const { ended, file } = await run("file, failing")
    expectCode(ended, 1)
    expect(ended.stdout + ended.stderr).toBe("ready\n")
    expect(file).toMatch(/^ERROR Cleanup of database \(.*\) failed after 1 attempt.*\n[^]*broken pipe/m)
    expect(file).toMatch(/^ERROR Shut down in .* after SIGTERM, not cleanly:\n#[^]*failed after 1 attempt/m)
    expect(file).toMatch(/the logger closes\n$/)
  })

  it("the application's logger is abandoned when it does not close, and that is said on standard error", async ({ expect }) => {
    const { ended } = await run("file, hanging", { shutdownTimeout: 1_500 })
    expectCode(ended, 1)
    expect(ended.stdout + ended.stderr).toMatch(/timed out after/)
    expect(ended.millis).toBeLessThan(8_000)
  })

  it("the application's logger that fails to close makes the exit code 1", async ({ expect }) => {
    const { ended } = await run("file, dying")
    expectCode(ended, 1)
    expect(ended.stderr).toMatch(/^The logger did not close cleanly:\n#[^]*disk full/)
  })

  it("the application's logger that throws is replaced by standard error", async ({ expect }) => {
    const started = start(script, ["throwing"])
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 1)
    expect(ended.stderr).toMatch(/^SIGTERM: shutting down, within 25 s\nShut down in .* not cleanly:\n#[^]*broken pipe/)
  })

  it("the application's logger that throws does not keep a failed program, whose error goes to standard error", async ({ expect }) => {
    const ended = await start(script, ["throwing, failing"]).ended
    expectCode(ended, 1)
    expect(ended.stderr).toMatch(/^Error: refused\n +at /)
  })

  it("the application's logger that cannot be built ends the process before the program begins", async ({ expect }) => {
    const file = path.join(folder, "unbuilt")
    const ended = await start(script, ["unbuilt", {}, file]).ended
    expectCode(ended, 1)
    expect(ended.stdout).toContain("no such collector")
    expect(() => readFileSync(file)).toThrow("ENOENT")
  })

  it("the application's logger is alone with the report, whatever else logs in the app", async ({ expect }) => {
    const started = start(script, ["launched, with both"])
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 0)
    expect(ended.stdout).toMatch(/^app: closed$/m)
    expect(ended.stdout).toMatch(/^process: closed$/m)
    expect(ended.stdout).toMatch(/process: Shut down in .*\n$/)
    expect(ended.stdout).not.toContain("app: Shut down")
  })

  it("the application's logger of a launched app gets the report as well", async ({ expect }) => {
    const started = start(script, ["launched"])
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(/^app: opened\nready\napp: SIGTERM: shutting down, within 25 s\n/)
    expect(ended.stdout).toMatch(/^app: Cleanup of .* failed after 1 attempt: Error: broken pipe$/m)
    expect(ended.stdout).toMatch(/^app: Shut down in .*, not cleanly:$/m)
  })
})
