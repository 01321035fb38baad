/** The application from outside: a real process, what it prints, how it ends, and that nothing of it is left. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { watch } from "node:fs"
import { mkdir, readFile, symlink, truncate, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
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
const names = ["HttpServer", "Classifier", "HashWorkers", "TargetFile", "SqliteIndex", "StagingDirectory"]
const lost = /^\d+ .* (failed|abandoned|running) +\d/m
const row = (name: string, outcome: string) => new RegExp(`^\\d+ .* index-directory/${name} +${outcome} `, "m")

/** Without what a slow machine is warned of. */
const problems = (stderr: string) => stderr.replace(/^warn: .*\n/gm, "")

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
      expect(problems(stderr)).toBe("")
      expect(code).toBe(0)
      expect(stdout).toContain("100 %  4 of 4 files")
      const rows = [...stdout.matchAll(/^\d {2}(\w+) +index-directory\/(\w+) +cleaned /gm)]
      // The layers are released in Effect's order: the last of those side by side begins first.
      expect(rows.map(([, priority, name]) => `${priority} ${name}`).slice(0, 4)).toEqual([
        "Critical HttpServer",
        "High Classifier",
        "High HashWorkers",
        "Normal SqliteIndex"
      ])
      expect(rows.map(([, priority, name]) => `${priority} ${name}`).slice(4).sort()).toEqual([
        "Low StagingDirectory",
        "Normal TargetFile"
      ])
      const at = (event: string) => stdout.indexOf(`index-directory/${event}`)
      expect(at("HttpServer cleaned")).toBeLessThan(at("Classifier cleanup started"))
      expect(at("SqliteIndex cleaned")).toBeLessThan(at("StagingDirectory cleanup started"))
      expect(stdout).toMatch(/^6 resources in \d.* \(deadline 25 s\): 6 cleaned$/m)
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

describe("signals", { concurrent: true }, () => {
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
    application.kill("SIGTERM")
    const ended = await application.ended
    expect(problems(ended.stderr)).toBe("")
    expect(ended.code).toBe(0)
    expect(ended.stdout).toContain("SIGTERM: shutting down, within 25 s")
    for (const name of names) expect(ended.stdout).toMatch(row(name, "cleaned"))
    expect(ended.stdout).toMatch(/\nShut down in .* after SIGTERM: .* cleaned\n$/)
    expect(await leftBehind(world, ended.stdout)).toEqual([])
    expect(openIndex(world.target)).toMatchObject({ integrity: ["ok"], rows: { length: 3 } })
  })

  live("SIGTERM, and a cleanup fails for good: exit code 1, it is named, and the rest is cleaned up", async (world) => {
    await world.write(small)
    const application = world.launch([world.files, "--out", world.target, "--serve"])
    await application.printed(/serving until/)
    // Where it expects a file of its own, or nothing.
    const partial = `${world.target}.${application.pid}.partial`
    await mkdir(partial)
    application.kill("SIGTERM")
    const { code, stderr, stdout } = await application.ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: Cleanup of index-directory\/TargetFile .*EISDIR/m)
    expect(stderr).toMatch(/^error: Shut down in .* after SIGTERM, not cleanly:$/m)
    for (const name of names) {
      for (const output of [stdout, stderr]) {
        expect(output).toMatch(row(name, name === "TargetFile" ? "failed" : "cleaned"))
      }
    }
    expect(await leftBehind(world, stdout)).toEqual([basename(partial)])
  })

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    live(`${signal} while it indexes: exit code 1, and the index that was there is untouched`, async (world) => {
      await world.write(small)
      await endless(world)
      await writeFile(world.target, "what was there")
      const application = world.launch([world.files, "--out", world.target])
      await application.printed(/\d+ % {2}2 of 4/)
      application.killGroup(signal)
      const { code, stderr, stdout } = await application.ended
      expect(problems(stderr)).toBe(
        `index-directory: Stopped before the index was complete; ${world.target} is as it was\n`
      )
      expect(code).toBe(1)
      for (const name of names) expect(stdout).toMatch(row(name, "cleaned"))
      expect(await leftBehind(world, stdout)).toEqual([])
      expect(await readFile(world.target, "utf8")).toBe("what was there")
    })
  }

  live("SIGINT twice while it indexes: the second ends it at once with 130 and says what was left", async (world) => {
    await world.write(small)
    await endless(world)
    await writeFile(world.target, "what was there")
    const application = world.launch([world.files, "--out", world.target])
    const { input } = await application.printed(/[^]* {2}2 of 4/)
    const { pid } = startedIn(input)
    // It does not end when it is asked to.
    process.kill(pid, "SIGSTOP")
    application.killGroup("SIGINT")
    for (const name of names.filter((name) => name !== "Classifier")) {
      await application.printed(new RegExp(`/${name} cleaned after`))
    }
    // By then the first is longer ago than half a second: sooner, it would be the same one once more.
    await application.printed(/Classifier cleanup is slow/)
    application.killGroup("SIGINT")
    const { code, stderr } = await application.ended
    expect(stderr).toMatch(
      /^SIGINT after SIGINT: exits at once with 130\.\nStill running: index-directory\/Classifier for /m
    )
    expect(stderr).toMatch(row("Classifier", "running"))
    expect(code).toBe(130)
    // That the child process has ended, too, is what `ended` has waited for.
    expect(await leftBehind(world, "")).toEqual([])
    expect(await readFile(world.target, "utf8")).toBe("what was there")
  })

  live("SIGINT while a resource misbehaves in the shutdown: it is still recovered", async (world) => {
    await world.write(small)
    const application = world.launch([world.files, "--out", world.target, "--fault", "hang"])
    await application.printed(/Classifier cleanup started/)
    application.killGroup("SIGINT")
    const { code, stdout } = await application.ended
    expect(stdout).toMatch(row("Classifier", "recovered \\(fallback\\)"))
    expect(stdout).toMatch(/Shut down in .* after SIGINT: .* 1 recovered\n$/)
    expect(code).toBe(0)
    expect(await leftBehind(world, stdout)).toEqual([])
    expect(openIndex(world.target)).toMatchObject({ integrity: ["ok"], rows: { length: 3 } })
  })

  live("SIGINT before the first output removes everything that the run has created", async (world) => {
    await endless(world)
    await writeFile(world.target, "what was there")
    // It takes the staging directory first, and is acquiring the rest.
    const watcher = watch(world.temporary)
    const staged = once(watcher, "change")
    const application = world.launch([world.files, "--out", world.target])
    await staged
    watcher.close()
    application.killGroup("SIGINT")
    const { code, stderr, stdout } = await application.ended
    expect(stderr).toContain("Stopped before the index was complete")
    expect(code).toBe(1)
    expect(stdout).not.toMatch(lost)
    expect(await leftBehind(world, stdout)).toEqual([])
    expect(await readFile(world.target, "utf8")).toBe("what was there")
  })

  const points = [/^/, /indexing/, /serving http/, /66 %/, /indexed/, /HttpServer cleaned/, /StagingDirectory cleaned/]
  for (const point of points) {
    live(
      `SIGINT at ${point}: the index is there and complete, or as it was, and nothing else is left`,
      async (world) => {
        await world.write(small)
        await writeFile(world.target, "what was there")
        const application = world.launch([world.files, "--out", world.target])
        await application.printed(point)
        application.killGroup("SIGINT")
        const { code, stdout } = await application.ended
        expect(await leftBehind(world, stdout)).toEqual([])
        const isNew = (await readFile(world.target)).toString() !== "what was there"
        // Undefined: before it listens to signals, or when all is over.
        expect(code === undefined || code === (isNew ? 0 : 1)).toBe(true)
        if (isNew) expect(openIndex(world.target)).toMatchObject({ integrity: ["ok"], rows: { length: 3 } })
      }
    )
  }

  live("the child process is killed: the run fails, names it, and cleans up the rest", async (world) => {
    // The classifier may have answered for it, and is not asked again: that it has gone is noticed all the same.
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
    expect({ code, stderr: problems(stderr) }).toEqual({ code: 1, stderr: `index-directory: ${message}\n` })
    expect(stdout).not.toMatch(lost)
    expect(await leftBehind(world, stdout)).toEqual([])
    expect(() => openIndex(world.target)).toThrow()
  }

  live("a missing directory ends the run with a message", (world) => {
    const missing = join(world.files, "missing")
    return refused(world, [missing, "--out", world.target], `${missing}: ENOENT: no such file or directory`)
  })

  live("an unwritable target ends the run with a message", async (world) => {
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
    expect(problems(piped.stderr)).toBe("code 0\n")
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
