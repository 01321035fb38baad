/**
 * Breaks the sources on purpose, one change at a time in memory, and says which changes no test notices.
 *
 * `npm run mutate` tries all of them, and `npm run mutate -- pool KeyMap` those of a package and of a pure module; what
 * was found is written to docs/mutations.md. `--sample` tries a tenth of those written by hand, drawn by the commit, and
 * any other words those whose description has them: neither is written down. `--trust` leaves out to try the tests
 * without a change first, for somebody who has just seen them pass.
 */
import { parseArgs } from "node:util"
import { mutations } from "./mutations/index.js"
import { pureModules } from "./mutations/pure.js"
import { record } from "./mutations/record.js"
import { sampleOf } from "./mutations/sample.js"
import { enough, runStryker } from "./mutations/stryker.js"
import { runWritten } from "./mutations/written.js"

const { positionals: names, values } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: "boolean", default: false },
    trust: { type: "boolean", default: false },
    processes: { type: "string", default: "2" }
  }
})
const processes = Number(values.processes)
const isAll = names.length === 0

const packages = [...new Set(mutations.map(({ folder }) => folder))].filter((name) => isAll || names.includes(name))
const modules = pureModules.filter(({ name }) => isAll || names.includes(name))

/** Those that no test has noticed count against the run. */
const tryWritten = async (chosen: typeof mutations): Promise<number> => {
  const results = await runWritten(chosen, {
    processes,
    trustsTests: values.trust,
    testTimeout: values.sample ? 5_000 : 20_000
  })
  const killed = results.filter(({ verdict }) => verdict.isNoticed).length
  if (killed < results.length) process.exitCode = 1
  return killed
}

if (values.sample) await tryWritten(sampleOf(mutations))
else if (packages.length + modules.length === 0) {
  await tryWritten(mutations.filter(({ what }) => what.includes(names.join(" "))))
} else {
  for (const name of packages) {
    const chosen = mutations.filter(({ folder }) => folder === name)
    record([{ name, mutations: chosen.length, tried: chosen.length, killed: await tryWritten(chosen) }])
  }
  if (modules.length > 0) {
    const rows = await runStryker(modules, processes)
    record(rows)
    const killed = rows.reduce((sum, row) => sum + row.killed, 0)
    const made = rows.reduce((sum, row) => sum + row.tried, 0)
    console.log(`${killed} of ${made} mutations of pure modules killed; ${enough} % are asked for`)
    if (killed < made * enough / 100) process.exitCode = 1
  }
}
