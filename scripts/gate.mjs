// The one gate: every static check with its time, then every test. A failure never hides the results after it.
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { root } from "./packages.mjs"

const typeTests = { name: "type tests", command: "tstyche", prints: /^Tests:.*$/m }

/** Two lanes for two cores; a lane runs in order, for what needs the build follows it. */
const lanes = [
  [
    { name: "build", command: "node scripts/build.mjs" },
    { name: "exports", command: "node scripts/check-exports.mjs" },
    { name: "size", command: "node scripts/check-size.mjs", prints: /^.* adds .*$/m },
    { name: "lint", command: "oxlint --deny-warnings" },
    { name: "dead code", command: "knip" }
  ],
  [
    { name: "format", command: "dprint check" },
    { name: "types", command: "tsc -p tsconfig.json" },
    { name: "rules", command: "tsx scripts/lint-rules.ts" },
    typeTests,
    { name: "api docs", command: "typedoc --logLevel Warn" }
  ]
]

const env = { ...process.env, PATH: join(root, "node_modules/.bin") + delimiter + process.env.PATH }
const plainEnv = { ...env, FORCE_COLOR: undefined, NO_COLOR: "1" }

const run = (command, stdio) =>
  new Promise((resolve) => {
    const started = performance.now()
    const child = spawn(command, {
      cwd: root,
      env: stdio === "pipe" ? plainEnv : env,
      shell: true,
      stdio: ["ignore", stdio, stdio]
    })
    let output = ""
    child.stdout?.on("data", (chunk) => (output += chunk))
    child.stderr?.on("data", (chunk) => (output += chunk))
    child.on("close", (code) => resolve({ ok: code === 0, output, seconds: (performance.now() - started) / 1000 }))
  })

const failedChecks = []

const report = (name, { ok, output, seconds }, prints) => {
  const detail = prints === undefined ? undefined : output.match(prints)?.[0]
  console.log(
    `${ok ? "ok  " : "FAIL"} ${name.padEnd(10)} ${seconds.toFixed(1).padStart(5)} s  ${detail ?? ""}`.trimEnd()
  )
  if (!ok) {
    failedChecks.push(name)
    if (output !== "") console.log(output.trimEnd().replace(/^/gm, "     "))
  }
}

const results = new Map()
await Promise.all(lanes.map(async (lane) => {
  for (const check of lane) {
    const result = await run(check.command, "pipe")
    results.set(check, result)
    report(check.name, result, check.prints)
  }
}))

/** From `Tests: 1 failed, 2 skipped, 3 passed, 6 total`, which leaves out what did not occur. */
const countTypeTests = ({ ok, output }) => {
  const line = output.match(typeTests.prints)?.[0] ?? ""
  const count = (word) => Number(line.match(new RegExp(`(\\d+) ${word}`))?.[1] ?? 0)
  // A file that does not compile fails without a count of its tests.
  const failed = Math.max(count("failed"), ok ? 0 : 1)
  return { passed: count("passed"), failed, skipped: count("skipped") + count("todo") }
}

/**
 * Tests run in two groups at once. Many of the second wait for processes that they start, and many of the first for the
 * real turns that a test clock takes, so that either alone leaves a core idle. What is new is of the second.
 */
const first = ["cache", "core", "platform", "pool"]
const groups = [
  { name: "tests", select: first.map((project) => `--project=${project}`) },
  { name: "processes", select: first.map((project) => `--exclude="packages/${project}/**"`) }
]

const none = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0, testResults: [] }

const runVitest = async ({ name, select }) => {
  const folder = mkdtempSync(join(tmpdir(), "patinox-gate-"))
  const file = join(folder, "results.json")
  const result = await run(
    `vitest run ${select.join(" ")} --reporter=default --reporter=json --outputFile.json="${file}"`,
    "inherit"
  )
  report(name, result)
  try {
    return JSON.parse(readFileSync(file, "utf8"))
  } catch {
    return none
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

console.log("")
const tests = await Promise.all(groups.map(runVitest))

const types = countTypeTests(results.get(typeTests))

// A file that cannot be loaded has no tests to count, and is a failure all the same.
const broken = tests.flatMap(({ testResults }) => testResults).filter(({ assertionResults, status }) =>
  status === "failed" && !assertionResults.some((test) => test.status === "failed")
)

if (failedChecks.length > 0) {
  console.log(`\nFailed: ${failedChecks.join(", ")}`)
  process.exitCode = 1
}
const count = (name) => tests.reduce((sum, group) => sum + group[name], 0)
const passed = count("numPassedTests") + types.passed
const failed = count("numFailedTests") + broken.length + types.failed
const skipped = count("numPendingTests") + count("numTodoTests") + types.skipped
if (failed > 0) process.exitCode = 1
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
