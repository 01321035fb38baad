// Breaks the source on purpose, one change at a time in a copy of the tree, and says which changes no test notices.
import { spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { mutations } from "./mutations/index.ts"
import { root } from "./packages.mjs"

const only = process.argv[2]
const chosen = mutations.filter(({ name }) => only === undefined || name.includes(only))

/** A tree of its own: the sources copied, what is installed linked, so that nothing here ever changes the real ones. */
const copyTree = () => {
  const tree = mkdtempSync(join(tmpdir(), "patinox-mutate-"))
  for (
    const name of ["package.json", "tsconfig.base.json", "tsconfig.json", "vitest.config.ts", "vitest.workspace.ts"]
  ) {
    cpSync(join(root, name), join(tree, name))
  }
  const sources = (path) => !/[\\/](node_modules|dist)$/.test(path)
  for (const name of ["packages", "scripts", "examples"]) {
    cpSync(join(root, name), join(tree, name), { recursive: true, filter: sources })
  }
  mkdirSync(join(tree, "node_modules/@patinox"), { recursive: true })
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "@patinox") symlinkSync(join(root, "node_modules", name), join(tree, "node_modules", name))
  }
  for (const name of readdirSync(join(tree, "packages"))) {
    symlinkSync(join(tree, "packages", name), join(tree, "node_modules/@patinox", name))
  }
  return tree
}

/** How long the tests of one change may take, and those of all changes together. */
const limit = 120_000
const limitOfAll = 900_000

/** Each leads a group of its own: a worker that spins does not end by itself when vitest does. */
const running = new Set()
const kill = (child) => {
  try {
    process.kill(-child.pid, "SIGKILL")
  } catch {
    // All of them have ended.
  }
}

/** Runs the tests until the first failure; what hangs has noticed the change, too. */
const test = (tree, files, withinMillis) =>
  new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [
        join(root, "node_modules/vitest/vitest.mjs"),
        "run",
        "--bail=1",
        "--testTimeout=8000",
        "--reporter=json",
        ...files
      ],
      { cwd: tree, detached: true, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, PATINOX_MUTATING: "1" } }
    )
    running.add(child)
    let output = ""
    let errors = ""
    child.stdout.on("data", (chunk) => (output += chunk))
    child.stderr.on("data", (chunk) => (errors += chunk))
    const timer = setTimeout(() => kill(child), withinMillis)
    // Workers that outlive it would keep its output open, and so the end from being noticed.
    child.on("exit", () => kill(child))
    child.on("close", (code, signal) => {
      clearTimeout(timer)
      running.delete(child)
      if (signal === "SIGKILL") return resolve({ noticed: true, by: "a hang" })
      try {
        const { numFailedTests, numPassedTests, testResults } = JSON.parse(output)
        const failed = testResults.flatMap((file) => file.assertionResults).find(({ status }) => status === "failed")
        resolve({ noticed: numFailedTests > 0, by: failed?.fullName, ran: numFailedTests + numPassedTests > 0 })
      } catch {
        resolve({ noticed: code !== 0, by: `an error outside a test: ${errors.trim().split("\n")[0]}`, ran: true })
      }
    })
  })

const trees = [copyTree(), copyTree()]
process.on("exit", () => {
  running.forEach(kill)
  trees.forEach((tree) => rmSync(tree, { recursive: true, force: true }))
})
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1))

const survivors = []
const report = ({ name }, verdict) => {
  console.log(`${verdict.noticed ? "killed  " : "SURVIVED"} ${name}${verdict.noticed ? `  (${verdict.by})` : ""}`)
  if (!verdict.noticed) survivors.push(name)
}

const whole = await test(trees[0], [...new Set(chosen.flatMap(({ tests }) => tests))], limitOfAll)
if (whole.noticed || !whole.ran) {
  console.error(`The tests fail without any change: ${whole.by ?? "none ran"}`)
  process.exit(1)
}

const waiting = [...chosen]
await Promise.all(trees.map(async (tree) => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const file = join(tree, next.file)
    const source = readFileSync(file, "utf8")
    if (source.split(next.find).length !== 2) {
      report(next, { noticed: false })
      console.error(`  its text does not stand once in ${next.file}`)
      continue
    }
    writeFileSync(file, source.replace(next.find, () => next.replace))
    report(next, await test(tree, next.tests, limit))
    writeFileSync(file, source)
  }
}))

console.log(`${chosen.length - survivors.length} of ${chosen.length} mutations killed`)
if (survivors.length > 0) process.exitCode = 1
