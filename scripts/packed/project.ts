/** A user's project outside of the repository: our packed packages, and their peers as linked from the repository. */
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { promisify } from "node:util"
import { pack, root } from "../packages.mjs"

const exec = promisify(execFile)

/** What a user installs beside the packages. */
const peers = [
  "effect",
  "@effect/platform",
  "@effect/platform-node",
  "@effect/vitest",
  "fast-check",
  "vitest",
  "typescript",
  "tsx",
  "esbuild",
  "@types/node"
]

interface Outcome {
  readonly code: number
  readonly output: string
}

export interface Project {
  readonly folder: string
  /** Runs node in the project. */
  readonly node: (...args: ReadonlyArray<string>) => Promise<Outcome>
  readonly remove: () => void
}

const nodeIn = (folder: string) => async (...args: ReadonlyArray<string>): Promise<Outcome> => {
  // The project is a user's: nothing of the vitest that runs this test may show in it.
  const { FORCE_COLOR, NODE_OPTIONS, VITEST, VITEST_MODE, VITEST_POOL_ID, VITEST_WORKER_ID, ...inherited } = process.env
  const env = { ...inherited, NODE_ENV: "test", NO_COLOR: "1" }
  try {
    const { stderr, stdout } = await exec(process.execPath, args, { cwd: folder, env })
    return { code: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stderr, stdout } = error as { code: number; stderr: string; stdout: string }
    return { code, output: stdout + stderr }
  }
}

export const makeProject = async (files: string): Promise<Project> => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "patinox-packed-")))
  const modules = path.join(folder, "node_modules")
  await exec(process.execPath, [path.join(root, "scripts/build.mjs")])
  for (const { name, tarball } of pack(path.join(folder, "tarballs"))) {
    const target = path.join(modules, name)
    mkdirSync(target, { recursive: true })
    await exec("tar", ["-xzf", tarball, "-C", target, "--strip-components=1"])
  }
  for (const peer of peers) {
    mkdirSync(path.dirname(path.join(modules, peer)), { recursive: true })
    symlinkSync(path.join(root, "node_modules", peer), path.join(modules, peer), "junction")
  }
  cpSync(files, folder, { recursive: true })
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "user", type: "module", private: true }))
  return { folder, node: nodeIn(folder), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
