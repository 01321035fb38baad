// Builds packages/*/dist from nothing, so that no output of a deleted source file survives.
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { packages, root } from "./packages.mjs"

for (const { directory } of packages) rmSync(`${directory}/dist`, { recursive: true, force: true })

const configs = packages.map(({ directory }) => `${directory}/tsconfig.build.json`)
const { status } = spawnSync(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, "-b", ...configs], {
  cwd: root,
  stdio: "inherit"
})
process.exitCode = status ?? 1
