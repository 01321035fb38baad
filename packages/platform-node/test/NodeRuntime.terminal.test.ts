/** A terminal sends Ctrl-C to a whole group of processes, and takes its lines along when it is closed. */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import path from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { compile, makeFolder } from "./process.js"

const folder = makeFolder()
let program: string
beforeAll(async () => {
  program = await compile(new URL("fixtures/terminal.ts", import.meta.url), folder)
})

const terminalMaker = "/usr/bin/script"

/** In a pseudo terminal, below a shell that outlives both and keeps the exit code; `run` is the shell's way to run it. */
const startAt = (file: string, run: (program: string) => string): ChildProcess =>
  spawn(terminalMaker, [
    "-qec",
    `${run(`"${process.execPath}" "${program}" "${file}"`)}; echo $? > "${file}.code"`,
    "/dev/null"
  ], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, SHELL: "/bin/sh" }
  })

const printed = (terminal: ChildProcess, pattern: RegExp): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ""
    terminal.stdout!.on("data", (chunk) => {
      const found = pattern.exec(text += String(chunk))
      if (found !== null) resolve(found[1]!)
    }).on("end", () => reject(new Error(`ended without ${pattern}: ${text}`)))
  })

const codeIn = async (file: string): Promise<string> => {
  const isThere = () => existsSync(`${file}.code`) && readFileSync(`${file}.code`, "utf8").endsWith("\n")
  for (let tries = 0; tries < 400 && !isThere(); tries++) await new Promise((resume) => setTimeout(resume, 50))
  return readFileSync(`${file}.code`, "utf8").trim()
}

// Where there is no `script` to make a terminal, nothing of this can be shown.
describe.runIf(existsSync(terminalMaker) && process.platform === "linux")("at a terminal", () => {
  it("at a terminal that is closed, a process cleans up and ends with 0, though nobody hears of it", async () => {
    const file = path.join(folder, "hangup")
    // Only the shell is told of the end of the terminal, as long as it lives.
    const terminal = startAt(file, (run) => `trap 'kill -HUP $!' HUP; ${run} & wait $!; wait $!`)
    await printed(terminal, /(ready)/)
    terminal.kill("SIGKILL")
    expect(await codeIn(file)).toBe("0")
    expect(existsSync(`${file}.closed`)).toBe(true)
  })

  it("Ctrl-C is one signal, though a parent hands it on as well", async () => {
    const file = path.join(folder, "key")
    const terminal = startAt(file, (run) => `trap "" INT; ${run}`)
    const pid = Number(await printed(terminal, /ready as (\d+)\./))
    const begun = printed(terminal, /(shutting down)/)
    terminal.stdin!.write("\u0003")
    await begun
    process.kill(pid, "SIGINT")
    expect(await codeIn(file)).toBe("0")
    expect(existsSync(`${file}.closed`)).toBe(true)
  })
})
