/** The table of options in the README is that of the cache. */
import { PatinoxError } from "@patinox/core"
import { Duration } from "effect"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { resolve, type ResolvedCache } from "../src/internal/CacheOptions.js"

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")

interface Row {
  readonly option: string
  readonly byDefault: string
  readonly allowed: string
}

const rows: ReadonlyArray<Row> = [
  ...readme.split("## Options")[1].split("\n## ")[0].matchAll(/^\| `(\w+)` \| `([^`]+)` \| ([^|]+) \|/gm)
].map(([, option, byDefault, allowed]) => ({ option, byDefault, allowed }))

/** What a default in the table stands for, as the cache has it: numbers as such, durations in milliseconds. */
const valueOf = (shown: string): unknown => {
  if (shown === "off") return 0
  if (!Number.isNaN(Number(shown))) return Number(shown)
  return /^\d+ \w+$/.test(shown) ? Duration.toMillis(shown as Duration.DurationInput) : shown
}

/** What each range in the table takes and what it does not; choices are taken one by one. */
const ranges: {
  readonly [allowed: string]: readonly [taken: ReadonlyArray<unknown>, refused: ReadonlyArray<unknown>]
} = {
  "a text": [["files"], ["", 1]],
  "from 1, or `Infinity`": [[1, 5, Infinity], [0, 1.5, -1, NaN, "5"]],
  "above 0, or `Infinity`": [[0.5, 10, Infinity], [0, -1, NaN, "5"]],
  "0 to 1": [[0, 0.5, 1], [-0.1, 1.1, NaN]],
  "duration": [[1, "1 second", Duration.infinity], [0, -1, "soon"]],
  "duration, or `off`": [[1, "1 second", "off"], [0, -1, "soon"]],
  "a `CachePolicy`": [[], ["lru", {}]]
}

describe("the table of options", () => {
  it("the table of options has every option, with its default", () => {
    const { policy, ...resolved } = resolve({}, "cache") as ResolvedCache
    const documented = rows.map(({ byDefault, option }) => [option, valueOf(byDefault)])
    expect(Object.fromEntries(documented)).toEqual({ ...resolved, policy: policy.name })
    expect(rows).toHaveLength(Object.keys(resolved).length + 1)
  })

  for (const { allowed, option } of rows) {
    it(`says what ${option} may be: ${allowed}`, () => {
      const choices = [...allowed.matchAll(/`(\w+)`/g)].map(([, choice]) => choice)
      const [taken, refused] = ranges[allowed] ?? [choices, ["anything else", 0]]
      expect(taken.length + refused.length).toBeGreaterThan(1)
      for (const value of taken) expect(resolve({ [option]: value }, "cache")).toHaveProperty(option)
      for (const value of refused) {
        const error = resolve({ [option]: value }, "cache")
        expect(error).toBeInstanceOf(PatinoxError.Validation)
        expect((error as PatinoxError.Validation).message).toContain(`"${option}"`)
      }
    })
  }
})
