/** The application from outside: a real process, what it prints, how it ends, and that nothing of it is left. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { readFile, symlink, truncate, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import {
  asBuilt,
  asStarted,
  build,
  leftBehind,
  openIndex,
  removeBuild,
  startedIn,
  type World,
  world
} from "./application.js"

const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex")
const names = ["HttpServer", "Classifier", "HashWorkers", "SqliteIndex", "TargetFile", "StagingDirectory"]
const lost = /^\d+ .* (failed|abandoned|running) +\d/m
const row = (name: string, outcome: string) => new RegExp(`^\\d+ .* index-directory/${name} +${outcome} `, "m")

const live = (title: string, test: (world: World) => Promise<void>) =>
  it.scopedLive(title, () => Effect.flatMap(world, (world) => Effect.promise(() => test(world))))

const small = { "a.txt": "one\ntwo\n", "b.bin": Buffer.from([0, 1, 10, 2]), "nested/c.txt": "" }
/** Takes longer to read than any test, and no room. */
const endless = async ({ files }: World) => {
  await promisify(execFile)("touch", [join(files, "endless")])
  await truncate(join(files, "endless"), 200e9)
}

beforeAll(build)
afterAll(removeBuild)

describe("a normal end", () => {
  live(
    "every file is indexed, every resource cleaned up by priority and dependency, and nothing is left",
    async (world) => {
      await world.write({ ...small, "node_modules/x/x.js": "", ".git/HEAD": "" })
      await promisify(execFile)("mkfifo", [join(world.files, "pipe")])
      await symlink("a.txt", join(world.files, "link"))
      await symlink(".", join(world.files, "circle"))
      const { code, stderr, stdout } = await world.run([world.files, "--out", world.target])
      expect(stderr).toBe("")
      expect(code).toBe(0)
      expect(stdout).toContain("100 %  4 of 4 files")
      for (const name of names) expect(stdout).toMatch(row(name, "cleaned"))
      const cleaned = (name: string) => stdout.indexOf(`index-directory/${name} cleaned after`)
      expect(cleaned("HttpServer")).toBeLessThan(cleaned("SqliteIndex"))
      expect(cleaned("SqliteIndex")).toBeLessThan(cleaned("StagingDirectory"))
      expect(stdout).toContain("6 resources in")
      expect(await leftBehind(world, stdout)).toEqual([])
      const text = { kind: "text", hash: sha256(small["a.txt"]), size: 8, lines: 2 }
      expect(openIndex(world.target)).toEqual({
        integrity: ["ok"],
        journal: ["delete"],
        rows: [
          { path: "a.txt", ...text },
          { path: "b.bin", kind: "binary", hash: sha256(small["b.bin"]), size: 4, lines: 0 },
          { path: "link", ...text },
          { path: "nested/c.txt", kind: "text", hash: sha256(""), size: 0, lines: 0 }
        ]
      })
    }
  )
})

describe("--fault", { concurrent: true }, () => {
  const faults = [
    ["hang", "Classifier", "recovered \\(fallback\\)", "timed out"],
    ["fail", "SqliteIndex", "recovered", "IndexBusy"],
    ["die", "HttpServer", "recovered \\(fallback\\)", "TypeError"],
    ["ignore", "HashWorkers", "recovered \\(fallback\\)", "it did not stop, was abandoned"]
  ] as const
  for (const [fault, name, outcome, error] of faults) {
    live(`${fault}: ${name} is recovered, the others are cleaned up, and nothing is left`, async (world) => {
      await world.write(small)
      const { code, stdout } = await world.run([world.files, "--out", world.target, "--fault", fault])
      expect(stdout).toMatch(row(name, outcome))
      expect(stdout).toContain(error)
      expect(stdout).not.toMatch(lost)
      expect(code).toBe(0)
      expect(await leftBehind(world, stdout)).toEqual([])
      expect(openIndex(world.target)).toMatchObject({ integrity: ["ok"], rows: { length: 3 } })
    })
  }
})

describe("signals", () => {
  live("--serve answers until SIGTERM, and then leaves nothing", async (world) => {
    await world.write(small)
    const application = world.launch([world.files, "--out", world.target, "--serve"], asStarted)
    const { input: stdout } = await application.printed(/serving until[^]*$/)
    const { url } = startedIn(stdout)
    const get = async (path: string, method = "GET") => {
      const response = await fetch(url + path, { method })
      return [response.status, await response.json()] as const
    }
    expect(await get("/progress")).toEqual([200, { phase: "complete", total: 3, indexed: 3, unreadable: 0 }])
    expect(await get("/files?limit=1&offset=1")).toEqual([200, {
      count: 3,
      files: [expect.objectContaining({ path: "b.bin" })]
    }])
    const hash = sha256(small["a.txt"])
    expect(await get(`/files/${hash}`)).toEqual([200, { files: [expect.objectContaining({ path: "a.txt", hash })] }])
    expect(await get(`/files/${"0".repeat(64)}`)).toMatchObject([404, {}])
    expect(await get("/files?limit=0")).toMatchObject([400, {}])
    expect(await get("//")).toMatchObject([400, {}])
    expect(await get("/other")).toMatchObject([404, {}])
    expect(await get("/files", "POST")).toMatchObject([405, {}])
    application.child.kill("SIGTERM")
    const ended = await application.ended
    expect(ended).toMatchObject({ code: 0, stderr: "" })
    for (const name of names) expect(ended.stdout).toMatch(row(name, "cleaned"))
    expect(await leftBehind(world, ended.stdout)).toEqual([])
    expect(openIndex(world.target)).toMatchObject({ integrity: ["ok"], rows: { length: 3 } })
  })

  live("SIGINT while it indexes: exit code 1, and the index that was there is untouched", async (world) => {
    await world.write(small)
    await endless(world)
    await writeFile(world.target, "what was there")
    const application = world.launch([world.files, "--out", world.target])
    await application.printed(/\d+ % {2}2 of 4/)
    application.child.kill("SIGINT")
    const { code, stderr, stdout } = await application.ended
    expect(code).toBe(1)
    expect(stderr).toContain("Stopped before the index was complete")
    for (const name of names) expect(stdout).toMatch(row(name, "cleaned"))
    expect(await leftBehind(world, stdout)).toEqual([])
    expect(await readFile(world.target, "utf8")).toBe("what was there")
  })

  live("the child process is killed: the run fails, names it, and cleans up the rest", async (world) => {
    await endless(world)
    const application = world.launch([world.files, "--out", world.target])
    const { input } = await application.printed(/serving \S+\n/)
    process.kill(startedIn(input).pid, "SIGKILL")
    const { code, stderr, stdout } = await application.ended
    expect(code).toBe(1)
    expect(stderr).toContain("The classifier has gone: SIGKILL")
    for (const name of names) expect(stdout).toMatch(row(name, "cleaned"))
    expect(await leftBehind(world, stdout)).toEqual([])
  })
})

describe("what cannot be read or written", () => {
  live("unreadable files are named, the others are indexed, and the exit code is 1", async (world) => {
    await world.write({ ...small, "secret.txt": "secret" })
    await symlink("nowhere", join(world.files, "dangling"))
    await symlink("loop", join(world.files, "loop"))
    const { code, stderr, stdout } = await world.run([world.files, "--out", world.target])
    expect(code).toBe(1)
    expect(stderr).toContain(`Unreadable: ${join(world.files, "dangling")}: ENOENT: no such file or directory`)
    expect(stderr).toContain(`Unreadable: ${join(world.files, "loop")}: ELOOP`)
    expect(stderr).toContain("The index lacks 2 that could not be read")
    for (const name of names) expect(stdout).toMatch(row(name, "cleaned"))
    expect(await leftBehind(world, stdout)).toEqual([])
    expect(openIndex(world.target)).toMatchObject({ integrity: ["ok"], rows: { length: 4 } })
  })

  const refused = async (world: World, args: ReadonlyArray<string>, message: string) => {
    const { code, stderr, stdout } = await world.run(args)
    expect({ code, stderr }).toEqual({ code: 1, stderr: `index-directory: ${message}\n` })
    expect(stdout).not.toMatch(lost)
    expect(await leftBehind(world, stdout)).toEqual([])
    expect(() => openIndex(world.target)).toThrow()
  }

  live("a directory that is not there", (world) => {
    const missing = join(world.files, "missing")
    return refused(world, [missing, "--out", world.target], `${missing}: ENOENT: no such file or directory`)
  })

  live("a target that cannot be written", async (world) => {
    await world.write(small)
    const target = join(world.files, "a.txt", "index.sqlite")
    await refused(world, [world.files, "--out", target], `${target}: ENOTDIR: not a directory`)
  })

  live("a full disk: a write fails half-way, and neither a new nor a broken index is there", async (world) => {
    await world.write(Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`file-${n}`, String(n)])))
    // In blocks of 512 bytes: enough for an empty index, not for a full one.
    const limited = ["/bin/sh", "-c", "ulimit -f 100; exec \"$@\"", "sh", ...asBuilt]
    const { code, stderr, stdout } = await world.run([world.files, "--out", world.target], limited)
    expect(stderr).toContain("The index cannot be written: disk I/O error (no room left on the disk")
    expect(code).toBe(1)
    expect(stdout).toMatch(/ % {2}\d+ of 400 files/)
    expect(await leftBehind(world, stdout)).toEqual([])
    expect(() => openIndex(world.target)).toThrow()
  })

  live("output that cannot be written is an error; a reader that has seen enough is none", async (world) => {
    await world.write(small)
    const shell = (script: string) => ["/bin/sh", "-c", script, "sh", ...asBuilt]
    const args = [world.files, "--out", world.target]
    const full = await world.run(args, shell("\"$@\" > /dev/full"))
    expect(full).toMatchObject({ code: 1, stderr: expect.stringContaining("The output could not be written: ENOSPC") })
    expect(await leftBehind(world, "")).toEqual([])
    const piped = await world.run(args, shell("{ \"$@\"; echo \"code $?\" >&2; } | head -n 1"))
    expect(piped.stderr).toBe("code 0\n")
    expect(await leftBehind(world, "")).toEqual([])
  })
})

describe("usage", () => {
  live("--help, and what is not understood: a message, and exit codes 0 and 2", async (world) => {
    const [help, unknown] = await Promise.all([world.run(["--help"]), world.run(["--unknown"])])
    expect(help).toMatchObject({ code: 0, stderr: "" })
    expect(help.stdout).toMatch(/--out <file>[^]*--serve[^]*--fault <kind>[^]*Exit codes: 0/)
    expect(unknown).toMatchObject({ code: 2, stdout: "" })
    expect(unknown.stderr).toContain("Unknown option '--unknown'")
  })
})
