// Checks the packed packages as their users resolve them: publint for the manifest, attw for the types.
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { pack, root } from "./packages.mjs"

const destination = `${root}/.tmp/tarballs`
rmSync(destination, { recursive: true, force: true })

const run = (command) => spawnSync(command, { cwd: root, shell: true, stdio: "inherit" }).status === 0

for (const { files, name, tarball } of pack(destination)) {
  const unbuilt = !files.includes("dist/index.js") || !files.includes("dist/index.d.ts")
  if (unbuilt) console.error(`${name}: the tarball holds no build`)
  const passed = [
    !unbuilt,
    run(`"${root}/node_modules/.bin/publint" run "${tarball}" --strict`),
    run(`"${root}/node_modules/.bin/attw" "${tarball}" --profile esm-only --format ascii`)
  ]
  if (passed.includes(false)) process.exitCode = 1
}
