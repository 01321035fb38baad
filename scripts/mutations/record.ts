/** Writes down what was found: one row for each package and each pure module, with its day and its commit. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { commitHash, isClean } from "./commit.js"

const file = "docs/mutations.md"
/** Asked at the start: what is written down here is a change, too. */
const commit = commitHash().slice(0, 10) + (isClean() ? "" : "-dirty")

export interface Row {
  readonly name: string
  readonly mutations: number
  readonly tried: number
  readonly killed: number
}

const title = `# Mutations

\`npm run mutate\` changes the sources on purpose, one place at a time and in memory only, and asks whether a test fails.
A row says what its last run found. A commit that ends in \`-dirty\` had changes that were not committed.

Mutations of a package are written by hand, in [scripts/mutations](../scripts/mutations/index.ts): each breaks a promise,
or brings back a fault that was found once. Every one of them has to be killed. Those of a module are made by
[Stryker](https://stryker-mutator.io): every condition, comparison, number and block of it is changed. Some of these
changes make no difference that anyone could see, so there a share is asked for: see \`enough\` in
[stryker.ts](../scripts/mutations/stryker.ts).

| sources | mutations | tried | killed | share | day | commit |
|---|---|---|---|---|---|---|
`

/** In order: packages as they were recorded first, then modules. */
const rowsOf = (text: string): Map<string, string> =>
  new Map(
    text.split("\n").filter((line) => line.startsWith("| `")).map((line) => [line.split("`")[1]!, line] as const)
  )

export const record = (rows: ReadonlyArray<Row>): void => {
  const known = rowsOf(existsSync(file) ? readFileSync(file, "utf8") : "")
  const day = new Date().toISOString().slice(0, 10)
  for (const { killed, mutations, name, tried } of rows) {
    const share = (killed / tried * 100).toFixed(1)
    known.set(name, `| \`${name}\` | ${mutations} | ${tried} | ${killed} | ${share} % | ${day} | \`${commit}\` |`)
  }
  writeFileSync(file, `${title}${[...known.values()].join("\n")}\n`)
}
