/** The mutations of the pure modules: made, and tried, by Stryker. */
import { Stryker } from "@stryker-mutator/core"
import path from "node:path"
import type { PureModule } from "./pure.js"
import type { Row } from "./record.js"

/** At least so many of a hundred have to be noticed, over all modules. Raise it with what was measured. */
export const enough = 85

const optionsFor = (
  modules: ReadonlyArray<PureModule>,
  processes: number
): ConstructorParameters<typeof Stryker>[0] => ({
  mutate: modules.map(({ source }) => source),
  // What these say is compared where it matters; a text of an error is not.
  mutator: { excludedMutations: ["StringLiteral"] },
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "scripts/mutations/stryker.vitest.ts", related: false },
  coverageAnalysis: "perTest",
  concurrency: processes,
  reporters: ["clear-text"],
  clearTextReporter: { allowColor: false, reportTests: false, logTests: false },
  thresholds: { high: 90, low: enough, break: enough },
  tempDirName: ".tmp/stryker",
  ignorePatterns: [
    "/*",
    "!/packages",
    "!/scripts",
    "!/package.json",
    "!/tsconfig*.json",
    "dist",
    "/packages/*/typetest"
  ],
  disableTypeChecks: false,
  allowEmpty: false
})

/** A change that makes the tests run on for ever is noticed, too. Those that do not compile count for nothing. */
const noticed = ["Killed", "Timeout"]
const unnoticed = ["Survived", "NoCoverage"]

export const runStryker = async (
  modules: ReadonlyArray<PureModule>,
  processes: number
): Promise<ReadonlyArray<Row>> => {
  const results = await new Stryker(optionsFor(modules, processes)).runMutationTest()
  return modules.map(({ name }) => {
    const own = results.filter(({ fileName }) => path.basename(fileName, ".ts") === name)
    const killed = own.filter(({ status }) => noticed.includes(status)).length
    const tried = killed + own.filter(({ status }) => unnoticed.includes(status)).length
    return { name, mutations: own.length, tried, killed }
  })
}
