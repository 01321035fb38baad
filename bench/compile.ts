/**
 * Compiles the benchmarks and the packages' sources to what a user runs. Under `tsx` every function that is made would be
 * given its name again, which costs our side of a comparison up to a quarter, and no user anything.
 */
import { build } from "esbuild"
import { readdirSync } from "node:fs"
import path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const folder = path.dirname(fileURLToPath(import.meta.url))
const compiled = path.join(folder, "../node_modules/.cache/patinox/bench")

export interface Compiled {
  /** The script of `inChild`. */
  readonly child: string
  /** The module of a family, by its name. */
  readonly figures: (name: string) => string
}

export const compile = async (): Promise<Compiled> => {
  const figures = readdirSync(path.join(folder, "figures")).map((file) => path.join(folder, "figures", file))
  await build({
    entryPoints: [path.join(folder, "child.ts"), ...figures],
    outbase: folder,
    outdir: compiled,
    bundle: true,
    splitting: true,
    sourcemap: true,
    format: "esm",
    outExtension: { ".js": ".mjs" },
    platform: "node",
    target: "node20",
    conditions: ["source"],
    // Those that are installed, as they are.
    external: ["effect", "effect/*", "generic-pool", "pg", "tarn"]
  })
  return {
    child: path.join(compiled, "child.mjs"),
    figures: (name) => pathToFileURL(path.join(compiled, "figures", `${name}.mjs`)).href
  }
}
