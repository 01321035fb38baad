// What @patinox/core adds to an application that already has effect: bundled, minified, gzipped.
import { build } from "esbuild"
import { gzipSync } from "node:zlib"
import { root } from "./packages.mjs"

/** The contract is the first: an application that guards resources. The second holds what nobody uses all of. */
const budgets = [
  {
    name: "guards and a registry",
    budget: 20.7 * 1024,
    contents: `
      export { acquireRelease, layer, make, use } from "@patinox/core/ResourceGuard"
      export { layer as registry, layerWith, ResourceRegistry } from "@patinox/core/ResourceRegistry"
    `
  },
  { name: "all of it", budget: 37.4 * 1024, contents: `export * as core from "@patinox/core"` }
]

const measure = async ({ contents }) => {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    external: ["effect", "effect/*"],
    logLevel: "error",
    write: false
  })
  return gzipSync(outputFiles[0].contents, { level: 9 }).length
}

const parts = []
for (const part of budgets) {
  const bytes = await measure(part)
  parts.push(`${(bytes / 1024).toFixed(2)} of ${(part.budget / 1024).toFixed(2)} KiB with ${part.name}`)
  if (bytes > part.budget) process.exitCode = 1
}
console.log(`@patinox/core adds ${parts.join(", ")} (minified, gzip)`)
