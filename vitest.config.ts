import { defineConfig } from "vitest/config"
import projects from "./vitest.workspace.js"

// Files share a process, which loads Effect once.
export default defineConfig({
  test: {
    projects,
    pool: "forks",
    poolOptions: { forks: { minForks: 1, maxForks: 2, isolate: false, execArgv: ["--expose-gc"] } }
  }
})
