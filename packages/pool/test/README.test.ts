/** The tables of options and of reasons in the README are those of the pool. */
import { Duration } from "effect"
import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { resolve } from "../src/internal/PoolOptions.js"
import type { RemovalReason } from "../src/internal/state/Vocabulary.js"

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")

/** What a default in the table stands for, as the pool has it: numbers as such, durations in milliseconds. */
const valueOf = (shown: string): unknown => {
  if (shown === "off" || shown === "Infinity") return Infinity
  if (!Number.isNaN(Number(shown))) return Number(shown)
  return /^\d+ \w+$/.test(shown) ? Duration.toMillis(shown as Duration.DurationInput) : shown
}

it("every option is in the README, with its default", () => {
  const section = readme.split("## Options")[1].split("\n## ")[0]
  const rows = [...section.matchAll(/^\| `(\w+)` \| `([^`]+)` \|/gm)].map((
    [, option, shown]
  ) => [option, valueOf(shown)])
  const { wants, ...resolved } = resolve({}, true, "pool") as unknown as Record<string, unknown>
  // Stacks are captured or not; that is no duration.
  const documented = { ...Object.fromEntries(rows), captureStacks: "off" }
  expect(documented).toEqual({ ...resolved })
  expect(rows.filter(([option]) => option === "captureStacks")).toHaveLength(1)
})

/** A word that the README has for each reason to remove an item: a new reason does not compile before it is described. */
const meanings: { readonly [R in RemovalReason]: RegExp } = {
  expired: /`maxLifetime`/,
  idle: /`idleTimeout`/,
  maxUses: /use/,
  unfit: /validation failed/,
  invalidated: /`invalidateAll`/,
  doubtful: /validat/,
  failedUse: /`invalidateWhen`/,
  recycleFailed: /failed/,
  keepAliveFailed: /failed/,
  reclaimed: /lease/,
  resized: /too many|surplus/,
  evicted: /`evictIdle`/,
  late: /`createTimeout`/,
  drained: /closing|drained/,
  released: /registry/
}

it("every reason to remove an item is in the README", () => {
  const section = readme.split("| reason |")[1].split("\n## ")[0]
  const rows = [...section.matchAll(/^\| ((?:`\w+`(?:, )?)+) \| (.*) \|$/gm)]
  const described = rows.flatMap(([, names, text]) => names.match(/\w+/g)!.map((reason) => [reason, text] as const))
  expect(described.map(([reason]) => reason)).toEqual(Object.keys(meanings))
  for (const [reason, text] of described) expect(text).toMatch(meanings[reason as RemovalReason])
})
