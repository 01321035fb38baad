import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { packages } from "./codemod/packages.js"

/** The generated packages are read from their sources, as the first edition's are. */
const conditions = ["source", "module", "node", "development|production"]

const project = (name: string, include: string) => ({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { name, include: [include], testTimeout: 30_000, hookTimeout: 30_000 }
})

// Files share a process, which loads Effect once.
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  test: {
    projects: [
      project("codemod", "codemod/test/**/*.test.ts"),
      ...packages.map((name) => project(name, `packages/${name}/test/**/*.test.ts`))
    ],
    pool: "forks",
    maxWorkers: 2,
    isolate: false,
    execArgv: ["--expose-gc"]
  }
})
