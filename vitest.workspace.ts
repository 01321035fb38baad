import { defineProject } from "vitest/config"
import { mutatedModules } from "./scripts/mutations/inMemory.js"

/** The workspace packages are read from their sources, through the export condition of our own, without a build. */
const conditions = ["source", "module", "node", "development|production"]

const project = (name: string, include: string, testTimeout = 30_000) =>
  defineProject({
    plugins: mutatedModules,
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    test: { name, include: [include], testTimeout, hookTimeout: testTimeout }
  })

export default [
  project("core", "packages/core/test/**/*.test.ts"),
  project("vitest", "packages/vitest/test/**/*.test.ts"),
  project("pool", "packages/pool/test/**/*.test.ts"),
  project("cache", "packages/cache/test/**/*.test.ts"),
  project("platform", "packages/platform/test/**/*.test.ts"),
  project("platform-node", "packages/platform-node/test/**/*.test.ts"),
  project("examples", "examples/**/*.test.ts"),
  project("docs", "scripts/docs/**/*.test.ts"),
  project("rules", "scripts/rules/**/*.test.ts"),
  project("packed", "scripts/packed/*.test.ts", 120_000)
]
