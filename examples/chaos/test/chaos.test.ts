/** A short run of random faults on a service that uses every part of Patinox; `npm run chaos -- --minutes 60` runs for an hour. */
import { afterAll, expect, it } from "@effect/vitest"
import { mkdirSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { isPostgresThere } from "../../../scripts/testing/postgres.js"
import { chaos } from "../src/Chaos.js"

const folder = fileURLToPath(new URL(`../../../.tmp/chaos-${process.pid}`, import.meta.url))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const seed = Number(process.env["PATINOX_SEED"] ?? 20_240)
const available = await isPostgresThere()

it.skipIf(!available)(
  "a service under load keeps its answers, its totals and nothing else, whatever happens to its parts",
  { timeout: 300_000 },
  async () => {
    mkdirSync(folder, { recursive: true })
    const met: Record<string, number> = {}
    const broken: Array<string> = []
    await chaos({ seed, millis: 18_000, roundMillis: 6_000, folder }, (round) => {
      for (const [what, times] of Object.entries(round.met)) met[what] = (met[what] ?? 0) + times
      if (round.wrong.length === 0) return
      console.log(`npm run chaos -- --minutes 0 --seed ${round.seed} --round 6\n${round.output.slice(-4_000)}`)
      broken.push(...round.wrong.map((wrong) => `seed ${round.seed}: ${wrong}`))
    })
    console.log(`seed ${seed}: ${Object.entries(met).map(([what, times]) => `${what} ${times}`).join(", ")}`)
    expect(broken).toEqual([])
    // It is worth something only where all of it happened.
    const needed = [
      "status 200",
      "status 503",
      "given up",
      "connections cut",
      "children killed",
      "signals doubled",
      "transfers in the ledger",
      "untellable errors",
      "untellable throws",
      "clocks set"
    ]
    expect(needed.filter((what) => !((met[what] ?? 0) > 0))).toEqual([])
  }
)
