/**
 * Measures the figures of the performance budget and compares them with `budgets.json`; ends with 1 where one is above
 * its budget. `--only <id,..>` measures those, `--long` also those that take minutes, `--quick` less of everything,
 * `--json` prints data in place of a table.
 */
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { compile } from "./compile.js"
import { type Family, type Measured, median, type Settings } from "./figure.js"
import { family as cache } from "./figures/cache.js"
import { family as guard } from "./figures/guard.js"
import { family as hung } from "./figures/hung.js"
import { family as idle } from "./figures/idle.js"
import { family as limit } from "./figures/limit.js"
import { family as memory } from "./figures/memory.js"
import { family as observing } from "./figures/observing.js"
import { family as pool } from "./figures/pool.js"
import { family as postgres } from "./figures/postgres.js"
import { family as refreshable } from "./figures/refreshable.js"
import { family as schedule } from "./figures/schedule.js"
import { family as scope } from "./figures/scope.js"
import { family as startup } from "./figures/startup.js"
import { family as waiting } from "./figures/waiting.js"
import { inChild } from "./inChild.js"

interface Budget {
  readonly id: string
  readonly title: string
  readonly comparedTo: string
  readonly unit: string
  /** `null`: for information. */
  readonly budget: number | null
  /** Takes minutes: measured with `--long`, or where it is asked for by name. */
  readonly long?: true
}

interface Result extends Budget {
  readonly values: ReadonlyArray<number>
  readonly median: number
  readonly ok: boolean
}

const families: Readonly<Record<string, Family>> = {
  guard,
  schedule,
  limit,
  waiting,
  memory,
  hung,
  idle,
  observing,
  scope,
  refreshable,
  startup,
  pool,
  postgres,
  cache
}

const budgets: ReadonlyArray<Budget> = JSON.parse(readFileSync(new URL("budgets.json", import.meta.url), "utf8"))

const options = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
    json: { type: "boolean", default: false }
  }
}).values

const selected = options.only?.split(",") ??
  budgets.filter((budget) => options.long || budget.long !== true).map((budget) => budget.id)
const unknown = selected.filter((id) => !budgets.some((budget) => budget.id === id))
if (unknown.length > 0) throw new Error(`No such figure: ${unknown.join(", ")}`)

const compiled = await compile()

const wantedOf = (family: Family): ReadonlyArray<string> => family.ids.filter((id) => selected.includes(id))

const measure = async (name: string, family: Family): Promise<Measured> => {
  const settings: Settings = { quick: options.quick, wanted: wantedOf(family) }
  const merged: Record<string, Array<number>> = {}
  const processes = options.quick ? 1 : family.processes ?? 1
  for (let i = 0; i < processes; i++) {
    const job = { module: compiled.figures(name), name: "family", args: [settings] }
    const measured = await inChild<Measured>(job, compiled.child)
    for (const [id, values] of Object.entries(measured)) (merged[id] ??= []).push(...values)
  }
  return merged
}

const show = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 100 ? 2 : 0)

const columns = ["figure".padEnd(68), "measured".padEnd(32), "budget".padEnd(14), "ok"]

const row = ({ budget, median, ok, title, unit, values }: Result): string =>
  [
    title.padEnd(68),
    `${show(median)} ${unit} (${show(Math.min(...values))}..${show(Math.max(...values))})`.padEnd(32),
    (budget === null ? "-" : `<= ${budget} ${unit}`).padEnd(14),
    budget === null ? "" : ok ? "ok" : "ABOVE"
  ].join(" | ")

const started = performance.now()
const results: Array<Result> = []
if (!options.json) console.log(columns.join(" | "))
const chosen = Object.entries(families).filter(([, family]) => wantedOf(family).length > 0)
const aside = new Map<string, Promise<Measured>>()
for (const [name, family] of chosen) if (family.isAside === true) aside.set(name, measure(name, family))
for (const [name, family] of chosen) {
  const ids = wantedOf(family)
  const measured = await (aside.get(name) ?? measure(name, family))
  for (const id of ids) {
    const budget = budgets.find((budget) => budget.id === id)!
    const values = measured[id] ?? []
    if (values.length === 0) {
      console.error(`${budget.title}: skipped, what it needs is not on this machine`)
      continue
    }
    const middle = median(values)
    const result: Result = { ...budget, values, median: middle, ok: budget.budget === null || middle <= budget.budget }
    results.push(result)
    if (!options.json) console.log(row(result))
  }
}
if (options.json) console.log(JSON.stringify(results, undefined, 2))
else console.log(`Measured in ${Math.round((performance.now() - started) / 1_000)} s.`)
if (results.some((result) => !result.ok)) process.exitCode = 1
