/** `npm run chaos -- --minutes 60 --seed 1`: rounds for that time, one line each, and the details of a failed round. */
import { mkdirSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { isPostgresThere } from "../../../scripts/testing/postgres.js"
import { chaos } from "./Chaos.js"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    round: { type: "string", default: "8" }
  }
})
const [minutes, seed, seconds] = [Number(values.minutes), Number(values.seed), Number(values.round)]
if (![minutes, seed, seconds].every((n) => Number.isFinite(n) && n >= 0)) {
  console.error("usage: npm run chaos -- [--minutes <n>] [--seed <n>] [--round <seconds>]")
  process.exit(2)
}
if (!(await isPostgresThere())) process.exit(0)

const folder = fileURLToPath(new URL(`../../../.tmp/chaos-${process.pid}`, import.meta.url))
mkdirSync(folder, { recursive: true })
const met: Record<string, number> = {}
let rounds = 0
let failed = 0
console.log(`chaos for ${minutes} min from seed ${seed} on`)
try {
  await chaos({ seed, millis: minutes * 60_000, roundMillis: seconds * 1_000, folder }, (round) => {
    rounds++
    for (const [what, times] of Object.entries(round.met)) met[what] = (met[what] ?? 0) + times
    console.log(`seed ${round.seed}, ended ${round.ending}: ${round.wrong.length === 0 ? "all held" : "BROKEN"}`)
    if (round.wrong.length === 0) return
    failed++
    console.log(`${round.wrong.map((wrong) => `  - ${wrong}`).join("\n")}\n${round.output.slice(-4_000)}`)
    console.log(`  again: npm run chaos -- --minutes 0 --seed ${round.seed} --round ${seconds}`)
  })
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${rounds} rounds, ${failed} broken; ${Object.entries(met).map(([what, n]) => `${what} ${n}`).join(", ")}`)
process.exit(failed === 0 ? 0 : 1)
