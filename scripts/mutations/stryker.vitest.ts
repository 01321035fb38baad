/** Vitest as Stryker runs it: the tests of the pure modules, and nothing else. */
import { defineConfig } from "vitest/config"
import { pureModules } from "./pure.js"

const conditions = ["source", "module", "node", "development|production"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: pureModules.map(({ tests }) => tests), isolate: false, testTimeout: 30_000 }
})
