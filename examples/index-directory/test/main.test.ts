import { execFile } from "node:child_process"
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, it } from "vitest"

const run = promisify(execFile)
const main = new URL("../src/main.ts", import.meta.url).pathname

it("indexes a directory, reports the cleanup and leaves no staging directory", async () => {
  const temporary = await mkdtemp(join(tmpdir(), "index-test-"))
  const directory = await mkdtemp(join(temporary, "files-"))
  await writeFile(join(directory, "a.txt"), "a")
  const { stdout } = await run(process.execPath, ["--import", "tsx", "--conditions=source", main, directory], {
    env: { ...process.env, TMPDIR: temporary }
  })
  expect(stdout).toContain("indexed 1 of 1 files")
  expect(stdout).toMatch(/index-directory\/Staging +cleaned/)
  expect((await readdir(temporary)).filter((name) => name.startsWith("patinox-"))).toEqual([])
  await rm(temporary, { recursive: true })
})

it("a missing directory is named, ends with exit code 1, and the rest is cleaned up", async () => {
  const error = await run(process.execPath, ["--import", "tsx", "--conditions=source", main, "/does/not/exist"])
    .catch((error: { code: number; stdout: string; stderr: string }) => error)
  expect(error).toMatchObject({ code: 1 })
  expect(error.stderr).toContain("/does/not/exist")
  expect(error.stdout).toMatch(/index-directory\/Staging +cleaned/)
})
